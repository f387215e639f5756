"""Microsoft Purview in the made-up organisation: native in form, one story with the audit log, true to its answers.

Files are read here with the standard library; the loaders come last.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lineage_analytics.graphs.access import access_lineage
from lineage_analytics.graphs.decisions import decision_lineage
from lineage_analytics.metrics import measure
from lineage_analytics.simulation import chapters, names, simulate, thought_up
from lineage_analytics.simulation.writing import told
from lineage_analytics.workspace import Store, load, open_estate
from tests._simulated import only

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lineage_analytics.simulation.model import World

SEED, PEOPLE, DAYS = 11, 25, 60
FOLDERS = ("purview_activity_explorer", "purview_ediscovery", "purview_exposure", "purview_labels")
BASE = ("aws_cloudtrail", "aws_iam", "declared", "entra_audit", "m365_audit")
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
END = datetime(2026, 6, 30, tzinfo=UTC)
Row = dict[str, Any]


@pytest.fixture(scope="module")
def alone() -> Iterator[None]:
    """Only the chapter of these sources, and only what they and the first three providers write."""
    with only(("purview",), (*FOLDERS, *BASE)):
        yield


@pytest.fixture(scope="module")
def made(alone: None, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001  (patched while it writes)
    directory = tmp_path_factory.mktemp("purview")
    simulate(directory, SEED, PEOPLE, DAYS)
    return directory


@pytest.fixture(scope="module")
def world(alone: None) -> World:  # noqa: ARG001  (patched while it is thought up)
    return thought_up(SEED, PEOPLE, DAYS)


def content(path: Path) -> str:
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()


def table(path: Path) -> list[Row]:
    csv.field_size_limit(1 << 20)
    return list(csv.DictReader(io.StringIO(content(path), newline="")))


def truth(directory: Path, name: str) -> Any:
    return json.loads((directory / "truth" / name).read_text())


def story(directory: Path, name: str) -> list[str]:
    return next(s["where"] for s in truth(directory, "stories.json")["stories"] if s["name"] == name)


def audit(directory: Path) -> dict[str, Row]:
    return {row["RecordId"]: json.loads(row["AuditData"])
            for path in sorted((directory / "m365_audit").glob("*.csv.gz")) for row in table(path)}


def pages(directory: Path) -> list[list[Row]]:
    """The rows of every result of the export command."""
    return [json.loads(json.loads(line)["ResultData"])
            for path in sorted((directory / "purview_activity_explorer").glob("*.jsonl.gz"))
            for line in content(path).splitlines()]


def explorer(directory: Path) -> dict[str, Row]:
    return {row["RecordIdentity"]: row for page in pages(directory) for row in page}


def items(directory: Path, report: int) -> dict[str, Row]:
    return {row["Immutable ID"]: row for row in table(directory / "purview_ediscovery" / f"Items.{report}.csv.gz")}


def labels(directory: Path) -> list[Row]:
    found: list[Row] = json.loads((directory / "purview_labels" / "Get-Label.json").read_text())
    return found


def exposure(directory: Path) -> dict[str, list[Row]]:
    folder = directory / "purview_exposure"
    found = {path.stem: table(path) for path in sorted(folder.glob("*.csv"))}
    return found | {"data-risk": json.loads((folder / "data-risk-assessments.json").read_text())}


def day(backs: int) -> str:
    return f"{END - timedelta(days=backs):%Y-%m-%d}"


def test_the_same_seed_gives_the_same_bytes(made: Path, tmp_path: Path) -> None:
    simulate(tmp_path, SEED, PEOPLE, DAYS)
    for folder in FOLDERS:
        digests = [{path.relative_to(directory): hashlib.sha256(path.read_bytes()).hexdigest()
                    for path in sorted((directory / folder).rglob("*")) if path.is_file()} for directory in (made, tmp_path)]
        assert digests[0] == digests[1]
        assert digests[0], folder


def test_every_folder_says_that_it_is_synthetic(made: Path) -> None:
    for folder in FOLDERS:
        for path in (made / folder).rglob("*.*"):
            assert "ynthetic" in content(path), path


def test_distinct_records_are_as_many_as_the_truth_says(made: Path) -> None:
    counts = truth(made, "records.json")
    assert counts["m365_audit"] == len(audit(made))
    assert counts["purview_activity_explorer"] == len(explorer(made))
    assert counts["purview_ediscovery"] == len(items(made, 1) | items(made, 2))
    assert counts["purview_labels"] == len({label["Guid"] for label in labels(made)})
    rows = [(name.rsplit("-20", 1)[0], *row.items()) for name, rows in exposure(made).items() for row in rows]
    assert counts["purview_exposure"] == len(rows) == len(set(rows))


def test_further_packagings_hold_nothing_new(made: Path) -> None:
    found = explorer(made)
    assert sum(map(len, pages(made))) > len(found)
    portal = table(made / "purview_activity_explorer" / "portal" / "Activity explorer.csv")
    assert portal
    assert all(found[row["RecordIdentity"]]["ActivityId"] == row["ActivityId"] for row in portal)
    assert items(made, 1).items() < items(made, 2).items()
    listed = json.loads((made / "purview_labels" / "graph-sensitivity-labels.json").read_text())["value"]
    assert [(one["id"], one["name"], one["sensitivity"]) for one in listed] == [
        (one["Guid"], one["DisplayName"], one["Priority"]) for one in labels(made)]
    again = table(made / "purview_exposure" / "again" / "SitePermissions.csv")
    last = exposure(made)[f"site-permissions-{day(2)}"]
    assert [[*row.values()] for row in again] == [[*row.values()] for row in last]
    assert [*again[0]] != [*last[0]]


def test_labels_everywhere_are_those_of_the_catalogue(made: Path) -> None:
    known = {label["Guid"] for label in labels(made)}
    assert set(names.LABELS.values()) < known
    named = {guid for row in explorer(made).values() for guid in (
        *row.get("SensitivityLabelIdsReferenced", ()), row.get("SensitivityLabel"), row.get("OldSensitivityLabel")) if guid}
    named |= {row["Sensitivity label"] for row in items(made, 2).values() if row["Sensitivity label"]}
    named |= {record["SensitivityLabelId"] for record in audit(made).values() if "SensitivityLabelId" in record}
    assert len(named) > 2
    assert named <= known
    assert {row["Label name"] for row in exposure(made)["labelled-files"]} <= set(names.LABELS)


def test_the_reports_count_the_documents_there_are(made: Path, world: World) -> None:
    held, labelled = Counter(f.site for f in world.files), Counter(f.site for f in world.files if f.label)
    for row in exposure(made)[f"site-permissions-{day(2)}"]:
        site = row["Site URL"].rstrip("/").rsplit("/", 1)[-1]
        assert int(row["File count"]) == held[site]
        assert GUID.fullmatch(row["Site ID"])
        assert sum(int(one["Labeled files"]) for one in exposure(made)["labelled-files"]
                   if one["Site URL"] == row["Site URL"]) == labelled[site]


def test_one_site_is_opened_to_everybody_between_two_reports(made: Path) -> None:
    (place,) = story(made, "board_site_open_to_everybody")
    before, after = ({row["Site URL"].split("example/")[1].rstrip("/"): row for row in exposure(made)[
        f"site-permissions-{day(back)}"]} for back in (58, 30))
    assert {site for site, row in after.items() if row["EEEU permission count"] != "0"} == {place}
    assert not [row for row in before.values() if row["EEEU permission count"] != "0"]
    assert int(after[place]["Number of users having access"]) > int(before[place]["Number of users having access"])
    items_open = exposure(made)["eeeu-items"]
    assert items_open
    assert all(place in row["Item URL"] for row in items_open)


def test_activity_explorer_tells_every_interaction_of_thirty_days_again_with_the_same_turn(made: Path) -> None:
    rows, hosts = explorer(made), {}
    for native, record in audit(made).items():
        runtime = record.get("AppIdentity", "").startswith("Copilot.Studio.")
        if record["Operation"] == "CopilotInteraction" and record["CreationTime"] > day(29) and not runtime:
            hosts[native] = record
    told_again = {native: row for native, row in rows.items() if row["ActivityId"] == "CopilotInteraction"}
    assert set(hosts) < set(told_again)
    for native, record in hosts.items():
        data, row = record["CopilotEventData"], told_again[native]
        assert (row["Messages"][0]["Id"], row.get("ThreadId"), row["AppHost"]) == (
            data["Messages"][0]["Id"], data.get("ThreadId"), data["AppHost"])
        assert (row["User"], row["AppIdentity"]) == (record["UserId"].lower(), record["AppIdentity"])
        assert "AccessedResources" not in row
    assert {row["ActivityId"] for row in rows.values()} > {"CopilotInteraction", "LabelApplied"}


def test_the_lost_days_are_known_from_the_side_alone(made: Path) -> None:
    where, rows, kept = story(made, "lost_days_seen_from_the_side"), explorer(made), audit(made)
    lost = {day(back) for back in (18, 19, 20)}
    assert {rows[native]["Happened"][:10] for native in where} == lost
    assert not kept.keys() & set(where)
    assert not {record["CreationTime"][:10] for record in kept.values()} & lost
    threads = {rows[native]["ThreadId"].translate(str.maketrans("", "", ":@.")) for native in where}
    assert any(thread in native for thread in threads for native in items(made, 2))


def test_mailbox_copies_are_of_conversations_the_audit_log_has_too(made: Path) -> None:
    threads = {record["CopilotEventData"].get("ThreadId", "") for record in audit(made).values()
               if "CopilotEventData" in record}
    squeezed = {thread.translate(str.maketrans("", "", ":@.")) for thread in threads}
    copies = {re.findall(r"/TEAMS/(19[A-Za-z0-9]{44}threadv2)/", row["Immutable ID"] + row["Modern attachment parent ID"])[0]
              for row in items(made, 2).values()}
    assert len(copies - squeezed) == 1  # the conversation of a lost day
    assert len(copies & squeezed) > 9
    assert {row["Item class"].rpartition(".")[0] for row in items(made, 2).values()} == {"IPM.SkypeTeams.Message.Copilot"}


def test_the_link_for_anyone_stands_between_two_labels_and_is_taken_back(made: Path) -> None:
    records = audit(made)
    lowered, link, raised, removed = (records[native] for native in story(made, "label_lowered_for_a_link"))
    assert lowered["CreationTime"] < link["CreationTime"] < raised["CreationTime"] < removed["CreationTime"]
    assert (lowered["OldSensitivityLabelId"], lowered["SensitivityLabelId"]) == (
        raised["SensitivityLabelId"], raised["OldSensitivityLabelId"])
    assert link["UniqueSharingId"] == removed["UniqueSharingId"]
    assert (link["Operation"], link["RecordType"]) == ("AnonymousLinkCreated", 14)
    assert link["UserId"] != removed["UserId"]
    assert explorer(made)[lowered["Id"]]["ActivityId"] == "LabelChanged"
    counted = {row["Site URL"]: row["Anyone link count"] for row in exposure(made)[f"sharing-links-{day(5)}"]}
    assert {site: count for site, count in counted.items() if count != "0"} == {link["SiteUrl"]: "1"}


def test_each_turn_of_the_agent_stands_in_two_records(made: Path) -> None:
    agent, *_ = story(made, "agent_opened_to_everybody")
    turns = Counter((record["CopilotEventData"]["ThreadId"], record["CopilotEventData"]["Messages"][0]["Id"])
                    for record in audit(made).values() if record.get("AgentId") == agent)
    assert len(turns) == len(story(made, "one_turn_in_two_records"))
    assert set(turns.values()) == {2}
    flagged, document = story(made, "agent_read_a_planted_prompt")
    read = {one["Id"]: one["XPIADetected"] for one in audit(made)[flagged]["CopilotEventData"]["AccessedResources"]}
    assert [native for native, found in read.items() if found] == [document]


def test_the_security_copilot_session_is_one_thread_without_resources(made: Path) -> None:
    turns = [audit(made)[native] for native in story(made, "security_copilot_session")]
    assert {turn["AppIdentity"] for turn in turns} == {"Copilot.Security.SecurityCopilot"}
    assert len({turn["CopilotEventData"]["ThreadId"] for turn in turns}) == 1
    assert not [turn for turn in turns if "AccessedResources" in turn["CopilotEventData"]]


def test_the_chapter_adds_records_to_the_audit_log_and_changes_none(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chapters, "_chapters", dict)
    simulate(tmp_path, SEED, PEOPLE, DAYS)
    assert audit(tmp_path).items() < audit(made).items()
    assert [folder for folder in FOLDERS if (tmp_path / folder).exists()] == ["purview_labels"]


def test_interactions_count_once_whoever_tells_them_and_mailbox_copies_of_their_threads_never(made: Path, world: World) -> None:
    turns: dict[object, bool] = {}
    for record in audit(made).values():
        if record["Operation"] == "CopilotInteraction" and record["CreationTime"] > day(29):
            data = record["CopilotEventData"]
            thread = data.get("ThreadId")
            key = (thread, data["Messages"][0]["Id"]) if thread else record["Id"]
            turns[key] = turns.get(key, False) or (thread is not None and "AccessedResources" in data)
    for row in explorer(made).values():
        if row["ActivityId"] == "CopilotInteraction":
            key = (row["ThreadId"], row["Messages"][0]["Id"]) if "ThreadId" in row else row["RecordIdentity"]
            turns.setdefault(key, False)
    copies = {native.split("/TEAMS/")[1].split("/")[0] for native, row in items(made, 2).items()
              if row["Date"] > day(29) and "/TEAMS/" in native}
    amazon_q = sum(event.action == "q:SendMessage" and f"{event.time:%Y-%m-%d}" >= day(29) for event in world.aws)
    threads = {re.sub(r"\W", "", key[0]) for key in turns if isinstance(key, tuple)}
    assert copies
    assert copies <= threads
    observed = told(world)
    observed.finish()
    assert observed.copilot.threaded == Counter(turns.values()) + Counter({False: amazon_q})


def test_the_loaders_accept_every_record_once_and_measure_the_truth(made: Path, tmp_path: Path) -> None:
    result = load([made], Store.create(tmp_path))
    counts = truth(made, "records.json")
    for source in ("m365_audit", *FOLDERS):
        found = result.counts[source]
        assert (found.accepted, found.quarantined, found.rejected) == (counts[source], 0, 0), source
        assert found.duplicate > 0, source
    estate = open_estate(tmp_path)
    measured = measure(estate, access_lineage(estate), decision_lineage(estate)).measures
    rows = {(row["metric_id"], row["scope"]): row for row in measured.iter_rows(named=True)}
    wrong = [(planted, row) for planted in truth(made, "measures.json")["measures"]
             if (row := [rows[planted["metric_id"], planted["scope"]][part] or 0 for part in (
                 "numerator", "denominator", "n_unknown")]) != [
                 planted[part] for part in ("numerator", "denominator", "n_unknown")]]
    assert wrong == []
