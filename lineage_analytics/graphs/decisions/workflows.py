"""Workflows in which assistants take part: which case belongs to which, by ids on record alone.

A case belongs to the workflow whose agent has a part in it: the one that acted (action, rollback, attempt), else the
one that asked or advised (request, recommendation, draft), else one with another part but data it read. A *declared*
workflow (``declared/workflows.csv``) is matched by the accounts it is declared to act with; one declared without an
account by its assistant, given as an id or as the name of a published one (``graphs/data/assistants.csv``). Display
names match nothing: anybody may set them. Where several declared workflows fit alike, the case is of none and is shown
at each as shared. What fits none declared is an *observed* workflow: one per assistant and kind of change, named by
an id made of both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec
import polars as pl

from lineage_analytics import tables
from lineage_analytics.graphs.decisions.changed import Touched
from lineage_analytics.graphs.decisions.steps import AI
from lineage_analytics.loaders.common.ids import derived_id
from lineage_analytics.permissions.datafiles import rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lineage_analytics.facts import Facts

CLASSES = ("advises", "drafts", "executes_approved", "executes_autonomous")
RANK = {name: rank for rank, name in enumerate(("none", *CLASSES))}
WRITES = CLASSES[2:]
_WORDS = {"advises": "the assistant advises", "drafts": "the assistant drafts",
          "executes_approved": "the assistant executes with approval", "executes_autonomous":
          "the assistant executes alone"}
_ACTING, _ASKING = ("action", "rollback", "attempt"), ("request", "recommendation", "draft")
_IDENTITY_SYSTEMS = ("aws", "entra", "okta", "gcp", "gworkspace", "k8s", "ad", "m365")
_WORKSTREAMS = {**dict.fromkeys(_IDENTITY_SYSTEMS, "identity_operations"), "github": "development",
                "servicenow": "support", "jira": "support"}
_OBSERVED = "la-workflow-v1"
_SHOWN = 20


@dataclass(frozen=True)
class Declared:
    """One workflow as the customer's register has it. ``identities`` are resolved; null and empty: not stated."""

    id: str
    name: str
    assistant: str | None = None
    identities: tuple[str, ...] = ()
    assistants: tuple[re.Pattern[str], ...] = ()
    declared_class: str | None = None
    runs_by: str | None = None
    approver: str | None = None
    data: tuple[str, ...] = ()
    stage: str | None = None
    workstream: str | None = None
    owner: str | None = None
    description: str | None = None
    evidence: tuple[str, ...] = ()
    record_ids: tuple[str, ...] = ()

    def fits(self, assistant: str | None, agents: Iterable[str]) -> int:
        """How well what a step names fits: 0 not, 1 its assistant, 2 its account, 3 both."""
        named = [one for one in (assistant, *agents) if one is not None]
        by_account = any(one in self.identities for one in named)
        by_assistant = any(pattern.fullmatch(one) for pattern in self.assistants for one in named)
        return 2 * by_account + by_assistant if self.identities == () or by_account else 0


def declared(facts: Facts) -> Mapping[str, Declared]:
    """Declared workflows by id. Rows of one name are one workflow: what each lists adds up, and where they differ the
    smallest class and the experimental stage hold."""
    if "declared_workflows" not in facts.parts:
        facts.parts["declared_workflows"] = _declared(facts)
    return cast("Mapping[str, Declared]", facts.parts["declared_workflows"])


def _declared(facts: Facts) -> Mapping[str, Declared]:
    frame = facts.frame("resources").filter(
        (pl.col("kind") == "workflow") & pl.col("attributes").is_not_null() & pl.col("id").is_not_null()).select(
        "id", "display_name", "attributes", "record_id").sort(pl.all(), nulls_last=True)
    stated: dict[str, list[dict[str, Any]]] = {}
    for identity, label, attributes, record in frame.iter_rows():
        held = msgspec.json.decode(attributes)
        stated.setdefault(identity, []).append({**held, "name": label or identity, "record": record})
    accounts = {one for held in stated.values() for row in held for one in _accounts(row)}
    resolved = _resolved(facts, accounts)
    return {identity: _merged(identity, held, resolved) for identity, held in sorted(stated.items())}


