"""Ids of Active Directory objects as every loader that meets them writes them (sources 1.3).

A SID names its domain itself, so one principal has one id whatever record speaks of it. Well-known SIDs are the same
in every domain: they keep the prefix their source gives them (domain or computer), and their id has no domain SID,
because a record that only refers to one does not know it.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.values import guid

if TYPE_CHECKING:
    from collections.abc import Mapping

PROVIDER = "ad"
_DOMAIN = re.compile(r"(S-1-5-21-\d{1,10}-\d{1,10}-\d{1,10})(?:-\d{1,10}){0,4}")
_SID = re.compile(r"S-1-\d{1,15}(?:-\d{1,10}){1,15}")
_PREFIXED = re.compile(r"([^\s]{1,255})-(S-1-\d{1,15}(?:-\d{1,10}){1,15})")
_RID = re.compile(r"-(\d{1,10})\Z")

# Identities that Windows itself runs, and that nobody can hand out or take back.
SYSTEM_SIDS = frozenset({"S-1-5-6", "S-1-5-17", "S-1-5-18", "S-1-5-19", "S-1-5-20"})
_SERVICES = re.compile(r"S-1-5-(?:80|82|83|90|96)-[\d-]+")
NOBODY = frozenset({"S-1-0-0", "S-1-0", "-"})
KRBTGT = "502"


def native(value: str | None, prefix: str | None = None) -> str | None:
    """The id as it is compared: SIDs in upper case, GUIDs in lower case, distinguished names in upper case.

    ``prefix`` is the domain or computer that a bare well-known SID is of. None for nobody and for nothing.
    """
    if value is None or not value.strip():
        return None
    found, upper = guid(value), value.strip().upper()
    if found is not None:
        return found
    if upper in NOBODY:
        return None
    if _SID.fullmatch(upper) and not _DOMAIN.fullmatch(upper) and prefix:
        return f"{prefix.upper()}-{upper}"
    return upper


def domain_of(found: str | None) -> str | None:
    """The domain SID inside a SID; None for well-known SIDs and for what is none."""
    match = _DOMAIN.fullmatch(found.strip().upper()) if found else None
    return match[1] if match else None


def well_known(found: str) -> str | None:
    """The SID without its prefix when it is one of no domain; else None."""
    if _DOMAIN.fullmatch(found):
        return None
    match = _PREFIXED.fullmatch(found)
    return match[2] if match else found if _SID.fullmatch(found) else None


def system_kind(found: str) -> str | None:
    """``system`` for identities Windows itself runs as, ``virtual_account`` for those of its services; else None."""
    bare = well_known(found)
    if bare is None:
        return None
    return "system" if bare in SYSTEM_SIDS else "virtual_account" if _SERVICES.fullmatch(bare) else None


def rid(found: str) -> str | None:
    """The last part of a domain SID; None for other ids and for the domain itself."""
    domain = domain_of(found)
    match = _RID.search(found) if domain and domain != found else None
    return match[1] if match else None


def is_sid(value: str | None) -> bool:
    """Whether the text is a SID, with or without the domain a well-known one is of."""
    upper = (value or "").strip().upper()
    return bool(_SID.fullmatch(upper) or _PREFIXED.fullmatch(upper))


@lru_cache(maxsize=65_536)
def object_id(value: str | None, domain: str | None = None, prefix: str | None = None) -> str | None:
    """``ad:<domain SID>:<native id>``; ``domain`` is that of objects whose id does not name it (GUIDs)."""
    found = native(value, prefix)
    if found is None:
        return None
    return identity_id(PROVIDER, domain_of(found) or (domain if guid(found) else None), found)


def content_hash(record: Mapping[str, Any], ignored: frozenset[str]) -> str:
    """What an object of an inventory says, as one text: the same however a pipeline changed the case of its keys."""
    return hashlib.sha256(msgspec.json.encode(_folded(record, ignored), order="sorted")).hexdigest()


def _folded(value: Any, ignored: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {low: _folded(held, ignored) for key, held in value.items() if (low := key.lower()) not in ignored}
    return [_folded(item, ignored) for item in value] if isinstance(value, list) else value
