"""CloudTrail digests, one a day: each tells of the file of the day before, names the digest before it, and is signed.

The last day is told by none: its file came after the last digest. Signatures are of an invented key.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.chapters._aws_digests import REGION, digest_name
from lineage_analytics.simulation.dice import Dice
from lineage_analytics.simulation.model import AWS_ACCOUNT, END
from lineage_analytics.simulation.signing import Signer
from lineage_analytics.simulation.writers.files import as_json, pretty, put, zulu

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.chapters._aws_digests import Tampering
    from lineage_analytics.simulation.model import World
    from lineage_analytics.simulation.writers.aws_cloudtrail import Delivered

Row = dict[str, Any]
_BUCKET = "northwind-synthetic-logs"
_AGAIN = 5


def write(directory: Path, world: World) -> int:
    """The digests, the last ones again on lines, and the public key; the number of distinct records."""
    tampered: Tampering | None = world.cast.get("aws_tampering")
    if tampered is None:
        return 0
    chain = _Chain(Signer(Dice(world.seed, "digest key")))
    delivered: list[Delivered] = world.cast["cloudtrail_delivered"]
    told = [(file, chain.digest(file, tampered)) for file in delivered if file.day < _midnight(END)]
    kept = [digest for file, digest in told if file.day != tampered.unsaid]
    for digest in kept:
        put(directory / digest["digestS3Object"].rpartition("/")[2], as_json(digest))
    put(directory / "again" / "digests.ndjson.gz", b"".join(as_json(digest) + b"\n" for digest in kept[-_AGAIN:]))
    put(directory / "list-public-keys.json", pretty({"PublicKeyList": [{
        "Value": chain.signer.public, "Fingerprint": chain.signer.fingerprint,
        "ValidityStartTime": zulu(world.start - timedelta(days=40)), "ValidityEndTime": "2026-12-31T00:00:00Z"}]}))
    return len(kept) + 1


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0)


class _Chain:
    """Each digest names the one before it with its hash and its signature."""

    def __init__(self, signer: Signer) -> None:
        self.signer = signer
        self._before: Row | None = None
        self._signature: str | None = None

    def digest(self, file: Delivered, tampered: Tampering) -> Row:
        start = file.day + timedelta(minutes=30)
        end = start + timedelta(days=1)
        made: Row = {
            "awsAccountId": AWS_ACCOUNT, "digestStartTime": zulu(start), "digestEndTime": zulu(end),
            "digestS3Bucket": _BUCKET, "digestS3Object": _place("CloudTrail-Digest", end, digest_name(file.day)),
            "digestPublicKeyFingerprint": self.signer.fingerprint, "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": file.newest, "oldestEventTime": file.oldest,
            **self._predecessor(), "logFiles": _files(file, tampered)}
        stated = "\n".join((made["digestEndTime"], f"{_BUCKET}/{made['digestS3Object']}",
                            hashlib.sha256(as_json(made)).hexdigest(), made["previousDigestSignature"] or "null"))
        self._before, self._signature = made, self.signer.sign(stated)
        return made

    def _predecessor(self) -> Row:
        before = self._before
        return {
            "previousDigestS3Bucket": _BUCKET if before else None,
            "previousDigestS3Object": before["digestS3Object"] if before else None,
            "previousDigestHashValue": hashlib.sha256(as_json(before)).hexdigest() if before else None,
            "previousDigestHashAlgorithm": "SHA-256" if before else None,
            "previousDigestSignature": self._signature}


def _place(folder: str, day: datetime, name: str) -> str:
    return f"AWSLogs/{AWS_ACCOUNT}/{folder}/{REGION}/{day:%Y/%m/%d}/{name}"


def _files(file: Delivered, tampered: Tampering) -> list[Row]:
    found = [(file.name, file.sha256, file.oldest, file.newest)]
    if file.day == tampered.lost:
        late = zulu(file.day + timedelta(hours=23, minutes=49))
        found.append((tampered.lost_file, hashlib.sha256(tampered.lost_file.encode()).hexdigest(), late, late))
    return [{"s3Bucket": _BUCKET, "s3Object": _place("CloudTrail", file.day, name), "hashValue": content,
             "hashAlgorithm": "SHA-256", "newestEventTime": newest, "oldestEventTime": oldest}
            for name, content, oldest, newest in found]
