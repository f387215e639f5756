"""Certificate services: every condition of a way by itself, one table a way."""

from __future__ import annotations

from typing import Any

import pytest

from tests._ad import DOMAIN, behind, ends, made, object_, principal, says

AGENT, ANY, SIGN_IN = "1.3.6.1.4.1.311.20.2.1", "2.5.29.37.0", "1.3.6.1.5.5.7.3.2"
OPEN = {"authenticationenabled": True, "enrolleesuppliessubject": True, "requiresmanagerapproval": False,
        "schemaversion": 2, "authorizedsignatures": 0}


def forest(template: dict[str, Any], *, thumb: object = "AA", listed: object = ("AA",), chain: object = ("AA", "RR"),
           root: object = "RR", other: dict[str, Any] | None = None) -> tuple[dict[str, Any], ...]:
    """A domain with a store, a root, an authority and a template; None: not stated."""
    def stated(**fields: object) -> dict[str, Any]:
        return {key: list(value) if isinstance(value, tuple) else value for key, value in fields.items()
                if value is not None}

    return (object_(DOMAIN, "domain", "CORP.LOCAL"), object_("store", "nt_auth_store", **stated(certthumbprints=listed)),
            object_("ca", "enterprise_ca", **stated(certthumbprint=thumb, certchain=chain)),
            *([object_("root", "root_ca", certthumbprint=root)] if root else ()),
            object_("t", "cert_template", **template), object_("t2", "cert_template", **(other or {})),
            principal("513", "group"), principal("g", "group"), principal("u"), principal("c", "computer"))


PUBLISHED = says("t", "PublishedTo", "ca")
MAY = (says("g", "Enroll", "t"), says("g", "Enroll", "ca"), PUBLISHED)


def takes(*grants: dict[str, Any], of: tuple[dict[str, Any], ...]) -> set[tuple[str, str]]:
    """Who takes the domain by enrolling, and the state."""
    return {(src, state) for src, dst, state in ends(made(*grants, of=of))
            if dst == "domain" and src not in {"ca", "t", "t2"}}


def without(key: str, **more: object) -> dict[str, Any]:
    return {name: value for name, value in {**OPEN, **more}.items() if name != key}


def test_who_may_enroll_for_an_open_template_takes_the_domain_with_the_six_records_that_say_so() -> None:
    build = made(*MAY, says("u", None, "g"), of=forest(OPEN))
    assert ("g", "domain", "proved") in ends(build)
    assert behind(build, "g", DOMAIN) == {"rec-g-Enroll-t", "rec-g-Enroll-ca", "rec-t-PublishedTo-ca", "rec-t", "rec-ca",
                                          "rec-store"}
    assert takes(*MAY, says("u", None, "g"), of=forest(OPEN)) == {("g", "proved")}


@pytest.mark.parametrize("template", [
    {**OPEN, "authenticationenabled": False}, {**OPEN, "enrolleesuppliessubject": False},
    {**OPEN, "requiresmanagerapproval": True}, {**OPEN, "authorizedsignatures": 1},
    without("authenticationenabled"), without("enrolleesuppliessubject"), without("requiresmanagerapproval"),
    without("authorizedsignatures"), {}], ids=str)
def test_a_template_that_lacks_one_condition_or_does_not_state_it_gives_nothing(template: dict[str, Any]) -> None:
    assert takes(*MAY, of=forest(template)) == set()


def test_templates_of_the_first_version_count_no_signatures() -> None:
    assert takes(*MAY, of=forest({**OPEN, "schemaversion": 1, "authorizedsignatures": 1})) == {("g", "proved")}


@pytest.mark.parametrize("missing", range(3))
def test_each_of_enrolling_for_the_template_at_the_authority_and_its_being_published_is_needed(missing: int) -> None:
    assert takes(*(grant for at, grant in enumerate(MAY) if at != missing), of=forest(OPEN)) == set()


@pytest.mark.parametrize(("right", "over", "holds"), [
    ("Enroll", "t", True), ("AllExtendedRights", "t", True), ("GenericAll", "t", True), ("GenericWrite", "t", False),
    ("ManageCA", "ca", False), ("GenericAll", "ca", False), ("AllExtendedRights", "ca", False)])
def test_which_rights_let_one_enroll(right: str, over: str, holds: bool) -> None:
    rest = says("u", "Enroll", "ca" if over == "t" else "t")
    assert takes(says("u", right, over), rest, PUBLISHED, of=forest(OPEN)) == ({("u", "proved")} if holds else set())


@pytest.mark.parametrize(("told", "state"), [
    ({}, "proved"), ({"listed": ("BB",)}, None), ({"listed": None}, None), ({"thumb": None}, None),
    ({"thumb": "aa"}, "proved"), ({"chain": ("AA", "XX")}, None), ({"chain": None}, "conditional"),
    ({"root": None}, "conditional")], ids=str)
def test_an_authority_is_believed_by_the_store_and_by_its_chain_and_a_chain_not_told_is_a_condition(
        told: dict[str, Any], state: str | None) -> None:
    assert takes(*MAY, of=forest(OPEN, **told)) == ({("g", state)} if state else set())


