"""``lineage run`` and ``lineage report``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lineage_analytics.commands import console
from lineage_analytics.commands.loading import DEGRADED, load

if TYPE_CHECKING:
    import argparse

    from lineage_analytics.reporting.run import Outcome


def run(given: argparse.Namespace) -> int:
    from lineage_analytics.workspace.estate import parse_as_of

    parse_as_of(given.as_of)  # a mistyped moment is told before anything is loaded
    result = load(given.paths, given.workspace)
    for line in (*console.counts(result.sources), *console.not_used(result)):
        console.note(line)
    return report(given)


def report(given: argparse.Namespace) -> int:
    from lineage_analytics import analysis
    from lineage_analytics.reporting import verifying
    from lineage_analytics.reporting.run import report as publish
    from lineage_analytics.workspace.lock import locked

    estate = analysis.open(given.workspace, given.as_of, given.window, given.lookback)
    with locked(given.workspace):
        outcome = publish(estate, given.out, profile=given.profile, force=given.force, say=console.note)
    for reason in outcome.degraded_by:
        console.note(f"degraded: {reason}")
    print(outcome.headline)
    page = given.out / "current" / "index.html"
    print(f"{page}{' (nothing new: the run stands as it was)' if outcome.unchanged else ''}")
    if given.sign is not None:
        console.note(f"signed: {verifying.sign(outcome.folder, given.sign)}")
    if given.summary_file is not None:
        _summarise(given, outcome)
    return DEGRADED if outcome.status == "degraded" else 0


def _summarise(given: argparse.Namespace, outcome: Outcome) -> None:
    """One line for people, then one JSON document for programs."""
    facts = {"run_id": outcome.run_id, "status": outcome.status, "unchanged": outcome.unchanged,
             "headline": outcome.headline, "degraded_by": outcome.degraded_by,
             "page": "current/index.html"}
    fresh = given.summary_file.with_name(f".{given.summary_file.name}.new")
    fresh.write_text(f"{outcome.status}: {outcome.headline}\n{json.dumps(facts)}\n", encoding="utf-8")
    fresh.replace(given.summary_file)
