"""One unified-audit record out of whatever carries it: an API object, a CSV row, a Graph row, a Sentinel row."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lineage_analytics.loaders._m365_types import NUMBERS
from lineage_analytics.loaders.common import origin
from lineage_analytics.loaders.common.leftovers import unmapped
from lineage_analytics.loaders.common.sampling import decode_object
from lineage_analytics.loaders.common.times import unmistakable_time
from lineage_analytics.loaders.common.values import (
    Fields,
    embedded,
    fold,
    guid,
    name,
    native,
    obj,
    pairs,
    synthetic_id,
    text,
)

if TYPE_CHECKING:
    import msgspec

PROVIDER = "m365"
PAYLOADS = ("auditdata", "raweventdata", "log")

# What a wrapper row calls a field of the audit record, where the record itself does not state it.
_WRAPPER = {
    "id": ("recordid", "recordidentity", "identity", "id"),
    "creationtime": ("creationtime", "creationdate", "createddatetime", "timegenerated", "start_time"),
    "operation": ("operation", "operations"),
    "organizationid": ("organizationid",),
    "recordtype": ("recordtype", "auditlogrecordtype"),
    "userid": ("userid", "userids", "userprincipalname"),
    "usertype": ("usertype",),
    "objectid": ("objectid",),
    "clientip": ("clientip",),
    "workload": ("workload", "service"),
}
# Columns of Sentinel's OfficeActivity beside the names above; its TenantId is a workspace, not the organisation.
_SENTINEL = {
    "id": ("officeid", "sourcerecordid"),
    "creationtime": ("timegenerated",),
    "clientip": ("client_ipaddress", "clientip_"),
    "objectid": ("officeobjectid",),
    "userid": ("userid_",),
    "workload": ("officeworkload",),
    "organizationid": ("organizationid_",),
    "useragent": ("useragent_",),
}
# Columns of Sentinel's CopilotActivity and LLMActivity; the type of a record stands for the operation they leave out.
_AI_TABLES: dict[str, tuple[str, ...]] = {
    "id": ("recordid",),
    "creationtime": ("timegenerated",),
    "operation": ("recordtype",),
    "userid": ("actorname",),
    "userkey": ("actoruserid",),
    "usertype": ("actorusertype",),
    "clientip": ("srcipaddr",),
    "copilotlogversion": ("logversion",),
}
# Columns of Defender's CloudAppEvents, for rows without the audit record. ``ReportId`` ends in the record's id.
_AUDITED = ("office 365", "microsoft 365", "microsoft exchange", "microsoft sharepoint", "microsoft onedrive",
            "microsoft teams", "microsoft copilot", "microsoft power")
_DEFENDER = {
    "creationtime": ("timestamp",),
    "operation": ("actiontype",),
    "userid": ("userid", "accountid", "accountupn"),
    "clientip": ("ipaddress",),
    "workload": ("application",),
}
_DEFENDER_KEPT = frozenset({"userid", "useragent", "organizationid", "objectid"})
_SENTINEL_COLUMNS = frozenset({
    "tenantid", "timegenerated", "type", "sourcesystem", "resultreasontype", "officeid", "sourcerecordid",
    "officetenantid", "officetenantid_", "organizationid_", "userid_", "officeworkload", "client_ipaddress",
    "start_time", "elevationtime", "officeobjectid", "logon_type", "useragent_", "clientip_", "_resourceid",
    *(column for columns in _AI_TABLES.values() for column in columns), "llmeventdata", "aimodelname", "aimodelversion",
    "_billedsize", "_isbillable",
})
_USER_TYPES = {
    "regular": 0, "reserved": 1, "admin": 2, "dcadmin": 3, "system": 4, "application": 5, "serviceprincipal": 6,
    "custompolicy": 7, "systempolicy": 8, "partnertechnician": 9, "guest": 10,
}
_ANY = frozenset({
    *_WRAPPER, "userkey", "version", "resultstatus", "appaccesscontext", "copiloteventdata", "parameters",
    "modifiedproperties", "extendedproperties", "operationproperties", "eventdata", "useragent", "logonerror",
    "errornumber", "correlationid", "siteurl", "sourcefilename", "sourcerelativeurl", "targetuserorgroupname",
    "targetuserorgrouptype", "uniquesharingid", "itemtype", "eventsource", "appidentity", "agentid", "agentname",
    "agentversion", "clientregion", "copilotlogversion", "licensetype", "capacityid", "dlpevaluationdeferred",
    "dlpevaluationdeferredreason", "scope", "externalaccess", "organizationname", "originatingserver", "sessionid",
    "appid", "clientappid", "listitemuniqueid", "site", "webid", "listid", "sourcefileextension", "issuccess",
    "targetcontextid", "actorcontextid", "actor", "target", "intersystemsid", "intrasystemid", "clientinfostring",
    "mailboxguid", "mailboxownerupn", "mailboxownersid", "logonusersid", "logontype", "internallogontype",
    "applicationid", "applicationdisplayname", "azureactivedirectoryeventtype", "supportticketid",
    "clientipaddress", "members", "teamguid", "teamname", "promptext", "prompttext", "associatedadminunits",
    "associatedadminunitsnames", "administrativeunits", "botid", "botschemaname", "botcomponenttype",
    "automationid", "triggermode", "scenariotype",
    # the payload of an interaction where an export has flattened it
    "apphost", "threadid", "conversationid", "messages", "messageids", "contexts", "accessedresources",
    "aisystemplugin", "modeltransparencydetails", "targetagentname", "targetplatformagentid", "memoryupdated",
    "sensitivitylabels",
    # what newer records add
    "botcomponentid", "destinationfilename", "destinationrelativeurl", "sensitivitylabelid",
    "oldsensitivitylabelid",
    # alerts, investigations and threats
    "alertid", "alerttype", "alertlinks", "alertentityid", "entitytype", "policyid", "severity", "category", "source",
    "comments", "status", "data", "name", "actions", "deeplinkurl", "starttimeutc", "endtimeutc", "lastupdatetimeutc",
    "investigationid", "investigationname", "investigationtype", "runningtime", "detectiondate", "detectionmethod",
    "eventdeeplink", "filedata", "virusinfo", "virusvendor", "databasetype", "datatype", "relativeurl", "resultcount",
    "aadappid", "recipients", "subject", "senderip", "p1sender", "p1senderdomain", "p2sender", "p2senderdomain",
    "internetmessageid", "messagedate", "language", "submissionid", "submissiontype", "submissionstate", "submitterid",
    "submissionconfidencelevel", "submissioncontenttype", "submissioncontentsubtype", "rescanresult", "bclvalue",
    "filteringdate", "kesmailid",
    # mailboxes
    "item", "affecteditems", "folder", "folders", "destfolder", "destmailboxguid", "destmailboxownerupn",
    "destmailboxownersid", "crossmailboxoperation", "operationcount", "client", "clientprocessname", "clientversion",
    "clientrequestid", "actorinfostring", "mailboxownermasteraccountsid", "tokenobjectid", "tokentenantid", "tokentype",
    "authtype", "sendasuserguid", "sendasusersmtp", "sendonbehalfofuserguid", "sendonbehalfofusersmtp",
    # files, sign-ins and devices
    "authenticationtype", "browsername", "browserversion", "platform", "devicedisplayname", "ismanageddevice",
    "highprioritymediaprocessing", "listbasetype", "listservertemplate", "filesizebytes", "geolocation", "userdomain",
    "loginstatus", "actoripaddress", "resourcetenantid", "deviceproperties", "machineid", "machinedomaininfo",
    # Teams, Power BI, Forms, Viva Engage
    "messageid", "messageurls", "messageversion", "chatthreadid", "communicationtype", "extraproperties", "itemname",
    "participantinfo", "message", "activity", "activityid", "artifactid", "artifactkind", "artifactname", "appname",
    "appreportid", "capacityname", "consumptionmethod", "datasetid", "datasetname", "distributionmethod", "reportid",
    "reportname", "reporttype", "requestid", "workspaceid", "workspacename", "objecttype", "objectdisplayname",
    "experience", "operationid", "timestamp", "additionalinfo", "refreshenforcementpolicy", "formid", "formname",
    "formtype", "formsusertype", "sourceapp", "activityparameters", "actoryammeruserid", "fileid", "filename",
    "versionid", "yammernetworkid", "adminactiondetail", "userclaims",
}) | _SENTINEL_COLUMNS
# Keys with the JSON types they come in. Wrappers write objects and lists as text, and many keys differ by workload.
KNOWN = dict.fromkeys(_ANY, "") | dict.fromkeys(
    ("id", "creationtime", "operation", "organizationid", "userid", "userkey", "objectid", "workload"), "string number",
) | dict.fromkeys(("recordtype", "usertype", "version"), "string number")


class Record(NamedTuple):
    """One audit record, keys folded; ``fields`` holds everything, the named parts what every reader needs."""

    position: int
    fields: Fields
    native_id: str
    tenant: str | None
    time: str | None
    operation: str
    record_type: int | None
    login: str | None
    user_type: int | None
    context: Fields
    unmapped: str | None


class NoRecordError(ValueError):
    """The raw object is no audit record: a reason code and a sentence."""

    def __init__(self, reason: str, detail: str, disposition: str = "quarantined") -> None:
        super().__init__(detail)
        self.reason, self.detail, self.disposition = reason, detail, disposition


def decode(raw: bytes | msgspec.Raw, position: int) -> Record:
    """The record inside a raw object.

    Raises
    ------
    NoRecordError : broken JSON in a cell, or an object that is no audit record.
    """
    row = decode_object(raw)
    if row is None:
        raise NoRecordError("broken_json", "not a JSON object in valid UTF-8")
    return _record(_merged(fold(row)), position)


def _merged(row: Fields) -> Fields:
    """The audit record, completed by what its wrapper states and it does not."""
    key = next((key for key in PAYLOADS if key in row and not (key == "log" and "operation" in row)), None)
    if key is None:
        if "timegenerated" not in row:
            return row
        if "llmeventdata" not in row and "actoruserid" not in row:
            return _completed(row, row, _SENTINEL)
        stated = text(obj(row.get("llmeventdata")).get("operation"))
        return _completed({**row, "operation": stated or row.get("operation")}, row, _AI_TABLES)
    payload = embedded(row[key])
    if key == "raweventdata" and payload in (None, "", {}):
        return _from_defender(row)
    if not isinstance(payload, dict):
        wanted = "is empty" if payload in (None, "") else "is not a JSON object"
        raise NoRecordError("broken_json", f"the audit record in {key} {wanted}")
    inner = fold(payload)
    if key == "raweventdata" and text(inner.get("operation")) is None:
        raise NoRecordError("out_of_scope", "an event of another application", "rejected")
    if key == "log" or any(nested in inner for nested in PAYLOADS):
        return _merged(inner)
    _wanted_one_organization(text(row.get("organizationid")), text(inner.get("organizationid")))
    return _completed(inner, row, _WRAPPER)


def _wanted_one_organization(wrapped: str | None, own: str | None) -> None:
    """A query of one organisation gives its records; one of another was put among them."""
    contradiction = origin.contradiction(own, wrapped)
    if contradiction is not None:
        raise NoRecordError(origin.REASON, contradiction)


def _from_defender(row: Fields) -> Fields:
    """A row of Defender without the audit record: of an audited application, what the columns say."""
    application = (text(row.get("application")) or "").lower()
    if not application.startswith(_AUDITED) or text(row.get("actiontype")) is None:
        raise NoRecordError("out_of_scope", "a Defender row that is no event of Microsoft 365", "rejected")
    report = (text(row.get("reportid")) or "").rsplit("_", 1)[-1]
    return _completed({key: held for key, held in row.items() if key in _DEFENDER_KEPT} | {
        "id": guid(report) or text(row.get("reportid"))}, row, _DEFENDER)


def _completed(fields: Fields, row: Fields, names: dict[str, tuple[str, ...]]) -> Fields:
    found = dict(fields)
    for wanted, columns in names.items():
        if text(found.get(wanted)) is None:
            stated = next((row[column] for column in columns if text(row.get(column)) is not None), None)
            if stated is not None:
                found[wanted] = stated
    return found


def _record(fields: Fields, position: int) -> Record:
    operation = text(fields.get("operation"))
    if operation is None:
        raise NoRecordError("not_m365_audit", "no Operation")
    native_id = native(name(fields.get("id")))
    return Record(
        position, fields, native_id or synthetic_id(PROVIDER, fields), native(name(fields.get("organizationid"))),
        _time(fields), operation, _number(fields.get("recordtype"), NUMBERS),
        _login(fields), _number(fields.get("usertype"), _USER_TYPES), obj(fields.get("appaccesscontext")),
        unmapped({k: v for k, v in fields.items() if not k.startswith("copiloteventdata")}, KNOWN, texts=False),
    )


def _time(fields: Fields) -> str | None:
    """The time as stated; in ISO form where PowerShell wrote it in figures that cannot be taken for another day."""
    stated = text(fields.get("creationtime"))
    return unmistakable_time(stated) or stated if stated is not None else None


def _login(fields: Fields) -> str | None:
    found = name(fields.get("userid"))
    return guid(found) or (found.casefold() if found else None)


def user_type(value: object) -> int | None:
    """The number of a ``UserType``, also when its name is given."""
    return _number(value, _USER_TYPES)


def _number(value: object, names: dict[str, int]) -> int | None:
    found = text(value)
    if found is None:
        return None
    return int(found) if found.isdecimal() and len(found) < 9 else names.get(found.lower())


def parameters(record: Record) -> dict[str, list[str]]:
    """The named parameters of an Exchange command, or the properties other workloads list the same way."""
    found = pairs(record.fields.get("parameters"))
    return found or pairs(record.fields.get("operationproperties"))
