"""The manifest finds every change, and its chain and tree are those of the specification."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from lineage_analytics.cli import main
from lineage_analytics.errors import IntegrityError, NothingAssessableError, UsageError
from lineage_analytics.reporting import growth, manifest, merkle, verifying

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


CT = [bytes.fromhex(leaf) for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657",
                                       "606162636465666768696a6b6c6d6e6f")]
"""The leaves with which Certificate Transparency tests its trees; roots and proofs below are theirs."""


@pytest.mark.parametrize(("size", "root"), [
    (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    (6, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
    (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
])
def test_roots_of_certificate_transparency(size: int, root: str) -> None:
    assert merkle.root(CT[:size]) == root


def test_proofs_of_certificate_transparency() -> None:
    tree = merkle.Tree(CT)
    assert tree.inclusion(5) == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"]
    assert tree.consistency(6) == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"]
    assert merkle.Tree(CT[:5]).consistency(2) == [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"]


def test_a_doubled_last_leaf_is_another_root() -> None:
    assert merkle.root([b"a", b"b", b"c"]) != merkle.root([b"a", b"b", b"c", b"c"])
    assert not merkle.root([b"a", b"b", b"c"]).startswith("e9636069")


@pytest.mark.parametrize("size", [*range(18), 31, 32, 33])
def test_a_proof_shows_its_own_leaf_and_no_other(size: int) -> None:
    leaves = [bytes([n]) for n in range(size)]
    tree = merkle.Tree(leaves)
    for index in range(size):
        proof = tree.inclusion(index)
        shown = {(n, at) for n in range(size) for at in range(size + 1)
                 if merkle.included(leaves[n], at, size, proof, tree.root())}
        assert shown == {(index, index)}
        assert not merkle.included(leaves[index], index, size, [*proof, "00" * 32], tree.root())
        assert not proof or not merkle.included(leaves[index], index, size, proof[:-1], tree.root())


@pytest.mark.parametrize("size", [*range(18), 31, 32, 33])
def test_a_tree_that_only_grew_is_shown_to_and_one_that_was_changed_is_not(size: int) -> None:
    leaves = [bytes([n]) for n in range(size)]
    tree = merkle.Tree(leaves)
    for before in range(size + 1):
        proof, old = tree.consistency(before), merkle.root(leaves[:before])
        assert merkle.consistent(before, size, old, tree.root(), proof)
        other = merkle.root([*leaves[:before - 1], b"x"]) if before else merkle.root([b"x"])
        assert not merkle.consistent(before, size, other, tree.root(), proof)
        if before:  # of nothing every tree is a continuation
            assert not merkle.consistent(before, size, old, other, proof)
        assert not merkle.consistent(before, size, old, tree.root(), [*proof, "00" * 32])
        assert not merkle.consistent(size + 1, size, old, tree.root(), proof)
        if proof:
            assert not merkle.consistent(before, size, old, tree.root(), proof[:-1])


@pytest.mark.parametrize("proof", [["zz"], [""], ["00"], [1], [None]])
def test_what_is_no_proof_shows_nothing(proof: Any) -> None:
    assert not merkle.included(b"a", 0, 2, proof, merkle.root([b"a", b"b"]))
    assert not merkle.consistent(1, 2, merkle.root([b"a"]), merkle.root([b"a", b"b"]), proof)


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


# A signature beside a run, and a run that grew out of another.

@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """An Ed25519 key pair in PEM."""
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519",
                                  reason="the extra signatures is not installed")
    from cryptography.hazmat.primitives import serialization as form

    private = ed25519.Ed25519PrivateKey.generate()
    key, public = tmp_path / "key.pem", tmp_path / "public.pem"
    key.write_bytes(private.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
    public.write_bytes(private.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo))
    return key, public


def test_a_signed_run_is_anchored_by_the_signers_key_and_its_manifest_stays_as_it_was(
    run_folder: Path, keys: tuple[Path, Path]
) -> None:
    before = (run_folder / manifest.MANIFEST).read_bytes()
    assert verifying.sign(run_folder, keys[0]) == run_folder / manifest.SIGNATURE
    assert (run_folder / manifest.MANIFEST).read_bytes() == before
    assert manifest.verify(run_folder).intact
    assert (verifying.verify(run_folder).anchored, verifying.verify(run_folder, keys[1]).anchored) == (False, True)


def test_a_signature_of_another_run_or_a_changed_one_is_an_integrity_error(run_folder: Path, keys: tuple[Path, Path]) -> None:
    verifying.sign(run_folder, keys[0])
    beside = run_folder / manifest.SIGNATURE
    signed = beside.read_bytes()
    for position in range(0, len(signed), 5):
        beside.write_bytes(signed[:position] + bytes([signed[position] ^ 1]) + signed[position + 1:])
        with pytest.raises(IntegrityError):
            verifying.verify(run_folder)
    beside.write_bytes(signed)
    body = {"run_id": "r2", "as_of": "2026-07-01T00:00:00Z", "status": "complete"}
    (run_folder / manifest.MANIFEST).write_bytes(manifest.as_bytes(manifest.make(body, run_folder)))
    with pytest.raises(IntegrityError):
        verifying.verify(run_folder, keys[1])


def _read(folder: Path, run_id: str, **files: str) -> Path:
    """A run folder that says it read these files, by name and content."""
    folder.mkdir()
    inputs = [{"name": name, "sha256": hashlib.sha256(text.encode()).hexdigest(), "bytes": len(text)}
              for name, text in files.items()]
    made = manifest.make({"run_id": run_id, "inputs": inputs}, folder)
    (folder / manifest.MANIFEST).write_bytes(manifest.as_bytes(made))
    return folder


def test_a_run_that_read_all_that_an_earlier_one_read_extends_it(tmp_path: Path) -> None:
    old = _read(tmp_path / "old", "r1", june="a", may="b", april="c")
    new = _read(tmp_path / "new", "r2", august="e", july="d", june="a", may="b", renamed="c")
    found = growth.check(new, old)
    assert (found.kept, found.added, found.changed, found.missing) == (3, 2, [], [])
    assert merkle.consistent(3, 5, found.old_root, found.new_root, found.proof)
    assert found.old_root == growth.check(old, old).new_root
    assert found.sentence() == "beside run r1: all 3 files read then are read now, 2 are new"


def test_a_run_without_or_with_another_file_of_the_earlier_names_it(tmp_path: Path) -> None:
    old = _read(tmp_path / "old", "r1", june="a", may="b", april="c")
    new = _read(tmp_path / "new", "r2", june="A", may="b")
    found = growth.check(new, old)
    assert (found.changed, found.missing, found.proof) == (["june"], ["april"], [])


@pytest.mark.parametrize(("files", "code"), [
    ({"june": "a", "july": "b"}, 0), ({"june": "A"}, 4), ({"july": "b"}, 5)])
def test_extends_on_the_command_line_says_so_by_its_exit_code(
    tmp_path: Path, files: dict[str, str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = _read(tmp_path / "old", "r1", june="a"), _read(tmp_path / "new", "r2", **files)
    assert main(["verify", str(new), "--extends", str(old)]) == code
    assert "beside run r1" in capsys.readouterr().out
    assert main(["verify", str(new), "--extends", str(old), "--json"]) == code
    assert json.loads(capsys.readouterr().out)["extends"]["run_id"] == "r1"
    (old / "more").write_text("x")
    assert main(["verify", str(new), "--extends", str(old)]) == 4
    assert main(["verify", str(new), "--extends", str(tmp_path / "none")]) == 2


def test_a_changed_run_on_the_command_line(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(run_folder), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["run_id"], said["intact"], said["anchored"]) == ("r1", True, False)
    assert main(["verify", str(run_folder), "--require-anchor"]) == 3
    (run_folder / "index.html").write_text("<p>other</p>")
    assert main(["verify", str(run_folder)]) == 4
    (run_folder / "index.html").unlink()
    assert main(["verify", str(run_folder)]) == 5
