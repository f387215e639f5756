"""Sensitivity labels: the catalogue that label ids in other records point to (sources 4.7).

Shapes  ``Get-Label`` as CSV, JSON or lines; Graph lists of sensitivity labels, of the information-protection and of the
        data-security endpoint, with sublabels inside their parents.
Maps    every label to ``resources``: ``id`` its GUID in lower case, as ``assistant_access.label_id`` has it;
        ``parent_id`` the label it is under; ``attributes`` its rank, whether it is on and whether it protects.
Drops   tooltips, comments, descriptions, colours and markings; the settings of a label but for whether it encrypts.
Schema  Exchange Online PowerShell v3, Graph v1.0 and beta; unknown keys go to ``unmapped`` without texts.

``rank`` is the provider's own number: higher is more sensitive, and numbers of two exports do not compare. ``protects``
is null where the export holds no actions. Names repeat under different parents, so labels are compared by GUID. An
export states no time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics import tables
from lineage_analytics.loaders._purview_rows import PROVIDER, by_heading, count, headings, rows
from lineage_analytics.loaders.common.assembly import RecordFault, assemble
from lineage_analytics.loaders.common.contract import Batch, Chunk, Match
from lineage_analytics.loaders.common.leftovers import unmapped
from lineage_analytics.loaders.common.packings import is_page, page_chunks
from lineage_analytics.loaders.common.values import embedded, flag, guid, name, obj, objects, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.loaders.common.assembly import Entry
    from lineage_analytics.loaders.common.contract import Document, Sample

__all__ = ["PROVIDER"]

LATENESS = timedelta(hours=24)
FEEDS = frozenset({"resources"})
SOURCE = "purview_labels"

_MOST_DEPTH = 4
_IDS = ("immutableid", "guid", "exchangeobjectid", "id")
# Get-Label knows the rank as Priority, Graph's first list as sensitivity.
_COMMAND = frozenset({"priority", "contenttype"})
_GRAPH_OLD = frozenset({"id", "name", "sensitivity"})
_GRAPH_NEW = frozenset({"id", "name", "priority"})
_GRAPH_MARKS = frozenset({
    "isactive", "isappliable", "hasprotection", "contentformats", "parent", "applicableto", "sublabels", "actionsource",
})
KNOWN = {
    **dict.fromkeys((*_IDS, "name", "displayname", "parentlabeldisplayname", "parentname", "contenttype"), "string"),
    "parentid": "string", "parent": "object", "priority": "number string", "sensitivity": "number string",
    "disabled": "boolean string", "isactive": "boolean string", "isenabled": "boolean string",
    "isappliable": "boolean string", "hasprotection": "boolean string", "contentformats": "array string",
    "applicableto": "", "labelactions": "", "sublabels": "array", "tooltip": "string", "comment": "string",
    "description": "string", "color": "string", "settings": "", "localesettings": "", "conditions": "",
    "organizationid": "string", "odatatype": "string", "odataid": "string", "mode": "string", "autotooltip": "string",
    "parentodatacontext": "string",
}


def detect(sample: Sample) -> Match | None:
    """Labels by rank and content type beside a GUID, or by the keys of Graph's lists."""
    first = sample.first
    pages = sample.wrapper == "lines" and is_page(first)
    if pages and first is not None and isinstance(first.get("value"), list):
        found = frozenset(by_heading(next((o for o in first["value"] if isinstance(o, dict)), {})))
    else:
        found = headings(sample)
    shape = "pages" if pages else "json" if first is not None else "csv"
    if found >= _COMMAND and found & {"immutableid", "guid"} and found & {"displayname", "name"}:
        return Match(shape, 0.95, "Priority and ContentType of labels with their GUID")
    if (found >= _GRAPH_OLD and found & _GRAPH_MARKS) or (found >= _GRAPH_NEW and len(found & _GRAPH_MARKS) > 1):
        return Match(shape, 0.9, "sensitivity labels as Graph lists them")
    return None


def extract(document: Document) -> Iterator[Chunk]:
    """The labels listed; sublabels stay inside their parents."""
    yield from page_chunks(document) if document.shape == "pages" else rows(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Resources of one chunk."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    cells = by_heading(entry.fields)
    label = _label_id(cells)
    if label is None:
        raise RecordFault("not_a_label", "no GUID of a label")
    tenant = guid(text(cells.get("organizationid")))
    listed = list(_with_sublabels(cells, label, _parent(cells)))
    stated = msgspec.json.encode([row for _, row in listed], order="sorted").decode()
    entry.identify(PROVIDER, tenant, f"label/{label}/{stated}", within="")
    entry.leftovers(KNOWN, cells)
    for fields, row in listed:
        entry.add(tables.RESOURCES, kind="sensitivity_label", **row, unmapped=unmapped(fields, KNOWN, texts=False))


def _with_sublabels(
    cells: dict[str, Any], label: str, parent: str | None, depth: int = 0
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The label and those inside it, each with its columns."""
    yield cells, {
        "id": label, "display_name": name(cells.get("displayname")) or name(cells.get("name")), "parent_id": parent,
        "attributes": _attributes(cells),
    }
    for inner in objects(cells.get("sublabels")) if depth < _MOST_DEPTH else ():
        below = by_heading(inner)
        found = _label_id(below)
        if found is not None:
            yield from _with_sublabels(below, found, label, depth + 1)


def _label_id(cells: dict[str, Any]) -> str | None:
    return next((found for key in _IDS if (found := _some_guid(cells.get(key))) is not None), None)


def _some_guid(value: object) -> str | None:
    """A GUID that is not all zeros, which is how exports write none."""
    return guid(name(value))


def _parent(cells: dict[str, Any]) -> str | None:
    return _some_guid(cells.get("parentid")) or _some_guid(obj(cells.get("parent")).get("id"))


def _attributes(cells: dict[str, Any]) -> str:
    rank = count(cells.get("priority"))
    disabled = flag(cells.get("disabled"))
    enabled = next((found for key in ("isactive", "isenabled") if (found := flag(cells.get(key))) is not None), None)
    stated = {
        "rank": rank if rank is not None else count(cells.get("sensitivity")),
        "enabled": (not disabled) if disabled is not None else enabled,
        "protects": _protects(cells),
        "content_types": _words(cells.get("contenttype") or cells.get("contentformats") or cells.get("applicableto")),
    }
    return msgspec.json.encode({key: held for key, held in stated.items() if held is not None}, order="sorted").decode()


def _protects(cells: dict[str, Any]) -> bool | None:
    stated = flag(cells.get("hasprotection"))
    if stated is not None or "labelactions" not in cells:
        return stated
    actions = embedded(cells["labelactions"])
    listed = [embedded(action) for action in (actions if isinstance(actions, list) else [actions])]
    known = [action for action in listed if isinstance(action, dict)]
    if any((text(obj(action).get("type")) or "").lower() == "encrypt" for action in known):
        return True
    return False if known or actions == [] else None


def _words(value: object) -> list[str] | None:
    found = embedded(value)
    listed = found if isinstance(found, list) else (text(found) or "").split(",")
    return sorted({word.strip().lower() for word in listed if isinstance(word, str) and word.strip()}) or None
