"""Accounts that people lend to assistants, gaps beyond the six elements, and how a lineage shows itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lineage_analytics import tables
from lineage_analytics.facts import Facts
from lineage_analytics.graphs.decisions import DecisionLineage, decision_lineage
from tests._decisions import ACCOUNT, ANA, AS_OF, case, facts, frame, gaps, identity, lineage, pim, states, step

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, Any]


def workflow(account: str | None) -> Row:
    said = {"assistant": "Helper", "identity": account, "declared_class": "drafts", "owner": None, "description": None}
    return {"id": "declared::workflow/w", "kind": "workflow", "attributes": json.dumps(said), "provider": "declared",
            "source": "declared", "record_id": "rec-w"}


def declared(*steps: Row, account: str | None, identities: Sequence[Row], aliases: Sequence[Row] = ()) -> DecisionLineage:
    known = facts(steps, identities)
    more = {"resources": frame([workflow(account)], tables.RESOURCES).lazy(),
            "aliases": frame(aliases, tables.ALIASES).lazy() if aliases else tables.ALIASES.empty().lazy()}
    return decision_lineage(Facts({**known.tables, **more}, AS_OF))


# --- a person's account lent to an assistant ---------------------------------------------------------------------------

@pytest.mark.parametrize(("account", "aliases"), [
    (ANA, []), ("declared::ana@x.example", [{"alias": "declared::ana@x.example", "id": ANA, "rule": "login", "tier": 5}])])
def test_A28_a_person_s_account_lent_to_an_assistant_is_masked_never_free_of_ai(account: str, aliases: list[Row]) -> None:  # noqa: N802
    found = declared(pim("action"), account=account, identities=[identity(ANA)], aliases=aliases)
    made = case(found)
    assert (made["involvement_class"], made["involvement_bounds"]) == (
        "unknown", "none, executes_approved or executes_autonomous")
    assert found.steps["authority_mode"].to_list() == ["masked"]
    assert found.steps["agent_class"].to_list() == ["human"]
    assert gaps(found)["executor_identity"] == "not_recorded_by_provider"
    assert states(found)["inputs"][0] == "unknown"


def test_an_account_that_is_not_declared_stays_its_person_s() -> None:
    for account in ("entra:t-1:bo", None):
        found = declared(pim("action"), account=account, identities=[identity(ANA)])
        assert case(found)["involvement_class"] == "none"
        assert found.steps["authority_mode"].to_list() == ["self"]


def test_a_declared_account_of_software_is_an_agent_not_masked() -> None:
    bot = "aws:111122223333:AROACALLER"
    found = declared(step("done"), account=bot, identities=[identity(bot, "ai_agent")])
    assert found.steps["agent_class"].to_list() == ["ai_agent"]
    assert found.steps["authority_mode"].to_list() == ["own_identity"]


# --- gaps beyond the six elements ----------------------------------------------------------------------------------------

def test_a_request_without_a_reason_lacks_its_rationale_and_one_without_such_a_field_does_not() -> None:
    def rationale(stated: bool | None) -> str | None:
        return gaps(lineage(pim("request", -30, justification_present=stated), pim("action"))).get("rationale")

    assert [rationale(stated) for stated in (False, True, None)] == ["absent", None, None]


def test_what_is_too_close_in_time_to_order_is_a_gap_of_its_own() -> None:
    found = lineage(pim("request", -30), pim("decision", -1 / 60), pim("action"))
    assert gaps(found)["time_order"] == "ambiguous"
    assert "time_order" not in gaps(lineage(pim("request", -30), pim("decision", -10), pim("action")))


def test_every_gap_has_one_name_and_says_its_case_and_element() -> None:
    found = lineage(pim("request", -30), pim("action"), step("aws", actor_id=None))
    assert found.gaps["gap_id"].is_unique().all()
    for gap_id, case_id, element in found.gaps.select("gap_id", "case_id", "element").iter_rows():
        assert gap_id == f"gap-{case_id.removeprefix('dec-')}-{element}"


# --- a likely way back is no way back on record --------------------------------------------------------------------------

def test_a_pair_that_nothing_attests_is_inferred_and_the_change_still_stands() -> None:
    share: Row = {"target_key": f"aws:{ACCOUNT}:function/f|statement", "actor_class": "human"}
    found = lineage(step("shared", operation="lambda:AddPermission20150331v2", **share),
                    step("revoked", 5, operation="lambda:RemovePermission20150331v2", **share))
    done = case(found, "e-shared")
    assert (done["status"], done["rolled_back_by"], done["rollback_path"]) == ("executed", None, "inferred")
    assert found.links.select("rel", "method", "tier").row(0) == ("rolls_back", "inverse", 2)
    assert states(found, done["case_id"])["rollback"][0] == "inferred"
    assert found.steps["kind"].to_list() == ["action", "action"]


# --- how it shows itself -------------------------------------------------------------------------------------------------

def test_a_lineage_says_what_it_holds_in_a_sentence_and_a_table() -> None:
    found = lineage(pim("request", -30), pim("decision", -10), pim("action"))
    assert repr(found).startswith("Decision lineage: 1 cases (1 executed), 3 steps, 3 links")
    shown = found._repr_html_()
    assert '<th scope="row">approver</th><td>1</td><td>0</td>' in shown
    assert shown.count("<tr>") == 7
    assert "<script" not in shown


def test_an_empty_lineage_shows_itself_too() -> None:
    found = decision_lineage(Facts.of(AS_OF))
    assert "0 cases (none)" in repr(found)
    assert "<td>0</td>" in found._repr_html_()
