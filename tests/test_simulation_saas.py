"""Logs of applications that the made-up organisation uses: GitHub, Google Workspace, Okta, two vendors of models.

Files are read here with the standard library, not with our loaders; at the end the loaders and measures read them too.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import defaultdict
from datetime import datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest

from lineage_analytics.graphs.access import access_lineage
from lineage_analytics.graphs.decisions import decision_lineage
from lineage_analytics.metrics import measure
from lineage_analytics.simulation import simulate
from lineage_analytics.workspace import Store, load, open_estate
from tests._simulated import content
from tests.accuracy.links import Links
from tests.accuracy.organisations import Organisation

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]
SOURCES = ("anthropic_compliance", "github_audit", "github_reviews", "google_workspace", "okta_system_log",
           "openai_audit")
SEED, PEOPLE, DAYS = 5, 24, 92


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("applications")
    simulate(directory, SEED, PEOPLE, DAYS)
    return directory


def files(made: Path, pattern: str) -> list[bytes]:
    found = [content(path) for path in sorted(made.glob(pattern))]
    assert found, pattern
    return found


def arrays(made: Path, pattern: str) -> list[Json]:
    return [record for held in files(made, pattern) for record in json.loads(held)]


def lines(made: Path, pattern: str) -> list[Json]:
    return [json.loads(line) for held in files(made, pattern) for line in held.splitlines()]


def truth(made: Path, name: str) -> Any:
    return json.loads((made / "truth" / name).read_text())


def story(made: Path, name: str) -> list[str]:
    where: list[str] = next(s["where"] for s in truth(made, "stories.json")["stories"] if s["name"] == name)
    return where


def audited(made: Path) -> dict[str, Json]:
    return {row["_document_id"]: row for row in arrays(made, "github_audit/*.json.gz")}


def deliveries(made: Path) -> list[Json]:
    return lines(made, "github_reviews/deliveries.ndjson.gz")


def reviews(made: Path) -> dict[str, Json]:
    return {str(held["review"]["id"]): held for held in deliveries(made) if held["action"] == "submitted"}


def workspace(made: Path) -> list[Json]:
    return [item for held in files(made, "google_workspace/*.json.gz") for item in json.loads(held)["items"]]


def okta(made: Path) -> dict[str, Json]:
    return {event["uuid"]: event for event in arrays(made, "okta_system_log/*.json.gz")}


def console(made: Path) -> list[dict[str, str]]:
    return [row for held in files(made, "okta_system_log/console/*.csv.gz")
            for row in csv.DictReader(io.StringIO(held.decode()))]


def claude(made: Path) -> list[Json]:
    return [record for page in lines(made, "anthropic_compliance/activities.ndjson.gz") for record in page["data"]]


def platform(made: Path) -> list[Json]:
    return [record for held in files(made, "openai_audit/*.json.gz") for record in json.loads(held)["data"]]


def test_distinct_records_are_as_many_as_the_truth_says(made: Path) -> None:
    counts = truth(made, "records.json")
    assert len(audited(made)) == counts["github_audit"]
    told = {json.dumps(held, sort_keys=True) for held in deliveries(made)}
    assert len(told) == counts["github_reviews"]
    assert len({item["id"]["uniqueQualifier"] for item in workspace(made)}) == counts["google_workspace"]
    first_days = {row["uuid"] for row in console(made)}
    assert not first_days & set(okta(made))
    assert len(first_days) + len(okta(made)) == counts["okta_system_log"]
    assert len({record["id"] for record in claude(made)}) == counts["anthropic_compliance"]
    assert len({record["id"] for record in platform(made)}) == counts["openai_audit"]


def test_second_packagings_hold_nothing_new(made: Path) -> None:
    rows = audited(made)
    assert all(rows[row["_document_id"]] == row for row in lines(made, "github_audit/stream/*.gz"))
    told = deliveries(made)
    assert all(held["payload"] in told for held in arrays(made, "github_reviews/redelivered.json.gz"))
    by_id = {item["id"]["uniqueQualifier"]: item for item in workspace(made)}
    for event in lines(made, "google_workspace/pipeline/*.gz"):
        assert by_id[event["id"]["uniqueQualifier"]]["events"][0]["name"] == event["name"]
    assert all(okta(made)[held["detail"]["uuid"]] == held["detail"]
               for held in lines(made, "okta_system_log/log-stream.ndjson.gz"))
    known = claude(made)
    assert all(held["_source"] in known for held in lines(made, "anthropic_compliance/search/*.gz"))
    ids = {record["id"] for record in platform(made)}
    assert {record["id"] for record in lines(made, "openai_audit/collected/*.gz")} <= ids


def test_pages_overlap(made: Path) -> None:
    assert len(workspace(made)) > truth(made, "records.json")["google_workspace"]
    assert len(claude(made)) > truth(made, "records.json")["anthropic_compliance"]


def test_every_file_of_these_sources_says_that_it_is_synthetic(made: Path) -> None:
    for source in SOURCES:
        for path in sorted((made / source).rglob("*.gz")):
            assert b"ynthetic" in content(path), path.name


def test_the_same_seed_gives_the_same_bytes(made: Path, tmp_path: Path) -> None:
    simulate(tmp_path, SEED, PEOPLE, DAYS)

    def digests(directory: Path) -> dict[str, str]:
        return {path.relative_to(directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
                for source in SOURCES for path in sorted((directory / source).rglob("*")) if path.is_file()}

    assert digests(tmp_path) == digests(made)


# --- what is planted -------------------------------------------------------------------------------------------------


def test_everything_a_story_of_these_sources_names_stands_in_its_files(made: Path) -> None:
    held = b"".join(content(path) for source in SOURCES for path in sorted((made / source).rglob("*"))
                    if path.is_file())
    for name in ("coding_agent_approved_ever_faster", "merged_past_the_protection", "token_clones_by_night",
                 "pushes_by_deploy_key", "collaborator_from_outside", "meeting_notes_let_in", "backup_acts_as_anybody",
                 "agent_adds_a_member", "key_that_reads_every_chat", "script_key_makes_an_owner",
                 "okta_token_of_an_administrator", "okta_review_within_minutes", "support_acts_as_an_administrator"):
        assert not [text for text in story(made, name) if text.encode() not in held], name


def test_the_agents_pull_requests_are_approved_ever_faster(made: Path) -> None:
    lead = int(story(made, "coding_agent_approved_ever_faster")[1])
    opened = {held["pull_request"]["html_url"]: held["pull_request"]["created_at"] for held in deliveries(made)
              if held["action"] == "opened" and held["pull_request"]["user"]["type"] == "Bot"}
    dwell = [(datetime.fromisoformat(held["review"]["submitted_at"])
              - datetime.fromisoformat(opened[held["pull_request"]["html_url"]])).total_seconds()
             for held in deliveries(made) if held["action"] == "submitted" and held["sender"]["id"] == lead
             and held["review"]["state"] == "approved" and held["pull_request"]["html_url"] in opened]
    assert len(dwell) > 20
    assert median(dwell[:5]) > 1200
    assert median(dwell[-5:]) < 60
    by_month: dict[str, int] = defaultdict(int)
    for created in opened.values():
        by_month[created[:7]] += 1
    assert by_month["2026-06"] > by_month["2026-05"] > by_month["2026-04"]


def test_two_people_approve_what_the_agent_did_for_them(made: Path) -> None:
    told = story(made, "approved_by_who_sent_the_agent")
    for approval, merge in zip(told[::2], told[1::2], strict=True):
        row = audited(made)[merge]
        assert row["actor_is_agent"]
        assert reviews(made)[approval]["review"]["user"]["id"] == row["user_id"]
        assert reviews(made)[approval]["review"]["state"] == "approved"


def test_an_approval_is_for_another_commit_than_was_merged(made: Path) -> None:
    approval, merge, seen, merged = story(made, "approval_of_an_older_commit")
    assert reviews(made)[approval]["review"]["commit_id"] == seen != merged
    assert audited(made)[merge]["head_sha"] == merged


def test_a_merge_follows_the_withdrawal_of_its_only_approval(made: Path) -> None:
    approval, back, merge = story(made, "approval_taken_back")
    given, row = reviews(made)[approval], audited(made)[merge]
    taken = [held for held in deliveries(made) if held["action"] == "dismissed"]
    assert [str(held["review"]["id"]) for held in taken] == [approval]
    assert given["review"]["submitted_at"] < taken[0]["pull_request"]["updated_at"]
    assert audited(made)[back]["@timestamp"] < row["@timestamp"]
    assert given["pull_request"]["html_url"] == row["pull_request_url"]


def test_one_merge_goes_past_the_protection_unreviewed(made: Path) -> None:
    past, merge = (audited(made)[native] for native in story(made, "merged_past_the_protection"))
    assert past["overridden_codes"] == ["review_policy_not_satisfied"]
    assert past["pull_request_url"] == merge["pull_request_url"]
    assert not [held for held in reviews(made).values()
                if held["pull_request"]["html_url"] == merge["pull_request_url"]]


def test_a_merge_is_followed_by_a_deployment_that_shares_no_key_with_it(made: Path) -> None:
    trail = {record["eventID"]: record for path in (made / "aws_cloudtrail").glob("*.json.gz")
             for record in json.loads(content(path))["Records"]}
    with (made / "truth" / "links.csv").open() as held:
        links = [link for link in csv.DictReader(held) if link["rel"] == "resulted_in" and link["to_event_id"] in trail
                 and link["from_event_id"] in audited(made)]
    assert len(links) > 5
    for link in links:
        merge, update = audited(made)[link["from_event_id"]], trail[link["to_event_id"]]
        assert link["provable"] == "false"
        assert update["eventName"] == "UpdateStack"
        assert "deploy-pipeline" in update["userIdentity"]["arn"]
        wait = datetime.fromisoformat(update["eventTime"]).timestamp() - merge["@timestamp"] / 1000
        assert 0 < wait < 600


def test_pushes_with_the_deploy_key_name_no_account(made: Path) -> None:
    made_row, key, *pushes = story(made, "pushes_by_deploy_key")
    assert str(audited(made)[made_row]["public_key_id"]) == key
    assert [audited(made)[native].get("actor_id") for native in pushes] == [None] * 3


def test_the_backup_client_and_the_agent_act_with_the_authority_of_people(made: Path) -> None:
    client, agent = story(made, "backup_acts_as_anybody")[1], story(made, "agent_adds_a_member")[1]
    backups = [i["actor"] for i in workspace(made) if i["actor"].get("applicationInfo", {}).get("oauthClientId") == client]
    assert len(backups) >= DAYS
    assert all(actor["email"] and actor["applicationInfo"]["impersonation"] for actor in backups)
    sorted_by = [i["actor"] for i in workspace(made) if "agentAttributionInfo" in i["actor"]]
    assert {actor["agentAttributionInfo"]["agentId"] for actor in sorted_by} == {agent}


def test_what_an_okta_review_took_away_names_the_item_that_decided_it(made: Path) -> None:
    removed = story(made, "okta_review_within_minutes")[2:]
    assert removed
    answers = {target["id"]: event for event in okta(made).values() if event["eventType"] == "access.review.action"
               for target in event["target"]}
    for native in removed:
        done = okta(made)[native]
        answer = answers[done["target"][0]["id"]]
        assert answer["debugContext"]["debugData"]["decision"] == "REVOKE"
        assert answer["published"] < done["published"]


def test_support_acts_as_the_administrator_who_let_it_in(made: Path) -> None:
    let, begun, ended = (okta(made)[native] for native in story(made, "support_acts_as_an_administrator"))
    assert begun["target"][0]["id"] == let["actor"]["id"] != begun["actor"]["id"] == ended["actor"]["id"]


def test_a_key_alone_makes_a_stranger_an_owner_by_night(made: Path) -> None:
    _, key, came, ruled, stranger = story(made, "script_key_makes_an_owner")
    by_id = {record["id"]: record for record in platform(made)}
    for native in (came, ruled):
        assert by_id[native]["actor"] == {"type": "api_key", "api_key": {"id": key}}
    assert stranger in json.dumps(by_id[ruled])
    assert by_id[ruled]["effective_at"] - by_id[came]["effective_at"] == timedelta(minutes=6).total_seconds()


def test_a_key_reads_chats_every_night_since_it_was_made(made: Path) -> None:
    born, key = story(made, "key_that_reads_every_chat")
    by_id = {record["id"]: record for record in claude(made)}
    read = [record["created_at"] for record in by_id.values() if record["type"] == "claude_chat_viewed"
            and record["actor"].get("api_key_id") == key]
    assert len(read) >= DAYS - 2
    assert min(read) > by_id[born]["created_at"]


# --- read by the package ---------------------------------------------------------------------------------------------


def test_loaders_accept_every_record_once_and_every_measure_says_what_was_planted(
    made: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("workspace")
    result = load([made], Store.create(directory))
    counts = truth(made, "records.json")
    for source in SOURCES:
        count = result.counts[source]
        assert (count.accepted, count.quarantined, count.rejected) == (counts[source], 0, 0), source
        assert count.duplicate > 0, source
    estate = open_estate(directory)
    lineage = decision_lineage(estate)
    found = {(row["metric_id"], row["scope"]): row for row in measure(
        estate, access_lineage(estate), lineage).measures.iter_rows(named=True)}
    wrong = []
    for planted in truth(made, "measures.json")["measures"]:
        row = found[planted["metric_id"], planted["scope"]]
        measured = (row["numerator"] or 0, row["denominator"] or 0, row["n_unknown"])
        if measured != (planted["numerator"], planted["denominator"], planted["n_unknown"]):
            wrong.append((planted, measured))
    assert wrong == []
    links = Links()
    links.take(Organisation(SEED, made, estate, lineage))
    assert links.recalled.wrong == []
    cases = lineage.cases.filter(lineage.cases["provider"] == "github")
    own = story(made, "approved_by_who_sent_the_agent")[1::2]
    by_event = {row["anchor_event_id"]: row for row in cases.iter_rows(named=True)}
    assert {(by_event[native]["independent"], by_event[native]["involvement_class"]) for native in own} == {
        ("no", "executes_autonomous")}
