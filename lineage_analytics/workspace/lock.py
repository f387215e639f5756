"""One writer at a time per workspace: a lock file that names its process and dies with it."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

from lineage_analytics.errors import LockedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK = ".lock"
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextlib.contextmanager
def locked(directory: Path, name: str = LOCK) -> Iterator[None]:
    """Hold the workspace, or with another ``name`` a part of it; LockedError when a living process holds it.

    A lock of a dead process is taken over. On read-only ground there is nothing to hold: reading goes on, and the
    first write says what is the matter.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = directory / name
    try:
        _take(path)
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise
        yield
        return
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _take(path: Path) -> None:
    """The lock appears with its content in one step, so that nobody takes a half-written one for a dead one's."""
    mine = path.with_name(f"{path.name}-{os.getpid()}")
    mine.write_text(str(os.getpid()), encoding="ascii")
    try:
        for _ in range(2):
            try:
                os.link(mine, path)
            except FileExistsError:
                _refuse_living(path, path)
                _put_aside(path)
            else:
                return
    finally:
        mine.unlink(missing_ok=True)
    raise LockedError(f"Wanted the workspace {path.parent}", "another run took it at the same moment", "try again")


def _put_aside(path: Path) -> None:
    """Remove a dead one's lock; if another run replaced it meanwhile, that one's is put back."""
    aside = path.with_name(f"{path.name}-{os.getpid()}-old")
    try:
        path.replace(aside)
        _refuse_living(aside, path)
    except FileNotFoundError:
        return
    except LockedError:
        os.link(aside, path)
        raise
    finally:
        aside.unlink(missing_ok=True)


def _refuse_living(lock: Path, path: Path) -> None:
    holder = _holder(lock)
    if holder is not None and _lives(holder):
        raise LockedError(f"Wanted the workspace {path.parent}", f"process {holder} is using it",
                          f"wait for it, or remove {path} when no such run exists") from None


def _holder(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return int(text) if text.isdigit() else None


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
