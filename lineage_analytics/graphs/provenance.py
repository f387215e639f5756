"""Decisions as W3C PROV, in PROV-JSON: one bundle per case, a guess never as a record.

A step is one activity together with what it produced; here they are two (decision-lineage 3 and 4): ``la:<step id>`` is
the activity, ``la:<step id>.artefact`` the entity, a plan where it proposes. What is only observed or read is an entity
alone, what left nothing behind an activity alone. Proved links (tier 3 and above) become the terms of the table there;
every other link becomes ``wasInfluencedBy`` with ``la:confidence`` and nothing else. An approval that came after the
change informed nothing: its decision ``used`` the change. PROV knows no missing element: the gaps of a case are
``la:missing``, texts ``<element>: <reason>``.

Equal rows give equal bytes. Hidden characters of names are written visibly, as in ``export``; null is absent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics.graphs import decisions as decisions_room
from lineage_analytics.loaders.common.ids import derived_id
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lineage_analytics.graphs.decisions import DecisionLineage

Row = dict[str, Any]
_Ends = tuple[str | None, str | None]
"""Activity and entity of a step."""
NAMESPACE = "urn:lineage-analytics:"
PROVED = 3
MOST = 2_000
"""Cases of an export that names none: the newest of the window."""
EXPORT = "la:export"
SPLIT = frozenset({"recommendation", "draft", "request", "decision", "action"})
ENTITIES = frozenset({"signal", "outcome", "data_access"})
_PLANS = frozenset({"recommendation", "draft"})
_ROLES = {"recommendation": "recommender", "decision": "decider", "request": "initiator"}
_ASKED = {"initiator_id": "initiator", "assistant_id": "assistant", "on_behalf_of_id": "responsible"}
_AGENTS = {"human": "prov:Person", "workload": "prov:SoftwareAgent", "automation": "prov:SoftwareAgent",
           "ai_agent": "prov:SoftwareAgent", "ai_instance": "prov:SoftwareAgent", "group": "prov:Organization",
           "organisation": "prov:Organization"}
_CASE = ("tenant", "provider", "status", "change_class", "involvement_class", "involvement_bounds", "approval_verdict",
         "order_verdict", "independent", "effect_match", "accountable_rule", "reversibility", "rollback_path",
         "rollback_kind", "completeness", "weakest_tier", "workflow_id", "workstream", "environment")
_STEP = {"kind": "kind", "operation": "operation", "status": "status", "verdict": "verdict", "origin": "origin",
         "target": "target_key", "effect": "effect_key", "authority_mode": "authority_mode", "event": "event_id",
         "source": "source"}


def provenance(lineage: DecisionLineage, case_ids: Iterable[str] | None = None) -> dict[str, Any]:
    """The PROV-JSON document of these cases; of the executed cases of the window, at most MOST, when none is named.

    What an export of the window leaves out stands in the entity ``la:export``: ``la:left_out_not_executed``,
    ``la:left_out_before_window``, ``la:left_out_beyond_limit``.
    """
    chosen, said = _window(lineage) if case_ids is None else (lineage.cases.filter(
        pl.col("case_id").is_in(sorted(set(case_ids)))), {})
    if lineage.facts is not None:
        said |= {"as_of": lineage.facts.as_of, "window_start": lineage.facts.window_start}
    parts = _Parts(lineage, chosen)
    bundles = {f"la:{case['case_id']}": _bundle(case, parts) for case in
               chosen.sort("case_id").iter_rows(named=True)}
    export = _attributes({**said, "rules": decisions_room.RULES, "cases": chosen.height})
    entities = {EXPORT: export, **{name: {"prov:type": _name("prov:Bundle")} for name in bundles}}
    return {"prefix": {"la": NAMESPACE}, "entity": entities, **({"bundle": bundles} if bundles else {})}


def prov_json(lineage: DecisionLineage, case_ids: Iterable[str] | None = None) -> bytes:
    """The document of ``provenance`` as bytes."""
    document = provenance(lineage, case_ids)
    return (json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True) + "\n").encode()


def _window(lineage: DecisionLineage) -> tuple[pl.DataFrame, Row]:
    executed = lineage.cases.filter("executed")
    inside = executed
    if lineage.facts is not None:
        inside = executed.filter(pl.col("time") > lineage.facts.window_start)
    kept = inside.sort("time", "case_id", descending=[True, False]).head(MOST)
    return kept, {"left_out_not_executed": lineage.cases.height - executed.height,
                  "left_out_before_window": executed.height - inside.height,
                  "left_out_beyond_limit": inside.height - kept.height}


class _Parts:
    """The rows of the chosen cases, case by case. A link belongs to the case of the step it begins at; where that is
    not among them, to the case of the step it ends at."""

    def __init__(self, lineage: DecisionLineage, chosen: pl.DataFrame) -> None:
        cases = chosen["case_id"]
        own = lineage.steps.filter(pl.col("case_id").is_in(cases.implode())).sort("time", "step_id")
        home = dict(own.select("step_id", "case_id").iter_rows())
        links = lineage.links.filter(
            pl.col("src").is_in(own["step_id"].implode()) | pl.col("dst").is_in(own["step_id"].implode()))
        ends = pl.concat([links["src"], links["dst"]]).unique().implode()
        others = lineage.steps.filter(pl.col("step_id").is_in(ends))
        self.steps: dict[str, Row] = {row["step_id"]: row for row in pl.concat([own, others]).iter_rows(named=True)}
        self.of: dict[str, list[Row]] = {}
        for step in own.iter_rows(named=True):
            self.of.setdefault(step["case_id"], []).append(step)
        self.links: dict[str, list[Row]] = {}
        for link in links.sort("src", "dst", "rel", "rule_id").iter_rows(named=True):
            self.links.setdefault(home.get(link["src"]) or home[link["dst"]], []).append(link)
        self.gaps = _by_case(lineage.gaps, cases, "element", "reason")
        self.elements = _by_case(lineage.elements, cases, "element", "state")
        self.findings = _by_case(lineage.decision_findings, cases, "finding")
        self.names: dict[str, str] = {}
        self.persons: dict[str, str] = {}
        if lineage.facts is not None:
            agents = sorted({one for step in own.iter_rows(named=True) for one in (
                *step["agent_ids"], *(step[column] for column in _ASKED)) if one is not None})
            identities = lineage.facts["identities"].filter(
                pl.col("id").is_in(agents) & pl.col("display_name").is_not_null()).select("id", "display_name")
            self.names = dict(identities.collect().iter_rows())
            proved = lineage.facts["accounts"].filter(
                pl.col("account_id").is_in(agents) & (pl.col("tier") >= PROVED)).select("account_id", "person_id")
            self.persons = dict(proved.collect().iter_rows())


def _by_case(frame: pl.DataFrame, cases: pl.Series, *names: str) -> dict[str, list[tuple[str, ...]]]:
    found: dict[str, list[tuple[str, ...]]] = {}
    held = frame.filter(pl.col("case_id").is_in(cases.implode())).select("case_id", *names).unique().sort(pl.all())
    for case_id, *values in held.iter_rows():
        found.setdefault(case_id, []).append(tuple(values))
    return found


@dataclass
class _Bundle:
    """A bundle while it is written; relations are numbered by their kind."""

    case_id: str
    parts: _Parts
    entities: dict[str, Row] = field(default_factory=dict)
    activities: dict[str, Row] = field(default_factory=dict)
    agents: dict[str, Row] = field(default_factory=dict)
    relations: dict[str, dict[str, Row]] = field(default_factory=dict)
    classes: dict[str, set[str]] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    """Steps whose effect ended by itself at a later time that is on record."""

    def relate(self, kind: str, said: Mapping[str, Any], **ends: str | None) -> None:
        """A relation; ``ends`` by the names PROV gives them, those that are None left out."""
        held = self.relations.setdefault(kind, {})
        held[f"_:{kind}{len(held) + 1}"] = {f"prov:{name}": end for name, end in ends.items() if end} | dict(said)

    def agent(self, identity: str) -> str:
        name = f"la:{derived_id('agent', identity)}"
        label = self.parts.names.get(identity)
        self.agents.setdefault(name, _attributes({"id": identity}) | ({"prov:label": _shown(label)} if label else {}))
        return name

    def document(self) -> Row:
        found = {"entity": self.entities, "activity": self.activities, "agent": self.agents, **self.relations}
        return {kind: held for kind, held in found.items() if held}


def _bundle(case: Row, parts: _Parts) -> Row:
    made = _Bundle(case["case_id"], parts)
    _case(made, case)
    links = parts.links.get(case["case_id"], [])
    plans: dict[str, list[str]] = {}
    for link in links:
        if link["tier"] < PROVED:
            continue
        if link["rel"] == "authorised_by" and link["order"] != "later" and parts.steps[link["dst"]]["kind"] in SPLIT:
            plans.setdefault(link["src"], []).append(_artefact(link["dst"]))
        elif link["rel"] == "ends":
            made.ended.add(link["dst"])
    for step in parts.of.get(case["case_id"], []):
        _step(made, step)
        _people(made, step, plans.get(step["step_id"], []))
    for link in links:
        for end in ("src", "dst"):
            if parts.steps[link[end]]["case_id"] != made.case_id:
                _declare(made, parts.steps[link[end]])
        _link(made, link)
    if case["batch_id"] is not None:
        _batch(made, case)
    _agents(made)
    return made.document()


def _case(made: _Bundle, case: Row) -> None:
    """What is said of the case, and what is missing of it."""
    said = _attributes({name: case[name] for name in _CASE})
    said |= {f"la:element_{name}": state for name, state in made.parts.elements.get(made.case_id, [])}
    gaps = [f"{element}: {reason}" for element, reason in made.parts.gaps.get(made.case_id, [])]
    findings = [name for name, in made.parts.findings.get(made.case_id, [])]
    said |= {f"la:{name}": held for name, held in (("missing", gaps), ("finding", findings)) if held}
    label = {"prov:label": _shown(case["title"])} if case["title"] else {}
    made.entities[f"la:{made.case_id}"] = {"prov:type": _name("la:Case"), **label, **said}


def _artefact(step_id: str) -> str:
    return f"la:{step_id}.artefact"


def _entity_of(step: Row) -> str | None:
    if step["kind"] in ENTITIES:
        return f"la:{step['step_id']}"
    return _artefact(step["step_id"]) if step["kind"] in SPLIT else None


def _activity_of(step: Row) -> str | None:
    return None if step["kind"] in ENTITIES else f"la:{step['step_id']}"


def _step(made: _Bundle, step: Row) -> None:
    """The step as activity, entity or both, with the states it changed and the records behind it."""
    _declare(made, step)
    activity, entity, moment = _activity_of(step), _entity_of(step), _time(step["time"])
    if entity is not None:
        for record in step["record_ids"]:
            made.relate("wasDerivedFrom", {"prov:type": _name("prov:PrimarySource"), "la:rel": "supported_by"},
                        generatedEntity=entity, usedEntity=f"la:{record}")
    if activity is None or entity is None:
        return
    made.relate("wasGeneratedBy", {"la:rel": "changed"} if step["kind"] == "action" else {},
                entity=entity, activity=activity, time=moment)
    if step["kind"] == "action" and step["before_state"] is not None:
        before = f"la:{step['step_id']}.before"
        made.entities[before] = {"prov:type": _name("la:state"),
                                 **_attributes({"state": step["before_state"], "target": step["target_key"]})}
        made.relate("wasInvalidatedBy", {"la:rel": "changed"}, entity=before, activity=activity, time=moment)


def _declare(made: _Bundle, step: Row) -> None:
    """The step's activity and entity; of a step of another case with no more than which."""
    activity, entity = _activity_of(step), _entity_of(step)
    if step["case_id"] != made.case_id:
        said: Row = {"la:case": _name(f"la:{step['case_id']}"), "la:kind": step["kind"]}
    else:
        for record in step["record_ids"]:
            made.entities.setdefault(f"la:{record}", {"prov:type": _name("la:record")})
        said = _attributes({name: step[column] for name, column in _STEP.items()})
        said |= {"la:record": [_name(f"la:{record}") for record in step["record_ids"]]} if step["record_ids"] else {}
        said |= {"prov:label": _shown(step["title"])} if step["title"] else {}
    moment = {"prov:startTime": _time(step["time"])} if step["time"] else {}
    if moment and step["step_id"] not in made.ended:
        moment["prov:endTime"] = moment["prov:startTime"]
    if activity is not None:
        made.activities[activity] = {"prov:type": _name(f"la:{step['kind']}"), **moment, **said}
    if entity is not None:
        made.entities[entity] = _entity(step, said, alone=activity is None)


