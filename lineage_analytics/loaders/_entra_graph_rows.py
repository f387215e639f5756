"""Rows out of Microsoft Graph activity records: requests to the directory and what lies behind it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from lineage_analytics import tables
from lineage_analytics.loaders._entra_opened import PROVIDER, Opened, wanted
from lineage_analytics.loaders._entra_people import application, known, service_principal, state, user
from lineage_analytics.loaders.common.assembly import assemble
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.values import name, native, text

if TYPE_CHECKING:
    from lineage_analytics.loaders._entra_people import Principal
    from lineage_analytics.loaders.common.assembly import Entry
    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document

SOURCE = "entra_graph_activity"

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_WRITES = frozenset({"PUT", "PATCH", "DELETE"})
_VERSION = re.compile(r"^/(?:v1\.0|beta)(?=/|$)", re.IGNORECASE)
_MARKS = re.compile(r"</?pii>", re.IGNORECASE)
_NO_TOKEN = "A" * 22 + "=="
# What stands in a path for an object: ids, addresses, arguments, anything too long or too odd to be a name of the API.
_NAME = re.compile(r"\$?[A-Za-z][A-Za-z.]{0,60}(?=\(|$)")
_PATH_CHARACTERS = 400
_DIGITS = re.compile(r"[0-9]{1,18}")

KNOWN = known(
    "location requestid operationid clientrequestid apiversion responsestatuscode responsesizebytes signinactivityid "
    "roles appid userid userprincipalobjectid scopes identityprovider clientauthmethod wids c_idtyp c_iat c_sid "
    "c_deviceid deviceid sessionid ipaddress serviceprincipalid tokenissuedat atcontentp atcontenth atcontent usertype "
    "__udi_requiredfields_tenantid __udi_requiredfields_uniqueid __udi_requiredfields_eventtime "
    "__udi_requiredfields_regionscope actortype calleripaddress directaccesssource durationms env_cloud_role "
    "httpmethod httpstatuscode issuedat isreplay policyevaluated",
    useragent="string", requesturi="string", requestmethod="string")


def read_chunk(chunk: Chunk, document: Document) -> Batch:
    """Activity and identity facts of one chunk of Graph requests; records of other logs are out of scope."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    found = wanted(entry.fields, "graph")
    event = found.name("requestid")
    entry.identify(PROVIDER, found.tenant, f"graph/{event}" if event else None, within="")
    time = entry.moment(found.get("timegenerated", "time"), "timeGenerated")
    actor = _actor(found)
    if actor is not None:
        state(entry, actor)
    method = (text(found.get("requestmethod", "httpmethod")) or "").upper()
    path = path_of(text(found.get("requesturi")) or "", entry.tenant)
    status = text(found.get("responsestatuscode", "httpstatuscode", "resultsignature"))
    token = name(found.get("signinactivityid"))
    token = None if token == _NO_TOKEN else token
    app = application(entry.tenant, found.get("appid"))
    app_only = actor is not None and actor.kind != "human"
    entry.add(
        tables.ACTIVITY, time=time, actor_id=actor.id(entry.tenant) if actor else None,
        actor_session_id=token if app_only else found.name("sessionid", "c_sid"),
        action=f"{method[:20]} {template(path)}".strip(), resource_id=_resource(entry.tenant, path),
        extra_resource_ids=[app] if app else None, outcome=outcome(status),
        error_code=status if outcome(status) in ("failure", "denied") else None,
        is_read=True if method in _READS else False if method in _WRITES else None,
        ip=found.name("ipaddress", "calleripaddress"), client=text(found.get("useragent")), credential_id=token,
        correlation_id=found.name("operationid", "correlationid"), event_id=event,
        unmapped=entry.leftovers(KNOWN, found.payload))


def _actor(found: Opened) -> Principal | None:
    """The user of a delegated request, the service principal of an application's own."""
    person, principal = found.name("userid"), found.name("serviceprincipalid")
    sort = (text(found.get("c_idtyp")) or "").lower()
    if person is not None and sort != "app":
        return user(person, None, None)
    if principal is not None or (sort == "app" and found.name("appid") is not None):
        return service_principal(principal, found.name("appid"), None)
    return None


def path_of(uri: str, tenant: str | None = None) -> str:
    """The path of a request without host, version and query, which may hold what somebody searched for.

    Azure AD Graph writes its directory before the path and marks around personal names.
    """
    try:
        path = urlsplit(_MARKS.sub("", uri.strip())).path
    except ValueError:
        return ""
    path = _VERSION.sub("", unquote(re.sub(r"/{2,}", "/", path))).rstrip("/")
    if tenant is not None:
        path = re.sub(rf"^(?:/v2)?/{re.escape(tenant)}(?=/|$)", "", path, count=1, flags=re.IGNORECASE)
    return path[:_PATH_CHARACTERS] or "/"


def template(path: str) -> str:
    """The path with ``{id}`` for every object: the name of the operation."""
    parts = [_part(part) for part in path.split("/")]
    return "/".join(parts)


def _part(part: str) -> str:
    if not part:
        return ""
    found = _NAME.match(part)
    if found is None:
        return "{id}"
    arguments = part[found.end():]
    return found.group() + ("({})" if arguments not in ("", "()") else arguments)


def _resource(tenant: str | None, path: str) -> str | None:
    """The object a request is for, as the path names it."""
    return None if path == "/" else identity_id(PROVIDER, tenant, f"graph{native(path)}")


def outcome(status: str | None) -> str:
    """What an HTTP status says."""
    if status is None or not _DIGITS.fullmatch(status):
        return "unknown"
    code = int(status)
    if not 0 < code < 1000:
        return "unknown"
    return "success" if code < 400 else "denied" if code == 403 else "failure"
