"""AWS IAM Identity Center: users, groups, memberships, permission sets and who has them where (sources 2.4).

A record is one user, group, membership, account assignment, permission set or instance.

Shapes  what the CLI prints for ``identitystore list-users``, ``list-groups``, ``list-group-memberships`` and for
        ``sso-admin list-account-assignments`` (also ``-for-principal``), ``list-permission-sets``,
        ``describe-permission-set``, ``list-instances``; ``list-managed-policies-in-permission-set`` and
        ``get-inline-policy-for-permission-set`` where the file was saved with ``PermissionSetArn``; one or several
        pages, arrays and lines of pages or entries.
Maps    users and groups to ``identity_facts``; memberships (``membership``) and assignments (``role``: the permission
        set over the account) to ``entitlements``; permission sets and instances to ``resources``.
Drops   names, addresses, phone numbers, ids at an outside directory; descriptions; inline policies but for their hash.
Schema  identitystore and sso-admin APIs of 2020; unknown keys are kept in ``unmapped``.

Assignments name their principals by id and neither directory nor name: those ids are ``aws::<id>`` and join the user or
group by the id itself. The role that an assignment leads to (``AWSReservedSSO_<set>_<16 hex digits>``) is not stated
here: account authorization details list it. The exports state no date: ``as_of`` and ``snapshot_at`` are null.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import msgspec

from lineage_analytics import tables
from lineage_analytics.loaders._aws_names import account
from lineage_analytics.loaders.common import records
from lineage_analytics.loaders.common.assembly import Entry, RecordFault, assemble
from lineage_analytics.loaders.common.contract import Chunk, Fault, Match
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.leftovers import changed_types, unmapped
from lineage_analytics.loaders.common.scan import elements
from lineage_analytics.loaders.common.spread import spread
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, fold, name, native, obj, objects, state_hash, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lineage_analytics.loaders.common.contract import Batch, Document, Sample

PROVIDER = "aws"
LATENESS = timedelta(0)
FEEDS = frozenset({"entitlements", "identity_facts", "resources"})
SOURCE = "aws_identity_center"

_LISTED = frozenset({
    "accountassignments", "permissionsets", "permissionset", "users", "groups", "groupmemberships", "instances"})
_OUTER = ("permissionsetarn", "instancearn", "identitystoreid", "accountid")
Raw = bytes | msgspec.Raw
KNOWN = dict.fromkeys((
    "accountid", "permissionsetarn", "principaltype", "principalid", "name", "description", "createddate",
    "sessionduration", "relaystate", "instancearn", "identitystoreid", "owneraccountid", "status", "statusreason",
    "userid", "username", "displayname", "nickname", "profileurl", "emails", "addresses", "phonenumbers", "usertype",
    "title", "preferredlanguage", "locale", "timezone", "externalids", "birthdate", "website", "photos", "roles",
    "groupid", "membershipid", "memberid", "userstatus", "createdat", "createdby", "updatedat", "updatedby",
    "nexttoken", "inlinepolicy", "attachedmanagedpolicies", "customermanagedpolicyreferences", "permissionsboundary",
    "extensions", "primaryregion", "responsemetadata", "tags", "encryptionconfigurationdetails"), "")


def detect(sample: Sample) -> Match | None:
    """Lists of the identity store or of single sign-on, or entries of them, by keys that only they have."""
    first = fold(sample.first or {})
    lists = {key.lower() for key in sample.keys} | set(first)
    head = sample.head.lower()
    if "accountassignments" in lists or ("groupmemberships" in lists and b'"membershipid"' in head):
        return Match("lists", 0.95, "account assignments or group memberships")
    if lists & {"users", "groups"} and b'"identitystoreid"' in head:
        return Match("lists", 0.95, "users or groups of an identity store")
    if b":sso:::permissionset/" in head and lists & {"permissionsets", "permissionset", "permissionsetarn"}:
        return Match("lists", 0.95, "permission sets, or entries that name one")
    if b":sso:::instance/" in head and lists & {"instances", "instancearn"}:
        return Match("lists", 0.9, "instances of Identity Center")
    if "identitystoreid" in lists and lists & {"userid", "groupid", "membershipid"}:
        return Match("lists", 0.95, "entries of an identity store")
    return None


def extract(document: Document) -> Iterator[Chunk]:
    """The entries of all lists, those of a page with what the page says of all of them."""
    if document.sample.wrapper != "object":
        yield from spread(records.json_chunks(document, wrappers=()), _inside)
        return
    data = records.whole(document)
    damage = getattr(document, "damage", None)
    page = None if damage else _entries(data.strip())
    lists = [key for key in document.sample.keys if key.lower() in _LISTED]
    if page is not None:
        yield from _sliced(page, [], truncated=False)
    elif len(lists) == 1 and lists[0].lower() != "permissionset":
        found = list(elements(iter((data,)), lists[0], records.RECORD_BYTES))
        kept = [raw for raw, reason in found if reason is None]
        faults = [Fault(at, reason, f"an entry of {lists[0]} that cannot be read")
                  for at, reason in enumerate((reason for _, reason in found if reason is not None), len(kept))]
        yield from _sliced(kept, faults, truncated=bool(damage) or any(f.reason == "truncated" for f in faults))
    else:
        yield from spread(records.json_chunks(cast("Document", _Read(document, data)), wrappers=()), _inside)


class _Read:
    """A document whose bytes have been read."""

    def __init__(self, document: Document, data: bytes) -> None:
        self.sample, self.damage, self._data = document.sample, getattr(document, "damage", None), data

    def chunks(self) -> Iterator[bytes]:
        yield self._data


def _sliced(raws: list[Raw], faults: list[Fault], *, truncated: bool) -> Iterator[Chunk]:
    step = records.RECORDS_PER_CHUNK
    for start in range(0, max(len(raws), 1), step):
        last = start + step >= len(raws)
        yield Chunk(start, raws[start : start + step], faults=faults if last else [], truncated=truncated and last)


def _inside(raw: Raw) -> list[Raw]:
    return _entries(raw) or [raw]


def _entries(raw: Raw) -> list[Raw] | None:
    """The entries of a page, or the object itself where it is none; None for text that is no JSON object."""
    try:
        keys = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        listed = {key.lower(): value for key, value in keys.items() if key.lower() in _LISTED}
        if not listed:
            return [raw]
        outer = {key: msgspec.json.decode(value) for key, value in keys.items() if key.lower() in _OUTER}
        return [_with(entry, outer) for key, value in listed.items() for entry in _list(key, value)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _list(key: str, value: msgspec.Raw) -> list[Raw]:
    if key == "permissionset":
        return [value]
    found = msgspec.json.decode(value, type=list[msgspec.Raw] | None) or []
    if key != "permissionsets":
        return list(found)
    return [msgspec.json.encode({"PermissionSetArn": msgspec.json.decode(item)})
            if bytes(memoryview(item)[:1]) == b'"' else item for item in found]


def _with(entry: Raw, outer: Mapping[str, Any]) -> Raw:
    """The entry with what its page says of all entries."""
    if not outer:
        return entry
    said = msgspec.json.decode(entry)
    return msgspec.json.encode({**outer, **said}) if isinstance(said, dict) else entry


def transform(chunk: Chunk, document: Document) -> Batch:
    """Identities, grants and resources of one chunk."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    said = fold(entry.fields)
    read = next((reader for needed, reader in _READERS if all(name(said.get(key)) or isinstance(said.get(key), dict)
                                                              for key in needed)), None)
    if read is None:
        raise RecordFault("incomplete", "wanted a user, group, membership, assignment, permission set or instance")
    entry.drift += changed_types(said, KNOWN, entry.position)
    read(entry, said)


