"""One decision's evidence as one file: what it holds, what it proves, and that no change of it stays unseen."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics import analysis
from lineage_analytics.cli import main
from lineage_analytics.errors import ConfigurationError, IntegrityError, LimitError, NothingAssessableError, UsageError
from lineage_analytics.loaders.common.inputs import InputFile
from lineage_analytics.loaders.common.places import input_files
from lineage_analytics.reporting import archive, bundle, manifest, merkle, raw_records, signing, verifying
from tests import _decisions as d

Json = dict[str, Any]
ACCOUNT = "111122223333"


@pytest.fixture(scope="module")
def small() -> bytes:
    """The bundle of an activation with its approval."""
    found = d.lineage(d.pim("request"), d.pim("decision", 2), d.pim("action", 3), coverage=d.covered())
    assert found.facts is not None
    return bundle.make(found, found.facts, "e-action").data


def files(data: bytes) -> dict[str, bytes]:
    opened = archive.unpack(data)
    assert opened.fault == ""
    return opened.entries


def document(data: bytes, name: str) -> Any:
    return json.loads(files(data)[name])


def lines(data: bytes, name: str) -> list[Json]:
    return [json.loads(line) for line in files(data)[name].splitlines()]


def found_of(data: bytes) -> str:
    """What a check says: intact, the kinds of difference, or the error."""
    try:
        verdict = verifying.check(data, "x.zip")
    except (IntegrityError, NothingAssessableError, UsageError) as error:
        return type(error).__name__
    kinds = [name for name in ("changed", "missing", "unlisted") if getattr(verdict, name)]
    return " ".join(kinds) or "intact"


# What it holds.

def test_a_bundle_holds_the_case_its_records_coverage_rules_and_proofs(small: bytes) -> None:
    names = set(files(small))
    assert names >= {"explanation.txt", "explanation.json", "coverage.jsonl", "inputs.jsonl", "rules.json", "tool.json",
                     "lineage/prov.json", "manifest.jsonl", "manifest.head.json", "proofs.json"}
    assert {f"lineage/{name}.jsonl" for name in ("cases", "steps", "links", "link_rejects", "decision_findings", "gaps",
                                                  "elements")} <= names
    assert {name for name in names if name.startswith("records/")} == {
        f"records/rec-{kind}.json" for kind in ("request", "decision", "action")}
    [case] = lines(small, "lineage/cases.jsonl")
    assert case["case_id"] == document(small, "manifest.head.json")["case_id"]
    assert case["case_id"].encode() in files(small)["explanation.txt"]
    assert {step["event_id"] for step in lines(small, "lineage/steps.jsonl")} == {"e-request", "e-decision", "e-action"}


def test_a_record_holds_the_rows_it_became(small: bytes) -> None:
    said = document(small, "records/rec-decision.json")
    [row] = said["rows"]["decision_steps"]
    assert (row["event_id"], row["verdict"], row["time"]) == ("e-decision", "approve", "2026-06-10T12:02:00Z")
    assert said["places"] == []  # made by hand: it stands in no file


def test_every_record_entry_is_proved_under_the_root(small: bytes) -> None:
    head, proofs = document(small, "manifest.head.json"), document(small, "proofs.json")
    assert (proofs["size"], proofs["merkle_root"]) == (head["count"], head["merkle_root"])
    assert {one["path"] for one in proofs["entries"]} == {n for n in files(small) if n.startswith(("records/", "raw/"))}
    for one in proofs["entries"]:
        line = lines(small, "manifest.jsonl")[one["seq"]]
        hashed = hashlib.sha256(b"la-manifest-v1\n" + manifest.canonical(line)).hexdigest()
        assert (line["path"], hashed) == (one["path"], one["entry_hash"])
        assert hashlib.sha256(files(small)[one["path"]]).hexdigest() == line["sha256"]
        assert merkle.included(bytes.fromhex(hashed), one["seq"], proofs["size"], one["proof"], head["merkle_root"])


def test_the_manifest_is_chained_as_specified(small: bytes) -> None:
    found = lines(small, "manifest.jsonl")
    assert all(set(line) == {"bytes", "kind", "path", "prev", "seq", "sha256"} for line in found)
    assert found[0]["prev"] == "0" * 64
    for before, line in itertools.pairwise(found):
        assert line["prev"] == hashlib.sha256(b"la-manifest-v1\n" + manifest.canonical(before)).hexdigest()
    kinds = {line["kind"] for line in found}
    assert kinds == {"source", "records", "coverage", "rules", "nodes", "edges", "gaps", "report", "tool"}


def test_any_zip_tool_opens_it(small: bytes, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(small)) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in opened.namelist()} == files(small)
        assert opened.namelist() == sorted(opened.namelist())
    (tmp_path / "x.zip").write_bytes(small)
    done = subprocess.run(["unzip", "-tqq", str(tmp_path / "x.zip")], check=False, capture_output=True)
    assert done.returncode == 0


def test_rows_in_any_order_and_records_delivered_twice_give_equal_bytes(small: bytes) -> None:
    steps = [d.pim("action", 3), d.pim("decision", 2), d.pim("request"), d.pim("decision", 2)]
    found = d.lineage(*steps, coverage=d.covered()[::-1])
    assert found.facts is not None
    assert bundle.make(found, found.facts, "rec-decision").data == small


def test_a_step_that_a_link_leads_to_in_another_case_is_there_with_its_case_and_records() -> None:
    found = d.lineage(d.step("do"), d.step("undo", 30, operation="iam:DetachRolePolicy", effect_key=f"revoke({d.POLICY})"))
    assert found.facts is not None
    data = bundle.make(found, found.facts, "e-do").data
    steps = {step["event_id"]: step["case_id"] for step in lines(data, "lineage/steps.jsonl")}
    assert set(steps) == {"e-do", "e-undo"}
    assert steps["e-undo"] != steps["e-do"]
    assert "records/rec-undo.json" in files(data)


def test_an_id_nobody_knows_is_wrong_usage(small: bytes) -> None:
    found = d.lineage(d.step("do"))
    assert found.facts is not None
    with pytest.raises(UsageError, match="rec-nothing"):
        bundle.make(found, found.facts, "rec-nothing")
    assert small


# Changes.

def test_as_it_was_written_it_is_intact(small: bytes) -> None:
    verdict = verifying.check(small, "x.zip")
    assert (verdict.intact, verdict.anchored, verdict.kind) == (True, False, "bundle")
    assert verdict.sentence() == f"bundle {verdict.id}: {verdict.count} entries intact, not anchored"


def test_every_byte_of_a_bundle_changed_alone_is_found(small: bytes) -> None:
    held = files(small)
    few = {name: held[name][:90] if name.endswith(".txt") else held[name] for name in ("README.txt", "rules.json", "tool.json")}
    tiny, _ = bundle.sealed({**few, "records/rec-a.json": b"{}\n"}, json.loads(held["rules.json"]))
    assert found_of(tiny) == "intact"
    for position in range(len(tiny)):
        for change in (1 << position % 8, 0x20, 0xFF):  # one bit, the case of a letter, all bits
            odd = bytearray(tiny)
            odd[position] ^= change
            assert found_of(bytes(odd)) != "intact", (position, change)


def test_bytes_all_over_a_bundle_of_a_case_changed_alone_are_found(small: bytes) -> None:
    for position in range(0, len(small), 11):
        odd = bytearray(small)
        odd[position] ^= 1 << position % 8
        assert found_of(bytes(odd)) != "intact", position


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_other_bytes_anywhere_are_found(small: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(small)))
    end = data.draw(st.integers(at, min(len(small), at + 40)))
    put = data.draw(st.binary(max_size=40))
    odd = small[:at] + put + small[end:]
    assert (found_of(odd) == "intact") == (odd == small)


def test_every_truncation_is_found(small: bytes) -> None:
    for length in [*range(0, len(small), 97), len(small) - 1]:
        assert found_of(small[:length]) != "intact", length


@pytest.mark.parametrize("name", ["records/rec-action.json", "lineage/gaps.jsonl", "coverage.jsonl", "rules.json",
                                  "manifest.head.json", "proofs.json"])
def test_a_file_changed_deleted_or_swapped_is_named(small: bytes, name: str) -> None:
    held = files(small)
    verdict = verifying.check(archive.pack({**held, name: held[name] + b" "}), "x")
    assert verdict.changed == [name]
    assert verifying.check(archive.pack({k: v for k, v in held.items() if k != name}), "x").missing == [name]
    swapped = verifying.check(archive.pack({**held, name: held["tool.json"], "tool.json": held[name]}), "x")
    assert set(swapped.changed) >= {name, "tool.json"}


def test_a_file_added_is_named(small: bytes) -> None:
    assert verifying.check(archive.pack({**files(small), "records/rec-new.json": b"{}"}), "x").unlisted == [
        "records/rec-new.json"]


def test_a_listed_file_that_was_changed_with_its_line_breaks_the_chain(small: bytes) -> None:
    held = files(small)
    data = held["records/rec-action.json"] + b"\n"
    listed = [json.loads(line) for line in held["manifest.jsonl"].splitlines()]
    for line in listed:
        if line["path"] == "records/rec-action.json":
            line |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    forged = b"".join(manifest.canonical(line) + b"\n" for line in listed)
    with pytest.raises(IntegrityError):
        verifying.check(archive.pack({**held, "records/rec-action.json": data, "manifest.jsonl": forged}), "x")


@pytest.mark.parametrize("change", [
    lambda lines: lines[::-1], lambda lines: lines[1:], lambda lines: lines[:-1], lambda lines: [*lines, lines[-1]],
    lambda lines: [b"[]", *lines], lambda lines: [b"[" * 100_000, *lines], lambda lines: [b"\xff", *lines],
    lambda lines: [lines[0].replace(b'"seq":0', b'"seq":0.0'), *lines[1:]],
    lambda lines: [lines[0].replace(b'"seq":0', b'"x":1,"seq":0'), *lines[1:]],
], ids=["reversed", "first gone", "last gone", "twice", "no object", "too deep", "no text", "other number", "other order"])
def test_a_manifest_whose_lines_are_not_as_written_is_altered(small: bytes, change: Any) -> None:
    held = files(small)
    forged = b"\n".join(change(held["manifest.jsonl"].splitlines())) + b"\n"
    assert found_of(archive.pack({**held, "manifest.jsonl": forged})) in ("IntegrityError", "changed unlisted", "changed")


def test_whoever_writes_all_of_it_anew_is_not_found_which_is_why_anchored_is_said_apart(small: bytes) -> None:
    held = {name: data for name, data in files(small).items() if name not in bundle.UNLISTED}
    held["explanation.txt"] = b"all is well\n"
    forged, _ = bundle.sealed(held, json.loads(held["rules.json"]))
    assert verifying.check(forged, "x").sentence().endswith("intact, not anchored")


# Zips that are none of ours.

def _zipped(entries: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED, comment: bytes = b"") -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", method) as out:
        for name, data in entries:
            out.writestr(zipfile.ZipInfo(name), data, method)
        out.comment = comment
    return held.getvalue()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zip_tricks_are_found(small: bytes) -> None:
    held = sorted(files(small).items())
    bomb = _zipped([("manifest.jsonl", b"\0" * 50_000_000)], zipfile.ZIP_DEFLATED)
    assert len(bomb) < 100_000
    tricks = {
        "another tool": _zipped(held), "compressed": _zipped(held, zipfile.ZIP_DEFLATED),
        "comment": small + b"x", "comment told": _commented(small, b"x"), "bytes before": b"#!/bin/sh\n" + small,
        "twice": _zipped([*held, held[0]]), "bomb": bomb, "empty": b"",
        "only an end": b"PK\x05\x06" + b"\0" * 18, "no zip": b"hello", "two in one": small + small,
        "local twice": _local_twice(small), "central says other": small.replace(b"PK\x01\x02", b"PK\x01\x03", 1),
        "sizes": small[:18] + struct.pack("<II", 0xFFFFFFFF, 0xFFFFFFFF) + small[26:],
        "overlap": _overlapping(small),
    }
    assert {name: found_of(data) for name, data in tricks.items() if found_of(data) == "intact"} == {}
    assert found_of(bomb) == "IntegrityError"


def _commented(data: bytes, comment: bytes) -> bytes:
    return data[:-2] + struct.pack("<H", len(comment)) + comment


def _local_twice(data: bytes) -> bytes:
    """The first entry again, before the directory, which lists it once."""
    second = data.index(b"PK\x03\x04", 4)
    directory = data.index(b"PK\x01\x02")
    return data[:directory] + data[:second] + data[directory:]


def _overlapping(data: bytes) -> bytes:
    """The second entry of the directory points at the first entry's bytes."""
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    return data[:second + 42] + struct.pack("<I", 0) + data[second + 46:]


