"""Files as streams: told apart by content, never extracted, never trusted to end well."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import os
import pathlib
import tarfile
import tracemalloc
import zipfile
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import zstandard

from lineage_analytics.loaders.common import containers
from lineage_analytics.loaders.common.containers import InputFile, Member, Skipped, input_files, members

if TYPE_CHECKING:
    from pathlib import Path

TEXT = json.dumps({"Records": [{"n": n, "text": "é" * 20} for n in range(200)]}, ensure_ascii=False).encode()
SHA = "0" * 64


def _opened(path: Path, data: bytes) -> list[Member | Skipped]:
    path.write_bytes(data)
    return list(members(InputFile(path, path.name, len(data)), SHA))


def _read(path: Path, data: bytes) -> tuple[list[tuple[str | None, bytes, bool]], list[str]]:
    """What each member held when it was at hand, and why others were not read."""
    path.write_bytes(data)
    read, reasons = [], []
    for member in members(InputFile(path, path.name, len(data)), SHA):
        if isinstance(member, Skipped):
            reasons.append(member.reason)
        else:
            text = b"".join(member.chunks())
            read.append((member.member, text, member.damage is not None))
    return read, reasons


def _zip(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _tar(mode: str, **files: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


WRAPPED = {
    "plain": (TEXT, None), "gzip": (gzip.compress(TEXT), None),
    "gzip in two members": (gzip.compress(TEXT[:99]) + gzip.compress(TEXT[99:]), None),
    "gzip padded with zeros": (gzip.compress(TEXT) + b"\0" * 40, None),
    "zip": (_zip(a=TEXT), "a"), "zip of gzip": (_zip(a=gzip.compress(TEXT)), "a"),
    "tar": (_tar("w", a=TEXT), "a"), "tar.gz": (_tar("w:gz", a=TEXT), "a"),
    "tar of gzip": (_tar("w", a=gzip.compress(TEXT)), "a"),
    "zstandard": (zstandard.compress(TEXT), None), "bzip2": (bz2.compress(TEXT), None),
    "bzip2 in two members": (bz2.compress(TEXT[:99]) + bz2.compress(TEXT[99:]), None),
    "zip in tar": (_tar("w", b=_zip(a=TEXT)), "b/a"), "tar.gz in zip": (_zip(b=_tar("w:gz", a=TEXT)), "b/a"),
    "gzip in gzip": (gzip.compress(gzip.compress(TEXT)), None),
    "gzip in zip in zip": (_zip(c=_zip(b=gzip.compress(TEXT))), "c/b"),
    "byte order mark": (b"\xef\xbb\xbf" + TEXT, None),
    "utf-16 little": (b"\xff\xfe" + TEXT.decode().encode("utf-16-le"), None),
    "utf-16 little, no mark": (TEXT.decode().encode("utf-16-le"), None),
    "utf-16 big, no mark": (TEXT.decode().encode("utf-16-be"), None),
    "utf-16 big": (b"\xfe\xff" + TEXT.decode().encode("utf-16-be"), None),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_every_container_gives_the_same_text(name: str, tmp_path: Path) -> None:
    data, member = WRAPPED[name]
    assert _read(tmp_path / "no.suffix", data) == ([(member, TEXT, False)], [])


@pytest.mark.parametrize("name", ["gzip", "zip of gzip", "tar of gzip", "tar.gz"])
def test_every_cut_ends_in_damage_or_a_reason_and_gives_only_what_was_there(name: str, tmp_path: Path) -> None:
    data, _ = WRAPPED[name]
    for part in range(2, 40):
        read, reasons = _read(tmp_path / "cut", data[: len(data) * part // 40])
        texts = [text for _, text, _ in read]
        assert all(TEXT.startswith(text) or name in ("zip of gzip", "tar.gz") for text in texts)
        whole = [text for _, text, damaged in read if text == TEXT and not damaged]
        assert reasons or whole or any(damaged for _, _, damaged in read) or part < 4


def test_names_in_archives_create_nothing_and_links_are_not_followed(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind in (("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE), ("device", tarfile.CHRTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
        entry = tarfile.TarInfo("/absolute/../x.json")
        entry.size = 2
        archive.addfile(entry, io.BytesIO(b"{}"))
    folder = tmp_path / "in"
    folder.mkdir()
    read, reasons = _read(folder / "a.tar", buffer.getvalue())
    assert [text for _, text, _ in read] == [b"{}"]
    assert reasons == ["a link or special member"] * 3
    assert _read(folder / "b.zip", _zip(**{"../../evil.json": b"{}", "C:\\evil": b"{}"}))[0] == [
        ("../../evil.json", b"{}", False), ("C:\\evil", b"{}", False)]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.tar", "b.zip", "in"]


def test_a_bomb_stops_at_the_ratio_in_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "RATIO_FROM_BYTES", 4 << 20)
    data = gzip.compress(b'{"Records":[' + b" " * (64 << 20), 9)
    (tmp_path / "bomb.gz").write_bytes(data)
    tracemalloc.start()
    [member] = members(InputFile(tmp_path / "bomb.gz", "bomb.gz", len(data)), SHA)
    assert isinstance(member, Member)
    size = sum(len(piece) for piece in member.chunks())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size < 16 << 20
    assert peak < 16 << 20
    assert (member.damage or "").startswith("limit_exceeded")


def test_an_archive_of_too_many_members_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "MEMBERS", 2)
    many = dict.fromkeys("abc", b"{}")
    [refused] = _opened(tmp_path / "f", _zip(**many))
    assert isinstance(refused, Skipped)
    assert refused.reason.startswith("limit_exceeded")
    assert _read(tmp_path / "f", _tar("w", **many))[1] == ["limit_exceeded: more than 2 members"]


def test_a_zip_with_a_false_checksum_is_damaged_and_its_neighbour_is_read(tmp_path: Path) -> None:
    data = bytearray(_zip(a=b"x" * 50, b=b"{}"))
    data[14] ^= 0xFF  # the checksum in the first member's header
    data[data.index(b"PK\x01\x02") + 16] ^= 0xFF
    read, reasons = _read(tmp_path / "f", bytes(data))
    assert ("b", b"{}", False) in read
    assert reasons or any(damaged for name, _, damaged in read if name == "a")


def test_files_come_in_name_order_with_names_relative_to_what_was_given(tmp_path: Path) -> None:
    for name in ("b/2.json", "b/1.json", "a.json", "truth/x.json", "b/truth/y.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    found = list(input_files([tmp_path]))
    assert [entry.name for entry in found if isinstance(entry, InputFile)] == ["a.json", "b/1.json", "b/2.json"]
    assert {(entry.name, entry.reason) for entry in found if isinstance(entry, Skipped)} == {
        ("truth", "known answers, never read"), ("b/truth", "known answers, never read"),
        ("b/loop", "a link to a folder, not followed")}


def test_what_cannot_be_opened_is_named_and_the_rest_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.json", "b.json", "closed/c.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    opened, listed = pathlib.Path.open, os.scandir

    def refuse_file(path: Path, *arguments: Any) -> Any:
        if path.name == "a.json":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments)

    def refuse_folder(folder: str) -> Any:
        if folder.endswith("closed"):
            raise PermissionError(13, "Permission denied", folder)
        return listed(folder)

    monkeypatch.setattr(pathlib.Path, "open", refuse_file)
    monkeypatch.setattr(os, "scandir", refuse_folder)
    found = list(input_files([tmp_path]))
    assert [(entry.name, getattr(entry, "reason", "")) for entry in found] == [
        ("a.json", "cannot be read: Permission denied"), ("b.json", ""), ("closed", "cannot be read: Permission denied")]


def test_a_zip_that_holds_itself_again_and_again_is_named_and_not_followed_for_ever(tmp_path: Path) -> None:
    data = TEXT
    for _ in range(6):
        data = _zip(a=data)
    assert _read(tmp_path / "quine", data) == ([], ["limit_exceeded: packed more than 4 times"])


def test_an_archive_in_an_archive_is_held_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "HELD_BYTES", 4_096)
    data = _tar("w", b=_zip(a=os.urandom(9_000)), c=TEXT)
    read, reasons = _read(tmp_path / "f", data)
    assert [name for name, *_ in read] == ["c"]
    assert [reason.split(":")[0] for reason in reasons] == ["limit_exceeded"]


@pytest.mark.parametrize("cut", [20, 60, 95])
@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, zstandard.compress])
def test_a_cut_stream_gives_what_it_holds_and_says_that_it_breaks_off(pack: Any, cut: int, tmp_path: Path) -> None:
    data = pack(os.urandom(3_000_000).hex().encode())
    [(_, text, damaged)], _ = _read(tmp_path / "f", data[: len(data) * cut // 100])
    assert damaged or pack is zstandard.compress, "the frame format has no end mark to miss between blocks"
    assert 0 < len(text) < 6_000_000 or cut < 30


def test_rows_of_a_parquet_file_are_objects_on_lines_whatever_packs_it(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [1, None], "b": [{"c": ["x", "y"]}, None], "d": [b"raw", None], "e": [b"\xff", b"t"]})
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    for data in (buffer.getvalue(), gzip.compress(buffer.getvalue()), _zip(p=buffer.getvalue())):
        [(_, text, damaged)], reasons = _read(tmp_path / "f", data)
        rows = [json.loads(line) for line in text.splitlines()]
        assert rows == [{"a": 1, "b": {"c": ["x", "y"]}, "d": "raw", "e": "/w=="},
                        {"a": None, "b": None, "d": None, "e": "dA=="}]
        assert (damaged, reasons) == (False, [])


def test_a_broken_parquet_file_is_damage_and_no_error(tmp_path: Path) -> None:
    [(_, text, damaged)], _ = _read(tmp_path / "f", b"PAR1" + bytes(400) + b"PAR1")
    assert (text, damaged) == (b"", True)
