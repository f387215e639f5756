"""Who can open what in SharePoint and OneDrive: through which link, group, administration or inheritance.

Two sorts of records speak of it. The unified audit log states sharing as it happens (sources 4.7, record type 14): a
link or a grant it saw made, and saw nobody take away, stands; one made before its first day is not in it. The exposure
reports count what is open per site or item and name nobody: a count stays a count, and is never a list of names.

So the answers are ``proved`` (a record says so), ``conditional`` (it takes the link, or a step between is not loaded)
and ``unknown`` (only a number is). Nobody is ever shown to be unable to open something.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import polars as pl

from lineage_analytics import tables
from lineage_analytics.permissions.decision import ALLOWED, CONDITIONAL, UNKNOWN, Because, Decision
from lineage_analytics.permissions.site_shares import PROVED, PROVIDER, Share, Sites, key, kind_of

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts

PROVIDERS = frozenset({PROVIDER})
OPEN = "m365:open"
OPENS = pl.Schema([
    ("principal_id", pl.String), ("audience", pl.String), ("resource_id", pl.String), ("granted_on", pl.String),
    ("through", pl.String), ("state", pl.String), ("people", pl.Int64), ("label", pl.String), ("since", tables.TIME),
    ("reason", pl.String), ("record_ids", tables.TEXTS),
])
ITEMS = pl.Schema([
    ("resource_id", pl.String), ("kind", pl.String), ("everybody", pl.Boolean), ("people", pl.Int64),
    ("anyone_links", pl.Int64), ("organisation_links", pl.Int64), ("label", pl.String), ("sensitive_items", pl.Int64),
    ("snapshot_at", tables.TIME), ("record_ids", tables.TEXTS),
])
_WIDE = ("eeeu_permissions", "everyone_permissions", "anyone_links", "organisation_links")
_OPENED = ("m365:FileAccessed", "m365:FileDownloaded", "m365:FilePreviewed", "m365:FileModified", "m365:PageViewed")
_SHOWN = 20


def sites(facts: Facts) -> Sites:
    """Ways in of the estate, read once."""
    if "sites" not in facts.parts:
        facts.parts["sites"] = Sites(facts)
    return cast("Sites", facts.parts["sites"])


def who_can_open(facts: Facts, resource: str) -> pl.DataFrame:
    """Every way into an item or site that a record states.

    Returns
    -------
    frame : ``principal_id`` (null where the way names nobody), ``audience`` (person, group, name, inside, organisation,
        everyone, anyone, unnamed), ``resource_id`` as asked, ``granted_on`` (itself, or what it lies in), ``through``,
        ``state`` (proved, conditional, unknown), ``people`` (a count without names; else null), ``label`` (null: none
        on record), ``since``, ``reason``, ``record_ids``. Members of groups are not listed, the group is. Empty: no
        record states any, which is not nobody.
    """
    have = sites(facts)
    rows = [_row(have, share, share.principal, resource, share.state, share.reason, share.records)
            for share in have.reaching(resource)]
    return pl.DataFrame(rows, schema=OPENS, orient="row").unique().sort(
        "state", "audience", "principal_id", "granted_on", "through", "reason", nulls_last=True)


def opens(facts: Facts, principal: str) -> pl.DataFrame:
    """Every place a principal is let into, through itself, its groups or everybody; as ``who_can_open``.

    Returns
    -------
    frame : one row per way, at the place it is on: what lies in the place is not listed.
    """
    have = sites(facts)
    rows = []
    for share in have.about(principal):
        found = have.lets_in(share, principal)
        if found is not None:
            rows.append(_row(have, share, principal, share.resource, *found))
    return pl.DataFrame(rows, schema=OPENS, orient="row").unique().sort("resource_id", "state", "through", "reason")


def _row(have: Sites, share: Share, principal: str | None, resource: str, state: str, reason: str,
         records: tuple[str, ...]) -> tuple[Any, ...]:
    return (principal, share.audience, resource, share.resource, share.through, state, share.people,
            have.labels.get(key(resource)), share.since, reason, list(records)[:_SHOWN])


def items(facts: Facts) -> pl.DataFrame:
    """What reports and the log say of every site and item: what the measures of exposure need.

    Returns
    -------
    frame : ``resource_id``; ``kind`` site or file; ``everybody``: a permission of everyone, of everyone except external
        users, or a link for anyone or the organisation is on it or, of a site, on something in it; false only where a
        report counts none of all four; null: not known;
        ``people`` who have access, as counted; counts of links; ``label``; ``sensitive_items`` as counted;
        ``snapshot_at``; ``record_ids``. Null: not stated, never zero.
    """
    have = sites(facts)
    open_to = {"inside", "everyone", "anyone", "organisation"}
    rows = []
    for place in sorted({*have.reports, *have.shares}):
        report, ways = have.reports.get(place), have.shares.get(place, ())
        wide = any(way.audience in open_to for way in ways)
        none = report is not None and all(report.number(name) == 0 for name in _WIDE)
        address = str(report.said["address"][0]) if report else next(iter(ways)).resource
        records = sorted({record for way in ways for record in way.records} | (report.records if report else set()))
        counts = [report.number(name) if report else None for name in (
            "users_with_access", "anyone_links", "organisation_links", "sensitive_items")]
        rows.append((address, report.kind if report else kind_of(address), True if wide else False if none else None,
                     *counts[:3], have.labels.get(place), counts[3], report.snapshot if report else None,
                     records[:_SHOWN]))
    return pl.DataFrame(rows, schema=ITEMS, orient="row")


def decide_site(facts: Facts, principal: str, resource: str, action: str = OPEN) -> Decision:
    """May the principal open the item or site? Allowed where a record proves a way in, conditional where it takes a
    link or a step that is not loaded, else unknown: no export that is read lists every permission of a site."""
    have, found = sites(facts), dict[str, list[Because]]()
    for share in have.reaching(resource):
        reached = have.lets_in(share, principal)
        if reached is not None:
            state, reason, records = reached
            effect = "allow" if state == PROVED else "condition"
            found.setdefault(state, []).append(Because(effect, f"{share.through}: {reason}", records))
    opened = _opened(facts, principal, resource)
    if opened is not None:
        found.setdefault(CONDITIONAL, []).append(opened)
    if found.get(PROVED):
        return Decision(principal, action, resource, ALLOWED, tuple(found[PROVED][:_SHOWN]))
    counted = [Because("missing", share.reason, share.records) for share in have.reaching(resource)
               if share.audience == "unnamed"]
    if found.get(CONDITIONAL):
        return Decision(principal, action, resource, CONDITIONAL, tuple((found[CONDITIONAL] + counted)[:_SHOWN]))
    missing = Because("missing", "no export that is read lists who has which permission on this site; the log shows "
                      "what was shared since its first day")
    return Decision(principal, action, resource, UNKNOWN, (*counted[:_SHOWN], missing))


def _opened(facts: Facts, principal: str, resource: str) -> Because | None:
    """The last time the log saw the principal open it: it could then."""
    rows = facts["activity"].filter(
        (pl.col("provider") == PROVIDER) & (pl.col("actor_id") == principal) & (pl.col("outcome") == "success")
        & pl.col("action").is_in(_OPENED)
        & (pl.col("resource_id").str.to_lowercase() == key(resource)) & (pl.col("time") <= facts.as_of)
    ).select("time", "record_id").sort("time", "record_id").tail(1).collect()
    if rows.is_empty():
        return None
    time, record = rows.row(0)
    return Because("condition", f"opened it on {time:%Y-%m-%d}; whether it still may is not loaded", (record,))


def decide(facts: Facts, principal: str, action: str, resource: str) -> Decision:
    """``m365:open`` by ``decide_site``; every other action of Microsoft 365 is unknown."""
    if action == OPEN:
        return decide_site(facts, principal, resource)
    says = f"what allows {action} is in no file that is read; {OPEN} can be asked"
    return Decision(principal, action, resource, UNKNOWN, (Because("missing", says),))


def permission_rows(facts: Facts) -> pl.DataFrame:
    """``tables.PERMISSIONS`` of identities only Microsoft 365 names: what they may open stands per item, and has no
    count of permissions."""
    people = facts.frame("identities").filter(
        (pl.col("provider") == PROVIDER) & (pl.col("kind").fill_null("unknown") != "group"))["id"].unique().sort()
    reason = "no_source: no export lists what it may do; what it may open is asked item by item"
    return tables.conform(pl.DataFrame({"principal_id": people, "reason": [reason] * len(people)}, schema={
        "principal_id": pl.String, "reason": pl.String}), tables.PERMISSIONS)
