"""The evidence of one decision as one file: what is said of it, the records it stands on, and proof of both.

A bundle is a zip (``archive``) of the explanation, the case's rows, every record that these cite, coverage statements
of the sources concerned, and the rules; ``manifest.jsonl`` chains the files, ``manifest.head.json`` holds the last hash
and the Merkle root, ``proofs.json`` shows of each record entry that it is under that root. Equal facts, equal bytes.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
from dataclasses import dataclass
from datetime import date, datetime
from importlib import resources
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics import __version__, tables
from lineage_analytics.graphs import decisions as decisions_room
from lineage_analytics.graphs import provenance
from lineage_analytics.graphs.decisions import steps as decision_steps
from lineage_analytics.loaders import loaders
from lineage_analytics.loaders.common.inputs import InputFile
from lineage_analytics.loaders.common.places import existing, input_files
from lineage_analytics.reporting import archive, manifest, raw_records, statements
from lineage_analytics.reporting.raw_records import Place
from lineage_analytics.reporting.records import as_json, stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.decisions import DecisionLineage

Row = dict[str, Any]
MANIFEST, HEAD, PROOFS, RULES = "manifest.jsonl", "manifest.head.json", "proofs.json", "rules.json"
UNLISTED = frozenset({MANIFEST, HEAD, PROOFS})
"""What a manifest cannot list: itself and what follows from it."""
_KINDS = {
    "records/": "records", "raw/": "source", "inputs.jsonl": "source", "coverage.jsonl": "coverage", RULES: "rules",
    "tool.json": "tool", "lineage/cases.jsonl": "nodes", "lineage/steps.jsonl": "nodes", "lineage/links.jsonl": "edges",
    "lineage/link_rejects.jsonl": "edges", "lineage/gaps.jsonl": "gaps",
}
CONSIDERED = 100
_HELD = tuple(table.name for table in tables.FACTS if {"record_id", "raw_ref"} <= set(table.schema))
_NAME = re.compile(r"[^A-Za-z0-9_.-]")


@dataclass(frozen=True)
class Bundle:
    """A bundle's bytes and what to tell of it.

    ``raw`` of the ``places`` of its records were cut out of the files given; of these ``doubtful`` do not give the
    record they should, ``holding_text`` hold what people wrote.
    """

    case_id: str
    data: bytes
    head: Mapping[str, Any]
    records: int
    places: int
    raw: int
    doubtful: int
    holding_text: int


def make(lineage: DecisionLineage, facts: Facts, identifier: str, records: Iterable[str | Path] = ()) -> Bundle:
    """The bundle of the case that an id means.

    Parameters
    ----------
    identifier : case, step, record or native event id, as ``explain`` takes it.
    records : folders and files as delivered, from which to cut the raw records; none: those are left out.

    Raises
    ------
    UsageError : an id that is not known, or that means several cases, or a path that does not exist. LimitError :
    larger than a bundle may be.
    """
    delivered = [found for path in records for found in existing(path)]
    case_id = str(lineage.explained(identifier)["case"]["case_id"])
    explained = lineage.explained(case_id, delivered)  # the same, by whatever id it was asked for
    rows = _rows(lineage, case_id)
    cited = _cited(rows, explained)
    held = _held(facts, cited)
    places = {place: source for found in held.values() for place, source in _places(found).items()}
    files = [file for file in input_files(delivered) if isinstance(file, InputFile)]
    cuts = raw_records.cut(files, places)
    named = _files(facts, {place.file_sha256 for place in places})
    entries = {
        "README.txt": _README.encode(), "explanation.txt": (str(lineage.explain(case_id, delivered)) + "\n").encode(),
        "explanation.json": as_json(plain(explained)),
        **{f"lineage/{name}.jsonl": _lines(found) for name, found in rows.items()},
        "lineage/prov.json": provenance.prov_json(lineage, [case_id]),
        "inputs.jsonl": _lines(named), "coverage.jsonl": _lines(_coverage(facts, rows, held, places)),
        RULES: as_json(_rules(facts, case_id)), "tool.json": as_json(_tool()),
    }
    for record in cited:
        entries |= _record(record, held.get(record, {}), named, cuts, given=bool(delivered))
    data, head = sealed(entries, _rules(facts, case_id))
    return Bundle(
        case_id, data, head, len(cited), len(places), len(cuts),
        sum(record not in cuts[place].record_ids for record, found in held.items() for place in _places(found)
            if place in cuts),
        sum(one.holds_text for one in cuts.values()))


# What follows from the entries: written by ``make``, written again by whoever verifies.

def sealed(entries: Mapping[str, bytes], rules: Mapping[str, Any]) -> tuple[bytes, Row]:
    """The archive of the entries with their manifest, head and proofs; and the head."""
    chained = manifest.chained(entry(name, data) for name, data in sorted(entries.items()))
    head = head_of(chained, rules)
    return archive.pack({**entries, MANIFEST: manifest_bytes(chained), HEAD: manifest.canonical(head),
                         PROOFS: proofs(chained)}), head


def entry(name: str, data: bytes) -> Row:
    """A manifest entry before it is chained."""
    kind = next((kind for begin, kind in _KINDS.items() if name.startswith(begin)), "report")
    return {"path": name, "kind": kind, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def manifest_bytes(chained: Iterable[Mapping[str, Any]]) -> bytes:
    """One canonical object a line; an entry's own hash follows from its line and is not in it."""
    return b"".join(manifest.canonical({name: value for name, value in one.items() if name != "entry_hash"}) + b"\n"
                    for one in chained)


