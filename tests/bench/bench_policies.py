"""Expanding policies beside policy_sentry: ``python -m tests.bench.bench_policies [--roles N] [--rounds N] [--json F]``.

The policies are AWS's own of the real inventories, three to a role, each role with an inline one of its own patterns.
Each side expands what the policies of every role allow into the form it works with, a bit mask here and lists of names
there; what both come to in names is compared, and is not timed. Names that neither catalogue knows are left out. Each
run is a fresh process; imports, and reading the catalogue from disk, are left out on both sides. Exit 1 when the target
is missed, 0 also where the inventories do not stand beside the project.
"""

# ruff: noqa: T201  (a command: its results are printed)
from __future__ import annotations

import argparse
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.conftest import SHARED_DATA

if TYPE_CHECKING:
    from collections.abc import Callable

ROLES, ROUNDS, MOST = 1_000, 3, 1 / 20
ROOT = Path(__file__).resolve().parents[2]
POLICIES = ("aws_iam", "aws_managed_policies_iam-dataset")
Document = dict[str, Any]


def main() -> int:
    options = _options()
    if options.side:
        print(json.dumps(_run(options.side, Path(options.policies))))
        return 0
    folder = SHARED_DATA.joinpath(*POLICIES)
    if not folder.is_dir():
        print(f"Skipped: the real policies are not at {folder}, nothing to expand.")
        return 0
    with tempfile.TemporaryDirectory(prefix="lineage-bench-") as scratch:
        corpus = Path(scratch) / "roles.json"
        corpus.write_text(json.dumps(_roles(folder, options.roles)))
        runs: dict[str, list[dict[str, Any]]] = {"ours": [], "policy_sentry": []}
        for _ in range(options.rounds):
            for side, found in runs.items():
                found.append(_process(side, corpus))
                print(f"{side:14} {found[-1]['cpu']:8.2f} s of CPU, {found[-1]['actions']:,} actions", flush=True)
    if len({run["answer"] for found in runs.values() for run in found}) != 1:
        print("The sides disagree on what the roles are allowed: nothing is compared.")
        return 1
    ours, theirs = (median(run["cpu"] for run in runs[side]) for side in ("ours", "policy_sentry"))
    print(f"{options.roles:,} roles: {ours:.2f} s against {theirs:.2f} s, {ours / theirs:.4f} of policy_sentry's CPU "
          f"(at most {MOST:.3f})")
    if options.json:
        Path(options.json).write_text(json.dumps(runs, indent=1))
    return 0 if ours / theirs <= MOST else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--roles", type=int, default=ROLES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", help="where to keep every run")
    parser.add_argument("--side", choices=("ours", "policy_sentry"), help=argparse.SUPPRESS)
    parser.add_argument("--policies", help=argparse.SUPPRESS)
    return parser.parse_args()


def _process(side: str, corpus: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.bench_policies", "--side", side, "--policies", str(corpus)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _roles(folder: Path, count: int) -> list[list[Document]]:
    """Three real policies to a role, and one of its own with patterns no other role has."""
    dice = random.Random(7)  # noqa: S311  (a benchmark's corpus)
    real = [json.loads(path.read_text())["document"] for path in sorted(folder.glob("*.json"))]
    verbs, services = ("Get*", "List*", "Describe*", "Create*", "Put*", "Delete*", "Update?*"), (
        "s3", "ec2", "iam", "lambda", "dynamodb", "sqs", "sns", "kms", "ssm", "ecs", "glue", "rds", "logs", "events")
    roles = []
    for _ in range(count):
        own = sorted({f"{dice.choice(services)}:{dice.choice(verbs)}" for _ in range(6)})
        roles.append([*dice.sample(real, 3), {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": own, "Resource": "*"}]}])
    return roles


def _run(side: str, corpus: Path) -> dict[str, Any]:
    roles = json.loads(corpus.read_text())
    expand, named = {"ours": _ours, "policy_sentry": _policy_sentry}[side]()
    before = time.process_time()
    expanded = [expand(documents) for documents in roles]
    spent = time.process_time() - before
    found = [named(one) for one in expanded]
    answer = hashlib.sha256("\n".join(",".join(sorted(names)) for names in found).encode())
    return {"cpu": spent, "actions": sum(map(len, found)), "answer": answer.hexdigest()}


def _allows(documents: list[Document]) -> list[Document]:
    return [statement for document in documents for statement in document["Statement"] if statement["Effect"] == "Allow"]


Side = tuple["Callable[[list[Document]], Any]", "Callable[[Any], set[str]]"]


def _ours() -> Side:
    from lineage_analytics.permissions.aws.catalogue import catalogue
    from lineage_analytics.permissions.aws.policies import actions_of

    known = catalogue()

    def expand(documents: list[Document]) -> int:
        mask = 0
        for statement in _allows(documents):
            mask |= actions_of(*(tuple(sorted(_listed(statement.get(key, [])))) for key in ("Action", "NotAction")))[0]
        return mask

    return expand, lambda mask: {name.lower() for name in known.actions(mask)}


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _policy_sentry() -> Side:
    from policy_sentry.analysis.expand import determine_actions_to_expand
    from policy_sentry.querying.all import get_all_actions

    every = frozenset(name.lower() for name in get_all_actions())

    def expand(documents: list[Document]) -> list[tuple[bool, list[str]]]:
        return [("NotAction" in statement, determine_actions_to_expand(
            _listed(statement.get("NotAction") or statement["Action"]))) for statement in _allows(documents)]

    def named(expanded: list[tuple[bool, list[str]]]) -> set[str]:
        found: set[str] = set()
        for inverted, actions in expanded:
            names = {name.lower() for name in actions} & every
            found |= every - names if inverted else names
        return found

    return expand, named


if __name__ == "__main__":
    sys.exit(main())