def _accounts(row: Mapping[str, Any]) -> list[str]:
    held = row.get("identities") or [row.get("identity")]
    return [one for one in held if one]


def _resolved(facts: Facts, stated: Iterable[str]) -> Mapping[str, list[str]]:
    """Every identity that a declared account resolves to."""
    aliases = facts.frame("aliases").filter(pl.col("alias").is_in(sorted(stated))).select("alias", "id").drop_nulls()
    return dict(aliases.group_by("alias").agg(pl.col("id").unique().sort()).iter_rows())


def _merged(identity: str, held: Sequence[Mapping[str, Any]], resolved: Mapping[str, list[str]]) -> Declared:
    def told(name: str) -> str | None:
        return "; ".join(dict.fromkeys(row[name] for row in held if row.get(name))) or None

    accounts = dict.fromkeys(one for row in held for one in _accounts(row))
    classes = [row["declared_class"] for row in held if row.get("declared_class") in RANK]
    stages = [row["stage"] for row in held if row.get("stage")]
    streams = {row.get("workstream") for row in held} - {None}
    return Declared(
        identity, held[0]["name"], told("assistant"),
        tuple(dict.fromkeys(one for account in accounts for one in resolved.get(account, [account]))),
        tuple(_assistant(row["assistant"]) for row in held if row.get("assistant")),
        min(classes, key=RANK.__getitem__, default=None), told("runs_by"), told("approver"),
        tuple(dict.fromkeys(one for row in held for one in row.get("data") or ())),
        min(stages, default=None), next(iter(streams)) if len(streams) == 1 else None, told("owner"),
        told("description"), tuple(dict.fromkeys(one for row in held for one in row.get("evidence") or ())),
        tuple(sorted({row["record"] for row in held if row["record"]})))


@lru_cache(maxsize=1)
def _published() -> Mapping[str, tuple[str, ...]]:
    """Ids of published assistants, as patterns, by the names people call them, in lower case."""
    found: dict[str, tuple[str, ...]] = {}
    for row in rows("assistants", ("match", "names"), room="graphs"):
        for name in row["names"].split(";"):
            key = name.strip().casefold()
            found[key] = (*found.get(key, ()), row["match"])
    return found


def _assistant(stated: str) -> re.Pattern[str]:
    """What ids a declared assistant has: those published under its name, or the very id."""
    matches = _published().get(stated.strip().casefold())
    written = [re.escape(one).replace(re.escape("*"), ".*") for one in matches or ()] or [re.escape(stated.strip())]
    return re.compile("|".join(written), re.IGNORECASE | re.DOTALL)


class Span(NamedTuple):
    """The least and the most powerful class that a case may have."""

    least: str
    most: str


@lru_cache(maxsize=1_024)
def span(name: str | None, bounds: str | None) -> Span:
    """The span of a class: itself where it is known, else what its bounds name; without bounds, anything."""
    if name in RANK:
        return Span(name, name)
    named = sorted((one for one in RANK if re.search(rf"\b{one}\b", bounds or "")), key=RANK.__getitem__)
    if not named or re.search(r"\bany\b", bounds or ""):
        return Span(named[0] if named else "none", CLASSES[-1])
    return Span(named[0], named[-1])