def test_what_is_too_large_is_not_read_or_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, small: bytes) -> None:
    monkeypatch.setattr(archive, "BYTES", 1_000)
    (tmp_path / "x.zip").write_bytes(small)
    with pytest.raises(LimitError):
        verifying.verify(tmp_path / "x.zip")
    with pytest.raises(LimitError):
        archive.pack({"a": b"x" * 1_001})


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), st.binary(max_size=50), max_size=6))
def test_what_is_packed_unpacks_to_the_same_and_python_reads_it(entries: dict[str, bytes]) -> None:
    data = archive.pack(entries)
    assert archive.unpack(data) == (entries, "")
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert len(opened.namelist()) == len(entries)


# Signatures.

@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Path]:
    """Two key pairs, ``ana`` and ``bo``, in PEM."""
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519", reason="the extra signatures is not installed")
    from cryptography.hazmat.primitives import serialization as form

    made = {}
    for name in ("ana", "bo"):
        private = ed25519.Ed25519PrivateKey.generate()
        made[name], made[f"{name}.pub"] = tmp_path / f"{name}.pem", tmp_path / f"{name}.pub.pem"
        made[name].write_bytes(private.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
        made[f"{name}.pub"].write_bytes(private.public_key().public_bytes(
            form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo))
    return made


@pytest.fixture
def signed(small: bytes, keys: dict[str, Path], tmp_path: Path) -> Path:
    path = tmp_path / "case.zip"
    path.write_bytes(small)
    assert verifying.sign(path, keys["ana"]) == tmp_path / "case.zip.dsse.json"
    return path


def test_a_signature_by_the_key_given_anchors(signed: Path, keys: dict[str, Path], small: bytes) -> None:
    assert signed.read_bytes() == small  # signing changes no byte of what is signed
    verdict = verifying.verify(signed, keys["ana.pub"])
    assert (verdict.intact, verdict.anchored, len(verdict.signed_by)) == (True, True, 1)
    assert verdict.sentence().endswith("intact, anchored")


def test_a_signature_by_a_key_nobody_gave_does_not_anchor(signed: Path) -> None:
    verdict = verifying.verify(signed)
    assert (verdict.anchored, verdict.signatures_checked, len(verdict.signed_by)) == (False, True, 1)


def test_another_key_is_an_integrity_error(signed: Path, keys: dict[str, Path]) -> None:
    with pytest.raises(IntegrityError, match="signed by"):
        verifying.verify(signed, keys["bo.pub"])


def test_two_may_sign_in_any_order(signed: Path, keys: dict[str, Path]) -> None:
    verifying.sign(signed, keys["bo"])
    both = (signed.parent / "case.zip.dsse.json").read_bytes()
    assert verifying.verify(signed, keys["ana.pub"]).anchored
    assert verifying.verify(signed, keys["bo.pub"]).anchored
    (signed.parent / "case.zip.dsse.json").unlink()
    verifying.sign(signed, keys["bo"])
    verifying.sign(signed, keys["ana"])
    verifying.sign(signed, keys["ana"])
    assert (signed.parent / "case.zip.dsse.json").read_bytes() == both


def test_the_statement_is_in_toto_in_a_dsse_envelope_over_the_head(signed: Path, keys: dict[str, Path]) -> None:
    import base64

    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    envelope = json.loads((signed.parent / "case.zip.dsse.json").read_bytes())
    payload = base64.b64decode(envelope["payload"])
    statement = json.loads(payload)
    assert (envelope["payloadType"], statement["_type"]) == ("application/vnd.in-toto+json", "https://in-toto.io/Statement/v1")
    head = files(signed.read_bytes())["manifest.head.json"]
    assert statement["subject"] == [{"name": "manifest.head.json", "digest": {"sha256": hashlib.sha256(head).hexdigest()}}]
    [signature] = envelope["signatures"]
    covered = b"DSSEv1 28 application/vnd.in-toto+json " + str(len(payload)).encode() + b" " + payload
    public: Any = load_pem_public_key(keys["ana.pub"].read_bytes())
    public.verify(base64.b64decode(signature["sig"]), covered)  # as any DSSE tool would


def test_every_byte_of_a_signature_changed_alone_is_found_without_the_signers_key(signed: Path) -> None:
    beside = signed.parent / "case.zip.dsse.json"
    before, head = beside.read_bytes(), verifying.verify(signed).head
    for position in range(len(before)):
        for bit in (0, 3, 5):
            odd = bytearray(before)
            odd[position] ^= 1 << bit
            with pytest.raises(IntegrityError):
                signing.check(bytes(odd), head, bundle.HEAD)


def test_a_signature_over_another_head_is_an_integrity_error(signed: Path, small: bytes) -> None:
    found = d.lineage(d.step("do"))
    assert found.facts is not None
    signed.write_bytes(bundle.make(found, found.facts, "e-do").data)
    with pytest.raises(IntegrityError):
        verifying.verify(signed)
    assert small


def test_what_was_changed_is_not_signed(signed: Path, keys: dict[str, Path]) -> None:
    held = files(signed.read_bytes())
    signed.write_bytes(archive.pack({**held, "explanation.txt": b"all is well\n"}))
    with pytest.raises(IntegrityError, match=r"explanation\.txt"):
        verifying.sign(signed, keys["bo"])


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_wrong_usage(signed: Path, keys: dict[str, Path], content: bytes) -> None:
    keys["ana"].write_bytes(content)
    with pytest.raises(UsageError, match="Ed25519"):
        verifying.sign(signed, keys["ana"])
    with pytest.raises(UsageError, match="Ed25519"):
        verifying.verify(signed, keys["ana"])


def test_a_key_of_another_kind_is_wrong_usage(signed: Path, keys: dict[str, Path]) -> None:
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    keys["ana"].write_bytes(private.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
    keys["ana.pub"].write_bytes(private.public_key().public_bytes(
        form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(UsageError, match="another kind"):
        verifying.sign(signed, keys["ana"])
    with pytest.raises(UsageError, match="another kind"):
        verifying.verify(signed, keys["ana.pub"])


def test_without_the_extra_signing_names_it_and_verifying_says_what_it_did_not_check(
    signed: Path, keys: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("cryptography")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigurationError, match="signatures"):
        verifying.sign(signed, keys["ana"])
    with pytest.raises(ConfigurationError, match="signatures"):
        verifying.verify(signed, keys["ana.pub"])
    verdict = verifying.verify(signed)
    assert (verdict.intact, verdict.anchored, verdict.signatures_checked) == (True, False, False)


# From files to a bundle, by the command line.

def event(number: int, name: str, minute: int, **fields: Any) -> Json:
    return {
        "eventVersion": "1.08", "eventID": f"e-{number}", "eventTime": f"2026-06-10T10:{minute:02d}:00Z",
        "eventSource": "iam.amazonaws.com", "eventName": name, "recipientAccountId": ACCOUNT, "awsRegion": "us-east-1",
        "userIdentity": {"type": "IAMUser", "principalId": "AIDAEXAMPLE000000001", "accountId": ACCOUNT,
                         "arn": f"arn:aws:iam::{ACCOUNT}:user/ana", "userName": "ana"},
        "requestParameters": {"roleName": "etl", "policyArn": "arn:aws:iam::aws:policy/Read", "weight": 1.50}, **fields,
    }


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    records = [event(1, "AttachRolePolicy", 1), event(2, "ListRoles", 2), event(3, "DetachRolePolicy", 30)]
    (folder / "trail.json").write_text(json.dumps({"Records": records}))
    return folder


@pytest.fixture
def workspace(logs: Path, tmp_path: Path) -> Path:
    assert main(["ingest", str(logs), "--workspace", str(tmp_path / "w")]) == 0
    return tmp_path / "w"


def _run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_bundle_verify_and_their_exit_codes(workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "out.zip"
    code, out, err = _run(capsys, "bundle", "e-1", "--workspace", workspace, "--out", target)
    assert code == 0
    assert str(target) in out
    assert "--records" in err
    assert _run(capsys, "verify", target)[:1] == (0,)
    assert _run(capsys, "verify", target, "--require-anchor")[0] == 3
    held = files(target.read_bytes())
    target.write_bytes(archive.pack({**held, "tool.json": b"{}"}))
    code, out, _ = _run(capsys, "verify", target)
    assert (code, "changed: tool.json" in out) == (4, True)
    target.write_bytes(archive.pack({k: v for k, v in held.items() if k != "tool.json"}))
    assert _run(capsys, "verify", target)[0] == 5
    target.write_bytes(archive.pack({**held, "more.json": b"{}"}))
    assert _run(capsys, "verify", target, "--json")[0] == 4
    target.write_bytes(b"")
    assert _run(capsys, "verify", target)[0] == 4
    target.write_bytes(archive.pack({}))
    assert _run(capsys, "verify", target)[0] == 4
    target.write_bytes(archive.pack({"tool.json": b"{}"}))
    assert _run(capsys, "verify", target)[0] == 5


def test_another_bundle_of_that_name_stays_as_it_is(workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "out.zip"
    assert _run(capsys, "bundle", "e-1", "--workspace", workspace, "--out", target)[0] == 0
    before = target.read_bytes()
    assert _run(capsys, "bundle", "e-1", "--workspace", workspace, "--out", target)[0] == 0
    code, _, err = _run(capsys, "bundle", "e-3", "--workspace", workspace, "--out", target)
    assert (code, "--out" in err) == (2, True)
    assert target.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith((".", "out"))) == ["out.zip"]


def test_raw_records_are_cut_out_of_the_files_and_hashed_with_their_numbers_as_written(
    workspace: Path, logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out.zip"
    code, out, _ = _run(capsys, "bundle", "e-1", "--workspace", workspace, "--out", target, "--json", "--records", logs)
    said = json.loads(out)
    assert (code, said["raw"], said["places"], said["raw_doubtful"]) == (0, said["places"], said["places"], 0)
    held = files(target.read_bytes())
    raws = {name: json.loads(data) for name, data in held.items() if name.startswith("raw/")}
    assert {raw["eventID"] for raw in raws.values()} == {"e-1", "e-3"}  # what was done, and what took it back
    for name, data in held.items():
        if name.startswith("records/"):
            [place] = json.loads(data)["places"]
            raw = raws[place["raw"]]
            text = json.dumps(raw, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            assert place["content_sha256"] == hashlib.sha256(text.encode()).hexdigest()
            assert (place["gives_this_record"], place["file"], place["holds_text"]) == (True, "trail.json", False)


def test_a_file_that_is_not_as_it_was_loaded_gives_no_raw_record_and_exit_3(
    workspace: Path, logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (logs / "trail.json").write_text((logs / "trail.json").read_text().replace("etl", "etx"))
    target = tmp_path / "out.zip"
    code, _, err = _run(capsys, "bundle", "e-1", "--workspace", workspace, "--out", target, "--records", logs)
    assert code == 3
    assert "0 of 2 raw records" in err
    record = next(name for name in files(target.read_bytes()) if name.startswith("records/"))
    assert document(target.read_bytes(), record)["places"][0]["raw"] == "not_found"


def test_coverage_says_what_was_received_and_that_nobody_checked_the_provider(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out.zip"
    _run(capsys, "bundle", "e-1", "--workspace", workspace, "--out", target)
    statement = next(row for row in lines(target.read_bytes(), "coverage.jsonl") if row["source"] == "aws_cloudtrail")
    assert (statement["records"], statement["first_event_id"], statement["last_event_id"]) == (3, "e-1", "e-3")
    assert statement["files"]["received"] == 1
    assert (statement["upstream_integrity"], statement["files"]["expected"]) == ("not_checked", None)
    [named] = lines(target.read_bytes(), "inputs.jsonl")
    assert (named["file"], named["accepted"]) == ("trail.json", 3)


def test_a_file_that_is_no_bundle_is_wrong_usage(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(capsys, "verify", logs / "trail.json")[0] == 2
    assert _run(capsys, "verify", logs)[0] == 5


def test_a_run_can_be_signed_as_it_is_published(
    workspace: Path, tmp_path: Path, keys: dict[str, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lineage_analytics.reporting import run

    folder = tmp_path / "reports" / "runs" / "r1"
    folder.mkdir(parents=True)
    (folder / manifest.MANIFEST).write_bytes(manifest.as_bytes(manifest.make({"run_id": "r1"}, folder)))
    monkeypatch.setattr(run, "report", lambda *_, **__: run.Outcome(folder, "r1", "answer", "complete", [], unchanged=False))
    code, _, err = _run(capsys, "report", "--workspace", workspace, "--out", tmp_path / "reports", "--sign", keys["ana"])
    assert (code, manifest.SIGNATURE in err) == (0, True)
    assert _run(capsys, "verify", folder, "--public-key", keys["ana.pub"])[0] == 0


def _delivered(folder: Path, trail: Path, signing_key: Any, tampered: str = "") -> None:
    """Two digests of CloudTrail, the second with the signature of the first, which lists the trail; and the keys."""
    import base64

    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding

    place = f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/us-east-1/2026/06/10/"
    common = {"awsAccountId": ACCOUNT, "digestS3Bucket": "logs", "digestPublicKeyFingerprint": "f1",
              "digestSignatureAlgorithm": "SHA256withRSA"}
    first = json.dumps({
        **common, "digestStartTime": "2026-06-10T10:00:00Z", "digestEndTime": "2026-06-10T11:00:00Z",
        "digestS3Object": f"{place}one.json", "previousDigestS3Bucket": None, "previousDigestS3Object": None,
        "logFiles": [{"s3Bucket": "logs", "s3Object": f"AWSLogs/{ACCOUNT}/CloudTrail/{trail.name}", "hashAlgorithm": "SHA-256",
                      "hashValue": hashlib.sha256(trail.read_bytes()).hexdigest()}]}).encode()
    signed = "\n".join(("2026-06-10T11:00:00Z", f"logs/{place}one.json", hashlib.sha256(first).hexdigest(), "null"))
    signature = signing_key.sign((signed + tampered).encode(), padding.PKCS1v15(), hashes.SHA256())
    second = {**common, "digestStartTime": "2026-06-10T11:00:00Z", "digestEndTime": "2026-06-10T12:00:00Z",
              "digestS3Object": f"{place}two.json", "previousDigestS3Bucket": "logs", "previousDigestS3Object": f"{place}one.json",
              "previousDigestHashValue": hashlib.sha256(first).hexdigest(), "previousDigestHashAlgorithm": "SHA-256",
              "previousDigestSignature": signature.hex(), "logFiles": []}
    public = signing_key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    (folder / "one.json").write_bytes(first)
    (folder / "two.json").write_text(json.dumps(second))
    (folder / "keys.json").write_text(json.dumps({"PublicKeyList": [{
        "Fingerprint": "f1", "Value": base64.b64encode(public).decode(), "ValidityStartTime": "2026-01-01T00:00:00Z",
        "ValidityEndTime": "2027-01-01T00:00:00Z"}]}))


@pytest.mark.parametrize(("change", "verdict"), [("", "verified"), ("signature", "failed"), ("log", "failed"), ("keys", "not_checked")])
def test_coverage_says_whether_the_provider_vouches_for_the_cited_files(
    logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, verdict: str
) -> None:
    rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa", reason="the extra signatures is not installed")
    _delivered(logs, logs / "trail.json", rsa.generate_private_key(65537, 2048), "x" if change == "signature" else "")
    if change == "log":
        (logs / "trail.json").write_text((logs / "trail.json").read_text().replace("1.5", "1.6"))
    if change == "keys":
        (logs / "keys.json").unlink()
    assert _run(capsys, "ingest", logs, "--workspace", tmp_path / "w")[0] == 0
    assert _run(capsys, "bundle", "e-1", "--workspace", tmp_path / "w", "--out", tmp_path / "out.zip")[0] == 0
    found = lines((tmp_path / "out.zip").read_bytes(), "coverage.jsonl")
    statement = next(row for row in found if row["source"] == "aws_cloudtrail")
    assert (statement["upstream_integrity"], statement["files"]["expected"]) == (verdict, 1)


def test_signed_by_the_command_line(workspace: Path, tmp_path: Path, keys: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "out.zip"
    assert _run(capsys, "bundle", "e-1", "--workspace", workspace, "--out", target, "--sign", keys["ana"])[0] == 0
    code, out, _ = _run(capsys, "verify", target, "--public-key", keys["ana.pub"], "--require-anchor", "--json")
    assert (code, json.loads(out)["anchored"]) == (0, True)
    assert _run(capsys, "verify", target, "--public-key", keys["bo.pub"])[0] == 4
    code, _, err = _run(capsys, "verify", target)
    assert (code, "--public-key" in err) == (0, True)
    assert _run(capsys, "verify", target, "--require-anchor")[0] == 3
    assert _run(capsys, "sign", target, "--key", keys["bo"])[0] == 0
    assert _run(capsys, "verify", target, "--public-key", keys["bo.pub"])[0] == 0
    assert _run(capsys, "sign", target)[0] == 2
    (tmp_path / "out.zip.dsse.json").unlink()
    assert _run(capsys, "verify", target, "--public-key", keys["ana.pub"])[0] == 3  # a signature that was taken away
    (tmp_path / "out.zip.dsse.json").write_bytes(b" " * (signing.LARGEST + 1))
    assert _run(capsys, "verify", target)[0] == 4


def test_records_of_many_kinds_of_file_are_cut_out_again_and_give_their_ids(tmp_path: Path) -> None:
    root = Path(__file__).parents[1] / "data" / "sample"
    large = {"truth", "aws_cloudtrail", "aws_cloudtrail_digest", "entra_signins", "m365_audit"}
    given = [folder for folder in sorted(root.iterdir()) if folder.is_dir() and folder.name not in large]
    estate = analysis.read(*given, workspace=tmp_path / "w")
    rows = estate.decision_steps.unique("record_id", keep="first").sort("source", "record_id").collect()
    few = rows.group_by("source", maintain_order=True).head(5)
    places = {raw_records.Place(ref["file_sha256"], ref["member"], ref["offset"]): (source, record)
              for source, record, ref in few.select("source", "record_id", "raw_ref").iter_rows()}
    inputs = [entry for entry in input_files(list(given)) if isinstance(entry, InputFile)]
    cuts = raw_records.cut(inputs, {place: source for place, (source, _) in places.items()})
    assert [of for place, of in places.items() if place not in cuts] == []
    assert [of for place, of in places.items() if of[1] not in cuts[place].record_ids] == []
    assert len({source for source, _ in places.values()}) > 20
    texts = {source for place, (source, _) in places.items() if cuts[place].holds_text}
    assert "servicenow" in texts  # a justification somebody wrote
    assert "okta_system_log" not in texts
