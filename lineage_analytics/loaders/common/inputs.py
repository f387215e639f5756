"""What is read: a file with the name it goes by, wherever it lies; and what is not read, with the reason."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    import io
    from pathlib import Path

SKIPPED_FOLDERS = frozenset({"truth"})


@dataclass(frozen=True)
class InputFile:
    """A file to read and the name it goes by in every output: relative to the path that was given."""

    path: Path
    name: str
    size: int

    def open(self) -> IO[bytes]:
        """The bytes from the beginning."""
        return self.path.open("rb")

    def sha256(self) -> str:
        """Of the file as delivered, in hexadecimal digits."""
        with self.open() as stream:
            return hashlib.file_digest(cast("io.BufferedReader", stream), "sha256").hexdigest()


@dataclass(frozen=True)
class Skipped:
    """Something under a given path that is not read, and why."""

    name: str
    reason: str
