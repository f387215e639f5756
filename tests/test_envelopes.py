"""What search engines give back: the rows of a record do not depend on who stored it in between."""

from __future__ import annotations

import csv
import importlib
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from lineage_analytics.loaders import loaders
from tests._documents import Loaded, member

if TYPE_CHECKING:
    from collections.abc import Callable

Record = dict[str, Any]
Box = "Callable[[list[Record]], object]"


def _array(source: str) -> list[Record] | None:
    """The first fixture of a loader that is a plain list of records."""
    for data in importlib.import_module(f"tests.test_loader_{source}").CONTRACT_FILES.values():
        try:
            held = json.loads(data)
        except ValueError:
            continue
        if isinstance(held, list) and held and all(isinstance(item, dict) for item in held):
            return held
    return None


NATIVE = {source: held for source in loaders() if (held := _array(source)) is not None}


def _lines(records: list[Record]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def _csv(*rows: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _hit(source: Record) -> Record:
    return {"_index": "logs", "_id": "1", "_score": 1.0, "_source": source}


def _original(record: Record) -> Record:
    return {"@timestamp": "2026-03-01T10:00:00Z", "event": {"original": json.dumps(record), "action": "a"}, "message": "m"}


def _found(*hits: Record) -> Record:
    return {"took": 3, "_shards": {"total": 1}, "hits": {"total": {"value": len(hits)}, "hits": list(hits)}}


BOXES: dict[str, Callable[[list[Record]], object]] = {
    "results of Splunk, exported": lambda records: _lines([
        {"preview": False, "offset": at, "result": {"_raw": json.dumps(held), "_time": "1"}}
        for at, held in enumerate(records)]),
    "results of Splunk, one answer": lambda records: json.dumps({
        "preview": False, "init_offset": 0, "messages": [], "fields": [{"name": "_raw"}],
        "results": [{"_raw": json.dumps(held), "_time": "1", "host": "h"} for held in records], "highlighted": {}}),
    "results of Splunk, CSV": lambda records: _csv(
        ["_time", "host", "_raw"], *(["1", "h", json.dumps(held)] for held in records)),
    "events on their way to Splunk": lambda records: _lines([
        {"time": 1, "host": "h", "sourcetype": "s", "event": held} for held in records]),
    "hits of Elasticsearch, one answer": lambda records: json.dumps(_found(*map(_hit, records)), indent=1),
    "answers of Elasticsearch, one a line": lambda records: _lines([_found(_hit(held)) for held in records] + [_found()]),
    "hits with the original": lambda records: _lines([_hit(_original(held)) for held in records]),
    "documents with the original": lambda records: json.dumps([_original(held) for held in records]),
    "the original in a CSV": lambda records: _csv(
        ["@timestamp", "event.original"], *(["1", json.dumps(held)] for held in records)),
    "a shipped line": lambda records: _lines([
        {"@timestamp": "2026-03-01T10:00:00Z", "@version": "1", "message": json.dumps(held)} for held in records]),
    "rows of a workspace": lambda records: json.dumps(_table(records)),
    "rows of a workspace, older interface": lambda records: json.dumps(_older(_table(records))),
    "rows of a hunt": lambda records: json.dumps(
        {"schema": [{"name": key, "type": "String"} for key in _keys(records)], "results": records}),
    "rows PowerShell was given": lambda records: json.dumps(
        {"Results": records, "Render": None, "Statistics": None, "Error": None}),
}


def _keys(records: list[Record]) -> list[str]:
    return list(dict.fromkeys(key for record in records for key in record))


def _table(records: list[Record]) -> Record:
    keys = _keys(records)
    return {"tables": [
        {"name": "PrimaryResult", "columns": [{"name": key, "type": "dynamic"} for key in keys],
         "rows": [[record.get(key) for key in keys] for record in records]},
        {"name": "Statistics", "columns": [{"name": "x", "type": "string"}], "rows": [["y"]]}],
        "statistics": {"query": {"executionTime": 1}}}


def _older(answer: Record) -> Record:
    return {"Tables": [
        {"TableName": f"Table_{at}", "Columns": [{"ColumnName": column["name"], "DataType": "Object"}
                                                 for column in table["columns"]], "Rows": table["rows"]}
        for at, table in enumerate(answer["tables"])]}


def _rows(found: Loaded) -> dict[str, list[str]]:
    return {name: sorted({repr(row) for row in frame.drop("raw_ref", strict=False).rows()})
            for name, frame in found.frames.items() if frame.height}


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("source", sorted(NATIVE))
def test_a_record_gives_the_same_rows_whoever_stored_it(source: str, box: str) -> None:
    records = NATIVE[source]
    plain, packed = Loaded(records), Loaded(str(BOXES[box](records)))
    assert packed.source == plain.source == source
    assert packed.faults == plain.faults
    assert packed.ids == plain.ids
    assert _rows(packed) == _rows(plain)


EVENT = NATIVE["okta_system_log"][0]


def test_one_envelope_in_another_is_opened() -> None:
    splunk = {"preview": False, "offset": 0, "result": {"_raw": json.dumps(EVENT)}}
    assert Loaded([_original(splunk)]).ids == Loaded([EVENT]).ids


def test_an_event_that_splunk_keeps_as_xml_is_read_as_the_event_it_is() -> None:
    event = ("<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider "
             "Name='Microsoft-Windows-Security-Auditing'/><EventID>4728</EventID><TimeCreated "
             "SystemTime='2026-03-01T10:00:00Z'/><EventRecordID>7</EventRecordID><Channel>Security</Channel>"
             "<Computer>dc1.example.org</Computer></System><EventData><Data Name='MemberSid'>S-1-5-21-1-2-3-1105</Data>"
             "<Data Name='TargetSid'>S-1-5-21-1-2-3-512</Data></EventData></Event>")
    plain = Loaded(event)
    for packed in (Loaded(_lines([{"preview": False, "result": {"_raw": event}}])), Loaded(_csv(["_raw", "x"], [event, ""]))):
        assert packed.source == "windows_security"
        assert packed.ids == plain.ids


def test_a_broken_record_takes_its_place_and_a_cut_answer_says_so() -> None:
    other = EVENT | {"uuid": "another"}
    good = [json.dumps({"_raw": json.dumps(held)}) for held in (EVENT, other)]
    broken = Loaded("\n".join([good[0], '{"_raw": "{', good[1], ""]))
    assert (len(broken.ids), [(fault.position, fault.reason) for fault in broken.faults]) == (2, [(1, "broken_json")])
    assert not broken.truncated
    whole = json.dumps(_table([EVENT, other]))
    cut = Loaded(whole[: whole.index('"another"') + 3])
    assert (len(cut.ids), [(fault.position, fault.reason) for fault in cut.faults]) == (1, [(1, "truncated")])
    assert cut.truncated


def test_a_row_of_another_width_is_no_record() -> None:
    answer = _table([EVENT])
    answer["tables"][0]["rows"].append(["one cell"])
    found = Loaded(json.dumps(answer))
    assert (len(found.ids), [(fault.position, fault.reason) for fault in found.faults]) == (1, [(1, "broken_json")])


def test_what_a_search_engine_made_of_a_record_stays_where_it_keeps_no_original() -> None:
    made = {"@timestamp": "2026-03-01T10:00:00Z", "event": {"action": "a"}, "message": "somebody did something"}
    assert member([made]).sample.first == made
    assert member(_csv(["_raw", "user"], ["01/03/2026 user=ann", "ann"])).sample.columns == ("_raw", "user")
