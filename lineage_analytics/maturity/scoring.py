"""Floor and ceiling per domain: what is proved, and what is possible if the unknown turns out well (metrics.md 7.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Any

from lineage_analytics.maturity.model import LEVELS, Cap, Model, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Row = Mapping[str, Any]
    Rows = Mapping[tuple[str, str], Row]

MET, NOT_MET, OPEN = "met", "not_met", "undetermined"
_ZERO_PROOF = 30
_STEP = 0.1
_EXACT = 1e-9


@dataclass(frozen=True)
class Standing:
    """One domain's result; ``floor`` and ``ceiling`` null when not scored."""

    domain: str
    name: str
    floor: int | None
    ceiling: int | None
    undetermined: list[str]
    caps: list[Cap]
    on_the_line: list[str]
    needs: list[dict[str, Any]]
    scored: int
    listed: int
    core_scored: int
    core: int


def verdict(rule: Rule, level: int, row: Row | None) -> str | None:
    """Met, not met or undetermined; null where the measure plays no part at that level."""
    limit = rule.limit(level)
    if limit is None:
        return None
    if row is None or row["status"] != "scored":
        return OPEN
    if row["kind"] == "process" and limit in ((100.0,) if rule.higher else (0.0,)):
        return _exact(rule, row)
    low, high = bounds(rule, row)
    if low is None or high is None:
        return OPEN
    if rule.higher:
        return MET if low >= limit - _EXACT else NOT_MET if high < limit - _EXACT else OPEN
    return MET if high <= limit + _EXACT else NOT_MET if low > limit + _EXACT else OPEN


def bounds(rule: Rule, row: Row) -> tuple[float | None, float | None]:
    """What the measure may be, in the unit of the limits: by its unknowns (census) or by its interval (process)."""
    names = ("worst_case", "best_case") if row["kind"] == "census" else ("ci_low", "ci_high")
    ends = [row[name] for name in names]
    if any(end is None for end in ends):
        return None, None
    factor = 100.0 if rule.unit in ("percent", "per_100") and row["unit"] in ("share", "ratio") else 1.0
    return min(ends) * factor, max(ends) * factor


def _exact(rule: Rule, row: Row) -> str:
    """No interval proves zero: a limit of none or all is tested on the count, over at least 30 with none unknown."""
    k, n = row["numerator"], row["denominator"]
    if k is None or n is None:
        return OPEN
    if (n - k if rule.higher else k) > 0:
        return NOT_MET
    return MET if n >= _ZERO_PROOF and not row["n_unknown"] else OPEN


def span(rules: Iterable[Rule], rows: Rows) -> tuple[int, int]:
    """Floor and ceiling from the verdicts alone."""
    held = [(rule, rows.get((rule.metric_id, rule.scope))) for rule in rules]
    floor = ceiling = 1
    proved = possible = True
    for level in LEVELS:
        found = {verdict(rule, level, row) for rule, row in held} - {None}
        proved = proved and found <= {MET}
        possible = possible and NOT_MET not in found
        floor, ceiling = (level if proved else floor), (level if possible else ceiling)
    return floor, ceiling


def standing(model: Model, domain: str, rows: Rows) -> Standing:
    """One domain, with its caps, what is on the line, and what would raise it."""
    rules = model.of(domain)
    scored = [rule for rule in rules if _scored(rule, rows)]
    core = [rule for rule in rules if rule.core]
    core_scored = [rule for rule in scored if rule.core]
    judged = [(cap, _applies(cap, rows)) for cap in model.caps if cap.domain == domain]
    caps = [cap for cap, applies in judged if applies]
    open_caps = [cap for cap, applies in judged if applies is None]
    counts = (len(scored), len(rules), len(core_scored), len(core))
    barred = any(cap.effect == "not_scored" for cap in caps)
    if barred or 2 * len(core_scored) < len(core):
        open_ids = [rule.metric_id for rule in rules if rule not in scored]
        needs = [_need(model, rule, None, rows) for rule in rules if rule not in scored]
        return Standing(domain, model.domains[domain], None, None, open_ids, caps, [], needs, *counts)
    floor, ceiling = _capped(span(rules, rows), caps, open_caps)
    undetermined = [rule.metric_id for rule in rules if any(
        verdict(rule, level, rows.get((rule.metric_id, rule.scope))) == OPEN
        for level in range(floor + 1, ceiling + 1))]
    undetermined += [cap.metric_id for cap in open_caps
                     if floor < ceiling and floor == cap.level and cap.metric_id not in undetermined]
    return Standing(
        domain, model.domains[domain], floor, ceiling, undetermined, caps, _on_the_line(rules, rows, caps, open_caps),
        _raise(model, rules, floor, rows), *counts)


def _scored(rule: Rule, rows: Rows) -> bool:
    row = rows.get((rule.metric_id, rule.scope))
    return row is not None and row["status"] == "scored"


