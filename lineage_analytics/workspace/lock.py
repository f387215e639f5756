"""One writer at a time per workspace: a lock file that names its process and dies with it."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from lineage_analytics.errors import LockedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK = ".lock"


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the workspace; LockedError when a living process holds it. A lock of a dead process is taken over."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = directory / LOCK
    _take(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _take(path: Path) -> None:
    for _ in range(2):
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            holder = _holder(path)
            if holder is not None and _lives(holder):
                raise LockedError(f"Wanted the workspace {path.parent}", f"process {holder} is using it",
                                  f"wait for it, or remove {path} when no such run exists") from None
            path.unlink(missing_ok=True)
        else:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(str(os.getpid()))
            return
    raise LockedError(f"Wanted the workspace {path.parent}", "another run took it at the same moment", "try again")


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
