"""The known answers as files: measures, identities, links, decisions, records by source, stories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.model import AWS_ACCOUNT, World
from lineage_analytics.simulation.truth_measures import measures
from lineage_analytics.simulation.writers.files import as_csv, pretty, put

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.observed import Observed


_DECIDED = ("event_id", "executed", "involvement_class", "order_verdict", "approval_verdict", "accountable",
            "effect_match", "rolled_back_by", "rollback_kind", "really")


def write(directory: Path, world: World, observed: Observed, counted: dict[str, int]) -> None:
    put(directory / "measures.json", pretty({"measures": [
        {"metric_id": m.metric_id, "scope": m.scope, "numerator": m.numerator, "denominator": m.denominator,
         "n_unknown": m.unknown} for m in measures(world, observed)]}))
    put(directory / "identities.csv", as_csv(("native_id", "person_or_workload", "kind"), _identities(world)))
    put(directory / "links.csv", as_csv(("from_event_id", "to_event_id", "rel", "provable"), _links(world)))
    put(directory / "tellings.csv", as_csv(("event_id", "tells_again"), sorted(world.tellings)))
    put(directory / "decisions.csv", as_csv(_DECIDED, _decisions(world)))
    put(directory / "stories.json", pretty({"stories": [vars(story) for story in world.stories]}))
    put(directory / "records.json", pretty(_records(world, observed, counted)))


def _decisions(world: World) -> list[tuple[str, ...]]:
    """One row per change with what is to be said of it; an empty cell: nothing was planted to be said."""
    return sorted({(d.event_id, str(d.executed).lower(), d.involvement, d.order, d.approval, d.accountable,
                    d.effect_match, d.rolled_back_by, d.rollback_kind, d.really) for d in world.decisions})


def _links(world: World) -> list[tuple[str, str, str, str]]:
    """Every link once: what tells an act again stands in ``tellings.csv`` and has no links of its own."""
    act = dict(world.tellings)
    return sorted({(act.get(link.source, link.source), act.get(link.target, link.target), link.rel,
                    str(link.provable).lower()) for link in world.links})


def _identities(world: World) -> list[tuple[str, str, str]]:
    rows = [(p.native_id, p.person.ref if p.person else p.name, p.kind) for p in world.principals]
    for person in (*world.persons, *world.guests):
        rows.append((person.object_id, person.ref, "human"))
        if person.admin_id:
            rows.append((person.admin_id, person.ref, "human"))
    rows += [(agent.object_id, agent.name, "ai_agent") for agent in world.agents]
    rows += [(a.native_id, a.person.ref if a.person else a.name, a.kind) for a in world.accounts]
    return sorted(rows)


def _records(world: World, observed: Observed, counted: dict[str, int]) -> dict[str, Any]:
    """Distinct records by source; every further copy is a duplicate."""
    listed = [p for p in world.principals if p.inventoried]
    return {
        **{name: observed.records.get(name, 0) + counted.get(name, 0)
           for name in sorted({*observed.records, *counted})},
        "aws_iam": {"users": sum(not p.is_role for p in listed), "roles": sum(p.is_role for p in listed),
                    "groups": len(world.groups), "policies": sum(p.readable for p in world.policies.values()),
                    "credential_report_rows": 1 + sum(p.in_report and not p.is_role for p in listed)},
        "account": AWS_ACCOUNT, "directory": world.tenant,
    }