def _applies(cap: Cap, rows: Rows) -> bool | None:
    """Whether the cap holds; null where its measure is not scored, so that it may hold."""
    row = rows.get((cap.metric_id, cap.scope))
    if not cap.when:
        return False
    if cap.when == "reason":
        return row is not None and bool(row["reason"] == cap.limit and row["status"] == "not_scored")
    if cap.when in ("any_fails", "none_shown"):
        return _counted(cap, row)
    if row is None or row["status"] != "scored":
        return None
    upper = [row[name] for name in (("worst_case", "best_case") if row["kind"] == "census" else ("ci_high",))]
    return None if None in upper else max(upper) * 100 < float(cap.limit)


def _counted(cap: Cap, row: Row | None) -> bool | None:
    """Caps that one object decides: read from the counts, since too few for a share are enough for that."""
    if row is None or row["numerator"] is None or row["denominator"] is None:
        return None
    k, n, unknown = row["numerator"], row["denominator"], row["n_unknown"]
    decided = n - k > 0 if cap.when == "any_fails" else k > 0
    if decided:
        return cap.when == "any_fails"
    return None if unknown else cap.when == "none_shown" and n > 0


def _capped(found: tuple[int, int], caps: Iterable[Cap], open_caps: Iterable[Cap]) -> tuple[int, int]:
    """A cap lowers the ceiling; one that only may hold lowers the floor, or losing a source could raise a level."""
    ceiling = min([found[1], *(cap.level for cap in caps if cap.level is not None)])
    return min([found[0], ceiling, *(cap.level for cap in open_caps if cap.level is not None)]), ceiling


def _on_the_line(rules: list[Rule], rows: Rows, caps: list[Cap], open_caps: list[Cap]) -> list[str]:
    """Measures whose limits, moved a tenth either way, would move the floor or the ceiling."""
    plain = _capped(span(rules, rows), caps, open_caps)
    found = []
    for place, rule in enumerate(rules):
        moved = [_capped(span([*rules[:place], shifted, *rules[place + 1:]], rows), caps, open_caps)
                 for shifted in _shifted(rule)]
        if any(one != plain for one in moved):
            found.append(rule.metric_id)
    return found


def _shifted(rule: Rule) -> Iterable[Rule]:
    top = 100.0 if rule.unit == "percent" else float("inf")
    for place, limit in enumerate(rule.limits):
        for factor in (1 - _STEP, 1 + _STEP):
            if limit is not None:
                limits = (*rule.limits[:place], min(limit * factor, top), *rule.limits[place + 1:])
                yield replace(rule, limits=limits)


def _raise(model: Model, rules: list[Rule], floor: int, rows: Rows) -> list[dict[str, Any]]:
    """What stands between the floor and the level above it."""
    level = floor + 1
    if level > LEVELS[-1]:
        return []
    blocking = [(rule, verdict(rule, level, rows.get((rule.metric_id, rule.scope)))) for rule in rules]
    return [_need(model, rule, level, rows) for rule, found in blocking if found in (NOT_MET, OPEN)]


NOT_MEASURED = "not measured yet"


def _need(model: Model, rule: Rule, level: int | None, rows: Rows) -> dict[str, Any]:
    """What one measure needs: ``objects`` to fix where it is known, ``source_missing`` where it is not scored."""
    row = rows.get((rule.metric_id, rule.scope))
    limit = None if level is None else rule.limit(level)
    source = model.sources.get(rule.metric_id)
    if row is None:
        return _entry(rule, NOT_MEASURED, None, source)
    if row["status"] != "scored":
        few = row["reason"] == "denominator_below_min"
        need = f"{row['status'].replace('_', ' ')}, {_REASONS.get(row['reason'], row['reason'])}"
        return _entry(rule, need, None, "more objects than are there" if few else source)
    if limit is None or level is None:
        return _entry(rule, "scored", None, None)
    most, sign = (f"{limit:g} {_UNITS.get(rule.unit, rule.unit)}", "at least" if rule.higher else "at most")
    now = row["value"] * (100 if rule.unit in ("percent", "per_100") and row["unit"] in ("share", "ratio") else 1)
    need = f"level {level}: {sign} {most}, now {now:.3g}"
    if verdict(rule, level, row) == OPEN:
        low, high = bounds(rule, row)
        return _entry(rule, f"{need}, between {low:.3g} and {high:.3g}", None,
                      source if row["n_unknown"] else "a longer period or more objects")
    return _entry(rule, need, _objects(rule, limit, row), None)


_REASONS = {
    "no_source": "no source", "source_stale": "inventory too old", "denominator_below_min": "too few known",
    "coverage_below_min": "part of it unknown", "lookback_too_short": "logs too short",
    "definition_not_met": "field absent", "no_baseline": "no baseline",
}
_UNITS = {"percent": "%", "per_100": "per 100", "ratio": ""}


def _objects(rule: Rule, limit: float, row: Row) -> int | None:
    """How many known objects must change for the share to reach the limit."""
    if row["numerator"] is None or row["denominator"] is None or row["unit"] != "share":
        return None
    wanted, held = limit / 100 * float(row["denominator"]), float(row["numerator"])
    short = wanted - held if rule.higher else held - wanted
    return max(1, ceil(short - _EXACT))


def _entry(rule: Rule, need: str, objects: int | None, source: str | None) -> dict[str, Any]:
    return {"metric_id": rule.metric_id, "need": need.strip(), "objects": objects, "source_missing": source}
