"""Sheets of Excel workbooks as CSV: what is saved by hand, or downloaded from a portal that offers nothing else."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator, Sequence

UNPACKED_BYTES = 256 << 20
"""The library holds a workbook in memory."""
EXTRA = "missing_extra: Excel workbooks need fastexcel: pip install 'lineage-analytics[excel]', or save it as CSV"


class Refused(ValueError):  # noqa: N818  (named as what it becomes: the reason why a workbook is not read)
    """Why a workbook is not read; the message holds no value of it."""


def is_workbook(entries: Sequence[zipfile.ZipInfo]) -> bool:
    """Whether a zip of these members is a workbook; the older binary format is no zip."""
    return any(entry.filename in ("xl/workbook.xml", "xl/workbook.bin") for entry in entries)


def sheets(raw: IO[bytes], entries: Sequence[zipfile.ZipInfo]) -> Iterator[tuple[str, bytes]]:
    """Name and CSV of each sheet that holds anything: cells as text, dates as ISO 8601, rows without a cell left out.

    Raises
    ------
    Refused : the extra is not installed, the workbook is too large or broken.
    """
    if sum(entry.file_size for entry in entries) > UNPACKED_BYTES:
        raise Refused(f"limit_exceeded: a workbook of more than {UNPACKED_BYTES >> 20} MiB unpacked; save it as CSV")
    raw.seek(0)
    book = _opened(raw.read())
    for name in book.sheet_names:
        frame = _cells(book, name)
        if frame.height:
            yield name, frame.write_csv(include_header=False).encode()


def _opened(held: bytes) -> Any:
    try:
        import fastexcel  # noqa: PLC0415  (few files need it)
    except ImportError:
        raise Refused(EXTRA) from None
    try:
        return fastexcel.read_excel(held)
    except fastexcel.FastExcelError as error:
        raise Refused(f"a workbook that cannot be opened: {type(error).__name__}") from None


def _cells(book: Any, sheet: str) -> pl.DataFrame:
    try:
        frame: pl.DataFrame = book.load_sheet(sheet, header_row=None, dtypes="string").to_polars()
    except Exception as error:  # its errors are of several kinds
        raise Refused(f"a sheet that cannot be read: {type(error).__name__}") from None
    return frame.filter(pl.any_horizontal(pl.all().is_not_null())) if frame.width else frame
