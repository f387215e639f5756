"""Who is named in a Windows event: by SID where it has one, by name where that proves that the account exists."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lineage_analytics import tables
from lineage_analytics.loaders import _ad_ids as ids
from lineage_analytics.loaders._windows_events import COMPUTER_ACCOUNTS
from lineage_analytics.loaders.common.ids import identity_id

if TYPE_CHECKING:
    from lineage_analytics.loaders._windows_record import Event
    from lineage_analytics.loaders.common.assembly import Entry

_SYSTEM = "a well-known SID of Windows itself or of one of its services"


class Who(NamedTuple):
    """A principal of an event: its id, and what the event proves of its kind."""

    id: str
    native: str
    kind: str = "unknown"
    subkind: str | None = None
    basis: str | None = None
    label: str | None = None

    @property
    def agent_class(self) -> str:
        return "workload" if self.kind in ("service_account", "workload") else "unknown"


def host_id(event: Event) -> str | None:
    """The computer that logged the event, by its name."""
    return identity_id(ids.PROVIDER, None, f"host/{event.computer.lower()}") if event.computer else None


def by_sid(event: Event, sid: str | None, label: str | None, domain: str | None, *, group: bool = False) -> Who | None:
    """The principal of a SID; None for nobody. A well-known SID is that of the computer which logged it."""
    native = ids.native(sid, event.computer)
    found = ids.object_id(native)
    if native is None or found is None:
        return None
    shown = f"{domain}\\{label}" if label and domain else label
    if group:
        return Who(found, native, "group", None, "the event is about a group", shown)
    system = ids.system_kind(native)
    if system is not None:
        return Who(found, native, "service_account", system, _SYSTEM, shown)
    if ids.rid(native) == ids.KRBTGT:
        return Who(found, native, "service_account", "krbtgt", "the relative id of the key distribution service", shown)
    return Who(found, native, label=shown)


def by_name(event: Event, label: str | None, domain: str | None) -> Who | None:
    """An account of which only the name is known, in its domain or on the computer that logged it."""
    if label is None:
        return None
    account, _, realm = label.partition("@")
    where = realm or domain or event.computer or ""
    native = f"{account}@{where}".lower()
    return Who(identity_id(ids.PROVIDER, None, native), native, label=label)


def subject(event: Event) -> Who | None:
    """Who did it."""
    return by_sid(event, event.value("subjectusersid", "subjectsid"), event.value("subjectusername"),
                  event.value("subjectdomainname"))


def target(event: Event, *, group: bool = False) -> Who | None:
    """The account or group the event is about."""
    sid = event.value("targetsid", "targetusersid")
    found = by_sid(event, sid, event.value("targetusername", "newtargetusername"), event.value("targetdomainname"),
                   group=group)
    if found is not None and event.id in COMPUTER_ACCOUNTS and found.kind == "unknown":
        return found._replace(kind="workload", subkind="computer", basis="the event is about a computer account")
    return found


def signing_in(event: Event, *, succeeded: bool) -> Who | None:
    """Who signed in. What somebody typed as a name in a failed attempt is no account, and may be a password."""
    found = target(event)
    if found is not None or not succeeded:
        return found
    return by_name(event, event.value("targetusername"), event.value("targetdomainname"))


def see(entry: Entry, who: Who | None, name: str | None = None, domain: str | None = None) -> str | None:
    """Notes the principal as seen; gives its id."""
    if who is None:
        return None
    alt = {("sid", who.native)} if ids.is_sid(who.native) else set()
    if name and domain and ids.well_known(who.native) is None:
        alt.add(("username", f"{name.partition('@')[0]}@{domain}".lower()))
    entry.add(
        tables.IDENTITY_FACTS, id=who.id, kind=who.kind, subkind=who.subkind, kind_basis=who.basis, basis="seen",
        display_name=who.label, alt_ids=[{"kind": kind, "value": value} for kind, value in sorted(alt)],
        tenant=ids.domain_of(who.native),
        excluded_reason="provider_managed" if who.subkind in ("system", "virtual_account", "krbtgt") else None)
    return who.id