def parts(cases: pl.DataFrame, steps: pl.DataFrame, facts: Facts) -> pl.DataFrame:
    """One row per case in which an assistant has a part.

    Returns
    -------
    ``case_id``; ``workflow_id`` null where several declared ones fit alike; ``fitting`` the declared workflows that
    fit, empty for an observed one; ``agent_id`` the assistant or account by which; ``step_ids, record_ids`` of the
    steps that show it, at most 20.
    """
    register = list(declared(facts).values())
    accounts = sorted({one for each in register for one in each.identities})
    acted = pl.col("agent_ids").list.eval(pl.element().is_in(accounts)).list.any().fill_null(value=False)
    ai = pl.col("agent_class").is_in(sorted(AI))
    shown = steps.filter(
        pl.col("case_id").is_not_null() & (pl.col("kind") != "data_access")
        & (pl.col("assistant_id").is_not_null() | ai | acted)
    ).select(
        "case_id", "assistant_id", "agent_ids", "step_id", "record_ids", ai=ai,
        rank=pl.when(pl.col("kind").is_in(_ACTING)).then(0).when(pl.col("kind").is_in(_ASKING)).then(1).otherwise(2))
    first = shown.filter(pl.col("rank") == pl.col("rank").min().over("case_id"))
    named = first.select("case_id", "assistant_id", "ai", agent="agent_ids").explode(
        "agent", empty_as_null=True, keep_nulls=True).unique()
    own = named.join(_fits(named, register), on=["assistant_id", "agent", "ai"], nulls_equal=True).filter(
        pl.col("score") == pl.col("score").max().over("case_id")).group_by("case_id").agg(
        fitting=pl.col("fitting").drop_nulls().unique().sort(), agent_id=pl.col("by").min())
    evidence = first.explode("record_ids", empty_as_null=True, keep_nulls=True).group_by("case_id").agg(
        step_ids=pl.col("step_id").unique().sort().head(_SHOWN),
        record_ids=pl.col("record_ids").drop_nulls().unique().sort().head(_SHOWN))
    kinds = cases.select("case_id", kind=pl.col("change_class").fill_null("unknown"))
    told = own.join(kinds, on="case_id")
    observed = told.filter(pl.col("fitting").list.len() == 0).select("agent_id", "kind").unique()
    ids = observed.with_columns(pl.Series("observed", [observed_id(*row) for row in observed.iter_rows()],
                                          dtype=pl.String))
    fitting = pl.col("fitting")
    return told.join(ids, on=["agent_id", "kind"], how="left").join(evidence, on="case_id", how="left").select(
        "case_id", pl.when(fitting.list.len() == 1).then(fitting.list.first()).when(fitting.list.len() == 0).then(
            pl.col("observed")).alias("workflow_id"), "fitting", "agent_id", "step_ids", "record_ids").sort("case_id")


def _fits(named: pl.DataFrame, register: Sequence[Declared]) -> pl.DataFrame:
    """Of each distinct set of names that steps hold: the declared workflows it fits and how well, or null and 0 where
    it fits none and an assistant has the part; and by whom."""
    by_account: dict[str, list[Declared]] = {}
    for each in register:
        for account in each.identities:
            by_account.setdefault(account, []).append(each)
    by_assistant = [each for each in register if not each.identities]
    made = []
    for assistant, agent, ai in named.select("assistant_id", "agent", "ai").unique().iter_rows():
        by = assistant or agent
        agents = [] if agent is None else [agent]
        near = [each for one in (assistant, agent) if one for each in by_account.get(one, ())]
        near += by_assistant if assistant or ai else []
        fits = [(score, each.id) for each in near if (score := each.fits(assistant, agents))]
        none = [(0, None)] if by and (assistant or ai) else []
        made += [(assistant, agent, ai, score, identity, by) for score, identity in fits or none]
    return pl.DataFrame(made, schema={
        "assistant_id": pl.String, "agent": pl.String, "ai": pl.Boolean, "score": pl.Int64, "fitting": pl.String,
        "by": pl.String}, orient="row")


def observed_id(assistant: str, kind: str | None) -> str:
    """The id of an observed workflow: of an assistant and a kind of change, or ``data_access``."""
    return derived_id("wf", _OBSERVED, assistant, kind or "unknown")


def attributed(cases: pl.DataFrame, steps: pl.DataFrame, facts: Facts) -> pl.DataFrame:
    """Cases with ``workflow_id, workstream, environment, tier0`` filled in; all else, and their order, as it was.

    ``workstream`` is what the declared workflow says. Else it is that of the system that was changed, as its target
    names it, or where the record names none, of the one that logged it: directories, clouds, clusters and office suites
    are identity operations, GitHub is development, ServiceNow and Jira are support, all others are other.
    """
    return _filled(cases, parts(cases, steps, facts), facts)


