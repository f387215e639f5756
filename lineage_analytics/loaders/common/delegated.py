"""Delegations that a record carries with the act they were used for, as rows of DELEGATIONS.

    lend(entry, [(ana, robot)], kind="token", time=time, steps=("action",), scopes=["mail.read"])

A record that names no id for a delegation gives it one of its own; steps of that record are told by their part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics import tables
from lineage_analytics.loaders.common.ids import derived_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lineage_analytics.loaders.common.assembly import Entry

LONGEST = 64
"""Links of one record. More than that many accounts in a row is no chain that a provider writes."""


def lend(
    entry: Entry, links: Sequence[tuple[str | None, str | None]], *, steps: Sequence[str] = (), uid: str | None = None,
    parent: str | None = None, trust: str = "provider_asserted", **cells: Any,
) -> None:
    """Rows for a chain of principal and delegate, the one who began it first; ``steps``: parts of the record that were
    done with the last of them. ``uid`` is that one's id, ``parent`` the delegation the first was made from, and
    ``cells`` hold for every link; scopes, audience and times for the last alone."""
    last = min(len(links), LONGEST) - 1
    above = parent
    for place, (principal, delegate) in enumerate(links[:LONGEST]):
        own = uid if place == last and uid else derived_id("dlg", entry.record_id, str(place))
        more = cells if place == last else {
            key: held for key, held in cells.items() if key not in ("scopes", "audience", "created_at", "expires_at")}
        used: list[str | None] = [derived_id("step", entry.record_id, part) for part in steps]
        for step in used if used and place == last else [None]:
            entry.add(tables.DELEGATIONS, uid=own, principal_id=principal, delegate_id=delegate, parent_uid=above,
                      trust=trust, step_id=step, **more)
        above = own
