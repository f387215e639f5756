"""Signatures over the head of a manifest: an in-toto Statement in a DSSE envelope, Ed25519, with the user's own key.

The statement names the head by its SHA-256, so that one signature stands for every file that the manifest lists. It is
written beside what it is about and changes none of its bytes; several keys may sign. Each signature carries its public
key: that shows a damaged envelope, and nothing of who signed. Only a key that the reader has from elsewhere does.

Envelope: DSSE 1.0, the signature is over ``DSSEv1 <length> <type> <length> <payload>``. Statement: in-toto v1.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics.errors import ConfigurationError, IntegrityError, UsageError
from lineage_analytics.reporting.manifest import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

EXTRA = "signatures"
SUFFIX = ".dsse.json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:lineage-analytics:manifest-head:v1"
LARGEST = 1 << 20
"""Bytes of the largest envelope or key that is read."""


class Signed(NamedTuple):
    """What the signatures of an envelope show."""

    keys: tuple[str, ...]
    """Key ids, SHA-256 of the public keys, in order."""
    vouched: bool
    """One of them is by the key the reader gave."""
    checked: bool
    """Whether signatures were checked; false only where no key was given and the extra is not installed."""


def sign(head: Mapping[str, Any], name: str, key: Path, earlier: bytes | None = None) -> bytes:
    """The envelope over a head; signatures that stand in an ``earlier`` envelope over the same head stay in it.

    ``name`` is what the statement calls the head, ``key`` the file of an Ed25519 private key in PEM.

    Raises
    ------
    ConfigurationError : the extra is not installed. UsageError : no such key. IntegrityError : the earlier envelope is
    over another head.
    """
    private = _private(key)
    payload = statement(head, name)
    public = _spki(private.public_key())
    made = {"keyid": _key_id(public), "public_key": _text(public), "sig": _text(private.sign(_covered(payload)))}
    kept = [] if earlier is None else [one for one in _opened(earlier, payload) if one["keyid"] != made["keyid"]]
    return _envelope(payload, [*kept, made])


def check(envelope: bytes, head: Mapping[str, Any], name: str, public_key: Path | None = None) -> Signed:
    """What an envelope shows of a head.

    Raises
    ------
    IntegrityError : it is not as it was written, is over another head, or a signature does not hold; with a public key
    also when that key signed nothing. ConfigurationError : a key is given and the extra is not installed.
    """
    payload = statement(head, name)
    signatures = _opened(envelope, payload)
    wanted = _key_id(_spki(_public(public_key))) if public_key is not None else None
    checked = _all_hold(signatures, payload)
    keys = tuple(one["keyid"] for one in signatures)
    if wanted is not None and wanted not in keys:
        raise IntegrityError("Wanted a signature by the key that was given", f"it is signed by {', '.join(keys)}",
                             "name the signer's public key, or take it that somebody else signed")
    return Signed(keys, wanted is not None, checked)


def statement(head: Mapping[str, Any], name: str) -> bytes:
    """The in-toto Statement about a head: all of it follows from the head."""
    digest = hashlib.sha256(canonical(head)).hexdigest()
    return canonical({"_type": STATEMENT, "subject": [{"name": name, "digest": {"sha256": digest}}],
                      "predicateType": PREDICATE, "predicate": {"head": dict(head)}})


def _covered(payload: bytes) -> bytes:
    """The bytes a DSSE signature is over."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def _envelope(payload: bytes, signatures: list[dict[str, str]]) -> bytes:
    ordered = sorted(signatures, key=lambda one: one["keyid"])
    return canonical({"payload": _text(payload), "payloadType": PAYLOAD_TYPE, "signatures": ordered}) + b"\n"


def _opened(envelope: bytes, payload: bytes) -> list[dict[str, str]]:
    """The signatures of an envelope over this payload; IntegrityError when any byte of it is not as it was written."""
    try:
        signatures = json.loads(envelope)["signatures"]
        bare = [{name: str(one[name]) for name in ("keyid", "public_key", "sig")} for one in signatures]
        as_written = bool(bare) and _envelope(payload, bare) == envelope and all(
            _key_id(base64.b64decode(one["public_key"])) == one["keyid"]
            and all(_text(base64.b64decode(one[name])) == one[name] for name in ("public_key", "sig")) for one in bare)
    except (ValueError, KeyError, TypeError, RecursionError):
        as_written = False
    if not as_written:
        raise IntegrityError("Wanted the signed statement about this head", "it is about another, or was altered",
                             "take both from a copy")
    return bare


def _all_hold(signatures: list[dict[str, str]], payload: bytes) -> bool:
    """True when every signature holds; False where the extra is not installed. IntegrityError when one does not."""
    try:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  (an extra)
    except ImportError:
        return False
    for one in signatures:
        try:
            _loaded(base64.b64decode(one["public_key"])).verify(base64.b64decode(one["sig"]), _covered(payload))
        except (InvalidSignature, ValueError):
            raise IntegrityError("Wanted a signature that holds", f"that of key {one['keyid']} does not",
                                 "take it from a copy, or sign again") from None
    return True


def _loaded(spki: bytes) -> Ed25519PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415

    found = load_der_public_key(spki)
    if not isinstance(found, Ed25519PublicKey):
        raise ValueError("no Ed25519 key")
    return found


def _private(path: Path) -> Ed25519PrivateKey:
    serialization = _serialization()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    wanted = f"Wanted an Ed25519 private key in PEM, without a passphrase, in {path}"
    would_do = "openssl genpkey -algorithm ed25519 -out key.pem"
    try:
        key = serialization.load_pem_private_key(_read(path, wanted), None)
    except (ValueError, TypeError) as error:
        raise UsageError(wanted, type(error).__name__, would_do) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(wanted, "it is of another kind", would_do)
    return key


def _public(path: Path) -> Ed25519PublicKey:
    serialization = _serialization()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    wanted = f"Wanted an Ed25519 public key in PEM in {path}"
    would_do = "openssl pkey -in key.pem -pubout -out public.pem"
    try:
        key = serialization.load_pem_public_key(_read(path, wanted))
    except ValueError as error:
        raise UsageError(wanted, type(error).__name__, would_do) from None
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(wanted, "it is of another kind", would_do)
    return key


def _read(path: Path, wanted: str) -> bytes:
    if not path.is_file():
        raise UsageError(wanted, "there is none", "check the path")
    if path.stat().st_size > LARGEST:
        raise UsageError(wanted, "the file is far too large for one", "check the path")
    return path.read_bytes()


def _serialization() -> Any:
    try:
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  (an extra)
    except ImportError:
        raise ConfigurationError("Wanted to sign or to check a signature", "the package cryptography is not installed",
                                 f"pip install 'lineage-analytics[{EXTRA}]'") from None
    return serialization


def _spki(key: Ed25519PublicKey) -> bytes:
    serialization = _serialization()
    found: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return found


def _key_id(public: bytes) -> str:
    return hashlib.sha256(public).hexdigest()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
