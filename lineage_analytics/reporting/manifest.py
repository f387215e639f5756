"""The manifest of a run: every output with its hash, chained, under one Merkle root; and its verification.

The chain is that of decision-lineage 10: an entry's hash covers the entry and the hash before it, the tree has the
shape of RFC 9162. What the manifest says besides its outputs is the first entry, so that no part of it can change
unseen. An unsigned chain shows accidental change and partial editing; it does not stop whoever rewrites the whole
folder, and ``verify`` says so.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lineage_analytics.errors import IntegrityError, NothingAssessableError, UsageError
from lineage_analytics.reporting.merkle import Tree
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

MANIFEST, RUN_LOG, SIGNATURE = "manifest.json", "run.log.json", "manifest.dsse.json"
_BESIDE = frozenset({MANIFEST, RUN_LOG, SIGNATURE})
"""What stands in a run folder and is no output: the manifest, and what has a hash or signature of its own."""
BODY = "manifest.json#body"
START = "0" * 64
_DOMAIN = b"la-manifest-v1\n"
_NAMED = 5


def canonical(value: Any) -> bytes:
    """Sorted keys, no insignificant space, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def chained(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The entries, each with ``seq``, ``prev`` and its ``entry_hash``."""
    previous, made = START, []
    for number, entry in enumerate(entries):
        full = {**entry, "seq": number, "prev": previous}
        previous = hashlib.sha256(_DOMAIN + canonical(full)).hexdigest()
        made.append({**full, "entry_hash": previous})
    return made


def tree(entries: Iterable[Mapping[str, Any]]) -> Tree:
    """The Merkle tree of chained entries; a leaf's data is the 32 bytes of its entry hash."""
    return Tree([bytes.fromhex(entry["entry_hash"]) for entry in entries])


def make(body: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The manifest of a folder as it stands; ``body`` is all that is said besides outputs and head."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in _BESIDE)
    outputs = chained([_body_entry(body), *(_entry(path, folder) for path in files)])
    return {**body, "outputs": outputs, "head": _head(outputs)}


def _head(outputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"entry_hash": outputs[-1]["entry_hash"], "count": len(outputs), "merkle_root": tree(outputs).root(),
            "anchored": False}


def _body_entry(body: Mapping[str, Any]) -> dict[str, Any]:
    data = canonical(body)
    return {"path": BODY, "kind": "config", "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def _entry(path: Path, folder: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"path": path.relative_to(folder).as_posix(), "kind": "report", "sha256": digest,
            "bytes": path.stat().st_size}


def as_bytes(manifest: Mapping[str, Any]) -> bytes:
    """The only form a manifest is written in, so that any other byte is a change."""
    return (json.dumps(manifest, indent=1, ensure_ascii=True) + "\n").encode()


@dataclass(frozen=True)
class Verdict:
    """What ``verify`` found: paths that changed, are missing or stand there unlisted; all empty when intact.

    ``id`` is that of the run or case, ``signed_by`` the ids of the keys that signed the head; ``anchored`` is true
    where one of them is the key that the reader gave.
    """

    id: str
    count: int
    changed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    kind: str = "run"
    head: Mapping[str, Any] = field(default_factory=dict, repr=False)
    signed_by: tuple[str, ...] = ()
    signatures_checked: bool = False
    anchored: bool = False

    @property
    def intact(self) -> bool:
        return not (self.changed or self.missing or self.unlisted)

    def sentence(self) -> str:
        about = f"{self.kind} {printable(self.id, 80)}"
        if self.intact:
            return f"{about}: {self.count} entries intact, {'anchored' if self.anchored else 'not anchored'}"
        return f"{about}: {named(changed=self.changed, missing=self.missing, unlisted=self.unlisted)}"


def named(**found: Sequence[str]) -> str:
    """What was found, by the word for it, with the first few names of each; words without a name are left out."""
    return "; ".join(
        f"{word.replace('_', ' ')}: {', '.join(printable(name, 200) for name in names[:_NAMED])}"
        + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "") for word, names in found.items() if names)


def verify(folder: Path) -> Verdict:
    """Check a run folder against its manifest.

    Raises
    ------
    UsageError : no run folder there. NothingAssessableError : it has no manifest. IntegrityError : the manifest
    itself was altered.
    """
    if not folder.is_dir():
        raise UsageError(f"Wanted a run folder at {folder}", "there is none", "for example reports/current")
    path = folder / MANIFEST
    if not path.is_file():
        raise NothingAssessableError(f"Wanted {MANIFEST} in {folder}", "it is missing", "name a run folder")
    manifest = read(path)
    entries = {entry["path"]: entry for entry in manifest["outputs"] if entry["path"] != BODY}
    present = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    changed = [name for name, entry in entries.items() if name in present and not _same(present[name], entry)]
    if RUN_LOG in present and not run_log_intact(present[RUN_LOG]):
        changed.append(RUN_LOG)
    return Verdict(
        str(manifest["run_id"]), len(manifest["outputs"]), sorted(changed), sorted(set(entries) - set(present)),
        sorted(set(present) - set(entries) - _BESIDE), head=manifest["head"],
    )


def read(path: Path) -> dict[str, Any]:
    """A manifest that holds by itself; IntegrityError when it is not as it was written."""
    data = path.read_bytes()
    altered = IntegrityError(f"Wanted {MANIFEST} as it was written", "it was altered", "take the run from a copy")
    try:
        manifest = json.loads(data)
        body = {key: value for key, value in manifest.items() if key not in ("outputs", "head")}
        bare = [{k: v for k, v in entry.items() if k not in ("seq", "prev", "entry_hash")}
                for entry in manifest["outputs"]]
        again = chained(bare)
        rebuilt = as_bytes({**body, "outputs": again, "head": _head(again)})
        intact = bare[0] == _body_entry(body) and rebuilt == data
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        raise altered from None
    if not intact:
        raise altered
    return dict(manifest)


def _same(path: Path, entry: Mapping[str, Any]) -> bool:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == str(entry["sha256"])


def run_log(times: Mapping[str, Any]) -> bytes:
    """Durations and clock times, with a hash over themselves: they differ between equal runs."""
    return (json.dumps({**times, "sha256": hashlib.sha256(canonical(times)).hexdigest()}, indent=1) + "\n").encode()


def run_log_intact(path: Path) -> bool:
    data = path.read_bytes()
    try:
        times = json.loads(data)
        del times["sha256"]
        return run_log(times) == data
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
