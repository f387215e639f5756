"""One decision with the records behind every statement of it: found, put together, checked against its records."""

from __future__ import annotations

import hashlib
import html
import importlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics.graphs.decisions import RULES, replay, wording
from lineage_analytics.graphs.decisions.answers import answers
from lineage_analytics.graphs.decisions.lookup import meant

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lineage_analytics.graphs.decisions import DecisionLineage

Row = dict[str, Any]
File = tuple[str | None, str | None]
_CHUNK = 1 << 20
_CHARTS = "lineage_analytics.charts"  # by name: a picture is drawn, and its library loaded, only where one is asked for


class Explanation(str):
    """One decision as printable ASCII; in a notebook as a sentence, a picture and a table.

    ``content`` holds all that is said, with the record ids of each statement; ``sentence`` is the decision in one;
    ``table`` has eight rows, one a question (columns ``question answer records``); ``chart`` is the picture.
    """

    content: Row
    _lineage: DecisionLineage

    def __new__(cls, content: Row, lineage: DecisionLineage) -> Explanation:
        made = super().__new__(cls, wording.as_text(content))
        made.content, made._lineage = content, lineage
        return made

    @cached_property
    def sentence(self) -> str:
        return wording.sentence(self.content)

    @cached_property
    def table(self) -> pl.DataFrame:
        """The eight questions: ``question``, ``answer`` and ``records``, the ids of the records that show it."""
        rows = [(row["question"], wording.answer(self.content, row), row["records"]) for row in self.content["answers"]]
        return pl.DataFrame(rows, schema={"question": pl.String, "answer": pl.String, "records": pl.List(pl.String)},
                            orient="row")

    @cached_property
    def chart(self) -> Any:
        """The decision from left to right (``charts.decision_picture``), an Altair chart."""
        lineage, case = self._lineage, self.content["case"]
        return importlib.import_module(_CHARTS).decision_picture(
            lineage.steps, lineage.links, lineage.gaps, case["case_id"], names=self.content["agents"],
            rejects=lineage.link_rejects)

    def _repr_html_(self) -> str:
        charts = importlib.import_module(_CHARTS)
        shown = self.table.with_columns(
            records=pl.col("records").list.head(3).list.join(", ").replace("", "none"))
        review = [wording.finding(self.content, row) for row in self.content["findings"]]
        return "".join((
            charts.say(self.sentence), charts.figure(self.chart),
            charts.table(shown, f"Decision {self.content['case']['case_id']}"),
            f"<p>Needs review:</p>{charts.points(*review)}" if review else "",
            f"<details><summary>Every step, link, gap and record</summary><pre>{html.escape(self)}</pre></details>",
        ))


def explained(lineage: DecisionLineage, identifier: str, records: Iterable[str | Path] = ()) -> Row:
    """Everything the lineage says of one case, and whether its records give the same again.

    ``records`` are folders or files as delivered: those that records of the case stand in are hashed and compared with
    what was loaded. UsageError for an id that is not known.
    """
    case, found_by = meant(lineage, identifier)
    case_id = case["case_id"]
    steps = lineage.steps.filter(pl.col("case_id") == case_id).sort("time", "step_id").to_dicts()
    own = [step["step_id"] for step in steps]
    links = lineage.links.filter(pl.col("src").is_in(own) | pl.col("dst").is_in(own)).to_dicts()
    found: Row = {
        "asked": identifier, "found_by": found_by, "rules": RULES, "case": case, "steps": steps, "links": links,
        "findings": lineage.decision_findings.filter(pl.col("case_id") == case_id).to_dicts(),
        "gaps": lineage.gaps.filter(pl.col("case_id") == case_id).to_dicts(),
        "elements": lineage.elements.filter(pl.col("case_id") == case_id).to_dicts(),
        "rejects": _rejects(lineage, own), "elsewhere": _elsewhere(lineage, links, own),
        "rolled_back_by": _other(lineage, case["rolled_back_by"]), "rolls_back": _other(lineage, case["rolls_back"]),
        "as_of": lineage.facts.as_of if lineage.facts is not None else None, "replay": _replay(lineage, case),
    }
    found["records"] = _records(lineage, _cited(found), list(records))
    found["agents"] = _agents(lineage, found)
    found["answers"] = answers(found)
    return found


def _cited(found: Row) -> list[str]:
    """Every record that some statement of the explanation rests on."""
    rows = [row for name in ("steps", "links", "findings", "elements") for row in found[name]]
    rows += [other for other in (found["rolled_back_by"], found["rolls_back"]) if other]
    return sorted({record for row in rows for record in row["record_ids"]})


def _elsewhere(lineage: DecisionLineage, links: Sequence[Row], own: Sequence[str]) -> dict[str, Row]:
    """Steps of other cases that links of this one lead to: a ticket that lends its approval stays a case of its own."""
    wanted = sorted({link[end] for link in links for end in ("src", "dst")} - set(own))
    rows = lineage.steps.filter(pl.col("step_id").is_in(wanted)).select(
        "step_id", "case_id", "kind", "time", "operation", "verdict").unique("step_id", keep="first")
    return {row["step_id"]: row for row in rows.sort("step_id").to_dicts()}


