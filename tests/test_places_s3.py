"""Object stores, read from an S3-compatible server on loopback; installed and run by ``make places``."""

from __future__ import annotations

import gzip
import json
import urllib.request
from typing import TYPE_CHECKING

import pytest

from lineage_analytics.errors import UsageError
from lineage_analytics.loaders.common import remote
from lineage_analytics.workspace import Store, load
from tests._trail import event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

server = pytest.importorskip("moto.server", reason="an S3-compatible server is installed by make places only")
obstore = pytest.importorskip("obstore")

LOGS = {f"logs/2026/06/{n:02d}.json.gz": gzip.compress(json.dumps({"Records": [event(n * 10 + k) for k in range(5)]}).encode())
        for n in range(1, 4)}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket with three log files, something in truth/, and something else."""
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ALLOW_HTTP": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
    }.items():
        monkeypatch.setenv(name, value)
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/trail", method="PUT")).close()
    store = obstore.store.from_url("s3://trail")
    for key, data in {**LOGS, "logs/truth/measures.json": b"{}", "other/x.json": b"{}"}.items():
        obstore.put(store, key, data)
    yield "s3://trail"
    running.stop()


@pytest.mark.parametrize(("key", "records", "files"), [
    ("logs", 15, 3), ("logs/", 15, 3), ("logs/2026/06/0[12].json.gz", 10, 2), ("logs/2026/*/03*", 5, 1),
    ("logs/2026/06/01.json.gz", 5, 1)])
@pytest.mark.parametrize("held", [remote.HELD_BYTES, 0])
def test_a_prefix_a_pattern_and_a_key_each_give_what_is_below_it(
    bucket: str, key: str, records: int, files: int, held: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "HELD_BYTES", held)
    result = load([f"{bucket}/{key}"], Store.create(tmp_path / "w"))
    count = result.counts["aws_cloudtrail"]
    assert (count.accepted, count.files) == (records, files)
    assert set(result.counts) == {"aws_cloudtrail"}


def test_names_are_those_below_what_was_given_and_known_answers_are_not_read(bucket: str, tmp_path: Path) -> None:
    result = load([f"{bucket}/logs"], Store.create(tmp_path / "w"))
    ledger = Store.open(tmp_path / "w").scan("ledger").collect()
    assert sorted(ledger["file"]) == [f"2026/06/{n:02d}.json.gz" for n in range(1, 4)]
    assert [skipped.name for skipped in result.skipped] == ["truth/measures.json"]


def test_a_bucket_without_such_objects_says_so(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there are none"):
        load([f"{bucket}/nothing/here"], Store.create(tmp_path / "w"))
