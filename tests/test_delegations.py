"""Chains of delegations: who began them, and what in them is not as it must be (decision-lineage 7)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics import tables
from lineage_analytics.facts import Facts
from lineage_analytics.graphs.decisions.cases import cases
from lineage_analytics.graphs.decisions.delegations import DEEPEST, Chain, Delegations
from lineage_analytics.graphs.decisions.places import Places
from lineage_analytics.graphs.decisions.steps import Step, people, steps
from lineage_analytics.loaders._entra_claims import acting
from tests import _decisions as d
from tests._documents import Loaded

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence
    from datetime import datetime

Row = dict[str, Any]
HUMAN, ROLE, AGENT, CHILD = (f"aws:{d.ACCOUNT}:{name}" for name in ("AIDAANA", "AROAROLE", "AROAAGENT", "AROACHILD"))


def lent(uid: str, parent: str | None = None, **fields: Any) -> Row:
    """A delegation of the account, stated by the provider at noon; ``fields`` replace or add columns."""
    return {"uid": uid, "kind": "stated", "time": d.NOON, "principal_id": HUMAN, "delegate_id": AGENT,
            "trust": "provider_asserted", "parent_uid": parent, "tenant": d.ACCOUNT, "provider": "aws",
            "source": "aws_cloudtrail", "record_id": f"rec-{uid}", **fields}


class World(NamedTuple):
    """Delegations made of rows, with the steps and cases that use them."""

    delegations: Delegations
    steps: dict[str, Step]
    findings: list[Row]

    def chain(self, name: str = "act") -> Chain:
        found = self.delegations.chain(self.steps[f"step-{name}"])
        assert found is not None
        return found

    def root(self, name: str = "act") -> str | None:
        found = self.delegations.root_human(self.steps[f"step-{name}"])
        return found.id if found else None

    @property
    def names(self) -> set[str]:
        return {row["finding"] for row in self.findings}


def world(told: Sequence[Row], acts: Sequence[Row] = (), *, as_of: datetime = d.AS_OF, more: Sequence[Row] = ()) -> World:
    """The delegations behind ``acts``: one action in session ``leaf`` at noon and five minutes unless given."""
    acts = acts or [act()]
    facts = Facts.of(
        as_of, decision_steps=d.frame(acts, tables.DECISION_STEPS), delegations=d.frame(told, tables.DELEGATIONS),
        identities=d.frame([d.identity(HUMAN), *more], tables.IDENTITIES))
    known, places = people(facts), Places(facts)
    made = steps(facts, known)
    found = Delegations(facts, made, known, places)
    return World(found, {step.id: step for step in made}, found.findings(cases(made, places)[0]))


def act(name: str = "act", session: str | None = "leaf", when: float = 5, **fields: Any) -> Row:
    return d.step(name, when, stated_keys=[f"session:{session}"] if session else [], actor_id=AGENT, **fields)


def test_the_person_behind_a_chain_of_sessions_is_named_with_the_records_of_every_link() -> None:
    found = world([lent("first"), lent("leaf", "first", principal_id=AGENT, delegate_id=CHILD)])
    assert [link.uid for link in found.chain().links] == ["leaf", "first"]
    assert (found.chain().depth, found.chain().end, found.root()) == (2, "root", HUMAN)
    root = found.delegations.root_human(found.steps["step-act"])
    assert root is not None
    assert root.records == ["rec-first", "rec-leaf"]
    assert found.findings == []


def test_A30_a_child_that_may_more_than_its_parent_is_a_finding_of_the_case_that_used_it() -> None:  # noqa: N802
    found = world([lent("first", scopes=["mail.read"]),
                   lent("leaf", "first", kind="spawned", scopes=["mail.read", "mail.send"])])
    assert [(row["finding"], row["step_ids"], row["record_ids"]) for row in found.findings] == [
        ("scope_amplification", ["step-act"], ["rec-act", "rec-first", "rec-leaf"])]
    assert "mail.send" in found.findings[0]["reading"]


@pytest.mark.parametrize(("above", "own"), [
    (["mail.read", "mail.send"], ["mail.read"]), (["mail.*"], ["mail.read", "mail.send"]), (["*"], ["anything"]),
    (["Mail.Read"], ["mail.read"]), (None, ["mail.read"]), (["mail.read"], None), (["a[b]*"], ["a[b]c"]),
])
def test_a_child_within_its_parent_s_scopes_or_with_scopes_that_nobody_states_is_no_finding(
        above: list[str] | None, own: list[str] | None) -> None:
    assert world([lent("first", scopes=above), lent("leaf", "first", scopes=own)]).findings == []


def test_a_scope_is_held_against_the_nearest_delegation_above_that_states_any() -> None:
    found = world([lent("first", scopes=["read"]), lent("middle", "first"),
                   lent("leaf", "middle", scopes=["read", "write"])])
    assert found.names == {"scope_amplification"}


def test_a_role_that_is_taken_on_has_rights_of_its_own_and_amplifies_nothing() -> None:
    found = world([lent("first", kind="assumed", scopes=["policy/a"]),
                   lent("leaf", "first", kind="assumed", scopes=["policy/b"])])
    assert found.findings == []


@pytest.mark.parametrize(("fields", "finding"), [
    ({"expires_at": d.at(120)}, "delegation_outlives_parent"), ({"delegate_id": HUMAN}, "delegation_to_itself"),
    ({"created_at": d.at(30)}, "delegation_out_of_time"), ({"expires_at": d.at(4)}, "delegation_out_of_time"),
    ({"audience": [f"aws:{d.ACCOUNT}:role/other"]}, "delegation_wrong_audience"),
    ({"audience": ["arn:aws:iam::999999999999:role/etl"]}, "delegation_wrong_audience"),
])
def test_each_invariant_that_does_not_hold_is_a_finding_of_its_name(fields: Row, finding: str) -> None:
    assert world([lent("first", expires_at=d.at(60)), lent("leaf", "first", **fields)]).names == {finding}


@pytest.mark.parametrize("fields", [
    {"expires_at": d.at(60)}, {"created_at": d.at(5, seconds=1)}, {"expires_at": d.at(5)},
    {"audience": [f"aws:{d.ACCOUNT}:role/etl"]}, {"audience": [f"aws:{d.ACCOUNT}"]},
    {"audience": [f"arn:aws:iam::{d.ACCOUNT}:role/path/etl"]}, {"audience": ["https://iam.amazonaws.com"]},
    {"source": "k8s_audit", "expires_at": d.at(1)},
])
def test_what_holds_or_cannot_be_compared_is_no_finding(fields: Row) -> None:
    assert world([lent("first", expires_at=d.at(60)), lent("leaf", "first", **fields)]).findings == []


@pytest.mark.parametrize("length", [1, 2, 3, 10_000])
def test_A31_a_circle_of_delegations_is_reported_and_names_nobody(length: int) -> None:  # noqa: N802
    ring = [lent(f"n{at}", f"n{(at + 1) % length}") for at in range(length)]
    found = world([*ring, lent("leaf", "n0")])
    assert (found.chain().end, found.chain().depth, found.root()) == ("cycle", None, None)
    assert len(found.chain().links) == min(length + 1, DEEPEST)
    assert found.names == {"delegation_cycle"}


def test_A31_a_chain_of_ten_thousand_is_followed_to_its_root_and_is_a_finding() -> None:  # noqa: N802
    links = [lent(f"n{at}", f"n{at + 1}", principal_id=f"aws:{d.ACCOUNT}:AROA{at + 1}",
                  delegate_id=f"aws:{d.ACCOUNT}:AROA{at}") for at in range(9_999)]
    found = world([*links, lent("n9999")], [act(f"act{at}", f"n{at}") for at in range(10_000)])
    assert (found.chain("act0").depth, found.root("act0"), len(found.chain("act0").links)) == (10_000, HUMAN, DEEPEST)
    assert (found.chain("act9999").depth, found.root("act9999")) == (1, HUMAN)
    deep = [row for row in found.findings if row["finding"] == "delegation_too_deep"]
    assert len(deep) == len(found.findings) == 10_000 - DEEPEST
    assert {len(row["record_ids"]) for row in deep} == {DEEPEST + 1}


def test_A43_delegations_that_name_each_other_as_cause_still_leave_every_other_chain_told() -> None:  # noqa: N802
    found = world([lent("a", "b"), lent("b", "a"), lent("c", "a"), lent("leaf")], [act(), act("other", "c")])
    assert (found.chain().end, found.root()) == ("root", HUMAN)
    assert (found.chain("other").end, found.root("other")) == ("cycle", None)
    assert [(row["finding"], row["step_ids"]) for row in found.findings] == [("delegation_cycle", ["step-other"])]


# --- A28, A29: with whose authority ------------------------------------------------------------------------------------------

ASSISTANT = "entra:t-1:agent"


@pytest.mark.parametrize("claims", [
    {}, {"xms_act_fct": "3 9"}, {"xms_act_fct": "111"}, {"xms_act_fct": ""}, {"xms_sub_fct": "11 13"},
    {"xms_par_app_azp": "30cf4c22-9985-4ef7-8756-91cc888176bd"}, {"app_displayname": "AI agent 11"},
])
def test_A28_a_user_s_raw_token_without_an_actor_claim_is_the_user_s_own_never_the_assistant_s(  # noqa: N802
        claims: Row) -> None:
    assert acting({"idtyp": "user", "appid": "x", **claims}) is None
    [step] = azure({"idtyp": "user", **claims})["decision_steps"].to_dicts()
    assert (step["authority_mode"], step["actor_class"], step["via_assistant_id"]) == ("self", "human", None)
    assert azure({"idtyp": "user", **claims})["delegations"].is_empty()


def azure(claims: Row) -> Loaded:
    """A role assignment of Azure's activity log by the token of these claims."""
    operation = "MICROSOFT.AUTHORIZATION/LOCKS/DELETE"
    return Loaded([{
        "time": "2026-03-01T11:00:00Z", "resourceId": "/SUBSCRIPTIONS/S/X", "operationName": operation,
        "category": "Administrative", "resultType": "Success", "resultSignature": "Succeeded.OK", "tenantId": "t-1",
        "callerIpAddress": "203.0.113.5", "correlationId": "c9", "level": "Information", "properties": {},
        "identity": {"authorization": {"action": operation}, "claims": {
            "oid": "11111111-2222-4333-8444-555555555555", "appid": "66666666-7777-4888-8999-000000000000",
            "uti": "tok-1", "iat": "1772362800", "exp": "1772366400", "scp": "user_impersonation mail.read",
            "aud": "https://management.azure.com/", **claims}}}])