def _rejects(lineage: DecisionLineage, own: list[str]) -> list[Row]:
    """What was considered for the steps of the case and not linked; of the candidates, what is known of each."""
    rows = lineage.link_rejects.filter(pl.col("src").is_in(own)).to_dicts()
    wanted = sorted({candidate for row in rows for candidate in row["candidates"]})
    known = {step["step_id"]: step for step in lineage.steps.filter(pl.col("step_id").is_in(wanted)).select(
        "step_id", "case_id", "time", "operation", "source", "event_id", "record_ids").unique(
        "step_id", keep="first", maintain_order=True).to_dicts()}
    return [{**row, "considered": [known.get(one, {"step_id": one}) for one in row["candidates"]]} for row in rows]


def _records(lineage: DecisionLineage, ids: list[str], delivered: Sequence[str | Path]) -> list[Row]:
    """Where each record stands: file, archive member and position; whether that file, if ``delivered``, is the one."""
    if lineage.facts is None:
        return [{"record_id": record, "event_id": None, "file": None, "file_check": None} for record in ids]
    tables = [lineage.facts[name].filter(pl.col("record_id").is_in(ids)).select(
        "record_id", "event_id", "source", "raw_ref") for name in ("decision_steps", "assistant_access", "delegations")]
    frame = pl.concat(tables).sort(
        "record_id", pl.col("raw_ref").struct.field("file_sha256"), pl.col("raw_ref").struct.field("offset"),
        nulls_last=True).unique("record_id", keep="first", maintain_order=True).collect()
    files = dict(lineage.facts.frame("ledger").sort("file").unique("file_sha256", keep="first").select(
        "file_sha256", "file").iter_rows())
    rows = []
    for row in frame.sort("record_id").iter_rows(named=True):
        ref = row["raw_ref"] or {}
        rows.append({
            "record_id": row["record_id"], "event_id": row["event_id"], "source": row["source"],
            "file": files.get(ref.get("file_sha256")), "member": ref.get("member"), "position": ref.get("offset"),
            "file_sha256": ref.get("file_sha256")})
    checked = _checked({(row["file"], row["file_sha256"]) for row in rows}, delivered)
    return [{**row, "file_check": checked.get((row["file"], row["file_sha256"]))} for row in rows]


def _checked(files: set[File], delivered: Sequence[str | Path]) -> dict[File, str]:
    """Per file ``ok``, ``altered`` or ``not_found`` among what was delivered; nothing where nothing was."""
    found = {}
    for name, sha256 in files if delivered else ():
        places = [place for root in delivered for place in _places(Path(root), name)]
        if not places or sha256 is None:
            found[name, sha256] = "not_found"
        else:
            found[name, sha256] = "ok" if any(_sha256(place) == sha256 for place in places) else "altered"
    return found


def _places(given: Path, name: str | None) -> list[Path]:
    """Where a file may stand: itself, or under the folder, never outside of it."""
    if not name or "\0" in name:
        return []
    root = given.resolve()
    place = root if root.name == Path(name).name and root.is_file() else (root / name).resolve()
    return [place] if place.is_relative_to(root) and place.is_file() else []


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _replay(lineage: DecisionLineage, case: Row) -> Row:
    """The digest as stored and as the records of the case give it now, and in words what differs."""
    if lineage.facts is None or case["digest"] is None:
        return {"stored": case["digest"], "again": None, "differs": [], "done": False}
    again = replay.rebuilt(lineage, case["case_id"])
    now = again.cases.filter(pl.col("case_id") == case["case_id"])["digest"]
    digest = now[0] if now.len() else None
    differs = [] if digest == case["digest"] else replay.differences(lineage, again, case["case_id"])
    return {"stored": case["digest"], "again": digest, "differs": differs, "done": True}


def _agents(lineage: DecisionLineage, found: Row) -> dict[str, str]:
    """What those who have a part in it are called."""
    if lineage.facts is None:
        return {}
    names = ("approver_id", "initiator_id", "accountable_id", "executor_id", "verifier_id", "assistant_id")
    ids = {found["case"][name] for name in names} | {row["agent_id"] for row in found["findings"]}
    for step in found["steps"]:
        ids |= {*step["agent_ids"], step["initiator_id"], step["on_behalf_of_id"], step["assistant_id"]}
    for other in (found["rolled_back_by"], found["rolls_back"]):
        ids |= {other["initiator_id"], other["executor_id"]} if other else set()
    frame = lineage.facts.frame("identities").filter(pl.col("id").is_in(sorted(i for i in ids if i)))
    return {row[0]: row[1] for row in frame.select("id", "display_name").sort("id").iter_rows() if row[1]}


def _other(lineage: DecisionLineage, case_id: str | None) -> Row | None:
    if case_id is None:
        return None
    row = lineage.cases.filter(pl.col("case_id") == case_id).row(0, named=True)
    step = lineage.steps.filter((pl.col("case_id") == case_id) & (pl.col("kind").is_in(["action", "rollback"]))
                                & (pl.col("time") == row["time"])).sort("event_id", "step_id").head(1).to_dicts()[0]
    return {**{name: row[name] for name in ("case_id", "time", "operation", "initiator_id", "executor_id",
                                            "anchor_event_id", "approval_verdict")},
            "step_id": step["step_id"], "source": step["source"], "record_ids": step["record_ids"]}
