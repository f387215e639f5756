"""Is what is stored of a decision what its records give? A digest per case, and the engine run again to compare.

The digest of a case is SHA-256 over its rows of all tables of the lineage, each as a line of JSON with the table's name
before it, the lines sorted: a row that is added, lost or altered changes it.
"""

from __future__ import annotations

import hashlib
from itertools import combinations
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from lineage_analytics import tables
from lineage_analytics.facts import Facts
from lineage_analytics.graphs.decisions.places import Places

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lineage_analytics.graphs.decisions import DecisionLineage

FRAMES = ("cases", "steps", "links", "link_rejects", "decision_findings", "gaps", "elements")
_VERSION = "la-case-digest-v1"
_BY_STEP = frozenset({"links", "link_rejects"})
_MILLION = 1_000_000
_PART = 20_000
_SLICED = ("decision_steps", "assistant_access")
Tenants = frozenset[str | None]


def sealed(frames: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The frames of a lineage, with the digest of each case in ``cases``."""
    whole = dict(_digests(frames))
    cases = frames["cases"]
    made = pl.Series("digest", [whole[case] for case in cases["case_id"]], dtype=pl.String)
    return {**frames, "cases": cases.with_columns(made)}


def _digests(frames: Mapping[str, pl.DataFrame]) -> Iterable[tuple[str, str]]:
    """Part by part: the text of all rows of a large estate would take many times the memory of its frames."""
    home = frames["steps"].select("case_id", src="step_id").unique()
    names = frames["cases"]["case_id"]
    for start in range(0, names.len(), _PART):
        part = names[start:start + _PART].to_frame()
        steps = home.join(part, on="case_id", how="semi")
        held = {name: frames[name].join(*((steps, "src") if name in _BY_STEP else (part, "case_id")), how="semi",
                                        maintain_order="left") for name in FRAMES}
        gathered = pl.concat(_lines(held, steps)).group_by("case_id").agg(pl.col("line").sort().str.join("\n"))
        for case_id, text in gathered.iter_rows():
            yield case_id, hashlib.sha256(f"{_VERSION}\n{text}".encode()).hexdigest()


def _lines(frames: Mapping[str, pl.DataFrame], home: pl.DataFrame) -> list[pl.DataFrame]:
    """Every row as ``case_id`` and ``line``; a link belongs to the case of the step it starts at, by ``home``."""
    found = []
    for name in FRAMES:
        frame = frames[name]
        line = pl.format(f"{name} {{}}", _json(frame)).alias("line")
        if name in _BY_STEP:
            found.append(frame.select("src", line).join(home, on="src", how="inner").select("case_id", "line"))
        else:
            found.append(frame.select("case_id", line))
    return found


def _json(frame: pl.DataFrame) -> pl.Expr:
    """A row as JSON: times as microseconds, fractions as millionths, so that no library's way to write them matters."""
    columns = []
    for name, dtype in frame.schema.items():
        column = pl.col(name)
        if dtype == tables.TIME:
            column = column.dt.timestamp("us")
        elif dtype == pl.Float64:
            column = (column * _MILLION).round().cast(pl.Int64)
        if name != "digest":
            columns.append(column)
    return pl.struct(columns).struct.json_encode()


def replay(facts: Facts, case_id: str) -> tuple[str | None, str | None]:
    """The digest of a case as stored and as its records give it now; the second is null where they give no such case.

    The records are those of every tenant whose steps touch the case's: what the tests of uniqueness look at. They are
    read once for all cases of one such slice.
    """
    lineage = _stored(facts)
    stored = dict(lineage.cases.select("case_id", "digest").iter_rows())
    again = rebuilt(lineage, case_id)
    found = again.cases.filter(pl.col("case_id") == case_id)["digest"]
    return stored.get(case_id), found[0] if found.len() else None


def replayed(lineage: DecisionLineage) -> pl.DataFrame:
    """``replay`` of every case: ``case_id``, ``stored`` and ``again``; cases that the records give and the lineage does
    not hold have no ``stored``."""
    facts = _facts(lineage)
    slices = sorted(set(_slices(lineage).values()), key=lambda one: sorted(tenant or "" for tenant in one))
    whole = Facts({**facts.tables, **{name: facts[name].collect().lazy() for name in _SLICED}}, facts.as_of,
                  facts.window_days, facts.lookback_days, facts.parts)
    again = [_built(whole, tenants).cases.select("case_id", again="digest") for tenants in slices]
    stored = lineage.cases.select("case_id", stored="digest")
    made = pl.concat([stored.select("case_id", again=pl.lit(None, dtype=pl.String)).clear(), *again])
    return stored.join(made, on="case_id", how="full", coalesce=True).sort("case_id")


def rebuilt(lineage: DecisionLineage, case_id: str) -> DecisionLineage:
    """The lineage of the slice that a case stands in, made again from its records; kept for the next case of it."""
    facts = _facts(lineage)
    home = lineage.cases.filter(pl.col("case_id") == case_id)["tenant"]
    tenants = _slices(lineage).get(home[0], frozenset(home)) if home.len() else frozenset()
    kept = cast("tuple[Tenants, DecisionLineage] | None", facts.parts.get("replay"))
    if kept is None or kept[0] != tenants:
        kept = tenants, _built(facts, tenants)
        facts.parts["replay"] = kept
    return kept[1]


def differences(stored: DecisionLineage, again: DecisionLineage, case_id: str) -> list[str]:
    """Per table, how many rows of the case are only stored and how many only the records give, in words."""
    said = []
    old, new = _of(stored, case_id), _of(again, case_id)
    for name in FRAMES:
        gone, come = len(old[name] - new[name]), len(new[name] - old[name])
        if gone or come:
            said.append(f"{name}: {gone} stored that the records do not give, {come} that they give and are not stored")
    return said


def _of(lineage: DecisionLineage, case_id: str) -> dict[str, frozenset[str]]:
    frames: dict[str, pl.DataFrame] = {}
    steps = lineage.steps.filter(pl.col("case_id") == case_id)
    for name in FRAMES:
        frame: pl.DataFrame = getattr(lineage, name)
        frames[name] = frame.filter(pl.col("src").is_in(steps["step_id"].implode())) if name in _BY_STEP else (
            frame.filter(pl.col("case_id") == case_id))
    return {name: frozenset(frame.select(_json(frame)).to_series()) for name, frame in frames.items()}


def _stored(facts: Facts) -> DecisionLineage:
    """The lineage that is held of the facts: that of their analysis where there is one."""
    from lineage_analytics.graphs.decisions import decision_lineage  # noqa: PLC0415  (it needs the engine, which needs this)

    held: Any = facts.parts.get("analysis")
    return held.decisions if held is not None else decision_lineage(facts)


def _facts(lineage: DecisionLineage) -> Facts:
    if lineage.facts is None:
        message = "a lineage without its facts cannot be made again"
        raise ValueError(message)
    return lineage.facts


def _built(facts: Facts, tenants: Tenants) -> DecisionLineage:
    from lineage_analytics.graphs.decisions.engine import build  # noqa: PLC0415

    named = [tenant for tenant in tenants if tenant is not None]
    within = pl.col("tenant").is_in(named)
    if None in tenants:
        within |= pl.col("tenant").is_null()
    cut = {name: facts[name].filter(within) for name in _SLICED}
    parts = {name: part for name, part in facts.parts.items()
             if name.startswith("frame:") and name.removeprefix("frame:") not in _SLICED}
    return build(Facts({**facts.tables, **cut}, facts.as_of, facts.window_days, facts.lookback_days, parts))


def _slices(lineage: DecisionLineage) -> dict[str | None, Tenants]:
    """For each tenant all those whose records had a part in its cases: tenants of one declared organisation, of steps
    that share a case, a link or a doubt, and of sources whose clocks were compared by records of both."""
    parts = _facts(lineage).parts
    if "replay:slices" not in parts:
        parts["replay:slices"] = _joined(lineage)
    return cast("dict[str | None, Tenants]", parts["replay:slices"])


def _joined(lineage: DecisionLineage) -> dict[str | None, Tenants]:
    tenant = lineage.steps.select("step_id", "tenant").unique("step_id")
    homes = lineage.steps.join(lineage.cases.select("case_id", other="tenant"), on="case_id").select("tenant", "other")
    ends = [lineage.links.select("src", "dst"),
            lineage.link_rejects.select("src", dst=pl.col("candidates")).explode("dst").drop_nulls()]
    both = [frame.join(tenant.rename({"step_id": "src"}), on="src").join(
        tenant.rename({"step_id": "dst", "tenant": "other"}), on="dst").select("tenant", "other") for frame in ends]
    groups: dict[str | None, set[str | None]] = {}
    touching = pl.concat([homes, *both]).unique().iter_rows()
    for one, other in [*touching, *_of_one_organisation(lineage), *_by_clocks(lineage)]:
        mine, theirs = groups.setdefault(one, {one}), groups.setdefault(other, {other})
        if mine is not theirs:
            mine |= theirs
            groups.update(dict.fromkeys(theirs, mine))
    return {name: frozenset(group) for name, group in groups.items()}


def _of_one_organisation(lineage: DecisionLineage) -> Iterator[tuple[str | None, str | None]]:
    """Each tenant with the first that the customer declares to be of its organisation."""
    places = Places(_facts(lineage))
    first: dict[str, str] = {}
    for tenant in lineage.steps["tenant"].drop_nulls().unique().sort():
        yield tenant, first.setdefault(places.organisation(tenant) or tenant, tenant)


def _by_clocks(lineage: DecisionLineage) -> Iterator[tuple[str | None, str | None]]:
    """Each tenant with the first in which the same two sources tell of one case: their clocks are compared over all."""
    told = lineage.steps.group_by("case_id").agg(
        pl.col("source").unique().sort(), pl.col("tenant").unique()).filter(pl.col("source").list.len() > 1).select(
        "source", pl.col("tenant")).explode("tenant").unique().sort("tenant", "source")
    first: dict[tuple[str, str], str | None] = {}
    for sources, tenant in told.iter_rows():
        for pair in combinations(sources, 2):
            yield tenant, first.setdefault(pair, tenant)
