"""Record ids, identity ids and normalised native ids (decision-lineage 2.1)."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ALPHABET = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", dtype=np.uint8)
_CHARACTERS = 20
_DERIVED_CHARACTERS = 16


def record_id(provider: str, tenant: str | None, native_id: str) -> str:
    """``rec-`` and 20 base32 characters of SHA-256(la-rec-v1, provider, tenant, native id), NUL between."""
    digest = hashlib.sha256("\0".join(("la-rec-v1", provider, tenant or "", native_id)).encode()).digest()
    return f"rec-{base64.b32encode(digest)[:_CHARACTERS].decode().lower()}"


def record_ids(provider: str, tenants: Sequence[str | None], native_ids: Sequence[str]) -> pl.Series:
    """``record_id`` for many records at once: the same text, without a Python call per character."""
    prefix = f"la-rec-v1\0{provider}\0"
    sha256 = hashlib.sha256
    digests = b"".join([
        sha256(f"{prefix}{tenant or ''}\0{native}".encode()).digest()
        for tenant, native in zip(tenants, native_ids, strict=True)
    ])
    return pl.Series("record_id", _texts("rec-", digests, _CHARACTERS), dtype=pl.String)


def _texts(prefix: str, digests: bytes, characters: int) -> list[str]:
    """Of each SHA-256 digest the prefix and its first bits in base32, five bytes to eight characters."""
    values = np.frombuffer(digests, dtype=np.uint8).reshape(-1, 32)
    before, width = len(prefix), len(prefix) + characters
    rows = np.empty((len(values), width), dtype=np.uint8)
    rows[:, :before] = np.frombuffer(prefix.encode(), dtype=np.uint8)
    for group in range(-(-characters // 8)):
        value = np.zeros(len(values), dtype=np.uint64)
        for byte in values[:, group * 5 : group * 5 + 5].T:
            value = (value << np.uint64(8)) | byte
        for place in range(min(8, characters - group * 8)):
            digit = (value >> np.uint64(35 - 5 * place)) & np.uint64(31)
            rows[:, before + group * 8 + place] = _ALPHABET[digit.astype(np.intp)]
    text = rows.tobytes().decode("ascii")
    return [text[at : at + width] for at in range(0, len(text), width)]


def derived_id(prefix: str, *parts: str | None) -> str:
    """A stable id for something derived, e.g. ``step-...``: 16 base32 characters of SHA-256 over the parts."""
    digest = hashlib.sha256("\0".join(part or "" for part in parts).encode()).digest()
    return f"{prefix}-" + base64.b32encode(digest)[:_DERIVED_CHARACTERS].decode().lower()


def derived_ids(prefix: str, parts: Iterable[tuple[str, ...]]) -> list[str]:
    """``derived_id`` for many things at once."""
    digests = b"".join([hashlib.sha256("\0".join(said).encode()).digest() for said in parts])
    return _texts(f"{prefix}-", digests, _DERIVED_CHARACTERS)


def identity_id(provider: str, tenant: str | None, native_id: str) -> str:
    """``<provider>:<tenant>:<immutable native id>``."""
    return f"{provider}:{tenant or ''}:{native_id}"


def guid(text: str) -> str:
    """A GUID in lower case without braces."""
    return text.strip().strip("{}").lower()
