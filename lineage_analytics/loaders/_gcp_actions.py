"""What people did with the recommender's advice: its own log of actions, ActionLog and InsightActionLog (sources 7.3).

A claim is the decision to take the advice, a dismissal the decision not to; success and failure are reported after the
change was carried out. The recommendation's name joins them to the recommendation and to one another. It may state the
project by its number where the log states its id: the name decides, so that advice and answer are of one tenant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics import tables
from lineage_analytics.loaders._gcp_entry import LogEntry, identified, leftovers, moment, squeezed
from lineage_analytics.loaders._gcp_members import caller
from lineage_analytics.loaders._principals import fact
from lineage_analytics.loaders.common.assembly import RecordFault
from lineage_analytics.loaders.common.values import name, text

if TYPE_CHECKING:
    from lineage_analytics.loaders.common.assembly import Entry

KEY_KIND = "gcp_recommendation"
INSIGHT_KEY_KIND = "gcp_insight"
# State after the action -> kind of step, verdict, status.
_STATES = {
    "CLAIMED": ("decision", "approve", "succeeded"), "ACCEPTED": ("decision", "approve", "succeeded"),
    "DISMISSED": ("decision", "deny", "succeeded"), "ACTIVE": ("decision", "withdraw", "succeeded"),
    "SUCCEEDED": ("outcome", None, "succeeded"), "FAILED": ("attempt", None, "failed"),
}
# Numbers of the enumeration, in exports that keep them; those of insights end at DISMISSED.
_NUMBERS = {"1": "ACTIVE", "6": "CLAIMED", "3": "SUCCEEDED", "4": "FAILED", "5": "DISMISSED"}
_INSIGHT_NUMBERS = {"1": "ACTIVE", "2": "ACCEPTED", "3": "DISMISSED"}


def read_action(entry: Entry, found: LogEntry) -> None:
    """An action on a recommendation or an insight becomes activity and the step it stands for."""
    time = moment(entry, found)
    payload = found.json
    recommendation, insight = name(payload.get("recommendationname")), name(payload.get("insight"))
    object_name = recommendation or insight
    if object_name is None:
        raise RecordFault("no_object", "an action of the recommender without the name of what it was about")
    state = (text(payload.get("state")) or "").upper()
    state = (_NUMBERS if recommendation else _INSIGHT_NUMBERS).get(state, state)
    actor = caller(name(payload.get("actor")), None)
    owner = object_name.partition("/locations/")[0].removeprefix("projects/")
    identified(entry, found._replace(tenant=owner or found.tenant), time)
    entry.add(
        tables.ACTIVITY, time=time, actor_id=actor.id if actor else None, action=f"recommender:Mark{state.title()}",
        resource_id=object_name, outcome="failure" if state == "FAILED" else "success", is_read=False,
        event_id=found.insert_id, unmapped=leftovers(entry, found))
    if actor is not None:
        entry.add(tables.IDENTITY_FACTS, **fact(actor))
    kind, verdict, status = _STATES.get(state, ("signal", None, "unknown"))
    if state not in _STATES:
        entry.unknown_type(f"ActionLog state {state[:60]}")
    entry.step(
        "action", kind=kind, verdict=verdict, status=status, time=time, operation=f"recommender:Mark{state.title()}",
        capacity="reviewer" if kind == "decision" else None, decided_value=state or None,
        actor_id=actor.id if actor else None, actor_class=actor.agent_class if actor else "unknown",
        actor_class_basis=actor.basis if actor else None, authority_mode=actor.authority if actor else "unknown",
        native_key_kind=KEY_KIND if recommendation else INSIGHT_KEY_KIND, native_key=object_name,
        justification_present=bool(squeezed(payload.get("statemetadata"))) or None,
        title=f"{state.lower() or 'unknown state'}: {object_name.rsplit('/', 1)[-1]}", event_id=found.insert_id)
