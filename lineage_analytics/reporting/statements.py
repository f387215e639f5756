"""Coverage statements: what was received of a source, what is missing of it, and what its provider vouches for.

A chain of hashes cannot show that a file was never put in. This is where that is claimed, and can be challenged
(decision-lineage 10.3).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics.workspace import integrity, sequences
from lineage_analytics.workspace import sources as source_report

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lineage_analytics.facts import Facts

Row = dict[str, Any]
Key = tuple[str, str | None]
SIGNED_AT_SOURCE = "aws_cloudtrail"
"""The one source whose provider signs what it delivers."""
_FAULTS = frozenset({"differs", "chain_broken", "forged"})
_LEDGER = ("seen", "accepted", "duplicate", "quarantined", "rejected")


def coverage(facts: Facts, wanted: Iterable[Key], files: Iterable[str]) -> list[Row]:
    """One statement per source and tenant, sorted.

    Parameters
    ----------
    wanted : sources and tenants; tenant None stands for all of the source, and for a source never received.
    files : SHA-256 of the files whose records are cited.

    Returns
    -------
    dicts with ``source tenant state first last records days missing_days quiet_days lateness_declared_s
    first_event_id last_event_id files sequence_gaps collection_tool upstream_integrity upstream``; null: not known.
    ``files`` counts those received, cut off, and, where digests list what was delivered, expected.
    ``upstream_integrity`` is of the cited files: verified, failed, not_available (the provider signs nothing) or
    not_checked. ``collection_tool`` is null: no export names it.
    """
    asked = sorted(set(wanted), key=lambda key: (key[0], key[1] or ""))
    names = sorted({source for source, _ in asked})
    held = source_report.sources(facts).filter(pl.col("source").is_in(names)).to_dicts()
    ledger = facts.frame("ledger").filter(pl.col("source").is_in(names)).to_dicts()
    numbers = sequences.sequence_gaps(facts).filter(pl.col("source").is_in(names)).to_dicts()
    upstream = _Upstream(facts, files) if SIGNED_AT_SOURCE in names else None
    made: list[Row] = []
    for source, tenant in asked:
        rows = [row for row in held if row["source"] == source and tenant in (None, row["tenant"])]
        never = dict.fromkeys(source_report.SCHEMA) | {"source": source, "tenant": tenant, "state": "not_received"}
        made += [_statement(facts, row, ledger, numbers, upstream) for row in rows or [never]]
    keyed = {(row["source"], row["tenant"] or ""): row for row in made}
    return [row for _, row in sorted(keyed.items())]


def _statement(facts: Facts, row: Row, ledger: list[Row], numbers: list[Row], upstream: _Upstream | None) -> Row:
    booked = [one for one in ledger if one["source"] == row["source"]]
    first, last = _ends(facts, row)
    signs = row["source"] == SIGNED_AT_SOURCE and upstream is not None
    verdict, detail = upstream.of(row["tenant"]) if signs and upstream else ("not_available", {})
    return {
        **{name: row[name] for name in ("source", "tenant", "state", "first", "last", "records", "days", "missing_days",
                                        "quiet_days", "lateness_declared_s")},
        "first_event_id": first, "last_event_id": last,
        "files": {
            "received": len({one["file_sha256"] for one in booked}),
            "cut_off": len({one["file_sha256"] for one in booked if one["truncated"]}),
            "expected": upstream.expected(row["tenant"]) if signs and upstream else None,
            **{name: sum(one[name] for one in booked) for name in _LEDGER}},
        "sequence_gaps": [{name: one[name] for name in ("stream", "first_number", "last_number", "missing", "gaps")}
                          for one in numbers if one["source"] == row["source"]],
        "collection_tool": None, "upstream_integrity": verdict, "upstream": detail,
    }


def _ends(facts: Facts, row: Row) -> tuple[str | None, str | None]:
    """Native ids of the first and the last event; the smallest where several share the moment."""
    if row["first"] is None:
        return None, None
    of = (pl.col("source") == row["source"]) & pl.col("tenant").eq_missing(pl.lit(row["tenant"], dtype=pl.String))
    found = facts["activity"].filter(of & pl.col("time").is_in([row["first"], row["last"]])).select(
        "time", "event_id").drop_nulls().sort("time", "event_id").unique("time", keep="first").collect()
    ids: dict[Any, str] = dict(found.iter_rows())
    return ids.get(row["first"]), ids.get(row["last"])


class _Upstream:
    """What signed digests say of the cited files, by tenant."""

    def __init__(self, facts: Facts, files: Iterable[str]) -> None:
        booked = facts["ledger"].filter(pl.col("file_sha256").is_in(sorted(set(files)))).select("file", "source")
        self._cited = {file.rpartition("/")[2] for file, source in booked.collect().iter_rows()
                       if source == SIGNED_AT_SOURCE}
        self._rows = integrity.checks(facts).to_dicts()
        listed = facts["resources"].filter(pl.col("kind") == "log_file").select("id", "display_name", "parent_id")
        self._listed = listed.unique().collect().rows()

    def expected(self, tenant: str | None) -> int | None:
        """Log files that the loaded digests list; None where none is loaded."""
        rows = self._of(tenant)
        return len({row["object_id"] for row in rows if row["kind"] == "log_file"}) if rows else None

    def _of(self, tenant: str | None) -> list[Row]:
        return [row for row in self._rows if tenant in (None, row["tenant"])]

    def of(self, tenant: str | None) -> tuple[str, Row]:
        """The verdict, and the counts behind it.

        Failed: any file of the tenant is not the one that was delivered, or a digest is forged or breaks the chain.
        Verified: none is, and of every cited file a digest is loaded that the provider's signature holds over.
        """
        rows = self._of(tenant)
        stated = {row["object_id"]: row["verdict"] for row in rows if row["kind"] == "log_file"}
        signed = {row["object_id"] for row in rows if row["verdict"] == "signed"}
        cited: dict[str, set[str]] = {name: {"in no digest"} for name in self._cited}
        for identity, name, digest in self._listed:
            if name in cited and identity in stated:
                found = stated[identity] if stated[identity] != "matches" else (
                    "matches a signed digest" if digest in signed else "matches a digest nobody checked")
                cited[name] = cited[name] - {"in no digest"} | {found}
        files = Counter(" and ".join(sorted(found)) for found in cited.values())
        everything = Counter(row["verdict"] for row in rows)
        detail = {"cited_files": dict(sorted(files.items())), "files_and_digests": dict(sorted(everything.items()))}
        if _FAULTS & set(everything):
            return "failed", detail
        good = bool(cited) and all("matches a signed digest" in found for found in cited.values())
        return ("verified" if good else "not_checked"), detail
