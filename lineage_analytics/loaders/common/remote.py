"""Objects of S3, Azure, Google Cloud and web servers as streams, through the object-store library (extra ``cloud``).

Credentials and endpoints come from the environment, by the names each provider gives them; none stands in an address.
"""

from __future__ import annotations

import fnmatch
import hashlib
import io
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

from lineage_analytics.errors import UsageError
from lineage_analytics.loaders.common.inputs import SKIPPED_FOLDERS, InputFile, Skipped
from lineage_analytics.loaders.common.streams import Source
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE_BYTES = 4 << 20
HELD_BYTES = 64 << 20
"""An object up to this size is fetched once, and held until it is loaded; a larger one is read twice."""

_WEB = frozenset({"http", "https"})
_RETRIES: Any = {"max_retries": 3}


@dataclass(frozen=True)
class RemoteFile(InputFile):
    """An object; ``path`` is its key in the store."""

    store: Any = None
    _held: list[bytes] = field(default_factory=list, compare=False, repr=False)

    def open(self) -> IO[bytes]:
        """The bytes from the beginning; OSError where the server stops."""
        if self._held:
            return io.BytesIO(self._held.pop())
        return cast("IO[bytes]", io.BufferedReader(_Pieces(self.store, self.path.as_posix()), PIECE_BYTES))

    def sha256(self) -> str:
        with _told(self.name), self.open() as stream:
            if self.size > HELD_BYTES:
                return hashlib.file_digest(cast("io.BufferedReader", stream), "sha256").hexdigest()
            data = stream.read()
            self._held.append(data)
            return hashlib.sha256(data).hexdigest()


class _Pieces(Source):
    def __init__(self, store: Any, key: str) -> None:
        import obstore  # noqa: PLC0415

        self._pieces = iter(obstore.get(store, key).stream(min_chunk_size=PIECE_BYTES))
        self._held = b""

    def read(self, size: int = -1) -> bytes:
        try:
            self._held = self._held or bytes(next(self._pieces, b""))
        except Exception as error:
            raise OSError(f"the server stops: {type(error).__name__}") from error
        piece = self._held if size < 0 else self._held[:size]
        self._held = self._held[len(piece) :]
        return piece


def objects(address: str) -> Iterator[InputFile | Skipped]:
    """The object at an address, or all below it, or all that match its wildcards, in name order.

    Raises
    ------
    UsageError : nothing there, no access, an address with a query or credentials in it, or the extra is not installed.
    """
    store, key, listable = _store(address)
    import obstore  # noqa: PLC0415

    with _told(address):
        fixed = key.split("*", 1)[0].split("?", 1)[0].split("[", 1)[0]
        if fixed == key and key and (found := _head(store, key)) is not None:
            yield RemoteFile(Path(key), Path(key).name, int(found["size"]), store)
            return
        if not listable:
            raise UsageError(f"Wanted a file at {printable(address)}", "there is none", "check the address")
        folder = key.strip("/") if fixed == key else fixed.rpartition("/")[0]
        listed = [entry for page in obstore.list(store, prefix=folder or None) for entry in page]
        wanted = [entry for entry in listed if fixed == key or fnmatch.fnmatch(entry["path"], key)]
        if not wanted:
            raise UsageError(f"Wanted files below {printable(address)}", "there are none", "check the address")
        for entry in sorted(wanted, key=lambda entry: str(entry["path"])):
            path = str(entry["path"])
            name = path[len(folder) :].lstrip("/")
            if not SKIPPED_FOLDERS.isdisjoint(name.split("/")[:-1]):
                yield Skipped(name, "known answers, never read")
            elif not path.endswith("/"):
                yield RemoteFile(Path(path), name, int(entry["size"]), store)


def _head(store: Any, key: str) -> Any:
    import obstore  # noqa: PLC0415

    try:
        return obstore.head(store, key)
    except FileNotFoundError:
        return None


def _store(address: str) -> tuple[Any, str, bool]:
    """The store of an address, the key in it, and whether it can list."""
    try:
        from obstore.store import HTTPStore, from_url  # noqa: PLC0415
    except ImportError:
        raise UsageError(f"Wanted to read {printable(address.split('?', 1)[0])}", "the object-store library is missing",
                         "pip install 'lineage-analytics[cloud]'") from None
    parts = urlsplit(address)
    if parts.query or parts.password or (parts.scheme in _WEB and parts.username):
        raise UsageError("Wanted an address without query and credentials", f"found one for host {parts.hostname}",
                         "give credentials in the environment; download a presigned address first")
    key = unquote(parts.path).lstrip("/")
    with _told(address):
        if parts.scheme in _WEB:
            plain: Any = {"allow_http": True} if parts.scheme == "http" else {}
            return HTTPStore.from_url(f"{parts.scheme}://{parts.netloc}", client_options=plain, retry_config=_RETRIES
                                      ), key, False
        return from_url(f"{parts.scheme}://{parts.netloc}", retry_config=_RETRIES), key, True


@contextmanager
def _told(place: str) -> Iterator[None]:
    """What the library raises as an error for people: what was wanted, the sort of failure, never what it holds."""
    try:
        yield
    except UsageError:
        raise
    except Exception as error:
        said = str(error).split("\n", 1)[0]
        raise UsageError(f"Wanted to read {printable(place)}", f"found {type(error).__name__}: {printable(said, 200)}",
                         "check the address, and the credentials in the environment") from error
