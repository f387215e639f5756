"""Whether a run grew out of an earlier one: every file that was read then was read now, unchanged.

The files read are the one list of a run that only ever grows. By their hashes, with what is new behind what was there,
they are the leaves of a tree; the consistency proof (RFC 9162) shows that it grew to whoever has no more than the two
roots.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lineage_analytics.errors import IntegrityError, UsageError
from lineage_analytics.reporting import manifest
from lineage_analytics.reporting.merkle import Tree
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Growth:
    """``changed`` and ``missing`` name files of the earlier run that are read no more as they were."""

    earlier: str
    kept: int
    added: int
    old_root: str
    new_root: str
    proof: list[str]
    changed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        return {"run_id": self.earlier, "kept": self.kept, "added": self.added, "changed": self.changed,
                "missing": self.missing, "size": [self.kept, self.kept + self.added],
                "merkle_root": [self.old_root, self.new_root], "proof": self.proof}

    def sentence(self) -> str:
        about = f"beside run {printable(self.earlier, 80)}"
        if not (self.changed or self.missing):
            return f"{about}: all {self.kept:,} files read then are read now, {self.added:,} are new"
        return f"{about}: {manifest.named(changed=self.changed, read_no_more=self.missing)}"


def check(folder: Path, earlier: Path) -> Growth:
    """Compare the files that two run folders say they read, both by a manifest that holds.

    Raises
    ------
    UsageError : one of them is no run folder. IntegrityError : the earlier run is not intact. NothingAssessableError :
    one has no manifest.
    """
    if not folder.is_dir():
        raise UsageError("Wanted a run folder that extends another", f"{folder} is none", "bundles do not grow")
    verdict = manifest.verify(earlier)
    if not verdict.intact:
        raise IntegrityError("Wanted the earlier run as it was written", verdict.sentence(), "take it from a copy")
    old, new = (_inputs(manifest.read(path / manifest.MANIFEST)) for path in (earlier, folder))
    lost = {key: name for key, name in old.items() if key not in new}
    names = set(new.values())
    kept = [key for key in old if key in new]
    after = Tree([_leaf(key) for key in [*kept, *sorted(set(new) - set(old))]])
    before = Tree([_leaf(key) for key in old])
    return Growth(
        verdict.id, len(kept), len(new) - len(kept), before.root(), after.root(),
        after.consistency(len(old)) if not lost else [],
        sorted(name for name in lost.values() if name in names),
        sorted(name for name in lost.values() if name not in names))


_Key = tuple[str, int]


def _inputs(found: Mapping[str, Any]) -> dict[_Key, str]:
    """The files by hash and size, in a fixed order, with a name each: the same bytes may lie under several."""
    named = sorted((one["sha256"], one["bytes"], one["name"]) for one in found["inputs"])
    return {(sha256, size): name for sha256, size, name in reversed(named)}


def _leaf(key: _Key) -> bytes:
    return manifest.canonical({"sha256": key[0], "bytes": key[1]})