AGENT_MODES: dict[str, tuple[Row, str, str]] = {
    "for the user": ({"idtyp": "user", "xms_act_fct": "3 11", "xms_sub_fct": "3"}, "obo_user", "human"),
    "in any order": ({"idtyp": "user", "xms_act_fct": ["11", "9"]}, "obo_user", "human"),
    "as itself": ({"idtyp": "app", "xms_act_fct": "11 3 9", "xms_sub_fct": "9 3 11"}, "own_identity", "ai_agent"),
    "as its user": ({"idtyp": "user", "xms_act_fct": "9,11", "xms_sub_fct": "13 3"}, "agent_user", "ai_agent"),
    "by the act claim": ({"act": {"sub": "bot"}}, "obo_user", "human"),
}


@pytest.mark.parametrize("name", AGENT_MODES)
def test_the_facets_of_a_token_say_with_whose_authority_an_agent_acts(name: str) -> None:
    claims, mode, sort = AGENT_MODES[name]
    blueprint = "30cf4c22-9985-4ef7-8756-91cc888176bd"
    found = azure({**claims, "xms_par_app_azp": blueprint})
    [step] = found["decision_steps"].to_dicts()
    assert (step["authority_mode"], step["actor_class"]) == (mode, sort)
    parts = (step["actor_id"], step["via_assistant_id"], step["on_behalf_of_id"], step["initiator_id"])
    assert not any(blueprint in (part or "") for part in parts), "the blueprint groups, it never acts"
    assert any(blueprint in (row["parent_id"] or "") for row in found["identity_facts"].to_dicts())


