"""Record ids, identity ids and normalised native ids (decision-lineage 2.1)."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

_ALPHABET = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", dtype=np.uint8)
_CHARACTERS = 20


def record_id(provider: str, tenant: str | None, native_id: str) -> str:
    """``rec-`` and 20 base32 characters of SHA-256(la-rec-v1, provider, tenant, native id), NUL between."""
    digest = hashlib.sha256("\0".join(("la-rec-v1", provider, tenant or "", native_id)).encode()).digest()
    return "rec-" + base64.b32encode(digest)[:_CHARACTERS].decode().lower()


def record_ids(provider: str, tenants: Sequence[str | None], native_ids: Sequence[str]) -> pl.Series:
    """``record_id`` for many records at once: the same text, without a Python call per character."""
    prefix = f"la-rec-v1\0{provider}\0"
    sha256 = hashlib.sha256
    digests = b"".join(
        sha256(f"{prefix}{tenant or ''}\0{native}".encode()).digest()
        for tenant, native in zip(tenants, native_ids, strict=True)
    )
    bits = np.unpackbits(np.frombuffer(digests, dtype=np.uint8).reshape(-1, 32)[:, :13], axis=1)
    groups = np.packbits(bits[:, : _CHARACTERS * 5].reshape(-1, _CHARACTERS, 5), axis=2)[:, :, 0] >> 3
    text = np.ascontiguousarray(_ALPHABET[groups]).view(f"S{_CHARACTERS}").ravel().astype(f"U{_CHARACTERS}")
    return ("rec-" + pl.Series("record_id", text, dtype=pl.String)).alias("record_id")


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
