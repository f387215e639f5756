"""One normal form for SharePoint and OneDrive addresses, so that a file is one resource in every record."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote, urlsplit

from lineage_analytics.loaders.common.values import guid

_VIEWERS = ("/_layouts/15/doc.aspx", "/_layouts/15/wopiframe.aspx", "/_layouts/15/doc2.aspx")

_SHAREPOINT = re.compile(r"https?://[^/]{1,200}\.sharepoint(?:-[a-z]{1,8})?\.(?:com|us|cn|de)(?::\d{1,5})?(?:/|$|#)")
_TEAMS_HOSTS = ("teams.microsoft.com", "asyncgw.teams.microsoft.com", "asm.skype.com")
_EXCHANGE_ID = re.compile(r"(?:AAMk|AQMk|AAkAL)[A-Za-z0-9_+/=-]{20,}")
_GRAPH_ID = re.compile(r"01[A-Z2-7]{32}|b![A-Za-z0-9_-]{20,}|[a-z0-9.-]{4,100},[0-9a-f-]{36},[0-9a-f-]{36}")


def resource_key(value: str | None) -> str | None:
    """The id a resource is compared by: an address in normal form, a GUID in lower case, other text as it stands."""
    if value is None or not (found := value.strip()):
        return None
    return site_address(found) or guid(found) or found


def site_address(value: str | None) -> str | None:
    """An http(s) address decoded once, host in lower case, without query and trailing slash; None for other text.

    A viewer page that names its document only in ``sourcedoc`` keeps that id after ``#``: dropping it would make
    every document of a site one resource. The case of the path is kept.
    """
    if value is None or "://" not in value[:8]:
        return None
    try:
        parts = urlsplit(value.strip(), allow_fragments=False)  # a file name may hold '#', also undecoded
    except ValueError:
        return None
    if parts.scheme.lower() not in ("http", "https") or not parts.netloc:
        return None
    path = unquote(parts.path).rstrip("/")
    address = f"{parts.scheme.lower()}://{parts.netloc.lower()}{path}"
    if path.lower().endswith(_VIEWERS):
        document = guid(next(iter(parse_qs(parts.query).get("sourcedoc", [])), None))
        return f"{address}#{document}" if document else address
    return address


def document_address(address: str | None, label: str | None) -> str | None:
    """The address when it names one document: its last part is the document's name or has a file extension."""
    found = site_address(address)
    if found is None:
        return None
    last = found.rsplit("/", 1)[-1]
    if _names_document(found) or (label is not None and last.casefold() == label.strip().casefold()):
        return found
    stem, dot, extension = last.rpartition(".")
    is_file = bool(dot and stem) and 1 <= len(extension) <= 8 and extension.isalnum()
    return found if is_file and found.count("/") > 2 else None


def _names_document(address: str) -> bool:
    page, _, document = address.rpartition("#")
    return guid(document) is not None and page.lower().endswith(_VIEWERS)


def id_kind(value: str | None) -> str | None:
    """What sort of id a resource's is, by its form; None where the form does not tell."""
    if value is None:
        return None
    found = value.strip()
    address = site_address(found)
    if address is not None:
        if _SHAREPOINT.match(address):
            return "spo_url"
        return "teams_id" if address.split("/")[2].partition(":")[0].endswith(_TEAMS_HOSTS) else None
    if guid(found):
        return "list_item_id"
    if found.startswith("19:") or "@thread." in found:
        return "teams_id"
    if _EXCHANGE_ID.fullmatch(found):
        return "message_id"
    return "graph_id" if _GRAPH_ID.fullmatch(found) else None


def file_name(label: str | None) -> bool:
    """Whether a bare name is that of a file: text before a short extension. Other names may be what people wrote."""
    stem, dot, extension = (label or "").strip().rpartition(".")
    return bool(dot and stem) and 1 <= len(extension) <= 5 and extension.isalnum() and extension.isascii()
