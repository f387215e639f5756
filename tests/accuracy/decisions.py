"""The table of decision-lineage 16, measured: ``python -m tests.accuracy.decisions``; ``SEEDS=3,8`` repeats seeds.

Exit code 1 where a target is missed.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from random import SystemRandom

from tests.accuracy.determinism import Sameness
from tests.accuracy.links import Links
from tests.accuracy.organisations import SMALL, organisation
from tests.accuracy.scale import Scale
from tests.accuracy.table import printed
from tests.accuracy.tamper import Tampering
from tests.accuracy.verdicts import Verdicts

_FIXED = (1, 7)
_DRAWN = 2


def seeds() -> tuple[int, ...]:
    """Those of the environment, else two fixed and two drawn ones."""
    stated = os.environ.get("SEEDS", "")
    if stated.strip():
        return tuple(int(one) for one in stated.replace(",", " ").split())
    return (*_FIXED, *(SystemRandom().randrange(100, 100_000) for _ in range(_DRAWN)))


def told(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    chosen, began = seeds(), time.monotonic()
    told(f"SEEDS={','.join(map(str, chosen))}")
    links, verdicts, same, tampering, scale = Links(), Verdicts(), Sameness(), Tampering(), Scale()
    with tempfile.TemporaryDirectory() as room:
        for seed in chosen:
            one = organisation(Path(room), seed)
            links.take(one)
            verdicts.take(one)
            same.replay(one)
        tampering.take(one)
        same.shuffle(organisation(Path(room) / "small", chosen[-1], *SMALL))
    scale.grow()
    scale.collide()
    rows = [row for part in (links, verdicts, same, tampering, scale) for row in part.rows()]
    told("\n".join([printed(rows), "", *scale.said]))
    told(f"\n{sum(row.passed for row in rows)} of {len(rows)} targets met in {time.monotonic() - began:,.0f} s")
    return 0 if all(row.passed for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
