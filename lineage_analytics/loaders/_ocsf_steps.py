"""IAM changes, remediations and findings in OCSF as decision steps. No class models approval (sources 12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.loaders import _ocsf_classes as classes
from lineage_analytics.loaders._ocsf_record import action_of, class_of, number, resources_of
from lineage_analytics.loaders.common.stated import stated
from lineage_analytics.loaders.common.values import Fields, embedded, name, obj, objects

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.loaders._ocsf_principals import Principal
    from lineage_analytics.loaders.common.assembly import Entry

_RESOLVED = 4
_TEMPORARY = "ASIA"
_HOLDERS = {3001: "user", 3004: "entity", 3005: "user", 3006: "group", 3007: "user", 3008: "role"}


def effect_of(entry: Entry, record: Fields, kind: tuple[int, int | None]) -> tuple[str, str | None] | None:
    """Verb and target of a change by its class and activity; None when it changes nothing."""
    class_uid, activity_id = kind
    if class_uid == classes.REMEDIATION:
        return "restore" if activity_id == 3 else "set", _target(entry, record, class_uid, "")
    found = classes.effect_of(class_uid, activity_id, name(record.get("activity_name")))
    return None if found is None else (found[0], _target(entry, record, class_uid, found[1]))


def change(entry: Entry, record: Fields, kind: tuple[int, int | None], effect: tuple[str, str | None] | None,
           common: Mapping[str, Any], outcome: str) -> None:
    """The step of a change; none for an event that changes nothing."""
    if effect is None:
        return
    verb, target = effect
    failed = outcome in ("failure", "denied")
    done = "rollback" if verb == "restore" else "action"
    entry.step(
        "action", kind="attempt" if failed else done, time=common["time"], operation=action_of(record, kind),
        status="failed" if failed else "succeeded" if outcome == "success" else "unknown",
        target_key=target, effect_key=f"{verb}({target})" if target else None,
        correlation_id=name(obj(record.get("metadata")).get("correlation_uid")) or name(
            obj(obj(record.get("api")).get("request")).get("uid")),
        title=" ".join(filter(None, (action_of(record, kind), target)))[:200], event_id=common["event_id"],
        stated_keys=_keys(record, common["_actor"]), **_agents(common))


def _keys(record: Fields, actor: Principal | None) -> list[str]:
    """The request, the trace it is of, and a temporary credential it came with."""
    credential = actor.credential if actor is not None and (actor.credential or "").startswith(_TEMPORARY) else None
    return stated(request=obj(obj(record.get("api")).get("request")).get("uid"), session=credential,
                  trace=obj(record.get("trace")).get("uid"))


def _agents(common: Mapping[str, Any]) -> dict[str, Any]:
    actor: Principal | None = common["_actor"]
    via = common["via_assistant_id"]
    own = actor is not None and actor.agent_class in ("workload", "ai_agent")
    return {"actor_id": common["actor_id"], "initiator_id": common["actor_id"], "via_assistant_id": via,
            "actor_class": actor.agent_class if actor else "unknown",
            "actor_class_basis": actor.kind_basis if actor else None,
            "authority_mode": "obo_user" if via else "own_identity" if own else "unknown"}


def _target(entry: Entry, record: Fields, class_uid: int, about: str) -> str | None:
    """``provider:tenant:kind/id``, with what was given or taken as parameter, equal for a grant and its inverse."""
    holder = _HOLDERS.get(class_uid)
    held = _id(record.get(holder)) if holder else next(iter(resources_of(record)), None)
    if held is None:
        return None
    label = holder or "resource"
    if holder == "entity":
        label = (name(obj(record.get("entity")).get("type")) or "entity").lower()
    given = _given(record, about) if about else None
    parameter = f"|{about}/{given}" if given else f"|{about}" if about else ""
    return f"{entry.provider}:{entry.tenant or ''}:{label}/{held}{parameter}"


def _id(value: object) -> str | None:
    found = obj(value)
    return name(found.get("uid")) or name(found.get("name"))


def _given(record: Fields, about: str) -> str | None:
    plural = {"policy": "policies"}.get(about, f"{about}s")
    lone = _id(record.get(about))
    if lone is not None and about != "credential":
        return lone
    listed = embedded(record.get(plural))
    if not isinstance(listed, list):
        return None
    named = {held for item in listed if (held := name(item) or _id(item))}
    return ",".join(sorted(named)) or None


def finding(entry: Entry, record: Fields, activity_id: int | None, common: Mapping[str, Any]) -> None:
    """A finding as a signal, its end as an outcome, its stated remediation as a rule's recommendation."""
    info = obj(record.get("finding_info")) or obj(record.get("finding")) or next(
        iter(objects(record.get("finding_info_list"))), {})
    key = name(info.get("uid"))
    about = next(iter(resources_of(record)), None)
    target = f"{entry.provider}:{entry.tenant or ''}:resource/{about}" if about else None
    label = name(info.get("title")) or name(record.get("class_name")) or "finding"
    operation = action_of(record, (class_of(record), activity_id))
    shared = {"time": common["time"], "operation": operation,
              "target_key": target, "native_key_kind": "finding_uid" if key else None, "native_key": key,
              "event_id": common["event_id"], "title": label[:200]}
    ended = activity_id == 3 or _RESOLVED in (number(record.get("status_id")), number(record.get("state_id")))
    entry.step("finding", kind="outcome" if ended else "signal", actor_id=common["actor_id"], **shared)
    if (obj(record.get("remediation")) or obj(info.get("remediation"))) and not ended:
        entry.step("advice", kind="recommendation", origin="rule", actor_class="automation",
                   actor_class_basis="remediation stated by the finding's product", **shared)
