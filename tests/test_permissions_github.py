"""Roles of GitHub: of accounts and teams, over repositories and organisations, the last that is stated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from lineage_analytics.facts import Facts
from lineage_analytics.permissions import github
from lineage_analytics.tables import ACTIVITY, DECISION_STEPS, ENTITLEMENTS, IDENTITIES, conform

AS_OF = datetime(2026, 6, 30, tzinfo=UTC)
ANN, TEAM, PARENT = "github:7:1", "github:7:team/5", "github:7:team/6"
SHOP, OTHER, ORG = "github:7:repo/42", "github:7:repo/43", "github:7:org/7"


def held(role: str, who: str = ANN, scope: str = SHOP, days: int = 10) -> dict[str, Any]:
    return {"principal_id": who, "grant_kind": "role", "privilege": role, "scope": scope, "effect": "allow",
            "state": "standing", "granted_at": AS_OF - timedelta(days=days), "provider": "github",
            "record_id": f"rec-{role}-{days}"}


def member(who: str, of: str) -> dict[str, Any]:
    return {"principal_id": who, "grant_kind": "membership", "scope": of, "effect": "allow", "provider": "github",
            "record_id": f"rec-{who[-1]}-in-{of[-1]}"}


def facts(*grants: dict[str, Any], revoked: str | None = None, listed: bool = False) -> Facts:
    ends = [{"kind": "action", "time": AS_OF - timedelta(days=2), "effect_key": f"revoke({revoked})",
             "status": "succeeded", "provider": "github", "record_id": "rec-end"}] if revoked else []
    people = [{"id": ANN, "kind": "human", "provider": "github", "grants_listed": listed}]
    return Facts.of(
        AS_OF, identities=conform(pl.DataFrame(people), IDENTITIES),
        entitlements=conform(pl.DataFrame(list(grants), infer_schema_length=None), ENTITLEMENTS) if grants
        else ENTITLEMENTS.empty(),
        decision_steps=conform(pl.DataFrame(ends), DECISION_STEPS) if ends else DECISION_STEPS.empty())


def verdict(estate: Facts, action: str = "github:push", resource: str = SHOP) -> str:
    return github.decide(estate, ANN, action, resource).verdict


@pytest.mark.parametrize(("role", "scope", "action", "resource", "answer"), [
    ("write", SHOP, "github:push", SHOP, "allowed"),
    ("push", SHOP, "github:push", SHOP, "allowed"),
    ("read", SHOP, "github:push", SHOP, "unknown"),
    ("triage", SHOP, "github:manage_issues", SHOP, "allowed"),
    ("maintain", SHOP, "github:manage_settings", SHOP, "allowed"),
    ("write", SHOP, "github:manage_settings", SHOP, "unknown"),
    ("admin", SHOP, "github:delete_repository", SHOP, "allowed"),
    ("admin", SHOP, "github:push", OTHER, "unknown"),
    ("admin", ORG, "github:push", OTHER, "allowed"),
    ("read", ORG, "github:push", OTHER, "unknown"),
    ("admin", ORG, "github:push", "*", "allowed"),
    ("release captains", SHOP, "github:push", SHOP, "unknown"),
])
def test_what_a_role_allows_where(role: str, scope: str, action: str, resource: str, answer: str) -> None:
    assert verdict(facts(held(role, scope=scope)), action, resource) == answer


def test_a_team_holds_for_its_members_and_for_teams_below_it() -> None:
    grants = (held("write", PARENT), member(ANN, TEAM), member(TEAM, PARENT))
    found = github.decide(facts(*grants), ANN, "github:push", SHOP)
    assert (found.verdict, found.because[0].record_ids) == (
        "allowed", ("rec-write-10", "rec-1-in-5", "rec-5-in-6"))


def test_the_last_role_in_a_place_is_the_one_that_is_held() -> None:
    assert verdict(facts(held("admin", days=20), held("read", days=3))) == "unknown"
    assert verdict(facts(held("read", days=20), held("admin", days=3))) == "allowed"


def test_who_was_removed_from_the_repository_has_no_role_there() -> None:
    assert verdict(facts(held("write"), revoked="github:7:repo/42|1")) == "unknown"
    assert verdict(facts(held("write"), revoked="github:7:repo/43|1")) == "allowed"


def test_a_repository_taken_from_a_team_is_gone_for_its_members() -> None:
    assert verdict(facts(held("write", TEAM), member(ANN, TEAM), revoked="github:7:team/5|42")) == "unknown"


def test_a_repository_may_be_asked_for_by_the_name_a_pull_request_gives_it() -> None:
    pulls = pl.DataFrame([{"provider": "github", "action": "pull_request.create", "extra_resource_ids": [SHOP],
                           "resource_id": "github:7:pull_request/acme/shop#3"}])
    known = facts(held("write"))
    named = Facts({**known.tables, "activity": conform(pulls, ACTIVITY).lazy()}, AS_OF)
    assert (verdict(named, resource="Acme/Shop"), verdict(named, resource="acme/other")) == ("allowed", "unknown")
    assert github.decide(named, ANN, "github:push", "Acme/Shop").resource == "Acme/Shop"


def test_of_a_listed_account_no_role_is_denied() -> None:
    assert verdict(facts(listed=True)) == "denied"
    assert verdict(facts(held("read"), listed=True)) == "unknown"  # what the role allows is not all in the data file


def test_an_owner_is_known_as_such_and_the_rest_is_not_counted() -> None:
    row = github.permission_rows(facts(held("admin", scope=ORG))).row(0, named=True)
    assert (row["granted"], row["weight_max"], row["wildcard"]) == (None, 10, True)
