"""What a provider's signed digests say of the log files that were loaded: is each the one that was delivered, is one
missing, does one digest follow on another, did the provider sign it.

A digest lists the log files of a span with their hashes, and names the digest before it with its hash and signature.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from lineage_analytics.loaders.common.containers import Member, members

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lineage_analytics.facts import Facts
    from lineage_analytics.loaders.common.inputs import InputFile

SCHEMA = pl.Schema({"object_id": pl.String, "kind": pl.String, "tenant": pl.String, "verdict": pl.String,
                    "detail": pl.String})
"""``object_id`` is the digest or log file; ``kind`` log_digest or log_file; ``verdict`` one of VERDICTS."""

VERDICTS = {
    "matches": "the loaded file is the one that was delivered",
    "differs": "the loaded file is not the one that was delivered",
    "not_loaded": "a file was delivered and is not among those loaded",
    "not_hashed": "a file of that name was loaded before its digest; load both together to compare them",
    "follows": "the digest before it is loaded and has the hash that is stated",
    "chain_broken": "the digest before it has another hash than is stated",
    "no_predecessor": "the digest before it is not loaded",
    "signed": "the provider's signature of it holds",
    "forged": "the signature of it does not hold",
}


def listed_names(resources: pl.DataFrame) -> frozenset[str]:
    """File names that digests speak of."""
    found = resources.filter(pl.col("kind").is_in(["log_file", "log_digest"]))["display_name"].drop_nulls()
    return frozenset(found)


def content_hash(file: InputFile) -> str | None:
    """SHA-256 of what a file holds, unpacked; null for an archive of several documents or one that breaks off."""
    hashes = []
    for member in members(file, ""):
        if not isinstance(member, Member):
            return None
        digest = hashlib.sha256()
        for piece in member.raw():
            digest.update(piece)
        hashes.append(None if member.damage else digest.hexdigest())
    return hashes[0] if len(hashes) == 1 else None


class _Stated(NamedTuple):
    kind: str
    id: str
    name: str
    tenant: str | None
    said: dict[str, Any]


def checks(facts: Facts) -> pl.DataFrame:
    """A row per log file and digest that a loaded digest speaks of, sorted; columns as SCHEMA."""
    stated = facts["resources"].filter(pl.col("kind").is_in(["log_file", "log_digest"])).select(
        "kind", "id", pl.col("display_name").fill_null(""), "tenant", "attributes").unique().collect()
    listed = [_Stated(kind, identity, name, tenant, json.loads(said or "{}"))
              for kind, identity, name, tenant, said in stated.iter_rows()]
    if not listed:
        return pl.DataFrame(schema=SCHEMA)
    held: dict[str, set[str | None]] = {}
    for name, content in facts["content_hashes"].select("name", "content_sha256").unique().collect().iter_rows():
        held.setdefault(name, set()).add(content)
    loaded = {name.rpartition("/")[2] for name in facts["ledger"].select("file").collect()["file"]}
    digests = {item.id: item for item in listed if item.kind == "log_digest"}
    rows = [*(_log_file(item, held, loaded) for item in listed if item.kind == "log_file"),
            *(row for item in digests.values() for row in _digest(item, digests, held))]
    keys = dict(facts["resources"].filter(pl.col("kind") == "log_public_key").select(
        "display_name", pl.col("attributes").str.json_path_match("$.value")).unique().collect().iter_rows())
    rows += _signatures(digests, held, keys)
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").unique().sort("kind", "object_id", "verdict")


_Row = tuple[str, str, str | None, str, str]


def _log_file(item: _Stated, held: dict[str, set[str | None]], loaded: set[str]) -> _Row:
    if item.name in held:
        verdict = "matches" if item.said.get("hash") in held[item.name] else "differs"
    else:
        verdict = "not_hashed" if item.name in loaded else "not_loaded"
    return item.id, "log_file", item.tenant, verdict, VERDICTS[verdict]


def _digest(item: _Stated, digests: dict[str, _Stated], held: dict[str, set[str | None]]) -> Iterator[_Row]:
    before = item.said.get("previous_object")
    if before is None:
        return  # the first digest of a trail follows on nothing
    name = str(before).rpartition("/")[2]
    if not any(other.name == name for other in digests.values()):
        verdict = "no_predecessor"
    elif name not in held:
        verdict = "not_hashed"
    else:
        verdict = "follows" if item.said.get("previous_hash") in held[name] else "chain_broken"
    yield item.id, "log_digest", item.tenant, verdict, VERDICTS[verdict]


def _signatures(
    digests: dict[str, _Stated], held: dict[str, set[str | None]], keys: dict[str, str | None]
) -> Iterable[_Row]:
    """The signature of a digest stands in the one after it; the public keys come as a list of their own."""
    by_name = {item.name: item for item in digests.values()}
    for after in digests.values():
        signed = by_name.get(str(after.said.get("previous_object") or "").rpartition("/")[2])
        signature = after.said.get("previous_signature")
        if signed is None or signature is None or signed.name not in held:
            continue
        key = keys.get(str(signed.said.get("key_fingerprint") or ""))
        for content in sorted(filter(None, held[signed.name])):
            holds = _holds(key, signature, _signed_text(signed, after, content)) if key else None
            if holds is not None:
                verdict = "signed" if holds else "forged"
                yield signed.id, "log_digest", signed.tenant, verdict, VERDICTS[verdict]


def _signed_text(signed: _Stated, after: _Stated, content: str) -> str:
    place = f"{after.said.get('previous_bucket')}/{after.said.get('previous_object')}"
    return "\n".join((str(signed.said.get("end")), place, content,
                      str(signed.said.get("previous_signature") or "null")))


def _holds(key: str, signature: str, text: str) -> bool | None:
    """Whether an RSA signature holds; None where that cannot be told here."""
    try:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  (an extra)
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415
    except ImportError:
        return None
    try:
        public = load_der_public_key(base64.b64decode(key))
        if not isinstance(public, RSAPublicKey):
            return None
        public.verify(bytes.fromhex(signature), text.encode(), PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    except ValueError:
        return None
    return True
