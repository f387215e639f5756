"""Azure: the activity log of subscriptions and resource logs such as those of key vaults and storage accounts.

Shapes  activity log of the REST API, CLI and PowerShell (values with ``localizedValue``); diagnostic settings to an
        event hub or storage (``records``, lines); Log Analytics rows (``AzureActivity``, ``AzureDiagnostics``,
        ``AZKVAuditLogs``, ``StorageBlobLogs``), JSON or CSV; resource logs with ``resourceId`` and ``operationName``,
        among them Key Vault ``AuditEvent``; test-suite envelopes.
Maps    every event with a time to ``activity``; callers to ``identity_facts``; changes of role assignments and
        definitions, policies, locks, vault objects, managed identities, diagnostic settings, requests of privileged
        identity management, alerts and the advisor's recommendations to ``decision_steps``; tokens with which an agent
        acts for a user to ``delegations``.
Drops   request and response bodies but for the hash of what was set; descriptions and messages; uris; cluster audit
        records (``kube-audit``), rejected as ``out_of_scope``: they are the cluster's log in another envelope; the
        portal's CSV is not read, it holds neither ids nor callers' objects.
Schema  activity log of 2015-04-01 and later, resource logs as of 2024; unknown top-level keys are ``unmapped``.

Callers are principals of Entra: ``entra:<tenant>:<object id>``, the tenant being the directory of the caller's token.
Records of an event hub state no event id; their content stands for it, so that an event from there and the same event
from the REST API are two records. Operations of the resource manager are in lower case: their case differs from shape
to shape and means nothing. One call leaves several records (started, accepted, ended): begun ones have the outcome
``unknown`` and are no steps. The HTTP status decides the outcome where it is stated: a vault calls refused calls
``Success``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics import tables
from lineage_analytics.loaders import _governance as gov
from lineage_analytics.loaders._azure_record import (
    Caller,
    Event,
    agent_fact,
    caller_of,
    event_of,
    extras,
    fact,
    ip_of,
    is_read,
    observed,
    unwrapped,
)
from lineage_analytics.loaders._azure_steps import add_steps, body, correlation_of
from lineage_analytics.loaders._entra_claims import moment, scopes
from lineage_analytics.loaders._governance import PROVIDER
from lineage_analytics.loaders.common.assembly import RecordFault, assemble
from lineage_analytics.loaders.common.contract import Match
from lineage_analytics.loaders.common.delegated import lend
from lineage_analytics.loaders.common.packings import csv_columns, head_keys
from lineage_analytics.loaders.common.values import Fields, embedded, fold, name, obj, text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from lineage_analytics.loaders.common.assembly import Entry
    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document, Sample

__all__ = ["LATENESS", "PROVIDER", "detect", "extract", "transform"]

LATENESS = timedelta(hours=1)
FEEDS = frozenset({"activity", "decision_steps", "delegations", "identity_facts"})
SOURCE = "azure_activity"

_ROWS = frozenset({"operationnamevalue", "activitystatusvalue", "categoryvalue"})
_TABLES = (frozenset({"subscriptionid", "resourceid", "resourceprovider"}),
           frozenset({"httpstatuscode", "requesturi", "identity"}),
           frozenset({"accountname", "objectkey", "requesterobjectid"}))
_FOREIGN = frozenset({"activitydisplayname", "userprincipalname", "initiatedby"})
_TRIALS = ("/whatif/action", "/validate/action")
_KNOWN = gov.known(
    "caller channels correlationid description eventdataid eventtimestamp id operationid resourcegroupname resourceid "
    "submissiontimestamp subscriptionid tenantid time calleripaddress operationversion resulttype resultsignature "
    "resultdescription location resource resourcegroup resourceprovider type timegenerated sourcesystem "
    "operationnamevalue activitystatusvalue activitysubstatusvalue activitystatus activitysubstatus categoryvalue "
    "eventsubmissiontimestamp resourceprovidervalue hierarchy uri statustext protocol schemaversion servicetype "
    "tenantgeo releaseversion _resourceid accountname objectkey useragentheader requesterobjectid requesterappid "
    "requesterupn requestertenantid authenticationtype id_s requesturi_s clientinfo_s eventsource rolelocation "
    "eventchannels",
    "authorization claims category eventname level operationname properties relatedevents resourceprovidername "
    "status substatus httprequest identity durationms statuscode authorization_d claims_d properties_d httprequest_d "
    "eventproperties httpstatuscode httpstatuscode_d resourcetype")


def detect(sample: Sample) -> Match | None:
    """Activity log records by their ids and operations; resource logs by resource id and operation."""
    columns = csv_columns(sample)
    if columns:
        return _table(columns)
    if sample.first is None:
        held = head_keys(sample)
        return Match("json", 0.8, "eventDataId in a first record longer than the head") if {
            "eventdataid", "operationname"} <= held else None
    why = _why(unwrapped(gov.first_of(sample)))
    return Match("json", why[0], why[1]) if why else None


def _table(columns: frozenset[str]) -> Match | None:
    if _ROWS & columns and "correlationid" in columns:
        return Match("csv", 0.95, "AzureActivity rows: OperationNameValue")
    known = {"operationname", "timegenerated"} <= columns and any(needed <= columns for needed in _TABLES)
    return Match("csv", 0.9, "rows of a resource log") if known and not _FOREIGN & columns else None


def _why(row: Fields) -> tuple[float, str] | None:
    if len(_ROWS & row.keys()) > 1:
        return 0.95, "a row of AzureActivity"
    if "operationname" not in row or row.keys() & _FOREIGN:
        return None
    operation = embedded(row["operationname"])
    if {"eventtimestamp", "eventdataid"} <= row.keys() and (isinstance(operation, dict) or "authorization" in row):
        return 0.95, "an activity log record of the REST API"
    category = embedded(row.get("category"))
    category = text(fold(category).get("value") if isinstance(category, dict) else category) or ""
    resource = (text(row.get("resourceid")) or text(row.get("_resourceid")) or "").lower()
    if category.lower().startswith("kube-") or "microsoft.aadiam" in resource:
        return None
    if resource.startswith(("/subscriptions/", "/providers/")) and (category or "resulttype" in row):
        return 0.9, "operationName and an Azure resource id"
    stored = category in ("StorageRead", "StorageWrite", "StorageDelete")
    return (0.9, "a storage account's log") if stored else None


def extract(document: Document) -> Iterator[Chunk]:
    """Rows and records as they stand in the file."""
    return gov.raw_chunks(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, callers and steps of one chunk."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    event = event_of(entry.fields)
    if event.category.lower().startswith("kube-"):
        raise RecordFault("out_of_scope", "a cluster's audit record in an Azure envelope", "rejected")
    if event.operation == "unknown":
        raise RecordFault("no_operation", "operationName is missing or no text")
    time = entry.moment(event.time, "time")
    entry.identify(PROVIDER, event.tenant, f"azure/{event.event_id}" if event.event_id else gov.revision(
        None, "azure", event.fields), within="")
    caller = caller_of(event)
    if caller.id is not None:
        entry.add(tables.IDENTITY_FACTS, **fact(caller))
    if caller.via is not None:
        entry.add(tables.IDENTITY_FACTS, **agent_fact(caller))
        _lent(entry, event, caller, time)
    if event.change.startswith("microsoft.authorization/role"):
        _beneficiary(entry, body(event))
    correlation = correlation_of(event)
    entry.add(
        tables.ACTIVITY, time=time, actor_id=caller.id, via_assistant_id=caller.via,
        delegation_kind="obo_token" if caller.via else None,
        delegation_trust="provider_asserted" if caller.via else None,
        action=event.operation, resource_id=event.resource,
        extra_resource_ids=extras(event) or None, outcome=event.outcome, error_code=event.error,
        is_read=is_read(event), is_dry_run=True if event.change.endswith(_TRIALS) else None, ip=ip_of(event),
        client=_client(event), credential_id=name(event.claims.get("uti")),
        correlation_id=correlation, event_id=event.event_id or entry.record_id, observed_time=observed(event),
        effect_delta=None, unmapped=entry.leftovers(_KNOWN, event.fields))
    add_steps(entry, event, caller, time)


def _lent(entry: Entry, event: Event, caller: Caller, time: datetime | None) -> None:
    """The user's token with which an agent acts: steps name it by its id."""
    claims = event.claims
    lend(entry, [(caller.id, caller.via)], kind="token", uid=name(claims.get("uti")), time=time,
         issuer=name(claims.get("iss")), scopes=scopes(claims),
         audience=[held] if (held := name(claims.get("aud"))) is not None else None,
         created_at=moment(claims, "iat"), expires_at=moment(claims, "exp"), event_id=event.event_id or entry.record_id)


def _beneficiary(entry: Entry, held: Fields) -> None:
    """Whom a role assignment is for, with the type the request states."""
    gov.seen(entry, held.get("principalid"), text(held.get("principaltype")) or "", basis="principalType")


def _client(event: Event) -> str | None:
    found: Any = event.properties.get("clientinfo") or event.properties.get("useragentheader") or event.fields.get(
        "useragentheader") or event.fields.get("clientinfo_s") or obj(event.fields.get("httprequest")).get("useragent")
    return text(found)
