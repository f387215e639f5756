"""RBAC of Kubernetes: who may do what in which cluster, and what its audit log shows of use."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lineage_analytics as la
from lineage_analytics.errors import UsageError
from lineage_analytics.facts import Facts
from lineage_analytics.permissions import k8s
from lineage_analytics.permissions.k8s.rules import default_roles, matches
from lineage_analytics.tables import (
    COVERAGE,
    DECISION_STEPS,
    ENTITLEMENTS,
    IDENTITIES,
    PERMISSIONS,
    USAGE,
    closed_value_faults,
    conform,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lineage_analytics.permissions.decision import Decision

    Row = dict[str, Any]

AS_OF = datetime(2026, 6, 30, tzinfo=UTC)
OLD = AS_OF - timedelta(days=400)
C = "prod"
RUNNER, OTHER = "system:serviceaccount:data:runner", "system:serviceaccount:web:front"
GET, LIST = "k8s:get:core/secrets", "k8s:list:core/pods"


def who(name: str, cluster: str = C) -> str:
    return f"k8s:{cluster}:{name}"


def binds(holder: str, role: str, over: str | None = None, *, cluster: str = C, **more: Any) -> Row:
    """A role binding of a namespace, or of the cluster."""
    name = f"{role}-{holder}-{over}"
    return {"principal_id": who(holder, cluster), "grant_kind": "role", "privilege": role, "effect": "allow",
            "scope": who(f"namespaces/{over}" if over else "cluster", cluster), "state": "standing", "granted_at": OLD,
            "provider": "k8s", "source": "k8s_rbac", "record_id": f"rec-{name}", "grant_id": f"uid-{name}", **more}


def role(name: str, *actions: str, names: Sequence[str] = ("*",), cluster: str = C) -> Row:
    return {"principal_id": who(name, cluster), "grant_kind": "statement", "privilege": name, "effect": "allow",
            "actions": list(actions), "resources": list(names), "provider": "k8s", "source": "k8s_rbac",
            "record_id": f"rec-{name}-{len(actions)}-{'-'.join(names)}"}


def member(of: str, name: str, **more: Any) -> Row:
    return {"principal_id": name, "grant_kind": "membership", "scope": of, "effect": "allow", "state": "standing",
            "provider": "k8s", "source": "k8s_rbac", "record_id": f"rec-{name}-{of}", **more}


# Every dump holds these: what the API server binds in the whole cluster and in two namespaces of its own.
LISTED = (binds("group:system:masters", "clusterroles/cluster-admin"),
          binds("system:kube-scheduler", "roles/kube-system/leader", "kube-system"),
          binds("system:bootstrap", "roles/kube-public/reader", "kube-public"))


def frame(rows: Sequence[Row], table: Any) -> pl.DataFrame:
    return conform(pl.DataFrame(list(rows), infer_schema_length=None), table) if rows else table.empty()


def facts(*grants: Row, people: Sequence[str] = (RUNNER, OTHER), steps: Sequence[Row] = (), **more: Any) -> Facts:
    ids = [{"id": who(one), "kind": "service_account" if "serviceaccount" in one else "unknown", "provider": "k8s",
            "tenant": C} for one in people]
    return Facts.of(AS_OF, entitlements=frame(grants, ENTITLEMENTS), identities=frame(ids, IDENTITIES),
                    decision_steps=frame(steps, DECISION_STEPS), **more)


def decide(held: Facts, action: str = GET, resource: str = "secrets/data/db", name: str = RUNNER) -> Decision:
    return k8s.decide(held, who(name), action, resource)


@pytest.mark.parametrize(("pattern", "action", "covers"), [
    ("k8s:*:*/*", "k8s:delete:apps/deployments", True),
    ("k8s:*:*/*", "k8s:get:core/pods/log", True),
    ("k8s:*:*/*", "k8s:get:/metrics", False),
    ("k8s:*:*", "k8s:get:/metrics", True),
    ("k8s:get:/healthz/*", "k8s:get:/healthz/ping", True),
    ("k8s:get:/healthz", "k8s:get:/healthz/ping", False),
    ("k8s:get:core/pods", "k8s:get:core/pods/log", False),
    ("k8s:get:core/pods/log", "k8s:get:core/pods/log", True),
    ("k8s:update:apps/*/scale", "k8s:update:apps/deployments/scale", True),
    ("k8s:update:apps/*/scale", "k8s:update:apps/deployments", False),
    ("k8s:get:*/pods", "k8s:get:metrics.k8s.io/pods", True),
    ("k8s:get:core/*", "k8s:get:apps/deployments", False),
    ("k8s:*:core/pods", "k8s:watch:core/pods", True),
    ("k8s:list:core/pods", "k8s:get:core/pods", False),
])
def test_a_rule_covers_what_the_api_server_says_it_does(pattern: str, action: str, *, covers: bool) -> None:
    assert matches(pattern, action) is covers


READER = role("clusterroles/reader", GET)


@pytest.mark.parametrize(("grants", "resource", "verdict"), [
    ([binds(RUNNER, "clusterroles/reader")], "secrets/data/db", "allowed"),
    ([binds(RUNNER, "clusterroles/reader")], "*", "allowed"),
    ([binds(RUNNER, "clusterroles/reader", "data")], "secrets/data/db", "allowed"),
    ([binds(RUNNER, "clusterroles/reader", "data")], "namespaces/data", "allowed"),
    ([binds(RUNNER, "clusterroles/reader", "data")], "secrets/web/db", "denied"),
    ([binds(RUNNER, "clusterroles/reader", "data")], "*", "denied"),
    ([binds("group:system:serviceaccounts", "clusterroles/reader")], "secrets/web/db", "allowed"),
    ([binds("group:system:serviceaccounts:data", "clusterroles/reader")], "secrets/web/db", "allowed"),
    ([binds("group:system:serviceaccounts:web", "clusterroles/reader")], "secrets/web/db", "denied"),
    ([binds("group:system:authenticated", "clusterroles/reader")], "secrets/web/db", "allowed"),
    ([binds("group:system:unauthenticated", "clusterroles/reader")], "secrets/web/db", "denied"),
    ([binds(RUNNER, "clusterroles/reader", cluster="test")], "secrets/data/db", "denied"),
    ([binds(RUNNER, "clusterroles/not-in-the-dump")], "secrets/data/db", "unknown"),
    ([binds(RUNNER, "clusterroles/not-in-the-dump"), binds(RUNNER, "clusterroles/reader")], "secrets/data/db", "allowed"),
    ([], "secrets/data/db", "denied"),
])
def test_what_bindings_allow(grants: list[Row], resource: str, verdict: str) -> None:
    assert decide(facts(*LISTED, READER, *grants), resource=resource).verdict == verdict


def test_the_answer_names_the_binding_and_the_rule_behind_it() -> None:
    found = decide(facts(*LISTED, READER, binds(RUNNER, "clusterroles/reader", "data")))
    assert found.because[0].says == "holds clusterroles/reader over k8s:prod:namespaces/data"
    assert found.because[0].record_ids == (f"rec-clusterroles/reader-{RUNNER}-data", READER["record_id"])


def test_less_than_the_whole_cluster_is_named_when_all_of_it_was_asked_for() -> None:
    found = decide(facts(*LISTED, READER, binds(RUNNER, "clusterroles/reader", "data")), resource="*")
    assert [one.effect for one in found.because] == ["missing", "limit"]


@pytest.mark.parametrize(("resource", "verdict"), [
    ("secrets/data/db", "allowed"), ("secrets/data/other", "denied"), ("namespaces/data", "denied")])
def test_a_rule_with_names_allows_these_only(resource: str, verdict: str) -> None:
    held = facts(*LISTED, role("roles/data/one", GET, names=("db",)), binds(RUNNER, "roles/data/one", "data"))
    assert decide(held, resource=resource).verdict == verdict


def test_masters_may_do_everything_though_no_role_says_so() -> None:
    entering = member(who("group:system:masters"), who("ops"))
    assert decide(facts(entering, people=("ops",)), name="ops").verdict == "allowed"


def test_without_a_dump_of_the_bindings_nothing_is_denied() -> None:
    assert decide(facts(READER)).verdict == "unknown"
    only_one = facts(LISTED[0], binds("x", "roles/web/y", "web"), role("roles/web/y", LIST))
    assert decide(only_one).verdict == "unknown", "the dump holds role bindings of another namespace only"


def test_the_groups_of_a_user_are_in_no_dump_so_it_is_never_denied() -> None:
    assert decide(facts(*LISTED, people=("ana",)), name="ana").verdict == "unknown"
    entry = {"principal_id": "aws:1:ana", "grant_kind": "trust", "scope": who("ana"), "origin": "access_entry",
             "provider": "k8s", "record_id": "rec-entry"}
    assert decide(facts(*LISTED, entry, people=("ana",)), name="ana").verdict == "denied"


def test_another_cluster_is_another_question() -> None:
    assert decide(facts(*LISTED, READER, binds(RUNNER, "clusterroles/reader")),
                  resource="k8s:test:secrets/data/db").verdict == "unknown"


@pytest.mark.parametrize(("name", "action", "verdict"), [
    ("clusterroles/view", "k8s:list:core/pods", "allowed"),
    ("clusterroles/view", GET, "unknown"),
    ("clusterroles/edit", GET, "allowed"),
    ("clusterroles/cluster-admin", "k8s:anything:example.com/widgets", "allowed"),
    ("clusterroles/cluster-admin", "k8s:get:/metrics", "allowed"),
])
def test_roles_of_the_api_server_are_known_without_a_dump_of_them(name: str, action: str, verdict: str) -> None:
    assert decide(facts(*LISTED, binds(RUNNER, name)), action, "*").verdict == verdict


def test_what_a_dump_says_of_a_role_counts_instead_of_the_data_file() -> None:
    held = facts(*LISTED, role("clusterroles/edit", LIST), binds(RUNNER, "clusterroles/edit"))
    assert (decide(held).verdict, decide(held, LIST, "*").verdict) == ("denied", "allowed")


def test_a_policy_of_eks_reaches_the_user_that_enters_by_the_entry() -> None:
    entry = {"principal_id": "aws:1:r", "grant_kind": "trust", "scope": who("ana"), "origin": "access_entry",
             "provider": "k8s", "record_id": "rec-entry"}
    policy = {"principal_id": "aws:1:r", "grant_kind": "role", "privilege": "AmazonEKSClusterAdminPolicy",
              "scope": who("cluster"), "effect": "allow", "provider": "k8s", "record_id": "rec-policy"}
    assert decide(facts(entry, policy, people=("ana",)), name="ana").verdict == "allowed"
    second = {**entry, "principal_id": "aws:1:s", "record_id": "rec-second"}
    assert decide(facts(entry, second, policy, people=("ana",)), name="ana").verdict == "conditional"


def step(verb: str, binding: str, record: str, day: int) -> Row:
    return {"kind": "action", "provider": "k8s", "status": "succeeded", "target_key": who(binding), "record_id": record,
            "effect_key": f"{verb}({who(binding)})", "time": AS_OF - timedelta(days=day)}


def test_a_binding_deleted_since_is_gone_from_the_log_and_from_the_older_dump() -> None:
    logged = binds(RUNNER, "clusterroles/reader", record_id="rec-made", grant_id="u-1", source="k8s_audit")
    dumped = binds(RUNNER, "clusterroles/reader", record_id="rec-dump", grant_id="u-1")
    made, ended = step("create", "clusterrolebindings/x", "rec-made", 9), step("delete", "clusterrolebindings/x", "rec-end", 3)
    assert decide(facts(*LISTED, READER, logged, dumped, steps=[made])).verdict == "allowed"
    assert decide(facts(*LISTED, READER, logged, dumped, steps=[made, ended])).verdict == "denied"
    before = step("delete", "clusterrolebindings/x", "rec-before", 20)
    assert decide(facts(*LISTED, READER, logged, dumped, steps=[before, made])).verdict == "allowed"


def test_a_binding_written_anew_holds_for_its_new_subjects_only() -> None:
    first = binds(RUNNER, "clusterroles/reader", record_id="rec-1", source="k8s_audit")
    second = binds(OTHER, "clusterroles/reader", record_id="rec-2", source="k8s_audit")
    held = facts(*LISTED, READER, first, second, steps=[
        step("create", "clusterrolebindings/x", "rec-1", 9), step("set", "clusterrolebindings/x", "rec-2", 3)])
    assert (decide(held).verdict, decide(held, name=OTHER).verdict) == ("denied", "allowed")


def test_ten_thousand_groups_in_one_another_and_a_ring_end() -> None:
    chain = [member(who(f"group:g{i + 1}"), who(f"group:g{i}")) for i in range(10_000)]
    ring = member(who("group:g0"), who("group:g10000"))
    held = facts(*LISTED, READER, member(who("group:g0"), who("ana")), *chain, ring,
                 binds("group:g10000", "clusterroles/reader"), people=("ana",))
    assert decide(held, name="ana").verdict == "allowed"


def test_an_action_of_another_form_is_refused() -> None:
    with pytest.raises(UsageError, match="k8s:get:core/secrets"):
        decide(facts(), "secrets.get")


# --- against RBAC written down once more, in plain Python ------------------------------------------------------------

_VERBS, _KINDS, _SPACES = ("get", "list", "*"), ("pods", "secrets", "pods/log", "*"), ("a", "b", None)
_RULES = st.lists(st.tuples(st.sampled_from(_VERBS), st.sampled_from(_KINDS)), min_size=1, max_size=3)
_BINDINGS = st.lists(st.tuples(st.sampled_from(("ann", "group:g", "group:system:authenticated")), st.integers(0, 2),
                               st.sampled_from(_SPACES)), max_size=5)


@settings(max_examples=60, deadline=None)
@given(st.lists(_RULES, min_size=3, max_size=3), _BINDINGS, st.booleans(), st.sampled_from(_VERBS[:2]),
       st.sampled_from(_KINDS[:3]), st.sampled_from("ab"))
def test_the_verdict_is_that_of_rbac_written_in_plain_python(
    roles: list[list[tuple[str, str]]], bindings: list[tuple[str, int, str | None]], in_group: bool,
    verb: str, kind: str, space: str,
) -> None:
    mine = {"ann", "group:system:authenticated", *(["group:g"] if in_group else [])}
    wanted = any(holder in mine and over in (None, space) and any(
        rule_verb in ("*", verb) and rule_kind in ("*", kind) for rule_verb, rule_kind in roles[number])
        for holder, number, over in bindings)
    held = facts(
        *LISTED, *(role(f"clusterroles/r{number}", *(f"k8s:{v}:core/{k}" for v, k in rules))
                   for number, rules in enumerate(roles)),
        *(binds(holder, f"clusterroles/r{number}", over) for holder, number, over in bindings),
        *([member(who("group:g"), who("ann"))] if in_group else []), people=("ann",))
    assert (decide(held, f"k8s:{verb}:core/{kind}", f"namespaces/{space}", "ann").verdict == "allowed") is wanted


# --- granted and used ------------------------------------------------------------------------------------------------


def used(name: str, action: str, day: int = 5, successes: int = 1) -> Row:
    at = AS_OF - timedelta(days=day)
    return {"actor_id": who(name), "action": action, "tenant": C, "provider": "k8s", "source": "k8s_audit",
            "day": at.date(), "events": 1, "successes": successes, "first": at, "last": at}


def log(days: int = 120) -> Row:
    return {"basis": "received", "source": "k8s_audit", "tenant": C, "provider": "k8s", "records": 9,
            "first": AS_OF - timedelta(days=days), "last": AS_OF}


def row_of(name: str, *grants: Row, usage: Sequence[Row] = (), coverage: Sequence[Row] = (), **more: Any) -> Row:
    found = k8s.permission_rows(facts(*LISTED, *grants, usage=frame(usage, USAGE), coverage=frame(coverage, COVERAGE),
                                      **more))
    assert closed_value_faults(found, PERMISSIONS) == []
    return found.filter(pl.col("principal_id") == who(name)).row(0, named=True)


FOUR = (role("clusterroles/four", GET, "k8s:delete:core/secrets", LIST, "k8s:create:batch/jobs"),
        binds(RUNNER, "clusterroles/four"))


def test_a_granted_action_is_used_unused_or_not_observable_by_what_the_log_shows_at_all() -> None:
    found = row_of(RUNNER, *FOUR, usage=[used(RUNNER, LIST), used(OTHER, "k8s:watch:core/secrets", successes=0)],
                   coverage=[log()])
    assert {key: found[key] for key in ("granted", "granted_basis", "used", "unused", "unobservable", "too_young")} == {
        "granted": 4, "granted_basis": "effective", "used": 1, "unused": 1, "unobservable": 2, "too_young": 0}
    assert found["unused_sensitive_actions"] == [GET]


def test_what_was_granted_within_the_look_back_is_too_young_never_unused() -> None:
    young = {**FOUR[1], "granted_at": AS_OF - timedelta(days=3)}
    found = row_of(RUNNER, FOUR[0], young, usage=[used(OTHER, GET)], coverage=[log()])
    assert (found["unused"], found["too_young"]) == (0, 1)


def test_a_binding_without_a_date_leaves_unused_unknown() -> None:
    found = row_of(RUNNER, FOUR[0], {**FOUR[1], "granted_at": None}, usage=[used(OTHER, GET)], coverage=[log()])
    assert (found["unused"], found["too_young"]) == (None, None)
    assert found["reason"].startswith("age_unknown")


def test_a_log_shorter_than_the_look_back_says_nothing_of_unused() -> None:
    found = row_of(RUNNER, *FOUR, usage=[used(RUNNER, GET)], coverage=[log(days=30)])
    assert (found["used"], found["unused"], found["unobservable"]) == (None, None, None)
    assert found["reason"].startswith("lookback_too_short")


def test_without_a_log_everything_granted_is_not_observable() -> None:
    found = row_of(RUNNER, *FOUR)
    assert (found["granted"], found["unobservable"], found["used"]) == (4, 4, None)


def test_a_wildcard_counts_what_the_cluster_knows_and_says_that_it_is_one() -> None:
    wide = row_of(RUNNER, binds(RUNNER, "clusterroles/cluster-admin"))
    assert wide["wildcard"] is True
    assert wide["weight_max"] == 10
    assert wide["granted"] > 300
    assert row_of(RUNNER, *FOUR)["wildcard"] is False


def test_an_unknown_role_counts_pairs_of_role_and_scope() -> None:
    found = row_of(RUNNER, binds(RUNNER, "clusterroles/lost"), binds(RUNNER, "clusterroles/lost", "web"))
    assert (found["granted"], found["granted_basis"], found["sensitive_granted"]) == (2, "assigned", None)
    assert "clusterroles/lost" in found["reason"]


def test_rows_are_the_same_in_any_order() -> None:
    grants = [*LISTED, *FOUR, binds(OTHER, "clusterroles/edit", "web"), binds(RUNNER, "clusterroles/view", "data")]
    assert k8s.permission_rows(facts(*grants)).equals(k8s.permission_rows(facts(*reversed(grants))))


# --- real logs -------------------------------------------------------------------------------------------------------


def test_what_real_api_servers_allowed_by_their_own_roles_those_roles_allow_here(shared_data: Path) -> None:
    """Events say which role allowed them; each role of the data file covers every such event."""
    reason = re.compile(r'of ClusterRole "([^"]+)"')
    seen, wrong = 0, []
    for file in sorted((shared_data / "k8s_audit").rglob("*")):
        if file.suffix not in (".json", ".jsonl", ".log"):
            continue
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            event = event.get("event", event) if isinstance(event, dict) else {}
            notes, ref = event.get("annotations") or {}, event.get("objectRef") or {}
            found = reason.search(str(notes.get("authorization.k8s.io/reason", "")) if isinstance(notes, dict) else "")
            if found is None or found[1] not in default_roles() or not event.get("verb"):
                continue
            over = f"{ref.get('apiGroup') or 'core'}/{ref.get('resource')}" if ref else str(event["requestURI"]).split("?")[0]
            sub = f"/{ref['subresource']}" if ref.get("subresource") else ""
            called, seen = f"k8s:{event['verb']}:{over}{sub}", seen + 1
            if not any(matches(pattern, called) for block in default_roles()[found[1]].blocks for pattern in block.actions):
                wrong.append((found[1], called))
    assert wrong == []
    assert seen > 5


def test_the_sample_answers_as_its_story_says() -> None:
    estate = la.open(la.sample())
    asked = [("orders-etl", "k8s:create:batch/jobs", "allowed"), ("orders-etl", GET, "denied"),
             ("feature-store", "k8s:delete:core/nodes", "denied")]
    for name, action, verdict in asked:
        account = f"k8s::system:serviceaccount:data:{name}"
        assert la.allowed(estate, account, action, "namespaces/data").verdict == verdict, name


def test_bindings_that_a_log_alone_shows_leave_granted_unknown() -> None:
    made = binds(RUNNER, "clusterroles/cluster-admin", source="k8s_audit")
    found = k8s.permission_rows(facts(made)).filter(pl.col("principal_id") == who(RUNNER)).row(0, named=True)
    assert (found["granted"], found["wildcard"], found["weight_max"]) == (None, True, 10)
    assert found["reason"].startswith("no_source")
