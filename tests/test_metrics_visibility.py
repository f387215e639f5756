"""Visibility on hand-sized estates."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from tests.test_metrics_estates import (
    counts,
    day,
    event,
    grant,
    identity,
    logs,
    measured,
    members,
    permission,
    row,
    use,
)

# --- VIS-01, VIS-02 --------------------------------------------------------------------------------------------------

def _actors() -> dict[str, Any]:
    return {
        "identities": [identity("svc"), identity("ada", "human"), identity("ghost", inventoried=False),
                       identity("odd", "unknown"), identity("awsservice", "workload", inventoried=False,
                                                            excluded_reason="provider_managed")],
        "activity": [event("svc", 1), event("svc", 2), event("ada", 3), event("ghost", 4), event("odd", 1),
                     event("awsservice", 1), event("late", 31), event("nobody", 5), event("nobody", 6),
                     event("nobody", 7)],
    }


def test_vis01_three_of_five_actors_are_in_an_inventory() -> None:
    found = measured(**_actors())
    assert members(found, "VIS-01", "numerator").keys() == {"svc", "ada", "odd"}
    assert counts(found, "VIS-01") == (3, 5, 0, 1)
    assert counts(found, "VIS-01", "human") == (1, 1, 0, 2)  # kinds of odd and nobody are unknown
    assert counts(found, "VIS-01", "nhi") == (1, 2, 0, 3)


def test_vis02_two_unknown_actors_made_four_of_eight_events() -> None:
    found = measured(**_actors())
    assert members(found, "VIS-02", "numerator").keys() == {"ghost", "nobody"}
    assert (row(found, "VIS-02")["value"], row(found, "VIS-02")["unit"]) == (2, "count")
    assert counts(found, "VIS-02", "events")[:2] == (4, 8)
    assert row(found, "VIS-02", "events")["unit"] == "share"


def test_vis02_no_actor_of_a_kind_is_nothing_to_judge_not_zero() -> None:
    found = measured(identities=[identity("svc")], activity=[event("svc", 1)])
    assert (row(found, "VIS-02", "nhi")["status"], row(found, "VIS-02", "nhi")["value"]) == ("scored", 0)
    assert (row(found, "VIS-02", "human")["status"], row(found, "VIS-02", "human")["value"]) == ("not_scored", None)


def test_vis01_an_actor_of_an_account_without_any_inventory_is_unknown() -> None:
    found = measured(identities=[identity("svc")], activity=[
        event("svc", 1), event("guest", 1, tenant="9", actor_id="aws:9:guest")])
    assert counts(found, "VIS-01") == (1, 1, 1, 0)


def test_vis01_without_any_inventory_there_is_no_source() -> None:
    found = measured(activity=[event(f"a{n}", 1) for n in range(40)])
    assert (row(found, "VIS-01")["status"], row(found, "VIS-01")["reason"]) == ("not_scored", "no_source")
    assert row(found, "VIS-02")["reason"] == "no_source"


def test_vis01_an_account_deleted_since_still_acted_and_is_no_service_account_any_more() -> None:
    found = measured(identities=[identity("svc"), identity("old", deleted_at=day(1))],
                     activity=[event("svc", 2), event("old", 2)])
    assert counts(found, "VIS-01") == (2, 2, 0, 0)
    assert members(found, "VIS-04", "excluded") == {"old": "deleted"}


def test_vis01_evidence_names_the_records_of_the_actor() -> None:
    found = measured(**_actors())
    kept = found.evidence.filter((pl.col("metric_id") == "VIS-01") & (pl.col("scope") == "all")
                                 & (pl.col("object_id") == "aws:1:svc") & (pl.col("set") == "numerator"))
    assert kept["source_rows"].to_list() == [["rec-event-svc-2-0", "rec-event-svc-1-0"]]


# --- VIS-04 ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("owner", "confirmed", "state"), [
    (None, 10, "no"), ("ada@example.org", 10, "yes"), ("ADA@example.org", 365, "yes"), ("ada@example.org", 366, "no"),
    ("ada@example.org", None, "unknown"), ("bob@example.org", 10, "no"), ("nobody@example.org", 10, "no"),
    ("aws:1:svc", 10, "no"), ("seen@example.org", 10, "unknown"), ("twin@example.org", 10, "unknown"),
])
def test_vis04_valid_owner(owner: str | None, confirmed: int | None, state: str) -> None:
    def mail(name: str) -> list[dict[str, str]]:
        return [{"kind": "email", "value": f"{name}@example.org"}]

    found = measured(identities=[
        identity("svc", owner=[{"id": owner, "basis": "tag"}] if owner else None,
                 owner_confirmed_at=None if confirmed is None else day(confirmed)),
        identity("ada", "human", alt_ids=mail("ada"), enabled=True),
        identity("bob", "human", alt_ids=mail("bob"), enabled=False),
        identity("seen", "human", alt_ids=mail("seen"), inventoried=False),
        identity("twin1", "human", alt_ids=mail("twin")), identity("twin2", "human", alt_ids=mail("twin"))])
    which = {"yes": (1, 1, 0, 0), "no": (0, 1, 0, 0), "unknown": (0, 0, 1, 0)}
    assert counts(found, "VIS-04") == which[state]


def test_vis04_an_owner_cannot_be_refuted_without_a_list_of_people() -> None:
    found = measured(identities=[identity("svc", owner=[{"id": "x@example.org", "basis": "tag"}],
                                          owner_confirmed_at=day(5))])
    assert counts(found, "VIS-04") == (0, 0, 1, 0)


def test_vis04_one_valid_owner_among_several_is_enough_and_a_creator_is_none() -> None:
    people = [identity("ada", "human", alt_ids=[{"kind": "upn", "value": "ada@x"}], enabled=True)]
    both = [{"id": "gone@x", "basis": "owner"}, {"id": "ada@x", "basis": "owner"}]
    made = [{"id": "ada@x", "basis": "created_by"}]
    found = measured(identities=[*people, identity("a", owner=both, owner_confirmed_at=day(1)),
                                 identity("b", owner=made, owner_confirmed_at=day(1))])
    assert members(found, "VIS-04", "numerator").keys() == {"a"}


# --- VIS-07, VIS-08 ----------------------------------------------------------------------------------------------------

def _key(name: str, back: int | None, kind: str = "key", **more: Any) -> dict[str, Any]:
    return {"identity_id": "aws:1:svc", "credential_id": name, "kind": kind, "tenant": "1", "source": "aws_iam",
            "created_at": None if back is None else day(back), "snapshot_at": day(0), "record_id": f"rec-{name}"} | more


def test_vis07_one_of_four_credentials_has_no_date() -> None:
    found = measured(credentials=[_key("new", 5), _key("old", 91), _key("dark", None), _key("pw", 89, "password"),
                                  _key("pass", 900, "passkey"), _key("gone", 900, status="revoked")])
    assert counts(found, "VIS-07") == (3, 4, 0, 2)


def test_vis07_a_finding_about_a_key_by_its_id_is_about_a_key_that_the_report_lists_by_its_place() -> None:
    listed, finding = _key("aws:1:svc/access-key-1", 5), _key("AKIAEXAMPLE", None, source="aws_access_analyzer")
    assert counts(measured(credentials=[listed, finding]), "VIS-07") == (1, 1, 0, 1)
    assert counts(measured(credentials=[listed, finding | {"identity_id": "aws:1:other"}]), "VIS-07") == (1, 2, 0, 0)
    assert counts(measured(credentials=[finding]), "VIS-07") == (0, 1, 0, 0), "no report lists the holder's keys"


def test_vis08_91_days_are_over_policy_and_a_certificate_goes_by_its_end() -> None:
    found = measured(credentials=[
        _key("new", 5), _key("old", 91), _key("dark", None), _key("pw", 89, "password"),
        _key("long", 900, "cert", expires_at=day(-5)), _key("ended", 10, "cert", expires_at=day(1)),
        _key("endless", 10, "cert")])
    assert members(found, "VIS-08", "numerator") == {"old": "91 days old", "ended": "ends on 2026-06-29"}
    assert counts(found, "VIS-08") == (2, 5, 2, 0)


def test_vis08_two_listings_of_one_key_are_one_credential_as_the_newest_has_it() -> None:
    found = measured(credentials=[_key("k", 200, snapshot_at=day(60)), _key("k", 3)])
    assert counts(found, "VIS-08") == (0, 1, 0, 0)


# --- VIS-09 ----------------------------------------------------------------------------------------------------------

def test_vis09_27_of_30_days_received_and_a_trickle_is_no_day() -> None:
    thin = [one | {"records": 9} if n == 3 else one for n, one in enumerate(logs(60))]
    found = measured(coverage=[one for n, one in enumerate(thin) if n not in (7, 8)])
    assert counts(found, "VIS-09") == (27, 30, 0, 0)
    missing = members(found, "VIS-09", "denominator").keys() - members(found, "VIS-09", "numerator").keys()
    assert missing == {f"aws_cloudtrail|1|{day(n).date()}" for n in (3, 7, 8)}


def test_vis09_a_declared_source_that_never_came_misses_all_its_days() -> None:
    expected = [{"basis": "expected", "source": s, "tenant": t} for s, t in (
        ("aws_cloudtrail", None), ("okta", "o1"))]
    found = measured(coverage=[*logs(60), *expected])
    assert counts(found, "VIS-09") == (30, 60, 0, 0)


def test_vis09_a_source_expected_since_ten_days_is_expected_on_ten() -> None:
    expected = [{"basis": "expected", "source": "aws_cloudtrail", "tenant": "1", "first": day(9)}]
    assert counts(measured(coverage=[*logs(5), *expected]), "VIS-09") == (5, 10, 0, 0)


def test_vis09_a_day_that_is_not_over_is_excluded_when_short() -> None:
    found = measured(coverage=logs(60, missing=[0]), as_of=day(0))
    assert counts(found, "VIS-09") == (29, 29, 0, 1)


def test_vis09_a_log_with_records_on_4_of_60_days_does_not_lack_the_others_but_leaves_them_unknown() -> None:
    rare = [logs(60)[n] for n in (0, 9, 40, 59)]
    assert counts(measured(coverage=rare), "VIS-09") == (2, 2, 28, 0)
    assert counts(measured(coverage=[*rare, {"basis": "expected", "source": "aws_cloudtrail"}]), "VIS-09") == (
        2, 30, 0, 0), "who declares it says that it comes every day"


def test_vis09_one_stray_record_of_long_ago_makes_no_log_a_rare_one() -> None:
    stray = logs(1)[0] | {"day": day(5_000).date()}
    assert counts(measured(coverage=[*logs(60, missing=[7]), stray]), "VIS-09") == (29, 30, 0, 0)


def test_vis09_a_day_that_may_still_arrive_is_excluded() -> None:
    late = [one | {"lateness_seconds": 2 * 86_400} for one in logs(60, missing=[0, 1, 2])]
    assert counts(measured(coverage=late), "VIS-09") == (27, 28, 0, 2)


# --- VIS-14, VIS-17 ----------------------------------------------------------------------------------------------------

def _known(name: str, **more: Any) -> dict[str, Any]:
    return identity(name, "workload", owner=[{"id": "ada@x", "basis": "owner"}], owner_confirmed_at=day(9),
                    purpose="Moves invoices", **more)


def _visible(*accounts: dict[str, Any], coverage: Any = None, permissions: Any = None) -> Any:
    names = [a["display_name"] for a in accounts]
    return measured(
        identities=[*accounts, identity("ada", "human", alt_ids=[{"kind": "upn", "value": "ada@x"}])],
        coverage=logs(120) if coverage is None else coverage, entitlements=[grant()],
        permissions=[permission(n, 1, 1) for n in names] if permissions is None else permissions)


def test_vis14_seven_true_facets_are_fully_visible_and_one_false_is_not() -> None:
    found = _visible(_known("good"), _known("mute") | {"purpose": "n/a"}, _known("self") | {"purpose": "SELF"})
    assert members(found, "VIS-14", "numerator") == {"good": "all seven facets hold"}
    assert members(found, "VIS-14", "denominator")["mute"] == "fails: purpose"
    assert found.facets.height == 21
    assert found.facets.filter(pl.col("identity_id") == "aws:1:good")["state"].to_list() == ["true"] * 7


def test_vis14_an_unknown_facet_makes_the_account_unknown_also_where_another_is_false() -> None:
    found = _visible(_known("dark"), _known("worse") | {"purpose": None}, coverage=logs(40))
    assert members(found, "VIS-14", "unknown") == {
        "dark": "not known: usage_visible", "worse": "not known: usage_visible"}


def test_vis14_gaps_inside_the_lookback_are_false_and_unread_policies_too() -> None:
    unread = [permission("a", None, None, granted=None, reason="policy_missing: x")]
    found = _visible(_known("a"), coverage=logs(120, missing=range(40, 60)), permissions=unread)
    states = {r["facet"]: r["state"] for r in found.facets.iter_rows(named=True)}
    assert states == {"inventoried": "true", "owner": "true", "purpose": "true", "usage_visible": "false",
                      "credential_age": "true", "logged": "true", "permissions_resolved": "false"}


def _stale() -> dict[str, Any]:
    return {
        "identities": [identity("used"), identity("idle"), identity("off", enabled=False),
                       identity("new", created_at=day(50)), identity("app", "app", provider="entra", tenant="t")],
        "usage": [use("used", 46), use("idle", 100)],
    }


def test_vis17_45_and_90_days_of_no_use_among_enabled_accounts_with_logs() -> None:
    found = measured(**_stale(), coverage=[*logs(120), *logs(120, "entra_audit", "t", "entra")])
    assert members(found, "VIS-17", "numerator", "45").keys() == {"used", "idle", "new"}
    assert members(found, "VIS-17", "numerator", "90").keys() == {"idle"}
    assert members(found, "VIS-17", "excluded", "90") == {"off": "disabled", "new": "younger than 90 days"}
    # Directory audits show changes, not use.
    assert members(found, "VIS-17", "unknown", "90").keys() == {"app"}


def test_vis17_beyond_the_span_of_the_logs_the_lookback_is_too_short() -> None:
    found = measured(**_stale(), coverage=logs(120))
    held = row(found, "VIS-17", "365")
    assert (held["status"], held["reason"]) == ("not_scored", "lookback_too_short")


# --- VIS-10 ----------------------------------------------------------------------------------------------------------

def test_vis10_is_the_95th_percentile_of_source_days_and_unknown_where_nobody_says_when_it_came() -> None:
    told = [event("svc", back) for back in range(1, 21)]
    for minutes, one in enumerate(told, 1):
        one |= {"observed_time": one["time"] + timedelta(minutes=minutes), "source": "gcp_audit"}
    found = measured(activity=[*told, *(event("svc", back) for back in range(1, 6))])
    measure = row(found, "VIS-10", "p95")
    assert (measure["denominator"], measure["n_unknown"], measure["unit"]) == (20, 5, "minutes")
    assert measure["value"] == pytest.approx(19.05)
    assert (measure["worst_case"], measure["best_case"]) == (None, None)
