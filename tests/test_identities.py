"""One principal under many names, and never two under one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import networkx as nx
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics.errors import UsageError
from lineage_analytics.facts import Facts
from lineage_analytics.identities import Resolution, apply_aliases, resolve, who
from lineage_analytics.loaders.common.ids import record_id, record_ids
from lineage_analytics.tables import ALIASES, IDENTITIES, IDENTITY_FACTS, closed_value_faults

if TYPE_CHECKING:
    from random import Random

AS_OF = datetime(2026, 6, 30, tzinfo=UTC)
A = "111122223333"
TENANT = "aaaaaaaa-0000-4000-8000-000000000001"
OBJECT = "bbbbbbbb-0000-4000-8000-000000000001"
ARN = f"arn:aws:iam::{A}:user/ana"


def _fact(identity: str, **more: Any) -> dict[str, Any]:
    provider, tenant, _ = identity.split(":", 2)
    return {"id": identity, "kind": "unknown", "basis": "seen", "provider": provider, "tenant": tenant or None,
            "source": "test", "record_id": f"rec-{identity}", "alt_ids": [], **more}


def _alt(**kinds: str) -> list[dict[str, str]]:
    return [{"kind": kind, "value": value} for kind, value in kinds.items()]


def _resolved(*facts: dict[str, Any]) -> Resolution:
    frame = pl.DataFrame(facts, schema={k: v for k, v in IDENTITY_FACTS.schema.items() if any(k in f for f in facts)})
    found = resolve(Facts.of(AS_OF, identity_facts=frame))
    assert found.identities.schema == IDENTITIES.schema
    assert found.aliases.schema == ALIASES.schema
    assert closed_value_faults(found.identities, IDENTITIES) == []
    return found


def _kinds(found: Resolution) -> dict[str, str]:
    return dict(found.identities.select("id", "kind").iter_rows())


def test_report_row_and_details_entry_are_one_user_and_the_report_decides_its_kind() -> None:
    found = _resolved(
        _fact(f"aws:{A}:AIDAEXAMPLE000000001", basis="inventory", alt_ids=_alt(arn=ARN)),
        _fact(f"aws:{A}:{ARN}", basis="inventory", alt_ids=_alt(arn=ARN), kind="service_account"),
        _fact(f"aws:{A}:AIDAEXAMPLE000000001", alt_ids=_alt(arn=ARN)))
    assert _kinds(found) == {f"aws:{A}:AIDAEXAMPLE000000001": "service_account"}
    assert found.aliases["alias"].to_list() == [f"aws:{A}:{ARN}"]
    assert found.identities["inventoried"].to_list() == [True]


def test_a_session_that_drops_its_roles_path_is_the_listed_role() -> None:
    listed, path = f"aws:{A}:AROAEXAMPLE000000001", f"arn:aws:iam::{A}:role/aws-reserved/sso.amazonaws.com/SSO_X_1"
    short = f"arn:aws:iam::{A}:role/SSO_X_1"
    found = _resolved(_fact(listed, basis="inventory", alt_ids=_alt(arn=path), kind="role"),
                      _fact(f"aws:{A}:{short}", alt_ids=_alt(arn=short)))
    assert _kinds(found) == {listed: "role"}
    assert found.aliases["alias"].to_list() == sorted([f"aws:{A}:{path}", f"aws:{A}:{short}"])


def test_a_recreated_user_of_the_same_name_is_another_principal() -> None:
    old, new = f"aws:{A}:AIDAOLD0000000000001", f"aws:{A}:AIDANEW0000000000001"
    found = _resolved(_fact(old, alt_ids=_alt(arn=ARN)), _fact(new, basis="inventory", alt_ids=_alt(arn=ARN)))
    assert set(_kinds(found)) == {old, new}
    assert dict(found.aliases.select("alias", "id").iter_rows()) == {f"aws:{A}:{ARN}": new}


def test_two_unlisted_principals_of_one_name_leave_the_name_unresolved() -> None:
    found = _resolved(_fact(f"aws:{A}:AIDAOLD0000000000001", alt_ids=_alt(arn=ARN)),
                      _fact(f"aws:{A}:AIDANEW0000000000001", alt_ids=_alt(arn=ARN)))
    assert found.identities.height == 2
    assert found.aliases.is_empty()


def test_a_login_and_a_directory_user_of_one_tenant_are_one_and_of_two_tenants_two() -> None:
    user = _fact(f"entra:{TENANT}:{OBJECT}", kind="human", alt_ids=_alt(upn="Ana@northwind.example"))
    login = _fact(f"m365:{TENANT}:ana@northwind.example", alt_ids=_alt(login="ana@northwind.example"))
    other = _fact("m365:cccccccc-0000-4000-8000-000000000001:ana@northwind.example",
                  alt_ids=_alt(login="ana@northwind.example"))
    assert set(_kinds(_resolved(user, login))) == {user["id"]}
    assert set(_kinds(_resolved(user, other))) == {user["id"], other["id"]}


def test_a_declared_address_names_the_one_account_that_has_it_and_none_of_two() -> None:
    user = _fact(f"entra:{TENANT}:{OBJECT}", kind="human", alt_ids=_alt(upn="ana@northwind.example"))
    declared = _fact("declared::ana@northwind.example", basis="declared", provider="declared", tenant=None,
                     person_id="person:7", alt_ids=_alt(login="ana@northwind.example"))
    found = _resolved(user, declared)
    assert found.identities.select("id", "person_id", "inventoried").rows() == [(user["id"], "person:7", True)]
    elsewhere = _fact("m365:cccccccc-0000-4000-8000-000000000001:ana@northwind.example",
                      alt_ids=_alt(login="ana@northwind.example"))
    assert resolve(Facts.of(AS_OF, identity_facts=pl.DataFrame(
        [user, declared, elsewhere], schema={k: IDENTITY_FACTS.schema[k] for k in declared}))).identities.height == 3


def test_equal_labels_are_two_principals() -> None:
    found = _resolved(_fact("aws:1:AIDAEXAMPLE000000001", display_name="ana"),
                      _fact("aws:2:AIDAEXAMPLE000000002", display_name="ana"))
    assert found.identities.height == 2


def test_trusting_an_account_is_not_trusting_its_root_user() -> None:
    root = f"arn:aws:iam::{A}:root"
    found = _resolved(_fact(f"aws:{A}:root", kind="human", alt_ids=_alt(arn=root)))
    assert f"aws:{A}:{root}" not in found.aliases["alias"].to_list()


def test_a_declared_agent_account_is_an_agent_unless_a_person_is_behind_it() -> None:
    app = _fact(f"entra:{TENANT}:{OBJECT}", kind="app")
    agent = _fact(f"entra::{OBJECT}", kind="ai_agent", basis="declared", tenant=None, alt_ids=_alt(object_id=OBJECT))
    assert _kinds(_resolved(app, agent)) == {app["id"]: "ai_agent"}
    person = _fact(f"entra:{TENANT}:{OBJECT}", kind="human", basis="declared")
    assert _kinds(_resolved(person, agent)) == {app["id"]: "human"}


def test_a_role_of_people_stays_out_unless_a_log_shows_software_using_it() -> None:
    role = _fact(f"aws:{A}:AROAEXAMPLE000000001", kind="role", basis="inventory", excluded_reason="human_role")
    used = _fact(f"aws:{A}:AROAEXAMPLE000000001", kind="workload", kind_basis="federated from a workload")
    alone, both = _resolved(role).identities, _resolved(role, used).identities
    assert alone.select("kind", "excluded_reason").rows() == [("role", "human_role")]
    assert both.select("kind", "excluded_reason").rows() == [("workload", None)]


def test_unknown_kind_stays_unknown_and_is_never_human() -> None:
    assert _kinds(_resolved(_fact(f"aws:{A}:AIDAEXAMPLE000000001"))) == {f"aws:{A}:AIDAEXAMPLE000000001": "unknown"}


def test_a_name_given_again_means_each_principal_in_its_own_time() -> None:
    old, new = f"aws:{A}:AIDAOLD0000000000001", f"aws:{A}:AIDANEW0000000000001"
    made, gone, again = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 3, 4))
    found = _resolved(_fact(old, basis="inventory", alt_ids=_alt(arn=ARN), created_at=made, deleted_at=gone),
                      _fact(new, basis="inventory", alt_ids=_alt(arn=ARN), created_at=again, deleted_at=None))
    name = f"aws:{A}:{ARN}"
    assert found.aliases.select("alias", "id", "valid_from", "valid_to").rows() == [
        (name, old, made, gone), (name, new, again, None)]
    times = [datetime(2026, month, 2, tzinfo=UTC) for month in (1, 3, 5)]
    acts = pl.LazyFrame({"actor_id": [name] * 3, "time": times})
    assert apply_aliases(acts, ["actor_id"], found.aliases, "time").collect()["actor_id"].to_list() == [old, name, new]
    assert apply_aliases(acts, ["actor_id"], found.aliases).collect()["actor_id"].to_list() == [new] * 3


def test_a_service_account_that_a_log_names_by_address_is_the_listed_one_and_created_again_two() -> None:
    address = "serviceAccount:etl@p.iam.gserviceaccount.com"
    seen, listed = _fact(f"gcp::{address}"), _fact("gcp::104999999999999999991", alt_ids=_alt(principal_id=address))
    assert _resolved(seen, listed).aliases.select("alias", "id", "rule").rows() == [
        (f"gcp::{address}", "gcp::104999999999999999991", "principal_id")]
    other = _fact("gcp::104999999999999999992", alt_ids=_alt(principal_id=address))
    assert _resolved(seen, listed, other).identities.height == 3


def test_an_address_given_again_to_a_listed_account_stays_the_old_ones_until_its_end() -> None:
    address = "serviceAccount:feed@p.iam.gserviceaccount.com"
    gone, again = datetime(2026, 6, 10, tzinfo=UTC), datetime(2026, 6, 10, 0, 30, tzinfo=UTC)
    old = _fact("gcp::111111111", alt_ids=_alt(principal_id=address), created_at=None, deleted_at=gone)
    new = _fact("gcp::222222222", alt_ids=_alt(principal_id=address), basis="inventory", created_at=again, deleted_at=None)
    seen = _fact(f"gcp::{address}", created_at=None, deleted_at=None)
    found = _resolved(old, new, seen)
    assert found.aliases.select("id", "valid_from", "valid_to").rows() == [
        ("gcp::111111111", None, gone), ("gcp::222222222", again, None)]


def test_a_principal_whose_id_names_no_tenant_is_of_the_one_its_inventory_states() -> None:
    fact = {**_fact("gcp::222222222", basis="inventory"), "tenant": "project-a"}
    assert _resolved(fact).identities["tenant"].to_list() == ["project-a"]


def test_an_application_id_means_the_service_principal_of_its_tenant_and_not_the_application_object() -> None:
    app = "dddddddd-0000-4000-8000-000000000001"
    principal = _fact(f"entra:{TENANT}:{OBJECT}", kind="app", subkind="service_principal", alt_ids=_alt(app_id=app))
    application = _fact(f"entra:{TENANT}:eeeeeeee-0000-4000-8000-000000000001", kind="app", subkind="application",
                        alt_ids=_alt(app_id=app))
    seen = _fact(f"entra:{TENANT}:{app}", kind="app", subkind=None, alt_ids=_alt(object_id=app, app_id=app))
    found = _resolved(principal, application, seen)
    assert found.aliases.select("alias", "id", "rule", "tier").rows() == [
        (seen["id"], principal["id"], "app_id_in_tenant", 4)]
    by_client = {**seen, "subkind": "application"}
    assert _resolved(principal, application, by_client).aliases.select("alias", "id").rows() == [
        (by_client["id"], application["id"])]


def test_an_id_stated_without_its_tenant_means_the_one_tenant_that_has_it_and_none_of_two() -> None:
    bare, one, two = (_fact(f"okta:{tenant}:00uEXAMPLE0000000001") for tenant in ("", "a.okta.example", "b.okta.example"))
    assert _resolved(bare, one).aliases.select("alias", "id", "rule").rows() == [(bare["id"], one["id"], "native_id")]
    assert _resolved(bare, one, two).aliases.is_empty()


SID = "S-1-5-21-1-2-3-1104"
PEOPLE = {
    "entra": _fact(f"entra:{TENANT}:{OBJECT}", kind="human", display_name="Ana", subkind=None,
                   alt_ids=_alt(upn="ana@northwind.example", sid=SID)),
    "ad": _fact(f"ad:S-1-5-21-1-2-3:{SID}", kind="human", display_name="ANA", alt_ids=_alt(sid=SID)),
    "github": _fact("github:9:77", display_name="ana-codes", alt_ids=_alt(external_id="Ana@northwind.example")),
    "okta": _fact("okta:a.okta.example:00uEXAMPLE0000000001", kind="human", alt_ids=_alt(email="ana@northwind.example")),
}


def test_a_sid_and_a_saml_name_join_accounts_as_proved_and_an_equal_address_only_as_inferred() -> None:
    found = _resolved(*(PEOPLE[name] for name in ("entra", "ad", "github", "okta")))
    assert found.identities.height == 4, "an account of the same person is a principal of its own"
    person = f"person:{PEOPLE['ad']['id']}"
    assert set(found.accounts.select("account_id", "rule", "tier").iter_rows()) == {
        (PEOPLE["ad"]["id"], "on_premises_sid", 4), (PEOPLE["entra"]["id"], "on_premises_sid", 4),
        (PEOPLE["entra"]["id"], "external_id", 4), (PEOPLE["github"]["id"], "external_id", 4),
        (PEOPLE["okta"]["id"], "equal_address", 2)}
    assert set(found.accounts["person_id"]) == {person}
    persons = dict(found.identities.select("id", "person_id").iter_rows())
    assert persons == {PEOPLE["ad"]["id"]: person, PEOPLE["entra"]["id"]: person, PEOPLE["github"]["id"]: person,
                       PEOPLE["okta"]["id"]: None}


def test_a_record_never_joins_two_persons_whom_the_customer_declares_apart() -> None:
    found = _resolved({**PEOPLE["entra"], "person_id": "person:1"}, {**PEOPLE["ad"], "person_id": "person:2"})
    assert dict(found.identities.select("id", "person_id").iter_rows()) == {
        PEOPLE["entra"]["id"]: "person:1", PEOPLE["ad"]["id"]: "person:2"}


def test_who_shows_every_account_of_a_person_and_why_each_joined() -> None:
    found = _resolved(*(PEOPLE[name] for name in ("entra", "ad", "github", "okta")))
    facts = Facts.of(AS_OF, identities=found.identities, aliases=found.aliases, accounts=found.accounts)
    answer = who(facts, "ana-codes")
    assert answer.accounts.select("account", "tier").rows() == [
        ("github:9:77", 5), (PEOPLE["ad"]["id"], 4), (PEOPLE["entra"]["id"], 4), (PEOPLE["okta"]["id"], 2)]
    assert "inferred, not proved" in repr(answer)
    assert "0x" not in repr(answer)
    with pytest.raises(UsageError, match="ana-codes"):
        who(facts, "ana-code")


def test_who_asked_for_a_name_that_two_principals_carry_gives_both() -> None:
    found = _resolved(_fact("aws:1:AIDAEXAMPLE000000001", display_name="ana"),
                      _fact("aws:2:AIDAEXAMPLE000000002", display_name="Ana"))
    facts = Facts.of(AS_OF, identities=found.identities, aliases=found.aliases, accounts=found.accounts)
    assert who(facts, "ANA").accounts["account"].to_list() == ["aws:1:AIDAEXAMPLE000000001", "aws:2:AIDAEXAMPLE000000002"]


def test_who_asked_for_an_address_never_shows_as_proved_what_only_the_address_joins() -> None:
    found = _resolved(*(PEOPLE[name] for name in ("entra", "ad", "okta")))
    facts = Facts.of(AS_OF, identities=found.identities, aliases=found.aliases, accounts=found.accounts)
    answer = who(facts, "ana@northwind.example")
    assert dict(answer.accounts.select("account", "tier").iter_rows()) == {
        PEOPLE["entra"]["id"]: 4, PEOPLE["ad"]["id"]: 4, PEOPLE["okta"]["id"]: 2}
    namesakes = _resolved(_fact("aws:1:AIDAEXAMPLE000000001", display_name="bo"),
                          _fact("aws:1:AIDAEXAMPLE000000002", display_name="bo"))
    facts = Facts.of(AS_OF, identities=namesakes.identities, aliases=namesakes.aliases, accounts=namesakes.accounts)
    assert who(facts, "bo").accounts["tier"].to_list() == [2, 2]
    assert "a label, not a proof" in repr(who(facts, "bo"))


@pytest.mark.parametrize("asked", ["iam::1:role/ci/deploy", "iam::1:role/deploy", "sts::1:assumed-role/deploy/run-9"])
def test_who_asked_for_the_arn_of_a_session_or_its_role_gives_the_role(asked: str) -> None:
    found = _resolved(_fact("aws:1:AROAEXAMPLE000000001", alt_ids=_alt(arn="arn:aws:iam::1:role/ci/deploy")))
    facts = Facts.of(AS_OF, identities=found.identities, aliases=found.aliases, accounts=found.accounts)
    assert who(facts, f"arn:aws:{asked}").accounts.select("account", "tier").rows() == [
        ("aws:1:AROAEXAMPLE000000001", 5)]


def test_who_shows_an_agent_with_its_blueprint_and_a_blueprint_with_its_agents_as_other_principals() -> None:
    blueprint, agents = "entra:9:b1", ["entra:9:a1", "entra:9:a2"]
    found = _resolved(_fact(blueprint, kind="app", display_name="Helper blueprint"),
                      *(_fact(agent, kind="ai_agent", display_name=agent[-2:], parent_id=blueprint) for agent in agents))
    facts = Facts.of(AS_OF, identities=found.identities, aliases=found.aliases, accounts=found.accounts)
    columns = ("account", "joined_by", "tier", "person")
    assert who(facts, "a1").accounts.select(columns).rows() == [
        ("entra:9:a1", "name", 5, None), (blueprint, "parent", 5, None)]
    assert who(facts, blueprint).accounts.select(columns).rows() == [
        ("entra:9:a1", "child", 5, None), ("entra:9:a2", "child", 5, None), (blueprint, "asked", 5, None)]
    assert "entra:9:a1 derives from it" in repr(who(facts, "a1"))


def test_an_application_s_id_without_its_tenant_is_its_one_principal_and_of_two_neither() -> None:
    app, other = "dddddddd-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000002"
    principal = _fact(f"entra::{OBJECT}", kind="app", alt_ids=_alt(app_id=app, object_id=OBJECT))
    seen = _fact(f"entra::{app}", kind="app", alt_ids=_alt(app_id=app))
    assert _resolved(principal, seen).aliases.select("alias", "id", "tier").rows() == [
        (seen["id"], principal["id"], 4)]
    second = _fact(f"entra::{other}", kind="app", alt_ids=_alt(app_id=app, object_id=other))
    assert _resolved(principal, seen, second).identities.height == 3
    elsewhere = [_fact(f"entra:{tenant}:{OBJECT[:-1]}{tenant}") for tenant in "89"]
    assert _resolved(principal, seen, *elsewhere).aliases.is_empty()


def test_aliases_are_applied_to_the_named_columns_only() -> None:
    frame = pl.LazyFrame({"actor_id": ["x", "y", None], "other": ["x", "x", "x"]})
    aliases = pl.DataFrame({"alias": ["x"], "id": ["z"], "rule": ["arn"], "tier": [5], "valid_from": [None],
                           "valid_to": [None]}, schema=ALIASES.schema)
    assert apply_aliases(frame, ["actor_id"], aliases).collect().rows() == [("z", "x"), ("y", "x"), (None, "x")]


@given(st.lists(st.tuples(st.sampled_from([None, "", "1", "012345678901"]), st.text(max_size=40)), max_size=30))
def test_record_ids_of_many_are_those_of_each(pairs: list[tuple[str | None, str]]) -> None:
    made = record_ids("aws", [tenant for tenant, _ in pairs], [native for _, native in pairs])
    assert made.to_list() == [record_id("aws", tenant, native) for tenant, native in pairs]


_names = st.integers(0, 5)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(_names, _names), max_size=14), st.randoms(use_true_random=False))
def test_groups_are_the_connected_components_whatever_the_order(pairs: list[tuple[int, int]], random: Random) -> None:
    facts = [_fact(f"m365:{TENANT}:user{a}", alt_ids=_alt(login=f"user{a}", upn=f"address{b}")) for a, b in pairs]
    if not facts:
        return
    found = _resolved(*facts)
    random.shuffle(facts)
    again = _resolved(*facts)
    assert found.identities.equals(again.identities)
    assert found.aliases.equals(again.aliases)
    graph: nx.Graph[str] = nx.Graph()
    graph.add_edges_from((f"m365:{TENANT}:user{a}", f"address{b}") for a, b in pairs)
    components = {frozenset(n for n in part if n.startswith("m365")) for part in nx.connected_components(graph)}
    mine: dict[str, set[str]] = {identity: {identity} for identity in found.identities["id"]}
    for alias, identity in found.aliases.select("alias", "id").iter_rows():
        mine[identity].add(alias)
    assert {frozenset(group) for group in mine.values()} == components
