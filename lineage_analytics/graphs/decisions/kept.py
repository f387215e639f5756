"""Where the inputs and the advice of a workflow's runs are kept, as its register declares, and why those of a case are
not there.

Without a declaration nobody said that a record was to be kept, and what is not there is unknown. With one it is missing
where the declared source was received for all of the time from the first request until the change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lineage_analytics.graphs.decisions.workflows import declared

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.decisions.case import Case
    from lineage_analytics.graphs.decisions.coverage import Coverage

ABSENT = "absent"


class Unkept(NamedTuple):
    """Why what a declared source should hold is not there, until when it may come, and which source that is."""

    reason: str
    due: datetime | None
    source: str


class Keeping:
    """Sources that declared workflows keep their evidence in, by the account that acts."""

    def __init__(self, facts: Facts, coverage: Coverage) -> None:
        self._coverage = coverage
        self._sources: dict[str, set[tuple[str, ...]]] = {}
        for workflow in declared(facts).values():
            for account in workflow.identities:
                self._sources.setdefault(account, set()).add(workflow.evidence)

    def lack(self, case: Case) -> Unkept | None:
        """Why the evidence of a case is not there; None where its workflow declares no source for it, or several
        workflows of the account declare different ones.

        Of several sources, and of several tenants of one, any may hold it: it is absent only if it is in each.
        """
        anchor = case.anchor
        stated = self._sources.get(anchor.actor or "", set())
        if len(stated) != 1 or not (sources := next(iter(stated))):
            return None
        since = min((step.time for step in case.of("request")), default=anchor.time)
        shown = " or ".join(sources)
        held = self._coverage.held_by(anchor.tenant, sources)
        if not held or {source for source, _ in held} < set(sources):
            return Unkept("not_collected", None, shown)
        lacks = [self._coverage.lack(source, tenant, min(since, anchor.time), anchor.time) for source, tenant in held]
        due = max((until for _, until in lacks if until is not None), default=None)
        other = sorted({reason for reason, _ in lacks} - {ABSENT})
        return Unkept(other[0] if other else ABSENT, due, shown)
