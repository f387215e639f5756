"""Policies a session was started with: what they leave out, the session may not do, whatever its role may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics import tables
from lineage_analytics.loaders import _iam_policy as policies
from lineage_analytics.loaders._cloudtrail_keys import STARTS
from lineage_analytics.loaders.common.sampling import decode_object
from lineage_analytics.loaders.common.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lineage_analytics.loaders._cloudtrail_record import Record

Row = dict[str, Any]
_SAID = (b'"policy"', b'"policyArns"')
_ORIGIN = "session_policy"


def session_limits(found: Sequence[Record], activity: pl.DataFrame) -> pl.DataFrame:
    """``entitlements`` of kind boundary, from the session's ARN to each policy it was started with, and the statements
    of one that was written into the call. Calls without a policy, by far the most, say nothing of a limit."""
    calls = (activity["action"].is_in(STARTS) & (activity["outcome"] == "success")).arg_true().to_list()
    rows = [row for call in calls if any(said in bytes(found[call].request) for said in _SAID)
            for row in _limits(found[call], activity.row(call, named=True))]
    if not rows:
        return tables.ENTITLEMENTS.empty()
    return pl.DataFrame(rows, schema=tables.ENTITLEMENTS.schema)


def _limits(record: Record, event: Row) -> Iterator[Row]:
    request, response = decode_object(record.request) or {}, decode_object(record.response) or {}
    user = response.get("assumedRoleUser") or response.get("federatedUser")
    session = str(user["arn"]) if isinstance(user, dict) and isinstance(user.get("arn"), str) else None
    if session is None:
        return
    credentials = response.get("credentials")
    until = parse_time(credentials.get("expiration")) if isinstance(credentials, dict) else None
    where = {name: event[name] for name in ("tenant", "provider", "source", "record_id", "raw_ref")}
    common = where | {"grant_kind": "boundary", "principal_id": f"aws:{event['tenant'] or ''}:{session}",
                      "effect": "allow", "state": "timebound", "granted_at": event["time"], "expires_at": until,
                      "origin": _ORIGIN}
    for arn in _arns(request.get("policyArns")):
        yield common | {"privilege": arn.rpartition("/")[2], "scope": policies.principal_id(arn, event["tenant"] or "")}
    if request.get("policy"):
        own = f"aws:{event['tenant'] or ''}:session-policy/{event['event_id']}"
        yield common | {"privilege": "session policy", "scope": own}
        document = policies.document(request["policy"])
        said = policies.statements(document, own, "session policy") if document else [
            policies.unreadable(own, "session policy")]
        yield from (where | statement for statement in said)


def _arns(value: object) -> list[str]:
    named = [one.get("arn") if isinstance(one, dict) else one for one in policies.listed(value)]
    return sorted(arn for arn in named if isinstance(arn, str))
