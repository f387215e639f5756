"""Which records the workspace already holds: a 60-bit key per record id, sorted, in one array."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

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
    """What each event says, in 64 bits, so that one id with two contents is noticed.

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
    return np.frombuffer(digests, dtype=np.int64)


class Seen:
    """Membership and content of record ids; 16 bytes a record."""

    def __init__(self, store: Store) -> None:
        self._store = store
        known = store.scan(SEEN).sort("key").collect()
        self._runs = [(known["key"].to_numpy(), known["fingerprint"].to_numpy())]
        self._unsaved: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []

    def sort_out(
        self, record_ids: pl.Series, contents: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which records are new (first place only), and which are revisions: a known id with content not seen with it.

        Both count as seen from now on. A content of 0 means the id itself stands for the content.
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
        revised: NDArray[np.bool_] = ~fresh & (known != contents)
        if revised.any():  # few: a revision is known by its id and content together
            at = np.flatnonzero(revised)
            both = (found[at] * _ODD + contents[at]) & _KEY_BITS
            _, once = np.unique(both, return_index=True)
            new = np.zeros(at.size, dtype=bool)
            new[once] = True
            for run_keys, _ in self._runs:
                new &= ~np.isin(both, run_keys)
            self._add(both[new], np.zeros(int(new.sum()), dtype=np.int64))
            revised[at[~new]] = False
        return fresh, revised

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
