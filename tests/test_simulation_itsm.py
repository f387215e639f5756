"""Tickets, agents and the lake of the made-up organisation: native in form, one story with the other logs, true to its
answers.

Files are read here with the standard library (Parquet with polars); the loaders come last.
"""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import polars as pl
import pytest

from lineage_analytics import analysis
from lineage_analytics.simulation import simulate
from tests._simulated import content
from tests.accuracy.links import Links
from tests.accuracy.organisations import Organisation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lineage_analytics.workspace import Estate

SEED, PEOPLE, DAYS = 11, 22, 46
FOLDERS = ("servicenow", "jira", "otel_genai", "mcp_jsonrpc", "ocsf")
HEX = re.compile(r"[0-9a-f]{32}")
Row = dict[str, Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("itsm")
    simulate(directory, SEED, PEOPLE, DAYS)
    return directory


@pytest.fixture(scope="module")
def estate(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Estate:
    return analysis.read(made, workspace=tmp_path_factory.mktemp("workspace"))


def lines(directory: Path, pattern: str) -> Iterator[Row]:
    for path in sorted(directory.glob(pattern)):
        yield from map(json.loads, content(path).splitlines())


def truth(directory: Path, name: str) -> Any:
    return json.loads((directory / "truth" / name).read_text())


def story(directory: Path, name: str) -> list[str]:
    return next(s["where"] for s in truth(directory, "stories.json")["stories"] if s["name"] == name)


def stored(cell: Any) -> str:
    """A cell of the Table API in any form."""
    return str(cell["value"] if isinstance(cell, dict) else cell)


def table(directory: Path, pattern: str) -> list[Row]:
    folder = directory / "servicenow"
    pages = [json.loads(content(path))["result"] for path in sorted(folder.glob(pattern))]
    return [{key: stored(cell) for key, cell in row.items()} for page in pages for row in page]


def changes(directory: Path) -> dict[tuple[str, str], Row]:
    """By sys_id and version."""
    nightly = [{key: stored(cell) for key, cell in row.items()}
               for row in lines(directory / "servicenow", "nightly/*.gz")]
    rows = [*table(directory, "change_request-*.gz"), *nightly]
    return {(row["sys_id"], row["sys_mod_count"]): row for row in rows}


def issues(directory: Path) -> dict[str, Row]:
    return {issue["key"]: issue for path in sorted((directory / "jira").glob("search-*.gz"))
            for issue in json.loads(content(path))["issues"]}


def spans(directory: Path) -> dict[str, Row]:
    """By trace and span, with attributes as a plain object where they are plain texts."""
    found = {}
    for request in lines(directory / "otel_genai", "traces-*.gz"):
        for span in request["resourceSpans"][0]["scopeSpans"][0]["spans"]:
            told = {pair["key"]: pair["value"].get("stringValue") for pair in span["attributes"]}
            found[f"{span['traceId']}/{span['spanId']}"] = {**span, "told": told}
    return found


def lake(directory: Path, folder: str) -> list[Row]:
    rows = list(lines(directory / "ocsf", f"{folder}/**/*.gz"))
    for path in sorted((directory / "ocsf").glob(f"{folder}/**/*.parquet")):
        rows += pl.read_parquet(path).to_dicts()
    return rows


# --- native form and counts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_family_says_that_it_is_made_up(made: Path, folder: str) -> None:
    assert any(b"ynthetic" in content(path) for path in (made / folder).rglob("*") if path.is_file())


def test_the_same_seed_writes_the_same_bytes(made: Path, tmp_path: Path) -> None:
    simulate(tmp_path, SEED, PEOPLE, DAYS)
    for folder in FOLDERS:
        first, second = ({str(path.relative_to(root)): path.read_bytes() for path in (root / folder).rglob("*")
                          if path.is_file()} for root in (made, tmp_path))
        assert first == second
        assert first


def test_service_desk_rows_are_counted_once_whatever_export_holds_them(made: Path) -> None:
    audit = list(csv.DictReader(io.StringIO((made / "servicenow" / "sys_audit.csv").read_text())))
    unload = ET.parse(made / "servicenow" / "groups.xml").getroot()  # noqa: S314  (our own file)
    rows = [*table(made, "sysapproval_approver.json.gz"), *table(made, "sys_user-*.gz")]
    items = {row["sys_id"] for row in table(made, "sc_req_item-*.gz")}
    assert truth(made, "records.json")["servicenow"] == (
        len(changes(made)) + len(rows) + len(items) + len(audit) + len(unload))
    assert all(HEX.fullmatch(row["sys_id"]) for row in [*rows, *changes(made).values(), *audit])
    held = changes(made)
    numbers = {row["number"]: native for (native, _), row in held.items()}
    assert len(numbers) == len({native for native, _ in held}), "a ticket has one number"


def test_only_declared_people_are_listed_at_the_service_desk(made: Path) -> None:
    declared = {row["account"] for row in csv.DictReader((made / "declared" / "persons.csv").open())}
    people = [row for row in table(made, "sys_user-*.gz") if row["identity_type"] == "human"]
    assert {row["email"] for row in people} >= {account for account in declared if "@" in account}
    named = {row["display_name"] for row in csv.DictReader((made / "declared" / "persons.csv").open())}
    assert {row["name"] for row in people} <= named


def test_issues_histories_and_approvals_are_counted_once(made: Path) -> None:
    held = issues(made)
    histories = {entry["id"] for issue in held.values() for entry in issue["changelog"]["histories"]}
    approvals = {page["values"][0]["id"] for page in lines(made / "jira", "approvals*.gz")}
    assert truth(made, "records.json")["jira"] == len(held) + len(histories) + len(approvals)
    bulk = json.loads(content(made / "jira" / "again" / "changelog-bulkfetch.json.gz"))
    assert {entry["id"] for one in bulk["issueChangeLogs"] for entry in one["changeHistories"]} <= histories


def test_spans_and_messages_are_counted_once(made: Path) -> None:
    held = spans(made)
    assert truth(made, "records.json")["otel_genai"] == len(held)
    jaeger = json.loads(content(made / "otel_genai" / "jaeger-last-days.json.gz"))
    assert {f"{s['traceID']}/{s['spanID']}" for trace in jaeger["data"] for s in trace["spans"]} < set(held)
    assert all(span["parentSpanId"] in {s["spanId"] for s in held.values() if s["traceId"] == span["traceId"]}
               for span in held.values() if "parentSpanId" in span)
    messages = list(lines(made / "mcp_jsonrpc", "gateway-*.gz"))
    assert truth(made, "records.json")["mcp_jsonrpc"] == len(messages)
    asked = {(m["session_id"], m["direction"], m["message"]["id"]) for m in messages if "method" in m["message"]
             and "id" in m["message"]}
    answered = [(m["session_id"], {"client_to_server": "server_to_client"}.get(m["direction"], "client_to_server"),
                 m["message"]["id"]) for m in messages if "result" in m["message"]]
    assert len(answered) == len(set(answered))
    assert set(answered) == asked


def test_the_lake_adds_the_gateway_and_repeats_days_of_the_trail(made: Path) -> None:
    gateway = {row["metadata"]["uid"] for row in lake(made, "remote-gate")}
    assert truth(made, "records.json")["ocsf"] == len(gateway)
    again = {row["metadata"]["uid"]: row for row in lake(made, "CLOUD_TRAIL_MGMT")}
    trail = {record["eventID"]: record for path in sorted((made / "aws_cloudtrail").glob("*.gz"))
             for record in json.loads(content(path))["Records"]}
    assert len(again) > 20
    for uid, row in again.items():
        assert (row["api"]["operation"], row["time_dt"]) == (trail[uid]["eventName"], trail[uid]["eventTime"])


# --- one story --------------------------------------------------------------------------------------------------------


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_tickets_authorised_changes_that_stand_in_the_trail_within_their_work(made: Path) -> None:
    where = story(made, "tickets_that_authorised_changes_in_aws")
    trail = {record["eventID"]: record for path in sorted((made / "aws_cloudtrail").glob("*.gz"))
             for record in json.loads(content(path))["Records"]}
    tickets = {row["number"]: row for row in changes(made).values() if row["state"] == "3"}
    votes = {row["sys_id"]: row for row in table(made, "sysapproval_approver.json.gz")}
    assert len(where) >= 9
    for event, number, vote in zip(where[::3], where[1::3], where[2::3], strict=True):
        record, ticket = trail[event], tickets[number]
        done = record["eventTime"].replace("T", " ").rstrip("Z")
        assert ticket["work_start"] <= done
        assert votes[vote]["sysapproval"] == ticket["sys_id"]
        assert votes[vote]["sys_updated_on"] < done
        assert number not in json.dumps(record), "the trail names no ticket"
    links = [row for row in csv.DictReader((made / "truth" / "links.csv").open()) if row["from_event_id"] in where[::3]
             and row["to_event_id"] in where[2::3]]
    assert len(links) == len(where) // 3
    assert {row["provable"] for row in links} == {"false"}


def test_activations_quote_their_ticket_in_the_reason(made: Path) -> None:
    where = story(made, "activations_that_quote_a_ticket")
    audit = {record["id"]: record for path in sorted((made / "entra_audit").glob("directoryAudits*.gz"))
             for record in json.loads(content(path))["value"]}
    for number, event in zip(where[::3], where[2::3], strict=True):
        reasons = [d["value"] for d in audit[event]["additionalDetails"] if d["key"] == "Justification"]
        assert reasons[0].startswith(number)


def test_the_vote_given_after_the_fact_and_the_emergency_without_one(made: Path) -> None:
    held = {row["number"]: row for row in changes(made).values()}
    votes = table(made, "sysapproval_approver.json.gz")
    late, emergency = (story(made, name)[0] for name in ("ticket_approved_after_the_fact", "emergency_without_approval"))
    [vote] = [v for v in votes if v["sysapproval"] == held[late]["sys_id"]]
    assert vote["sys_updated_on"] > held[late]["work_start"]
    assert held[emergency]["type"] == "emergency"
    assert not [v for v in votes if v["sysapproval"] == held[emergency]["sys_id"]]


def test_a_vote_touched_after_the_work_stands_with_its_true_moment_in_the_audit_log(made: Path) -> None:
    held = {row["sys_id"]: row for row in changes(made).values() if row["state"] == "3"}
    votes = {row["sys_id"]: row for row in table(made, "sysapproval_approver.json.gz")}
    audit = list(csv.DictReader(io.StringIO((made / "servicenow" / "sys_audit.csv").read_text())))
    assert audit
    for row in audit:
        vote = votes[row["documentkey"]]
        assert row["sys_created_on"] < held[vote["sysapproval"]]["work_start"] < vote["sys_updated_on"]


def test_an_access_request_waved_through_has_no_approval_and_quotes_a_ticket(made: Path) -> None:
    key = story(made, "access_request_waved_through")[0]
    issue = issues(made)[key]
    assert "CHG0030042" in json.dumps(issue["fields"]["description"])
    requests = {page["_links"]["self"].split("/")[-2] for page in lines(made / "jira", "approvals*.gz")}
    assert issue["id"] not in requests


def test_the_agent_asked_a_person_and_the_server_asked_the_user_before_it_unlocked(made: Path) -> None:
    where = story(made, "support_agent_unlocks_with_approval")[1:]
    held = spans(made)
    messages = list(lines(made / "mcp_jsonrpc", "gateway-*.gz"))
    for asked, answer, done, elicited in zip(where[::4], where[1::4], where[2::4], where[3::4], strict=True):
        steps = [held[event]["told"] for event in (asked, answer, done)]
        assert [step["lineage.step"] for step in steps] == ["request", "approval", "execution"]
        assert len({(step["lineage.case_id"], step["lineage.target"]) for step in steps}) == 1
        session, side, number = elicited.split("/")
        told = [m["message"] for m in messages if m["session_id"] == session and m["message"].get("id") == int(number)
                and (m["direction"] == "server_to_client") == (m["message"].get("method") == "elicitation/create")]
        assert side == "server"
        assert [m["result"]["action"] for m in told if "result" in m and "action" in m["result"]] == ["accept"]
        assert steps[2]["mcp.session.id"] == session


def test_one_call_failed_on_both_sides_and_the_declined_one_too(made: Path) -> None:
    span, call = story(made, "tool_call_that_failed")
    held = spans(made)
    assert held[span]["status"] == {"code": 2}
    session, _, number = call.split("/")
    [answer] = [m["message"] for m in lines(made / "mcp_jsonrpc", "gateway-*.gz") if m["session_id"] == session
                and m["message"].get("id") == int(number) and "result" in m["message"]]
    assert answer["result"]["isError"] is True
    assert held[span]["traceId"] in json.dumps([m for m in lines(made / "mcp_jsonrpc", "gateway-*.gz")
                                                if m["session_id"] == session])


def test_documents_an_agent_found_are_documents_of_the_sites(made: Path) -> None:
    audit = "".join(content(path).decode() for path in sorted((made / "m365_audit").glob("*.csv.gz")))
    found = {item["stringValue"] for span in spans(made).values() for pair in span["attributes"]
             if pair["key"] == "gen_ai.retrieval.documents" for one in pair["value"]["arrayValue"]["values"]
             for entry in one["kvlistValue"]["values"] if entry["key"] == "id" for item in (entry["value"],)}
    assert len(found) > 10
    assert sum(address in audit for address in found) > len(found) // 2


# --- the loaders, and the answers -------------------------------------------------------------------------------------


def test_every_record_is_accepted_once(made: Path, estate: Estate) -> None:
    counts = {row["source"]: row for row in estate.counts}
    records = truth(made, "records.json")
    for source in FOLDERS:
        row = counts[source]
        assert (row["accepted"], row["quarantined"], row["rejected"]) == (records[source], 0, 0), source
        assert row["duplicate"] > 0, f"{source} delivers nothing twice"


def test_what_is_measured_is_what_was_thought_up(made: Path, estate: Estate) -> None:
    found = {(row["metric_id"], row["scope"]): (row["numerator"], row["denominator"], row["n_unknown"])
             for row in analysis.measure(estate).iter_rows(named=True)}
    for known in truth(made, "measures.json")["measures"]:
        key = known["metric_id"], known["scope"]
        assert found[key] == (known["numerator"], known["denominator"], known["n_unknown"]), key


def test_links_that_records_prove_are_found_and_the_others_are_not(made: Path, estate: Estate) -> None:
    links = Links()
    links.take(Organisation(SEED, made, estate, analysis.decision_lineage(estate)))
    assert (links.invented.wrong, links.guessed.wrong, links.recalled.wrong, links.honest.wrong) == ([], [], [], [])


def test_nothing_written_by_people_is_kept(estate: Estate) -> None:
    kept = [estate.frame(name).filter(pl.col("source").is_in(FOLDERS)).to_dicts()
            for name in ("activity", "decision_steps", "identity_facts", "assistant_access")]
    shown = json.dumps(kept, default=str)
    assert "CHG0030042" in shown, "the number of a ticket that somebody quoted is kept"
    assert not [text for text in ("Agreed on the phone", "late remark", "Go on?", "Planned work") if text in shown]
