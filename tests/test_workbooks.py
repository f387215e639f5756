"""Sheets of Excel workbooks read as the CSV that they could have been saved as."""

from __future__ import annotations

import io
import sys
import zipfile
from datetime import date
from typing import TYPE_CHECKING

from lineage_analytics.loaders.common import workbooks
from lineage_analytics.workspace import Store, load, open_estate
from tests._xlsx import Cell, xlsx

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl
    import pytest

    from lineage_analytics.workspace import Result

OWNERS: list[list[Cell]] = [
    ["Identity", "Owner", "Confirmed on"],
    ["arn:aws:iam::111122223333:user/a", "ada@x.example", date(2026, 1, 5)],
    [None, None, None],
    ["arn:aws:iam::111122223333:user/b", 'bob, "the"\nowner', None]]
CSV = ("Identity,Owner,Confirmed on\narn:aws:iam::111122223333:user/a,ada@x.example,2026-01-05\n"
       'arn:aws:iam::111122223333:user/b,"bob, ""the""\nowner",\n')


def _load(data: bytes, name: str, folder: Path) -> Result:
    (folder / "in").mkdir()
    (folder / "in" / name).write_bytes(data)
    return load([folder / "in"], Store.create(folder / "w"))


def _owners(folder: Path) -> pl.DataFrame:
    return open_estate(folder / "w", as_of="2026-02-01").frame("identity_facts").select("id", "owner", "owner_confirmed_at").sort("id")


def test_a_sheet_gives_what_its_csv_gives(tmp_path: Path) -> None:
    for name, data in (("owners.csv", CSV.encode()), ("owners.xlsx", xlsx({"Sheet1": OWNERS}))):
        (tmp_path / name).mkdir()
        result = _load(data, name, tmp_path / name)
        assert (result.counts["declared"].accepted, result.counts["declared"].seen) == (2, 2)
    assert _owners(tmp_path / "owners.csv").equals(_owners(tmp_path / "owners.xlsx"))
    assert _owners(tmp_path / "owners.xlsx")["owner"].list.len().to_list() == [1, 1]


def test_every_sheet_is_a_document_and_an_empty_one_is_none(tmp_path: Path) -> None:
    result = _load(xlsx({"Owners": OWNERS, "notes": [["call Ada"]], "empty": [],
                         "Env": [["environment", "identity"], ["prod", "arn:aws:iam::111122223333:user/a"]]}),
                   "lists.xlsx", tmp_path)
    assert result.counts["declared"].accepted == 3
    assert [(fault["member"], fault["reason"]) for fault in result.faults] == [("notes", "unrecognised")]


def test_a_workbook_in_a_zip_is_read_and_names_where_it_lies(tmp_path: Path) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("lists/owners.xlsx", xlsx({"notes": [["x", "y"], ["1", "2"]], "Owners": OWNERS}))
    result = _load(held.getvalue(), "all.zip", tmp_path)
    assert result.counts["declared"].accepted == 2
    assert [fault["member"] for fault in result.faults] == ["lists/owners.xlsx/notes"]


def test_an_account_number_that_is_a_number_keeps_its_digits(tmp_path: Path) -> None:
    _load(xlsx({"s": [["source", "tenant", "since"], ["aws_cloudtrail", 111122223333, date(2026, 1, 1)]]}),
          "expected.xlsx", tmp_path)
    [tenant] = open_estate(tmp_path / "w", as_of="2026-02-01").frame("coverage")["tenant"]
    assert tenant == "111122223333"


def test_a_broken_workbook_is_one_rejected_file_with_the_reason(tmp_path: Path) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("xl/workbook.xml", "<no")
    [fault] = _load(held.getvalue(), "broken.xlsx", tmp_path).faults
    assert (fault["reason"], fault["disposition"]) == ("unreadable", "rejected")
    assert fault["detail"].startswith("a workbook that cannot be opened")


def test_a_workbook_over_the_limit_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "UNPACKED_BYTES", 1_000)
    [fault] = _load(xlsx({"Owners": OWNERS}), "large.xlsx", tmp_path).faults
    assert fault["detail"].startswith("limit_exceeded: a workbook")


def test_without_the_extra_the_reason_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastexcel", None)
    [fault] = _load(xlsx({"Owners": OWNERS}), "owners.xlsx", tmp_path).faults
    assert "pip install 'lineage-analytics[excel]', or save it as CSV" in fault["detail"]