def head_of(chained: list[Row], rules: Mapping[str, Any]) -> Row:
    """The head: what the last hash, the root and the rules say."""
    return {"kind": "bundle", "case_id": rules["case_id"], "as_of": rules["as_of"], "rules": rules["decision_rules"],
            "count": len(chained), "entry_hash": chained[-1]["entry_hash"] if chained else manifest.START,
            "merkle_root": manifest.tree(chained).root()}


def proofs(chained: list[Row]) -> bytes:
    """Of each record, raw or canonical: its place among the entries and the hashes that lead to the root."""
    tree = manifest.tree(chained)
    found = [{"path": one["path"], "seq": one["seq"], "entry_hash": one["entry_hash"],
              "proof": tree.inclusion(one["seq"])}
             for one in chained if one["path"].startswith(("records/", "raw/"))]
    return as_json({"size": len(chained), "merkle_root": tree.root(), "entries": found})


# What is put in.

def _rows(lineage: DecisionLineage, case_id: str) -> dict[str, list[Row]]:
    """The case's rows by table. Steps of other cases that a link leads to are there too, with the case they belong to,
    and the first CONSIDERED of those that were looked at and not linked."""
    steps = lineage.steps.filter(pl.col("case_id") == case_id)
    own = steps["step_id"].implode()
    links = lineage.links.filter(pl.col("src").is_in(own) | pl.col("dst").is_in(own))
    rejects = lineage.link_rejects.filter(pl.col("src").is_in(own))
    considered = rejects["candidates"].explode().drop_nulls().unique().sort().head(CONSIDERED)
    ends = pl.concat([links["src"], links["dst"], considered]).unique().implode()
    found = {
        "cases": lineage.cases.filter(pl.col("case_id") == case_id), "links": links,
        "steps": lineage.steps.filter((pl.col("case_id") == case_id) | pl.col("step_id").is_in(ends)),
        "link_rejects": rejects,
        **{name: getattr(lineage, name).filter(pl.col("case_id") == case_id)
           for name in ("decision_findings", "gaps", "elements")},
    }
    return {name: frame.to_dicts() for name, frame in found.items()}


def _cited(rows: Mapping[str, list[Row]], explained: Mapping[str, Any]) -> list[str]:
    """The records that any row or statement rests on, and those that were looked at and not linked."""
    found = {record for held in rows.values() for row in held for record in row.get("record_ids") or ()}
    found |= {row["record_id"] for row in explained["records"]}
    looked_at = {one for row in rows["link_rejects"] for one in row["candidates"] if one.startswith("rec-")}
    return sorted({*found, *sorted(looked_at)[:CONSIDERED]})


def _held(facts: Facts, cited: list[str]) -> dict[str, dict[str, list[Row]]]:
    """Per record the canonical rows it became, by table."""
    found: dict[str, dict[str, list[Row]]] = {}
    wanted = pl.DataFrame({"record_id": cited}, schema={"record_id": pl.String}).lazy()
    for name in _HELD:
        for row in facts[name].join(wanted, on="record_id", how="semi").collect().iter_rows(named=True):
            found.setdefault(row["record_id"], {}).setdefault(name, []).append(row)
    return found


def _places(found: Mapping[str, list[Row]]) -> dict[Place, str]:
    """Where a record stands, with the source that took it. Two places: two deliveries that say different things."""
    places = {}
    for rows in found.values():
        for row in rows:
            ref = row["raw_ref"]
            if ref is not None and ref["file_sha256"] is not None and ref["offset"] is not None:
                places[Place(ref["file_sha256"], ref["member"], ref["offset"])] = row["source"]
    return dict(sorted(places.items(), key=lambda item: (item[0].file_sha256, item[0].member or "", item[0].position)))


def _files(facts: Facts, digests: set[str]) -> list[Row]:
    """What is booked of the files that hold cited records."""
    return facts["ledger"].filter(pl.col("file_sha256").is_in(sorted(digests))).sort(
        "file", "file_sha256", "source").collect().to_dicts()


def _coverage(
    facts: Facts, rows: Mapping[str, list[Row]], held: Mapping[str, Mapping[str, list[Row]]], places: Iterable[Place]
) -> list[Row]:
    """Statements of the sources that the records come from, and of those that would hold what is missing."""
    known = loaders()
    wanted: set[statements.Key] = {(row["source"], row["tenant"]) for found in held.values()
                                   for table in found.values() for row in table}
    there = {source for source, _ in wanted}
    wanted |= {(name, None) for gap in rows["gaps"] for name in re.findall(r"[a-z0-9_]+", gap["expected_source"] or "")
               if name in known and name not in there}
    return statements.coverage(facts, wanted, (place.file_sha256 for place in places))


