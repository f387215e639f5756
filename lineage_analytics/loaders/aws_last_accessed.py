"""AWS IAM service-last-accessed reports: when a principal last used each service it may use (sources 2.4).

A record is one report: of one user, group, role or policy, or of all that may use one service.

Shapes  ``get-service-last-accessed-details`` and ``...-with-entities`` objects as the CLI prints them, in arrays, on
        lines, or as an object of reports by ARN.
Maps    each service, and each tracked action, to ``entitlements`` (``right``) with its last use; the principals that a
        report names to ``identity_facts`` with the last use it states.
Drops   how many entities used a service; the Region of the last use; reports that failed or are not finished, rejected
        as ``out_of_scope``.
Schema  IAM API of 2010-05-08, service and action level; unknown keys are kept in ``unmapped`` of
        the principal, or of its rights where the file names none.

The report does not say whose it is: that stands in the request. Save it as ``{"Arn": "...", ...}``, or put ``Arn`` into
``JobMetadata``. Without it the holder is unknown: the rows have no ``principal_id``, and the report tells of nobody but
the entity it names as the last to use a service. ``privilege`` is a service (``s3``: some of its permissions) or an
action. A service without a last use was not used within the tracking period (400 days at most), which is not never. A
group uses nothing itself: its members do, and only the one who did last is named.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from lineage_analytics import tables
from lineage_analytics.loaders._aws_names import Caller, account_of, caller
from lineage_analytics.loaders.common.assembly import Entry, RecordFault, assemble
from lineage_analytics.loaders.common.contract import Chunk, Match
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.leftovers import changed_types, unmapped
from lineage_analytics.loaders.common.packings import head_keys, json_or_array_chunks
from lineage_analytics.loaders.common.sampling import decode_object
from lineage_analytics.loaders.common.spread import spread
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, fold, name, obj, objects, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from typing import Any

    from lineage_analytics.loaders.common.contract import Batch, Document, Sample

PROVIDER = "aws"
LATENESS = timedelta(hours=4)
FEEDS = frozenset({"entitlements", "identity_facts"})
SOURCE = "aws_last_accessed"

_SERVICES, _ENTITIES = "serviceslastaccessed", "entitydetailslist"
_ARNS = ("arn", "entityarn", "principalarn", "rolearn", "userarn", "grouparn", "policyarn", "resourcearn")
_INNER = ("jobmetadata", "metadata", "details", "report", "result", "response")
_SORTS = {"user": "iam_user", "role": "iam_role", "group": "iam_group"}
KNOWN = {
    "jobid": "string", "jobstatus": "string", "jobtype": "string", "jobcreationdate": "string number",
    "jobcompletiondate": "string number", _SERVICES: "array", _ENTITIES: "array", "istruncated": "boolean",
    "marker": "string", "error": "object", "servicenamespace": "string", "responsemetadata": "object",
    **dict.fromkeys(_ARNS, "string"), **dict.fromkeys(_INNER, "object"),
}


def detect(sample: Sample) -> Match | None:
    """A report by its list of services or entities, beside the job's dates or in an object by ARN."""
    first = sample.first
    keys = {key.lower() for key in sample.keys} if first is None else set()
    if first is None:
        keys |= head_keys(sample)
    elif found := next((row for row in (fold(first), *_held(first)) if _is_report(row)), None):
        keys = set(found)
    found_one = _is_report(dict.fromkeys(keys))
    return Match("reports", 0.95, "services or entities with their last use") if found_one else None


def _is_report(row: Mapping[str, Any]) -> bool:
    return (_SERVICES in row or _ENTITIES in row) and bool({"jobstatus", "jobcreationdate", *_ARNS} & row.keys())


def _held(first: Mapping[str, Any]) -> list[Fields]:
    """Reports inside an object: under a known key, or by the ARN each is about."""
    return [found for key, value in first.items() if isinstance(value, dict)
            and (key.lower() in _INNER or key.startswith("arn:"))
            and (found := fold(value) | ({"arn": key} if key.startswith("arn:") else {}))]


def extract(document: Document) -> Iterator[Chunk]:
    """Reports as they stand in the file; out of an object by ARN each with its ARN."""
    return spread(json_or_array_chunks(document), _opened)


def _opened(raw: bytes | msgspec.Raw) -> list[bytes | msgspec.Raw]:
    found = decode_object(raw) if b'"arn:' in bytes(memoryview(raw)[:4096]) else None
    named = {key: value for key, value in (found or {}).items() if key.startswith("arn:") and isinstance(value, dict)}
    if not named or len(named) < len(found or {}):
        return [raw]
    return [msgspec.json.encode({"Arn": arn, **report}) for arn, report in named.items()]


