"""Merkle trees of the shape of RFC 9162: the root, proofs that a leaf is in it, proofs that a tree only grew.

Leaf SHA-256(0x00, data), node SHA-256(0x01, left, right), split at the largest power of two below the number of leaves;
the empty tree is SHA-256 of nothing. A last leaf is never doubled. A proof is a list of hashes from the bottom up, in
hexadecimal digits.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def root(leaves: Sequence[bytes]) -> str:
    """The root over the leaves' data."""
    return Tree(leaves).root()


class Tree:
    """A tree over the data of its leaves; a subtree that was computed once is kept."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._leaves = [_leaf(data) for data in leaves]
        self._known: dict[tuple[int, int], bytes] = {}

    def root(self) -> str:
        return self._hash(0, len(self._leaves)).hex()

    def inclusion(self, index: int) -> list[str]:
        """The proof that the leaf at ``index`` is in the tree; IndexError where there is none."""
        if not 0 <= index < len(self._leaves):
            raise IndexError(index)
        return [self._hash(*span).hex() for span in self._beside(index)]

    def _beside(self, index: int) -> list[tuple[int, int]]:
        """The subtrees beside the way from the root to a leaf, lowest first."""
        found, start, end = [], 0, len(self._leaves)
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                found.append((middle, end))
                end = middle
            else:
                found.append((start, middle))
                start = middle
        return found[::-1]

    def consistency(self, before: int) -> list[str]:
        """The proof that the first ``before`` leaves are the tree that this one grew from."""
        size = len(self._leaves)
        if not 0 <= before <= size:
            raise IndexError(before)
        if before in (0, size):
            return []
        found, start, end, whole = [], 0, size, True
        while before != end:
            middle = start + _split(end - start)
            if before <= middle:
                found.append((middle, end))
                end = middle
            else:
                found.append((start, middle))
                start, whole = middle, False
        found += [] if whole else [(start, end)]
        return [self._hash(*span).hex() for span in reversed(found)]

    def _hash(self, start: int, end: int) -> bytes:
        if end - start == 1:
            return self._leaves[start]
        if (start, end) not in self._known:
            if start == end:
                return hashlib.sha256(b"").digest()
            middle = start + _split(end - start)
            self._known[start, end] = _node(self._hash(start, middle), self._hash(middle, end))
        return self._known[start, end]


def included(leaf: bytes, index: int, size: int, proof: Sequence[str], wanted: str) -> bool:
    """Whether the proof shows that data as leaf ``index`` of the ``size`` leaves under a root (RFC 9162 2.1.3.2)."""
    steps = _steps(proof)
    if steps is None or not 0 <= index < size:
        return False
    at, last, found = index, size - 1, _leaf(leaf)
    for step in steps:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = _node(step, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = _node(found, step)
        at, last = at >> 1, last >> 1
    return last == 0 and found.hex() == wanted


def consistent(before: int, size: int, old_root: str, new_root: str, proof: Sequence[str]) -> bool:
    """Whether the proof shows a tree of ``size`` leaves to begin with the ``before`` of an older (RFC 9162 2.1.4.2)."""
    steps = _steps(proof)
    if steps is None or not 0 <= before <= size:
        return False
    if before == size:
        return not steps and old_root == new_root
    if before == 0:  # the empty tree is the beginning of every other
        return not steps and old_root == root([])
    if before & (before - 1) == 0:
        steps = [bytes.fromhex(old_root), *steps]
    if not steps:
        return False
    at, last = before - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    older = newer = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            older, newer = _node(step, older), _node(step, newer)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            newer = _node(newer, step)
        at, last = at >> 1, last >> 1
    return last == 0 and older.hex() == old_root and newer.hex() == new_root


def _steps(proof: Sequence[str]) -> list[bytes] | None:
    """The hashes of a proof; None where one is none."""
    try:
        steps = [bytes.fromhex(step) for step in proof]
    except (ValueError, TypeError):
        return None
    return steps if all(len(step) == hashlib.sha256().digest_size for step in steps) else None


def _leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two below ``size``, which is two or more."""
    return 1 << (size - 1).bit_length() - 1
