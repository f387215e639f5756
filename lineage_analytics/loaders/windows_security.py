"""Windows Security log: accounts, groups, rights, directory objects and sign-ins of Active Directory (sources 9.4).

Shapes  EVTX files (extra ``lineage-analytics[evtx]``; without it such a file is one fault ``missing_extra``); Event
        XML, and as JSON (``Event.System``, ``EventData`` by key or as ``Data`` elements); Winlogbeat and Elastic Agent
        of any version, also with dotted keys, under ``_source`` and as Kibana shows them; Wazuh; NXLog and other flat
        JSON; Sentinel ``SecurityEvent`` and ``WindowsEvent`` as JSON or CSV.
Maps    sign-ins, Kerberos and NTLM validations, changes of accounts, groups, rights, trusts, policies and directory
        objects, use of directory objects, services and tasks to ``activity``; changes to ``decision_steps``; whoever is
        named by SID to ``identity_facts``.
Drops   every other event (Sysmon, processes, shares, network, token and handle events), rejected as ``out_of_scope``
        by number and provider; values of directory attributes, kept as hashes, and of descriptions and passwords not
        even so; names typed in failed sign-ins without a SID; messages; contents of tasks.
Schema  Windows Server 2008 to 2025; unknown values of an event are ``unmapped``.

Ids are SIDs (``ad:<domain SID>:<SID>``). A well-known SID is that of the computer which logged it, because an event
does not say whether that is a domain controller. Kerberos service tickets and NTLM validations name no SID: where they
succeeded, the account is ``ad::<name>@<domain>``. The name alone, a dollar sign included, is no evidence of a kind.

A record is known by computer, channel, record number and second, so that one event is one record out of EVTX and out
of a collector that keeps those; Sentinel's older table keeps no number, its rows go by their own id. NXLog writes
local times; the zone is learned from the record's time of receipt, where it has one in both, else taken as UTC.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics import tables
from lineage_analytics.loaders import _ad_ids as ids
from lineage_analytics.loaders import _windows_people as people
from lineage_analytics.loaders._windows_events import RULES, Rule
from lineage_analytics.loaders._windows_evtx import MAGIC, evtx_chunks
from lineage_analytics.loaders._windows_record import SECURITY, Event, event_of
from lineage_analytics.loaders._windows_steps import Change, change_of
from lineage_analytics.loaders._windows_values import KNOWN
from lineage_analytics.loaders._windows_xml import is_events, xml_chunks
from lineage_analytics.loaders.common.assembly import Entry, RecordFault, assemble
from lineage_analytics.loaders.common.contract import Batch, Chunk, Match
from lineage_analytics.loaders.common.leftovers import unmapped
from lineage_analytics.loaders.common.packings import csv_columns, json_or_array_chunks, row_chunks
from lineage_analytics.loaders.common.times import zone_of
from lineage_analytics.loaders.common.values import guid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from lineage_analytics.loaders.common.contract import Document, Sample

PROVIDER = "ad"
LATENESS = timedelta(hours=1)
FEEDS = frozenset({"activity", "decision_steps", "identity_facts"})
SOURCE = "windows_security"

_CLEARED = 1102
_SIGN_INS = frozenset({"signin", "explicit", "ticket"})
_SHOWN = re.compile(r"[^\w .\-/]")
_CSV = frozenset({"channel", "eventsourcename", "eventdata", "provider"})
_NUMBER = re.compile(r"\d{1,18}")
_ZERO_STATUS = frozenset({"0x0", "0"})


def detect(sample: Sample) -> Match | None:
    """EVTX by its magic; JSON and CSV by an event number with the provider or channel of a Windows log."""
    if sample.head.startswith(MAGIC):
        return Match("evtx", 0.98, "begins as an EVTX file")
    if is_events(sample.head):
        return Match("xml", 0.97, "XML of Windows events")
    columns = {column.removesuffix(" [utc]") for column in csv_columns(sample)}
    if {"eventid", "computer", "timegenerated"} <= columns and columns & _CSV:
        return Match("csv", 0.92, "columns EventID, Computer and TimeGenerated with a channel or provider")
    event = event_of(sample.first) if sample.first is not None else None
    if event is None:
        return None
    windows = event.provider.startswith("microsoft-windows") or event.channel.startswith("microsoft-windows")
    if windows or event.channel in ("security", "system", "application"):
        return Match("json", 0.92, "events with the number and provider or channel of a Windows log")
    return None


def extract(document: Document) -> Iterator[Chunk]:
    """Events as JSON, out of whatever the file is."""
    if document.shape == "evtx":
        return evtx_chunks(document)
    if document.shape == "xml":
        return xml_chunks(document)
    return row_chunks(document) if document.shape == "csv" else json_or_array_chunks(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, seen identities and steps of one chunk."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    event = event_of(entry.fields)
    if event is None:
        raise RecordFault("unknown_object", "wanted a Windows event with its number")
    if event.computer and event.channel and _NUMBER.fullmatch(event.number or ""):
        entry.counted.add(f"{event.computer}/{event.channel}".lower(), int(event.number or ""))
    rule = RULES.get(event.id)
    ours = event.provider == SECURITY or (not event.provider and event.channel == "security")
    if rule is None or not (ours or event.id == _CLEARED):
        where = _SHOWN.sub("?", event.provider or event.channel)[:80]
        raise RecordFault("out_of_scope", f"event {event.id} of {where}", "rejected")
    time = entry.time(event.time, "time of the event")
    _identify(entry, event, time)
    succeeded = _succeeded(event, rule)
    if rule.group in _SIGN_INS:
        _sign_in(entry, event, rule, time, succeeded)
    else:
        _change(entry, event, rule, time, succeeded)


def _identify(entry: Entry, event: Event, time: datetime) -> None:
    """The domain of the account that is meant, else of who acted; the record by where and as what it was logged."""
    tenant = next((found for key in ("targetsid", "targetusersid", "subjectusersid", "membersid")
                   if (found := ids.domain_of(event.value(key)))), None)
    where = (event.computer or "").lower()
    native = f"{event.channel}/{event.number}/{int(time.timestamp())}" if event.number and where else event.origin
    entry.identify(PROVIDER, tenant, native, within=where)


def _succeeded(event: Event, rule: Rule) -> bool | None:
    """By the audit keyword, else by what the event says by being logged, else by its status."""
    if event.audit is not None:
        return event.audit
    status = event.value("status", "failurecode")
    return rule.always if rule.always is not None else None if status is None else status.lower() in _ZERO_STATUS


def _outcome(event: Event, succeeded: bool | None) -> dict[str, Any]:
    codes = (event.value(key) for key in ("substatus", "status", "failurecode"))
    code = None if succeeded else next((code for code in codes if code and code.lower() not in _ZERO_STATUS), None)
    outcome = "unknown" if succeeded is None else "success" if succeeded else "failure"
    return {"outcome": "denied" if outcome == "failure" and event.id == 4662 else outcome, "error_code": code}


def _activity(entry: Entry, event: Event, rule: Rule, time: datetime, **cells: Any) -> None:
    stated = {key: held for key, held in event.data.items() if held not in (None, "", "-")}
    entry.add(
        tables.ACTIVITY, time=time, action=f"{event.id} {rule.title}", ip=_address(event), event_id=_native(event),
        unmapped=unmapped(stated, KNOWN), **cells)


def _native(event: Event) -> str | None:
    return f"{event.computer.lower()}/{event.number}" if event.computer and event.number else event.origin


def _address(event: Event) -> str | None:
    found = event.value("ipaddress", "clientaddress", "sourceaddress")
    return found.removeprefix("::ffff:") if found else None


def _session(event: Event, *keys: str) -> str | None:
    found = event.value(*keys)
    return None if found is None or found.lower() in _ZERO_STATUS else f"{event.computer or ''}/{found}".lower()


def _sign_in(entry: Entry, event: Event, rule: Rule, time: datetime, succeeded: bool | None) -> None:
    if rule.group == "explicit":
        who: people.Who | None = people.subject(event)
        other = people.by_name(event, event.value("targetusername"), event.value("targetdomainname"))
        resource, extra = people.see(entry, other), None
        actor = people.see(entry, who, event.value("subjectusername"), event.value("subjectdomainname"))
    else:
        who = people.signing_in(event, succeeded=bool(succeeded))
        actor = people.see(entry, who, event.value("targetusername"), event.value("targetdomainname"))
        service = people.by_sid(event, event.value("servicesid"), event.value("servicename"), None)
        resource = people.see(entry, service) or people.host_id(event)
        extra = [host] if service and (host := people.host_id(event)) else None
    _activity(
        entry, event, rule, time, actor_id=actor, resource_id=resource, extra_resource_ids=extra, is_read=rule.read,
        actor_session_id=_session(event, *(("subjectlogonid",) if rule.group == "explicit" else ("targetlogonid",))),
        correlation_id=guid(event.value("logonguid")) or event.activity, **_outcome(event, succeeded))


def _change(entry: Entry, event: Event, rule: Rule, time: datetime, succeeded: bool | None) -> None:
    change, who = change_of(event, rule), people.subject(event)
    actor = people.see(entry, who, event.value("subjectusername"), event.value("subjectdomainname"))
    for number, named in enumerate(change.named):
        own = number == 0 and event.id != 4740  # where the domain of a lockout is the computer it came from
        people.see(entry, named, event.value("targetusername", "newtargetusername") if own else None,
                   event.value("targetdomainname") if own else None)
    outcome = _outcome(event, succeeded)
    _activity(
        entry, event, rule, time, actor_id=actor, actor_session_id=_session(event, "subjectlogonid"),
        resource_id=change.resource, extra_resource_ids=list(change.extra) or None, effect_delta=change.delta,
        is_read=change.read if rule.read is not False else False,
        correlation_id=change.correlation or event.activity, **outcome)
    if rule.verb:
        _step(entry, event, rule, time, change, who, outcome["outcome"])


def _step(entry: Entry, event: Event, rule: Rule, time: datetime, change: Change, who: people.Who | None,
          outcome: str) -> None:
    failed = outcome in ("failure", "denied")
    entry.step(
        "action", kind="attempt" if failed else "action", time=time, operation=f"{event.id} {rule.title}",
        time_zone=zone_of(stated) if (stated := event.data.get("eventtime")) is event.time else None,
        status="failed" if failed else "succeeded" if outcome == "success" else "unknown",
        actor_id=who.id if who else None, initiator_id=who.id if who else None,
        actor_class=who.agent_class if who else "unknown", actor_class_basis=who.basis if who else None,
        authority_mode="own_identity" if who and who.agent_class == "workload" else "unknown",
        target_key=change.key, effect_key=f"{change.verb or rule.verb}({change.key})" if change.key else None,
        before_state=change.before, after_state=change.after, event_id=_native(event),
        native_key_kind="ad_operation_id" if change.correlation else None, native_key=change.correlation,
        correlation_id=change.correlation or event.activity,
        title=f"{rule.title}: {change.about}"[:200] if change.about else rule.title)
