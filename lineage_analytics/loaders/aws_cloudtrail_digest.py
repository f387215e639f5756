"""AWS CloudTrail digest files: which log files were delivered for which span, with their hashes (sources 2.1).

A record is one digest file, or one answer of ``list-public-keys``. A digest lists the log files of about an hour and
names the digest before it with its signature.

Shapes  digest objects as CloudTrail writes them to S3, one a file; also as JSON lines, arrays or one after another;
        ``PublicKeyList``.
Maps    the digest and each log file to ``resources`` (``log_digest``, ``log_file``), name, hash and span in
        ``attributes``, a file's digest as its parent; public keys to ``resources`` (``log_public_key``, by fingerprint,
        which its digests state); days with events in a listed file to ``coverage`` with basis
        ``stated``, for the source ``aws_cloudtrail``.
Drops   nothing that is documented. The digest's own signature is no part of the file: S3 keeps it as metadata of the
        object (``x-amz-meta-signature``), so that a file alone proves the chain of hashes, not who wrote it.
Schema  digest files since 2015, and backfill digests; unknown keys are kept in ``unmapped``.

Hashes are of the uncompressed content, as CloudTrail computes them. A digest that differs from another of the same name
is another record: both are kept.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics import tables
from lineage_analytics.loaders._aws_names import account, opened
from lineage_analytics.loaders.common.assembly import Entry, RecordFault, assemble
from lineage_analytics.loaders.common.contract import Match
from lineage_analytics.loaders.common.leftovers import changed_types, unmapped
from lineage_analytics.loaders.common.packings import head_keys, json_or_array_chunks
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, name, objects, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document, Sample

PROVIDER = "aws"
LATENESS = timedelta(hours=2)
FEEDS = frozenset({"coverage", "resources"})
SOURCE = "aws_cloudtrail_digest"
LOG = "aws_cloudtrail"

_NEEDED = frozenset({"digeststarttime", "digestendtime", "logfiles"})
_KEYS = "publickeylist"
_DAYS_MOST = 31
KNOWN = {
    "awsaccountid": "string number", "digeststarttime": "string", "digestendtime": "string", "digests3bucket": "string",
    "digests3object": "string", "digestpublickeyfingerprint": "string", "digestsignaturealgorithm": "string",
    "newesteventtime": "string", "oldesteventtime": "string", "previousdigests3bucket": "string",
    "previousdigests3object": "string", "previousdigesthashvalue": "string", "previousdigesthashalgorithm": "string",
    "previousdigestsignature": "string", "logfiles": "array",
}
# Attributes of a digest, as the workspace compares them, by the key that states them.
_ATTRIBUTES = {
    "previous_bucket": "previousdigests3bucket", "previous_object": "previousdigests3object",
    "previous_hash": "previousdigesthashvalue", "previous_hash_algorithm": "previousdigesthashalgorithm",
    "previous_signature": "previousdigestsignature", "key_fingerprint": "digestpublickeyfingerprint",
    "signature_algorithm": "digestsignaturealgorithm", "start": "digeststarttime", "end": "digestendtime",
}


def detect(sample: Sample) -> Match | None:
    """A digest by its span (``digestStartTime``, ``digestEndTime``) and its list ``logFiles``."""
    found = sample.first is not None and opened(dict(sample.first), _is_record) is not None
    if found or (sample.first is None and head_keys(sample) >= _NEEDED):
        return Match("digest", 0.95, "digestStartTime, digestEndTime and logFiles")
    return None


def _is_record(row: Fields) -> bool:
    return row.keys() >= _NEEDED or _KEYS in row


def extract(document: Document) -> Iterator[Chunk]:
    """Digest objects as they stand in the file."""
    yield from json_or_array_chunks(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Digests and log files as resources, and the days they speak of."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    said = opened(entry.fields, _is_record)
    if said is None:
        raise RecordFault("not_a_digest", "wanted digestStartTime, digestEndTime and logFiles")
    if _KEYS in said:
        _public_keys(entry, objects(said[_KEYS]))
        return
    end = entry.time(said["digestendtime"], "digestEndTime")
    tenant = account(said.get("awsaccountid"))
    key = _address(said, "digests3bucket", "digests3object")
    entry.identify(PROVIDER, tenant, f"digest/{key or ''}#{_hash(said)}")
    entry.drift += changed_types(said, KNOWN, entry.position)
    files = objects(said["logfiles"])
    digest = f"aws:{tenant or ''}:{key or entry.record_id}"
    attributes = {shown: text(said.get(stated)) for shown, stated in _ATTRIBUTES.items()}
    entry.add(
        tables.RESOURCES, id=digest, kind="log_digest", display_name=_last(key), snapshot_at=end,
        attributes=_json(attributes | {"log_files": len(files)}), unmapped=unmapped(said, KNOWN))
    for file in sorted(files, key=_json):
        _log_file(entry, file, digest, end)
    for first, last in _days(said, files):
        entry.add(tables.COVERAGE, basis="stated", source=LOG, day=first.date(), first=first, last=last)


def _public_keys(entry: Entry, keys: list[Fields]) -> None:
    entry.identify(PROVIDER, None, f"public_keys/{_hash({_KEYS: keys})}")
    for key in sorted(keys, key=_json):
        fingerprint = name(key.get("fingerprint"))
        if fingerprint is not None:
            entry.add(
                tables.RESOURCES, id=f"aws::log_public_key/{fingerprint}", kind="log_public_key",
                display_name=fingerprint, attributes=_json({
                    "value": text(key.get("value")), "from": text(key.get("validitystarttime")),
                    "until": text(key.get("validityendtime"))}))


def _log_file(entry: Entry, file: Fields, digest: str, end: datetime) -> None:
    key = _address(file, "s3bucket", "s3object")
    if key is None:
        return
    entry.add(
        tables.RESOURCES, id=f"aws:{entry.tenant or ''}:{key}", kind="log_file", display_name=_last(key),
        parent_id=digest, snapshot_at=end, attributes=_json({
            "hash": (text(file.get("hashvalue")) or "").lower() or None,
            "hash_algorithm": text(file.get("hashalgorithm")),
            "oldest": text(file.get("oldesteventtime")), "newest": text(file.get("newesteventtime"))}))


def _address(said: Fields, bucket: str, key: str) -> str | None:
    """``s3://bucket/key``, or the key where no bucket is stated."""
    found, place = name(said.get(key)), name(said.get(bucket))
    return None if found is None else f"s3://{place}/{found}" if place else found


def _last(key: str | None) -> str | None:
    return key.rpartition("/")[2] if key else None


def _hash(said: Fields) -> str:
    return hashlib.sha256(_json(said).encode()).hexdigest()[:24]


def _json(value: Any) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


def _days(said: Fields, files: list[Fields]) -> Iterator[tuple[datetime, datetime]]:
    """First and last moment with events of each UTC day the listed files span; none where no file is listed."""
    found = sorted(moment for file in (files and [said, *files]) for key in ("oldesteventtime", "newesteventtime")
                   if (moment := parse_time(file.get(key))) is not None and 2000 <= moment.year < 2090)
    if not found:
        return
    first, newest = found[0], found[-1]
    for _ in range(_DAYS_MOST):
        midnight = datetime.combine(first.date() + timedelta(days=1), time(), UTC)
        yield first, min(newest, midnight - timedelta(microseconds=1))
        first = midnight
        if first > newest:
            return
