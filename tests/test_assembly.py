"""A batch out of records read one at a time: provenance, faults, drift, and what is never stored."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from lineage_analytics import tables
from lineage_analytics.loaders.common import leftovers
from lineage_analytics.loaders.common.assembly import Entry, assemble
from lineage_analytics.loaders.common.contract import Batch, Chunk, Fault
from lineage_analytics.loaders.common.leftovers import Drift
from lineage_analytics.loaders.common.secrets import MARKER, NOT_STORED, cleaned
from tests._documents import SHA, member

KNOWN = {"id": "string", "at": "string number", "who": "string", "more": "object"}
LATENESS = timedelta(0)


def _read(entry: Entry) -> None:
    entry.identify("okta", "org", entry.fields.get("id"))
    who = entry.fields.get("who")
    entry.add(tables.ACTIVITY, time=entry.time(entry.fields.get("at"), "at"), action="x", outcome="success",
              actor_id=who, event_id=entry.fields.get("id"), unmapped=entry.leftovers(KNOWN))
    entry.add(tables.IDENTITY_FACTS, id=f"okta:org:{who}", kind="unknown", basis="seen")


def _assembled(*records: dict[str, Any] | bytes, start: int = 0, faults: list[Fault] | None = None) -> Batch:
    raws = [r if isinstance(r, bytes) else json.dumps(r).encode() for r in records]
    return assemble(Chunk(start, raws, faults=faults or []), member(b"x"), "okta_test", _read)


def test_each_row_carries_the_record_and_the_place_it_came_from() -> None:
    batch = _assembled({"id": "a", "at": "2026-01-01T00:00:00Z"}, start=7, faults=[Fault(7, "broken_json", "x")])
    [row] = batch.frames["activity"].to_dicts()
    assert row["record_id"] == batch.record_ids[0]
    assert row["raw_ref"] == {"file_sha256": SHA, "member": None, "offset": 8}
    assert (row["provider"], row["tenant"], row["source"]) == ("okta", "org", "okta_test")
    assert [fault.position for fault in batch.faults] == [7]


@pytest.mark.parametrize(("record", "reason"), [
    (b"[1]", "broken_json"), ({"id": "a"}, "no_time"), ({"id": "a", "at": "1999-01-01T00:00:00Z"}, "implausible_time")])
def test_a_record_that_is_not_used_is_a_fault_with_its_place_and_the_others_stay(record: Any, reason: str) -> None:
    batch = _assembled(record, {"id": "b", "at": 1_767_225_600})
    assert [(fault.position, fault.reason) for fault in batch.faults] == [(0, reason)]
    assert batch.frames["activity"]["event_id"].to_list() == ["b"]


def test_a_name_seen_three_times_is_one_statement_under_the_smallest_record_id() -> None:
    batch = _assembled(*({"id": i, "at": "2026-01-01T00:00:00Z", "who": "ana"} for i in "abc"))
    [row] = batch.frames["identity_facts"].to_dicts()
    assert row["record_id"] == min(batch.record_ids)
    assert row["raw_ref"] is None


def test_new_keys_are_kept_with_their_values_and_changed_types_are_noted() -> None:
    batch = _assembled({"id": "a", "at": "2026-01-01T00:00:00Z", "more": "text", "late": {"x": [1]}, "p_row": 1})
    assert batch.frames["activity"]["unmapped"].to_list() == ['{"late":{"x":[1]}}']
    assert batch.drift == [Drift(0, "type", "more", "string")]
    assert leftovers.new_keys('{"late":{"x":[1]},"unmapped":{"y":1}}', 4) == [Drift(4, "key", "late", "object")]


def test_a_loader_that_names_a_column_no_table_has_is_told_so() -> None:
    def wrong(entry: Entry) -> None:
        entry.identify("okta", None, "a")
        entry.add(tables.ACTIVITY, tiem=None)
    with pytest.raises(KeyError, match="tiem"):
        assemble(Chunk(0, [b"{}"]), member(b"x"), "okta_test", wrong)


def test_a_record_without_a_native_id_has_the_id_of_its_content() -> None:
    first, second, other = _assembled({"at": 1_767_225_600}, {"at": 1_767_225_600}, {"at": 1_767_225_601}).record_ids
    assert first == second != other


SECRETS = {
    "jwt": "eyJhbGciOiJub25l.eyJzdWIiOiIxMjM0.c2ln", "github": "ghp_" + "a" * 36, "key": "-----BEGIN RSA PRIVATE KEY-----",
    "slack": "xoxb-123456789012-abc", "bearer": "Authorization: Bearer abcdefghijklmnopqrstuvwx",
    "sas": "https://a.example/b?sv=1&sig=abcdefghijklmnopqrstuvwxyz", "url": "postgres://app:hunter2@db/x",
    "account key": "AccountName=a;AccountKey=abcdefgh", "entra": "abc8Q~" + "x" * 34, "google": "AIza" + "b" * 35,
}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_in_any_text_becomes_a_marker(name: str) -> None:
    assert MARKER in cleaned(SECRETS[name])
    batch = _assembled({"id": "a", "at": 1_767_225_600, "who": SECRETS[name]})
    assert MARKER in batch.frames["activity"]["actor_id"][0]


def test_secrets_by_key_go_and_keys_that_only_speak_of_them_stay() -> None:
    given = {"password": "x", "passwordLastSet": "2026", "secretArn": "arn", "client_secret": "y", "justification": "z",
             "keyId": "k", "token": None}
    assert cleaned('{"password": "x", "n": 1}') == '{"password":"[secret removed]","n":1}', "also inside JSON text"
    assert cleaned(given, frozenset({"justification"})) == {
        **given, "password": MARKER, "client_secret": MARKER, "justification": NOT_STORED}
