"""CloudTrail files made by multiplying a real capture: every copy has ids and a day of its own."""

from __future__ import annotations

import gzip
import hashlib
import json
import uuid
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CAPTURE = ("aws_cloudtrail", "invictus-ir_aws_dataset", "CloudTrail")
_FIRST_DAY = date(2024, 1, 1)


def capture(shared_data: Path) -> list[dict[str, Any]]:
    """The records of the real capture in file order; empty where it does not stand."""
    folder = shared_data.joinpath(*CAPTURE)
    return [record for path in sorted(folder.glob("*.json"))
            for record in json.loads(path.read_text(encoding="utf-8"))["Records"]]


def write(originals: list[dict[str, Any]], folder: Path, records: int, files: int) -> int:
    """Write ``records`` records evenly into ``files`` ``.json.gz`` files; the bytes of JSON in them.

    Record ``n`` is the same whatever the number of files, so that two layouts hold the same records.
    """
    folder.mkdir(parents=True)
    made = _copies(originals)
    size = 0
    for number in range(files):
        share = (number + 1) * records // files - number * records // files
        text = json.dumps({"Records": [next(made) for _ in range(share)]}, separators=(",", ":")).encode()
        size += len(text)
        # The level CloudTrail's own files come close to; 1 keeps the making short and changes reading little.
        (folder / f"{number:04d}.json.gz").write_bytes(gzip.compress(text, 1, mtime=0))
    return size


def _copies(originals: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    number = 0
    while True:
        day = (_FIRST_DAY + timedelta(days=number // len(originals))).isoformat()
        for original in originals:
            digest = hashlib.sha256(number.to_bytes(8, "big")).digest()
            fresh = {"eventID": str(uuid.UUID(bytes=digest[:16])), "requestID": str(uuid.UUID(bytes=digest[16:])),
                     "eventTime": day + original["eventTime"][len(day):]}
            yield {name: fresh.get(name, value) for name, value in original.items()}
            number += 1
