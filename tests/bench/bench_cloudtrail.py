"""Loading CloudTrail beside DuckDB: ``python -m tests.bench.bench_cloudtrail [--rounds N] [--records N] [--json F]``.

The sides take turns, each in a fresh process, start-up left out, the files in a warm cache. Exit 1 when a target is
missed, 0 also where the real capture does not stand beside the project and there is nothing to measure.
"""

# ruff: noqa: T201  (a command: its results are printed)
from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench import _corpus
from tests.bench._sides import FORMS, THREADS
from tests.conftest import SHARED_DATA

FILES = 30
MANY_FILES = 120
ROUNDS = 5
RECORDS = 230_000
ROOT = Path(__file__).resolve().parents[2]
QUANTITIES = {"cpu": "s", "clock": "s", "peak": "MiB"}


@dataclass(frozen=True)
class Target:
    """A ratio of two medians and the most it may be."""

    name: str
    value: float
    most: float

    @property
    def met(self) -> bool:
        return self.value <= self.most


Runs = dict[str, list[dict[str, float]]]


def main() -> int:
    options = _options()
    originals = _corpus.capture(SHARED_DATA)
    if not originals:
        print(f"Skipped: the real capture is not at {SHARED_DATA.joinpath(*_corpus.CAPTURE)}, nothing to multiply.")
        return 0
    if importlib.util.find_spec("duckdb") is None:
        print("Wanted duckdb to compare with, found none. `make bench` installs it from requirements-bench.lock.")
        return 2
    with tempfile.TemporaryDirectory(prefix="lineage-bench-") as scratch:
        return _bench(Path(scratch), originals, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bench_cloudtrail", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"turns of every side (default {ROUNDS})")
    parser.add_argument("--records", type=int, default=RECORDS, help=f"CloudTrail records (default {RECORDS:,})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single measurement here")
    return parser.parse_args()


def _bench(scratch: Path, originals: list[dict[str, object]], options: argparse.Namespace) -> int:
    layouts = {"few": (options.records, FILES), "many": (options.records, MANY_FILES),
               "double": (2 * options.records, FILES)}
    sizes = {name: _corpus.write(originals, scratch / name, *layout) for name, layout in layouts.items()}
    for name, (records, files) in layouts.items():
        print(f"{name:7}{records:>9,} records in {files:>3} .json.gz files, {sizes[name] / 1e6:,.0f} MB of JSON")
    turns = {"ours": ("ours", "few"), "best": ("best", "few"), "typed": ("typed", "few"),
             "ours, many files": ("ours", "many"), "ours, double": ("ours", "double")}
    runs: Runs = {name: [] for name in turns}
    for number in range(options.rounds):
        for name, (side, layout) in turns.items():
            _progress(f"round {number + 1} of {options.rounds}: {name}")
            with tempfile.TemporaryDirectory(dir=scratch) as out:
                runs[name].append(_run(side, scratch / layout, Path(out) / "loaded"))
    _progress("")
    wrong = [f"{name}: {run['rows']:,.0f} rows, {run['ids']:,.0f} distinct event ids, wanted {wanted:,} of both"
             for name, (_, layout) in turns.items() for run in runs[name]
             if {run["rows"], run["ids"]} != {wanted := layouts[layout][0]}]
    if wrong:
        print("The sides do not give the same answer, so nothing is compared:", *wrong, sep="\n  ")
        return 1
    targets = _targets(runs)
    _print(runs, targets)
    if options.json:
        report = {"versions": _versions(), "forms": FORMS, "threads": THREADS, "json_bytes": sizes, "runs": runs,
                  "targets": [{"name": t.name, "value": t.value, "most": t.most, "met": t.met} for t in targets]}
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0 if all(target.met for target in targets) else 1


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text:60}", end="\r", file=sys.stderr, flush=True)


def _run(side: str, logs: Path, out: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench._sides", side, str(logs), str(out)], check=True, cwd=ROOT,
        stdout=subprocess.PIPE, env={**os.environ, "POLARS_MAX_THREADS": str(THREADS)})
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _targets(runs: Runs) -> list[Target]:
    def ratio(quantity: str, name: str, other: str) -> float:
        return _median(runs[name], quantity) / _median(runs[other], quantity)

    return [
        Target("CPU, ours : DuckDB's best form", ratio("cpu", "ours", "best"), 2.0),
        Target("CPU, ours : DuckDB's typed form", ratio("cpu", "ours", "typed"), 0.2),
        Target("peak memory, ours : DuckDB's best form", ratio("peak", "ours", "best"), 0.5),
        Target(f"our peak, {MANY_FILES} files : {FILES} files", ratio("peak", "ours, many files", "ours"), 1.15),
        Target("our peak, twice the records in files of twice the size", ratio("peak", "ours, double", "ours"), 1.15),
    ]


def _median(runs: list[dict[str, float]], quantity: str) -> float:
    return median(run[quantity] for run in runs)


def _print(runs: Runs, targets: list[Target]) -> None:
    print("\n" + "\n".join(f"{name:7}{form}" for name, form in FORMS.items()))
    print(f"\n{'median (min to max)':20}" + "".join(f"{f'{name} {unit}':>26}" for name, unit in QUANTITIES.items())
          + f"{'after imports MiB':>20}")
    for name, found in runs.items():
        cells = [f"{_median(found, q):,.2f} ({min(r[q] for r in found):,.2f} to {max(r[q] for r in found):,.2f})"
                 for q in QUANTITIES]
        print(f"{name:20}" + "".join(f"{cell:>26}" for cell in cells) + f"{_median(found, 'imported'):>20,.0f}")
    print()
    for target in targets:
        print(f"{'met   ' if target.met else 'MISSED'} {target.name}: {target.value:.2f}, at most {target.most:.2f}")
    print("\n" + ", ".join(f"{name} {version}" for name, version in _versions().items()))


def _versions() -> dict[str, str]:
    libraries = {name: importlib.metadata.version(name) for name in ("polars", "deltalake", "msgspec", "isal", "duckdb")}
    return {"python": platform.python_version(), **libraries, "cores": str(os.cpu_count())}


if __name__ == "__main__":
    sys.exit(main())