def transform(chunk: Chunk, document: Document) -> Batch:
    """Rights with their last use, and the principals they tell of."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    outer = fold(entry.fields)
    said = outer
    for inner in (obj(outer.get(key)) for key in _INNER):
        said = {**inner, **{key: value for key, value in said.items() if value is not None}}
    if not _is_report(said):
        raise RecordFault("not_a_report", "neither services nor entities with their last use")
    status = (text(said.get("jobstatus")) or "COMPLETED").upper()
    if status != "COMPLETED":
        raise RecordFault("out_of_scope", "a report that failed or is not finished", "rejected")
    arn = next((found for key in _ARNS if (found := name(said.get(key))) is not None), None)
    made = parse_time(said.get("jobcompletiondate")) or parse_time(said.get("jobcreationdate"))
    services, entities = objects(said.get(_SERVICES)), objects(said.get(_ENTITIES))
    entry.identify(PROVIDER, account_of(arn) or _tenant(services, entities), f"{arn or ''}#{_digest(said)}")
    entry.drift += changed_types(outer, KNOWN, entry.position)
    holder, left = _holder(arn), unmapped(outer, KNOWN)
    if isinstance(holder, Caller):
        uses = (parse_time(service.get("lastauthenticated")) for service in services)
        used = max((last for last in uses if last is not None and holder.subkind != "iam_group"), default=None)
        entry.add(tables.IDENTITY_FACTS, **holder.fact(
            **_seen(used), kind_basis="named by its ARN as whose report it is", unmapped=left))
        left = None
    for service in services:
        _service(entry, service, holder.id if isinstance(holder, Caller) else holder, made, left)
    for last_user in sorted(_last_users(services).items()):
        if not isinstance(holder, Caller) or last_user[0] != holder.arn:
            _user(entry, *last_user)
    for entity in entities:
        _entity(entry, entity)


def _digest(said: Fields) -> str:
    content = {key: said.get(key) for key in (_SERVICES, _ENTITIES, "jobid", "jobcompletiondate", "marker")}
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()[:24]


def _tenant(services: list[Fields], entities: list[Fields]) -> str | None:
    """The account, where all that a report names lie in one."""
    named = [name(service.get("lastauthenticatedentity")) for service in services]
    named += [name(obj(entity.get("entityinfo")).get("arn")) for entity in entities]
    found = {account for arn in named if (account := account_of(arn)) is not None}
    return found.pop() if len(found) == 1 else None


def _holder(arn: str | None) -> Caller | str | None:
    """Whose report it is: a principal, or the id of a policy; None where the file does not say."""
    if arn is None:
        return None
    return caller(arn) or identity_id(PROVIDER, arn.split(":")[4] if arn.count(":") >= 5 else "", arn)


def _seen(used: datetime | None) -> dict[str, object]:
    return {"last_seen_at": used, "last_seen_basis": "report" if used else None}


def _service(entry: Entry, service: Fields, holder: str | None, made: datetime | None, left: str | None) -> None:
    namespace = name(service.get("servicenamespace")) or name(service.get("servicename"))
    if namespace is None:
        return
    common = {"principal_id": holder, "grant_kind": "right", "effect": "allow", "origin": "service_last_accessed",
              "as_of": made, "unmapped": left}
    entry.add(tables.ENTITLEMENTS, privilege=namespace, last_used_at=parse_time(service.get("lastauthenticated")),
              **common)
    for action in objects(service.get("trackedactionslastaccessed")):
        operation = name(action.get("actionname"))
        if operation is not None:
            entry.add(tables.ENTITLEMENTS, privilege=f"{namespace}:{operation}",
                      last_used_at=parse_time(action.get("lastaccessedtime")), **common)


def _last_users(services: list[Fields]) -> dict[str, datetime]:
    """Who a report names as the last to use something, and when."""
    latest: dict[str, datetime] = {}
    for service in services:
        uses = [(service.get("lastauthenticatedentity"), service.get("lastauthenticated")), *(
            (action.get("lastaccessedentity"), action.get("lastaccessedtime"))
            for action in objects(service.get("trackedactionslastaccessed")))]
        for who, when in uses:
            arn, at = name(who), parse_time(when)
            if arn is not None and at is not None:
                latest[arn] = max(latest.get(arn, at), at)
    return latest


def _user(entry: Entry, arn: str, used: datetime) -> None:
    who = caller(arn)
    if who is not None:
        entry.add(tables.IDENTITY_FACTS, **who.fact(**_seen(used), kind_basis="named as the last to use a service"))


def _entity(entry: Entry, entity: Fields) -> None:
    """A principal that may use a service: the report states its immutable id beside its ARN."""
    info = obj(entity.get("entityinfo"))
    arn = name(info.get("arn"))
    who, native = caller(arn), name(info.get("id"))
    if who is None:
        return
    stated = {"id": identity_id(PROVIDER, who.account, native)} if native else {}
    used = None if who.subkind == "iam_group" else parse_time(entity.get("lastauthenticated"))
    entry.add(tables.IDENTITY_FACTS, **who.fact(
        **_seen(used), **stated, kind_basis="listed as one that may use a service"))
