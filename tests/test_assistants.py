"""What assistants read for users beside what the users opened."""

from __future__ import annotations

from typing import Any

import polars as pl

from lineage_analytics.facts import Facts
from lineage_analytics.graphs.assistants import assistant_reach
from lineage_analytics.tables import ALL
from tests.test_metrics_estates import AS_OF, access_row, day

ADA, BOB = "m365:t:ada", "m365:t:bob"


def opened(who: str, resource: str, back: int = 2, action: str = "FileAccessed", **more: Any) -> dict[str, Any]:
    return {"time": day(back), "actor_id": who, "action": action, "resource_id": resource, "outcome": "success",
            "tenant": "t", "provider": "m365", "source": "m365_audit", "record_id": f"rec-{who}-{resource}"} | more


def reach(accesses: list[dict[str, Any]], activity: list[dict[str, Any]], shuffle: bool = False
          ) -> dict[str, dict[str, Any]]:
    frames = {"assistant_access": accesses, "activity": activity}
    facts = Facts({name: pl.DataFrame(rows, schema=ALL[name].schema).sample(
        fraction=1, shuffle=shuffle, seed=3).lazy() for name, rows in frames.items()}, AS_OF)
    return {row["user_id"]: row for row in assistant_reach(facts).to_dicts()}


def test_of_three_files_read_one_was_opened_so_two_were_not() -> None:
    found = reach([access_row(1, "https://x/A"), access_row(2, "https://x/b", label_id="L"), access_row(2, "https://x/c")],
                  [opened(ADA, "https://x/a?web=1"), opened(ADA, "https://x/z"), opened(ADA, "https://x/c", back=95)])
    assert found[ADA] == {"user_id": ADA, "accessed": 3, "opened": 2, "accessed_not_opened": 2, "labelled": 1,
                          "label_unknown": 2, "record_ids": ["rec-i1", "rec-i2"]}


def test_without_file_activity_of_the_tenant_opened_is_unknown_not_zero() -> None:
    other = opened("m365:u:eve", "https://u/1", tenant="u")
    found = reach([access_row(1, "a")], [other, opened(ADA, "a", action="UserLoggedIn")])
    assert (found[ADA]["opened"], found[ADA]["accessed_not_opened"]) == (None, None)


def test_a_user_without_own_records_in_a_logged_tenant_opened_none() -> None:
    found = reach([access_row(1, "a"), access_row(2, "a", user_id=BOB)], [opened(ADA, "a")])
    assert (found[BOB]["opened"], found[BOB]["accessed_not_opened"]) == (0, 1)
    assert (found[ADA]["opened"], found[ADA]["accessed_not_opened"]) == (1, 0)


def test_what_an_assistant_fetched_or_what_failed_is_not_opened_by_the_user() -> None:
    found = reach([access_row(1, "a"), access_row(1, "b")], [
        opened(ADA, "a", via_assistant_id="m365:t:copilot"), opened(ADA, "b", outcome="failure"), opened(ADA, "c")])
    assert (found[ADA]["opened"], found[ADA]["accessed_not_opened"]) == (1, 2)


def test_no_interactions_give_the_empty_frame_with_its_columns() -> None:
    facts = Facts({}, AS_OF)
    assert assistant_reach(facts).columns == ["user_id", "accessed", "opened", "accessed_not_opened", "labelled",
                                              "label_unknown", "record_ids"]
    assert assistant_reach(facts).is_empty()


def test_order_of_records_changes_nothing() -> None:
    accesses = [access_row(n, f"https://x/{n % 5}", user_id=(ADA, BOB)[n % 2]) for n in range(20)]
    activity = [opened((ADA, BOB)[n % 2], f"https://x/{n % 3}") for n in range(12)]
    assert reach(accesses, activity) == reach(accesses, activity, shuffle=True)
