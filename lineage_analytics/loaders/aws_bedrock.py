"""Amazon Bedrock model-invocation log: who used which model, as activity and assistant use (sources 2.4, 2.5).

Shapes  JSON lines as delivered to S3, arrays, single objects; CloudWatch Logs (console export, subscription, filter and
        query output) with the record in ``message``; test-suite and search-engine envelopes; lake rows in CSV.
Maps    every invocation to ``activity`` (``bedrock:<operation>``, the model as resource) and to one row of
        ``assistant_access``: who, which model and its vendor, whether a guardrail stepped in; callers to
        ``identity_facts`` by ARN.
Drops   prompts, outputs, tools, the caller's own ``requestMetadata`` and the places where larger bodies were put: never
        stored, and no part of an id; token counts; the Region that served the call.
Schema  ``ModelInvocationLog`` 1.0; unknown keys are kept in ``unmapped``, without any text in them but ids.

A model call lists no resources, so completeness is ``absent``. The same call stands in CloudTrail under the same
request id (``correlation_id``): an estate that loads both has it once per source. Of a guardrail, ``INTERVENED`` is
``blocked``, though it may also have masked; ``NONE`` is ``none``; not stated is ``unknown``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics import tables
from lineage_analytics.loaders._aws_names import account, account_of, caller, is_control, opened
from lineage_analytics.loaders.common.assembly import Entry, RecordFault, assemble
from lineage_analytics.loaders.common.contract import Match
from lineage_analytics.loaders.common.leftovers import changed_types, unmapped
from lineage_analytics.loaders.common.packings import csv_columns, head_keys, json_or_array_chunks, row_chunks
from lineage_analytics.loaders.common.values import Fields, embedded, name, obj, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document, Sample

PROVIDER = "aws"
LATENESS = timedelta(hours=1)
FEEDS = frozenset({"activity", "assistant_access", "identity_facts"})
SOURCE = "aws_bedrock"

ASSISTANT = "aws:assistant:bedrock"
KNOWN = {
    "schematype": "string", "schemaversion": "string", "timestamp": "string", "accountid": "string number",
    "region": "string", "requestid": "string", "operation": "string", "modelid": "string", "input": "",
    "output": "", "identity": "", "inferenceregion": "string", "errorcode": "string", "status": "",
    "requestmetadata": "", "performanceconfig": "", "servicetier": "",
}
_TELLING = frozenset({"modelid", "operation"})
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_GUARDRAIL = {"intervened": "blocked", "guardrail_intervened": "blocked", "none": "none"}
_VENDORS = frozenset({
    "ai21", "amazon", "anthropic", "cohere", "deepseek", "google", "luma", "meta", "minimax", "mistral", "moonshot",
    "nvidia", "openai", "qwen", "stability", "twelvelabs", "writer", "zai"})


def detect(sample: Sample) -> Match | None:
    """Model invocations by ``schemaType`` with ``modelId`` and ``operation``, in any packing."""
    columns = csv_columns(sample)
    if columns >= {"schematype", *_TELLING}:
        return Match("csv", 0.9, "rows with schemaType, modelId and operation")
    if columns & {"@message", "message", "_raw"} and b'""ModelInvocationLog""' in sample.head:
        return Match("csv", 0.9, "rows of a log query with an invocation in a cell")
    if sample.first is None:
        keys = head_keys(sample)
        long = keys >= {"schematype", *_TELLING} and b'"ModelInvocationLog"' in sample.head
        return Match("json", 0.9, "schemaType, modelId and operation in a first record longer than the head"
                     ) if long else None
    found = opened(dict(sample.first), _is_record)
    return Match("json", 0.95, "schemaType ModelInvocationLog with modelId and operation") if found else None


def _is_record(row: Fields) -> bool:
    return row.keys() >= _TELLING and (row.get("schematype") == "ModelInvocationLog" or (
        "schemaversion" in row and {"input", "output"} <= row.keys()))


def extract(document: Document) -> Iterator[Chunk]:
    """Records as they stand in the file; CSV rows as objects."""
    yield from row_chunks(document) if document.shape == "csv" else json_or_array_chunks(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, assistant access and seen callers of one chunk."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    said = opened(entry.fields, _is_record)
    if said is None:
        if is_control(entry.fields):
            raise RecordFault("out_of_scope", "a control message of the log pipeline", "rejected")
        raise RecordFault("not_bedrock", "no modelId with operation and a schema of invocations")
    arn = name(obj(said.get("identity")).get("arn"))
    tenant = account(said.get("accountid")) or account_of(arn)
    time = entry.time(said.get("timestamp"), "timestamp")
    operation, model = text(said["operation"]) or "unknown", text(said["modelid"])
    request = name(said.get("requestid"))
    record = entry.identify(PROVIDER, tenant, f"bedrock/{request or _stand_in(said, arn)}")
    who = caller(arn)
    actor = who.id if who else f"aws:{tenant or ''}:{arn}" if arn else None
    error = text(said.get("errorcode"))
    if who:
        entry.add(tables.IDENTITY_FACTS, **who.fact())
    entry.drift += changed_types(said, KNOWN, entry.position)
    entry.add(
        tables.ACTIVITY, time=time, actor_id=actor, actor_session_id=who.session if who else None,
        action=f"bedrock:{operation}", resource_id=model, outcome=_outcome(error), error_code=error,
        correlation_id=request, event_id=request or record, unmapped=unmapped(said, KNOWN, texts=False))
    stopped = _guardrail(said)
    entry.add(
        tables.ASSISTANT_ACCESS, time=time, user_id=actor, assistant_id=ASSISTANT, interaction_id=record,
        access_status=error or stopped, model_provider=vendor(model), role="none", action="unknown",
        policy_outcome=_GUARDRAIL.get((stopped or "").lower(), "unknown"), trigger="unknown", completeness="absent",
        event_id=request or record)


def _stand_in(said: Fields, arn: str | None) -> str:
    """An id for an invocation without request id; what was written to the model does not enter it."""
    return "\0".join(("content", *(text(said.get(key)) or "" for key in ("timestamp", "operation", "modelid")),
                      arn or ""))


def _outcome(error: str | None) -> str:
    return "success" if error is None else "denied" if error in _DENIED else "failure"


def _guardrail(said: Fields) -> str | None:
    """What the output says a guardrail did: a flag of one word, no other part of the output is looked at."""
    body = embedded(obj(said.get("output")).get("outputbodyjson"))
    for part in body if isinstance(body, list) else [body]:
        if isinstance(part, dict):
            stated = text(part.get("amazon-bedrock-guardrailAction")) or text(part.get("stopReason"))
            if stated is not None and stated.lower() in _GUARDRAIL:
                return stated
    return None


def vendor(model: str | None) -> str | None:
    """The model's vendor where its id states one: ``anthropic.claude-...``, also behind a Region or in an ARN."""
    parts = (model or "").rpartition("/")[2].lower().split(".")
    return next((part for part in parts[:2] if part in _VENDORS), None)
