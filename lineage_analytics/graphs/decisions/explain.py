"""One decision in words: from the case to the records behind every statement of it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics.errors import UsageError, did_you_mean
from lineage_analytics.graphs.decisions.elements import NOT_STATED
from lineage_analytics.text import ascii_only

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.graphs.decisions import DecisionLineage

Row = dict[str, Any]
_SUGGESTED = 2_000
_SHOWN = 5
_WHOLE = 400
_WIDTH = 110
_FOLDED = textwrap.TextWrapper(
    _WIDTH, subsequent_indent=" " * 13, replace_whitespace=False, break_long_words=False, break_on_hyphens=False)
_VERDICTS = {
    "approved_before": "APPROVED BEFORE EXECUTION", "retroactive": "APPROVED ONLY AFTER EXECUTION",
    "order_uncertain": "APPROVED, ORDER UNCERTAIN", "denied": "DENIED", "absent": "NO APPROVAL ON RECORD",
    "not_required": "NO APPROVAL REQUIRED", "automated_policy": "APPROVED BY A RULE, NOT BY A PERSON",
    "expired": "APPROVAL HAD RUN OUT", "contradicted": "RECORDS CONTRADICT EACH OTHER", "unknown": "APPROVAL UNKNOWN",
}
_INDEPENDENT = {"yes": "yes", "no": "NO, the person who asked or benefits", "unknown": "unknown",
                "by_account_only": "another account; whether another person is not known"}


def explained(lineage: DecisionLineage, identifier: str) -> Row:
    """Everything the lineage says of one case; UsageError for an id it does not know."""
    case = _case(lineage, identifier)
    case_id = case["case_id"]
    steps = lineage.steps.filter(pl.col("case_id") == case_id).sort("time", "step_id").to_dicts()
    own = [step["step_id"] for step in steps]
    links = lineage.links.filter(pl.col("src").is_in(own) | pl.col("dst").is_in(own)).to_dicts()
    records = sorted({record for step in steps for record in step["record_ids"]})
    return {
        "case": case, "steps": steps, "links": links,
        "gaps": lineage.gaps.filter(pl.col("case_id") == case_id).to_dicts(),
        "elements": lineage.elements.filter(pl.col("case_id") == case_id).to_dicts(),
        "rejects": lineage.link_rejects.filter(pl.col("src").is_in(own)).to_dicts(),
        "records": _records(lineage, records), "agents": _agents(lineage, case, steps),
        "rolled_back_by": _other(lineage, case["rolled_back_by"]), "rolls_back": _other(lineage, case["rolls_back"]),
        "as_of": lineage.facts.as_of if lineage.facts is not None else None,
    }


def _case(lineage: DecisionLineage, identifier: str) -> Row:
    cases, steps = lineage.cases, lineage.steps
    found = cases.filter(pl.col("case_id") == identifier)
    if not found.height:
        found = _by_part(lineage, identifier)
    if found.height > 1:
        shown = [f"{row[0]} ({_t(row[1])} {_p(row[2], 50)})" for row in found.select(
            "case_id", "time", "operation").head(_SHOWN).iter_rows()]
        more = f" and {found.height - _SHOWN:,} more" if found.height > _SHOWN else ""
        raise UsageError("Wanted the id of one decision", f"found {found.height:,} that {ascii_only(identifier, 80)!r} "
                         "is part of", f"explain one of them: {', '.join(shown)}{more}")
    if not found.height:
        candidates = [*cases["case_id"].head(_SUGGESTED), *steps["event_id"].drop_nulls().head(_SUGGESTED)]
        close = did_you_mean(identifier, candidates)
        raise UsageError("Wanted a case, step, record or event id of an identity change",
                         f"found {ascii_only(identifier, 80)!r}",
                         close if close.startswith("Did") else "a read or a sign-in is no change; see the table steps")
    return found.row(0, named=True)


def _by_part(lineage: DecisionLineage, identifier: str) -> pl.DataFrame:
    """Cases anchored on an event, else those with a step of this id or with a record of this id or event."""
    cases, steps = lineage.cases, lineage.steps
    anchored = cases.filter(pl.col("anchor_event_id") == identifier)
    if anchored.height == 1:
        return anchored
    records = [identifier]
    if lineage.facts is not None:
        told = lineage.facts["decision_steps"].filter(pl.col("event_id") == identifier)
        records += told.select(pl.col("record_id").unique()).collect()["record_id"].to_list()
    known = steps.filter(
        (pl.col("step_id") == identifier) | ((pl.col("event_id") == identifier) & (pl.col("event_id") != NOT_STATED))
        | (pl.col("record_ids").list.eval(pl.element().is_in(records)).list.any()))
    return cases.filter(pl.col("case_id").is_in(known["case_id"].implode())).sort("time", "case_id")


def _records(lineage: DecisionLineage, ids: list[str]) -> list[Row]:
    """Where each record stands: file, archive member and position."""
    if lineage.facts is None:
        return [{"record_id": record, "event_id": None} for record in ids]
    tables = [lineage.facts[name].filter(pl.col("record_id").is_in(ids)).select(
        "record_id", "event_id", "source", "raw_ref") for name in ("decision_steps", "assistant_access")]
    frame = pl.concat(tables).sort(
        "record_id", pl.col("raw_ref").struct.field("file_sha256"), pl.col("raw_ref").struct.field("offset"),
        nulls_last=True).unique("record_id", keep="first", maintain_order=True).collect()
    files = dict(lineage.facts.frame("ledger").select("file_sha256", "file").unique("file_sha256").iter_rows())
    rows = []
    for row in frame.sort("record_id").iter_rows(named=True):
        ref = row["raw_ref"] or {}
        rows.append({
            "record_id": row["record_id"], "event_id": row["event_id"], "source": row["source"],
            "file": files.get(ref.get("file_sha256")), "member": ref.get("member"), "position": ref.get("offset"),
            "file_sha256": ref.get("file_sha256")})
    return rows


def _agents(lineage: DecisionLineage, case: Row, steps: list[Row]) -> dict[str, str]:
    ids = {case[name] for name in ("approver_id", "initiator_id", "accountable_id")}
    ids |= {agent for step in steps for agent in step["agent_ids"]}
    if lineage.facts is None:
        return {}
    frame = lineage.facts.frame("identities").filter(pl.col("id").is_in(sorted(i for i in ids if i)))
    return {row[0]: row[1] for row in frame.select("id", "display_name").sort("id").iter_rows() if row[1]}


def _other(lineage: DecisionLineage, case_id: str | None) -> Row | None:
    if case_id is None:
        return None
    row = lineage.cases.filter(pl.col("case_id") == case_id).row(0, named=True)
    return {name: row[name] for name in ("case_id", "time", "operation", "initiator_id", "anchor_event_id",
                                         "approval_verdict")}


def as_text(found: Row) -> str:
    """The explanation as lines of printable ASCII."""
    case = found["case"]
    lines = [
        f"DECISION {case['case_id']}   tenant {_p(case['tenant'])}   as of {_t(found['as_of'])}",
        f"Change   {_p(case['title'], 96)}",
        f"Class    {_class(case)}   Status  {case['status'].replace('_', ' ')}",
        f"Verdict  {_VERDICTS[case['approval_verdict']]}{_order(found)}",
    ]
    if case["approver_id"]:
        lines.append(f"Approver {_who(found, case['approver_id'])}   independent: {_INDEPENDENT[case['independent']]}")
    lines += [
        f"Asked by {_who(found, case['initiator_id'])}",
        f"Answers  {_who(found, case['accountable_id'])} ({case['accountable_rule'].replace('_', ' ')})",
        f"Way back {case['rollback_path']}, {case['reversibility'].replace('_', ' ')}{_back(found)}",
        "",
    ]
    numbers = {step["step_id"]: number for number, step in enumerate(found["steps"], 1)}
    where = {record["record_id"]: record for record in found["records"]}
    for step in found["steps"]:
        lines += _step(found, step, numbers, where)
    lines += ["", " GAPS" if found["gaps"] else " GAPS  none"]
    for number, gap in enumerate(found["gaps"], 1):
        source = f"; expected in {_p(gap['expected_source'])}" if gap["expected_source"] else ""
        said = gap["effect_on_verdict"].removeprefix(f"{gap['reason']}: ")
        lines.append(f"  g{number} {gap['element']:<16} {gap['reason']:<24} {_p(said, 100)}{source}")
    if found["rejects"]:
        lines.append(" NOT LINKED")
        lines += [f"  {reject['rel']}: {_p(', '.join(reject['candidates']), 80)} ({reject['reason']})"
                  for reject in found["rejects"]]
    lines = [part for line in lines for part in (_FOLDED.wrap(line) if len(line) > _WIDTH else (line,))]
    lines += ["", f" RECORDS  {len(found['records'])}"]
    lines += [f"  {record['record_id']}  {_place(record, _WHOLE)}" for record in found["records"]]
    return "\n".join(lines)


def _step(found: Row, step: Row, numbers: dict[str, int], where: dict[str, Row]) -> list[str]:
    number = numbers[step["step_id"]]
    verdict = f" {step['verdict'].upper()}" if step["verdict"] else ""
    who = _who(found, step["agent_ids"][0]) if step["agent_ids"] else "nobody named"
    lines = [f" [{number}] {step['kind']:<10} {_t(step['time'])}  {_p(step['operation'], 70)}{verdict}",
             f"     by      {who} ({step['agent_class'].replace('_', ' ')})   authority "
             f"{step['authority_mode'].replace('_', ' ')}"]
    for link in found["links"]:
        if link["src"] == step["step_id"]:
            other = f"[{numbers[link['dst']]}]" if link["dst"] in numbers else f"step {link['dst']}"
            lines.append(f"     link    {link['rel']} {other}, {link['method']} tier {link['tier']} "
                         f"({link['confidence']:.2f}), {-link['delta_seconds']:+,.0f} s, "
                         f"skew band {link['skew_band_s']:,.0f} s")
    lines.append(f"     source  {step['source']} event {_p(step['event_id'], 60)}  "
                 f"{_place(where.get(step['record_ids'][0], {}))}")
    return lines


def _class(case: Row) -> str:
    name = str(case["involvement_class"]).replace("_", " ")
    return f"{name}: {case['involvement_bounds'].replace('_', ' ')}" if case["involvement_bounds"] else name


def _order(found: Row) -> str:
    case = found["case"]
    if case["approval_verdict"] in ("unknown", "absent"):
        gap = next((g for g in found["gaps"] if g["element"] == "decision"), None)
        return f": {gap['reason']}" if gap else ""
    return f"   order {case['order_verdict'].replace('_', ' ')}" if case["order_verdict"] != "none" else ""


def _back(found: Row) -> str:
    undone, undoes = found["rolled_back_by"], found["rolls_back"]
    if undone is not None:
        minutes = (undone["time"] - found["case"]["time"]).total_seconds() / 60
        return (f"; rolled back {_t(undone['time'])} by {_p(undone['operation'], 50)} after {minutes:,.0f} min "
                f"({undone['case_id']})")
    if undoes is not None:
        return f"; this takes back {_p(undoes['operation'], 50)} of {_t(undoes['time'])} ({undoes['case_id']})"
    return ""


def _who(found: Row, identity: str | None) -> str:
    if identity is None:
        return "not known"
    name = found["agents"].get(identity)
    return f"{_p(name, 40)} [{_p(identity, 80)}]" if name else _p(identity, 90)


def _place(record: Row, limit: int = 70) -> str:
    if not record.get("file"):
        return "record without a file"
    member = f"!{_p(record['member'], 60)}" if record["member"] else ""
    return f"{_p(record['file'], limit)}{member}:{record['position']}"


def _t(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%SZ") if moment else "unknown time"


def _p(value: object, limit: int = _WIDTH) -> str:
    """Printable ASCII of at most ``limit`` characters, also where escapes make the text longer than it was."""
    text = "not stated" if value is None else ascii_only(value, limit)
    return text if len(text) <= limit else text[: limit - 3] + "..."
