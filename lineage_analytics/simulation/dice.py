"""Seeded chance and the identifiers made from it: the same seed gives the same ids everywhere."""

from __future__ import annotations

import math
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

T = TypeVar("T")
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class Dice:
    """One stream of chance. Streams of different subjects are independent, so a change to one leaves the rest."""

    def __init__(self, seed: int, subject: str) -> None:
        self._random = Random(f"lineage-simulation/{seed}/{subject}")  # noqa: S311  (a simulation, not a secret)

    def share(self) -> float:
        """Uniform in [0, 1)."""
        return self._random.random()

    def chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def whole(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return low + int(self._random.random() * (high - low + 1))

    def pick(self, choices: Sequence[T]) -> T:
        return choices[int(self._random.random() * len(choices))]

    def early(self, choices: Sequence[T], lean: float = 2.0) -> T:
        """One of the choices, the first ones far more often: a heavy tail."""
        return choices[int(self._random.random() ** lean * len(choices))]

    def weighted(self, choices: Sequence[tuple[T, float]]) -> T:
        left = self._random.random() * sum(weight for _, weight in choices)
        for choice, weight in choices:
            left -= weight
            if left < 0:
                return choice
        return choices[-1][0]

    def some(self, choices: Sequence[T], count: int) -> list[T]:
        """Distinct choices in their given order."""
        keyed = sorted((self._random.random(), place) for place in range(len(choices)))[:count]
        return [choices[place] for place in sorted(place for _, place in keyed)]

    def mixed(self, choices: Sequence[T]) -> list[T]:
        return [choice for _, _, choice in sorted((self._random.random(), n, c) for n, c in enumerate(choices))]

    def around(self, median: float, spread: float) -> float:
        """Log-normal by its median; spread is the standard deviation of the logarithm."""
        u, v = 1.0 - self._random.random(), self._random.random()
        return median * math.exp(spread * math.sqrt(-2.0 * math.log(u)) * math.cos(2.0 * math.pi * v))

    def moment(self, day: datetime, first_hour: float = 0.0, last_hour: float = 24.0) -> datetime:
        """A whole second of that day between two hours UTC."""
        seconds = (first_hour + self._random.random() * (last_hour - first_hour)) * 3600
        return day + timedelta(seconds=min(int(seconds), 86_390))

    def guid(self) -> str:
        text = f"{self._random.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"

    def hexadecimal(self, length: int) -> str:
        return f"{self._random.getrandbits(4 * length):0{length}x}"

    def base32(self, length: int) -> str:
        return "".join(_BASE32[int(self._random.random() * 32)] for _ in range(length))

    def aws_id(self, prefix: str) -> str:
        """A unique id as IAM makes them: AIDA, AROA, AGPA, ANPA and 17 more; AKIA, ASIA and 16 more."""
        return prefix + self.base32(16 if prefix in ("AKIA", "ASIA") else 17)

    def thread(self) -> str:
        return f"19:{self.base32(8)}{self.hexadecimal(24)}@thread.v2"