def test_an_agent_s_token_for_a_user_is_a_delegation_that_the_step_names_by_its_session() -> None:
    found = azure(AGENT_MODES["for the user"][0])
    [row], [step] = found["delegations"].to_dicts(), found["decision_steps"].to_dicts()
    assert (row["uid"], row["kind"], row["scopes"]) == ("tok-1", "token", ["mail.read", "user_impersonation"])
    assert (row["principal_id"], row["delegate_id"]) == (step["actor_id"], step["via_assistant_id"])
    assert (row["expires_at"] - row["created_at"]).total_seconds() == 3_600
    assert "session:tok-1" in step["stated_keys"]


@settings(deadline=None)
@given(st.sets(st.sampled_from(["1", "3", "9", "11", "13", "111", "113"])),
       st.sets(st.sampled_from(["1", "3", "9", "11", "13"])), st.sampled_from(["user", "app", ""]), st.randoms())
def test_facets_are_a_set_whose_order_and_writing_mean_nothing(
        actor: set[str], subject: set[str], sort: str, shuffle: random.Random) -> None:
    def mode(write: Callable[[list[str]], object]) -> str | None:
        one, other = list(actor), list(subject)
        shuffle.shuffle(one)
        shuffle.shuffle(other)
        found = acting({"idtyp": sort, "xms_act_fct": write(one), "xms_sub_fct": write(other)})
        return found.mode if found else None

    wanted = None
    if "11" in actor and sort == "user":
        wanted = "agent_user" if "13" in subject else "obo_user"
    elif {"11"} <= actor & subject and sort == "app":
        wanted = "own_identity"
    assert {mode(" ".join), mode(",".join), mode(list), mode(json.dumps)} == {wanted}