def _record(
    record: str, found: Mapping[str, list[Row]], named: list[Row], cuts: Mapping[Place, raw_records.Cut], *, given: bool
) -> dict[str, bytes]:
    """The files of one record: its canonical rows with where it stands, and what was cut out there."""
    name = _NAME.sub("_", record)
    entries, stated = {}, []
    files = {row["file_sha256"]: row["file"] for row in reversed(named)}
    for number, (place, source) in enumerate(_places(found).items(), 1):
        said: Row = {"source": source, "file": files.get(place.file_sha256), "file_sha256": place.file_sha256,
                     "member": place.member, "position": place.position, "raw": "not_found" if given else "not_given"}
        if place in cuts:
            path = f"raw/{name}{f'.{number}' if number > 1 else ''}.json"
            entries[path] = cuts[place].raw
            said |= {"raw": path, "content_sha256": cuts[place].content_sha256,
                     "gives_this_record": record in cuts[place].record_ids, "holds_text": cuts[place].holds_text}
        stated.append(said)
    rows = {table: _distinct(held) for table, held in sorted(found.items())}
    document = {"record_id": record, "places": stated, "rows": rows}
    return {**entries, f"records/{name}.json": as_json(document)}


def _distinct(rows: Iterable[Row]) -> list[Row]:
    """The rows once each, in order of what they say: how often a record was delivered does not show."""
    said = {manifest.canonical(row): row for row in map(plain, rows)}
    return [row for _, row in sorted(said.items())]


def _rules(facts: Facts, case_id: str) -> Row:
    """By what the case was judged."""
    inverse = resources.files("lineage_analytics.graphs.decisions").joinpath("data/inverse_operations.csv")
    return {
        "case_id": case_id, "as_of": stamp(facts.as_of), "window_days": facts.window_days,
        "lookback_days": facts.lookback_days, "decision_rules": decisions_room.RULES,
        "inverse_operations_sha256": hashlib.sha256(inverse.read_bytes()).hexdigest(),
        "skew_seconds": {"inside_a_source": decision_steps.SKEW_INSIDE.total_seconds(),
                         "between_sources": decision_steps.SKEW_BETWEEN.total_seconds()},
    }


def _tool() -> Row:
    """By what it was written: the package, and its dependencies as one hash over their names and versions."""
    return {"name": "lineage-analytics", "version": __version__, "dependencies_sha256": _dependencies()}


def _dependencies() -> str | None:
    """SHA-256 over the sorted lines ``name==version`` of what the package requires; null where that is not known."""
    try:
        required = importlib.metadata.requires("lineage-analytics") or []
        names = sorted(re.split(r"[^A-Za-z0-9._-]", one)[0].lower() for one in required if "extra ==" not in one)
        lines = [f"{name}=={importlib.metadata.version(name)}" for name in names]
    except importlib.metadata.PackageNotFoundError:
        return None
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def plain(value: Any) -> Any:
    """The value with times as text and nothing that JSON does not know."""
    if isinstance(value, dict):
        return {str(key): plain(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [plain(held) for held in value]
    if isinstance(value, datetime):
        return stamp(value)
    return value.isoformat() if isinstance(value, date) else value


def _lines(rows: Iterable[Row]) -> bytes:
    return b"".join(manifest.canonical(plain(row)) + b"\n" for row in rows)


_README = """\
The evidence of one decision, written by lineage-analytics.

explanation.txt .json  what the records say of the decision, and what they do not say
lineage/prov.json      the case as W3C PROV
lineage/*.jsonl        its case, steps, links, rejected links, findings, gaps and elements, one JSON object a line;
                       a step with another case_id is one that a link of this case leads to, or that was looked at and
                       not linked (at most 100)
records/*.json         every record that these cite: where it stands (file, archive member, ordinal from 0) and the rows
                       that loading made of it
raw/*.json             the record itself, cut out of the file as delivered, where that file was at hand; a row of a
                       table or an element of XML stands as one JSON object
inputs.jsonl           the files that hold these records, with their SHA-256 as delivered
coverage.jsonl         what was received of each source concerned, what is missing, what its provider vouches for
rules.json tool.json   by which rules and by what it was written
manifest.jsonl         each file with its SHA-256, one a line; prev is the hash of the line before it:
                       SHA-256("la-manifest-v1" LF line), 64 zeros before the first
manifest.head.json     the last hash, the number of lines, and the root of the Merkle tree over the hashes (RFC 9162)
proofs.json            for each record the hashes that lead from its line to that root

Check it: lineage verify FILE. An unsigned chain shows accidental change and partial editing. It does not stop whoever
writes the whole bundle anew; that takes the head signed, or kept elsewhere.
"""
