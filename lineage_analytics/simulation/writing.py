"""From the thought-up organisation to files: native formats, declared lists, the truth and a word of warning."""

from __future__ import annotations

import shutil
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation import bulk, chapters, truth
from lineage_analytics.simulation.everyday import Life
from lineage_analytics.simulation.model import NAME, World
from lineage_analytics.simulation.observed import Observed
from lineage_analytics.simulation.writers import writers
from lineage_analytics.simulation.writers.files import put

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from lineage_analytics.simulation.model import Happened

_README = f"""# {NAME}: a made-up organisation

Nothing here is real: people, accounts, documents and events are synthetic, written by `lineage simulate`.

    <source>/     synthetic exports in the providers' own formats, one folder per source
    declared/     the organisation's own lists
    truth/        the known answers; no loader reads them

`truth/` is what was thought up, not what was measured: measures.json (numerators and denominators of the report's
window), identities.csv, links.csv (with what the records prove), tellings.csv (records of two exports that tell one
act), decisions.csv (of each change its class, approval, order, who answers for it, what took it back), records.json
(distinct records by source) and stories.json (what was planted).

On purpose, the exports hold the same events in several packagings, records delivered two days late, three days without
any Microsoft 365 export, a source that never delivered, and one cut file. The cut file repeats a day that stands
elsewhere in full, so whatever is kept of it is a duplicate and the truth is the same with it and without it.
"""


def write_everything(directory: Path, world: World, scale: int = 0) -> None:
    """Tell the days one after another, let every log write each, and write inventories and truth at the end."""
    for name in (*writers(), "truth"):  # of an earlier simulation; sizes may differ
        shutil.rmtree(directory / name, ignore_errors=True)
    logs = [module.Log(directory / name, world) for name, module in writers().items() if hasattr(module, "Log")]
    observed = told(world, logs)
    if scale:
        bulk.write(directory / "aws_cloudtrail" / "more", world, observed, scale)
    for log in logs:
        log.end()
    observed.finish()
    listed = {name: module.write(directory / name, world) for name, module in writers().items()
              if hasattr(module, "write")}
    truth.write(directory / "truth", world, observed, {name: count for name, count in listed.items() if count})
    put(directory / "README.md", _README.encode())


def told(world: World, logs: Iterable[Any] = ()) -> Observed:
    """Tell all days, each to every log, and what a reader of the logs could know of them."""
    observed, life, apart = Observed(world), Life(world), _told_apart(world)
    for day in world.midnights:
        happened = life.day(day)
        chapters.day(world, day, happened)
        apart[day](happened)
        chapters.echo(world, happened)
        happened.sort()
        observed.day(happened)
        for log in logs:
            log.day(happened)
    return observed


class _Apart:
    """Events of one day that are not everyday ones."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []

    def __call__(self, happened: Happened) -> None:
        for kind, event in self.events:
            if kind == "deeds":
                happened.add(event)
            else:
                getattr(happened, kind).append(event)


def _told_apart(world: World) -> dict[datetime, _Apart]:
    """By day; what happened outside of the days told is on no record."""
    found: dict[datetime, _Apart] = defaultdict(_Apart)
    for kind, events in (("aws", world.aws), ("asked", world.interactions), ("entra", world.entra),
                         ("deeds", world.deeds)):
        for event in events:
            found[event.time.replace(hour=0, minute=0, second=0)].events.append((kind, event))
    return found
