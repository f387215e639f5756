"""Every source on one page: spans and missing days, lateness, what was expected, what is new, what digests say."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from lineage_analytics.reporting.records import degradation
from lineage_analytics.source_days import source_days
from lineage_analytics.workspace import Store, integrity, load, open_estate
from tests._trail import ACCOUNT, event

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from lineage_analytics.workspace.estate import Estate


def _estate(folder: Path, workspace: Path) -> Estate:
    load([folder], Store.create(workspace))
    return open_estate(workspace)


def _row(frame: pl.DataFrame, source: str) -> dict[str, Any]:
    [row] = [row for row in frame.iter_rows(named=True) if row["source"] == source]
    return row


def _records(*days: int) -> bytes:
    return json.dumps({"Records": [event(day, eventTime=f"2026-06-{day:02d}T10:00:00Z") for day in days]}).encode()


def test_a_day_without_records_between_two_with_some_is_a_missing_day(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "log.json").write_bytes(_records(1, 2, 5))
    row = _row(_estate(tmp_path / "in", tmp_path / "w").sources, "aws_cloudtrail")
    assert (row["state"], row["tenant"], row["records"], row["days"]) == ("received", ACCOUNT, 3, 3)
    assert row["missing_days"] == [date(2026, 6, 3), date(2026, 6, 4)]
    assert row["lateness_p95_s"] is None, "CloudTrail does not say when it received a record"
    assert row["log_files"] is None


def test_a_source_that_is_expected_and_never_came_is_missing_and_one_that_came_late_counts_from_its_day(
    tmp_path: Path,
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "log.json").write_bytes(_records(3, 4))
    (tmp_path / "in" / "expected.csv").write_text(
        f"source,tenant,since\naws_cloudtrail,{ACCOUNT},2026-06-01\ngithub_audit,acme,2026-06-01\n")
    found = _estate(tmp_path / "in", tmp_path / "w").sources
    assert _row(found, "aws_cloudtrail")["missing_days"] == [date(2026, 6, 1), date(2026, 6, 2)]
    assert (_row(found, "github_audit")["state"], _row(found, "github_audit")["missing_days"]) == ("missing", None)
    assert _row(found, "declared")["state"] == "undated"


def test_an_inventory_that_is_expected_has_no_missing_days_and_is_missing_only_when_it_never_came(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "log.json").write_bytes(_records(1, 2, 5))
    (tmp_path / "in" / "owners.csv").write_text("identity,owner\nana,bo\n")
    (tmp_path / "in" / "expected.csv").write_text("source,since\ndeclared,2026-06-01\nk8s_rbac,2026-06-01\n")
    estate = _estate(tmp_path / "in", tmp_path / "w")
    states = estate.sources.select("source", "state", "missing_days").rows()
    assert [row for row in states if row[0] != "aws_cloudtrail"] == [
        ("declared", "undated", None), ("k8s_rbac", "missing", None)]
    assert degradation(estate) == ["k8s_rbac: declared, nothing loaded"]
    days = source_days(estate.frame("coverage"), date(2026, 6, 1), date(2026, 6, 5), estate.as_of)
    assert set(days["source"]) == {"aws_cloudtrail"}


def test_of_two_declared_accounts_of_one_source_the_one_that_never_came_degrades_the_run(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "log.json").write_bytes(_records(1))
    (tmp_path / "in" / "expected.csv").write_text(
        f"source,tenant,since\naws_cloudtrail,{ACCOUNT},2026-06-01\naws_cloudtrail,999988887777,2026-06-01\n")
    assert degradation(_estate(tmp_path / "in", tmp_path / "w")) == [
        "aws_cloudtrail 999988887777: declared, nothing loaded"]


def test_a_declared_source_that_no_loader_is_named_for_is_missing_and_told_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "log.json").write_bytes(_records(1))
    (tmp_path / "in" / "expected.csv").write_text("source,since\ncloudtrail,2026-06-01\nokta_system_log,2026-06-01\n")
    assert degradation(_estate(tmp_path / "in", tmp_path / "w")) == [
        "cloudtrail: declared, nothing loaded. No loader has that name. Did you mean aws_cloudtrail or aws_cloudtrail_digest?",
        "okta_system_log: declared, nothing loaded"]


def test_lateness_is_what_95_of_100_records_kept_where_the_provider_says_when_it_received_them(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    entries = [{
        "insertId": f"i{n}", "logName": "projects/p/logs/cloudaudit.googleapis.com%2Factivity",
        "timestamp": "2026-06-01T10:00:00Z", "receiveTimestamp": f"2026-06-01T10:00:{n:02d}Z",
        "resource": {"type": "project", "labels": {"project_id": "p"}},
        "protoPayload": {"@type": "type.googleapis.com/google.cloud.audit.AuditLog", "serviceName": "iam.googleapis.com",
                         "methodName": "google.iam.admin.v1.GetRole",
                         "authenticationInfo": {"principalEmail": "ana@acme.example"}}} for n in range(20)]
    (tmp_path / "in" / "log.json").write_text(json.dumps(entries))
    assert _row(_estate(tmp_path / "in", tmp_path / "w").sources, "gcp_audit")["lateness_p95_s"] == 19.0


def test_new_keys_and_changed_types_are_counted_with_the_place_of_the_first(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    records = [event(1), event(2, lateKey={"a": 1}), event(3, lateKey={"a": 2})]
    (tmp_path / "in" / "log.json").write_text(json.dumps({"Records": records}))
    estate = _estate(tmp_path / "in", tmp_path / "w")
    assert estate.new_in_formats.rows() == [
        ("aws_cloudtrail", "key", "lateKey", "object", 2, 1, "log.json record 1")]
    assert _row(estate.sources, "aws_cloudtrail")["drift"] == 1
    kept = estate.frame("activity")["unmapped"].drop_nulls().to_list()
    assert sorted(kept) == ['{"lateKey":{"a":1}}', '{"lateKey":{"a":2}}']


class _Trail:
    """Log files with the digests that CloudTrail would write over them, signed with a key of our own. Synthetic."""

    BUCKET = "trail-synthetic"

    def __init__(self, folder: Path) -> None:
        rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
        self._folder = folder
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._before: tuple[str, str, str] | None = None

    def hour(self, hour: int) -> None:
        """A log file of one hour and the digest after it."""
        content = json.dumps({"Records": [event(hour, eventTime=f"2026-06-01T{hour:02d}:10:00Z")]}).encode()
        log = f"{ACCOUNT}_CloudTrail_eu-west-1_20260601T{hour:02d}15Z_synthetic.json.gz"
        (self._folder / log).write_bytes(gzip.compress(content))
        end = f"2026-06-01T{hour + 1:02d}:00:00Z"
        digest = f"{ACCOUNT}_CloudTrail-Digest_eu-west-1_trail_eu-west-1_20260601T{hour + 1:02d}0000Z.json.gz"
        before = self._before
        body = json.dumps({
            "awsAccountId": ACCOUNT, "digestStartTime": f"2026-06-01T{hour:02d}:00:00Z", "digestEndTime": end,
            "digestS3Bucket": self.BUCKET, "digestS3Object": f"AWSLogs/{digest}", "digestPublicKeyFingerprint": "f1",
            "digestSignatureAlgorithm": "SHA256withRSA", "newestEventTime": end, "oldestEventTime": end,
            "previousDigestS3Bucket": self.BUCKET if before else None,
            "previousDigestS3Object": before[0] if before else None,
            "previousDigestHashValue": before[1] if before else None,
            "previousDigestHashAlgorithm": "SHA-256" if before else None,
            "previousDigestSignature": before[2] if before else None,
            "logFiles": [{"s3Bucket": self.BUCKET, "s3Object": f"AWSLogs/{log}", "hashAlgorithm": "SHA-256",
                          "hashValue": hashlib.sha256(content).hexdigest(), "oldestEventTime": end,
                          "newestEventTime": end}]}).encode()
        (self._folder / digest).write_bytes(gzip.compress(body))
        hashed = hashlib.sha256(body).hexdigest()
        signed = "\n".join((end, f"{self.BUCKET}/AWSLogs/{digest}", hashed, before[2] if before else "null"))
        self._before = f"AWSLogs/{digest}", hashed, self._sign(signed)

    def _sign(self, text: str) -> str:
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        return str(self._key.sign(text.encode(), PKCS1v15(), SHA256()).hex())

    def keys(self) -> None:
        """The public keys, as ``aws cloudtrail list-public-keys`` prints them."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        value = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
        (self._folder / "keys.json").write_text(json.dumps({"PublicKeyList": [{
            "Value": base64.b64encode(value).decode(), "ValidityStartTime": "2026-01-01T00:00:00Z",
            "ValidityEndTime": "2027-01-01T00:00:00Z", "Fingerprint": "f1"}]}))


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """Four hours of logs with their digests and the public key."""
    (tmp_path / "in").mkdir()
    made = _Trail(tmp_path / "in")
    for hour in (1, 2, 3, 4):
        made.hour(hour)
    made.keys()
    return tmp_path / "in"


