"""Sensitive permissions beside their use (PRV-03) and the creep score (PRV-04), on hand-sized estates."""

from __future__ import annotations

from math import log2
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics.metrics import words
from lineage_analytics.metrics.creep import Estate, bands
from lineage_analytics.permissions.aws.policies import Scope
from tests.test_metrics_estates import counts, held, identity, logs, measured, members, permission, row, use, user

ACCOUNT = "111122223333"
Rows = list[dict[str, Any]]


def _sensitive(name: str, used: int | None, unused: int | None, granted: int, young: int = 0, **more: Any) -> Any:
    return permission(name, used=9, unused=9, sensitive_granted=granted, sensitive_used=used, sensitive_unused=unused,
                      sensitive_too_young=young, **more)


def _estate(*permissions: dict[str, Any], **more: Any) -> Any:
    names = [p["principal_id"].removeprefix("aws:1:") for p in permissions]
    return measured(identities=[identity(name) for name in names], permissions=list(permissions),
                    entitlements=[held("anyone", "s3:GetObject")], coverage=logs(120), **more)


# --- PRV-03 ----------------------------------------------------------------------------------------------------------

def test_prv03_of_10_sensitive_2_unobservable_1_young_2_used_is_5_of_7_with_2_unknown_1_excluded() -> None:
    assert counts(_estate(_sensitive("a", used=2, unused=5, granted=10, young=1)), "PRV-03") == (5, 7, 2, 1)


def test_prv03_pools_before_dividing_1_of_10_and_90_of_90_is_91_of_100() -> None:
    found = _estate(_sensitive("a", 9, 1, 10), _sensitive("b", 0, 90, 90))
    assert counts(found, "PRV-03") == (91, 100, 0, 0)


def test_prv03_only_accounts_whose_used_and_unused_are_known_weigh_in() -> None:
    assigned = permission("a", None, None, granted=3, granted_basis="assigned", sensitive_granted=3, sensitive_used=None,
                          reason="no_source: the audit logs state methods")
    half = _sensitive("h", used=2, unused=None, granted=5) | {"unused": None, "reason": "age_unknown: no date"}
    found = _estate(assigned, half, _sensitive("b", 1, 1, 2))
    assert counts(found, "PRV-03") == (1, 2, 6, 0)
    assert members(found, "PRV-03", "unknown") == {"a": "the audit logs state methods", "h": "no date"}
    assert members(found, "PRV-03", "denominator").keys() == {"b"}


def test_prv03_an_account_without_sensitive_permissions_is_no_member_and_one_of_which_nothing_is_known_is_unknown(
) -> None:
    dark = permission("dark", None, None, granted=None, sensitive_granted=None, reason="policy_missing: arn:x")
    found = _estate(_sensitive("plain", 0, 0, 0), dark, _sensitive("b", 0, 3, 3))
    assert members(found, "PRV-03", "excluded") == {"plain": "holds no sensitive permission"}
    assert counts(found, "PRV-03") == (3, 3, 1, 0)


# --- PRV-04 ----------------------------------------------------------------------------------------------------------

def _scored(statements: Rows, resources: Rows | None = None, used: Rows | None = None, names: tuple[str, ...] = ("a",)
            ) -> Any:
    mine = [statement | {"principal_id": statement["principal_id"].replace("aws:1:", f"aws:{ACCOUNT}:"),
                         "tenant": ACCOUNT} for statement in statements]
    log = logs(120, tenant=ACCOUNT)
    acts = [one | {"actor_id": one["actor_id"].replace("aws:1:", f"aws:{ACCOUNT}:"), "tenant": ACCOUNT}
            for one in used or []]
    people = [user(name) for name in names]
    rows = [permission(name, 1, 1, sensitive_granted=1) | {"principal_id": f"aws:{ACCOUNT}:{name}"} for name in names]
    return measured(identities=people, permissions=rows, entitlements=mine, coverage=log, usage=acts,
                    resources=resources or [])


def _bucket(name: str, account: str = ACCOUNT) -> dict[str, Any]:
    return {"id": f"arn:aws:s3:::{name}", "kind": "bucket", "provider": "aws", "tenant": account, "source": "declared"}


