"""Every error the package raises on purpose.

Each message says what was wanted, what was found and what would do; ``exit_code`` is what the command line
returns for it (the list stands in the README).
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class LineageError(Exception):
    """Base of all errors raised on purpose.

    Parameters
    ----------
    wanted : what the caller asked for or the code needed.
    found : what was there instead.
    would_do : what the reader can do about it; may be empty.
    """

    exit_code = 1

    def __init__(self, wanted: str, found: str = "", would_do: str = "") -> None:
        self.wanted, self.found, self.would_do = wanted, found, would_do
        super().__init__(". ".join(part.rstrip(".") for part in (wanted, found, would_do) if part) + ".")


class UsageError(LineageError):
    """An unknown option, metric, id or notebook parameter, a bad value, or a path that does not exist."""

    exit_code = 2


class IntegrityError(LineageError):
    """A file of a run, ledger or workspace is not what its manifest says."""

    exit_code = 4


class NothingAssessableError(LineageError):
    """There is no data to report on, or something a manifest lists is missing."""

    exit_code = 5


class ConfigurationError(LineageError):
    """A configuration file or the environment is at fault."""

    exit_code = 6


class LimitError(LineageError):
    """A limit, memory or disk ran out."""

    exit_code = 7


class LockedError(LineageError):
    """Another run holds the lock."""

    exit_code = 8


_LISTED = 40


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence naming the closest known names; where none is close all of them, unless they are many."""
    known = sorted(known)
    close = get_close_matches(name, known, n=3, cutoff=0.55)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    listed = ", ".join(known[:_LISTED]) + (f" and {len(known) - _LISTED} more" if len(known) > _LISTED else "")
    return f"Known: {listed}" if known else ""