def _verdicts(estate: Estate) -> dict[str, int]:
    return dict(integrity.checks(estate).group_by("verdict").len().iter_rows())


def test_delivered_files_match_their_digests_which_follow_on_each_other_and_are_signed(
    trail: Path, tmp_path: Path
) -> None:
    estate = _estate(trail, tmp_path / "w")
    assert _verdicts(estate) == {"matches": 4, "follows": 3, "signed": 3}
    assert _row(estate.sources, "aws_cloudtrail")["log_files"] == [{"verdict": "matches", "count": 4}]


def test_a_changed_a_removed_and_a_forged_file_are_each_told(trail: Path, tmp_path: Path) -> None:
    logs = sorted(trail.glob("*_CloudTrail_eu*.json.gz"))
    logs[0].write_bytes(gzip.compress(gzip.decompress(logs[0].read_bytes()).replace(b"AttachRolePolicy", b"GetRole")))
    logs[1].unlink()
    digests = sorted(trail.glob("*Digest*.json.gz"))
    digests[2].write_bytes(gzip.compress(gzip.decompress(digests[2].read_bytes()) + b" "))
    found = _verdicts(_estate(trail, tmp_path / "w"))
    assert found == {"matches": 2, "differs": 1, "not_loaded": 1, "follows": 2, "chain_broken": 1, "signed": 2, "forged": 1}


def test_a_digest_whose_predecessor_is_missing_says_so_and_the_first_follows_on_nothing(trail: Path, tmp_path: Path) -> None:
    sorted(trail.glob("*Digest*.json.gz"))[1].unlink()
    found = _verdicts(_estate(trail, tmp_path / "w"))
    assert (found["no_predecessor"], found["follows"]) == (1, 1)


def test_times_of_digests_do_not_make_the_estate_younger_than_its_events(trail: Path, tmp_path: Path) -> None:
    assert _estate(trail, tmp_path / "w").as_of == datetime(2026, 6, 1, 4, 10, tzinfo=UTC)