def _identify(entry: Entry, tenant: str | None, what: str, said: Fields) -> None:
    digest = hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()[:24]
    entry.identify(PROVIDER, tenant, f"{what}#{digest}")


def principal(store: str | None, key: str) -> str:
    """A user or group by its id in the identity store, whose own id may not be stated."""
    return identity_id(PROVIDER, store, native(key) or key)


def _alternatives(key: str, *others: tuple[str, str | None]) -> list[dict[str, str]]:
    stated = {("object_id", key.lower()), *((kind, value.lower()) for kind, value in others if value)}
    return [{"kind": kind, "value": value} for kind, value in sorted(stated)]


def _assignment(entry: Entry, said: Fields) -> None:
    tenant, key = account(said["accountid"]), text(said["principalid"]) or ""
    store, sort = name(said.get("identitystoreid")), (text(said.get("principaltype")) or "").upper()
    held = text(said["permissionsetarn"]) or ""
    _identify(entry, tenant, f"assignment/{tenant}/{held}/{key}", said)
    where = f"aws:{tenant or text(said['accountid'])}:account"
    entry.add(tables.ENTITLEMENTS, principal_id=principal(store, key), grant_kind="role", privilege=held, scope=where,
              effect="allow", state="standing", origin="direct", unmapped=unmapped(said, KNOWN))
    kinds = {"USER": ("human", "an Identity Center user", "idc_user"),
             "GROUP": ("group", "an Identity Center group", "idc_group")}
    kind, basis, subkind = kinds.get(sort, ("unknown", f"a principal of type {sort or 'not stated'}", None))
    entry.add(tables.IDENTITY_FACTS, id=principal(store, key), kind=kind, kind_basis=basis, subkind=subkind,
              alt_ids=_alternatives(key), basis="seen", tenant=store)


