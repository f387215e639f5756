"""From files or a workspace to an estate, its lineages, measures and levels: what a notebook calls.

Everything is computed once per estate. A workspace also keeps the derived tables, so that a notebook opened on it
reads what the run before it computed.
"""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

import polars as pl

from lineage_analytics import __version__, maturity, metrics
from lineage_analytics.errors import NothingAssessableError, UsageError
from lineage_analytics.graphs import access as access_room
from lineage_analytics.graphs import assistants
from lineage_analytics.graphs import decisions as decisions_room
from lineage_analytics.graphs import provenance as provenance_room
from lineage_analytics.graphs import workflow_register as registers
from lineage_analytics.graphs.access import AccessLineage
from lineage_analytics.loaders.common.places import existing
from lineage_analytics.metrics import Measured
from lineage_analytics.metrics.context import Context
from lineage_analytics.metrics.pace import pace as pace_of
from lineage_analytics.permissions import asking
from lineage_analytics.tables import ALL
from lineage_analytics.workspace import derived, ingest
from lineage_analytics.workspace.estate import Estate, open_estate
from lineage_analytics.workspace.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from lineage_analytics.graphs.decisions import DecisionLineage
    from lineage_analytics.maturity import Levels
    from lineage_analytics.metrics.pace import Pace
    from lineage_analytics.permissions.decision import Decision
    from lineage_analytics.workspace.ingest import Result

SAMPLE = Path("data/sample")
_TUNED = ("permissions", "graphs", "metrics", "maturity")
_ACCESS = ("nodes", "edges", "permissions")
_DECISIONS = ("cases", "steps", "links", "link_rejects", "decision_findings", "gaps", "elements")
_MEASURED = ("measures", "evidence", "facets")


@dataclass(frozen=True)
class Analysis:
    """Everything derived from one estate."""

    estate: Estate
    access: AccessLineage
    decisions: DecisionLineage
    measured: Measured
    workflows: pl.DataFrame


def open(  # noqa: A001  (reads as la.open)
    workspace: str | Path, as_of: str | datetime | None = None, window: int = 30, lookback: int = 90
) -> Estate:
    """The estate of a workspace folder.

    Parameters
    ----------
    workspace : folder that ``lineage ingest`` or ``lineage run`` filled.
    as_of : ISO date (its end) or time, UTC when no zone is given; default: the newest record.
    window, lookback : days of the reporting window and of the usage look-back.

    Raises
    ------
    UsageError : no workspace there, or a bad value. NothingAssessableError : nothing was ever loaded.

    Examples
    --------
    >>> estate = la.open("workspace", as_of="2026-06-30")  # doctest: +SKIP
    """
    return open_estate(Path(workspace), as_of, window, lookback)


def read(
    *paths: str | Path, workspace: str | Path | None = None, as_of: str | datetime | None = None, window: int = 30,
    lookback: int = 90,
) -> Estate:
    """Load exported logs and inventories, and hold them as an estate.

    Parameters
    ----------
    paths : files, folders, archives, globs, or addresses of object stores and web servers (``s3:// abfss:// gs://
        https://``, extra ``cloud``); what each file is, is found from its content.
    workspace : folder to keep the tables in; default: a temporary one that ends with this process.
    as_of, window, lookback : as of ``open``. Where no record is dated, the newest date that inventories state of their
        objects; state one to measure ages by.

    Raises
    ------
    UsageError : a path that does not exist, an address that cannot be read.
    NothingAssessableError : nothing there could be used.

    Examples
    --------
    >>> estate = la.read("data/sample")  # doctest: +SKIP
    """
    directory = Path(workspace) if workspace is not None else _temporary()
    load(paths, directory)
    return open_estate(directory, as_of, window, lookback, undated=True)


def load(paths: Iterable[str | Path], directory: Path, progress: ingest.Progress | None = None) -> Result:
    """Load paths into a workspace folder; NothingAssessableError when they hold no file at all."""
    given = check_paths(paths)
    result = ingest.load(given, Store.create(directory), progress)
    if not result.counts:
        names = ", ".join(str(path) for path in given)
        raise NothingAssessableError(f"Wanted exported logs or inventories under {names}", "no files are there",
                                     "lineage loaders lists what can be read")
    return result


def check_paths(paths: Iterable[str | Path]) -> list[Path | str]:
    """The files, folders and addresses that paths and globs name; UsageError for one that names nothing."""
    return [found for path in paths for found in existing(path)]


