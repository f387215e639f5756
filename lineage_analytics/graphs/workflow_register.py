"""The register of workflows in which assistants take part: as declared beside as observed, one row each.

Declared ones come from ``declared/workflows.csv``. Observed ones are what the logs show and no declaration fits: one
per assistant and kind of change, and one per assistant that only read. The observed class is the most powerful one
proved (decision-lineage 13), never the commonest; cases whose class is not known widen ``class_at_most`` and prove
nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics import tables
from lineage_analytics.graphs.decisions import workflows
from lineage_analytics.graphs.decisions.workflows import CLASSES, RANK, WRITES, Declared, declared, observed_id, span
from lineage_analytics.permissions.datafiles import rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.decisions import DecisionLineage

DATA_ACCESS = "data_access"
_SHOWN = 20
_SITE = r"^(https?://[^/]+(?:/(?:sites|teams|personal)/[^/]+)?)"
_KINDS = {
    "grant": "grants access", "revoke": "takes access away", "role_change": "changes accounts and roles",
    "credential_action": "handles credentials", "policy_change": "changes policies and settings",
    "exception": "makes exceptions", "unknown": "makes other changes", DATA_ACCESS: "reads for its users"}
_LISTS = ("workstreams", "runner_ids", "assistant_ids", "approver_ids", "data_observed", "inputs", "logged_by",
          "environments", "record_ids")


def workflow_register(facts: Facts, decisions: DecisionLineage) -> pl.DataFrame:
    """Declared and observed workflows, columns of ``tables.WORKFLOWS``: declared first, then by id.

    Reads the cases and steps of ``decisions``, and ``assistant_access``, ``identities``, ``aliases`` and declared
    workflows in ``resources``.
    """
    found = workflows.parts(decisions.cases, decisions.steps, facts)
    register = declared(facts)
    cases = _cases(decisions.cases, found, register)
    reads = _reads(facts, found, register)
    named = _names(register, cases, reads, _labels(facts))
    own = cases.filter(~pl.col("shared"))
    parts = (_classes(own), _shared(cases), _people(own), _seen(own, decisions.steps), _read(reads), _records(
        own, reads, register))
    frame = named
    for part in parts:
        frame = frame.join(part, on="workflow_id", how="left")
    return tables.conform(_told(frame, _labels(facts)), tables.WORKFLOWS).sort(
        "declared", "workflow_id", descending=[True, False])


def _cases(cases: pl.DataFrame, found: pl.DataFrame, register: Mapping[str, Declared]) -> pl.DataFrame:
    """Cases with a part of an assistant, once per workflow they fit, with the span of their class and its limit."""
    fitting = pl.when(pl.col("workflow_id").is_not_null()).then(pl.concat_list("workflow_id")).otherwise("fitting")
    held = cases.drop("workflow_id").join(
        found.select("case_id", "agent_id", "step_ids", part_records="record_ids", shared=pl.col(
            "workflow_id").is_null(), workflow_id=fitting), on="case_id", maintain_order="left").explode("workflow_id")
    spans = [span(name, bounds) for name, bounds in held.select("involvement_class", "involvement_bounds").iter_rows()]
    limits = {identity: RANK[each.declared_class] for identity, each in register.items() if each.declared_class}
    trials = [identity for identity, each in register.items() if each.stage == "experimental"]
    return held.filter(pl.col("workflow_id").is_not_null()).with_columns(
        pl.Series("least", [RANK[one.least] for one in spans], dtype=pl.Int64),
        pl.Series("most", [RANK[one.most] for one in spans], dtype=pl.Int64),
        limit=pl.col("workflow_id").replace_strict(limits, default=None, return_dtype=pl.Int64),
        trial=pl.col("workflow_id").is_in(trials))


def _classes(own: pl.DataFrame) -> pl.DataFrame:
    """Counts by class, the most powerful one proved, and where authority changes hands."""
    name, least, most = pl.col("involvement_class"), pl.col("least"), pl.col("most")
    executor, approver = least.is_between(1, 2) & most.is_between(1, 2), (least == most) & (least == RANK[WRITES[0]])
    nobody = (least == most) & (least == RANK[WRITES[1]])
    return own.group_by("workflow_id").agg(
        *(name.eq(one).sum().cast(pl.Int64).alias(f"n_{one}") for one in ("none", *CLASSES)),
        proved=pl.when(name.is_in(CLASSES)).then(least).max(), own_least=least.max(), own_most=most.max(),
        n_unknown=name.is_in(RANK).not_().sum().cast(pl.Int64), creep_cases=(least > pl.col("limit")).sum(),
        to_executor=executor.sum(), to_approver=approver.sum(), to_nobody=nobody.sum(),
        to_unknown=(~(executor | approver | nobody)).sum(), cases=pl.len().cast(pl.Int64),
        tier0_cases=pl.col("tier0").sum(),
        experimental_writes=(pl.col("trial") & pl.col("executed") & (least >= RANK[WRITES[0]]) & (
            pl.col("environment") == "prod").fill_null(value=False)).sum(),
        workstreams=_distinct("workstream"), environments=_distinct("environment"), assistant_ids=_distinct("agent_id"))


def _shared(cases: pl.DataFrame) -> pl.DataFrame:
    return cases.filter("shared").group_by("workflow_id").agg(
        shared_cases=pl.len().cast(pl.Int64), shared_most=pl.col("most").max())


def _people(own: pl.DataFrame) -> pl.DataFrame:
    return own.group_by("workflow_id").agg(
        started=_distinct("initiator_id"), approver_ids=_distinct("approver_id"))


def _seen(own: pl.DataFrame, steps: pl.DataFrame) -> pl.DataFrame:
    """What the steps of its cases show: when, in which logs, and what they began with."""
    inputs = pl.col("kind").is_in(["signal", "recommendation"])
    return steps.filter(pl.col("kind") != DATA_ACCESS).join(
        own.select("case_id", "workflow_id"), on="case_id").group_by("workflow_id").agg(
        first=pl.col("time").min(), last=pl.col("time").max(),
        logs=_distinct("source"), inputs=pl.col("operation").filter(inputs).drop_nulls().unique().sort().head(_SHOWN))


def _distinct(column: str) -> pl.Expr:
    return pl.col(column).drop_nulls().unique().sort().head(_SHOWN)


def _reads(facts: Facts, found: pl.DataFrame, register: Mapping[str, Declared]) -> pl.DataFrame:
    """What assistants read, in sums per workflow, assistant and place.

    An assistant that no declaration fits reads for each of its observed workflows: the log does not tell for which.
    """
    summed = facts["assistant_access"].filter(
        (pl.col("time") <= facts.as_of) & pl.coalesce("agent_id", "assistant_id").is_not_null()
    ).with_columns(
        listed=(pl.col("role") != "none") & pl.col("resource_id").is_not_null(),
        place=pl.coalesce(pl.col("site_url").str.extract(_SITE), "resource_type", "resource_id_kind")).group_by(
        "tenant", "assistant_id", "agent_id", "place").agg(
        resources=pl.col("resource_id").filter("listed").unique(), users=_distinct("user_id"),
        told=(pl.col("completeness") != "absent").any(), sources=pl.col("source").unique(),
        rows=pl.struct("record_id", "resource_id").filter("listed").n_unique(),
        first=pl.col("time").min(), last=pl.col("time").max(), records=_distinct("record_id")).collect()
    names = summed.select("tenant", "assistant_id", "agent_id").unique()
    agents = found.filter(pl.col("fitting").list.len() == 0).group_by("agent_id").agg(
        pl.col("workflow_id").drop_nulls().unique().sort())
    observed = dict(agents.iter_rows())
    whose = pl.DataFrame(
        [(tenant, assistant, agent, *_reader(tenant, assistant, agent, list(register.values()), observed))
         for tenant, assistant, agent in names.iter_rows()],
        schema={"tenant": pl.String, "assistant_id": pl.String, "agent_id": pl.String, "reader": pl.String,
                "workflow_id": tables.TEXTS}, orient="row")
    return summed.join(whose, on=["tenant", "assistant_id", "agent_id"], nulls_equal=True).explode("workflow_id")


def _reader(tenant: str | None, assistant: str | None, agent: str | None, register: Sequence[Declared],
            observed: Mapping[str, list[str]]) -> tuple[str, list[str]]:
    """Who read, as an id, and for which workflows. An agent inside an assistant reads as itself."""
    named = agent or assistant or ""
    reader = named if ":" in named else f"m365:{tenant or ''}:{named}"
    fits = {each.id: each.fits(None, [reader]) for each in register}
    best = max(fits.values(), default=0)
    if best:
        return reader, sorted(identity for identity, score in fits.items() if score == best)
    return reader, observed.get(reader) or [observed_id(reader, DATA_ACCESS)]


def _read(reads: pl.DataFrame) -> pl.DataFrame:
    by_place = reads.filter((pl.col("rows") > 0) & pl.col("place").is_not_null()).group_by("workflow_id", "place").agg(
        pl.col("rows").sum()).sort("workflow_id", -pl.col("rows").cast(pl.Int64), "place").group_by(
        "workflow_id", maintain_order=True).agg(data_observed=pl.col("place").head(_SHOWN))
    return reads.group_by("workflow_id").agg(
        resources_read=pl.when(pl.col("told").any()).then(pl.col("resources").explode().drop_nulls().n_unique()),
        readers=_distinct("reader"), read_for=pl.col("users").explode().drop_nulls().unique().sort().head(_SHOWN),
        read_logs=pl.col("sources").explode().unique(), read_first=pl.col("first").min(),
        read_last=pl.col("last").max()).join(by_place, on="workflow_id", how="left")


def _records(own: pl.DataFrame, reads: pl.DataFrame, register: Mapping[str, Declared]) -> pl.DataFrame:
    """Records behind each: its declaration, then those of its cases and of what it read, in turn."""
    stated = pl.DataFrame([(identity, record) for identity, each in register.items() for record in each.record_ids],
                          schema={"workflow_id": pl.String, "record": pl.String}, orient="row")
    shown = own.select("workflow_id", record="part_records").explode("record")
    seen = reads.select("workflow_id", record="records").explode("record")
    half = _SHOWN // 2
    kept = [stated, *(frame.drop_nulls().unique().sort("workflow_id", "record").group_by(
        "workflow_id", maintain_order=True).head(half - 1) for frame in (shown, seen))]
    return pl.concat(kept).unique(maintain_order=True).group_by("workflow_id", maintain_order=True).agg(
        record_ids=pl.col("record").head(_SHOWN))


def _names(register: Mapping[str, Declared], cases: pl.DataFrame, reads: pl.DataFrame, labels: Mapping[str, str]
           ) -> pl.DataFrame:
    """What is declared of each workflow, and the names of those that are not."""
    kinds = dict(cases.filter(~pl.col("workflow_id").is_in(list(register))).select(
        "workflow_id", pl.concat_list("agent_id", pl.col("change_class").fill_null("unknown"))).unique(
        "workflow_id").iter_rows())
    for identity, reader in reads.select("workflow_id", "reader").unique().sort("workflow_id", "reader").iter_rows():
        if identity not in register:
            kinds.setdefault(identity, [reader, DATA_ACCESS])
    made = [{
        "workflow_id": identity, "name": each.name, "declared": True, "owner": each.owner,
        "description": each.description, "stage": each.stage, "workstream": each.workstream, "runs_by": each.runs_by,
        "assistant": each.assistant, "identity_ids": list(each.identities), "class_declared": each.declared_class,
        "approver": each.approver, "data_declared": list(each.data)} for identity, each in register.items()]
    made += [{"workflow_id": identity, "name": f"{_label(agent, labels)}: {_KINDS.get(kind, kind)}", "declared": False,
              "identity_ids": [], "data_declared": []} for identity, (agent, kind) in kinds.items()]
    wanted = ("workflow_id", "name", "declared", "owner", "description", "stage", "workstream", "runs_by", "assistant",
              "identity_ids", "class_declared", "approver", "data_declared")
    return pl.DataFrame(made, schema={name: tables.WORKFLOWS.schema[name] for name in wanted})


def _told(frame: pl.DataFrame, labels: Mapping[str, str]) -> pl.DataFrame:
    """All columns of the table out of what the parts hold."""
    powers = dict(enumerate(RANK))
    assistants, readers, started, read_for, logs, read_logs = (pl.col(name).fill_null([]) for name in (
        "assistant_ids", "readers", "started", "read_for", "logs", "read_logs"))
    counts = [name for name in frame.columns if name.startswith(("n_", "to_"))]
    most = pl.max_horizontal("own_most", "shared_most")
    limit = pl.col("class_declared").replace_strict(RANK, default=None, return_dtype=pl.Int64)
    merged = frame.with_columns(
        pl.col("cases", "shared_cases", "creep_cases", "tier0_cases", "experimental_writes", *counts).fill_null(0),
        assistant_ids=_union(assistants, readers), runner_ids=_union(started, read_for),
        logged_by=_union(logs, read_logs), first=pl.min_horizontal("first", "read_first"),
        last=pl.max_horizontal("last", "read_last"),
        class_observed=pl.col("proved").replace_strict(powers, default=None, return_dtype=pl.String),
        class_at_least=pl.col("own_least").replace_strict(powers, default=None, return_dtype=pl.String),
        class_at_most=most.replace_strict(powers, default=None, return_dtype=pl.String),
        hand_over=_hand_over(),
        class_creep=pl.when(pl.col("creep_cases") > 0).then(pl.lit(value=True)).when(most <= limit).then(
            pl.lit(value=False)))
    return merged.with_columns(pl.col(name).fill_null([]) for name in _LISTS).with_columns(
        _named(merged[ids], labels).alias(names) for ids, names in (
            ("runner_ids", "runners"), ("assistant_ids", "assistants"), ("approver_ids", "approvers"))
    ).select(tables.WORKFLOWS.schema.names())


def _hand_over() -> pl.Expr:
    """Where authority passes, by the most powerful class proved; null where no case is."""
    passes = [pl.when(pl.col(f"to_{which}") > 0).then(pl.lit(which)) for which in ("nobody", "approver", "executor")]
    return pl.when(pl.col("cases") > 0).then(pl.coalesce(*passes, pl.lit("unknown")))


def _union(one: pl.Expr, other: pl.Expr) -> pl.Expr:
    return pl.concat_list(one, other).list.unique().list.sort().list.head(_SHOWN)


def _named(ids: pl.Series, labels: Mapping[str, str]) -> pl.Series:
    return pl.Series([[_label(one, labels) for one in held or ()] for held in ids.to_list()], dtype=tables.TEXTS)


def _label(identity: str, labels: Mapping[str, str]) -> str:
    """The published name of an assistant, else the label an inventory gives, else the id's own part."""
    found = _published(identity) or labels.get(identity) or identity.split(":", 2)[-1]
    return "/".join(found.split("/")[-2:]) if "://" in found else found


def _labels(facts: Facts) -> Mapping[str, str]:
    return dict(facts.frame("identities").select("id", "display_name").drop_nulls().iter_rows())


@lru_cache(maxsize=4_096)
def _published(identity: str) -> str | None:
    return next((name for pattern, name in _products() if pattern.fullmatch(identity)), None)


@lru_cache(maxsize=1)
def _products() -> Sequence[tuple[re.Pattern[str], str]]:
    return [(re.compile(re.escape(row["match"]).replace(re.escape("*"), ".*"), re.IGNORECASE | re.DOTALL),
             row["names"].split(";")[0].strip()) for row in rows("assistants", ("match", "names"), room="graphs")]
