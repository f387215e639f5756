"""What an object of a SharpHound collection says about who may do what: rights, memberships, delegation, trusts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics.loaders import _ad_ids as ids
from lineage_analytics.loaders.common.values import Fields, embedded, flag, obj, objects, text

if TYPE_CHECKING:
    from collections.abc import Iterator

Grant = dict[str, Any]

_ID = ("objectidentifier", "membersid", "memberid", "sid", "usersid")
# Local groups by the end of their SID, and the lists of older collectors, with the right each gives on the computer.
_LOCAL = {"544": "AdminTo", "555": "CanRDP", "562": "ExecuteDCOM", "580": "CanPSRemote"}
_LISTS = {"localadmins": "AdminTo", "remotedesktopusers": "CanRDP", "dcomusers": "ExecuteDCOM",
          "psremoteusers": "CanPSRemote"}
_SESSIONS = ("sessions", "privilegedsessions", "registrysessions")
_DIRECTIONS = {"0": "disabled", "1": "inbound", "2": "outbound", "3": "bidirectional"}
_TRUST_TYPES = {"0": "ParentChild", "1": "CrossLink", "2": "Forest", "3": "External", "4": "Unknown"}
PAIRS = 200_000
"""At most so many rights of one policy are written computer by computer; beyond, over the unit it is linked to."""


def grants_of(record: Fields, properties: Fields, here: str, domain: str | None) -> Iterator[Grant]:
    """Every grant the object states, each once, in a fixed order."""
    said = _Object(record, properties, here, domain, text(properties.get("domain")))
    parts = (_aces, _members, _delegation, _local, _sessions, _structure, _policies, _trusts, _authority)
    found = {repr(sorted(grant.items())): grant for part in parts for grant in part(said)}
    return (found[key] for key in sorted(found))


class _Object:
    """The object and how ids in it are read."""

    def __init__(self, record: Fields, properties: Fields, here: str, domain: str | None, name: str | None) -> None:
        self.record, self.properties, self.here = record, properties, here
        self._domain, self._name = domain, name

    def id(self, value: object) -> str | None:
        """The id in a text or in an object with ``ObjectIdentifier``."""
        if isinstance(value, dict):
            folded = obj(value)
            value = next((folded[key] for key in _ID if text(folded.get(key))), None)
        return ids.object_id(text(value), self._domain, self._name)

    def ids(self, key: str) -> list[str]:
        held = embedded(self.record.get(key))
        return [found for item in (held if isinstance(held, list) else []) if (found := self.id(item)) is not None]

    @property
    def domain_id(self) -> str | None:
        return ids.object_id(self._domain)


def _right(principal: str | None, privilege: str, scope: str | None, origin: str, **more: Any) -> Iterator[Grant]:
    if principal is not None and scope is not None:
        yield {"principal_id": principal, "grant_kind": "right", "privilege": privilege, "scope": scope,
               "origin": origin, **more}


def _aces(said: _Object, aces: object = None) -> Iterator[Grant]:
    for ace in objects(said.record.get("aces") if aces is None else aces):
        right, principal = text(ace.get("rightname")), said.id(text(ace.get("principalsid")))
        if right is None or principal is None:
            continue
        inherited = flag(ace.get("isinherited"))
        origin = "inherited" if inherited else "direct" if inherited is False else None
        kind = "owner" if right.lower() == "owns" else "right"
        yield {"principal_id": principal, "grant_kind": kind, "privilege": right, "scope": said.here, "origin": origin}


def _members(said: _Object) -> Iterator[Grant]:
    for member in said.ids("members"):
        yield {"principal_id": member, "grant_kind": "membership", "scope": said.here, "origin": "direct"}
    group = said.id(text(said.record.get("primarygroupsid")))
    if group is not None:
        yield {"principal_id": said.here, "grant_kind": "membership", "scope": group, "origin": "primary_group"}


def _delegation(said: _Object) -> Iterator[Grant]:
    for target in said.ids("allowedtodelegate"):
        yield from _right(said.here, "AllowedToDelegate", target, "delegation")
    for principal in said.ids("allowedtoact"):
        yield from _right(principal, "AllowedToAct", said.here, "delegation")
    held = embedded(said.properties.get("sidhistory"))
    named = [said.id(value) for value in (held if isinstance(held, list) else []) if ids.is_sid(text(value))]
    for former in (*said.ids("hassidhistory"), *named):
        yield from _right(said.here, "HasSIDHistory", former, "sid_history")
    for account in said.ids("dumpsmsapassword"):
        yield from _right(said.here, "DumpSMSAPassword", account, "direct")
    for served in objects(said.record.get("spntargets")):
        service = text(served.get("service"))
        yield from _right(said.here, service or "SPNTarget", said.id(text(served.get("computersid"))), "spn")
    stated = said.properties.get("unconstraineddelegation", said.record.get("unconstraineddelegation"))
    if flag(stated):
        yield from _right(said.here, "UnconstrainedDelegation", said.domain_id, "delegation")


def _collected(held: Fields) -> bool:
    """A list that was not collected says nothing, whatever it holds."""
    return flag(held.get("collected")) is not False


def _local(said: _Object) -> Iterator[Grant]:
    for group in objects(said.record.get("localgroups")):
        local = text(group.get("objectidentifier"))
        if local is None or not _collected(group):
            continue
        right = _LOCAL.get(local.rsplit("-", 1)[-1])
        for member in _results(said, group):
            if right:
                yield from _right(member, right, said.here, "local_group", via=_via(said, local))
            elif said.id(local) is not None:
                yield {"principal_id": member, "grant_kind": "membership", "scope": said.id(local),
                       "origin": "local_group"}
    for key, right in _LISTS.items():
        held = obj(said.record.get(key))
        if held and _collected(held):
            for member in _results(said, held):
                yield from _right(member, right, said.here, "local_group")
    for assigned in objects(said.record.get("userrights")):
        privilege = text(assigned.get("privilege"))
        if privilege and _collected(assigned):
            for member in _results(said, assigned):
                yield from _right(member, privilege, said.here, "user_right")


def _via(said: _Object, local: str) -> list[str] | None:
    found = said.id(local)
    return [found] if found else None


def _results(said: _Object, held: Fields) -> list[str]:
    listed = embedded(held.get("results"))
    return [found for item in (listed if isinstance(listed, list) else []) if (found := said.id(item)) is not None]


def _sessions(said: _Object) -> Iterator[Grant]:
    """Who was signed in where: whoever controls the computer can act as them until they sign out."""
    for key in _SESSIONS:
        held = obj(said.record.get(key))
        if held and _collected(held):
            for session in objects(held.get("results")):
                computer = said.id(text(session.get("computersid"))) or said.here
                yield from _right(computer, "HasSession", said.id(text(session.get("usersid"))), "session")


def _structure(said: _Object) -> Iterator[Grant]:
    holder = obj(said.record.get("containedby"))
    if holder:
        shielded = flag(said.record.get("isaclprotected"))
        shielded = flag(said.properties.get("isaclprotected")) if shielded is None else shielded
        yield from _right(said.id(holder), "Contains", said.here, "structure",
                          condition=None if shielded is None else _json({"protected": shielded}))
    for child in said.ids("childobjects"):
        yield from _right(said.here, "Contains", child, "structure")
    for link in objects(said.record.get("links")):
        policy = said.id(text(link.get("guid")))
        yield from _right(policy, "GPLink", said.here, "structure",
                          condition=None if flag(link.get("isenforced")) is None else _json(
                              {"enforced": flag(link.get("isenforced"))}))


def _policies(said: _Object) -> Iterator[Grant]:
    """Local groups that policies linked here fill on the computers below."""
    changes = obj(said.record.get("gpochanges"))
    listed = embedded(changes.get("affectedcomputers"))
    computers = sorted({found for item in (listed if isinstance(listed, list) else [])
                        if (found := said.id(item)) is not None})
    for key, right in _LISTS.items():
        held = embedded(changes.get(key))
        members = sorted({found for item in (held if isinstance(held, list) else [])
                          if (found := said.id(item)) is not None})
        over = computers if len(computers) * len(members) <= PAIRS else [said.here]
        for member in members:
            for computer in over:
                yield from _right(member, right, computer, "gpo", via=[said.here])


def _trusts(said: _Object) -> Iterator[Grant]:
    """Accounts of the trusted domain may sign in to the trusting one."""
    for trust in objects(said.record.get("trusts")):
        other = said.id(text(trust.get("targetdomainsid")))
        stated = text(trust.get("trustdirection")) or ""
        direction = _DIRECTIONS.get(stated, stated.lower())
        kind = text(trust.get("trusttype"))
        terms = _json({"type": _TRUST_TYPES.get(kind or "", kind), "transitive": flag(trust.get("istransitive")),
                       "sid_filtering": flag(trust.get("sidfilteringenabled"))})
        if direction in ("inbound", "bidirectional"):
            yield from _right(said.here, "TrustedBy", other, "trust", condition=terms)
        if direction in ("outbound", "bidirectional"):
            yield from _right(other, "TrustedBy", said.here, "trust", condition=terms)


def _authority(said: _Object) -> Iterator[Grant]:
    """A certificate authority: who runs and uses it, on which computer, for which templates."""
    security = obj(obj(said.record.get("caregistrydata")).get("casecurity"))
    if security and _collected(security):
        yield from _aces(said, security.get("data") or [])
    yield from _right(said.id(text(said.record.get("hostingcomputer"))), "HostsCAService", said.here, "structure")
    for template in said.ids("enabledcerttemplates"):
        yield from _right(template, "PublishedTo", said.here, "structure")


def _json(value: Fields) -> str:
    return msgspec.json.encode({k: v for k, v in value.items() if v is not None}, order="sorted").decode()
