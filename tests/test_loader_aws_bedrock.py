"""Bedrock invocations: who used which model, and never what was said. Synthetic records."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests._documents import Loaded

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = "111122223333"
PROMPT = "the plans for the merger with Fabrikam"


def invocation(number: int, **more: Any) -> dict[str, Any]:
    return {
        "timestamp": f"2026-06-0{number}T10:00:00Z", "accountId": ACCOUNT, "region": "eu-west-1",
        "requestId": f"00000000-0000-0000-0000-00000000000{number}", "operation": "Converse",
        "modelId": "eu.anthropic.claude-sonnet-4-20250514-v1:0",
        "identity": {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/notes/ana"},
        "input": {"inputContentType": "application/json", "inputBodyJson": {"messages": [
            {"role": "user", "content": [{"text": PROMPT}]}]}, "inputTokenCount": 9},
        "output": {"outputContentType": "application/json", "outputBodyJson": {
            "output": {"message": {"content": [{"text": PROMPT}]}}, "stopReason": "end_turn"}, "outputTokenCount": 9},
        "requestMetadata": {"ticket": PROMPT}, "inferenceRegion": "eu-central-1",
        "schemaType": "ModelInvocationLog", "schemaVersion": "1.0", **more,
    }


RECORDS = [invocation(1), invocation(2, identity={"arn": f"arn:aws:iam::{ACCOUNT}:user/ops/bo"}),
           invocation(3, errorCode="AccessDeniedException", output={})]
LINES = "\n".join(map(json.dumps, RECORDS)).encode()


def _csv() -> bytes:
    """Rows of a lake table: columns in lower case, objects as JSON text."""
    columns = sorted({key for record in RECORDS for key in record})
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([column.lower() for column in columns])
    rows.writerows([[json.dumps(record[c]) if isinstance(record.get(c), dict) else record.get(c, "") for c in columns]
                    for record in RECORDS])
    return text.getvalue().encode()


SHAPES: dict[str, bytes] = {
    "lines": LINES, "array": json.dumps(RECORDS).encode(), "concatenated": "".join(map(json.dumps, RECORDS)).encode(),
    "log_events": json.dumps({"logEvents": [
        {"id": str(at), "timestamp": 1, "message": json.dumps(record)} for at, record in enumerate(RECORDS)]}).encode(),
    "console_export": b"\n".join(b"2026-06-09T10:00:00.000Z " + json.dumps(record).encode() for record in RECORDS),
    "test_suite": "\n".join(json.dumps({"_origin": {}, "log": record}) for record in RECORDS).encode(),
    "lower_case": json.dumps([{key.lower(): value for key, value in record.items()} for record in RECORDS]).encode(),
    "csv": _csv(),
}
KEEPS_UNKNOWN_TEXTS = False
CONTRACT_FILES = {name: SHAPES[name] for name in ("lines", "log_events", "console_export", "csv")}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_packing_gives_the_same_three_invocations(shape: str) -> None:
    found = Loaded(SHAPES[shape])
    assert (found.source, found.faults) == ("aws_bedrock", [])
    plain = Loaded(LINES)
    for table in ("activity", "assistant_access", "identity_facts"):
        assert found[table].drop("raw_ref").sort("record_id").equals(plain[table].drop("raw_ref").sort("record_id"))


def test_a_session_is_its_role_and_a_user_keeps_the_path() -> None:
    assert Loaded(LINES).rows("activity", "actor_id", "actor_session_id", "outcome", "error_code") == [
        (f"aws:{ACCOUNT}:arn:aws:iam::{ACCOUNT}:role/notes", "ana", "denied", "AccessDeniedException"),
        (f"aws:{ACCOUNT}:arn:aws:iam::{ACCOUNT}:role/notes", "ana", "success", None),
        (f"aws:{ACCOUNT}:arn:aws:iam::{ACCOUNT}:user/ops/bo", None, "success", None)]


def test_a_model_call_lists_no_resource_and_does_not_say_that_a_person_asked() -> None:
    assert Loaded(LINES).rows(
        "assistant_access", "resource_id", "completeness", "role", "trigger", "model_provider", "policy_outcome") == [
        (None, "absent", "none", "unknown", "anthropic", "unknown")]
    assert set(Loaded(LINES)["identity_facts"]["kind"]) == {"unknown"}


def test_what_was_said_to_or_by_a_model_is_stored_nowhere_and_is_no_part_of_an_id() -> None:
    odd = invocation(4, requestId=None, newBlock={"note": PROMPT, "flag": True})
    other = json.loads(json.dumps(odd).replace("merger", "picnic"))
    found = Loaded([odd])
    held = json.dumps([frame.to_dicts() for frame in found.frames.values()], default=str)
    assert "Fabrikam" not in held
    assert "merger" not in held
    assert json.loads(found["activity"]["unmapped"][0])["newblock"]["flag"] is True
    assert found.ids == Loaded([other]).ids


@pytest.mark.parametrize(("body", "outcome"), [
    ({"stopReason": "guardrail_intervened"}, "blocked"), ({"amazon-bedrock-guardrailAction": "INTERVENED"}, "blocked"),
    ({"amazon-bedrock-guardrailAction": "NONE"}, "none"), ({"stopReason": "end_turn"}, "unknown"), (None, "unknown"),
    ([{"type": "x"}, {"amazon-bedrock-guardrailAction": "INTERVENED"}], "blocked"), ("text", "unknown"),
])
def test_a_guardrail_is_read_where_the_output_states_it(body: object, outcome: str) -> None:
    found = Loaded([invocation(1, output={"outputBodyJson": body})])
    assert found["assistant_access"]["policy_outcome"].to_list() == [outcome]


@pytest.mark.parametrize(("model", "vendor"), [
    ("anthropic.claude-v2", "anthropic"), ("us.meta.llama3-1-8b-instruct-v1:0", "meta"),
    (f"arn:aws:bedrock:eu-west-1:{ACCOUNT}:application-inference-profile/abc123", None),
    ("arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0", "amazon"), (None, None),
])
def test_the_vendor_of_a_model_is_what_its_id_says(model: str | None, vendor: str | None) -> None:
    assert Loaded([invocation(1, modelId=model)])["assistant_access"]["model_provider"].to_list() == [vendor]


def test_an_invocation_without_a_time_is_not_used_and_a_control_message_is_no_record() -> None:
    found = Loaded({"logEvents": [{"message": json.dumps(invocation(1))},
                                  {"message": json.dumps(invocation(2, timestamp=None))},
                                  {"message": "CWL CONTROL MESSAGE: Checking health"}]})
    assert sorted((f.reason, f.disposition) for f in found.faults) == [
        ("no_time", "quarantined"), ("out_of_scope", "rejected")]
    assert len(found.ids) == 1


def test_real_logs_keep_every_invocation(shared_data: Path) -> None:
    files = sorted((shared_data / "ai_copilot" / "splunk_attack_data").glob("aws_bedrock*.ndjson"))
    assert files
    for path in files:
        raws = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        found = Loaded(path.read_bytes())
        assert (found.source, found.faults) == ("aws_bedrock", [])
        rows = found["activity"]
        assert len(found.ids) == len(raws)
        assert rows["event_id"].n_unique() == len({raw["requestId"] for raw in raws})
        sessions = {tuple(raw["identity"]["arn"].split("assumed-role/")[1].split("/")) for raw in raws}
        assert set(rows.select("actor_id", "actor_session_id").iter_rows()) == {
            (f"aws:{raws[0]['accountId']}:arn:aws:iam::{raws[0]['accountId']}:role/{role}", session)
            for role, session in sessions}
        assert (rows["outcome"] == "success").sum() == sum("errorCode" not in raw for raw in raws)
        held = json.dumps([frame.to_dicts() for frame in found.frames.values()], default=str)
        texts = [raw["input"]["inputBodyJson"]["system"][0]["text"] for raw in raws
                 if raw["input"]["inputBodyJson"].get("system")]
        assert texts
        assert not [text for text in texts if text in held]


def test_an_invocation_in_a_cell_or_behind_a_search_is_the_invocation() -> None:
    out = io.StringIO()
    writer = csv.DictWriter(out, ["@timestamp", "@message"])
    writer.writeheader()
    writer.writerows({"@timestamp": "2026-06-01 10:00:00.000", "@message": json.dumps(one)} for one in RECORDS)
    searched = "\n".join(json.dumps({"preview": False, "result": {"_raw": json.dumps(one)}}) for one in RECORDS)
    wanted = Loaded(LINES)
    for found in (Loaded(out.getvalue()), Loaded(searched)):
        assert (found.source, found.faults, found.ids) == ("aws_bedrock", [], wanted.ids)
        assert PROMPT not in str(found.frames)
