"""What the package finds in a made-up organisation, beside what was put there, at several seeds."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from lineage_analytics.graphs.access import access_lineage
from lineage_analytics.graphs.assistants import assistant_reach
from lineage_analytics.graphs.decisions import decision_lineage
from lineage_analytics.metrics import measure
from lineage_analytics.simulation import simulate, thought_up
from lineage_analytics.simulation.truth_access import rights
from lineage_analytics.simulation.writing import told
from lineage_analytics.workspace import Store, load, open_estate
from tests.accuracy.links import Links
from tests.accuracy.organisations import Organisation
from tests.accuracy.verdicts import Verdicts

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.graphs.access import AccessLineage
    from lineage_analytics.graphs.decisions import DecisionLineage
    from lineage_analytics.simulation.model import World
    from lineage_analytics.workspace import Estate, Result

SEEDS = (1, 2, 3)
PEOPLE, DAYS = 40, 100


@dataclass
class Found:
    """One simulated organisation, loaded and analysed."""

    directory: Path
    world: World
    result: Result
    estate: Estate
    access: AccessLineage
    decisions: DecisionLineage
    measures: pl.DataFrame

    def truth(self, name: str) -> Any:
        path = self.directory / "truth" / name
        if name.endswith(".json"):
            return json.loads(path.read_text())
        return list(csv.DictReader(path.open()))


@pytest.fixture(scope="module", params=SEEDS, ids=lambda seed: f"seed{seed}")
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Found:
    directory = tmp_path_factory.mktemp("organisation")
    simulate(directory, request.param, PEOPLE, DAYS)
    workspace = tmp_path_factory.mktemp("workspace")
    result = load([directory], Store.create(workspace))
    estate = open_estate(workspace)
    access, decisions = access_lineage(estate), decision_lineage(estate)
    return Found(directory, thought_up(request.param, PEOPLE, DAYS), result, estate, access, decisions,
                 measure(estate, access, decisions).measures)


def test_every_distinct_record_is_accepted_once(found: Found) -> None:
    stated = found.truth("records.json")
    for source in ("aws_cloudtrail", "entra_audit", "m365_audit"):
        count = found.result.counts[source]
        assert count.accepted == stated[source], source
        assert count.duplicate > 0, source
        assert count.quarantined == count.rejected == 0 or source == "aws_cloudtrail"
    assert found.result.counts["aws_iam"].accepted == sum(stated["aws_iam"].values())


def test_nothing_that_the_made_up_sources_write_is_news_to_their_loaders(found: Found) -> None:
    assert found.estate.new_in_formats.rows() == []


def test_the_moment_is_the_last_second(found: Found) -> None:
    assert found.estate.as_of.isoformat() == "2026-06-30T23:59:59+00:00"


def test_every_principal_is_of_the_kind_it_is(found: Found) -> None:
    kinds = {row["native_id"]: row["kind"] for row in found.truth("identities.csv")}
    wrong = [
        (native, kinds[native], kind)
        for identity, kind in found.estate.identities.select("id", "kind").collect().iter_rows()
        if (native := identity.split(":", 2)[-1]) in kinds and kinds[native] != kind
    ]
    assert wrong == []


def test_permissions_of_every_principal_equal_an_independent_count(found: Found) -> None:
    rows = {row["principal_id"].split(":", 2)[-1]: row for row in found.access.permissions.iter_rows(named=True)}
    wrong = []
    for native, own in rights(found.world, told(found.world)).items():
        if own.granted is None:
            wanted: dict[str, object] = {"granted": None, "admin_equivalent": None}
        else:
            wanted = {"granted": len(own.granted), "used": len(own.used), "unobservable": len(own.hidden),
                      "unused": 0 if own.young else len(own.unused), "wildcard": own.wildcard,
                      "admin_equivalent": own.admin, "too_young": len(own.unused) if own.young else 0}
        wrong += [(own.principal.name, key, value, rows[native][key]) for key, value in wanted.items()
                  if rows[native][key] != value]
    assert wrong == []


def test_every_measure_has_the_numerator_and_denominator_that_were_planted(found: Found) -> None:
    rows = {(row["metric_id"], row["scope"]): row for row in found.measures.iter_rows(named=True)}
    wrong = []
    for planted in found.truth("measures.json")["measures"]:
        row = rows[planted["metric_id"], planted["scope"]]
        counted: tuple[float, ...] = (row["numerator"] or 0, row["denominator"] or 0, row["n_unknown"])
        wanted: tuple[float, ...] = (planted["numerator"], planted["denominator"], planted["n_unknown"])
        if counted != wanted:
            wrong.append((planted["metric_id"], planted["scope"], "planted", wanted, "measured", counted))
    assert wrong == []


def test_no_proved_link_is_invented_and_every_provable_one_is_found(found: Found) -> None:
    links = Links()
    links.take(Organisation(found.world.seed, found.directory, found.estate, found.decisions))
    assert (links.invented.wrong, links.recalled.wrong, links.honest.wrong) == ([], [], [])


def test_changes_read_as_they_were_decided_and_undone(found: Found) -> None:
    verdicts = Verdicts()
    verdicts.take(Organisation(found.world.seed, found.directory, found.estate, found.decisions))
    assert {row.measure: row.wrong for row in verdicts.rows() if row.wrong} == {}


# --- the stories, as the lineages tell them ------------------------------------------------------------------------


def story(found: Found, name: str) -> list[str]:
    where: list[str] = next(s["where"] for s in found.truth("stories.json")["stories"] if s["name"] == name)
    return where


def case_of(found: Found, event_id: str) -> dict[str, Any]:
    case_id = found.decisions.steps.row(by_predicate=pl.col("event_id") == event_id, named=True)["case_id"]
    return found.decisions.cases.row(by_predicate=pl.col("case_id") == case_id, named=True)


def test_the_attachment_reads_as_rolled_back_and_the_refused_call_as_an_attempt(found: Found) -> None:
    attached, refused, detached = (case_of(found, event) for event in story(found, "change_rolled_back"))
    assert (attached["status"], attached["rolled_back_by"]) == ("rolled_back", detached["case_id"])
    assert detached["rolls_back"] == attached["case_id"]
    assert detached["initiator_id"] != attached["initiator_id"]
    assert (refused["status"], refused["executed"]) == ("attempted", False)


def test_approvals_after_the_fact_are_retroactive_and_missing_ones_absent(found: Found) -> None:
    late = {case_of(found, event)["case_id"] for event in story(found, "approval_after_the_fact")}
    cases = found.decisions.cases.filter(pl.col("case_id").is_in(late))
    assert cases["approval_verdict"].to_list() == ["retroactive"] * 3
    alone = [case_of(found, event) for event in story(found, "agent_acts_without_approval")]
    assert {(c["approval_verdict"], c["involvement_class"]) for c in alone} == {("absent", "executes_autonomous")}


def test_self_approvals_are_not_independent(found: Found) -> None:
    cases = {c["case_id"]: c for c in (case_of(found, event) for event in story(found, "self_approval"))}
    assert len(cases) == 3
    assert {c["independent"] for c in cases.values()} == {"no"}


def test_changes_through_amazon_q_are_never_called_free_of_ai(found: Found) -> None:
    made = [case_of(found, event) for event in story(found, "amazon_q_changes_access")]
    assert {c["involvement_class"] for c in made} == {"unknown"}
    assert all("executes" in c["involvement_bounds"] for c in made)


def test_the_open_request_is_pending_and_nothing_was_executed(found: Found) -> None:
    (waiting,) = (case_of(found, event) for event in story(found, "request_still_open"))
    assert waiting["status"] in ("open", "pending")
    assert not waiting["executed"]


def test_the_person_whose_copilot_reads_unopened_files_stands_out(found: Found) -> None:
    reach = assistant_reach(found.estate).sort(
        "accessed_not_opened", descending=True, nulls_last=True)
    login = story(found, "copilot_reads_what_its_user_never_opened")[0]
    first = found.estate.identities.filter(pl.col("id") == reach["user_id"][0]).collect()
    assert login in {alt["value"] for alt in first["alt_ids"][0]}
    assert reach["accessed_not_opened"][0] > 1.5 * reach["accessed_not_opened"][1]


def test_the_deploy_role_is_reached_by_exactly_those_it_trusts(found: Found) -> None:
    role, helper, *trusted, _ = story(found, "over_privileged_deploy_role")
    arns = {arn: row for row in found.access.permissions.join(
        found.estate.identities.select("id", "alt_ids").collect(), left_on="principal_id", right_on="id",
    ).iter_rows(named=True) for arn in (alt["value"] for alt in row["alt_ids"] or [])}
    assert all(arns[arn]["admin_equivalent"] for arn in (role, helper, *trusted))
    assert all("deploy-pipeline" in arns[arn]["admin_reason"] for arn in (helper, *trusted[:4]))


def test_what_the_agents_later_requests_were_based_on_was_not_kept(found: Found) -> None:
    traced, lost = (story(found, "traces_fall_behind")[part] for part in (slice(0, 3), slice(-3, None)))
    states = {(row["case_id"], row["element"]): row["state"] for row in found.decisions.elements.iter_rows(named=True)}
    for events, state in ((traced, "proved"), (lost, "missing")):
        for case in (case_of(found, event) for event in events):
            assert {states[case["case_id"], element] for element in ("inputs", "recommendation")} == {state}