def _filled(cases: pl.DataFrame, found: pl.DataFrame, facts: Facts) -> pl.DataFrame:
    streams = {each.id: each.workstream for each in declared(facts).values() if each.workstream}
    touched = Touched(facts).frame(cases["target_key"].unique())
    system = pl.coalesce(pl.col("target_key").str.extract(r"^([a-z0-9]+):"), pl.col("provider"))
    filled = ("workflow_id", "environment", "tier0", "workstream")
    own = found.select("case_id", "workflow_id")
    return cases.drop(*filled).join(own, on="case_id", how="left", maintain_order="left").join(
        touched, on="target_key", how="left", maintain_order="left").with_columns(
        workstream=pl.coalesce(
            pl.col("workflow_id").replace_strict(streams, default=None, return_dtype=pl.String),
            system.replace_strict(_WORKSTREAMS, default="other", return_dtype=pl.String), pl.lit("other")),
    ).select(cases.columns)


def with_workflows(frames: Mapping[str, pl.DataFrame], facts: Facts) -> dict[str, pl.DataFrame]:
    """The lineage's frames with cases as of ``attributed``, and the findings of workflows among the others."""
    cases, steps, findings = frames["cases"], frames["steps"], frames["decision_findings"]
    found = parts(cases, steps, facts)
    told = _filled(cases, found, facts)
    made = pl.concat([findings, workflow_findings(told, found, facts)])
    return {**frames, "cases": told, "decision_findings": made.sort(
        "case_id", "finding", "agent_id", "reading", maintain_order=True)}


def workflow_findings(cases: pl.DataFrame, found: pl.DataFrame, facts: Facts) -> pl.DataFrame:
    """Cases in which a workflow did more than it is declared to, or wrote in production as an experiment.

    ``cases`` are attributed, ``found`` is what ``parts`` gives. A case whose class is unknown counts by the least it
    may be, and one that several declared workflows fit by the one that allows most: neither is told on a guess.
    Columns of ``tables.DECISION_FINDINGS``.
    """
    register = list(declared(facts).values())
    places = {each.id: str(place) for place, each in enumerate(register)}
    grounds = ("fitting", "involvement_class", "involvement_bounds", "executed", "environment")
    rows = cases.select("case_id", *grounds[1:]).join(
        found.filter(pl.col("fitting").list.len() > 0).select(
            "case_id", "agent_id", "step_ids", "record_ids", fitting=pl.col("fitting").list.eval(
                pl.element().replace_strict(places, return_dtype=pl.String)).list.join(" ")),
        on="case_id", maintain_order="left")
    made = []
    for ground in rows.select(grounds).unique().iter_rows():
        fitting, name, bounds, executed, environment = ground
        declared_ones = [register[int(place)] for place in fitting.split()]
        done = span(name, bounds)
        readings = {"class_exceeded": _exceeded(declared_ones, done)}
        if executed and environment == "prod" and done.least in WRITES:
            readings["experimental_in_production"] = _experimental(declared_ones)
        made += [(*ground, finding, reading) for finding, reading in readings.items() if reading]
    told = pl.DataFrame(made, schema={**{name: rows.schema[name] for name in grounds}, "finding": pl.String,
                                      "reading": pl.String}, orient="row")
    return rows.join(told, on=grounds, nulls_equal=True).select(tables.DECISION_FINDINGS.schema.names())


def _exceeded(fitting: Sequence[Declared], done: Span) -> str | None:
    allowed = [RANK[each.declared_class] for each in fitting if each.declared_class is not None]
    if len(allowed) < len(fitting) or RANK[done.least] <= max(allowed):
        return None
    more = "" if done.least == done.most else " or does more"
    return f"{_WORDS[done.least]}{more}; declared for {_names(fitting)}: {_WORDS[CLASSES[max(allowed) - 1]]}"


def _experimental(fitting: Sequence[Declared]) -> str | None:
    if any(each.stage != "experimental" for each in fitting):
        return None
    return f"a change in production by {_names(fitting)}, declared experimental"


def _names(fitting: Sequence[Declared]) -> str:
    return " or ".join(f"the workflow {each.name}" for each in fitting)