def test_A29_one_assistant_with_two_authorities_in_one_conversation_is_two_steps_and_a_finding() -> None:  # noqa: N802
    trace = f"trace:{'5b' * 16}"
    obo = d.step("obo", 1, via_assistant_id=ASSISTANT, actor_id=HUMAN, actor_class="human", authority_mode="obo_user",
                 stated_keys=[trace])
    own = d.step("own", 2, actor_id=ASSISTANT, actor_class="ai_agent", authority_mode="own_identity",
                 stated_keys=[trace])
    apart = [{**own, "stated_keys": [f"trace:{'6c' * 16}"]}, {**own, "stated_keys": [trace], "tenant": "999999999999"},
             {**own, "stated_keys": [trace], "actor_id": "entra:t-1:another"}]
    found = world([], [obo, own])
    assert {row["finding"] for row in found.findings} == {"authority_switch"}
    assert {step for row in found.findings for step in row["step_ids"]} == {"step-obo", "step-own"}
    assert all(row["record_ids"] == ["rec-obo", "rec-own"] and row["agent_id"] == ASSISTANT for row in found.findings)
    assert {step.authority for step in found.steps.values()} == {"obo_user", "own_identity"}
    assert [world([], [obo, other]).findings for other in apart] == [[], [], []]


# --- what is not told ----------------------------------------------------------------------------------------------------------

def test_two_records_that_name_different_parents_leave_the_chain_without_one() -> None:
    found = world([lent("a"), lent("b"), lent("leaf", "a"), lent("leaf", "b", record_id="rec-2")])
    assert (found.chain().end, found.chain().depth, found.root()) == ("torn", 1, None)


def test_a_parent_that_is_not_on_record_leaves_the_beginning_unknown() -> None:
    found = world([lent("leaf", "elsewhere")])
    assert (found.chain().end, found.chain().began, found.root()) == ("open", None, None)


def test_what_one_record_leaves_out_another_states() -> None:
    found = world([lent("leaf", principal_id=None), lent("leaf", delegate_id=None, record_id="rec-2")])
    assert found.root() == HUMAN
    assert found.chain().records == ["rec-2", "rec-leaf"]


@pytest.mark.parametrize("fields", [{"tenant": "999999999999"}, {"time": d.AS_OF.replace(year=2027)}])
def test_a_delegation_of_another_tenant_or_a_later_time_is_not_the_step_s(fields: Row) -> None:
    found = world([lent("leaf", **fields)])
    assert found.delegations.chain(found.steps["step-act"]) is None


