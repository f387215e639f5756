"""The manifest finds every change, and its chain and tree are those of the specification."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from lineage_analytics.errors import IntegrityError, NothingAssessableError, UsageError
from lineage_analytics.reporting import manifest, merkle

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    (folder / "charts").mkdir(parents=True)
    (folder / "index.html").write_text("<p>answer</p>")
    (folder / "charts" / "a.svg").write_text("<svg/>")
    body = {"run_id": "r1", "as_of": "2026-06-30T00:00:00Z", "status": "complete"}
    (folder / manifest.MANIFEST).write_bytes(manifest.as_bytes(manifest.make(body, folder)))
    (folder / manifest.RUN_LOG).write_bytes(manifest.run_log({"seconds": {"measured": 1.5}}))
    return folder


@pytest.mark.parametrize(("leaves", "root"), [
    ([], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ([b""], "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    ([b"a", b"b"], "b137985ff484fb600db93107c77b0365c80d78f5b429ded0fd97361d077999eb"),
    ([b"a", b"b", b"c"], "36642e73c2540ab121e3a6bf9545b0a24982cd830eb13d3cd19de3ce6c021ec1"),
    ([b"a", b"b", b"c", b"d", b"e"], "fe14a5426fbd70c0fa73f52342afed0da0bd23c4838662ccf6b88a3070ead97b"),
])
def test_merkle_roots_of_the_golden_vectors(leaves: list[bytes], root: str) -> None:
    assert merkle.root(leaves) == root


def test_chain_of_two_files_is_the_golden_vector() -> None:
    files = {"a.jsonl": b'{"a":1}\n', "b.jsonl": b'{"b":2}\n'}
    entries = [{"bytes": len(data), "kind": "source", "path": name, "sha256": hashlib.sha256(data).hexdigest()}
               for name, data in files.items()]
    assert [entry["entry_hash"] for entry in manifest.chained(entries)] == [
        "e3c0a803a1695330e1a9ba566e71e403b8d545498fa6fa1722c9dde789f081eb",
        "f7281dad279d704b9a22099fd20a20514e4c6b604213784239bc391656672952",
    ]


def test_an_untouched_run_is_intact_and_not_anchored(run_folder: Path) -> None:
    verdict = manifest.verify(run_folder)
    assert verdict.intact
    assert not verdict.anchored
    assert verdict.sentence() == "run r1: 3 entries intact, not anchored"


def test_every_single_flipped_byte_is_found(run_folder: Path) -> None:
    for path in sorted(p for p in run_folder.rglob("*") if p.is_file()):
        before = path.read_bytes()
        for position in range(0, len(before), 7):
            path.write_bytes(before[:position] + bytes([before[position] ^ 1]) + before[position + 1:])
            try:
                assert manifest.verify(run_folder).changed == [path.relative_to(run_folder).as_posix()], position
            except IntegrityError:
                assert path.name == manifest.MANIFEST
        path.write_bytes(before)
    assert manifest.verify(run_folder).intact


def test_a_changed_parameter_in_the_manifest_is_found(run_folder: Path) -> None:
    path = run_folder / manifest.MANIFEST
    document = json.loads(path.read_bytes())
    document["as_of"] = "2026-07-01T00:00:00Z"
    path.write_bytes(manifest.as_bytes(document))
    with pytest.raises(IntegrityError):
        manifest.verify(run_folder)


def test_a_missing_and_an_unlisted_file_are_named(run_folder: Path) -> None:
    (run_folder / "index.html").unlink()
    (run_folder / "extra.txt").write_text("x")
    verdict = manifest.verify(run_folder)
    assert verdict.missing == ["index.html"]
    assert verdict.unlisted == ["extra.txt"]


def test_no_folder_is_wrong_usage_and_no_manifest_is_nothing_assessable(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        manifest.verify(tmp_path / "absent")
    with pytest.raises(NothingAssessableError):
        manifest.verify(tmp_path)
