"""Hand-sized estates for the tests of the measures: builders with defaults, and what they promise."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics import metrics, tables
from lineage_analytics.facts import Facts
from lineage_analytics.graphs.access import AccessLineage
from lineage_analytics.graphs.decisions import DecisionLineage
from lineage_analytics.tables import ALL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

AS_OF = datetime(2026, 6, 30, 23, 59, 59, 999_999, tzinfo=UTC)
Rows = list[dict[str, Any]]


def day(back: int) -> datetime:
    """Noon, so many days before as_of."""
    return AS_OF.replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=back)


def identity(name: str, kind: str = "service_account", **more: Any) -> dict[str, Any]:
    row = {"id": f"aws:1:{name}", "kind": kind, "display_name": name, "inventoried": True, "tenant": "1",
           "provider": "aws", "sources": ["aws_iam"], "record_ids": [f"rec-{name}"], "created_at": day(900),
           "snapshot_at": day(0)}
    return row | more


def permission(name: str, used: int | None, unused: int | None, hidden: int = 0, young: int = 0, **more: Any
               ) -> dict[str, Any]:
    known = None not in (used, unused)
    granted = (used or 0) + (unused or 0) + hidden + young
    none = 0 if known else None
    row = {"principal_id": f"aws:1:{name}", "granted": granted, "used": used, "unused": unused,
           "unobservable": hidden, "too_young": young, "sensitive_granted": 0, "sensitive_unused": none,
           "sensitive_used": none, "sensitive_too_young": none,
           "weight_max": 0, "wildcard": False, "admin_equivalent": False, "record_ids": [f"rec-grant-{name}"]}
    return row | more


def logs(days: int = 120, source: str = "aws_cloudtrail", tenant: str = "1", provider: str = "aws",
         missing: Iterable[int] = (), records: int = 100) -> Rows:
    skip = set(missing)
    return [{"basis": "received", "source": source, "tenant": tenant, "provider": provider, "day": day(back).date(),
             "records": records, "first": day(back), "last": day(back)} for back in range(days) if back not in skip]


def grant(name: str = "anyone") -> dict[str, Any]:
    """A statement, so that an inventory of permissions counts as loaded."""
    return {"principal_id": f"aws:1:{name}", "grant_kind": "statement", "privilege": "Allow", "effect": "allow",
            "actions": ["s3:GetObject"], "resources": ["*"], "as_of": day(0), "tenant": "1", "provider": "aws",
            "source": "aws_iam", "record_id": f"rec-grant-{name}"}


def event(name: str, back: int, number: int = 0, **more: Any) -> dict[str, Any]:
    row = {"time": day(back) + timedelta(seconds=number), "actor_id": f"aws:1:{name}", "action": "s3:ListBuckets",
           "outcome": "success", "tenant": "1", "provider": "aws", "source": "aws_cloudtrail",
           "record_id": f"rec-event-{name}-{back}-{number}"}
    return row | more


def use(name: str, back: int, **more: Any) -> dict[str, Any]:
    row = {"actor_id": f"aws:1:{name}", "action": "s3:ListBuckets", "tenant": "1", "provider": "aws",
           "source": "aws_cloudtrail", "day": day(back).date(), "events": 1, "successes": 1, "first": day(back),
           "last": day(back)}
    return row | more


def decision(name: str, back: int = 1, cls: str = "executes_approved", verdict: str = "approved_before",
             independent: str = "yes", **more: Any) -> dict[str, Any]:
    row = {"case_id": f"dec-{name}", "tenant": "1", "provider": "aws", "time": day(back), "executed": True,
           "involvement_class": cls, "approval_verdict": verdict, "independent": independent,
           "change_class": "grant", "operation": "iam:AttachRolePolicy", "status": "executed"}
    return row | more


def elements(name: str, **states: str) -> Rows:
    """The six elements of a case, all proved but those named."""
    six = dict.fromkeys(("initiator", "inputs", "recommendation", "approver", "action", "rollback"), "proved") | states
    return [{"case_id": f"dec-{name}", "element": element, "state": state, "reason": "hand made",
             "record_ids": [f"rec-{name}-{element}"]} for element, state in six.items()]


def step(name: str) -> dict[str, Any]:
    return {"step_id": f"step-{name}", "case_id": f"dec-{name}", "kind": "action", "time": day(1),
            "record_ids": [f"rec-{name}"], "source": "aws_cloudtrail"}


def access_row(interaction: int, resource: str | None, back: int = 1, **more: Any) -> dict[str, Any]:
    row = {"time": day(back), "user_id": "m365:t:ada", "app_host": "Word", "interaction_id": f"rec-i{interaction}",
           "thread_id": "19:x", "resource_id": resource, "role": "accessed" if resource else "none", "action": "read",
           "policy_outcome": "none", "completeness": "listed" if resource else "empty", "tenant": "t",
           "provider": "m365", "source": "m365_audit", "record_id": f"rec-i{interaction}"}
    return row | more


def measured(permissions: Rows | None = None, cases: Rows | None = None, element_rows: Rows | None = None,
             steps: Rows | None = None, gaps: Rows | None = None, as_of: datetime = AS_OF, shuffle: int | None = None,
             nodes: Rows | None = None, edges: Rows | None = None, links: Rows | None = None,
             findings: Rows | None = None, link_rejects: Rows | None = None, **rows: Rows) -> metrics.Measured:
    """Measures of hand-made rows; ``shuffle`` permutes every table."""
    return metrics.measure(*inputs(permissions, cases, element_rows, steps, gaps, as_of, shuffle, nodes, edges, links,
                                   findings, link_rejects, **rows))


def inputs(permissions: Rows | None = None, cases: Rows | None = None, element_rows: Rows | None = None,
           steps: Rows | None = None, gaps: Rows | None = None, as_of: datetime = AS_OF, shuffle: int | None = None,
           nodes: Rows | None = None, edges: Rows | None = None, links: Rows | None = None,
           findings: Rows | None = None, link_rejects: Rows | None = None, **rows: Rows) -> tuple[Facts, AccessLineage, DecisionLineage]:
    def made(name: str, given: Rows | None) -> pl.DataFrame:
        frame = pl.DataFrame(given, schema=ALL[name].schema) if given else ALL[name].empty()
        return frame.sample(fraction=1, shuffle=True, seed=shuffle) if shuffle is not None else frame

    facts = Facts({name: made(name, given).lazy() for name, given in rows.items()}, as_of)
    access = AccessLineage(made("nodes", nodes), made("edges", edges), made("permissions", permissions))
    decisions = DecisionLineage(
        cases=made("cases", cases), steps=made("steps", steps), links=made("links", links),
        link_rejects=made("link_rejects", link_rejects), decision_findings=made("decision_findings", findings),
        gaps=made("gaps", gaps), elements=made("elements", element_rows))
    return facts, access, decisions


def row(found: metrics.Measured, metric_id: str, scope: str = "all") -> Mapping[str, Any]:
    kept = found.measures.filter((pl.col("metric_id") == metric_id) & (pl.col("scope") == scope))
    assert kept.height == 1, f"{metric_id} {scope}: {kept.height} rows"
    return kept.row(0, named=True)


def members(found: metrics.Measured, metric_id: str, which: str, scope: str = "all") -> dict[str, str]:
    """Objects of a set and the reason each is in it."""
    kept = found.evidence.filter(
        (pl.col("metric_id") == metric_id) & (pl.col("scope") == scope) & (pl.col("set") == which))
    return dict(zip(kept["object_id"].str.replace("aws:1:", ""), kept["reason"], strict=True))


def counts(found: metrics.Measured, metric_id: str, scope: str = "all") -> tuple[float | None, float | None, int, int]:
    """numerator, denominator, unknown, excluded."""
    held = row(found, metric_id, scope)
    return held["numerator"], held["denominator"], held["n_unknown"], held["n_excluded"]


def node(name: str, kind: str = "service_account", *, tier0: bool = False, weight: int = 2, **more: Any
         ) -> dict[str, Any]:
    return {"node_id": f"aws:1:{name}", "kind": kind, "label": name, "tier0": tier0, "weight": weight, "tenant": "1",
            "provider": "aws"} | more


def edge(src: str, dst: str, state: str = "proved", **more: Any) -> dict[str, Any]:
    return {"src": f"aws:1:{src}", "dst": f"aws:1:{dst}", "rel": "controls", "state": state, "followed": True,
            "technique": "take it over", "reason": f"{src} may take over {dst}",
            "record_ids": [f"rec-{src}-{dst}"]} | more


def activation(name: str, back: int, independent: str = "yes", verdict: str = "approved_before",
               why: bool | None = True) -> dict[str, Rows]:
    """A case of an eligible role that was activated, its step, and what the record says of a reason."""
    operation = "Add member to role completed (PIM activation)"
    return {
        "cases": [decision(name, back, independent=independent, verdict=verdict, operation=operation, provider="entra",
                           approver_id="entra:t:boss", target_key="entra:t:role/x|y")],
        "steps": [step(name) | {"operation": operation}],
        "decision_steps": [{"step_id": f"step-{name}", "kind": "action", "time": day(back), "operation": operation,
                            "justification_present": why, "record_id": f"rec-{name}", "source": "entra_audit"}],
    }


def trust(name: str, by: str, condition: str | None = None, **more: Any) -> dict[str, Any]:
    return {"principal_id": by, "grant_kind": "trust", "privilege": "sts:AssumeRole", "scope": f"aws:1:{name}",
            "effect": "allow", "condition": condition, "as_of": day(0), "tenant": "1", "provider": "aws",
            "source": "aws_iam", "record_id": f"rec-trust-{name}-{by}"} | more


def held(name: str, *actions: str, resources: tuple[str, ...] = ("*",)) -> dict[str, Any]:
    """An inline policy."""
    return grant(name) | {"actions": list(actions), "resources": list(resources), "granted_at": day(900)}


def user(name: str, **more: Any) -> dict[str, Any]:
    """An IAM user of account 1, as the export lists it."""
    arn = f"arn:aws:iam::111122223333:user/{name}"
    return identity(name, id=f"aws:111122223333:{name}", tenant="111122223333", subkind="iam_user",
                    alt_ids=[{"kind": "arn", "value": arn}], grants_listed=True) | more


UNITS = ("identity_operations", "development", "support", "other")
CLASSES = ("grant", "revoke", "role_change", "credential_action", "policy_change")


def settled(name: str, n: int, cls: str, back: int | None = None, **more: Any) -> dict[str, Rows]:
    """A decision with all that can be asked of one on record: case, elements, steps and the records they are of."""
    at = day(n % 28 if back is None else back) + timedelta(seconds=90 * n)
    late = n % 6 == 0
    given = at + timedelta(hours=1) if late else at - timedelta(minutes=2)
    boss = f"aws:1:boss{n % 10}"
    case = decision(
        name, cls=cls, verdict="retroactive" if late else "approved_before", time=at, tenant=str(n % 3), order_verdict=
        "retroactive" if late else "prior", effect_match="exact", change_class=CLASSES[n % 5], tier0=n % 20 == 0,
        workstream=UNITS[n % 4] if cls != "none" else None, requested_at=at - timedelta(minutes=5 + n % 7),
        approved_at=given, approver_id=boss, initiator_id=f"aws:1:ada{n % 5}", executor_id="aws:1:svc00",
        signalled_at=at - timedelta(days=1 + n % 3), advice_verdict=("accepted", "accepted", "changed")[n % 3],
        rollback_tested=n % 9 > 0, target_key="entra:t:role/Global Administrator|p") | more
    rows = elements(name, rollback="missing" if n % 8 == 0 else "proved")
    advice = {"step_id": f"step-{name}-r", "case_id": f"dec-{name}", "kind": "recommendation", "origin":
              "rule" if cls == "none" else "ai", "time": at - timedelta(hours=3), "record_ids": [f"rec-{name}-r"],
              "source": "gcp_recommender", "agent_ids": [], "agent_class": "ai_agent"}
    approval = {"step_id": f"step-{name}-d", "case_id": f"dec-{name}", "kind": "decision", "verdict": "approve",
                "time": given, "agent_ids": [boss], "agent_class": "automation" if n % 11 == 0 else "human",
                "record_ids": [f"rec-{name}-d"], "source": "servicenow", "justified": n % 4 > 0, "status": "succeeded"}
    records = [f"rec-{name}-{element}" for element in ("initiator", "inputs", "recommendation", "approver", "action", "rollback")]
    return {"cases": [case], "element_rows": rows,
            "steps": [step(name) | {"time": at}, advice, approval],
            "links": [{"src": f"step-{name}-d", "dst": f"step-{name}-r", "rel": "about", "method": "native_ref", "tier": 4,
                       "order": "prior", "record_ids": [f"rec-{name}-d"]}],
            "decision_steps": [{"step_id": f"raw-{one}", "kind": "action", "time": at, "record_id": one,
                                "source": "servicenow", "stated_keys": [f"ticket:CHG{n}"] if i == 0 and n % 10 == 0 else None}
                               for i, one in enumerate(records)]}


def undone(n: int) -> dict[str, Rows]:
    """A change and the rollback that somebody asked for."""
    at = day(n % 20)
    return {"cases": [
        decision(f"x{n}", cls="none", time=at, rolled_back_by=f"dec-u{n}", rolled_back_at=at + timedelta(hours=5),
                 rollback_kind="exact_inverse", change_class="exception" if n % 2 else "grant"),
        decision(f"u{n}", cls="none", time=at + timedelta(hours=5), rolls_back=f"dec-x{n}",
                 requested_at=at + timedelta(hours=4), change_class="revoke")],
        "steps": [step(f"x{n}"), step(f"u{n}") | {"kind": "rollback"}]}


def merged(parts: Iterable[dict[str, Rows]]) -> dict[str, Rows]:
    made: dict[str, Rows] = {}
    for part in parts:
        for name, rows in part.items():
            made.setdefault(name, []).extend(rows)
    return made


def decided_in_full() -> dict[str, Rows]:
    """Decisions of every kind, enough of each for every measure of decisions and pace."""
    return merged([
        *(settled(f"ai{n}", n, "executes_autonomous" if n % 10 == 0 else "executes_approved") for n in range(360)),
        *(settled(f"person{n}", n, "none") for n in range(400)),
        *(settled(f"old{n}", n, "executes_approved", back=400) for n in range(40)),
        *(settled(f"exempt{n}", n, "none", back=40 + n, change_class="exception") for n in range(30)),
        *(undone(n) for n in range(40))])


def workflow(name: str, cls: str = "executes_approved", stage: str | None = "production") -> dict[str, Any]:
    """A declared workflow that acts with an account of its own name."""
    stated = {"declared_class": cls, "identity": f"aws:1:{name}", "identities": [f"aws:1:{name}"], "stage": stage}
    return {"id": f"declared::workflow/{name}", "kind": "workflow", "display_name": name, "attributes":
            json.dumps(stated), "source": "declared", "record_id": f"rec-flow-{name}"}


def worked(name: str, by: str, cls: str = "executes_approved", **more: Any) -> dict[str, Rows]:
    """A decision in which an agent acts."""
    return {"cases": [decision(name, cls=cls, **more)], "element_rows": elements(name), "steps": [
        step(name) | {"agent_ids": [f"aws:1:{by}"], "agent_class": "ai_agent"}]}


def registered() -> dict[str, Rows]:
    """Twelve declared workflows at work, some above what is declared and some as experiments, and undeclared ones."""
    flows = [workflow(f"flow{n}", "advises" if n % 5 == 0 else "executes_approved",
                      "experimental" if n % 3 == 0 else "production") for n in range(12)]
    made = [worked(f"flow{n}-{i}", f"flow{n}", environment="prod" if i else "non-prod") for n in range(14)
            for i in range(2)]
    return merged([{"resources": flows}, *made])


def rich() -> dict[str, Any]:
    """An estate in which every metric has something to count."""
    made = plain_rich()
    for name, rows in merged([decided_in_full(), registered()]).items():
        made[name] = [*made.get(name, []), *rows]
    return made


def plain_rich() -> dict[str, Any]:
    """Accounts, credentials, ways, assistants, and decisions with gaps in what is known of them."""
    people = [f"svc{n:02}" for n in range(40)]
    raised = [activation(f"pim{n}", n % 28, independent="no" if n % 9 == 0 else "yes") for n in range(40)]
    return {
        "nodes": [*(node(n) for n in people), node("root", "resource", tier0=True, weight=10)],
        "edges": [*(edge(n, people[i // 2]) for i, n in enumerate(people) if i), edge(people[0], "root")],
        "decision_steps": [one for made in raised for one in made["decision_steps"]],
        "resources": [],
        "identities": [
            *(identity(n, owner=[{"id": "aws:1:ada", "basis": "owner"}] if i % 2 else None, purpose="Nightly export",
                       owner_confirmed_at=day(30) if i % 4 else None, environment="prod" if i % 2 else "non-prod",
                       alt_ids=[{"kind": "arn", "value": f"arn:aws:iam::1:user/{n}"}], subkind="iam_user",
                       grants_listed=True)
              for i, n in enumerate(people)),
            identity("ada", "human", alt_ids=[{"kind": "email", "value": "ada@example.org"}], enabled=True),
            *(identity(f"boss{n}", "human", person_id=f"person:boss{n}", inventoried=False) for n in range(10)),
            *(identity(f"ada{n}", "human", person_id=f"person:ada{n}", inventoried=False) for n in range(5)),
            identity("odd", "unknown"), identity("linked", "workload", excluded_reason="provider_managed"),
            identity("m365ada", "human", id="m365:t:ada", tenant="t", provider="m365", snapshot_at=None),
        ],
        "permissions": [permission(n, used=i % 5, unused=i % 7, hidden=i % 3, sensitive_unused=i % 7 // 3,
                                   sensitive_granted=i % 7 // 2, sensitive_used=i % 7 // 2 - i % 7 // 3, weight_max=10 if i % 3 else 1, wildcard=i % 8 == 0,
                                   admin_equivalent=i % 10 == 0) for i, n in enumerate(people)],
        "entitlements": [
            *(held(n, "iam:CreateUser", "ec2:TerminateInstances") for n in people),
            *(trust(n, f"aws:2:{'arn:aws:iam::222222222222:root'}", '{"StringEquals":{"sts:ExternalId":"x"}}' if i % 5
                    else None) for i, n in enumerate(people)), {
            "principal_id": "aws:1:ada", "grant_kind": "role", "privilege": "Global Administrator", "scope": "/",
            "effect": "allow", "state": "standing", "as_of": day(0), "record_id": "rec-role", "source": "entra_audit"}],
        "credentials": [{"identity_id": f"aws:1:{n}", "credential_id": f"AKIA{i}", "kind": "key", "tenant": "1",
                         "created_at": day(10 * i) if i % 5 else None, "snapshot_at": day(0), "source": "aws_iam",
                         "record_id": f"rec-cred-{i}"} for i, n in enumerate(people)],
        "coverage": logs(120) + logs(120, "m365_audit", "t", "m365", missing=range(3, 7)),
        "activity": [
            *(event(n, back, i, credential_id=f"AKIA{i}", ip=f"198.51.{100 + back * (i % 2)}.7", client="Boto3/1.3",
                    action="signin:ConsoleLogin" if i % 13 == 0 else "s3:ListBuckets")
              for i, n in enumerate([*people, "stranger"]) for back in (2, 5)),
            *(event(people[0], back, observed_time=day(back) + timedelta(minutes=back), source="gcp_audit")
              for back in range(1, 13))],
        "usage": [*(use(n, 3 + i) for i, n in enumerate(people[:30])),
                  *(use(n, 4, action="iam:CreateUser") for n in people[::3])],
        "assistant_access": [access_row(i, f"https://x/{i % 7}" if i % 6 else None, jailbreak=i % 9 == 0,
                                        xpia=None if i % 2 else False, label_id="L" if i % 3 else None,
                                        policy_outcome="blocked" if i % 10 == 0 else "none") for i in range(40)],
        "cases": [*(one for made in raised for one in made["cases"]), *(decision(f"c{i}", back=i % 28, cls=("executes_approved", "none", "unknown")[i % 3],
                           verdict=("approved_before", "retroactive", "unknown", "not_required")[i % 4],
                           independent="no" if i % 5 == 0 else "yes", target_key="entra:t:role/Global Administrator|p",
                           change_class="revoke" if i % 3 else "grant") for i in range(90))],
        "element_rows": [one for i in range(90) for one in elements(
            f"c{i}", rollback="missing" if i % 4 == 0 else "proved", inputs="unknown" if i % 7 == 0 else "proved")],
        "steps": [*(one for made in raised for one in made["steps"]), *(step(f"c{i}") for i in range(90))],
    }


def test_an_empty_estate_has_every_row_and_scores_none() -> None:
    found = measured()
    expected = sum(len(metric.scopes) for metric in metrics.catalogue().values())
    assert found.measures.height == expected
    assert set(found.measures["status"]) == {"not_scored"}
    assert set(found.measures["reason"]) == {"no_source"}
    assert found.measures["numerator"].null_count() == expected
    assert found.measures["value"].null_count() == expected
    assert found.evidence.is_empty()
    assert found.facets.is_empty()


def test_the_catalogue_holds_every_metric_of_the_first_report_once() -> None:
    wanted = [
        *(f"PRV-{n:02}" for n in range(1, 21)), "VIS-12", "VIS-01", "VIS-02", "VIS-04", "VIS-07", "VIS-08", "VIS-09",
        "VIS-10", "VIS-14", "VIS-17", "COP-07", "COP-09", "COP-10", "COP-11", "COP-17", *(f"LIN-{n:02}" for n in range(1, 21)),
        *(f"ACC-{n:02}" for n in range(1, 11))]
    assert sorted(wanted) == list(metrics.catalogue())
    for metric in metrics.catalogue().values():
        assert metric.title[0].isupper()
        assert metric.question.endswith("?")
        assert metric.needs


def test_the_rich_estate_scores_every_metric() -> None:
    found = measured(**rich())
    bare = found.measures.filter(pl.col("reason") == "no_source").select("metric_id", "scope").rows()
    assert bare == []
    scored = found.measures.filter(pl.col("status") != "not_scored")["metric_id"].unique()
    assert sorted(scored) == list(metrics.catalogue())


def test_frames_have_the_columns_and_closed_values_of_their_tables() -> None:
    found = measured(**rich())
    for name in ("measures", "evidence", "facets"):
        frame = getattr(found, name)
        assert frame.schema == ALL[name].schema
        assert tables.closed_value_faults(frame, ALL[name]) == []


def test_a_permutation_of_every_table_changes_nothing() -> None:
    plain = measured(**rich())
    for seed in (1, 2, 3):
        mixed = measured(**rich(), shuffle=seed)
        assert mixed.measures.equals(plain.measures)
        assert mixed.evidence.equals(plain.evidence)
        assert mixed.facets.equals(plain.facets)


def test_sets_and_counts_agree_in_every_measure() -> None:
    found = measured(**rich())
    keys = ["metric_id", "scope", "object_id"]
    sets = {name: found.evidence.filter(pl.col("set") == name) for name in (
        "numerator", "denominator", "unknown", "excluded")}
    assert sets["numerator"].join(sets["denominator"], on=keys, how="anti").is_empty()
    for name in ("unknown", "excluded"):
        assert sets[name].join(sets["denominator"], on=keys, how="semi").is_empty()
    assert found.evidence.filter(pl.col("reason").is_null()).is_empty()
    sizes = found.evidence.group_by("metric_id", "scope", "set").len().pivot(
        "set", index=["metric_id", "scope"], values="len").fill_null(0)
    plain = found.measures.filter(
        (pl.col("ci_method").fill_null("wilson") == "wilson") & (pl.col("unit") != "per_day")
        & ~pl.col("metric_id").is_in([f"PRV-{n:02}" for n in (2, 3, 4, 10, 11, 13, 19)]) & (pl.col("scope") != "events")
        & pl.col("numerator").is_not_null() & ~pl.col("metric_id").is_in(["ACC-03", "LIN-14"]))
    for held in plain.join(sizes, on=["metric_id", "scope"], suffix="_set").iter_rows(named=True):
        wanted = [held[f"{name}_set"] for name in ("numerator", "denominator")] + [held["unknown"], held["excluded"]]
        assert [held["numerator"] or 0, held["denominator"], held["n_unknown"], held["n_excluded"]] == wanted, held


def test_bounds_enclose_the_value_and_what_is_not_scored_says_why() -> None:
    found = measured(**rich()).measures
    scored = found.filter(pl.col("status") != "not_scored")
    assert scored.filter(~pl.col("value").is_between(
        pl.min_horizontal("worst_case", "best_case") - 1e-12, pl.max_horizontal("worst_case", "best_case") + 1e-12)
    ).is_empty()
    assert scored.filter(pl.col("ci_low").is_not_null() & ~pl.col("value").is_between("ci_low", "ci_high")).is_empty()
    bare = found.filter(pl.col("status") == "not_scored")
    assert bare["reason"].null_count() == 0
    assert bare["value"].null_count() == bare.height
    assert found.filter((pl.col("status") == "scored") & pl.col("reason").is_not_null()).is_empty()


def test_a_date_is_what_the_builders_promise() -> None:
    assert day(0).date() == date(2026, 6, 30)
