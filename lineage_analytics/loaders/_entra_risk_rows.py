"""Rows out of risk records: detections and the risk state of principals as activity, signals and verdicts on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lineage_analytics import tables
from lineage_analytics.loaders._entra_opened import PROVIDER, Opened, wanted
from lineage_analytics.loaders._entra_people import Principal, known, service_principal, state, user
from lineage_analytics.loaders.common.assembly import assemble
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import name, native, text

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.loaders.common.assembly import Entry
    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document

SOURCE = "entra_risk"

_RAISED = frozenset({"atrisk", "confirmedcompromised"})
# riskDetail in lower case: verdict on the signal, capacity in which it was given, agent class.
VERDICTS: dict[str, tuple[str, str | None, str]] = {
    "adminconfirmedsigninsafe": ("deny", "reviewer", "unknown"),
    "adminconfirmedsignincompromised": ("approve", "reviewer", "unknown"),
    "admindismissedallriskforuser": ("deny", "reviewer", "unknown"),
    "admindismissedriskforsignin": ("deny", "reviewer", "unknown"),
    "admindismissedallriskforserviceprincipal": ("deny", "reviewer", "unknown"),
    "adminconfirmedusercompromised": ("approve", "reviewer", "unknown"),
    "adminconfirmedserviceprincipalcompromised": ("approve", "reviewer", "unknown"),
    "adminconfirmedaccountsafe": ("deny", "reviewer", "unknown"),
    "adminconfirmedagentsafe": ("deny", "reviewer", "unknown"),
    "adminconfirmedagentcompromised": ("approve", "reviewer", "unknown"),
    "admindismissedallriskforagent": ("deny", "reviewer", "unknown"),
    "aiconfirmedsigninsafe": ("deny", "system", "automation"),
    "m365dadmindismisseddetection": ("deny", "reviewer", "unknown"),
}

KNOWN = known(
    "id requestid source detectiontimingtype activity ipaddress location activitydatetime detecteddatetime "
    "lastupdateddatetime userid userdisplayname userprincipalname additionalinfo tokenissuertype resourcetenantid "
    "hometenantid usertype crosstenantaccesstype mitretechniqueid mitretechniques serviceprincipalid "
    "serviceprincipaldisplayname appid keyids displayname risklastupdateddatetime isdeleted isprocessing isenabled "
    "isguest serviceprincipaltype accountenabled agentid agentdisplayname agentidentityblueprintid blueprintid "
    "identitytype initiatedby history @odata.type", riskstate="string", risklevel="string", riskdetail="string",
    riskeventtype="string", risktype="string")


class _Subject(NamedTuple):
    principal: Principal
    kind: str


def read_chunk(chunk: Chunk, document: Document) -> Batch:
    """Activity, identity facts and steps of one chunk of risk records; records of other logs are out of scope."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    found = wanted(entry.fields, "risk")
    detection = found.name("riskeventtype", "risktype")
    event = name(found.get("id"))
    updated = text(found.get("lastupdateddatetime", "risklastupdateddatetime"))
    moment = parse_time(updated)
    stamp = moment.isoformat() if moment else updated or ""
    entry.identify(PROVIDER, found.tenant, f"risk/{native(event)}|{stamp}" if event else None, within="")
    time = entry.moment(found.get("detecteddatetime", "activitydatetime", "risklastupdateddatetime",
                                "lastupdateddatetime", "time", "timegenerated"), "detectedDateTime")
    subject = _subject(found, detected=detection is not None)
    if subject is not None:
        state(entry, subject.principal)
    risk_state = text(found.get("riskstate")) or "unknown"
    operation = f"riskDetection:{detection[:60]}" if detection else f"riskState:{risk_state[:60]}"
    entry.add(
        tables.ACTIVITY, time=time, action=operation,
        resource_id=subject.principal.id(entry.tenant) if subject else None, outcome="unknown",
        ip=found.name("ipaddress") if detection else None, event_id=event,
        correlation_id=native(name(found.payload.get("correlationid"))),
        unmapped=entry.leftovers(KNOWN, found.payload))
    target = f"{PROVIDER}:{entry.tenant or ''}:{subject.kind}/{subject.principal.native}" if subject else None
    _steps(entry, found, operation, target, time, moment)


def _steps(
    entry: Entry, found: Opened, operation: str, target: str | None, time: datetime | None, updated: datetime | None
) -> None:
    """The signal, and the verdict on it where one has been given."""
    event = name(found.get("id"))
    request = found.name("requestid")
    level, detail = text(found.get("risklevel")), text(found.get("riskdetail"))
    is_detection = operation.startswith("riskDetection")
    common = {
        "operation": operation, "target_key": target, "native_key_kind": "signin_id" if request else None,
        "native_key": request, "correlation_id": native(name(found.payload.get("correlationid"))), "event_id": event,
    }
    if is_detection or (text(found.get("riskstate")) or "").lower() in _RAISED:
        entry.step("signal", kind="signal", time=time, actor_class="automation",
                   actor_class_basis="risk is detected by Identity Protection",
                   title=f"{operation} ({level})" if level else operation, **common)
    verdict = VERDICTS.get((detail or "").lower())
    if verdict is not None:
        decider = found.name("initiatedby")
        entry.step("verdict", kind="decision", time=updated or time, verdict=verdict[0], capacity=verdict[1],
                   actor_id=identity_id(PROVIDER, entry.tenant, decider) if decider else None,
                   decided_value=detail, actor_class=verdict[2], actor_class_basis=f"riskDetail {detail}",
                   title=f"{operation}: {detail}", **common)


def _subject(found: Opened, *, detected: bool) -> _Subject | None:
    """Whom the risk is of. The id of a detection is its own, that of a risky principal the principal's."""
    agent = found.name("agentid")
    if agent is not None or _type(found).startswith(("agentrisk", "riskyagent")):
        native_id = agent or (None if detected else found.name("id"))
        made = service_principal(native_id, None, found.get("agentdisplayname", "displayname"))
        return made and _Subject(made._replace(
            kind="ai_agent", subkind="agent_identity", basis="a risk record of an agent",
            parent=found.name("agentidentityblueprintid", "blueprintid")), "service_principal")
    service = found.name("serviceprincipalid")
    listed = "serviceprincipal" in _type(found) or "serviceprincipaltype" in found.payload
    if service is None and not detected and listed:
        service = found.name("id")
    if service is not None:
        made = service_principal(service, found.name("appid"), found.get("serviceprincipaldisplayname", "displayname"))
        return made and _Subject(made, "service_principal")
    person = found.name("userid") or (None if detected else found.name("id"))
    made = user(person, found.get("userprincipalname"), found.get("userdisplayname"),
                guest=(text(found.get("usertype")) or "").lower() == "guest")
    return made and _Subject(made, "user")


def _type(found: Opened) -> str:
    stated = (text(found.payload.get("@odata.type")) or "").lower().rsplit(".", 1)[-1]
    return stated or found.category.removeprefix("aad")


