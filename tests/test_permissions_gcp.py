"""IAM of Google Cloud: bindings over the hierarchy, denials, sets of principals, roles, and what stays unknown."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lineage_analytics as la
from lineage_analytics.errors import UsageError
from lineage_analytics.facts import Facts
from lineage_analytics.permissions import gcp
from lineage_analytics.permissions.gcp.hierarchy import MANAGER, Hierarchy
from lineage_analytics.permissions.gcp.rules import known_roles, permission, weight
from lineage_analytics.permissions.gcp.usage import class_of
from lineage_analytics.simulation import simulate
from lineage_analytics.tables import (
    COVERAGE,
    DECISION_STEPS,
    ENTITLEMENTS,
    IDENTITIES,
    PERMISSION_USE,
    PERMISSIONS,
    RESOURCES,
    USAGE,
    closed_value_faults,
    conform,
)
from tests._simulated import content, only

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lineage_analytics.permissions.decision import Decision

    Row = dict[str, Any]

AS_OF = datetime(2026, 6, 30, tzinfo=UTC)
ORG, FOLDER, PROJECT = f"{MANAGER}/organizations/1", f"{MANAGER}/folders/2", f"{MANAGER}/projects/shop"
BUCKET, TABLE = "storage.googleapis.com/buckets/b", "bigquery.googleapis.com/projects/shop/datasets/d/tables/t"
ANN, BOT = "gcp::user:ann@acme.example", "gcp::serviceAccount:bot@shop.iam.gserviceaccount.com"
READ = "storage.objects.get"


def binds(holder: str, role: str, over: str | None = PROJECT, **more: Any) -> Row:
    return {"principal_id": holder, "grant_kind": "role", "privilege": role, "scope": over, "effect": "allow",
            "state": "standing", "origin": "direct", "provider": "gcp", "source": "gcp_iam", "record_id": f"rec-{over}",
            **more}


def role(name: str, *permissions: str) -> Row:
    return {"principal_id": f"gcp::{name}", "grant_kind": "statement", "privilege": name, "effect": "allow",
            "actions": list(permissions), "provider": "gcp", "source": "gcp_iam", "record_id": f"rec-{name}"}


def denies(holder: str, *permissions: str, over: str = PROJECT, **more: Any) -> list[Row]:
    """A deny policy; ``more``: what it spares, or its condition."""
    rule = f"gcp::policies/{over}/denypolicies/d#0"
    common = {"effect": "deny", "origin": "deny_policy", "provider": "gcp", "source": "gcp_iam", "record_id": "rec-deny",
              "state": "standing"}
    return [{"principal_id": rule, "grant_kind": "statement", "actions": list(permissions), "resources": [over],
             "condition": json.dumps(more) if more else None, **common},
            {"principal_id": holder, "grant_kind": "attachment", "scope": rule, **common}]


def member(of: str, who: str, **more: Any) -> Row:
    return {"principal_id": who, "grant_kind": "membership", "scope": of, "effect": "allow", "state": "standing",
            "provider": "gcp", "source": "gcp_iam", "record_id": f"rec-{who}", **more}


def resource(name: str, parent: str | None = None, kind: str = "asset.googleapis.com/Any", **more: Any) -> Row:
    return {"id": f"gcp::{name}", "kind": kind, "parent_id": parent and f"gcp::{parent}", "provider": "gcp",
            "source": "gcp_iam", "record_id": f"rec-{name}", **more}


# Policies of everything from the bucket up to the organization are listed.
TREE = (resource(ORG), resource(FOLDER, ORG), resource(PROJECT, FOLDER), resource(BUCKET, PROJECT))
NUMBERED = (resource(PROJECT, FOLDER, kind="project", attributes='{"number": "99"}'),)


def frame(rows: Sequence[Row], table: Any) -> pl.DataFrame:
    return conform(pl.DataFrame(list(rows), infer_schema_length=None), table) if rows else table.empty()


def person(identity: str, **more: Any) -> Row:
    kind = "human" if ":user:" in identity else "group" if ":group:" in identity else "service_account"
    return {"id": identity, "kind": kind, "provider": "gcp", **more}


def facts(*grants: Row, tree: Sequence[Row] = TREE, people: Sequence[Row] = (), steps: Sequence[Row] = (),
          logs: Sequence[Row] = (), uses: Sequence[Row] = (), calls: Sequence[Row] = (), days: int = 90) -> Facts:
    return Facts.of(AS_OF, entitlements=frame(grants, ENTITLEMENTS), resources=frame(tree, RESOURCES),
                    identities=frame([person(ANN), person(BOT), *people], IDENTITIES),
                    decision_steps=frame(steps, DECISION_STEPS), coverage=frame(logs, COVERAGE),
                    permission_use=frame(uses, PERMISSION_USE), usage=frame(calls, USAGE), lookback_days=days)


def decide(held: Facts, action: str = READ, over: str = BUCKET, who: str = ANN) -> Decision:
    return gcp.decide(held, who, action, over)


VIEW = "roles/storage.objectViewer"


@pytest.mark.parametrize(("scope", "over", "verdict"), [
    (BUCKET, BUCKET, "allowed"), (PROJECT, BUCKET, "allowed"), (FOLDER, BUCKET, "allowed"), (ORG, BUCKET, "allowed"),
    (BUCKET, PROJECT, "denied"), (f"{MANAGER}/projects/other", BUCKET, "denied"), (PROJECT, TABLE, "allowed"),
    (f"{MANAGER}/folders/3", BUCKET, "denied"), (None, BUCKET, "unknown"), (ORG, "*", "allowed"),
    (PROJECT, "*", "unknown"), (PROJECT, "projects/shop", "allowed"), (PROJECT, f"//{PROJECT}", "allowed"),
])
def test_a_binding_holds_over_its_resource_and_all_that_lies_in_it(scope: str | None, over: str, verdict: str) -> None:
    assert decide(facts(binds(ANN, VIEW, scope)), over=over).verdict == verdict


def test_the_answer_names_the_binding_and_its_record() -> None:
    reason = decide(facts(binds(ANN, VIEW))).because[0]
    assert (reason.says, reason.record_ids) == (f"holds {VIEW} over {PROJECT}", (f"rec-{PROJECT}",))


def test_where_the_way_up_is_not_loaded_a_grant_further_up_is_unknown_not_denied() -> None:
    cut = (resource(PROJECT), resource(BUCKET, PROJECT))
    assert decide(facts(binds(ANN, VIEW, FOLDER), tree=cut)).verdict == "unknown"
    assert decide(facts(binds(ANN, VIEW, f"{MANAGER}/projects/other"), tree=cut)).verdict == "unknown"
    assert "what cloudresourcemanager.googleapis.com/projects/shop lies in" in decide(
        facts(tree=cut)).because[0].says


def test_denied_takes_every_policy_up_to_the_organization() -> None:
    assert decide(facts()).verdict == "denied"
    for left_out in (ORG, FOLDER, PROJECT, BUCKET):
        tree = [row if row["id"] != f"gcp::{left_out}" else {**row, "kind": "project"} for row in TREE]
        found = decide(facts(tree=tree))
        assert found.verdict == "unknown"
        assert left_out in found.because[0].says


def test_a_project_is_the_same_by_its_number() -> None:
    held = facts(binds(ANN, VIEW, f"{MANAGER}/projects/99"), tree=(*TREE, *NUMBERED))
    assert decide(held).verdict == "allowed"
    assert decide(facts(binds(ANN, VIEW, f"{MANAGER}/projects/98"), tree=(*TREE[2:], ))).verdict == "unknown"


# --- roles -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "action", "verdict"), [
    ("roles/owner", "resourcemanager.projects.setIamPolicy", "allowed"),
    ("roles/owner", "iam.serviceAccounts.getAccessToken", "unknown"),
    ("roles/editor", "iam.serviceAccountKeys.create", "allowed"),
    ("roles/iam.serviceAccountUser", "iam.serviceAccounts.actAs", "allowed"),
    ("roles/iam.serviceAccountUser", "iam.serviceAccounts.getAccessToken", "denied"),
    ("roles/no.such", READ, "unknown"),
    ("projects/shop/roles/mine", READ, "allowed"),
    ("projects/shop/roles/mine", "storage.objects.delete", "denied"),
    ("projects/shop/roles/lost", READ, "unknown"),
])
def test_what_a_role_allows_is_known_from_the_inventory_or_the_data_file(name: str, action: str, verdict: str) -> None:
    held = facts(binds(ANN, name), role("projects/shop/roles/mine", READ))
    found = decide(held, action, PROJECT)
    assert found.verdict == verdict
    assert verdict != "unknown" or name in found.because[0].says


def test_an_inventory_of_a_role_counts_instead_of_the_data_file() -> None:
    held = facts(binds(ANN, VIEW), role(VIEW, "storage.buckets.list"))
    assert (decide(held).verdict, decide(held, "storage.buckets.list").verdict) == ("denied", "allowed")


@pytest.mark.parametrize(("stated", "plain"), [
    ("iam.googleapis.com/roles.update", "iam.roles.update"),
    ("cloudresourcemanager.googleapis.com/projects.delete", "resourcemanager.projects.delete"),
    ("storage.objects.get", "storage.objects.get")])
def test_both_ways_to_write_a_permission_are_one(stated: str, plain: str) -> None:
    assert permission(stated) == plain


@pytest.mark.parametrize("action", ["s3:GetObject", "storage", "", "storage objects get"])
def test_a_permission_of_another_form_is_refused(action: str) -> None:
    with pytest.raises(UsageError, match=r"storage\.objects\.get"):
        decide(facts(), action)


# --- who -------------------------------------------------------------------------------------------------------------

POOL = "//iam.googleapis.com/projects/99/locations/global/workloadIdentityPools/ci"


@pytest.mark.parametrize(("holder", "who", "verdict"), [
    ("gcp::allUsers", ANN, "allowed"),
    ("gcp::allAuthenticatedUsers", BOT, "allowed"),
    ("gcp::allAuthenticatedUsers", f"gcp::principal:{POOL}/subject/x", "denied"),
    ("gcp::domain:acme.example", ANN, "allowed"),
    ("gcp::domain:acme.example", "gcp::user:eve@evil.example", "denied"),
    (f"gcp::principalSet:{POOL}/*", f"gcp::principal:{POOL}/subject/x", "allowed"),
    (f"gcp::principalSet:{POOL}/attribute.repository/a/b", f"gcp::principal:{POOL}/subject/x", "conditional"),
    (f"gcp::principalSet:{POOL}2/*", f"gcp::principal:{POOL}/subject/x", "denied"),
    (f"gcp::principalSet:{POOL}/*", ANN, "denied"),
    ("gcp::principalSet://cloudresourcemanager.googleapis.com/projects/shop", BOT, "allowed"),
    ("gcp::group:g@acme.example", ANN, "allowed"),
])
def test_sets_of_principals(holder: str, who: str, verdict: str) -> None:
    groups = [member("gcp::group:g@acme.example", "gcp::group:h@acme.example"),
              member("gcp::group:h@acme.example", ANN)]
    assert decide(facts(binds(holder, VIEW), *groups), who=who).verdict == verdict


def test_members_of_a_group_as_workspace_states_them() -> None:
    stated = {**member("gworkspace:C1:g@acme.example", "gworkspace:C1:ann@acme.example"), "provider": "gworkspace"}
    assert decide(facts(binds("gcp::group:g@acme.example", VIEW), stated)).verdict == "allowed"


def test_owners_of_a_project_hold_what_its_owners_are_given() -> None:
    held = facts(binds(ANN, "roles/owner"), binds("gcp::projectOwner:shop", "roles/storage.objectAdmin", BUCKET))
    assert (decide(held).verdict, decide(held, who=BOT).verdict) == ("allowed", "denied")


def test_a_deleted_principal_may_nothing_whatever_it_holds() -> None:
    gone = "gcp::deleted:user:ann@acme.example?uid=7"
    assert decide(facts(binds(gone, VIEW)), who=gone).verdict == "denied"


def test_ten_thousand_groups_in_one_another_and_a_ring_end() -> None:
    chain = [member(f"gcp::group:g{i + 1}@x", f"gcp::group:g{i}@x") for i in range(10_000)]
    ring = member("gcp::group:g0@x", "gcp::group:g10000@x")
    held = facts(*chain, ring, member("gcp::group:g0@x", ANN), binds("gcp::group:g10000@x", VIEW))
    assert decide(held).verdict == "allowed"


# --- conditions, time, denials ---------------------------------------------------------------------------------------


def expression(text: str) -> str:
    return json.dumps({"expression": text, "title": "t"})


UNTIL = 'request.time < timestamp("2026-07-09T00:00:00Z")'


@pytest.mark.parametrize(("more", "verdict"), [
    ({"condition": expression("resource.name.startsWith('x')")}, "conditional"),
    ({"condition": expression(UNTIL), "state": "timebound", "expires_at": AS_OF + timedelta(days=9)}, "allowed"),
    ({"condition": expression(UNTIL + " && resource.name != 'x'"), "state": "timebound",
      "expires_at": AS_OF + timedelta(days=9)}, "conditional"),
    ({"condition": expression(UNTIL), "state": "timebound", "expires_at": AS_OF - timedelta(days=1)}, "denied"),
    ({"state": "eligible", "origin": "elevation"}, "conditional"),
])
def test_conditions_are_neither_true_nor_false_but_an_end_is_an_end(more: Row, verdict: str) -> None:
    assert decide(facts(binds(ANN, VIEW, **more))).verdict == verdict


ALLOWED = binds(ANN, VIEW)
DENIED_READ = "storage.googleapis.com/objects.get"


@pytest.mark.parametrize(("rules", "verdict"), [
    (denies(ANN, DENIED_READ), "denied"),
    (denies("gcp::allUsers", DENIED_READ, over=ORG), "denied"),
    (denies(ANN, DENIED_READ, over=f"{MANAGER}/projects/other"), "allowed"),
    (denies(ANN, "storage.googleapis.com/objects.delete"), "allowed"),
    (denies(ANN, "storage.googleapis.com/objects.*"), "denied"),
    (denies("gcp::allUsers", DENIED_READ, exceptionprincipals=["principal://goog/subject/ann@acme.example"]), "allowed"),
    (denies("gcp::allUsers", DENIED_READ, exceptionprincipals=["principal://goog/subject/bob@acme.example"]), "denied"),
    (denies("gcp::allUsers", "storage.googleapis.com/objects.*", exceptionpermissions=[DENIED_READ]), "allowed"),
    (denies(ANN, DENIED_READ, expression="resource.matchTag('1/env', 'prod')"), "conditional"),
    (denies("gcp::principalSet://goog/cloudIdentityCustomerId/C1", DENIED_READ), "conditional"),
])
def test_a_denial_comes_first_and_spares_whom_it_names(rules: list[Row], verdict: str) -> None:
    assert decide(facts(ALLOWED, *rules)).verdict == verdict


def test_a_denial_spares_the_members_of_a_group_it_names() -> None:
    rule = denies("gcp::allUsers", DENIED_READ, exceptionprincipals=["principalSet://goog/group/g@acme.example"])
    held = facts(ALLOWED, binds(BOT, VIEW), *rule, member("gcp::group:g@acme.example", ANN))
    assert (decide(held).verdict, decide(held, who=BOT).verdict) == ("allowed", "denied")


def revoked(grant: Row, day: int) -> Row:
    key = str(grant["grant_id"])
    return {"kind": "action", "provider": "gcp", "status": "succeeded", "target_key": key, "record_id": "rec-end",
            "effect_key": f"revoke({key})", "time": AS_OF - timedelta(days=day)}


def test_a_binding_that_the_log_saw_removed_is_gone_its_neighbour_of_the_same_record_is_not() -> None:
    logged: Row = {"source": "gcp_audit", "granted_at": AS_OF - timedelta(days=9), "record_id": "rec-log"}
    one = binds(ANN, VIEW, grant_id="gcp::binding/one", **logged)
    two = binds(BOT, VIEW, grant_id="gcp::binding/two", **logged)
    held = facts(one, two, steps=[revoked(one, 3)])
    assert (decide(held).verdict, decide(held, who=BOT).verdict) == ("denied", "allowed")
    assert decide(facts(one, steps=[revoked(one, 20)])).verdict == "allowed", "removed before it was made again"


# --- against the hierarchy walked in plain Python ----------------------------------------------------------------------

_PLACES = [ORG, FOLDER, f"{MANAGER}/folders/3", PROJECT, f"{MANAGER}/projects/two", BUCKET]


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.sampled_from(_PLACES[1:]), st.sampled_from(_PLACES[:5]), max_size=5),
       st.sampled_from(_PLACES), st.sampled_from(_PLACES))
def test_within_is_true_where_a_walk_up_meets_the_scope_and_ends_on_rings(
    parents: dict[str, str], start: str, scope: str,
) -> None:
    walked, at = [start], start
    while at in parents and parents[at] not in walked:
        at = parents[at]
        walked.append(at)
    found = Hierarchy(parents=dict(parents)).within(start, scope)
    assert (found is True) is (scope in walked)
    if walked[-1] == ORG:
        assert found is not None, "the way up is whole"


# --- granted ---------------------------------------------------------------------------------------------------------


def row_of(who: str, *grants: Row, **more: Any) -> Row:
    table = gcp.permission_rows(facts(*grants, **more))
    assert closed_value_faults(table, PERMISSIONS) == []
    return table.filter(pl.col("principal_id") == who).row(0, named=True)


def test_granted_counts_permissions_where_every_role_is_known() -> None:
    found = row_of(BOT, binds(BOT, VIEW), binds(BOT, "roles/bigquery.jobUser", ORG))
    both = {*known_roles()[VIEW].permissions, *known_roles()["roles/bigquery.jobUser"].permissions}
    assert (found["granted"], found["granted_basis"], found["unobservable"]) == (len(both), "effective", len(both))
    assert (found["used"], found["unused"]) == (None, None)
    assert found["reason"].startswith("no_source")


def test_a_denied_permission_is_not_granted() -> None:
    assert row_of(BOT, binds(BOT, VIEW), *denies(BOT, DENIED_READ))["granted"] == len(known_roles()[VIEW].permissions) - 1
    over_part = row_of(BOT, binds(BOT, VIEW, ORG), *denies(BOT, DENIED_READ))
    assert (over_part["granted"], over_part["conditional"]) == (len(known_roles()[VIEW].permissions), False)


def test_basic_roles_count_pairs_and_are_wildcards_over_a_project() -> None:
    found = row_of(BOT, binds(BOT, "roles/editor"), binds(BOT, VIEW, BUCKET))
    assert (found["granted"], found["granted_basis"], found["wildcard"], found["weight_max"]) == (2, "assigned", True, 10)
    assert row_of(BOT, binds(BOT, VIEW))["wildcard"] is False
    assert row_of(BOT, binds(BOT, "roles/resourcemanager.folderAdmin", FOLDER))["wildcard"] is True


def test_nothing_granted_is_zero_only_where_every_policy_above_is_loaded() -> None:
    assert row_of(BOT)["granted"] == 0
    bare = row_of(BOT, tree=())
    assert (bare["granted"], bare["reason"][:9]) == (None, "no_source")


def test_what_must_be_activated_first_is_not_granted() -> None:
    assert row_of(BOT, binds(BOT, VIEW, state="eligible"))["granted"] == 0


def test_rows_are_the_same_in_any_order() -> None:
    grants = [ALLOWED, binds(BOT, "roles/editor"), binds(BOT, VIEW, BUCKET), *denies(BOT, DENIED_READ)]
    assert gcp.permission_rows(facts(*grants)).equals(gcp.permission_rows(facts(*reversed(grants))))


def test_every_control_permission_is_sensitive() -> None:
    from lineage_analytics.graphs.access.gcp_powers import controls

    assert [name for name in controls() if weight(name) < 3] == []


def test_the_sample_answers_as_its_story_says() -> None:
    estate = la.open(la.sample())
    account = "iam.googleapis.com/serviceAccounts/ci-deployer@northwind-synthetic-data.iam.gserviceaccount.com"
    names = dict(estate.frame("identities").select("display_name", "id").drop_nulls().rows())
    dashboard = next(one for name, one in names.items() if name.startswith("dashboard@") or name == "dashboard")
    assert la.allowed(estate, dashboard, "iam.serviceAccounts.getAccessToken", account).verdict == "allowed"
    viewers = estate.frame("entitlements").filter(
        (pl.col("provider") == "gcp") & (pl.col("privilege") == "roles/logging.viewer"))
    standing = viewers.filter(pl.col("expires_at").is_null())
    ended = viewers.filter(pl.col("expires_at") < estate.as_of).join(standing, on="principal_id", how="anti")
    assert ended.height
    for one in sorted(set(ended["principal_id"])):
        unlisted = la.allowed(estate, one, "logging.sinks.list", "projects/northwind-synthetic-data")
        assert unlisted.verdict == "unknown", "its role ended, and the organization's policy is not loaded"


def test_the_way_up_that_an_inventory_of_assets_states_is_followed(tmp_path: Path) -> None:
    """A bucket, its project and a folder without a policy of its own; the organization grants."""
    policy = {"etag": "e", "bindings": [{"role": VIEW, "members": ["user:ann@acme.example"]}]}
    above = ["projects/99", "folders/2", "organizations/1"]
    assets = [
        {"name": "//storage.googleapis.com/b", "assetType": "storage.googleapis.com/Bucket", "ancestors": above,
         "iamPolicy": {"etag": "f", "bindings": [{"role": "roles/x.y", "members": ["user:bob@acme.example"]}]}},
        {"name": f"//{MANAGER}/projects/99", "assetType": f"{MANAGER}/Project", "ancestors": above,
         "iamPolicy": {"etag": "g", "bindings": [{"role": "roles/x.y", "members": ["user:bob@acme.example"]}]}},
        {"name": f"//{ORG}", "assetType": f"{MANAGER}/Organization", "ancestors": above[2:], "iamPolicy": policy},
    ]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "assets.ndjson").write_text("\n".join(json.dumps(one) for one in assets), encoding="utf-8")
    estate = la.read(tmp_path / "in", as_of="2026-06-30")
    assert la.allowed(estate, ANN, READ, BUCKET).verdict == "allowed"
    found = la.allowed(estate, ANN, "storage.objects.delete", BUCKET)
    assert (found.verdict, "folders/2 is not loaded" in found.because[0].says) == ("unknown", True)


def test_what_everybody_is_granted_or_a_log_alone_shows_leaves_granted_unknown() -> None:
    only_public = row_of(BOT, binds("gcp::allUsers", VIEW, BUCKET), tree=TREE[:2])
    assert (only_public["granted"], only_public["reason"][:9]) == (None, "no_source")
    assert row_of(BOT, binds("gcp::allUsers", VIEW, BUCKET))["granted"] == len(known_roles()[VIEW].permissions)
    logged = row_of(BOT, binds(BOT, "roles/owner", source="gcp_audit"), tree=())
    assert (logged["granted"], logged["wildcard"], logged["weight_max"]) == (None, True, 10)
    assert "a log shows grants" in logged["reason"]


def test_principals_that_a_deny_policy_spares_have_the_ids_that_the_loader_gives_those_it_denies() -> None:
    from lineage_analytics.loaders._gcp_inventory import denied
    from lineage_analytics.permissions.gcp.rules import spared

    for stated in ("principal://goog/subject/Ann@acme.example", "principalSet://goog/group/G@acme.example",
                   "principal://iam.googleapis.com/projects/-/serviceAccounts/bot@shop.iam.gserviceaccount.com",
                   "principalSet://goog/public:all", "principalSet://goog/cloudIdentityCustomerId/C1",
                   f"principalSet:{POOL}/*"):
        assert spared(stated) == denied(stated).id, stated


# --- used, unused, too young, unobservable ---------------------------------------------------------------------------

WRITER, OLD_DAY = "projects/shop/roles/writer", 100
OBJECTS = role(WRITER, "storage.objects.get", "storage.objects.list", "storage.objects.create", "storage.objects.delete")
SETS = "storage.buckets.setIamPolicy"


def log(tenant: str = "shop", first: int = 99, last: int = 0) -> Row:
    """The log of a container, by the days before as_of that it covers."""
    return {"basis": "received", "source": "gcp_audit", "tenant": tenant, "provider": "gcp", "records": 1,
            "day": (AS_OF - timedelta(days=first)).date(), "first": AS_OF - timedelta(days=first),
            "last": AS_OF - timedelta(days=last)}


def use(who: str, name: str, tenant: str = "shop", back: int = 5, successes: int = 1) -> Row:
    time = AS_OF - timedelta(days=back)
    return {"actor_id": who, "permission": name, "tenant": tenant, "provider": "gcp", "source": "gcp_audit",
            "day": time.date(), "events": 1, "successes": successes, "first": time, "last": time}


def made(days: int) -> Row:
    return {"granted_at": AS_OF - timedelta(days=days)}


def counts(found: Row) -> tuple[int | None, ...]:
    return tuple(found[name] for name in ("used", "unused", "too_young", "unobservable"))


def test_of_four_permissions_one_is_used_one_unused_and_two_of_a_kind_nobody_was_seen_at_are_unobservable() -> None:
    found = row_of(BOT, binds(BOT, WRITER, **made(OLD_DAY)), OBJECTS, logs=[log()], uses=[use(BOT, "storage.objects.get")])
    assert (found["granted"], counts(found), found["reason"]) == (4, (1, 1, 0, 2), None)


def test_what_anybody_was_seen_at_is_observable_also_where_it_failed_and_a_failure_is_no_use() -> None:
    uses = [use(ANN, "storage.objects.list"), use(BOT, "storage.objects.delete", successes=0)]
    found = row_of(BOT, binds(BOT, WRITER, **made(OLD_DAY)), OBJECTS, logs=[log()], uses=uses)
    assert counts(found) == (0, 4, 0, 0)
    assert found["sensitive_unused"] == sum(weight(name) > 0 for name in OBJECTS["actions"])
    assert (found["sensitive_used"], found["sensitive_too_young"]) == (0, 0)


def test_changes_of_buckets_which_every_log_holds_do_not_make_objects_observable() -> None:
    uses = [use(ANN, SETS), use(ANN, "storage.buckets.create")]
    assert counts(row_of(BOT, binds(BOT, WRITER, **made(OLD_DAY)), OBJECTS, logs=[log()], uses=uses)) == (0, 0, 0, 4)


@pytest.mark.parametrize(("name", "found"), [
    ("storage.objects.list", ("storage", "objects", "read")), ("storage.objects.update", ("storage", "objects", "write")),
    ("bigquery.tables.getData", ("bigquery", "tables", "getData")), ("a.b.c.get", ("a", "b.c", "read")),
    ("pubsub.topics.publish", ("pubsub", "topics", "publish"))])
def test_classes_tell_reading_from_writing_and_other_verbs_by_themselves(name: str, found: tuple[str, ...]) -> None:
    assert class_of(name) == found


@pytest.mark.parametrize(("back", "expected"), [(5, (1, 1)), (89, (1, 1)), (91, (0, 0)), (-2, (0, 0))])
def test_use_counts_within_the_look_back_and_shows_nothing_outside_it(back: int, expected: tuple[int, int]) -> None:
    found = row_of(BOT, binds(BOT, WRITER, **made(OLD_DAY)), OBJECTS, logs=[log()],
                   uses=[use(BOT, "storage.objects.get", back=back)])
    assert (found["used"], found["unused"]) == expected


@pytest.mark.parametrize(("logs", "days", "code", "unobservable"), [
    ([], 90, "no_source: no audit log of projects/shop", 4),
    ([log("other")], 90, "no_source: no audit log of projects/shop", 4),
    ([log(first=80)], 90, "lookback_too_short: the log of projects/shop covers 80.0 of the 90 days", None),
    ([log(last=8)], 90, "lookback_too_short", None), ([log()], 60, "lookback_too_short", None),
])
def test_without_a_log_that_spans_the_look_back_use_is_unknown(
    logs: list[Row], days: int, code: str, unobservable: int | None,
) -> None:
    found = row_of(BOT, binds(BOT, WRITER, **made(OLD_DAY)), OBJECTS, logs=logs, days=days,
                   uses=[use(BOT, "storage.objects.get")])
    assert (counts(found), found["sensitive_unused"]) == ((None, None, None, unobservable), None)
    assert found["reason"].startswith(code)


def test_roles_that_are_not_all_known_keep_use_unknown_and_everything_unobservable() -> None:
    found = row_of(BOT, binds(BOT, "roles/editor", **made(OLD_DAY)), logs=[log()], uses=[use(BOT, "storage.objects.get")])
    assert (found["granted_basis"], counts(found)) == ("assigned", (None, None, None, 1))
    assert found["reason"].startswith("role_missing")


def test_the_last_success_in_all_logs_is_the_last_use() -> None:
    calls = [{**use(BOT, "", back=back, successes=ok), "action": "m"} for back, ok in ((120, 1), (110, 1), (3, 0))]
    stated = [{name: held for name, held in call.items() if name != "permission"} for call in calls]
    assert row_of(BOT, calls=stated)["last_used_at"] == AS_OF - timedelta(days=110)
    assert row_of(ANN, calls=stated)["last_used_at"] is None


TWO = f"{MANAGER}/projects/two"
GET_ONLY = role(WRITER, "storage.objects.get")


@pytest.mark.parametrize(("scope", "tenant", "expected"), [
    (PROJECT, "shop", (1, 0, 0, 0)), (PROJECT, "99", (1, 0, 0, 0)), (f"{MANAGER}/projects/99", "shop", (1, 0, 0, 0)),
    (BUCKET, "shop", (1, 0, 0, 0)), (PROJECT, "two", (0, 0, 0, 1)), (FOLDER, "two", (1, 0, 0, 0)),
    (ORG, "shop", (1, 0, 0, 0)), (FOLDER, "elsewhere", (0, 0, 0, 1)),
])
def test_a_use_counts_in_the_log_of_what_holds_the_scope_or_lies_in_it(
    scope: str, tenant: str, expected: tuple[int, ...],
) -> None:
    tree = (*TREE, *NUMBERED, resource(TWO, FOLDER), resource(f"{MANAGER}/projects/elsewhere", ORG))
    found = row_of(BOT, binds(BOT, WRITER, scope, **made(OLD_DAY)), GET_ONLY, tree=tree, logs=[log(), log("two")],
                   uses=[use(BOT, "storage.objects.get", tenant)])
    assert counts(found) == expected


def test_over_a_folder_every_known_project_in_it_has_to_show_the_class() -> None:
    tree = (*TREE, resource(TWO, FOLDER))
    given = (binds(BOT, WRITER, FOLDER, **made(OLD_DAY)), GET_ONLY)
    both = [use(ANN, "storage.objects.get"), use(ANN, "storage.objects.list", "two")]
    assert counts(row_of(BOT, *given, tree=tree, logs=[log(), log("two")], uses=both)) == (0, 1, 0, 0)
    assert counts(row_of(BOT, *given, tree=tree, logs=[log(), log("two")], uses=both[:1])) == (0, 0, 0, 1)
    assert counts(row_of(BOT, *given, tree=tree, logs=[log()], uses=both)) == (0, 0, 0, 1)
    assert counts(row_of(BOT, *given, tree=tree, logs=[log(), log("two", first=50)], uses=both)) == (0, 0, 0, 1)


def test_what_is_about_folders_stands_in_the_logs_of_folders() -> None:
    given = (binds(BOT, WRITER, ORG, **made(OLD_DAY)), role(WRITER, "resourcemanager.folders.create"))
    of_project, of_folder = (use(ANN, "resourcemanager.folders.update", tenant) for tenant in ("shop", "folders/2"))
    logs = [log(), log("folders/2"), log("organizations/1")]
    assert counts(row_of(BOT, *given, logs=logs, uses=[of_project])) == (0, 0, 0, 1)
    assert counts(row_of(BOT, *given, logs=logs, uses=[of_folder])) == (0, 1, 0, 0)


def test_a_bucket_of_no_known_project_is_in_the_one_whose_log_saw_its_policy_else_use_is_not_placed() -> None:
    lone = (resource(ORG), resource(PROJECT, ORG), resource(BUCKET))
    given = (binds(BOT, WRITER, BUCKET, **made(OLD_DAY)), OBJECTS)
    uses = [use(BOT, "storage.objects.get")]
    unplaced = row_of(BOT, *given, tree=lone, logs=[log()], uses=uses)
    assert (counts(unplaced), unplaced["reason"][:9]) == ((None, None, None, 4), "no_source")
    seen = binds(ANN, VIEW, BUCKET, source="gcp_audit", tenant="shop")
    assert counts(row_of(BOT, *given, seen, tree=lone, logs=[log()], uses=uses)) == (1, 1, 0, 2)


CHANGES = use(ANN, "resourcemanager.projects.setIamPolicy", back=40)
READS = use(ANN, "storage.objects.get")
LOGGED: Row = {"source": "gcp_audit", "record_id": "rec-log"}
GROUP = "gcp::group:g@acme.example"


@pytest.mark.parametrize(("grants", "uses", "expected"), [
    ([binds(BOT, WRITER, **made(OLD_DAY))], [READS], (0, 1, 0, 0)),
    ([binds(BOT, WRITER, **made(10))], [READS], (0, 0, 1, 0)),
    ([binds(BOT, WRITER)], [READS], (0, None, None, 0)),
    ([binds(BOT, WRITER)], [READS, CHANGES], (0, 1, 0, 0)),
    ([binds(BOT, WRITER)], [READS, use(ANN, SETS)], (0, None, None, 0)),
    ([binds(BOT, WRITER), binds(BOT, WRITER, **made(10), **LOGGED)], [READS, CHANGES], (0, 0, 1, 0)),
    ([binds(BOT, WRITER, **made(10)), binds(BOT, WRITER, ORG, **made(OLD_DAY))], [READS], (0, 1, 0, 0)),
    ([binds(BOT, WRITER), binds(BOT, WRITER, ORG, **made(OLD_DAY))], [READS], (0, 1, 0, 0)),
    ([binds(BOT, WRITER), binds(BOT, WRITER, ORG, **made(10))], [READS], (0, None, None, 0)),
    ([binds(GROUP, WRITER), member(GROUP, BOT)], [READS, CHANGES], (0, None, None, 0)),
    ([binds(GROUP, WRITER), member(GROUP, BOT, **made(OLD_DAY))], [READS, CHANGES], (0, 1, 0, 0)),
    ([binds(GROUP, WRITER), member(GROUP, BOT, **made(9))], [READS, CHANGES], (0, 0, 1, 0)),
    ([binds("gcp::allUsers", WRITER)], [READS, CHANGES], (0, 1, 0, 0)),
])
def test_a_grant_is_as_old_as_it_says_else_older_than_a_log_that_would_have_shown_it(
    grants: list[Row], uses: list[Row], expected: tuple[int | None, ...],
) -> None:
    found = row_of(BOT, *grants, GET_ONLY, logs=[log()], uses=uses)
    assert counts(found) == expected
    assert (found["reason"] or "age_unknown").startswith("age_unknown")
    assert (found["reason"] is None) is (expected[1] is not None)


@pytest.mark.parametrize(("born", "expected"), [(20, (0, 0, 1, 0)), (200, (0, 1, 0, 0))])
def test_who_was_created_within_the_look_back_holds_nothing_older(born: int, expected: tuple[int, ...]) -> None:
    people = [person("gcp::77", created_at=AS_OF - timedelta(days=born))]
    assert counts(row_of("gcp::77", binds("gcp::77", WRITER), GET_ONLY, people=people, logs=[log()],
                         uses=[READS, CHANGES])) == expected


_NAMES = [f"{service}.{kind}.{verb}" for service in ("storage", "pubsub") for kind in ("a", "b")
          for verb in ("get", "list", "create", "delete", "publish")]
_SEEN = st.lists(st.tuples(st.sampled_from([ANN, BOT]), st.sampled_from(_NAMES), st.integers(1, 120),
                           st.integers(0, 1)), max_size=15)
_KINDS = {"get": "r", "list": "r", "create": "w", "delete": "w", "publish": "p"}


@settings(max_examples=60, deadline=None)
@given(st.sets(st.sampled_from(_NAMES), min_size=1), st.sets(st.sampled_from(_NAMES)), _SEEN)
def test_every_permission_is_in_one_state_as_counted_in_plain_python(
    old: set[str], young: set[str], seen: list[tuple[str, str, int, int]],
) -> None:
    grants = [binds(BOT, WRITER, **made(OLD_DAY)), role(WRITER, *sorted(old))]
    if young:
        grants += [binds(BOT, "projects/shop/roles/new", **made(7)), role("projects/shop/roles/new", *sorted(young))]
    uses = [use(who, name, back=back, successes=ok) for who, name, back, ok in seen]
    found = row_of(BOT, *grants, logs=[log()], uses=uses)
    lately = [(who, name, ok) for who, name, back, ok in seen if back < 90]
    did = {name for who, name, ok in lately if who == BOT and ok} & (old | young)
    shown = {(name.rpartition(".")[0], _KINDS[name.rpartition(".")[2]]) for _, name, _ in lately}
    rest = {name for name in (old | young) - did if (name.rpartition(".")[0], _KINDS[name.rpartition(".")[2]]) in shown}
    assert counts(found) == (len(did), len(rest & old), len(rest - old), len((old | young) - did - rest))
    assert row_of(BOT, *reversed(grants), logs=[log()], uses=uses[::-1]) == found


def test_use_in_the_made_up_project_is_what_its_entries_state(tmp_path: Path) -> None:
    """Against the files read with the standard library: what service accounts did, and what all did not do."""
    with only(("google_cloud",), ("gcp_audit", "gcp_iam")):
        simulate(tmp_path / "in", 5, 24, 100)
    estate = la.read(tmp_path / "in")
    did: dict[str, set[str]] = {}
    classes: set[tuple[str, str]] = set()
    for path in sorted((tmp_path / "in" / "gcp_audit").glob("cloudaudit-*.json.gz")):
        for entry in json.loads(content(path)):
            payload = entry["protoPayload"]
            lately = datetime.fromisoformat(entry["timestamp"]) > estate.lookback_start
            for checked in payload.get("authorizationInfo", ()) if lately else ():
                name = checked["permission"]
                assert "synthetic" not in name
                if checked["granted"] and not payload["status"]:
                    did.setdefault(payload["authenticationInfo"].get("principalEmail", ""), set()).add(name)
                    classes.add((name.rpartition(".")[0], _KIND_OF.get(name.rpartition(".")[2], name)))
    rows = {row["principal_id"]: row for row in gcp.permission_rows(estate).iter_rows(named=True)}
    emails = {one: next(alt["value"] for alt in alts if alt["kind"] == "email") for one, alts in estate.frame(
        "identities").filter(pl.col("id").str.contains("^gcp::[0-9]+$")).select("id", "alt_ids").iter_rows()}
    told = {emails[one].partition("@")[0]: counts(row) for one, row in rows.items()
            if one in emails and row["granted_basis"] == "effective" and row["granted"]}
    data = ("roles/bigquery.dataEditor", "roles/bigquery.jobUser")
    granted = {name for one in data for name in known_roles()[one].permissions}
    used = granted & did[f"orders-loader@{_MADE_UP}"]
    seen = {name for name in granted - used
            if (name.rpartition(".")[0], _KIND_OF.get(name.rpartition(".")[2], name)) in classes}
    assert used == {"bigquery.jobs.create"}
    assert told["orders-loader"] == (1, len(seen), 0, len(granted) - 1 - len(seen))


_MADE_UP = "northwind-synthetic-data.iam.gserviceaccount.com"
_KIND_OF = {"get": "r", "list": "r", "create": "w", "delete": "w", "undelete": "w", "update": "w"}
