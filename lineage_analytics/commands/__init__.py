"""One module per family of commands; each command is a help line, its options and a function."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


@dataclass(frozen=True)
class Command:
    """A command of ``lineage``: the function ``name`` of ``module`` runs it."""

    help: str
    module: str
    name: str
    options: tuple[str, ...]

    def run(self, given: argparse.Namespace) -> int:
        module = importlib.import_module(f"{__name__}.{self.module}")
        code: int = getattr(module, self.name)(given)
        return code


_READING = ("workspace", "as_of", "window", "lookback")
COMMANDS: dict[str, Command] = {
    "run": Command("load, measure and report", "running", "run",
                   ("paths", *_READING, "out", "profile", "summary_file", "force", "sign")),
    "ingest": Command("load files into a workspace", "loading", "ingest", ("paths", "workspace", "json")),
    "report": Command("report on what a workspace holds", "running", "report",
                      (*_READING, "out", "profile", "summary_file", "force", "sign")),
    "measures": Command("the measures as a table", "reading", "measures", (*_READING, "metric", "json")),
    "explain": Command("one decision: who, what, when, approval, rollback, records", "reading", "explain",
                       ("id", "records", *_READING, "json")),
    "trace": Command("from a number to the records behind it", "reading", "trace",
                     ("metric_id", *_READING, "scope", "limit", "json")),
    "bundle": Command("the evidence of one decision as one file", "evidence", "bundle",
                      ("id", "bundle_file", "records", "sign", *_READING, "json")),
    "sign": Command("sign a run folder or bundle, beside it", "evidence", "sign", ("path", "key")),
    "verify": Command("is a run folder or bundle as it was written, and who signed it", "evidence", "verify",
                      ("path", "public_key", "require_anchor", "extends", "json")),
    "sources": Command("what was received, day by day, and what is new in its formats", "reading", "sources",
                       (*_READING, "json")),
    "who": Command("every account of a person or workload, and why it belongs", "reading", "who",
                   ("name", "workspace", "json")),
    "allowed": Command("may somebody do something, and by which statements", "access", "allowed",
                       ("principal", "action", "resource", *_READING, "json")),
    "paths": Command("the shortest way of somebody, or of everybody, to tier 0", "access", "paths",
                     ("anybody", "to", *_READING, "limit", "json")),
    "loaders": Command("what can be read", "loading", "list_loaders", ("json",)),
    "simulate": Command("write a made-up organisation as native provider files", "simulating", "simulate",
                        ("directory", "seed", "people", "days", "scale")),
    "doctor": Command("is this machine ready", "checking", "doctor", ("workspace", "out", "templates", "json")),
}