def test_prv04_one_of_two_permissions_of_weight_10_over_the_same_resource_unused_is_50_points() -> None:
    found = _scored([held("a", "iam:CreateAccessKey", "iam:AttachUserPolicy")],
                    used=[use("a", 5, action="iam:CreateAccessKey")])
    assert members(found, "PRV-04", "numerator", "median") == {
        f"aws:{ACCOUNT}:a": "score 50 (middle); heaviest unused: iam:AttachUserPolicy, weight 10, over 1 resources"}


def test_prv04_weight_1_over_7_buckets_unused_beside_weight_3_over_1_used_is_3_of_6_so_50_points() -> None:
    buckets = [_bucket(f"logs-{n}") for n in range(7)] + [_bucket("other")]
    wide = held("a", "s3:DeleteBucket", resources=("arn:aws:s3:::logs-*",))
    narrow = held("a", "s3:DeleteBucketPolicy", resources=("arn:aws:s3:::other",)) | {"record_id": "rec-narrow"}
    found = _scored([wide, narrow], buckets, used=[use("a", 5, action="s3:DeleteBucketPolicy")])
    pooled = row(found, "PRV-04", "pooled")
    assert (pooled["numerator"], pooled["denominator"]) == (1 * log2(1 + 7), 1 * log2(1 + 7) + 3 * log2(1 + 1))
    assert "score 50" in members(found, "PRV-04", "numerator", "median")[f"aws:{ACCOUNT}:a"]


def test_prv04_a_pattern_that_covers_nothing_we_know_of_counts_as_one_resource() -> None:
    found = _scored([held("a", "s3:DeleteBucketPolicy", resources=("arn:aws:s3:::unseen-*",))])
    assert row(found, "PRV-04", "pooled")["denominator"] == 3 * log2(1 + 1)


def test_prv04_nothing_used_is_100_everything_used_is_0_and_no_log_is_unknown() -> None:
    idle = _scored([held("a", "iam:CreateUser")])
    assert "score 100 (high)" in members(idle, "PRV-04", "denominator", "median")[f"aws:{ACCOUNT}:a"]
    busy = _scored([held("a", "iam:CreateUser")], used=[use("a", 5, action="iam:CreateUser")])
    assert members(busy, "PRV-04", "denominator", "median") == {f"aws:{ACCOUNT}:a": "score 0 (low)"}


def test_prv04_elsewhere_than_in_aws_an_account_is_unknown_not_zero() -> None:
    found = _estate(_sensitive("a", 1, 1, 2))
    assert members(found, "PRV-04", "unknown", "median").keys() == {"a"}
    assert row(found, "PRV-04", "median")["value"] is None


def test_prv04_30_accounts_of_score_50_are_said_in_points() -> None:
    names = tuple(f"a{n:02}" for n in range(30))
    found = _scored([held(name, "iam:CreateAccessKey", "iam:AttachUserPolicy") for name in names], names=names,
                    used=[use(name, 5, action="iam:CreateAccessKey") for name in names])
    held_row = row(found, "PRV-04", "median")
    assert (held_row["value"], held_row["unit"], held_row["status"]) == (50.0, "points", "scored")
    assert words.measure_words(held_row) == "median 50 of 100 points over 30 (between 50 and 50)"


def test_the_bands_are_0_34_68() -> None:
    assert [start for _, start in bands()] == [0, 34, 68]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["arn:aws:s3:::a", "arn:aws:s3:::ab", "arn:aws:s3:::b", "arn:aws:iam::1:user/x"]),
                unique=True), st.lists(st.sampled_from(["*", "arn:aws:s3:::*", "arn:aws:s3:::a?", "arn:aws:s3:::b",
                                                        "arn:aws:iam::*", "arn:aws:ec2:*"]), min_size=1, max_size=3),
       st.booleans())
def test_covered_counts_what_plain_matching_counts(names: list[str], patterns: list[str], inverted: bool) -> None:
    estate = Estate(sorted(names), {"1": (1 << len(names)) - 1})
    scope = Scope(tuple(patterns), inverted)
    assert estate.covered("1", [scope]) == max(sum(scope.matches(name) for name in names), 1)


def test_a_star_covers_its_own_account_and_no_other() -> None:
    estate = Estate(["arn:aws:iam::1:user/x", "arn:aws:iam::2:user/y"], {"1": 0b01, "2": 0b10})
    assert estate.covered("1", [Scope(("*",))]) == 1
    assert estate.covered("1", [Scope(("arn:aws:iam::*",))]) == 2
