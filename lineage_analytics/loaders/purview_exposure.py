"""SharePoint and Purview exposure reports: how widely sites are open, as counts (sources 4.7).

Shapes  CSV, or JSON rows, of SharePoint Advanced Management's site permissions (SharePoint and OneDrive), the
        data-access-governance reports on sharing links, on "everyone except external users" and on labelled files,
        the content management assessment, and the data risk assessments of Purview DSPM.
Maps    every row to ``resources``, kind ``site`` or, for rows of single items, ``file``: ``id`` the address in the form
        ``assistant_access`` has it, ``attributes`` what the row states under one name per measure, ``snapshot_at`` the
        date of the report.
Drops   display names of administrators; their logins stay.
Schema  headings without regard to case, spaces and punctuation, under the names of 2023 to 2026; headings that are new
        go to ``unmapped``.

The rows are counts and no grants. A measure without a column, and an empty cell, is left out: unknown, not zero. A zero
speaks of its own column alone. A blank owner is not ``ownerless``; only the column of that name says so. Dates in the
form of a country are kept as text, because the country is not stated.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics import tables
from lineage_analytics.loaders._m365_urls import resource_key, site_address
from lineage_analytics.loaders._purview_rows import PROVIDER, by_heading, count, headings, login, moment, rows, typed
from lineage_analytics.loaders.common.assembly import RecordFault, assemble
from lineage_analytics.loaders.common.contract import Batch, Chunk, Match
from lineage_analytics.loaders.common.values import flag, guid, name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lineage_analytics.loaders.common.assembly import Entry
    from lineage_analytics.loaders.common.contract import Document, Sample

__all__ = ["PROVIDER"]

LATENESS = timedelta(hours=48)
FEEDS = frozenset({"resources"})
SOURCE = "purview_exposure"

# What a measure is called here, and the plain headings it comes under.
COUNTS: dict[str, tuple[str, ...]] = {
    "users_with_access": ("numberofusershavingaccess", "totalpermissionedusers", "permissionedusers",
                          "numberofuserswithpermissions"),
    "guest_permissions": ("guestuserpermissions", "guestuserpermissioncount"),
    "external_permissions": ("externalparticipantpermissions", "externalparticipantpermissioncount",
                             "externalusercount"),
    "entra_groups": ("entragroupcount", "microsoftentragroupcount", "entragrouppermissioncount",
                     "microsoftentragrouppermissioncount"),
    "files": ("filecount", "numberoffiles"),
    "unique_permission_items": ("itemswithuniquepermissionscount", "itemswithuniquepermissioncount"),
    "organisation_links": ("peopleinyourorglinkcount", "peopleinyourorganizationlinkcount", "organizationlinkcount",
                           "companylinkcount"),
    "anyone_links": ("anyonelinkcount", "anonymouslinkcount"),
    "specific_people_links": ("specificpeoplelinkcount", "guestlinkcount", "specificpeopleexternallinkcount"),
    "eeeu_permissions": ("eeeupermissioncount", "everyoneexceptexternaluserscount",
                         "everyoneexceptexternaluserspermissioncount"),
    "everyone_permissions": ("everyonepermissioncount",),
    "sharing_links": ("sharinglinkcount", "numberofsharinglinks", "linkcount", "numberoflinks", "numberoflinkscreated"),
    "eeeu_items": ("eeeuitemcount", "numberofitemssharedwitheeeu"),
    "labelled_files": ("labeledfiles", "labelledfiles", "labeledfilecount", "numberoflabeledfiles"),
    "overshared_items": ("potentiallyovershareditems", "potentiallyovershareditemcount", "overshareditemcount"),
    "sensitive_items": ("sensitiveitemcount", "sensitivedatadetected", "sensitivedatacount"),
    "unlabelled_sensitive_items": ("unlabeledsensitiveitemcount", "unlabeledsensitiveitems", "unlabeleditemcount"),
    "externally_shared_items": ("externallyshareditemcount", "externallyshareditems"),
}
_FLAGS = {"inactive": ("isinactive",), "ownerless": ("isownerless",)}
_TEXTS: dict[str, tuple[str, ...]] = {
    "template": ("sitetemplate", "template"), "external_sharing": ("externalsharing",),
    "privacy": ("siteprivacy", "privacy"), "sensitivity": ("sitesensitivity", "sensitivitylabel", "labelname"),
    "workload": ("workload", "datasource"),
}
_ADMIN = ("primaryadminemail", "siteowneremail", "owneremail")
_ADMIN_NAMES = ("primaryadmin", "siteowner", "owner")
_ADDRESS = ("siteurl", "siteaddress", "locationurl", "url")
_ITEM = ("itemurl", "fileurl", "objecturl")
_NAME = ("sitename", "title", "locationname")
_DATE = ("reportdate", "reportrefreshdate", "scandate", "assessmentdate", "completeddate", "completiondate",
         "dataasof", "generateddate")
_TENANT, _SITE = ("tenantid", "organizationid"), ("siteid",)
KNOWN = dict.fromkeys((
    *(heading for group in (COUNTS, _FLAGS, _TEXTS) for names in group.values() for heading in names),
    *_ADMIN, *_ADMIN_NAMES, *_ADDRESS, *_ITEM, *_NAME, *_DATE, *_TENANT, *_SITE, "itemname", "filename",
), "")
_MEASURES = frozenset(heading for group in (COUNTS, _FLAGS) for names in group.values() for heading in names)
# Headings that other lists of sites have too, so that one alone proves nothing.
_COMMON = frozenset({"filecount", "numberoffiles", "linkcount", "numberoflinks", "externalusercount"})
_SITE_LIST = frozenset({"primaryadmin", "primaryadminemail", "sitename", "siteid", "sitetemplate"})
# The report a row is of, by the first measure it states; a site's permissions hold most of them.
_REPORTS = (
    ("site_permissions", ("users_with_access", "unique_permission_items", "everyone_permissions")),
    ("data_risk", ("overshared_items", "sensitive_items", "unlabelled_sensitive_items", "externally_shared_items")),
    ("content_management", ("inactive", "ownerless")),
    ("labelled_files", ("labelled_files",)),
    ("eeeu", ("eeeu_permissions", "eeeu_items")),
)


def detect(sample: Sample) -> Match | None:
    """A list of sites or items with at least one measure of exposure among its headings."""
    found = headings(sample)
    measures = found & _MEASURES
    shape = "json" if sample.first is not None else "csv"
    if not found & {*_ADDRESS, *_SITE, *_ITEM}:
        return None
    if len(measures) >= 4 or len(measures - _COMMON) >= 2:
        return Match(shape, 0.95, f"sites with {len(measures)} measures of exposure")
    if measures - _COMMON or (measures and len(found & _SITE_LIST) >= 2):
        return Match(shape, 0.85, "sites with a measure of exposure")
    return None


def extract(document: Document) -> Iterator[Chunk]:
    """The rows of the report."""
    yield from rows(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Resources of one chunk."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    cells = {heading: typed(cell) for heading, cell in by_heading(entry.fields).items()}
    tenant = guid(_text(cells, _TENANT))
    site, item = site_address(_text(cells, _ADDRESS)), resource_key(_text(cells, _ITEM))
    native = guid(_text(cells, _SITE))
    if site is None and native is not None:
        site = f"{PROVIDER}:{tenant or ''}:site/{native}"
    if site is None and item is None:
        raise RecordFault("no_site", "neither the address nor the id of a site or an item")
    stated = _stated(cells)
    if not stated.keys() & {*COUNTS, *_FLAGS}:
        raise RecordFault("out_of_scope", "a site without a measure of exposure", "rejected")
    report, attributes = _report(stated), _json({"report": _report(stated), "site_id": native, **stated})
    date = _text(cells, _DATE)
    entry.identify(PROVIDER, tenant, f"exposure/{report}/{item or site}/{date or ''}/{attributes}")
    entry.add(
        tables.RESOURCES, id=item or site, kind="file" if item else "site",
        display_name=_text(cells, ("itemname", "filename") if item else _NAME), parent_id=site if item else None,
        attributes=attributes, snapshot_at=moment(date), unmapped=entry.leftovers(KNOWN, cells))


def _stated(cells: Mapping[str, Any]) -> dict[str, Any]:
    """What the row says, under the names used here; what it does not say is not among it."""
    found: dict[str, Any] = {}
    for measure, names in COUNTS.items():
        found[measure] = next((number for key in names if (number := count(cells.get(key))) is not None), None)
    for mark, names in _FLAGS.items():
        found[mark] = next((held for key in names if (held := flag(cells.get(key))) is not None), None)
    for part, names in _TEXTS.items():
        found[part] = _text(cells, names)
    found["primary_admin"] = next((who for key in _ADMIN if (who := login(cells.get(key))) is not None), None)
    date = _text(cells, _DATE)
    found["report_date"] = date if moment(date) is None else None
    return {key: held for key, held in found.items() if held is not None}


def _report(stated: Mapping[str, Any]) -> str:
    return next((report for report, measures in _REPORTS if stated.keys() & set(measures)), "sharing_links")


def _text(cells: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """The first stated value as text; yes and no as the report wrote them mean."""
    for key in names:
        held = cells.get(key)
        found = ("yes" if held else "no") if isinstance(held, bool) else name(held)
        if found is not None:
            return found
    return None


def _json(value: dict[str, Any]) -> str:
    return msgspec.json.encode({key: held for key, held in value.items() if held is not None}, order="sorted").decode()
