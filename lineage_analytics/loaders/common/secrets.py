"""Secrets that stray into logs: recognised by the key that holds them or by their own form, and never stored."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from lineage_analytics.loaders.common.values import embedded

MARKER = "[secret removed]"
NOT_STORED = "[content not stored]"
TEXT_CHARACTERS = 4_000

# Keys whose value is a secret. A key that only speaks of one (passwordLastSet, secretArn, keyId) is none.
_KEYS = re.compile(
    r"(?:password|passwd|passphrase|secret|secret_?string|secret_?value|secret_?text|secret_?key|secret_?access_?key"
    r"|private_?key|private_?key_?data|api_?key|access_?token|refresh_?token|id_?token|session_?token|auth_?token"
    r"|oauth_?token|bearer_?token|authorization|cookie|connection_?string|client_?assertion|sas_?token|otp|totp_?seed"
    r"|recovery_?code|pem)$", re.IGNORECASE)
# One pattern for polars and for Python: no look-around. Every form begins with text that little else has.
SHAPES = (
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{30,}|\bglpat-[A-Za-z0-9_-]{20,}"
    r"|\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{20,}|\bAIza[A-Za-z0-9_-]{35}"
    r"|\bya29\.[A-Za-z0-9_-]{20,}|\bnpm_[A-Za-z0-9]{30,}|\bpypi-[A-Za-z0-9_-]{30,}|\bhf_[A-Za-z0-9]{30,}"
    r"|\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|\b[A-Za-z0-9_~.-]{3}8Q~[A-Za-z0-9_~.-]{31,34}"
    r"|(?i:\b(?:bearer|basic)\s+[A-Za-z0-9+/_=.-]{20,})|(?i:[?&;]sig=[A-Za-z0-9%+/=]{20,})"
    r"|(?i:\b(?:AccountKey|SharedAccessKey|Password|Pwd)=[^;\s]{6,})|://[^/\s:@]{1,80}:[^/\s@]{3,80}@"
)
_SHAPES = re.compile(SHAPES)


def is_secret_key(key: str) -> bool:
    """Whether what stands under this key is a secret."""
    return _KEYS.search(key) is not None


def cleaned(value: Any, content: frozenset[str] = frozenset()) -> Any:
    """The value with every secret in it replaced by a marker; ``content`` are folded keys of what people wrote.

    Texts longer than ``TEXT_CHARACTERS`` keep their beginning and say how long they were.
    """
    if isinstance(value, dict):
        return {key: _under(str(key), held, content) for key, held in value.items()}
    if isinstance(value, list):
        return [cleaned(item, content) for item in value]
    if not isinstance(value, str):
        return value
    inner = embedded(value)
    if isinstance(inner, dict | list):
        return msgspec.json.encode(cleaned(inner, content)).decode()
    shown = _SHAPES.sub(MARKER, value)
    if len(shown) > TEXT_CHARACTERS:
        return f"{shown[:TEXT_CHARACTERS]}... [{len(value)} characters]"
    return shown


def _under(key: str, held: Any, content: frozenset[str]) -> Any:
    if held in (None, "") or isinstance(held, bool):
        return held
    if is_secret_key(key):
        return MARKER
    return NOT_STORED if key.lower() in content else cleaned(held, content)