def _entity(step: Row, said: Row, *, alone: bool) -> Row:
    """What a step produced; all that is said of the step where there is no activity to say it of."""
    types = [_name(f"la:{step['kind'] if alone or step['kind'] != 'action' else 'state'}")]
    types += [_name("prov:Plan")] if step["kind"] in _PLANS else []
    made = {"prov:type": types[0] if len(types) == 1 else types}
    if alone:
        return {**made, **said, **({"la:time": _moment(step["time"])} if step["time"] else {})}
    if "la:case" in said:
        return {**made, **said}
    after = step["after_state"] if step["kind"] == "action" else None
    return {**made, **_attributes({"state": after, "target": step["target_key"], "effect": step["effect_key"]})}


def _people(made: _Bundle, step: Row, plans: Sequence[str]) -> None:
    """Who acted, for whom, asked by whom and through what; ``plans`` are the decisions that authorised it."""
    activity, entity = _activity_of(step), _entity_of(step)
    role = _ROLES.get(step["kind"], "executor")
    agents = [made.agent(one) for one in step["agent_ids"]]
    for name in agents[:1]:
        made.classes.setdefault(name, set()).add(step["agent_class"])
    others = [(made.agent(step[column]), what) for column, what in _ASKED.items()
              if step[column] is not None and what != "responsible"]
    acted = list(dict.fromkeys([*((name, role) for name in agents), *others]))
    if activity is None:
        for name, what in acted:
            if step["kind"] == "data_access":  # whoever read it did not make it
                held = made.entities[f"la:{step['step_id']}"]
                held["la:read_by"] = [*held.get("la:read_by", []), _name(name)]
            else:
                made.relate("wasAttributedTo", {"la:role": what}, entity=entity, agent=name)
        return
    doers: list[str | None] = [name for name, what in acted if what == role]
    for doer in doers or [None] * bool(plans):
        for plan in (*plans,) or (None,):
            made.relate("wasAssociatedWith", {"prov:role": role}, activity=activity, agent=doer, plan=plan)
    for name, what in acted:
        if what != role:
            made.relate("wasAssociatedWith", {"prov:role": what}, activity=activity, agent=name)
    if step["on_behalf_of_id"] is not None:
        for_whom = made.agent(step["on_behalf_of_id"])
        if agents and agents[0] != for_whom:
            made.relate("actedOnBehalfOf", {"la:authority_mode": step["authority_mode"]}, delegate=agents[0],
                        responsible=for_whom, activity=activity)
        elif not agents:
            made.activities[activity]["la:on_behalf_of"] = _name(for_whom)


