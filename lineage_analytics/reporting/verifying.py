"""Verification of what a run or a bundle is made of: changed, missing, added, and who vouches for it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lineage_analytics.errors import IntegrityError, LimitError, NothingAssessableError, UsageError
from lineage_analytics.reporting import archive, bundle, manifest, signing
from lineage_analytics.reporting.manifest import Verdict
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from pathlib import Path

Row = dict[str, Any]
_ARCHIVE = "(the archive)"
_ALTERED = IntegrityError("Wanted a bundle as it was written", "its manifest was altered", "take it from a copy")


def verify(path: Path, public_key: Path | None = None) -> Verdict:
    """Check a run folder or a bundle, and the signature beside it.

    Raises
    ------
    UsageError : nothing there. NothingAssessableError : it has no manifest. IntegrityError : the manifest itself, or
    the signed statement about it, was altered; or another key than ``public_key`` signed it.
    """
    if path.is_dir():
        found = manifest.verify(path)
    elif path.is_file():
        found = _bundle(path)
    else:
        raise UsageError(f"Wanted a run folder or bundle at {path}", "there is none", "for example reports/current")
    beside = signature_of(path)
    if not beside.is_file() or not found.intact:
        return found
    if beside.stat().st_size > signing.LARGEST:
        raise IntegrityError(f"Wanted a signed statement in {beside}", "it is far too large for one")
    signed = signing.check(beside.read_bytes(), found.head, name_of_head(path), public_key)
    return replace(found, signed_by=signed.keys, signatures_checked=signed.checked, anchored=signed.vouched)


def sign(path: Path, key: Path) -> Path:
    """Sign the head of a run folder or bundle that is intact; gives the file written beside it, with the signatures
    that stood in it before.

    Raises
    ------
    As ``verify``; IntegrityError also when what is listed is not there as listed.
    """
    found = verify(path)
    if not found.intact:
        raise IntegrityError("Wanted to sign what is intact", found.sentence(), "take it from a copy")
    beside = signature_of(path)
    earlier = beside.read_bytes() if beside.is_file() else None
    beside.write_bytes(signing.sign(found.head, name_of_head(path), key, earlier))
    return beside


def signature_of(path: Path) -> Path:
    """Where the signature of a run folder or bundle stands."""
    return path / manifest.SIGNATURE if path.is_dir() else path.with_name(path.name + signing.SUFFIX)


def name_of_head(path: Path) -> str:
    return f"{manifest.MANIFEST}#head" if path.is_dir() else bundle.HEAD


def _bundle(path: Path) -> Verdict:
    size = path.stat().st_size
    if size > archive.BYTES:
        raise LimitError("Wanted a bundle", f"the file has {size >> 20:,} MiB, at most {archive.BYTES >> 20} are read")
    return check(path.read_bytes(), path.name)


def check(data: bytes, name: str) -> Verdict:
    """Check the bytes of a bundle, that goes by a name until it says of which case it is.

    Raises
    ------
    As ``verify``.
    """
    opened = archive.unpack(data)
    entries = opened.entries
    if bundle.MANIFEST not in entries:
        if data and not data.startswith(b"PK") and bundle.MANIFEST.encode() not in data:
            raise UsageError("Wanted a run folder or bundle", f"{printable(name)} is neither",
                             "lineage bundle writes one")
        if opened.fault or not entries:
            raise IntegrityError("Wanted a bundle as it was written", opened.fault or "it is empty",
                                 "take it from a copy")
        raise NothingAssessableError(f"Wanted {bundle.MANIFEST} in {name}", "it is missing", "name a bundle")
    chained = _chained(entries[bundle.MANIFEST])
    listed = {one["path"]: one for one in chained}
    changed = [path for path, one in listed.items()
               if path in entries and bundle.entry(path, entries[path]) != _bare(one)]
    missing = {*listed, *bundle.UNLISTED} - set(entries)
    head = _expected_head(chained, entries.get(bundle.RULES, b""), intact=bundle.RULES not in {*changed, *missing})
    expected = {bundle.PROOFS: bundle.proofs(chained)}
    if head is not None:
        expected[bundle.HEAD] = manifest.canonical(head)
    changed += [path for path, wanted in expected.items() if path in entries and entries[path] != wanted]
    if opened.fault:
        changed.append(f"{_ARCHIVE}: {opened.fault}")
    return Verdict(str((head or {}).get("case_id", name)), len(chained), sorted(changed), sorted(missing),
                   sorted(set(entries) - set(listed) - bundle.UNLISTED), kind="bundle", head=head or {})


def _chained(data: bytes) -> list[Row]:
    """The manifest's entries with their hashes; IntegrityError unless chaining them again gives its bytes."""
    try:
        bare = [_bare(json.loads(line)) for line in data.splitlines()]
        chained = manifest.chained(bare)
        as_written = bundle.manifest_bytes(chained) == data and len({one["path"] for one in bare}) == len(bare)
        as_written = as_written and all(isinstance(one["path"], str) for one in bare)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        as_written = False
    if not as_written:
        raise _ALTERED
    return chained


def _bare(one: Row) -> Row:
    return {name: value for name, value in one.items() if name not in ("seq", "prev", "entry_hash")}


def _expected_head(chained: list[Row], rules: bytes, *, intact: bool) -> Row | None:
    """The head that follows from the entries; None where the rules it repeats are not as they were listed."""
    try:
        return bundle.head_of(chained, json.loads(rules)) if intact else None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _ALTERED from None
