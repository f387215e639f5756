"""CloudTrail digests: what was delivered, by name and hash, and for which days. Synthetic."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from lineage_analytics.workspace import Store, load, open_estate
from tests._documents import Loaded
from tests._trail import event

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = "111122223333"
PREFIX = f"AWSLogs/{ACCOUNT}"


def _log(number: int, oldest: str, newest: str) -> dict[str, Any]:
    return {"s3Bucket": "trail", "s3Object": f"{PREFIX}/CloudTrail/eu-west-1/{number}.json.gz",
            "hashValue": f"{number:064x}".upper(), "hashAlgorithm": "SHA-256", "oldestEventTime": oldest,
            "newestEventTime": newest}


def digest(hour: int, *files: dict[str, Any], **more: Any) -> dict[str, Any]:
    name = f"{PREFIX}/CloudTrail-Digest/eu-west-1/{{}}.json.gz"
    return {
        "awsAccountId": ACCOUNT, "digestStartTime": f"2026-06-01T{hour - 1:02d}:30:00Z",
        "digestEndTime": f"2026-06-01T{hour:02d}:30:00Z", "digestS3Bucket": "trail", "digestS3Object": name.format(hour),
        "digestPublicKeyFingerprint": "31e8b5433410dfb61a9dc45cc65b22ff", "digestSignatureAlgorithm": "SHA256withRSA",
        "newestEventTime": files[-1]["newestEventTime"] if files else None,
        "oldestEventTime": files[0]["oldestEventTime"] if files else None,
        "previousDigestS3Bucket": "trail", "previousDigestS3Object": name.format(hour - 1),
        "previousDigestHashValue": f"{hour:064x}", "previousDigestHashAlgorithm": "SHA-256",
        "previousDigestSignature": "ab" * 64, "logFiles": list(files), **more,
    }


DAY = digest(11, _log(1, "2026-06-01T10:31:00Z", "2026-06-01T10:40:00Z"),
             _log(2, "2026-06-01T10:50:00Z", "2026-06-01T11:20:00Z"))
EMPTY = digest(12)
SHAPES = {
    "object": json.dumps(DAY).encode(), "pretty": json.dumps(DAY, indent=2).encode(),
    "array": json.dumps([DAY]).encode(), "lower_case": json.dumps({k.lower(): v for k, v in DAY.items()}).encode(),
}
CONTRACT_FILES = {
    "object": SHAPES["object"], "lines": b"\n".join(json.dumps(one).encode() for one in (DAY, EMPTY)),
    "keys": json.dumps({"PublicKeyList": [
        {"Value": "MIIBCgKCAQEA", "Fingerprint": "f1", "ValidityStartTime": "2026-01-01T00:00:00Z"},
        {"Value": "MIIBCgKCAQEB", "Fingerprint": "f2"}]}).encode()}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_packing_gives_the_same_digest_and_log_files(shape: str) -> None:
    found = Loaded(SHAPES[shape])
    assert (found.source, found.faults) == ("aws_cloudtrail_digest", [])
    assert found.rows("resources", "kind", "id", "parent_id") == [
        ("log_digest", f"aws:{ACCOUNT}:s3://trail/{PREFIX}/CloudTrail-Digest/eu-west-1/11.json.gz", None),
        *(("log_file", f"aws:{ACCOUNT}:s3://trail/{PREFIX}/CloudTrail/eu-west-1/{number}.json.gz",
           f"aws:{ACCOUNT}:s3://trail/{PREFIX}/CloudTrail-Digest/eu-west-1/11.json.gz") for number in (1, 2))]
    assert found.ids == Loaded(SHAPES["object"]).ids


def test_a_log_file_has_its_hash_and_a_digest_the_name_and_hash_of_the_one_before() -> None:
    found = {row["kind"]: json.loads(row["attributes"]) for row in Loaded(SHAPES["object"])["resources"].to_dicts()}
    assert found["log_file"] == {"hash": f"{2:064x}", "hash_algorithm": "SHA-256", "oldest": "2026-06-01T10:50:00Z",
                                 "newest": "2026-06-01T11:20:00Z"}
    assert found["log_digest"]["previous_object"].endswith("/10.json.gz")
    assert found["log_digest"]["previous_hash"] == f"{11:064x}"
    assert found["log_digest"]["log_files"] == 2


def test_days_with_events_are_stated_for_cloudtrail_and_a_digest_without_files_states_none() -> None:
    assert Loaded(SHAPES["object"]).rows("coverage", "basis", "source", "tenant", "day", "records", "first", "last") == [
        ("stated", "aws_cloudtrail", ACCOUNT, date(2026, 6, 1), None, datetime(2026, 6, 1, 10, 31, tzinfo=UTC),
         datetime(2026, 6, 1, 11, 20, tzinfo=UTC))]
    alone = Loaded(json.dumps(EMPTY))
    assert alone["coverage"].is_empty()
    assert alone["resources"]["kind"].to_list() == ["log_digest"]


def test_a_digest_over_midnight_states_both_days() -> None:
    over = digest(1, _log(1, "2026-05-31T23:50:00Z", "2026-06-01T00:20:00Z"))
    assert Loaded([over]).rows("coverage", "day", "first", "last") == [
        (date(2026, 5, 31), datetime(2026, 5, 31, 23, 50, tzinfo=UTC),
         datetime(2026, 5, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        (date(2026, 6, 1), datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 1, 0, 20, tzinfo=UTC))]


def test_a_changed_digest_of_the_same_name_is_kept_beside_the_first() -> None:
    changed = {**DAY, "previousDigestHashValue": "f" * 64}
    assert len(set(Loaded([DAY, changed]).ids)) == 2


def test_a_first_digest_names_none_before_it() -> None:
    first = {key: None if key.startswith("previous") else value for key, value in DAY.items()}
    held = json.loads(Loaded([first])["resources"].filter(pl.col("kind") == "log_digest")["attributes"][0])
    assert (held["previous_object"], held["previous_hash"]) == (None, None)


def test_a_digest_of_more_than_a_head_is_recognised() -> None:
    many = digest(11, *(_log(n, "2026-06-01T10:31:00Z", "2026-06-01T10:40:00Z") for n in range(900)))
    assert Loaded(json.dumps(many))["resources"].height == 901


def test_what_is_stated_makes_no_log_received(tmp_path: Path) -> None:
    (tmp_path / "digest.json").write_bytes(SHAPES["object"])
    (tmp_path / "log.json").write_text(json.dumps({"Records": [event(0)]}))
    load([tmp_path], Store.create(tmp_path / "w"))
    rows = open_estate(tmp_path / "w").frame("coverage").select("basis", "source", "day", "records").sort("basis").rows()
    assert rows == [("received", "aws_cloudtrail", date(2026, 6, 1), 1), ("stated", "aws_cloudtrail", date(2026, 6, 1), None)]