def _link(made: _Bundle, link: Row) -> None:
    """A link as the terms that its kind has, if it is proved; else as influence and nothing more."""
    src, dst = made.parts.steps[link["src"]], made.parts.steps[link["dst"]]
    said = {**_attributes({name: link[name] for name in ("rel", "tier", "method", "confidence", "order")}),
            "la:rule": link["rule_id"],
            "la:from": _name(f"la:{src['step_id']}"), "la:to": _name(f"la:{dst['step_id']}")}
    if link["tier"] < PROVED or not _strong(made, link["rel"], src, dst, said):
        made.relate("wasInfluencedBy", said, influencee=_entity_of(src) or _activity_of(src),
                    influencer=_entity_of(dst) or _activity_of(dst))


def _strong(made: _Bundle, rel: str, src: Row, dst: Row, said: Row) -> bool:
    """The terms of a proved link; False where PROV has none between what the two steps are."""
    did, gave = _activity_of(src), _entity_of(src)
    to_did, to_gave = _activity_of(dst), _entity_of(dst)
    if rel == "proposes" and dst["kind"] == "draft":  # the link begins at what came first
        gave, to_gave, did, to_did = to_gave, gave, to_did, did
    if rel == "ends" and did and to_did:
        made.relate("wasEndedBy", said, activity=to_did, ender=did, time=_time(src["time"]))
    elif rel == "triggered_by" and did:
        made.relate("wasStartedBy", said, activity=did, trigger=to_gave, starter=to_did)
    elif rel == "rolls_back" and did and to_did and to_gave:
        made.relate("wasInvalidatedBy", said, entity=to_gave, activity=did, time=_time(src["time"]))
        made.relate("wasInformedBy", said, informed=did, informant=to_did)
    elif rel == "authorised_by" and said.get("la:order") == "later" and gave and to_did:
        made.relate("used", said, activity=to_did, entity=gave)
    elif did and to_did and (rel in ("authorised_by", "rolls_back") or not to_gave):
        made.relate("wasInformedBy", said, informed=did, informant=to_did)
    else:
        return _by_entity(made, rel, (did, gave), (to_did, to_gave), said, signal=dst["kind"] == "signal")
    return True


