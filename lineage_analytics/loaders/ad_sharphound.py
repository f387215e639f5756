"""SharpHound and BloodHound CE collections of Active Directory: accounts, groups, computers, rights (sources 9.1).

A record is one object: a user, group, computer, domain, unit, policy object, container or certificate object.

Shapes  one file per type, ``{"data": [...], "meta": {"type": ...}}``, with the meta before or behind the objects, with
        or without a byte order mark; version 3's files with the list under the type's name, ``{"users": [...]}``; a cut
        file whose meta is gone is read by what its objects hold. Sessions also as a file of their own.
Maps    users, computers and groups to ``identity_facts``; when passwords were set to ``credentials``; memberships (also
        of the primary group), rights and owners on objects, delegation, SID history, local groups, user rights,
        sessions, policy links, containment (with whether the object is protected from inherited rights, as the
        condition ``{"protected": ...}``) and trusts of domains to ``entitlements``; other objects to ``resources``.
Drops   descriptions, home directories, logon scripts and every unknown text property, which may hold passwords; values
        of password attributes; flags without a column (password never expires, pre-authentication off, sensitive);
        lists that were not collected, which are not empty lists; rights and passwords of deleted objects, which are
        disabled principals or resources marked deleted. Objects of version 2 have names only: ``out_of_scope``.
Schema  versions 3 to 6 (SharpHound 3, 1 and 2, BloodHound CE); objects of later types are resources with their rights,
        noted as unknown record types; unknown keys are ``unmapped``, texts in them not stored.

Ids are ``ad:<domain SID>:<SID>``, for objects without a SID the GUID. A well-known SID keeps its prefix and its id
names no domain SID (``ad::CORP.LOCAL-S-1-5-32-544``): objects elsewhere refer to it without knowing that SID.

A collection states no date, so ``snapshot_at`` and ``as_of`` are null, and an object that changed between two
collections is two records. ``lastlogon`` is what one domain controller saw and ``lastlogontimestamp`` may lag by two
weeks: the later of the two is ``last_seen_at``. Accounts are of unknown kind, but for managed service accounts, for the
identities of Windows itself, and for those with a service principal name and no mailbox.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics import tables
from lineage_analytics.loaders import _ad_ids as ids
from lineage_analytics.loaders._sharphound_file import first_object, head_match, list_key, object_chunks
from lineage_analytics.loaders._sharphound_grants import grants_of
from lineage_analytics.loaders._sharphound_older import spoken_anew
from lineage_analytics.loaders._sharphound_types import TYPES, type_of
from lineage_analytics.loaders.common.assembly import Entry, RecordFault, assemble
from lineage_analytics.loaders.common.contract import Batch, Chunk, Match
from lineage_analytics.loaders.common.leftovers import unmapped
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, flag, fold, obj, text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from lineage_analytics.loaders.common.contract import Document, Sample

PROVIDER = "ad"
LATENESS = timedelta(0)
FEEDS = frozenset({"credentials", "entitlements", "identity_facts", "resources"})
SOURCE = "ad_sharphound"

KNOWN = {
    "Properties": "object", "Aces": "array", "ObjectIdentifier": "string", "IsDeleted": "boolean",
    "IsACLProtected": "boolean", "ContainedBy": "object", "Members": "array", "PrimaryGroupSID": "string",
    "AllowedToDelegate": "array", "AllowedToAct": "array", "HasSIDHistory": "array", "SPNTargets": "array",
    "DumpSMSAPassword": "array", "Sessions": "object", "PrivilegedSessions": "object", "RegistrySessions": "object",
    "LocalGroups": "array", "UserRights": "array", "LocalAdmins": "object", "RemoteDesktopUsers": "object",
    "DcomUsers": "object", "PSRemoteUsers": "object", "Status": "object", "IsDC": "boolean", "DomainSID": "string",
    "DCRegistryData": "object", "Trusts": "array", "Links": "array", "ChildObjects": "array", "GPOChanges": "object",
    "HostingComputer": "string", "CARegistryData": "object", "EnabledCertTemplates": "array", "GroupLink": "object",
    "UnconstrainedDelegation": "boolean", "InheritanceHashes": "array", "ForestRootIdentifier": "string",
    "HttpEnrollmentEndpoints": "array",
}
_FOLDED = frozenset(key.lower() for key in KNOWN)
_PROPERTIES = frozenset({
    "domain", "name", "distinguishedname", "domainsid", "samaccountname", "displayname", "email", "title",
    "description", "enabled", "admincount", "sensitive", "hasspn", "serviceprincipalnames", "pwdneverexpires",
    "passwordnotreqd", "dontreqpreauth", "unconstraineddelegation", "trustedtoauth", "sidhistory", "lastlogon",
    "lastlogontimestamp", "pwdlastset", "whencreated", "isaclprotected", "isdc", "haslaps", "operatingsystem",
    "homedirectory", "userpassword", "unixpassword", "unicodepassword", "sfupassword", "logonscript",
    "allowedtodelegate", "reconcile", "highvalue", "gmsa", "msa", "userprincipalname", "functionallevel", "collected",
    "gpcpath", "blocksinheritance", "certthumbprint", "certthumbprints", "certname", "certchain",
    "hasbasicconstraints", "basicconstraintpathlength", "crosscertificatepair", "hascrosscertificatepair", "flags",
    "caname", "dnshostname", "casecuritycollected", "enrollmentagentrestrictionscollected",
    "isuserspecifiessanenabledcollected", "objectguid", "isdeleted",
})
# Of these objects the facts that say what can be done with them.
_ATTRIBUTES = frozenset({
    "machineaccountquota", "minpwdlength", "pwdproperties", "pwdhistorylength", "minpwdage", "maxpwdage",
    "lockoutthreshold", "lockoutduration", "lockoutobservationwindow",
    "functionallevel", "collected", "gpcpath", "blocksinheritance", "isaclprotected", "caname", "dnshostname",
    "certthumbprint", "certthumbprints", "certchain", "flags", "validityperiod", "renewalperiod", "schemaversion",
    "oid",
    "enrollmentflag", "requiresmanagerapproval", "nosecurityextension", "certificatenameflag",
    "enrolleesuppliessubject", "subjectaltrequireupn", "subjectaltrequiredns", "subjectaltrequiredomaindns",
    "subjectaltrequireemail", "subjectaltrequirespn", "subjectrequireemail", "ekus", "effectiveekus",
    "certificateapplicationpolicy", "applicationpolicies", "issuancepolicies", "authorizedsignatures",
    "authenticationenabled", "certtemplateoid",
})
_NOT_STATE = frozenset({"description", "inheritancehashes"})
_PRINCIPALS = {"users": "user", "computers": "computer", "groups": "group"}
_SESSION, _OLD_SESSION = frozenset({"computersid", "usersid"}), frozenset({"computerid", "userid"})
_BY_NAME = frozenset({"name", "properties"})
_KIND_TEXT = re.compile(r"[a-z]{1,40}")


def detect(sample: Sample) -> Match | None:
    """Objects with ``ObjectIdentifier`` under ``data`` or their type, or an empty list with the collector's meta."""
    if list_key(sample) is None:
        return None
    first = first_object(sample)
    if first is not None:
        keys = {key.lower() for key in first}
        if keys >= _SESSION or keys >= _OLD_SESSION:
            return Match("objects", 0.95, "sessions by computer and user")
        named = keys >= _BY_NAME and "meta" in sample.keys and list_key(sample) != "data"
        if not named and ("objectidentifier" not in keys or not keys & {"properties", "aces", "members"}):
            return None
        return Match("objects", 0.95, "objects with ObjectIdentifier and Properties or Aces")
    return head_match(sample)


