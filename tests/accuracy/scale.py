"""Work grows with the number of records, also where a million of them share one key (decision-lineage 15 A44, 16)."""

from __future__ import annotations

import gc
import os
import resource
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import polars as pl

from lineage_analytics import tables
from lineage_analytics.facts import Facts
from lineage_analytics.graphs.decisions import decision_lineage
from tests.accuracy.table import Row, Tally

RECORDS = int(os.environ.get("RECORDS", "200000"))
"""Records of the collision: ``RECORDS=1000000`` for a million, which wants some 25 KB of memory each."""
KEYS = ("a key each", "one target, ticket and request", "one request key of the provider")
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_AS_OF = datetime(2026, 6, 30, tzinfo=UTC)
_ROOM = 2.4
"""Twice the records may take twice the time, and somewhat more: of a machine that does other things."""


def changes(number: int, keys: str) -> Facts:
    """Grants in one account, a few seconds apart; ``keys`` of KEYS: what they share."""
    place = pl.int_range(number, eager=True).alias("place")
    own = pl.col("place").cast(pl.String) if keys == KEYS[0] else pl.lit("1")
    steps = pl.DataFrame([place]).select(
        step_id=pl.format("step-{}", pl.col("place")), kind=pl.lit("action"),
        time=pl.lit(_BEGAN) + pl.duration(seconds=pl.col("place") * 10), operation=pl.lit("iam:AttachRolePolicy"),
        status=pl.lit("succeeded"), actor_id=pl.lit("aws:111122223333:AROA"), actor_class=pl.lit("unknown"),
        authority_mode=pl.lit("unknown"), target_key=pl.format("aws:111122223333:role/{}|p", own),
        effect_key=pl.format("grant(aws:111122223333:role/{}|p)", own), correlation_id=pl.format("c-{}", own),
        native_key_kind=pl.lit("pim_request_id" if keys == KEYS[2] else None, dtype=pl.String),
        native_key=pl.lit("one" if keys == KEYS[2] else None, dtype=pl.String),
        quoted_keys=pl.concat_list(pl.format("CHG{}", own)),
        stated_keys=pl.concat_list(pl.format("request:r-{}", own), pl.format("ticket:CHG{}", own)),
        title=pl.lit("grant"), event_id=pl.format("e-{}", pl.col("place")),
        record_id=pl.format("rec-{}", pl.col("place")), tenant=pl.lit("111122223333"), provider=pl.lit("aws"),
        source=pl.lit("aws_cloudtrail"))
    return Facts.of(_AS_OF, decision_steps=tables.conform(steps, tables.DECISION_STEPS))


def seconds(facts: Facts) -> float:
    """How long linking takes."""
    gc.collect()
    began = time.process_time()
    found = decision_lineage(facts)
    took = time.process_time() - began
    if found.cases.is_empty():
        message = "no case came of the records"
        raise LookupError(message)
    return took


@dataclass
class Scale:
    """Times of the processor on this machine. ``said`` tells them in words."""

    linear: Tally = field(default_factory=lambda: Tally(
        "scale: twice the records", f"take at most {_ROOM:g} times as long, whatever they share", least=1.0))
    shared: Tally = field(default_factory=lambda: Tally(
        "scale: one key for all", f"{RECORDS:,} records that share a key take at most twice as long", least=1.0))
    said: list[str] = field(default_factory=list)

    def grow(self, number: int = 25_000) -> None:
        for keys in KEYS:
            once, twice = seconds(changes(number, keys)), seconds(changes(2 * number, keys))
            self._judge(self.linear, twice <= _ROOM * once, f"{number:,} records, {keys}: {once:.1f} s, twice as many: "
                                                            f"{twice:.1f} s")

    def collide(self, number: int = RECORDS) -> None:
        apart = seconds(changes(number, KEYS[0]))
        for keys in KEYS[1:]:
            together = seconds(changes(number, keys))
            self._judge(self.shared, together <= 2 * apart, f"{number:,} records with a key each: {apart:.0f} s, with "
                                                            f"{keys}: {together:.0f} s")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        self.said.append(f"Most memory held so far: {peak:.1f} GiB")

    def _judge(self, tally: Tally, right: bool, words: str) -> None:
        self.said.append(words)
        tally.count(right, 1, [] if right else [words])

    def rows(self) -> list[Row]:
        return [self.linear.row, self.shared.row]
