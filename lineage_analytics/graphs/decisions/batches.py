"""Cases that one key or one approval covers together (decision-lineage 15, A16)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from lineage_analytics.loaders.common.ids import derived_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lineage_analytics.graphs.decisions.approvals import Approval
    from lineage_analytics.graphs.decisions.case import Case


class Batch(NamedTuple):
    """``size``: cases of it, executed or not."""

    id: str
    size: int


def batches(found: Sequence[Case]) -> Mapping[str, Batch]:
    """By case id. A case that a ticket or pull request lends its approval to is of that one's batch; else cases of one
    provider key are."""
    named = {case.id: name for case in found if (name := _name(case)) is not None}
    sizes = Counter(named.values())
    return {case: Batch(name, sizes[name]) for case, name in named.items() if sizes[name] > 1}


def _name(case: Case) -> str | None:
    lender = min(((step.tenant or "", step.key_kind or "", step.key or "") for step in case.shared
                  if step.id in case.lent), default=None)
    if lender is not None:
        return derived_id("batch", *lender)
    anchor = case.anchor
    return derived_id("batch", anchor.tenant or "", anchor.key_kind or "", anchor.key or "") if case.batch else None


def reviewed(case: Case, batch: Batch | None, approved: Approval) -> bool | None:
    """Whether the item was decided by itself: its decision names what it changes, and is its own."""
    if batch is None or approved.by is None:
        return None
    return approved.by.id not in case.lent and approved.by.target is not None and (
        approved.by.target == case.anchor.target)