@pytest.mark.parametrize("kind", ["ai_agent", "service_account", "unknown", "app"])
def test_a_chain_that_begins_with_no_person_has_no_person(kind: str) -> None:
    other = f"aws:{d.ACCOUNT}:AIDAOTHER"
    found = world([lent("leaf", principal_id=other)], more=[d.identity(other, kind, display_name="Alice Smith")])
    assert (found.chain().began, found.root()) == (other, None)


def test_a_step_whose_record_states_its_delegation_needs_no_session() -> None:
    assert world([lent("x", step_id="step-act")], [act(session=None)]).root() == HUMAN


# --- against another implementation ------------------------------------------------------------------------------------------

NODES = [f"n{at}" for at in range(12)]
GRAPHS = st.dictionaries(st.sampled_from(NODES), st.one_of(st.none(), st.sampled_from([*NODES, "gone"])), min_size=1)


@settings(max_examples=200, deadline=None)
@given(GRAPHS, st.randoms())
def test_chains_of_any_graph_are_those_that_networkx_finds(
        parents: dict[str, str | None], shuffle: random.Random) -> None:
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(parents)
    graph.add_edges_from((one, above) for one, above in parents.items() if above in parents)
    rows = [lent(uid, above, principal_id=f"p-{uid}") for uid, above in parents.items()]
    rows += shuffle.sample(rows, len(rows) // 2)
    shuffle.shuffle(rows)
    found = world(rows, [act(uid, uid) for uid in parents])
    rings = {node for part in nx.strongly_connected_components(graph) if len(part) > 1 or graph.has_edge(*list(part) * 2)
             for node in part}
    for uid in parents:
        above = nx.descendants(graph, uid) | {uid}
        chain = found.chain(uid)
        assert {link.uid for link in chain.links} == above
        if above & rings:
            assert (chain.end, chain.depth) == ("cycle", None)
            continue
        [last] = [node for node in above if graph.out_degree(node) == 0]
        assert (chain.depth, chain.end) == (len(above), "root" if parents[last] is None else "open")
        assert chain.began == (f"p-{last}" if parents[last] is None else None)
    circling = {row["step_ids"][0].removeprefix("step-") for row in found.findings if row["finding"] == "delegation_cycle"}
    assert circling == {uid for uid in parents if (nx.descendants(graph, uid) | {uid}) & rings}


SCOPES = st.one_of(st.none(), st.lists(st.sampled_from("abc"), unique=True))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10), SCOPES, st.one_of(st.none(), st.integers(10, 20))), min_size=1, max_size=10))
def test_bounds_of_any_tree_are_held_as_a_walk_up_every_branch_finds_them(
        told: list[tuple[int, list[str] | None, int | None]]) -> None:
    above = [None if at == 0 else up % at for at, (up, _, _) in enumerate(told)]
    rows = [lent(f"n{at}", None if above[at] is None else f"n{above[at]}", scopes=scopes,
                 expires_at=None if ends is None else d.at(ends)) for at, (_, scopes, ends) in enumerate(told)]

    def nearest(at: int, part: int) -> Any:
        up = above[at]
        while up is not None and told[up][part] is None:
            up = above[up]
        return None if up is None else told[up][part]

    found = world(rows, [act(f"s{at}", f"n{at}") for at in range(len(told))])
    for at in range(len(told)):
        wanted = set()
        link: int | None = at
        while link is not None:
            scopes, ends = told[link][1:]
            bounds, until = nearest(link, 1), nearest(link, 2)
            wanted |= {"scope_amplification"} if scopes and bounds is not None and set(scopes) - set(bounds) else set()
            wanted |= {"delegation_outlives_parent"} if ends and until is not None and ends > until else set()
            link = above[link]
        assert {row["finding"] for row in found.findings if f"step-s{at}" in row["step_ids"]} == wanted


@settings(deadline=None)
@given(st.permutations([lent("first", scopes=["a"], expires_at=d.at(9)),
                        lent("middle", "first", scopes=["a", "b"]), lent("middle", "first", record_id="rec-again"),
                        lent("leaf", "middle", expires_at=d.at(60)), lent("leaf", "middle", expires_at=d.at(60))]))
def test_order_and_repetition_of_records_change_no_finding(rows: list[Row]) -> None:
    wanted = world(sorted(rows, key=repr))
    found = world(rows)
    assert found.findings == wanted.findings
    assert found.chain() == wanted.chain()
