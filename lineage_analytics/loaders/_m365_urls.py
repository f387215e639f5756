"""One normal form for SharePoint and OneDrive addresses, so that a file is one resource in every record."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

from lineage_analytics.loaders.common.values import guid

_VIEWERS = ("/_layouts/15/doc.aspx", "/_layouts/15/wopiframe.aspx", "/_layouts/15/doc2.aspx")


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
