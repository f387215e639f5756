"""Whose records an export holds, as its own layout says: folders that providers name after an account or directory.

Providers write into ``AWSLogs/<account>/`` (behind ``o-.../`` for an organisation), ``accountId=<account>/`` (Security
Lake) and ``tenantId=<directory>/`` (diagnostic settings of Entra). A record in there that says it is another's was put
there by somebody: it is quarantined as ``tenant_mismatch``. Where no folder says so, nothing is known of the export.
The envelope of a diagnostic setting may name another directory than the Graph object in it does, in real exports too;
the envelope is believed there and nothing is held against the record.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lineage_analytics.loaders.common.contract import Document

REASON = "tenant_mismatch"
_GUID = "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
_MICROSOFT = frozenset({"entra", "m365"})
_FOLDERS = (
    (re.compile(r"(?:^|[/\\])AWSLogs[/\\](?:o-[a-z0-9]{10,32}[/\\])?([0-9]{12})[/\\]"), frozenset({"aws"})),
    (re.compile(r"(?:^|[/\\])accountId=([0-9]{12})[/\\]", re.IGNORECASE), frozenset({"aws", "ocsf"})),
    (re.compile(rf"(?:^|[/\\])tenantId=({_GUID})[/\\]", re.IGNORECASE), _MICROSOFT),
)
_COMPARABLE = re.compile(rf"[0-9]{{12}}|{_GUID}")


class Owner(NamedTuple):
    """The account or directory an export is of, and the providers whose tenants are named that way."""

    tenant: str
    providers: frozenset[str]

    def contradicts(self, provider: str | None, tenant: str | None) -> bool:
        """Whether a record is of another tenant; one that states none, or names it another way, is of nobody else."""
        if provider not in self.providers or tenant is None:
            return False
        stated = tenant.lower()
        return stated != self.tenant and _COMPARABLE.fullmatch(stated) is not None


def owner_of(document: Document) -> Owner | None:
    """What the folders of the file, or of the member inside an archive, say; None where they say nothing."""
    for place in (document.member, document.file):
        for folder, providers in _FOLDERS if place else ():
            found = folder.search(place or "")
            if found is not None:
                return Owner(found[1].lower(), providers)
    return None


def contradiction(own: str | None, *around: str | None) -> str | None:
    """Why a record is of another tenant than all its envelope names, in words; None where they agree or say nothing.

    Only ids can differ: a name may be an alias of one.
    """
    stated = [low for held in around if held is not None and _COMPARABLE.fullmatch(low := held.lower())]
    said = (own or "").lower()
    return why(said, stated[0]) if stated and _COMPARABLE.fullmatch(said) and said not in stated else None


def why(tenant: str | None, owner: str | None) -> str:
    return f"the record is of {(tenant or '')[:60]}, the export of {(owner or '')[:60]}"
