"""Record ids, identity ids and normalised native ids (decision-lineage 2.1)."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_ALPHABET = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", dtype=np.uint8)
_CHARACTERS = 20
_PREFIX = b"rec-"


def record_id(provider: str, tenant: str | None, native_id: str) -> str:
    """``rec-`` and 20 base32 characters of SHA-256(la-rec-v1, provider, tenant, native id), NUL between."""
    digest = hashlib.sha256("\0".join(("la-rec-v1", provider, tenant or "", native_id)).encode()).digest()
    return "rec-" + base64.b32encode(digest)[:_CHARACTERS].decode().lower()


def record_ids(provider: str, tenants: Sequence[str | None], native_ids: Sequence[str]) -> pl.Series:
    """``record_id`` for many records at once: the same text, without a Python call per character."""
    prefix = f"la-rec-v1\0{provider}\0"
    sha256 = hashlib.sha256
    digests = b"".join([
        sha256(f"{prefix}{tenant or ''}\0{native}".encode()).digest()
        for tenant, native in zip(tenants, native_ids, strict=True)
    ])
    text = _texts(np.frombuffer(digests, dtype=np.uint8).reshape(-1, 32)).tobytes().decode("ascii")
    width = len(_PREFIX) + _CHARACTERS
    return pl.Series("record_id", [text[at : at + width] for at in range(0, len(text), width)], dtype=pl.String)


def _texts(digests: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One row of ASCII per digest: the prefix and its first 100 bits in base32, five bytes to eight characters."""
    rows = np.empty((len(digests), len(_PREFIX) + _CHARACTERS), dtype=np.uint8)
    rows[:, : len(_PREFIX)] = np.frombuffer(_PREFIX, dtype=np.uint8)
    for group in range(-(-_CHARACTERS // 8)):
        value = np.zeros(len(digests), dtype=np.uint64)
        for byte in digests[:, group * 5 : group * 5 + 5].T:
            value = (value << np.uint64(8)) | byte
        for place in range(min(8, _CHARACTERS - group * 8)):
            digit = (value >> np.uint64(35 - 5 * place)) & np.uint64(31)
            rows[:, len(_PREFIX) + group * 8 + place] = _ALPHABET[digit.astype(np.intp)]
    return rows


def derived_id(prefix: str, *parts: str | None) -> str:
    """A stable id for something derived, e.g. ``step-...``: 16 base32 characters of SHA-256 over the parts."""
    digest = hashlib.sha256("\0".join(part or "" for part in parts).encode()).digest()
    return f"{prefix}-" + base64.b32encode(digest)[:16].decode().lower()


def identity_id(provider: str, tenant: str | None, native_id: str) -> str:
    """``<provider>:<tenant>:<immutable native id>``."""
    return f"{provider}:{tenant or ''}:{native_id}"


def guid(text: str) -> str:
    """A GUID in lower case without braces."""
    return text.strip().strip("{}").lower()