def _by_entity(made: _Bundle, rel: str, at: _Ends, to: _Ends, said: Row, *, signal: bool) -> bool:
    """The terms of a proved link to what a step produced: used by what was done, or what was made derives from it."""
    if not to[1] or not (at[0] or at[1]):
        return False
    derives = at[1] is not None and (rel in ("informed_by", "proposes", "resulted_in") or not at[0])
    if at[0] and (rel == "informed_by" or not derives):
        role = {"prov:role": "input-data"} if rel == "read" else {}
        made.relate("used", {**said, **role}, activity=at[0], entity=to[1])
    if derives:
        source = {"prov:type": _name("prov:PrimarySource")} if signal else {}
        made.relate("wasDerivedFrom", {**said, **source}, generatedEntity=at[1], usedEntity=to[1],
                    activity=to[0] if rel == "resulted_in" else None)
    return True


def _batch(made: _Bundle, case: Row) -> None:
    """What one approval or key covers, as a collection that this case's changes are members of."""
    batch = f"la:{derived_id('batch', case['batch_id'])}"
    made.entities[batch] = {"prov:type": _name("prov:Collection"),
                            **_attributes({"id": case["batch_id"], "size": case["batch_size"]})}
    for step in made.parts.of.get(made.case_id, []):
        if step["kind"] == "action":
            made.relate("hadMember", {}, collection=batch, entity=_artefact(step["step_id"]))


