"""Ways through Google Cloud: service accounts taken over, policies set, custom roles rewritten, identity pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import networkx as nx
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lineage_analytics as la
from lineage_analytics.graphs.access import access_lineage
from lineage_analytics.permissions import gcp
from lineage_analytics.permissions.gcp.hierarchy import MANAGER
from lineage_analytics.tables import EDGES, NODES, closed_value_faults
from tests.test_permissions_gcp import (
    ANN,
    BOT,
    BUCKET,
    FOLDER,
    NUMBERED,
    ORG,
    POOL,
    PROJECT,
    TREE,
    binds,
    denies,
    expression,
    facts,
    member,
    person,
    resource,
    role,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lineage_analytics.graphs.access import AccessLineage
    from tests.test_permissions_gcp import Row

OTHER = "gcp::serviceAccount:job@other.iam.gserviceaccount.com"
EVE = "gcp::user:eve@acme.example"
ACCOUNT = "iam.googleapis.com/serviceAccounts/bot@shop.iam.gserviceaccount.com"
SECOND = f"{MANAGER}/projects/other"
BOTH = (*TREE, *NUMBERED, resource(SECOND, FOLDER))
TOKEN, ATTACH = "roles/iam.serviceAccountTokenCreator", "roles/iam.serviceAccountUser"


def build(*grants: Row, people: Sequence[Row] = (), tree: Sequence[Row] = BOTH) -> AccessLineage:
    return access_lineage(facts(*grants, tree=tree, people=[person(OTHER), person(EVE), *people]))


def reaches(lineage: AccessLineage, what: str, start: str = EVE) -> str | None:
    """Proved, conditional, or None when there is no way."""
    if start not in lineage.reach.index or what not in lineage.reach.index:
        return None
    found = lineage.blast_radius(start).filter(pl.col("node_id") == what)
    return str(found["state"].item()) if found.height else None


@pytest.mark.parametrize(("over", "bot", "other"), [
    (ACCOUNT, "proved", None), (PROJECT, "proved", None), (SECOND, None, "proved"), (FOLDER, "proved", "proved"),
    (ORG, "proved", "proved"), (BUCKET, None, None), (None, None, None)])
def test_tokens_of_the_service_accounts_a_role_is_held_over(over: str | None, bot: str | None, other: str | None) -> None:
    lineage = build(binds(EVE, TOKEN, over))
    assert (reaches(lineage, BOT), reaches(lineage, OTHER)) == (bot, other)


@pytest.mark.parametrize(("permission", "rel", "state"), [
    ("iam.serviceAccounts.getAccessToken", "may_assume", "proved"), ("iam.serviceAccounts.signBlob", "may_assume", "proved"),
    ("iam.serviceAccounts.signJwt", "may_assume", "proved"),
    ("iam.serviceAccounts.implicitDelegation", "may_assume", "conditional"),
    ("iam.serviceAccountKeys.create", "controls", "proved"), ("iam.serviceAccounts.setIamPolicy", "controls", "proved"),
    ("iam.serviceAccounts.get", None, None), ("iam.serviceAccounts.actAs", None, None)])
def test_what_a_permission_of_a_custom_role_gives_over_a_service_account(
    permission: str, rel: str | None, state: str | None,
) -> None:
    edges = build(role("projects/shop/roles/r", permission), binds(EVE, "projects/shop/roles/r", ACCOUNT)).edges
    found = edges.filter((pl.col("src") == EVE) & (pl.col("dst") == BOT))
    assert (found["rel"].to_list() or [None], found["state"].to_list() or [None]) == ([rel], [state])


@pytest.mark.parametrize(("more", "state"), [
    ({"condition": expression("resource.name == 'x'")}, "conditional"), ({"state": "eligible"}, "conditional"), ({}, "proved")])
def test_a_condition_or_an_activation_makes_the_way_conditional(more: Row, state: str) -> None:
    assert reaches(build(binds(EVE, TOKEN, PROJECT, **more)), BOT) == state


@pytest.mark.parametrize(("rules", "state"), [
    (denies(EVE, "iam.googleapis.com/serviceAccounts.getAccessToken"), "proved"),  # it may still sign
    (denies(EVE, "iam.googleapis.com/serviceAccounts.*"), None),
    (denies(EVE, "iam.googleapis.com/serviceAccounts.*", over=SECOND), "proved"),
    (denies(EVE, "iam.googleapis.com/serviceAccounts.*", expression="resource.matchTag('a/b', 'c')"), "conditional"),
    (denies("gcp::allUsers", "iam.googleapis.com/serviceAccounts.*",
            exceptionprincipals=["principal://goog/subject/eve@acme.example"]), "proved"),
])
def test_denials_cut_ways(rules: list[Row], state: str | None) -> None:
    assert reaches(build(binds(EVE, TOKEN, PROJECT), *rules), BOT) == state


@pytest.mark.parametrize(("grants", "state"), [
    ([binds(EVE, ATTACH), binds(EVE, "roles/cloudfunctions.developer")], "proved"),
    ([binds(EVE, ATTACH, ACCOUNT), binds(EVE, "roles/run.admin")], "proved"),
    ([binds(EVE, ATTACH, ACCOUNT), binds(EVE, "roles/run.admin", SECOND)], None),
    ([binds(EVE, ATTACH)], None),
    ([binds(EVE, "roles/run.admin")], None),
    ([binds(EVE, ATTACH), binds(EVE, "roles/some.unknown")], "conditional"),
    ([binds(EVE, "roles/run.admin"), binds(EVE, "roles/some.unknown")], "conditional"),
    ([binds(EVE, ATTACH), binds(EVE, "roles/compute.osAdminLogin")], "conditional"),
    ([binds("gcp::group:g@x", ATTACH), member("gcp::group:g@x", EVE), binds(EVE, "roles/compute.admin", FOLDER)], "proved"),
])
def test_to_run_code_as_a_service_account_takes_both_halves_in_its_project(grants: list[Row], state: str | None) -> None:
    assert reaches(build(*grants), BOT) == state


def test_the_way_says_what_it_takes_and_by_which_bindings() -> None:
    lineage = build(binds(EVE, ATTACH), binds(EVE, "roles/cloudbuild.builds.editor", FOLDER))
    edge = lineage.edges.filter(pl.col("src") == EVE).filter(pl.col("rel") == "may_assume").row(0, named=True)
    assert edge["technique"] == "run code as the service account in a build"
    assert f"holds {ATTACH} over {PROJECT}" in edge["reason"]
    assert edge["record_ids"] == sorted([f"rec-{PROJECT}", f"rec-{FOLDER}"])


@pytest.mark.parametrize(("name", "over", "bot", "org"), [
    ("roles/resourcemanager.projectIamAdmin", PROJECT, "proved", None),
    ("roles/resourcemanager.projectIamAdmin", SECOND, None, None),
    ("roles/resourcemanager.folderAdmin", FOLDER, "proved", None),
    ("roles/resourcemanager.organizationAdmin", ORG, "proved", "proved"),
    ("roles/resourcemanager.organizationAdmin", PROJECT, "proved", None),
    ("roles/iam.securityAdmin", ORG, "proved", "proved"),
    ("roles/owner", ORG, "proved", "proved"),
    ("roles/owner", PROJECT, "proved", None),
    ("roles/viewer", ORG, None, None),
])
def test_who_sets_policies_and_where_that_is_tier_0(name: str, over: str, bot: str | None, org: str | None) -> None:
    lineage = build(binds(EVE, name, over))
    assert (reaches(lineage, BOT), reaches(lineage, f"gcp::{ORG}")) == (bot, org)
    admin = lineage.permissions.filter(pl.col("principal_id") == EVE)["admin_equivalent"].item()
    assert admin is (org is not None)


def test_who_rewrites_a_custom_role_controls_its_holders_and_what_it_holds_it_over() -> None:
    custom, writer = "organizations/1/roles/ours", "roles/iam.organizationRoleAdmin"
    lineage = build(binds(EVE, writer, ORG), binds(BOT, custom, PROJECT))
    assert (reaches(lineage, BOT), reaches(lineage, f"gcp::{PROJECT}")) == ("proved", None)
    own = build(binds(EVE, writer, ORG), binds(EVE, custom, PROJECT))
    assert reaches(own, f"gcp::{PROJECT}") == "proved"
    assert reaches(build(binds(EVE, writer, PROJECT), binds(BOT, custom)), BOT) is None


def test_a_custom_role_that_may_rewrite_itself_is_every_role() -> None:
    lineage = build(role("projects/shop/roles/w", "iam.roles.update"), binds(EVE, "projects/shop/roles/w"))
    assert (reaches(lineage, f"gcp::{PROJECT}"), reaches(lineage, BOT)) == ("proved", "proved")


FEDERATED = f"gcp::principal:{POOL}/subject/repo:acme/shop:ref:refs/heads/main"


def test_federated_principals_become_service_accounts_and_who_changes_their_pool_becomes_them() -> None:
    people = [{**person(FEDERATED), "kind": "workload"}]
    user = "roles/iam.workloadIdentityUser"
    whole = build(binds(f"gcp::principalSet:{POOL}/*", user, ACCOUNT), people=people)
    assert reaches(whole, BOT, FEDERATED) == "proved"
    part = build(binds(f"gcp::principalSet:{POOL}/attribute.repository/acme/shop", user, ACCOUNT), people=people)
    assert reaches(part, BOT, FEDERATED) == "conditional"
    pool = build(binds(EVE, "roles/iam.workloadIdentityPoolAdmin"), binds(FEDERATED, user, ACCOUNT), people=people)
    assert (reaches(pool, FEDERATED), reaches(pool, BOT)) == ("proved", "proved")
    assert reaches(build(binds(EVE, "roles/iam.workloadIdentityPoolAdmin", SECOND), binds(FEDERATED, user, ACCOUNT),
                         people=people), BOT) is None


def test_a_role_of_aws_that_a_set_names_may_come_in_by_it() -> None:
    aws: Row = {"id": "aws:111122223333:AROA1", "kind": "workload", "subkind": "iam_role", "provider": "aws",
                "tenant": "111122223333",
                "alt_ids": [{"kind": "arn", "value": "arn:aws:iam::111122223333:role/deploy"}]}
    named = f"gcp::principalSet:{POOL}/attribute.aws_role/arn:aws:sts::111122223333:assumed-role/deploy"
    lineage = build(binds(named, "roles/iam.workloadIdentityUser", ACCOUNT), people=[aws])
    assert reaches(lineage, BOT, "aws:111122223333:AROA1") == "conditional"


def test_service_agents_of_google_lie_in_no_project_of_ours_but_work_for_one() -> None:
    agent = "gcp::serviceAccount:99@cloudservices.gserviceaccount.com"
    people = [person(agent)]
    assert reaches(build(binds(EVE, TOKEN), binds(agent, "roles/editor"), people=people), agent) is None
    deploys = build(binds(EVE, "roles/deploymentmanager.editor"), binds(agent, "roles/editor"), people=people)
    assert reaches(deploys, agent) == "proved"
    assert reaches(deploys, BOT) == "proved", "the agent is an editor of the project"


def test_a_workload_of_gke_becomes_the_service_account_that_lets_it() -> None:
    account = "k8s::system:serviceaccount:data:runner"
    trust: Row = {"principal_id": account, "grant_kind": "trust", "scope": BOT, "origin": "workload_identity",
                  "provider": "k8s", "effect": "allow", "record_id": "rec-gke"}
    workload = "gcp::serviceAccount:shop.svc.id.goog[data/{}]"
    user = "roles/iam.workloadIdentityUser"
    states: list[str | None] = []
    for grants in ([], [binds(workload.format("runner"), user, ACCOUNT)], [binds(workload.format("front"), user, ACCOUNT)]):
        edges = build(trust, *grants).edges.filter((pl.col("src") == account) & (pl.col("dst") == BOT))
        states += edges["state"].to_list() or [None]
    assert states == ["conditional", "proved", None]


def test_edges_are_the_same_in_any_order_and_of_closed_values() -> None:
    grants = [binds(EVE, "roles/owner", ORG), binds(ANN, TOKEN), binds(BOT, "roles/editor"), binds(ANN, ATTACH, ACCOUNT),
              *denies(ANN, "iam.googleapis.com/serviceAccounts.signBlob"), binds("gcp::allUsers", "roles/viewer", BUCKET)]
    one, two = build(*grants), build(*reversed(grants), tree=tuple(reversed(BOTH)))
    assert one.edges.equals(two.edges)
    assert one.nodes.equals(two.nodes)
    assert closed_value_faults(one.edges, EDGES) + closed_value_faults(one.nodes, NODES) == []


def test_a_hundred_holders_over_a_hundred_accounts_make_two_hundred_edges_not_ten_thousand() -> None:
    accounts = [person(f"gcp::serviceAccount:s{i}@shop.iam.gserviceaccount.com") for i in range(100)]
    grants: list[Any] = [binds(f"gcp::user:u{i}@acme.example", TOKEN) for i in range(100)]
    edges = build(*grants, people=accounts).edges.filter(pl.col("rel") == "may_assume")
    assert edges.height == 100 + 101  # the hundred and the bot of the project


def test_the_ways_of_the_sample_are_those_a_plain_search_finds() -> None:
    """From each owner to each service account that a walk over the followed edges meets."""
    lineage = access_lineage(la.open(la.sample()))
    graph = nx.DiGraph(lineage.edges.filter("followed").select("src", "dst").rows())
    kinds = dict(lineage.nodes.select("node_id", "kind").rows())
    for start in ("gcp::user:nadia.wojcik@northwind-synthetic.example", "gcp::168771865166584691089"):
        wanted = {one for one in nx.descendants(graph, start) if kinds[one] != "scope"} - {start}
        found = lineage.blast_radius(start)
        assert set(found["node_id"]) == wanted
        assert found.filter(pl.col("node_id").str.contains(r"^gcp::\d+$")).height >= 7


# --- edges and decisions are one reading ------------------------------------------------------------------------------

_ROLES = (TOKEN, ATTACH, "roles/owner", "roles/viewer", "roles/not.known")
_SCOPES = (ACCOUNT, PROJECT, SECOND, FOLDER, ORG, None)
_HOLDERS = (EVE, "gcp::group:g@x", "gcp::allUsers", "gcp::domain:acme.example")
_MORE: tuple[Row, ...] = ({}, {"condition": expression("resource.name == 'x'")}, {"state": "eligible"})


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(_HOLDERS), st.sampled_from(_ROLES), st.sampled_from(_SCOPES),
                          st.sampled_from(_MORE)), max_size=5),
       st.lists(st.tuples(st.sampled_from(_HOLDERS), st.sampled_from((PROJECT, SECOND, ORG))), max_size=1), st.booleans())
def test_a_token_edge_is_proved_where_the_decision_is_allowed_and_conditional_where_that_is(
    grants: list[tuple[str, str, str | None, Row]], denials: list[tuple[str, str]], in_group: bool,
) -> None:
    rows = [binds(holder, name, over, **more) for holder, name, over, more in grants]
    for holder, over in denials:
        rows += denies(holder, "iam.googleapis.com/serviceAccounts.getAccessToken", over=over)
    rows += [member("gcp::group:g@x", EVE)] if in_group else []
    held = facts(*rows, tree=BOTH, people=[person(OTHER), person(EVE)])
    verdict = gcp.decide(held, EVE, "iam.serviceAccounts.getAccessToken", ACCOUNT).verdict
    scopes = [f"gcp::scope:serviceaccounts:{one}" for one in (PROJECT, FOLDER, ORG)]
    edges = access_lineage(held).edges.filter(
        (pl.col("src") == EVE) & (pl.col("rel") == "may_assume") & pl.col("dst").is_in([BOT, *scopes]))
    states = set(edges.filter(pl.col("reason").str.contains("get a token"))["state"])
    state = "proved" if "proved" in states else "conditional" if states else None
    # An edge says nothing where the decision is denied or not known. One between two nodes tells its surest ways only.
    surer = verdict == "conditional" and state is None and "proved" in edges["state"]
    assert surer or state == {"allowed": "proved", "conditional": "conditional"}.get(verdict)


def test_an_owner_of_a_service_account_alone_runs_no_code_there() -> None:
    found = build(binds(EVE, "roles/owner", ACCOUNT)).edges.filter(pl.col("src") == EVE)
    assert "may_assume" not in set(found["rel"])
    assert found.filter((pl.col("dst") == BOT) & (pl.col("rel") == "controls"))["state"].to_list() == ["proved"]
