"""What a file of Entra logs is about, by its content: audits, sign-ins, Graph activity or risk, alone or mixed.

A diagnostic setting may write every category into one file. The loader whose records are most in the head of the file
takes it; what else is in it goes to the readers of the other loaders, record by record (``_entra_mixed``).
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from lineage_analytics.loaders._entra_hunting import GRAPH_REQUEST, USER_SIGN_IN, WORKLOAD_SIGN_IN
from lineage_analytics.loaders._entra_opened import FAMILIES, FAMILY_BY_CATEGORY, UTC_COLUMN, family_of, opened
from lineage_analytics.loaders.common.contract import Match
from lineage_analytics.loaders.common.packings import chunks_by_shape, csv_columns, head_keys, is_page
from lineage_analytics.loaders.common.values import fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from lineage_analytics.loaders.common.contract import Chunk, Document, Sample

_CATEGORY = re.compile(rb'"(?:category|type)"\s{0,4}:\s{0,4}"(\w{5,40})"', re.IGNORECASE)
# Columns of exports as rows: of Log Analytics, of PowerShell, of the portal. The first family whose columns are there.
_BY_COLUMNS: tuple[tuple[str, tuple[frozenset[str], ...]], ...] = (
    ("audit", (frozenset({"activitydisplayname", "initiatedby", "targetresources"}),
               frozenset({"date (utc)", "activity", "target1displayname", "actortype"}),
               frozenset({"provisioningaction", "changeid", "cycleid", "jobid"}))),
    ("graph", (frozenset({"requesturi", "requestmethod", "responsestatuscode", "appid"}),
               frozenset({"requesturi", "httpmethod", "httpstatuscode", "appid"}), GRAPH_REQUEST)),
    ("risk", (frozenset({"riskeventtype", "riskstate", "risklevel"}),
              frozenset({"risklastupdateddatetime", "riskstate", "risklevel"}))),
    ("signin", (USER_SIGN_IN, WORKLOAD_SIGN_IN,
                frozenset({"timegenerated", "resulttype", "appid", "correlationid", "ipaddress"}),
                frozenset({"createddatetime", "appid", "correlationid", "status", "ipaddress"}),
                frozenset({"date (utc)", "request id", "application", "status"}),
                frozenset({"date (utc)", "request id", "service principal id", "status"}),
                frozenset({"date (utc)", "request id", "managed identity id", "status"}))),
)
_BY_KEYS: tuple[tuple[str, frozenset[str]], ...] = (
    ("audit", frozenset({"activitydisplayname", "initiatedby"})),
    ("graph", frozenset({"requesturi", "requestmethod", "responsestatuscode"})),
    ("signin", frozenset({"createddatetime", "appliedconditionalaccesspolicies"})),
)


def detect(sample: Sample, family: str) -> Match | None:
    """The match for the loader of this family; None when the file is another's."""
    found = _sniffed(sample)
    return found[1] if found is not None and found[0] == family else None


def _sniffed(sample: Sample) -> tuple[str, Match] | None:
    if columns := csv_columns(sample):
        named = frozenset(" ".join(column.split()).removesuffix(UTC_COLUMN) for column in columns)
        family = next((name for name, sets in _BY_COLUMNS if any(wanted <= named for wanted in sets)), None)
        return None if family is None else (family, Match("csv", 0.95, f"columns of {FAMILIES[family]}"))
    if sample.first is None:
        keys = head_keys(sample)
        family = next((name for name, wanted in _BY_KEYS if wanted <= keys), None)
        return None if family is None else (
            family, Match("json", 0.8, f"keys of {FAMILIES[family]} in a first record longer than the head"))
    first = _innermost(sample.first)
    own = family_of(opened(first)) if first is not None else None
    if own is None:
        return None
    shape = "pages" if sample.wrapper == "lines" and is_page(sample.first) else "json"
    counted = _categories(sample.head)
    family = max(counted, key=lambda name: (counted[name], -list(FAMILIES).index(name)), default=own)
    among = " with other categories beside them" if len(counted) > 1 else ""
    return family, Match(shape, 0.95, f"{FAMILIES[family]}{among}")


def _innermost(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The record of a line, also where the line is a page of an API or a delivery of a hub."""
    folded = fold(record)
    for key in ("value", "records"):
        if isinstance(folded.get(key), list):
            return next((item for item in folded[key] if isinstance(item, dict)), None)
    return record


def _categories(head: bytes) -> Counter[str]:
    """How many records of which family the head of the file names as such."""
    found: Counter[str] = Counter()
    for name in _CATEGORY.findall(head):
        family = FAMILY_BY_CATEGORY.get(name.decode().lower())
        if family is not None:
            found[family] += 1
    return found


def extract(document: Document) -> Iterator[Chunk]:
    """Rows and records as they stand in the file; CSV rows as objects."""
    return chunks_by_shape(document)
