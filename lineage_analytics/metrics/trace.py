"""From a number to its objects to the records behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics.errors import UsageError, did_you_mean
from lineage_analytics.metrics import words
from lineage_analytics.metrics.catalog import find
from lineage_analytics.tables import FACTS
from lineage_analytics.text import ascii_only

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts
    from lineage_analytics.metrics import Measured

_SETS = ("numerator", "denominator", "unknown", "excluded")
_NUMBERS = ("numerator", "denominator", "n_unknown", "n_excluded", "value", "ci_low", "ci_high", "worst_case",
            "best_case", "status", "reason", "unit")
_PER_OBJECT = 5


def trace(
    measured: Measured, facts: Facts, metric_id: str, scope: str | None = None, limit: int = 20
) -> dict[str, Any]:
    """The measure, its objects set by set, and for each object the records behind it with file and place.

    Parameters
    ----------
    metric_id, scope : which measure; scope None: all its scopes.
    limit : objects shown per set; ``count`` says how many there are.

    Returns
    -------
    dict with ``metric_id title question numerator denominator needs`` and ``scopes``: per scope its numbers, ``words``
    and ``sets``, each with ``count``, ``objects`` (``object_id object_kind label reason records``) and ``listed``, of
    how many these are the first: objects of the numerator are not listed again under the denominator.

    Raises
    ------
    UsageError : no such metric or scope.
    """
    metric = find(metric_id if metric_id in measured.measures["metric_id"] else metric_id.upper())
    rows = measured.measures.filter(pl.col("metric_id") == metric.metric_id)
    if scope is not None:
        if scope not in rows["scope"]:
            raise UsageError(f"Wanted a scope of {metric.metric_id}", f"found {ascii_only(scope, 40)!r}",
                             did_you_mean(scope, rows["scope"]))
        rows = rows.filter(pl.col("scope") == scope)
    evidence = measured.evidence.filter(pl.col("metric_id") == metric.metric_id)
    picked = {row["scope"]: _objects(evidence.filter(pl.col("scope") == row["scope"]), limit)
              for row in rows.iter_rows(named=True)}
    labels = dict(facts.frame("identities").select("id", "display_name").rows())
    places = _places(facts, {record for sets in picked.values() for found in sets.values()
                             for one in found["objects"] for record in one["source_rows"]})
    for sets in picked.values():
        for found in sets.values():
            for one in found["objects"]:
                one["label"] = labels.get(one["object_id"])
                one["records"] = [places.get(record, {"record_id": record}) for record in one.pop("source_rows")]
    return {
        "metric_id": metric.metric_id, "title": metric.title, "question": metric.question,
        "numerator": metric.numerator, "denominator": metric.denominator, "needs": metric.needs,
        "scopes": [{"scope": row["scope"], "words": words.measure_words(row), **{n: row[n] for n in _NUMBERS},
                    "sources": row["sources"], "sets": picked[row["scope"]]} for row in rows.iter_rows(named=True)],
    }


def _objects(evidence: pl.DataFrame, limit: int) -> dict[str, dict[str, Any]]:
    """Per set how many objects it has and the first of them, in order of their ids."""
    found = {}
    inside = evidence.filter(pl.col("set") == "numerator")
    for name in _SETS:
        held = evidence.filter(pl.col("set") == name).sort("object_id")
        shown = held
        if name == "denominator":
            shown = held.join(inside, on="object_id", how="anti", maintain_order="left")
        objects = shown.head(limit).select(
            "object_id", "object_kind", "reason", pl.col("source_rows").list.head(_PER_OBJECT)).to_dicts()
        found[name] = {"count": held.height, "listed": shown.height, "objects": objects}
    return found


def _places(facts: Facts, wanted: set[str]) -> dict[str, dict[str, Any]]:
    """Where records stand: source, file, member and ordinal, from whichever fact table holds them."""
    if not wanted:
        return {}
    ids = pl.DataFrame({"record_id": sorted(wanted)})
    parts = []
    for table in FACTS:
        if {"record_id", "raw_ref"} <= set(table.schema):
            moment = next((c for c in ("time", "snapshot_at", "as_of") if c in table.schema), None)
            parts.append(facts[table.name].join(ids.lazy(), on="record_id", how="semi").select(
                "record_id", "source", "raw_ref",
                (pl.col(moment) if moment else pl.lit(None)).cast(pl.Datetime("us", "UTC")).alias("time")).collect())
    held = pl.concat(parts).sort("record_id", "time", nulls_last=True).unique(
        "record_id", keep="first", maintain_order=True)
    files = facts.frame("ledger").select(
        pl.col("file_sha256"), pl.col("file")).sort("file").unique("file_sha256", keep="first")
    named = held.with_columns(
        file_sha256=pl.col("raw_ref").struct.field("file_sha256"), member=pl.col("raw_ref").struct.field("member"),
        offset=pl.col("raw_ref").struct.field("offset")).join(files, on="file_sha256", how="left")
    return {
        row["record_id"]: {
            "record_id": row["record_id"], "source": row["source"], "file": row["file"], "member": row["member"],
            "offset": row["offset"], "file_sha256": row["file_sha256"],
            "time": row["time"].isoformat().replace("+00:00", "Z") if row["time"] else None}
        for row in named.iter_rows(named=True)
    }


def as_text(traced: dict[str, Any]) -> str:
    """A trace for a terminal: printable ASCII, values from logs escaped."""
    lines = [f"{traced['metric_id']}  {traced['title']}", f"  numerator    {traced['numerator']}",
             f"  denominator  {traced['denominator']}"]
    for scope in traced["scopes"]:
        lines += ["", f"{scope['scope']}: {scope['words']}"]
        for name, held in scope["sets"].items():
            lines += _set_lines(name, held)
    return "\n".join(ascii_only(line, 1000) for line in lines)


def _set_lines(name: str, held: dict[str, Any]) -> list[str]:
    shown = held["objects"]
    if not held["count"]:
        return []
    title = f"  {name}, {held['count']:,}"
    lines = [title + (", those not in the numerator:" if name == "denominator" and shown else ":" if shown else "")]
    for one in shown:
        label = f", {one['label']}" if one["label"] and one["label"] not in one["object_id"] else ""
        lines.append(f"    {one['object_id']} ({one['object_kind']}{label}): {one['reason'] or ''}")
        lines += [f"      {_record(record)}" for record in one["records"]]
    rest = held["listed"] - len(shown)
    if rest > 0:
        lines.append(f"    and {rest:,} more")
    return lines


def _record(record: dict[str, Any]) -> str:
    if not record.get("source"):
        return str(record["record_id"])
    member = f" > {record['member']}" if record["member"] else ""
    place = f"{record['file'] or record['file_sha256']}{member} #{record['offset']}"
    return f"{record['record_id']}  {record['source']}  {place}  {record['time'] or ''}".rstrip()