def _temporary() -> Path:
    directory = tempfile.mkdtemp(prefix="lineage-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return Path(directory)


def sample() -> Path:
    """The workspace of the synthetic sample, built on first use; UsageError where the sample does not stand."""
    places = (Path.cwd(), *Path.cwd().parents, Path(__file__).parents[1])
    root = next((place for place in places if (place / SAMPLE).is_dir()), None)
    if root is None:
        raise UsageError("Wanted the synthetic sample at data/sample", "it is not there",
                         "run from the project's root, or write one: lineage simulate data/sample --seed 7")
    workspace = root / "data" / "workspace"
    if not (workspace / "tables" / "ledger").is_dir():
        load([root / SAMPLE], workspace)
    return workspace


def notebook(workspace: str = "", as_of: str = "", window: int = 30, lookback: int = 90) -> Estate:
    """The estate a notebook's parameters name, said to be synthetic where it is; an empty workspace is the sample."""
    estate = open_estate(Path(workspace) if workspace else sample(), as_of or None, window, lookback)
    if estate.organisation[1]:
        print("Synthetic data: no real person, company or account")  # noqa: T201  (a reader must meet it)
    return estate


def analyse(estate: Estate) -> Analysis:
    """Lineages and measures of the estate: read from its workspace when a run left them there, else computed."""
    if "analysis" not in estate.parts:
        frames = derived.stored(estate, _definitions(), lambda: _compute(estate))
        estate.parts["analysis"] = Analysis(
            estate,
            AccessLineage(**{name: frames[name] for name in _ACCESS}),
            decisions_room.from_frames(estate, {name: frames[name] for name in _DECISIONS}),
            Measured(**{name: frames[name] for name in _MEASURED}),
            frames["workflows"],
        )
    return cast("Analysis", estate.parts["analysis"])


@cache
def _definitions() -> str:
    """All that the derived tables depend on besides facts and parameters: versions, their columns, and the data files
    that an analyst may edit."""
    parts = [__version__, metrics.DEFINITION_VERSION, str(decisions_room.RULES)]
    parts += [f"{table.name}({','.join(table.schema)})" for table in ALL.values() if table.derived]
    package = Path(__file__).parent
    parts += [hashlib.sha256(path.read_bytes()).hexdigest() for room in _TUNED
              for path in sorted((package / room / "data").glob("*"))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _compute(estate: Estate) -> Mapping[str, pl.DataFrame]:
    access = access_room.access_lineage(estate)
    decisions = decisions_room.decision_lineage(estate)
    measured = metrics.measure(estate, access, decisions)
    parts: tuple[tuple[object, tuple[str, ...]], ...] = (
        (access, _ACCESS), (decisions, _DECISIONS), (measured, _MEASURED))
    return {name: getattr(room, name) for room, names in parts for name in names} | {
        "workflows": registers.workflow_register(estate, decisions)}


def access_lineage(estate: Estate) -> AccessLineage:
    """Who can reach what, through which grants: ``.nodes .edges .permissions`` (polars), ``.graph`` (networkx)."""
    return analyse(estate).access


def allowed(estate: Estate, principal: str, action: str, resource: str = "*") -> Decision:
    """Whether a principal may do an action on a resource: ``.verdict`` in allowed, denied, conditional, unknown, and
    ``.because``, the statements that decided; see ``permissions.asking.allowed``.

    Examples
    --------
    >>> la.allowed(estate, "deploy-ci", "iam:PassRole", "arn:aws:iam::111122223333:role/admin")  # doctest: +SKIP
    """
    return asking.allowed(estate, principal, action, resource)


def decision_lineage(estate: Estate) -> DecisionLineage:
    """How each change was decided: ``.cases .steps .links .gaps .elements`` (polars) and ``.explain(id)``."""
    return analyse(estate).decisions


def provenance(estate: Estate, case_ids: Iterable[str] | None = None) -> dict[str, object]:
    """Decisions as a PROV-JSON document, one bundle per case: these cases, or the executed ones of the window; see
    ``graphs.provenance``.

    Examples
    --------
    >>> json.dump(la.provenance(estate), open("decisions.prov.json", "w"))  # doctest: +SKIP
    """
    return provenance_room.provenance(analyse(estate).decisions, case_ids)


def measure(estate: Estate) -> pl.DataFrame:
    """Every measure with its interval, unknowns, status and reason: columns of ``tables.MEASURES``."""
    return analyse(estate).measured.measures


def evidence(estate: Estate, metric_id: str | None = None) -> pl.DataFrame:
    """The objects behind the measures, or behind one: columns of ``tables.EVIDENCE``."""
    found = analyse(estate).measured.evidence
    return found if metric_id is None else found.filter(pl.col("metric_id") == metric_id)


def pace(estate: Estate) -> Pace:
    """Whether assurance keeps up with AI: ``.sentence()``, ``.weeks``, ``.legs`` and the numbers of the gap; see
    ``metrics.pace.Pace``."""
    if "pace" not in estate.parts:
        found = analyse(estate)
        estate.parts["pace"] = pace_of(Context(estate, found.access, found.decisions))
    return cast("Pace", estate.parts["pace"])


def facets(estate: Estate) -> pl.DataFrame:
    """Per service account, the seven facets of being fully visible: columns of ``tables.FACETS``."""
    return analyse(estate).measured.facets


def workflow_register(estate: Estate) -> pl.DataFrame:
    """Workflows in which assistants take part, declared beside observed: columns of ``tables.WORKFLOWS``."""
    return analyse(estate).workflows


def assistant_reach(estate: Estate) -> pl.DataFrame:
    """Per user, what assistants accessed for them beside what they opened themselves."""
    return _once(estate, "reach", lambda: assistants.assistant_reach(estate))


def score(measures: pl.DataFrame) -> Levels:
    """Maturity levels from measures: ``.document`` as in ``levels.json``, ``.frame`` one row per domain."""
    return maturity.score(measures)


def _once(estate: Estate, name: str, compute: Callable[[], pl.DataFrame]) -> pl.DataFrame:
    if name not in estate.parts:
        estate.parts[name] = compute()
    return cast("pl.DataFrame", estate.parts[name])


__all__ = [
    "Analysis", "access_lineage", "allowed", "analyse", "assistant_reach", "decision_lineage", "evidence", "facets",
    "load", "measure", "notebook", "open", "pace", "provenance", "read", "sample", "score", "workflow_register",
]