def _agents(made: _Bundle) -> None:
    """Of each agent its class, where all that is on record agrees; and which are accounts of one person."""
    people: dict[str, list[str]] = {}
    for name, said in sorted(made.agents.items()):
        classes = sorted(made.classes.get(name, set()) - {"unknown"})
        if classes:
            said["la:agent_class"] = classes[0] if len(classes) == 1 else classes
        kinds = {_AGENTS[one] for one in classes}
        if len(kinds) == 1:
            said["prov:type"] = _name(kinds.pop())
        person = made.parts.persons.get(said["la:id"])
        if person is not None:
            people.setdefault(person, []).append(name)
    for _, (first, *rest) in sorted(people.items()):
        for other in rest:
            made.relate("alternateOf", {}, alternate1=first, alternate2=other)


def _attributes(said: Mapping[str, Any]) -> Row:
    return {f"la:{name}": _moment(value) if isinstance(value, datetime) else
            _shown(value) if isinstance(value, str) else value for name, value in said.items() if value is not None}


def _name(name: str) -> Row:
    return {"$": name, "type": "prov:QUALIFIED_NAME"}


def _moment(value: datetime) -> Row:
    return {"$": _time(value), "type": "xsd:dateTime"}


def _time(value: datetime | None) -> str | None:
    if value is None:
        return None
    text = value.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{value.microsecond:06d}Z" if value.microsecond else f"{text}Z"


def _shown(value: str) -> str:
    """The text with hidden characters visible, whole."""
    return value if value.isascii() and value.isprintable() else printable(value, 12 * len(value))
