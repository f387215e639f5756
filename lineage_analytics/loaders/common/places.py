"""Where input is: files, folders and globs on disk, and the same on object stores and web servers.

Everything here is named by what was given and the path below it; nothing is copied to disk.
"""

from __future__ import annotations

import glob
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from lineage_analytics.errors import UsageError
from lineage_analytics.loaders.common.inputs import SKIPPED_FOLDERS, InputFile, Skipped
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_URL = re.compile(r"(?:s3a?|gs|az|adl|abfss?|https?)://", re.IGNORECASE)
_WILDCARD = re.compile(r"[*?\[]")


def is_remote(given: str | Path) -> bool:
    """Whether this is the address of an object store or a web server rather than a path."""
    return isinstance(given, str) and _URL.match(given) is not None


def existing(given: str | Path) -> list[Path | str]:
    """What a path, glob or address names.

    Raises
    ------
    UsageError : nothing on this machine goes by that name. Addresses are not asked yet.
    """
    if is_remote(given):
        return [str(given)]
    path = Path(given)
    if path.exists():
        return [path]
    found = sorted(glob.glob(str(given), recursive=True)) if _WILDCARD.search(str(given)) else []  # noqa: PTH207
    if not found:
        raise UsageError(f"Wanted a file or folder at {printable(given)}", "there is none", "check the path")
    return [Path(name) for name in found]


def input_files(given: Iterable[Path | str]) -> Iterator[InputFile | Skipped]:
    """Every regular file under the paths, in name order; links, devices and ``truth`` folders are named, not read."""
    for place in given:
        if isinstance(place, str) and is_remote(place):
            from lineage_analytics.loaders.common import remote  # noqa: PLC0415  (the library is an extra, and slow)

            yield from remote.objects(place)
        else:
            yield from _below(Path(place))


def _below(given: Path) -> Iterator[InputFile | Skipped]:
    if given.is_file():
        yield InputFile(given, given.name, given.stat().st_size)
        return
    closed: list[OSError] = []
    for folder, folders, files in os.walk(given, onerror=closed.append):
        here = Path(folder)
        for name in sorted(folders):
            if name in SKIPPED_FOLDERS:
                yield Skipped((here / name).relative_to(given).as_posix(), "known answers, never read")
            elif (here / name).is_symlink():
                yield Skipped((here / name).relative_to(given).as_posix(), "a link to a folder, not followed")
        folders[:] = sorted(set(folders) - SKIPPED_FOLDERS)
        for name in sorted(files):
            yield _entry(here / name, given)
    for error in closed:
        name = Path(os.fsdecode(error.filename)).relative_to(given).as_posix()
        yield Skipped(name, f"cannot be read: {error.strerror}")


def _entry(path: Path, root: Path) -> InputFile | Skipped:
    name = path.relative_to(root).as_posix()
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            return Skipped(name, "not a regular file")
        path.open("rb").close()
    except OSError as error:
        return Skipped(name, f"cannot be read: {error.strerror}")
    return InputFile(path, name, status.st_size)
