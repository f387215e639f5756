"""Which records the workspace already holds: a 60-bit key per record id, sorted, in one array."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from lineage_analytics.workspace.store import SEEN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lineage_analytics.workspace.store import Store

_KEY_CHARACTERS = 12
_PREFIX = len("rec-")
_RUNS = 16
_ODD, _KEY_BITS = np.int64(0x9E3779B97F4A7C1), np.int64((1 << 60) - 1)
_IDS = frozenset({"actor_id", "resource_id"})
_TENANT = "^([^:]*:)[^:]*:"
_SOURCE_BITS = np.int64(0xFF)
_CONTENT = ("actor_id", "action", "resource_id", "outcome", "error_code")
_VALUE = np.zeros(256, dtype=np.int64)
for _digit, _letter in enumerate(b"abcdefghijklmnopqrstuvwxyz234567"):
    _VALUE[_letter] = _digit


def keys(record_ids: pl.Series) -> NDArray[np.int64]:
    """The first 60 bits of each record id."""
    if record_ids.is_empty():
        return np.empty(0, dtype=np.int64)
    text = "".join(record_ids.str.slice(_PREFIX, _KEY_CHARACTERS).to_list()).encode()
    values = _VALUE[np.frombuffer(text, dtype=np.uint8).reshape(-1, _KEY_CHARACTERS)]
    shifts = np.arange(_KEY_CHARACTERS - 1, -1, -1, dtype=np.int64) * 5
    folded: NDArray[np.int64] = (values << shifts).sum(axis=1)
    return folded


def fingerprints(activity: pl.DataFrame) -> NDArray[np.int64]:
    """What each event says, in 56 bits, so that one id with two contents is noticed; 8 more tell its source.

    Which tenant an event belongs to is no content: one export of it may name the tenant and another not.
    """
    placed = not (activity["provider"] == "aws").all()  # an account is in every id of its own
    without = pl.when(pl.col("provider") != "aws")
    said = (without.then(pl.col(name).str.replace(_TENANT, "$1")).otherwise(pl.col(name)).alias(name)
            if placed and name in _IDS else pl.col(name) for name in _CONTENT)
    lines = activity.select(pl.concat_str(
        pl.col("time").cast(pl.Int64).cast(pl.String).fill_null(""),
        *(text.fill_null("") for text in said), separator="\0"
    ).cast(pl.Binary)).to_series().to_list()
    digests = b"".join([blake2b(line, digest_size=8).digest() for line in lines])
    tags = {source: blake2b(source.encode(), digest_size=1).digest()[0] for source in activity["source"].unique()}
    source = activity["source"].replace_strict(tags, return_dtype=pl.Int64).to_numpy()
    tagged: NDArray[np.int64] = np.frombuffer(digests, dtype=np.int64) & ~_SOURCE_BITS | source
    return tagged


class Sorted(NamedTuple):
    """What is to be done with each record, by place."""

    fresh: NDArray[np.bool_]
    """An id never seen."""
    other: NDArray[np.bool_]
    """A known id with content not seen with it; ``fresh`` and ``other`` are kept."""
    revised: NDArray[np.bool_]
    """Those of ``other`` whose id stands in the same source with other content; one of another source is its view."""


class Seen:
    """Membership and content of record ids; 16 bytes a record."""

    def __init__(self, store: Store) -> None:
        self._store = store
        known = store.scan(SEEN).sort("key").collect()
        self._runs = [(known["key"].to_numpy(), known["fingerprint"].to_numpy())]
        self._unsaved: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []

    def sort_out(self, record_ids: pl.Series, contents: NDArray[np.int64]) -> Sorted:
        """Which records are new (first place only) and which say something else under a known id.

        Both count as seen from now on. A content of 0 means the id itself stands for the content, whatever else is
        said under it.
        """
        found = keys(record_ids)
        _, first, back = np.unique(found, return_index=True, return_inverse=True)
        fresh = np.zeros(found.size, dtype=bool)
        fresh[first] = True
        known = contents[first][back]
        for run_keys, run_contents in self._runs:
            if run_keys.size:
                at = np.minimum(np.searchsorted(run_keys, found), run_keys.size - 1)
                hit = run_keys[at] == found
                fresh &= ~hit
                known = np.where(hit, run_contents[at], known)
        self._add(found[fresh], contents[fresh])
        other: NDArray[np.bool_] = ~fresh & (known != 0) & (contents != 0) & ((known ^ contents) & ~_SOURCE_BITS != 0)
        if other.any():  # few: such a record is known by its id and content together
            at = np.flatnonzero(other)
            both = (found[at] * _ODD + (contents[at] & ~_SOURCE_BITS)) & _KEY_BITS
            _, once = np.unique(both, return_index=True)
            new = np.zeros(at.size, dtype=bool)
            new[once] = True
            for run_keys, _ in self._runs:
                new &= ~np.isin(both, run_keys)
            self._add(both[new], np.zeros(int(new.sum()), dtype=np.int64))
            other[at[~new]] = False
        return Sorted(fresh, other, other & ((known ^ contents) & _SOURCE_BITS == 0))

    def _add(self, added: NDArray[np.int64], contents: NDArray[np.int64]) -> None:
        if not added.size:
            return
        order = np.argsort(added)
        self._runs.append((added[order], contents[order]))
        self._unsaved.append(self._runs[-1])
        if len(self._runs) > _RUNS:  # few arrays to search, each merged rarely
            merged, values = (np.concatenate(parts) for parts in zip(*self._runs, strict=True))
            order = np.argsort(merged)
            self._runs = [(merged[order], values[order])]

    def save(self) -> None:
        """Append what is new to the workspace."""
        if self._unsaved:
            added, contents = (np.concatenate(parts) for parts in zip(*self._unsaved, strict=True))
            self._store.append(SEEN, pl.DataFrame({"key": added, "fingerprint": contents}))
            self._unsaved = []
