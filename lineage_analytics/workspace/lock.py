"""One writer at a time per workspace: a locked file that names its process. The lock ends with the process."""

from __future__ import annotations

import contextlib
import errno
import fcntl
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

    The file stays: what is held is the kernel's lock on it, which no dead process keeps. On read-only ground there is
    nothing to hold: reading goes on, and the first write says what is the matter.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = directory / name
    try:
        descriptor = _opened(path)
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise
        yield
        return
    try:
        _take(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_RDWR, 0o600)


def _take(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        who = f"process {holder} is using it" if holder.isdigit() else "another process is using it"
        raise LockedError(f"Wanted the workspace {path.parent}", who, "wait for it, or stop it") from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode("ascii"), 0)
