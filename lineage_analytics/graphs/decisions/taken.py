"""What the pairs of changes and their inverses say: of a change, a batch, a tenant's practice, and of going to and fro
(decision-lineage 9.1)."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from lineage_analytics.graphs.decisions.inverse import folded, inverses
from lineage_analytics.graphs.decisions.rollbacks import WINDOW

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from lineage_analytics.graphs.decisions.inverse import Inverse
    from lineage_analytics.graphs.decisions.rollbacks import Pairs
    from lineage_analytics.graphs.decisions.steps import Step
    from lineage_analytics.graphs.decisions.tellings import Undone

_CHANGES = ("action", "rollback")
_WAYS = {"grant": "revoke", "revoke": "grant", "create": "delete"}


class TakenBack(NamedTuple):
    """How far one change was taken back. ``undoing``: the step that took back the last of it. ``kind``: partial where
    something of it stands; ``share``: of what it changed, how much was taken back. ``proved``: every pair of it is."""

    undoing: Step
    kind: str
    share: float
    proved: bool
    steps: tuple[str, ...]


def taken_back(pairs: Pairs) -> dict[str, TakenBack]:
    """By id of the step that was taken back, in part or in full."""
    found: dict[str, list[Undone]] = defaultdict(list)
    for pair in pairs.made:
        found[pair.undone.id].append(pair)
    return {step: _together(those, pairs.size.get(step, 1)) for step, those in found.items()}


def _together(those: list[Undone], size: int) -> TakenBack:
    """The pairs of one change together; several records of one inverse count once."""
    last = max(those, key=lambda pair: (pair.undoing.time, pair.undoing.id))
    back = {member for pair in those for member in pair.members}
    share = len(back) / size if back else 1.0
    kind = "partial" if share < 1 else "exact_inverse" if back else last.kind
    return TakenBack(last.undoing, kind, share, all(pair.proved for pair in those),
                     tuple(sorted({pair.undoing.id for pair in those})))


# --- was the way back ever taken -------------------------------------------------------------------------------------

class Tested:
    """Whether what takes a change back has succeeded in its tenant, in the 180 days to ``as_of``."""

    def __init__(self, steps: Iterable[Step], pairs: Pairs, as_of: datetime) -> None:
        since = as_of - WINDOW
        self._done = {
            (*_tenant(step), folded(step.operation), _verb(step)) for step in steps
            if step.kind in _CHANGES and step.status == "succeeded" and since < step.time <= as_of}
        self._ops = {found[:3] for found in self._done}
        self._restored = {(*_tenant(pair.undoing), folded(pair.undoing.operation)) for pair in pairs.made
                          if pair.proved and since < pair.undoing.time <= as_of and (
                              pair.kind == "state_restoring" or _same(pair.undone.operation, pair.undoing.operation))}

    def of(self, step: Step) -> bool | None:
        """None where the inverse table does not know the operation; False also where nothing takes it back."""
        rows = inverses(step.operation)
        return any(self._row(step, row) for row in rows) if rows else None

    def _row(self, step: Step, row: Inverse) -> bool:
        """That an operation sets a value shows only that values are set; that it put one back must be on record."""
        key = (*_tenant(step), folded(row.inverse))
        if _same(row.forward, row.inverse) and row.kind in ("delta", "set"):
            return (*key, _WAYS.get(_verb(step), "")) in self._done
        if _same(row.forward, row.inverse) or row.kind == "state":
            return key in self._restored
        return bool(row.inverse) and key in self._ops


def _same(one: str, other: str) -> bool:
    return folded(one) == folded(other)


def _tenant(step: Step) -> tuple[str, str | None]:
    return step.provider, step.tenant


def _verb(step: Step) -> str:
    return (step.effect or "").partition("(")[0]


# --- columns of a case -----------------------------------------------------------------------------------------------

class Rollbacks:
    """What cases say of their rollback. A pair that no sample or reference attests is no record: it fills no column."""

    def __init__(self, steps: Sequence[Step], pairs: Pairs, as_of: datetime) -> None:
        self.pairs = pairs
        self.undone = taken_back(pairs)
        self._tested = Tested(steps, pairs, as_of)
        self._undoing: dict[str, Undone] = {}
        for pair in pairs.made:
            if pair.proved:
                newest = self._undoing.get(pair.undoing.id, pair)
                self._undoing[pair.undoing.id] = max(newest, pair, key=lambda p: (p.undone.time, p.undone.id))

    def undoes(self, step: Step) -> bool:
        return step.id in self._undoing

    def in_full(self, step: Step) -> bool:
        """Whether all of a change was taken back, on record."""
        found = self.undone.get(step.id)
        return found is not None and found.proved and found.share >= 1

    def row(self, anchor: Step, home: Mapping[str, str], *, executed: bool) -> dict[str, object]:
        """The columns of CASES; ``home``: case ids by step. ``rolled_back_by`` took back the last of it; where one case
        takes back several, ``rolls_back`` is the newest of them."""
        found, undoes = self.undone.get(anchor.id), self._undoing.get(anchor.id)
        if found is not None and not found.proved:
            found = None
        return {
            "rolled_back_by": home[found.undoing.id] if found else None,
            "rolled_back_at": found.undoing.time if found else None,
            "rollback_kind": found.kind if found else None, "rollback_share": found.share if found else None,
            "rollback_tested": self._tested.of(anchor) if executed else None,
            "rolls_back": home[undoes.undone.id] if undoes else None,
        }


# --- batches ---------------------------------------------------------------------------------------------------------

def batches_back(cases: pl.DataFrame) -> pl.DataFrame:
    """How much of each batch was taken back, from rows of CASES: batch_id, of (changes that were executed), back (in
    full), partly, share (the sum of their shares over their number) and kind: partial, exact_inverse where all are
    back, null where none is. 320 of 340 taken back is partial, 320/340. Cases of no batch and batches of which nothing
    was executed are left out."""
    share = pl.col("rollback_share").fill_null(0.0)
    found = cases.filter(pl.col("executed") & pl.col("batch_id").is_not_null()).group_by("batch_id").agg(
        pl.len().cast(pl.Int64).alias("of"), (share >= 1).sum().cast(pl.Int64).alias("back"),
        ((share > 0) & (share < 1)).sum().cast(pl.Int64).alias("partly"), share.mean().alias("share"))
    kind = pl.when(pl.col("back") == pl.col("of")).then(pl.lit("exact_inverse")).when(
        pl.col("share") > 0).then(pl.lit("partial"))
    return found.with_columns(kind=kind).sort("batch_id")


# --- to and fro ------------------------------------------------------------------------------------------------------

class Flapping(NamedTuple):
    """A change applied, undone and applied again. ``steps``: all of them in order of time. ``applied`` and ``undone``:
    how often. ``standing``: whether the last one still stands, as far as the log tells."""

    steps: tuple[str, ...]
    applied: int
    undone: int
    standing: bool


def flapping(pairs: Pairs, within: timedelta = timedelta(days=7)) -> list[Flapping]:
    """Changes done again within ``within`` of being undone, each run once, in order of its first step. No activation of
    a role for a time: giving it up and asking again is what such roles are for."""
    follows = {link.first.id: link for link in pairs.again
               if link.again.time - link.undoing.time <= within and not _for_a_time(link.first)}
    later = {link.again.id for link in follows.values()}
    full = taken_back(pairs)
    found = []
    for first in (link for step, link in follows.items() if step not in later):
        steps, link, applied = [first.first], first, 1
        while True:
            steps += [link.undoing, link.again]
            applied += 1
            if link.again.id not in follows:
                break
            link = follows[link.again.id]
        last = full.get(link.again.id)
        if last is not None:
            steps.append(last.undoing)
        found.append((first.first.time, Flapping(
            tuple(step.id for step in steps), applied, applied - (last is None),
            standing=last is None or last.share < 1)))
    return [one for _, one in sorted(found, key=lambda pair: (pair[0], pair[1].steps))]


def _for_a_time(step: Step) -> bool:
    return step.expires is not None or "(pim activation)" in step.operation.casefold() or (
        folded(step.operation) == "selfactivate")