def test_a_store_of_another_domain_does_not_make_an_authority_believed() -> None:
    objects = tuple(row for row in forest(OPEN) if row["id"] != "ad:S-1-5-21-1-2-3:S-1-5-21-1-2-3-store")
    other = object_("ad:S-1-5-21-9-9-9:store", "nt_auth_store", certthumbprints=["AA"])
    assert takes(*MAY, of=(*objects, other)) == set()


def test_domain_users_take_it_where_the_authority_lets_authenticated_users_enroll() -> None:
    authenticated = "ad::CORP.LOCAL-S-1-5-11"
    found = takes(says("513", "Enroll", "t"), says(authenticated, "Enroll", "ca"), PUBLISHED, of=forest(OPEN))
    assert found == {("513", "proved")}


def test_the_halves_may_come_through_two_groups() -> None:
    found = takes(says("g", "Enroll", "t"), says("513", "Enroll", "ca"), says("u", None, "g"), says("u", None, "513"),
                  PUBLISHED, of=forest(OPEN))
    assert found == {("u", "proved")}


# Who controls what.

def test_the_computer_of_a_believed_authority_controls_it_and_the_domain() -> None:
    build = made(says("c", "HostsCAService", "ca"), of=forest({}))
    assert {("c", "ca", "proved"), ("c", "domain", "proved"), ("ca", "domain", "conditional")} == ends(build)
    assert behind(build, "c", DOMAIN) == {"rec-c-HostsCAService-ca", "rec-ca", "rec-store"}


def test_the_computer_of_an_authority_that_is_not_listed_controls_the_authority_alone() -> None:
    assert ends(made(says("c", "HostsCAService", "ca"), of=forest({}, listed=("BB",)))) == {("c", "ca", "proved")}


def test_control_over_a_published_template_is_a_conditional_way_and_over_another_none() -> None:
    found = ends(made(says("u", "WriteDacl", "t"), says("u", "WriteDacl", "t2"), PUBLISHED, of=forest({})))
    assert found == {("u", "t", "proved"), ("u", "t2", "proved"), ("t", "domain", "conditional"),
                     ("ca", "domain", "conditional")}


def test_the_store_is_taken_by_full_control_and_by_writing_only_with_an_authority_of_ones_own() -> None:
    found = ends(made(says("u", "GenericAll", "store"), says("g", "GenericWrite", "store"), of=forest({}, listed=None)))
    assert found == {("u", "store", "proved"), ("g", "store", "conditional")}


def test_an_authority_of_a_domain_that_was_not_collected_gives_nothing() -> None:
    objects = tuple(row for row in forest(OPEN) if row["id"] != DOMAIN)
    assert ends(made(*MAY, of=objects)) == set()


# Enrollment agents.

FOR_AGENTS = {"requiresmanagerapproval": False, "schemaversion": 2, "authorizedsignatures": 0, "effectiveekus": [AGENT],
              "subjectaltrequiredns": False, "subjectaltrequiredomaindns": False}
ASKS = {"authenticationenabled": True, "requiresmanagerapproval": False, "schemaversion": 2, "authorizedsignatures": 1,
        "applicationpolicies": [AGENT]}
FIRST = {"authenticationenabled": True, "requiresmanagerapproval": False, "schemaversion": 1}
BOTH = (*(says("u", "Enroll", over) for over in ("t", "t2", "ca")), PUBLISHED, says("t2", "PublishedTo", "ca"))


@pytest.mark.parametrize(("agent", "template", "given"), [
    ({}, ASKS, True), ({}, FIRST, True), ({"effectiveekus": [ANY]}, FIRST, True), ({"effectiveekus": [ANY]}, ASKS, False),
    ({"effectiveekus": [SIGN_IN]}, FIRST, False), ({"effectiveekus": None}, FIRST, False),
    ({"requiresmanagerapproval": True}, ASKS, False), ({"authorizedsignatures": 1}, ASKS, False),
    ({"subjectaltrequiredns": True}, ASKS, False), ({"subjectaltrequiredomaindns": True}, ASKS, False),
    ({}, {**ASKS, "authenticationenabled": False}, False), ({}, {**ASKS, "requiresmanagerapproval": True}, False),
    ({}, {**ASKS, "applicationpolicies": [SIGN_IN]}, False), ({}, {**ASKS, "authorizedsignatures": 0}, False)], ids=str)
def test_an_enrollment_agent_takes_the_domain_conditionally_and_not_without_each_condition(
        agent: dict[str, Any], template: dict[str, Any], given: bool) -> None:
    found = takes(*BOTH, of=forest({**FOR_AGENTS, **agent}, other=template))
    assert found == ({("u", "conditional")} if given else set())


@pytest.mark.parametrize("missing", range(5))
def test_an_enrollment_agent_needs_each_of_the_three_rights_and_both_templates_published(missing: int) -> None:
    grants = (grant for at, grant in enumerate(BOTH) if at != missing)
    assert takes(*grants, of=forest(FOR_AGENTS, other=ASKS)) == set()


def test_a_group_may_be_an_agent_for_templates_with_a_host_s_name_as_computers_may_be_in_it() -> None:
    grants = (*(says("g", "Enroll", over) for over in ("t", "t2", "ca")), PUBLISHED, says("t2", "PublishedTo", "ca"))
    found = takes(*grants, of=forest({**FOR_AGENTS, "subjectaltrequiredns": True}, other=ASKS))
    assert found == {("g", "conditional")}