def extract(document: Document) -> Iterator[Chunk]:
    """The objects of the file, with the type its meta states as context."""
    return object_chunks(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Identities, passwords' ages, grants and resources of one chunk."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    record = spoken_anew(fold(entry.fields), entry.context.get("type"))
    if record.keys() >= _SESSION:
        _session(entry, record)
        return
    properties = obj(record.get("properties"))
    native = ids.native(text(record.get("objectidentifier")), text(properties.get("domain")))
    here = ids.object_id(native, _domain(record, properties, native))
    if native is None and "name" in record and "objectidentifier" not in record:
        raise RecordFault("out_of_scope", "an object by its name alone, as version 2 collected; SharpHound 3 or later "
                          "says whose SID it is", "rejected")
    if native is None or here is None:
        raise RecordFault("no_id", "wanted an object with an ObjectIdentifier")
    domain = _domain(record, properties, native)
    kind = type_of(entry.context.get("type"), record, properties)
    entry.identify(PROVIDER, domain, f"{native}/{ids.content_hash(entry.fields, _NOT_STATE)}")
    if kind not in TYPES:
        entry.unknown_type(kind or "object without type")
    entry.leftovers(KNOWN)
    deleted = flag(record.get("isdeleted")) or flag(properties.get("isdeleted")) or False
    if kind in _PRINCIPALS:
        _principal(entry, _PRINCIPALS[kind], here, native, properties, _left(record, properties, _PROPERTIES),
                   deleted=deleted)
    else:
        _resource(entry, kind, here, record, properties, deleted=deleted)
    if deleted:
        return
    for grant in grants_of(record, properties, here, domain):
        entry.add(tables.ENTITLEMENTS, effect="allow", state="standing", **grant)


def _session(entry: Entry, record: Fields) -> None:
    """A session found on a computer, told apart from the list of computers."""
    computer, user = ids.native(text(record.get("computersid"))), ids.native(text(record.get("usersid")))
    here, who = ids.object_id(computer), ids.object_id(user)
    if here is None or who is None:
        raise RecordFault("no_id", "wanted a session with its computer and its user")
    entry.identify(PROVIDER, ids.domain_of(computer), f"session/{computer}/{user}")
    entry.add(tables.ENTITLEMENTS, effect="allow", state="standing", principal_id=here, grant_kind="right",
              privilege="HasSession", scope=who, origin="session")


def _domain(record: Fields, properties: Fields, native: str | None) -> str | None:
    """The SID of the domain the object is of."""
    return (ids.domain_of(text(properties.get("domainsid"))) or ids.domain_of(native)
            or ids.domain_of(text(record.get("domainsid"))))


def _left(record: Fields, properties: Fields, known: frozenset[str]) -> str | None:
    """Unknown keys without the texts under them: an unknown attribute may hold what an administrator wrote."""
    odd = {key: held for key, held in record.items() if key not in _FOLDED}
    inner = {key: held for key, held in properties.items() if key not in known}
    return unmapped({**odd, **({"properties": inner} if inner else {})}, (), texts=False)


def _principal(
    entry: Entry, subkind: str, here: str, native: str, properties: Fields, left: str | None, *, deleted: bool
) -> None:
    subkind, kind, basis = _kind(subkind, native, properties)
    seen = [t for key in ("lastlogon", "lastlogontimestamp") if (t := moment(properties.get(key))) is not None]
    system = ids.system_kind(native) is not None or subkind == "krbtgt"
    entry.add(
        tables.IDENTITY_FACTS, id=here, kind=kind, kind_basis=basis, subkind=subkind, basis="inventory",
        display_name=text(properties.get("displayname")) or text(properties.get("name")),
        alt_ids=_alt_ids(native, properties), enabled=False if deleted else flag(properties.get("enabled")),
        created_at=moment(properties.get("whencreated")), last_seen_at=max(seen, default=None),
        last_seen_basis="signin" if seen else None, excluded_reason="provider_managed" if system else None,
        unmapped=left,
    )
    changed = moment(properties.get("pwdlastset"))
    if subkind != "group" and changed is not None and not deleted:
        entry.add(tables.CREDENTIALS, identity_id=here, credential_id=f"{here}/password", kind="password",
                  created_at=changed)


def _kind(subkind: str, native: str, properties: Fields) -> tuple[str, str, str]:
    """Subkind, kind and the evidence for it."""
    if subkind == "group":
        return subkind, "group", "listed as a group"
    if subkind == "computer":
        return subkind, "workload", "listed as a computer"
    if flag(properties.get("gmsa")) or flag(properties.get("msa")):
        return ("gmsa" if flag(properties.get("gmsa")) else "msa"), "service_account", "a managed service account"
    system = ids.system_kind(native)
    if system is not None:
        return system, "service_account", "a well-known SID of Windows itself or of one of its services"
    if ids.rid(native) == ids.KRBTGT:
        return "krbtgt", "service_account", "the relative id of the key distribution service"
    if flag(properties.get("hasspn")) and text(properties.get("email")) is None:
        return subkind, "service_account", "has a service principal name and no mailbox"
    return subkind, "unknown", "an account; what uses it is not stated"


def _alt_ids(native: str, properties: Fields) -> list[dict[str, str]]:
    """Other names. The account name goes with its domain, as it says nothing without."""
    account, domain = text(properties.get("samaccountname")), text(properties.get("domain"))
    found = {("sid", native) if ids.is_sid(native) else ("object_id", native)}
    if account and domain:
        found.add(("username", f"{account}@{domain}".lower()))
    for kind, key in (("upn", "userprincipalname"), ("email", "email")):
        held = text(properties.get(key))
        if held:
            found.add((kind, held.lower()))
    return [{"kind": kind, "value": value} for kind, value in sorted(found)]


def _resource(entry: Entry, kind: str, here: str, record: Fields, properties: Fields, *, deleted: bool) -> None:
    holder = obj(record.get("containedby"))
    shown: dict[str, Any] = {key: properties[key] for key in sorted(_ATTRIBUTES & properties.keys())
                             if properties[key] not in (None, "", [])} | ({"deleted": True} if deleted else {})
    entry.add(
        tables.RESOURCES, id=here, kind=TYPES.get(kind) or (kind if _KIND_TEXT.fullmatch(kind) else "object"),
        display_name=text(properties.get("name")) or text(properties.get("displayname")),
        parent_id=ids.object_id(text(holder.get("objectidentifier")), entry.tenant),
        attributes=msgspec.json.encode(shown, order="sorted").decode() if shown else None,
        unmapped=_left(record, properties, _PROPERTIES | _ATTRIBUTES),
    )


def moment(value: object) -> datetime | None:
    """Epoch seconds as time; 0 and -1 mean never or unknown."""
    found = parse_time(value)
    return found if found is not None and 1990 <= found.year < 2090 else None
