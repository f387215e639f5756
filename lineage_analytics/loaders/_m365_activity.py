"""The activity rows of unified-audit records: who did what to which resource, through which assistant, how it ended."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from lineage_analytics import tables
from lineage_analytics.loaders._m365_copilot import (
    accessed_ids,
    acting_assistant,
    agent_of,
    assistant_of,
    is_interaction,
    named_agent,
    payload_of,
)
from lineage_analytics.loaders._m365_record import PROVIDER, Record
from lineage_analytics.loaders._m365_steps import AGENT_SETTINGS
from lineage_analytics.loaders._m365_urls import resource_key, site_address
from lineage_analytics.loaders.common.columns import raw_refs
from lineage_analytics.loaders.common.ids import identity_id, record_ids
from lineage_analytics.loaders.common.values import flag, guid, name, obj, pairs, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lineage_analytics.loaders._m365_actor import Actor
    from lineage_analytics.loaders.common.contract import Document

_LABELS = (("before", "oldsensitivitylabel"), ("before", "oldsensitivitylabelid"), ("after", "sensitivitylabel"),
           ("after", "sensitivitylabelid"))
_LABELLED = frozenset({"sensitivitylabeleventdata", *(column for _, column in _LABELS)})
_CODE = re.compile(r"[A-Za-z0-9_.:-][A-Za-z0-9_.: -]{0,79}")
_OUTCOMES = {
    "succeeded": "success", "success": "success", "true": "success", "partiallysucceeded": "partial",
    "failed": "failure", "failure": "failure", "false": "failure",
}
_READS = frozenset({
    "fileaccessed", "fileaccessedextended", "filepreviewed", "filedownloaded", "filevisited", "pageviewed",
    "pageviewedextended", "mailitemsaccessed", "searchqueryperformed", "searchresultreturned", "viewreport",
    "filesyncdownloadedfull", "filesyncdownloadedpartial", "userloggedin", "userloginfailed",
})


def activity(
    kept: Sequence[Record], actors: Sequence[Actor], when: pl.Series, document: Document, source: str
) -> pl.DataFrame:
    """The ACTIVITY rows of these records."""
    tenants = [record.tenant for record in kept]
    natives = [record.native_id for record in kept]
    outcomes = [_outcome(record) for record in kept]
    assisted = [is_interaction(record) for record in kept]
    resources = [_resources(record, is_one) for record, is_one in zip(kept, assisted, strict=True)]
    through = [_through(record, is_one) for record, is_one in zip(kept, assisted, strict=True)]

    def column(values: list[str | None]) -> pl.Series:
        return pl.Series(values, dtype=pl.String)

    found = pl.DataFrame({
        "time": when,
        "actor_id": column([actor.id for actor in actors]),
        "actor_session_id": column([name(record.context.get("aadsessionid")) for record in kept]),
        "action": column([f"{PROVIDER}:{record.operation}" for record in kept]),
        "via_assistant_id": column(through),
        "delegation_kind": column(["platform_field" if via else None for via in through]),
        "delegation_trust": column(["provider_asserted" if via else None for via in through]),
        "resource_id": column([next(iter(named), None) for named in resources]),
        "effect_delta": column([relabelled(record.fields) for record in kept]),
        "extra_resource_ids": pl.Series([sorted(named[1:]) or None for named in resources], dtype=pl.List(pl.String)),
        "outcome": column([outcome for outcome, _ in outcomes]),
        "error_code": column([error for _, error in outcomes]),
        "is_read": pl.Series([True if record.operation.lower() in _READS else None for record in kept],
                             dtype=pl.Boolean),
        "ip": column([_ip(record) for record in kept]),
        "client": column([_client(record) for record in kept]),
        "credential_id": column([name(record.context.get("uniquetokenid")) for record in kept]),
        "correlation_id": column([_correlation(record) for record in kept]),
        "event_id": column(list(natives)),
        "unmapped": column([record.unmapped for record in kept]),
        "tenant": column(tenants),
        "record_id": record_ids(PROVIDER, tenants, natives),
        "raw_ref": raw_refs(document, [record.position for record in kept]),
    }).with_columns(pl.lit(PROVIDER).alias("provider"), pl.lit(source).alias("source"))
    return tables.conform(found, tables.ACTIVITY)


def _through(record: Record, is_one: bool) -> str | None:
    """The agent, or the assistant, that the record itself says did this for its user."""
    if is_one:
        payload = payload_of(record)
        found = agent_of(record, payload) or assistant_of(record, payload)
    else:
        stated = named_agent(record) if record.record_type not in AGENT_SETTINGS else None
        found = stated or acting_assistant(record)
    return identity_id(PROVIDER, record.tenant, found) if found else None


def _resources(record: Record, is_one: bool) -> list[str]:
    """What the record names, each once: its object first, then what an assistant accessed, or where a file went."""
    named = [resource_key(name(record.fields.get("objectid")))]
    if is_one:
        named += accessed_ids(record)
    elif (moved := name(record.fields.get("destinationfilename"))) is not None:
        site, folder = (name(record.fields.get(key)) or "" for key in ("siteurl", "destinationrelativeurl"))
        named.append(site_address("/".join(part.strip("/") for part in (site, folder, moved) if part)))
    return list(dict.fromkeys(found for found in named if found is not None))


def relabelled(fields: Mapping[str, Any]) -> str | None:
    """The sensitivity label before and after, where a record is about one. Empty is none, missing is unknown."""
    if _LABELLED.isdisjoint(fields):
        return None
    nested = obj(fields.get("sensitivitylabeleventdata"))
    stated = {key: source[column] for key, column in _LABELS for source in (nested, fields) if column in source}
    known = {key: guid(name(held)) for key, held in stated.items() if held == "" or guid(text(held)) is not None}
    return msgspec.json.encode({"label": known}, order="sorted").decode() if any(known.values()) else None


def _outcome(record: Record) -> tuple[str, str | None]:
    """Outcome and error. ``Succeeded`` of a sign-in only says that HTTP worked: ``LogonError`` decides."""
    error = name(record.fields.get("logonerror")) or _error_number(record)
    if error is not None or record.operation.lower() == "userloginfailed":
        return "failure", error or "UserLoginFailed"
    stated = text(record.fields.get("resultstatus"))
    if stated is None:
        works = flag(record.fields.get("issuccess"))
        return ("failure", "IsSuccess false") if works is False else ("success", None)
    outcome = _OUTCOMES.get(stated.lower(), "unknown")
    return outcome, stated if outcome != "success" and _CODE.fullmatch(stated) else None


def _error_number(record: Record) -> str | None:
    found = name(record.fields.get("errornumber"))
    return found if found not in (None, "0") and record.record_type == 15 else None


def _ip(record: Record) -> str | None:
    """The client address without port, brackets or the ``ffff:`` of a mapped address."""
    found = name(record.fields.get("clientip")) or name(record.fields.get("clientipaddress"))
    if found is None:
        return None
    if found.startswith("["):
        found = found[1:].partition("]")[0]
    elif found.count(":") == 1 and "." in found.partition(":")[0]:
        found = found.partition(":")[0]
    low = found.lower()
    mapped = next((low.removeprefix(lead) for lead in ("::ffff:", "ffff:") if low.startswith(lead)), low)
    return mapped if "." in mapped and ":" not in mapped else found


def _client(record: Record) -> str | None:
    stated = name(record.fields.get("useragent")) or name(record.fields.get("clientinfostring"))
    return stated or next(iter(pairs(record.fields.get("extendedproperties")).get("useragent", ())), None) or None


def _correlation(record: Record) -> str | None:
    return (name(record.fields.get("correlationid")) or name(record.context.get("correlationid"))
            or name(record.fields.get("intersystemsid")))
