"""Exposure reports of SharePoint and Purview: permissions a month, links and risks a week, one under new headings."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation import names
from lineage_analytics.simulation.model import SITES
from lineage_analytics.simulation.writers.files import as_csv, pretty, put, zulu
from lineage_analytics.simulation.writers.m365_audit import address

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from lineage_analytics.simulation.chapters._purview_sites import Exposure, Site
    from lineage_analytics.simulation.model import World

Row = dict[str, Any]
_LATER = {"Site name": "Site Name", "External sharing": "ExternalSharing", "Report date": "Report Date",
          "Entra group count": "Microsoft Entra group count",
          "PeopleInYourOrg link count": "People In Your Org link count"}


def write(directory: Path, world: World) -> int:
    """Every report; the last of permissions stands a second time, under headings of a later version."""
    if "purview" not in world.cast:
        return 0
    exposure: Exposure = world.cast["purview"].exposure
    labels = {guid: name for name, guid in names.LABELS.items()}
    monthly = [[_permissions(world, exposure, site, day) for site in exposure.sites] for day in exposure.monthly]
    reports: dict[str, list[Row]] = {
        f"site-permissions-{day:%Y-%m-%d}": rows for day, rows in zip(exposure.monthly, monthly, strict=True)}
    reports |= {f"sharing-links-{day:%Y-%m-%d}": [_links(site, day) for site in exposure.sites]
                for day in exposure.weekly}
    reports["labelled-files"] = [row for site in exposure.sites for row in _labelled(site, labels)]
    reports["eeeu-items"] = [
        {"Site URL": _url(site), "Item URL": address(file), "Item name": file.name, "EEEU permission count": "1"}
        for site in exposure.sites if site.opened_on for file in site.files if file.label]
    reports["content-management-assessment"] = [_managed(site) for site in exposure.sites]
    for name, rows in reports.items():
        put(directory / f"{name}.csv", _csv(rows))
    risks = [_risk(site, day) for day in exposure.weekly for site in exposure.sites]
    put(directory / "data-risk-assessments.json", pretty(risks))
    if monthly:
        put(directory / "again" / "SitePermissions.csv", _csv(
            [{_LATER.get(key, key): held for key, held in row.items()} for row in monthly[-1]]))
    return sum(map(len, reports.values())) + len(risks)


def _csv(rows: Sequence[Row]) -> bytes:
    return as_csv([*rows[0]], [[*row.values()] for row in rows]) if rows else b""


def _url(site: Site) -> str:
    return f"{SITES}/sites/{site.name}/"


def _open(site: Site, day: datetime) -> bool:
    return site.opened_on is not None and site.opened_on <= day


def _permissions(world: World, exposure: Exposure, site: Site, day: datetime) -> Row:
    opened = _open(site, day)
    return {
        "Tenant ID": world.tenant, "Site ID": site.site_id, "Site name": f"{site.name} (synthetic)",
        "Site URL": _url(site), "Site template": "Team site", "Primary admin": site.owner.name if site.owner else "",
        "Primary admin email": site.owner.login if site.owner else "", "External sharing": "No" if opened else "Yes",
        "Site privacy": "Public" if opened else "Private", "Site sensitivity": "",
        "Number of users having access": f"{exposure.workforce if opened else site.readers:,}",
        "Guest user permissions": str(site.guests), "External participant permissions": "0",
        "Entra group count": "2", "File count": str(len(site.files)),
        "Items with unique permissions count": str(site.unique),
        "PeopleInYourOrg link count": str(site.organisation_links), "Anyone link count": "0",
        "EEEU permission count": "1" if opened else "0", "Everyone permission count": "0",
        "Report date": zulu(day.replace(hour=6)),
    }


def _links(site: Site, day: datetime) -> Row:
    return {"Site ID": site.site_id, "Site name": f"{site.name} (synthetic)", "Site URL": _url(site),
            "Anyone link count": str(site.anyone_links.get(day, 0)),
            "PeopleInYourOrg link count": str(site.organisation_links), "Report date": zulu(day.replace(hour=6))}


def _labelled(site: Site, labels: dict[str, str]) -> list[Row]:
    found = Counter(labels[file.label] for file in site.files if file.label)
    return [{"Site ID": site.site_id, "Site URL": _url(site), "Label name": name, "Labeled files": str(count)}
            for name, count in sorted(found.items())]


def _managed(site: Site) -> Row:
    return {"Site name": f"{site.name} (synthetic)", "URL": _url(site), "Is inactive": "False",
            "Is ownerless": str(site.owner is None), "Owner email": site.owner.login if site.owner else ""}


def _risk(site: Site, day: datetime) -> Row:
    secret = sum(file.label in (names.LABELS["Confidential"], names.LABELS["Highly Confidential"])
                 for file in site.files)
    return {"Assessment Date": f"{day:%Y-%m-%d}", "Site Name": f"{site.name} (synthetic)", "Site URL": _url(site),
            "Potentially overshared items": len(site.files) if _open(site, day) else 0, "Sensitive item count": secret,
            "Unlabeled sensitive item count": sum(not file.label for file in site.files) // 4}
