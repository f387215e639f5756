"""``lineage bundle``, ``sign`` and ``verify``: the evidence of a decision to hand on, and whether it is as it was."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineage_analytics.commands import console
from lineage_analytics.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from lineage_analytics.reporting.manifest import Verdict

COMPLETE, DEGRADED, ALTERED, MISSING = 0, 3, 4, 5
_KEY_SHOWN = 16
_UNSIGNED = ("An unsigned chain shows accidental change and partial editing; it does not stop whoever rewrites the "
             "whole {}.")


def bundle(given: argparse.Namespace) -> int:
    from lineage_analytics.commands.reading import analysed
    from lineage_analytics.reporting import bundle as bundles

    held = analysed(given)
    made = bundles.make(held.decisions, held.estate, given.id, given.records)
    target = given.bundle_file or Path(f"{made.case_id}.zip")
    _write(target, made.data)
    signature = _signed(target, given.sign)
    said = {"case_id": made.case_id, "file": str(target), "bytes": len(made.data), "records": made.records,
            "places": made.places, "raw": made.raw, "raw_doubtful": made.doubtful, "raw_with_text": made.holding_text,
            "head": made.head, "signature": signature}
    if given.json:
        console.document(said)
    else:
        print(f"{target}: decision {made.case_id}, {_many(made.records, 'record')}, {made.head['count']} entries")
    _told(said, given=bool(given.records))
    return DEGRADED if given.records and (made.raw < made.places or made.doubtful) else COMPLETE


def _told(said: dict[str, Any], *, given: bool) -> None:
    """What a reader of the bundle should know, to stderr."""
    if given:
        console.note(f"{said['raw']} of {_many(said['places'], 'raw record')} cut out of the files given")
    else:
        console.note("Raw records are not in it: name the files as delivered with --records")
    if said["raw_doubtful"]:
        console.note(f"{_many(said['raw_doubtful'], 'raw record')} read alone gave another record id; see records/")
    if said["raw_with_text"]:
        console.note(f"{_many(said['raw_with_text'], 'raw record')} hold what people wrote, which loading leaves out")


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _write(target: Path, data: bytes) -> None:
    """Whole or not at all; another bundle of that name stays as it is."""
    if target.is_file() and target.read_bytes() != data:
        raise UsageError(f"Wanted to write {target}", "another file of that name is there", "choose another with --out")
    fresh = target.with_name(f".{target.name}-{os.getpid()}")
    try:
        fresh.write_bytes(data)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def sign(given: argparse.Namespace) -> int:
    if given.key is None:
        raise UsageError("Wanted --key", "no key was given", "openssl genpkey -algorithm ed25519 -out key.pem")
    print(_signed(given.path, given.key))
    return COMPLETE


def _signed(path: Path, key: Path | None) -> str | None:
    from lineage_analytics.reporting import verifying

    return str(verifying.sign(path, key)) if key is not None else None


def verify(given: argparse.Namespace) -> int:
    from lineage_analytics.reporting import growth, verifying

    verdict = verifying.verify(given.path, given.public_key)
    grown = growth.check(given.path, given.extends) if given.extends is not None and verdict.intact else None
    if given.json:
        console.document({
            f"{verdict.kind}_id": verdict.id, "kind": verdict.kind, "intact": verdict.intact,
            "anchored": verdict.anchored, "signed_by": list(verdict.signed_by),
            "signatures_checked": verdict.signatures_checked, "entries": verdict.count, "changed": verdict.changed,
            "missing": verdict.missing, "unlisted": verdict.unlisted,
            **({} if grown is None else {"extends": grown.document()})})
    else:
        print(verdict.sentence())
        _explain(verdict)
        if grown is not None:
            print(grown.sentence())
    return _code(verdict, given, altered=bool(grown and grown.changed), missing=bool(grown and grown.missing))


def _explain(verdict: Verdict) -> None:
    keys = ", ".join(f"{key[:_KEY_SHOWN]}..." for key in verdict.signed_by)
    if verdict.intact and not verdict.anchored:
        what = "folder" if verdict.kind == "run" else verdict.kind
        console.note(_UNSIGNED.format(what) if not keys else
                     f"Signed by key {keys}. Whose key that is, only you can know: name the signer's with --public-key."
                     + ("" if verdict.signatures_checked else " The signature was not checked: it takes the extra "
                        "signatures."))
    elif verdict.anchored:
        console.note(f"Signed by key {keys}")


def _code(verdict: Verdict, given: argparse.Namespace, *, altered: bool, missing: bool) -> int:
    if verdict.changed or verdict.unlisted or altered:
        return ALTERED
    if verdict.missing or missing:
        return MISSING
    wanted = given.require_anchor or given.public_key is not None
    return DEGRADED if wanted and not verdict.anchored else COMPLETE
