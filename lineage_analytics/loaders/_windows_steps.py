"""What a Windows event changes, written so that a change and its inverse have the same target."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from lineage_analytics.loaders import _ad_ids as ids
from lineage_analytics.loaders import _windows_people as people
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.values import guid, state_hash

if TYPE_CHECKING:
    from collections.abc import Callable

    from lineage_analytics.loaders._windows_events import Rule
    from lineage_analytics.loaders._windows_people import Who
    from lineage_analytics.loaders._windows_record import Event

_ADDED, _DELETED = frozenset({"%%14674", "value added"}), frozenset({"%%14675", "value deleted"})
# Attributes an account-changed event lists; a value means that it changed, or that it was written again.
_ATTRIBUTES = (
    "samaccountname", "displayname", "userprincipalname", "homedirectory", "homepath", "scriptpath", "profilepath",
    "userworkstations", "passwordlastset", "accountexpires", "primarygroupid", "allowedtodelegateto", "sidhistory",
    "logonhours", "dnshostname", "serviceprincipalnames", "userparameters", "grouptypechange",
)
# What people write here may be a password, and a hash of it could be guessed.
_NEVER_HASHED = frozenset({
    "description", "info", "comment", "admindescription", "userpassword", "unixuserpassword", "unicodepwd",
    "ms-mcs-admpwd", "mslaps-password", "mslaps-encryptedpassword", "supplementalcredentials"})
_DN_VALUED = frozenset({"member"})
_PRIVILEGE = re.compile(r"Se[A-Za-z]{3,60}")
_ACCESS_GUID = re.compile(r"\{([0-9a-fA-F-]{36})\}")
_MASK_READS, _MASK_WRITES = 0x10, 0x20 | 0x8 | 0x1 | 0x2 | 0x10000 | 0x40000 | 0x80000
_TEXT_READ = 4_000


class Change(NamedTuple):
    """What an event says beside who did it: the resource, the target of its effect, states before and after."""

    resource: str | None = None
    extra: tuple[str, ...] = ()
    key: str | None = None
    verb: str | None = None
    before: str | None = None
    after: str | None = None
    delta: str | None = None
    about: str | None = None
    named: tuple[Who, ...] = ()
    correlation: str | None = None
    read: bool | None = None


def change_of(event: Event, rule: Rule) -> Change:
    """The change an event of this rule states."""
    return _READERS[rule.group](event, rule)


def _key(found: Who | str | None, what: str, parameter: str | None = None) -> str | None:
    """``ad:<domain SID>:<what>/<id>[|<parameter>]``."""
    native = found if isinstance(found, str) or found is None else found.native
    if native is None:
        return None
    tail = f"|{parameter}" if parameter else ""
    return identity_id(ids.PROVIDER, ids.domain_of(native), f"{what}/{native}{tail}")


def _about(event: Event, rule: Rule) -> Change:
    """A change of an account or group as a whole."""
    found = people.target(event, group=rule.what == "group")
    return Change(found.id if found else None, key=_key(found, rule.what), about=found.label if found else None,
                  named=(found,) if found else ())


def _changed(event: Event, rule: Rule) -> Change:
    """Which attributes of an account or group changed; flags of the account with their values."""
    base = _about(event, rule)
    old, new = event.value("olduacvalue"), event.value("newuacvalue")
    flags = old != new and new is not None
    stated = {key for key in _ATTRIBUTES if event.value(key) is not None}
    names = sorted(stated | ({"useraccountcontrol"} if flags else set()))
    delta = {"changed": names, **({"useraccountcontrol": {"from": old, "to": new}} if flags else {})}
    found = base.named[0] if base.named else None
    return base._replace(
        key=_key(found, rule.what, "+".join(names)), before=old if flags else None, after=new if flags else None,
        delta=msgspec.json.encode(delta, order="sorted").decode() if names else None)


def _member(event: Event, rule: Rule) -> Change:
    base = _about(event, rule)
    named = event.value("membername")
    member = people.by_sid(event, event.value("membersid"), named, None)
    shown = member.native if member else named.upper() if named else None
    group = base.named[0] if base.named else None
    return base._replace(
        key=_key(group, rule.what, shown) if shown else None, extra=(member.id,) if member else (),
        named=(*base.named, *((member,) if member else ())),
        about=": ".join(said for said in (base.about, named or shown) if said))


def _renamed(event: Event, rule: Rule) -> Change:
    base = _about(event, rule)
    old, new = event.value("oldtargetusername"), event.value("newtargetusername")
    return base._replace(key=_key(base.named[0] if base.named else None, rule.what, "samaccountname"), before=old,
                         after=new, about=f"{old} to {new}")


def _history(event: Event, rule: Rule) -> Change:
    base = _about(event, rule)
    source = people.by_sid(event, event.value("sourcesid"), event.value("sourceusername"), None)
    found = base.named[0] if base.named else None
    return base._replace(
        key=_key(found, rule.what, f"sidhistory/{source.native}") if source else None,
        extra=(source.id,) if source else (), named=(*base.named, *((source,) if source else ())))


def _right(event: Event, rule: Rule) -> Change:
    """Rights are held on the computer that logged the event."""
    base = _about(event, rule)
    given = event.value("privilegelist", "accessgranted", "accessremoved") or ""
    privileges = "+".join(sorted(set(_PRIVILEGE.findall(given[:_TEXT_READ]))))
    holder = base.named[0] if base.named else None
    where = (event.computer or "").lower()
    key = _key(where, rule.what, f"{holder.native}|{privileges}") if holder and privileges and where else None
    return base._replace(key=key, about=f"{privileges} for {base.about or holder.native}" if holder else privileges)


def _here(event: Event, rule: Rule) -> Change:
    host = people.host_id(event)
    where = (event.computer or "").lower() or None
    return Change(host, key=_key(where, rule.what), about=event.computer)


def _policy(event: Event, rule: Rule) -> Change:
    where, part = (event.computer or "").lower() or None, guid(event.value("subcategoryguid"))
    return _here(event, rule)._replace(key=_key(where, rule.what, part), after=event.value("auditpolicychanges"))


def _domain(event: Event, rule: Rule) -> Change:
    sid = ids.native(event.value("domainsid"))
    return Change(ids.object_id(sid), key=_key(sid, rule.what), about=event.value("domainname", "domainpolicychanged"))


def _attribute(event: Event, rule: Rule) -> Change:
    """A value that came or went. A change of one value is two events, which ``OpCorrelationID`` joins."""
    base = _directory(event, rule)
    attribute = (event.value("attributeldapdisplayname") or "").lower()
    native = guid(event.value("objectguid"))
    if not attribute or native is None:
        return base
    value, done = event.value("attributevalue"), (event.value("operationtype") or "").lower()
    hidden = attribute in _NEVER_HASHED or value is None
    state = None if hidden else state_hash({"value": value})
    added, deleted = done in _ADDED, done in _DELETED
    verb, parameter = rule.verb, attribute
    if attribute in _DN_VALUED and value and (added or deleted):
        verb, parameter = "grant" if added else "revoke", f"{attribute}/{value.lower()}"
    delta = {"attribute": attribute, "operation": "added" if added else "deleted" if deleted else "other"}
    return base._replace(
        key=_key(native, rule.what, parameter), verb=verb, before=state if deleted else None,
        after=state if added else None, delta=msgspec.json.encode(delta, order="sorted").decode(),
        about=f"{attribute} of {base.about or native}")


def _directory(event: Event, rule: Rule) -> Change:
    native = guid(event.value("objectguid"))
    old, new = event.value("oldobjectdn"), event.value("newobjectdn")
    moved = rule.verb == "set" and old is not None
    return Change(
        ids.object_id(native), key=_key(native, rule.what, "dn" if moved else None), before=old if moved else None,
        after=new if moved else None, about=event.value("objectdn") or new,
        correlation=guid(event.value("opcorrelationid")))


def _access(event: Event, _: Rule) -> Change:
    """What of which directory object was used: the rights and property sets are schema objects."""
    found = _ACCESS_GUID.search(event.value("objectname") or "")
    native = guid(found[1]) if found else None
    named = event.value("objectname")
    parts = sorted({g.lower() for g in _ACCESS_GUID.findall((event.value("properties") or "")[:_TEXT_READ])})
    mask = event.value("accessmask") or ""
    bits = int(mask, 16) if re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}", mask) else 0
    read = False if bits & _MASK_WRITES else True if bits & _MASK_READS else None
    extra = tuple(identity_id(ids.PROVIDER, None, f"schema/{part}") for part in parts)
    return Change(ids.object_id(native or named), extra=extra, read=read, about=named)


def _plain(event: Event, rule: Rule) -> Change:
    """Events that change no account: what they are about, by SID or by the name of a service or task."""
    found = people.target(event, group=rule.read is True and event.id == 4799)
    if found is not None:
        return Change(found.id, about=found.label, named=(found,), read=rule.read)
    part = event.value("servicename", "taskname")
    where = (event.computer or "").lower()
    sort = "service" if event.value("servicename") else "task"
    here = identity_id(ids.PROVIDER, None, f"{sort}/{where}|{part}") if part else people.host_id(event)
    return Change(here, about=part)


_READERS: dict[str, Callable[[Event, Rule], Change]] = {
    "object": _about, "change": _changed, "member": _member, "rename": _renamed, "history": _history, "right": _right,
    "here": _here, "policy": _policy, "domain": _domain, "trust": _domain, "attribute": _attribute,
    "directory": _directory, "access": _access, "plain": _plain,
}
