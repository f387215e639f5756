"""Ways into sites and items of Microsoft 365, as the audit log and the exposure reports state them."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from lineage_analytics.permissions.decision import CONDITIONAL
from lineage_analytics.permissions.memberships import memberships

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from lineage_analytics.facts import Facts
    from lineage_analytics.permissions.memberships import Memberships

PROVIDER = "m365"
PROVED, UNTOLD = "proved", "unknown"
_KEY = re.compile(r"(grant|revoke)\(m365:([^:]*):([a-z_]+)/(.+)\)", re.DOTALL)
_INHERITANCE = re.compile(r"(disable|enable)\(m365:[^:]*:inheritance/(.+)\)", re.DOTALL)
# What the log calls a sharing, by the sort of its effect: whom it lets in, and in words.
_SORTS = {
    "anonymous_link": ("anyone", "link for anyone"), "company_link": ("organisation", "link for the organisation"),
    "secure_link_user": ("named", "link for specific people"), "sharing": ("named", "shared with them"),
    "invitation": ("named", "invited"), "site_admin": ("named", "administrator of the site"),
    "site_group": ("named", "group of the site"),
}
_WHOLE = re.compile(r"^(?:everyone|c:0\(\.s\|true|alle)$")
_INSIDE = re.compile(r"spo-grid-all-users|^everyone except external users$")
_GUEST = re.compile(r"#ext#|urn%3aspo%3aguest", re.IGNORECASE)
_SITE = re.compile(r"(https?://[^/]+(?:/(?:sites|teams|personal)/[^/]+)?)(?:/(.*))?", re.DOTALL)
_LINK_TAKES = "it takes the link"


@dataclass(frozen=True, slots=True)
class Share:
    """One way in. ``audience``: person, group, name (of somebody no inventory lists), inside (everybody but guests),
    organisation (a link), anyone (a link), everyone, unnamed (a count)."""

    audience: str
    principal: str | None
    resource: str
    through: str
    state: str
    reason: str
    records: tuple[str, ...]
    since: datetime | None = None
    people: int | None = None
    counted: bool = False
    """A number of a report: it is on something in the place, and says nothing of one item there."""


@dataclass
class Site:
    """What the newest report of each sort says of a site or an item."""

    kind: str
    said: dict[str, tuple[Any, str]] = field(default_factory=dict)
    snapshot: datetime | None = None
    records: set[str] = field(default_factory=set)

    def number(self, measure: str) -> int | None:
        held = self.said.get(measure, (None, ""))[0]
        return int(held) if isinstance(held, int | float) and not isinstance(held, bool) else None


def key(address: str) -> str:
    """An address as it is compared: without query, trailing slash and case."""
    return address.partition("?")[0].rstrip("/").casefold()


def above(address: str) -> list[str]:
    """The address and everything it lies in, nearest first, down to the host."""
    found = [address]
    start = address.find("://") + 3
    while (cut := found[-1].rfind("/")) >= start:
        found.append(found[-1][:cut])
    return found


class Sites:
    """Ways in by what they are on, and what reports count."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self.shares: dict[str, list[Share]] = defaultdict(list)
        for share in sorted({*self._logged(), *self._reported()}, key=lambda one: (
                one.resource, one.audience, one.principal or "", one.through, one.records)):
            self.shares[key(share.resource)].append(share)
        self._of: dict[str | None, list[Share]] = defaultdict(list)
        for ways in self.shares.values():
            for share in ways:
                self._of[share.principal if share.audience in ("person", "group") else None].append(share)

    def about(self, principal: str) -> Iterator[Share]:
        """Ways in that name the principal or a group it is in, and those that are for everybody of a sort."""
        for holder in (principal, *self.groups.above(principal), None):
            yield from self._of.get(holder, ())

    @cached_property
    def groups(self) -> Memberships:
        return memberships(self._facts, ("entra", PROVIDER))

    @cached_property
    def names(self) -> Mapping[str, tuple[str, str]]:
        """Identity and kind by login, address or id in lower case; names that several carry are of nobody."""
        found: dict[str, set[tuple[str, str]]] = defaultdict(set)
        rows = self._facts.frame("identities").filter(pl.col("provider").is_in(["entra", PROVIDER])).select(
            "id", pl.col("kind").fill_null("unknown"), "display_name", "alt_ids")
        for identity, kind, label, alt_ids in rows.iter_rows():
            named = {identity, identity.split(":", 2)[-1], *(alt["value"] for alt in alt_ids or () if alt["value"])}
            for name in named | ({label} if kind == "group" and label else set()):
                found[name.casefold()].add((identity, "group" if kind == "group" else "person"))
        return {name: next(iter(who)) for name, who in found.items() if len(who) == 1}

    @cached_property
    def broken(self) -> frozenset[str]:
        """Where inheritance was broken, and not restored since."""
        rows = self._facts["decision_steps"].filter(
            (pl.col("provider") == PROVIDER) & pl.col("effect_key").str.contains(":inheritance/", literal=True)
            & (pl.col("status").fill_null("succeeded") == "succeeded") & (pl.col("time") <= self._facts.as_of)
        ).select("time", "effect_key", "record_id").drop_nulls().sort("time", "record_id").collect()
        last = {key(hit[2]): hit[1] for _, effect, _ in rows.iter_rows()
                if (hit := _INHERITANCE.fullmatch(effect)) is not None}
        return frozenset(place for place, verb in last.items() if verb == "disable")

    @cached_property
    def reports(self) -> Mapping[str, Site]:
        """By address in lower case; of one measure in two reports the newer counts."""
        rows = self._facts.frame("resources").filter(
            (pl.col("source") == "purview_exposure") & pl.col("attributes").is_not_null()
        ).select("snapshot_at", "record_id", "id", "kind", "attributes").sort(pl.all(), nulls_last=False)
        found: dict[str, Site] = {}
        for taken, record, identity, kind, attributes in rows.iter_rows():
            site = found.setdefault(key(identity), Site(kind or "site"))
            site.said.update({name: (held, record or "") for name, held in msgspec.json.decode(attributes).items()})
            site.said["address"] = (identity, record or "")
            site.snapshot = taken if taken is not None else site.snapshot
            site.records.update([record] if record else [])
        return found

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """The last sensitivity label on record of an item, by its address: an id, or the name a report uses."""
        seen = self._facts["assistant_access"].filter(
            pl.col("label_id").is_not_null() & pl.col("resource_id").is_not_null()
            & (pl.col("time").is_null() | (pl.col("time") <= self._facts.as_of))
        ).select("time", "resource_id", "label_id").collect()
        changed = self._facts["activity"].filter(
            (pl.col("provider") == PROVIDER) & pl.col("effect_delta").str.contains('"label"', literal=True)
            & pl.col("resource_id").is_not_null() & (pl.col("time") <= self._facts.as_of)
        ).select("time", "resource_id", label_id=pl.col("effect_delta").str.json_path_match("$.label.after")).collect()
        found = {place: str(site.said["sensitivity"][0]) for place, site in self.reports.items()
                 if "sensitivity" in site.said}
        both = pl.concat([seen, changed]).drop_nulls(["resource_id", "label_id"]).unique().sort(pl.all())
        return found | {key(resource): label for _, resource, label in both.iter_rows()}

    def _logged(self) -> Iterator[Share]:
        """Sharing the log saw, less what it saw taken away."""
        rows = self._facts["decision_steps"].filter(
            (pl.col("provider") == PROVIDER) & (pl.col("kind") == "action") & pl.col("effect_key").is_not_null()
            & (pl.col("status").fill_null("succeeded") == "succeeded") & (pl.col("time") <= self._facts.as_of)
        ).select("time", "record_id", "effect_key", "applied_value").drop_nulls(["effect_key"]).collect()
        given: dict[str, tuple[datetime, str, str | None]] = {}
        ended: dict[str, datetime] = {}
        for time, record, effect, level in rows.sort("time", "record_id", nulls_last=True).iter_rows():
            hit = _KEY.fullmatch(effect)
            if hit is None or hit[3] not in _SORTS:
                continue
            what = f"{hit[3]}/{hit[4]}"
            if hit[1] == "revoke":
                ended[what] = time
            else:
                given[what] = (time, record or "", level)
        for what, (time, record, level) in given.items():
            if what not in ended or ended[what] < time:
                yield self._share(what, time, record, level)

    def _share(self, what: str, time: datetime, record: str, level: str | None) -> Share:
        sort, _, rest = what.partition("/")
        place, _, whom = rest.partition("|")
        audience, words = _SORTS[sort]
        through = f"{words}, {level}" if level else words
        state, reason = PROVED, f"{words} on {time:%Y-%m-%d}, and nobody was seen to take it back"
        principal = None
        if sort == "site_group":
            place, group = _of_group(place)
            through = f"group {group} of the site" if group else words
            state, reason = CONDITIONAL, f"{reason}; what the group may open is not in the log"
        if audience == "named":
            audience, principal = self._whom(whom)
        else:
            state, reason = CONDITIONAL, f"{reason}; {_LINK_TAKES}"
        return Share(audience, principal, place, through, state, reason, (record,) if record else (), time)

    def _whom(self, stated: str) -> tuple[str, str | None]:
        """Audience and principal of a name in a sharing record, which may be a claim."""
        if _INSIDE.search(stated):
            return "inside", None
        if _WHOLE.match(stated):
            return "everyone", None
        name = stated.rsplit("|", 1)[-1].strip()
        known = self.names.get(name.casefold())
        return (known[1], known[0]) if known else ("name", name or None)

    def _reported(self) -> Iterator[Share]:
        """What reports count: everybody on an item proves it for everybody, all other numbers name nobody."""
        for site in self.reports.values():
            address, when = str(site.said["address"][0]), site.snapshot
            for measure, audience, words in (
                    ("eeeu_permissions", "inside", "permission of everyone except external users"),
                    ("eeeu_items", "inside", "permission of everyone except external users"),
                    ("everyone_permissions", "everyone", "permission of everyone"),
                    ("anyone_links", "anyone", "link for anyone"),
                    ("organisation_links", "organisation", "link for the organisation")):
                count = site.number(measure)
                if count:
                    yield self._counted(site, address, when, audience, words, count, site.said[measure][1])
            people = site.number("users_with_access")
            if people is not None:
                yield Share("unnamed", None, address, "permissions of any sort", UNTOLD, f"{people:,} people have "
                            "access; their names are not in the export", (site.said["users_with_access"][1],), when,
                            people, counted=True)
            admin = site.said.get("primary_admin")
            if admin is not None:
                audience, principal = self._whom(str(admin[0]))
                yield Share(audience, principal, address, "administrator of the site", PROVED,
                            "the report names them primary administrator", (admin[1],), when)

    def _counted(self, site: Site, address: str, when: datetime | None, audience: str, words: str, count: int,
                 record: str) -> Share:
        link, item = "link" in words, site.kind == "file"
        state = PROVED if item and not link else CONDITIONAL
        reason = f"the report counts {count:,}" + (f"; {_LINK_TAKES}" if link else "") + (
            "" if item else "; on which items of the site is not in the export")
        return Share(audience, None, address, words, state, reason, (record,) if record else (), when, counted=not item)

    def reaching(self, resource: str) -> Iterator[Share]:
        """Ways in on the resource and on all it lies in: those it inherits are conditional below where inheritance was
        broken, for what was kept then is not in the log."""
        broken: str | None = None
        for place in above(key(resource)):
            for share in self.shares.get(place, ()):
                if place == key(resource):
                    yield share
                elif share.counted:
                    yield replace(share, reason=f"of what it lies in: {share.reason}")
                elif broken is not None and not share.through.startswith("administrator"):
                    yield replace(share, state=CONDITIONAL, reason=f"inherited from {share.resource}, {share.reason}; "
                                  f"inheritance was broken at {broken}, and what was kept then is not in the log")
                else:
                    yield replace(share, reason=f"inherited from {share.resource}, {share.reason}")
            broken = broken or (place if place in self.broken else None)

    @cached_property
    def _accounts(self) -> Mapping[str, str]:
        """What an account is to the organisation, as far as a record shows it: inside, guest, other."""
        rows = self._facts.frame("identities").filter(pl.col("provider").is_in(["entra", PROVIDER])).select(
            "id", "kind", "subkind", pl.col("alt_ids").list.eval(pl.element().struct.field("value")).list.join(" "))
        found = {}
        for identity, kind, subkind, names in rows.iter_rows():
            if "guest" in (subkind or "").casefold() or _GUEST.search(f"{identity} {names or ''}"):
                found[identity] = "guest"
            elif kind not in ("human", "unknown", None):
                found[identity] = "other"
            elif subkind == "user":
                found[identity] = "inside"
        return found

    def lets_in(self, share: Share, principal: str) -> tuple[str, str, tuple[str, ...]] | None:
        """Does a way in reach the principal: state, reason and records; None: it does not, or nothing says so."""
        if share.audience in ("unnamed", "name"):
            return None
        sort = self._accounts.get(principal)
        if share.audience in ("inside", "organisation", "everyone"):
            if sort == "other" or (sort == "guest" and share.audience != "everyone"):
                return None
            if sort is None:
                return CONDITIONAL, f"{share.reason}; whether it is a guest is not loaded", share.records
        if share.principal is None or share.principal == principal:
            return share.state, share.reason, share.records
        if share.audience == "group" and share.principal in self.groups.above(principal):
            chain = self.groups.chain(principal, share.principal)
            sure = not any(step.conditional for step in chain)
            via = " in ".join(step.group for step in chain)
            return (share.state if sure else CONDITIONAL, f"through {via}: {share.reason}",
                    tuple(dict.fromkeys((*share.records, *(step.record_id for step in chain if step.record_id)))))
        return None


def _of_group(place: str) -> tuple[str, str | None]:
    """The site and the name of its group, which the log writes after the address."""
    hit = _SITE.fullmatch(place)
    return (hit[1], hit[2]) if hit else (place, None)


def kind_of(address: str) -> str:
    """site, or file for what lies in one."""
    hit = _SITE.fullmatch(address)
    return "site" if hit is not None and not hit[2] else "file"