def _membership(entry: Entry, said: Fields) -> None:
    store, group = name(said.get("identitystoreid")), text(said["groupid"]) or ""
    member = name(obj(said["memberid"]).get("userid"))
    if member is None:
        raise RecordFault("incomplete", "a membership that names no user")
    _identify(entry, store, f"membership/{group}/{member}", said)
    entry.add(tables.ENTITLEMENTS, principal_id=principal(store, member), grant_kind="membership", privilege=group,
              scope=principal(store, group), effect="allow", state="standing", origin="direct",
              grant_id=name(said.get("membershipid")), unmapped=unmapped(said, KNOWN))


def _user(entry: Entry, said: Fields) -> None:
    store, key = name(said.get("identitystoreid")), text(said["userid"]) or ""
    _identify(entry, store, f"user/{key}", said)
    emails = [("email", text(email.get("value"))) for email in objects(said.get("emails"))]
    status = (text(said.get("userstatus")) or "").upper()
    entry.add(
        tables.IDENTITY_FACTS, id=principal(store, key), kind="human", subkind="idc_user", basis="inventory",
        kind_basis="an Identity Center user", display_name=text(said.get("displayname")) or text(said.get("username")),
        alt_ids=_alternatives(key, ("login", text(said.get("username"))), *emails),
        enabled={"ENABLED": True, "DISABLED": False}.get(status), created_at=parse_time(said.get("createdat")),
        unmapped=unmapped(said, KNOWN))


def _group(entry: Entry, said: Fields) -> None:
    store, key = name(said.get("identitystoreid")), text(said["groupid"]) or ""
    _identify(entry, store, f"group/{key}", said)
    entry.add(
        tables.IDENTITY_FACTS, id=principal(store, key), kind="group", subkind="idc_group", basis="inventory",
        kind_basis="an Identity Center group", display_name=text(said.get("displayname")), alt_ids=_alternatives(key),
        created_at=parse_time(said.get("createdat")), unmapped=unmapped(said, KNOWN))


def _permission_set(entry: Entry, said: Fields) -> None:
    arn = text(said["permissionsetarn"]) or ""
    parts = arn.split("/")
    tenant = parts[1] if len(parts) == 3 else None
    _identify(entry, tenant, f"permission-set/{arn}", said)
    policies = sorted(filter(None, (name(policy.get("arn")) or name(policy.get("name"))
                                    for key in ("attachedmanagedpolicies", "customermanagedpolicyreferences")
                                    for policy in objects(said.get(key)))))
    attributes = {
        "session_duration": text(said.get("sessionduration")), "policies": policies or None,
        "inline_policy_hash": state_hash(said.get("inlinepolicy")), "created": text(said.get("createddate"))}
    entry.add(
        tables.RESOURCES, id=f"aws:{tenant or ''}:{arn}", kind="permission_set", display_name=text(said.get("name")),
        attributes=_json(attributes), unmapped=unmapped(said, KNOWN))


def _instance(entry: Entry, said: Fields) -> None:
    arn, owner = text(said["instancearn"]) or "", account(said.get("owneraccountid"))
    _identify(entry, owner, f"instance/{arn}", said)
    entry.add(
        tables.RESOURCES, id=f"aws:{owner or ''}:{arn}", kind="identity_center_instance",
        display_name=text(said.get("name")), unmapped=unmapped(said, KNOWN), attributes=_json({
            "identity_store": name(said.get("identitystoreid")), "status": text(said.get("status"))}))


def _json(value: dict[str, Any]) -> str | None:
    stated = {key: held for key, held in value.items() if held is not None}
    return msgspec.json.encode(stated, order="sorted").decode() if stated else None


_READERS: tuple[tuple[tuple[str, ...], Callable[[Entry, Fields], None]], ...] = (
    (("accountid", "permissionsetarn", "principalid"), _assignment), (("groupid", "memberid"), _membership),
    (("userid",), _user), (("groupid",), _group), (("permissionsetarn",), _permission_set),
    (("instancearn", "identitystoreid"), _instance))
