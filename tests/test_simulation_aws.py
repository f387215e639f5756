"""How the made-up AWS account is watched: native in form, one story with the trail, true to its answers.

Files are read here with the standard library; the loaders come last. Chapters of other clouds are left out.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from lineage_analytics.graphs.access import access_lineage
from lineage_analytics.graphs.decisions import decision_lineage
from lineage_analytics.metrics import measure
from lineage_analytics.simulation import chapters, simulate, thought_up
from lineage_analytics.simulation.dice import Dice
from lineage_analytics.simulation.signing import Signer
from lineage_analytics.workspace import Store, integrity, load, open_estate
from tests._simulated import content, only

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEED, PEOPLE, DAYS = 11, 25, 60
ACCOUNT = "111122223333"
MINE = ("aws_access_analyzer", "aws_bedrock", "aws_cloudtrail_digest", "aws_identity_center", "aws_last_accessed")
KEPT = (*MINE, "aws_cloudtrail", "aws_iam", "declared", "entra_audit", "m365_audit")
CHAPTERS = ("aws_governance", "bedrock")
Row = dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def alone() -> Iterator[None]:
    """Only these chapters are told, and only their writers and those of the first sources write."""
    with only(CHAPTERS, KEPT):
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("aws")
    simulate(directory, SEED, PEOPLE, DAYS)
    return directory


def read(directory: Path, pattern: str) -> list[Any]:
    """Documents of the files a pattern names; lines are documents of their own."""
    found = []
    for path in sorted(path for path in directory.glob(pattern) if path.is_file()):
        lines = ".ndjson" in path.name or "_bedrock_" in path.name
        found += [json.loads(text) for text in (content(path).splitlines() if lines else (content(path),))]
    return found


def truth(directory: Path, name: str) -> Any:
    return json.loads((directory / "truth" / name).read_text())


def story(directory: Path, name: str) -> list[str]:
    where: list[str] = next(s["where"] for s in truth(directory, "stories.json")["stories"] if s["name"] == name)
    return where


def trail(directory: Path) -> dict[str, Row]:
    return {row["eventID"]: row for page in read(directory, "aws_cloudtrail/*.json.gz") for row in page["Records"]}


def inventory(directory: Path) -> dict[str, Row]:
    """Users and roles by ARN."""
    return {row["Arn"]: row for page in read(directory, "aws_iam/*.json.gz")
            for kind in ("UserDetailList", "RoleDetailList") for row in page[kind]}


def findings(directory: Path) -> dict[str, list[Row]]:
    """States of each finding as listed, the earlier ones first."""
    found: dict[str, list[Row]] = {}
    pages = read(directory, "aws_access_analyzer/list-findings-v2-before*") + read(
        directory, "aws_access_analyzer/list-findings-v2-[12]*")
    for row in (row for page in pages for row in page["findings"]):
        if row not in found.setdefault(row["id"], []):
            found[row["id"]].append(row)
    return found


def digests(directory: Path) -> dict[str, Row]:
    """By file name."""
    return {path.name: json.loads(content(path)) for path in sorted((directory / "aws_cloudtrail_digest").glob("*.gz"))}


def distinct(rows: list[Any]) -> int:
    return len({json.dumps(row, sort_keys=True) for row in rows})


def invocations(directory: Path) -> dict[str, Row]:
    return {row["requestId"]: row for row in read(directory, "aws_bedrock/*_bedrock_*")}


def test_the_same_seed_gives_the_same_bytes(made: Path, tmp_path: Path) -> None:
    simulate(tmp_path, SEED, PEOPLE, DAYS)
    for folder in MINE:
        hashes = [{path.relative_to(directory): hashlib.sha256(path.read_bytes()).hexdigest()
                   for path in sorted((directory / folder).rglob("*")) if path.is_file()} for directory in (made, tmp_path)]
        assert hashes[0] == hashes[1]
        assert hashes[0], folder
        assert any(b"ynthetic" in content(path) for path in (made / folder).rglob("*.*") if path.is_file())


def test_distinct_records_are_as_many_as_the_truth_says(made: Path) -> None:
    counts = truth(made, "records.json")
    detailed = read(made, "aws_access_analyzer/get-*")
    assert counts["aws_access_analyzer"] == sum(map(len, findings(made).values())) + distinct(detailed)
    assert counts["aws_bedrock"] == len(invocations(made))
    assert counts["aws_cloudtrail_digest"] == len(digests(made)) + 1
    assert counts["aws_last_accessed"] == distinct(read(made, "aws_last_accessed/*"))
    center = [entry for page in read(made, "aws_identity_center/*") for entry in (
        next((value for value in page.values() if isinstance(value, list) and "PermissionSetArn" not in page), [page]))]
    assert counts["aws_identity_center"] == distinct(center)
    assert counts["aws_cloudtrail"] == len(trail(made))


def test_further_packagings_hold_nothing_new(made: Path) -> None:
    listed = [row for states in findings(made).values() for row in states]
    events = [event["detail"] for event in read(made, "aws_access_analyzer/events*")]
    again = [json.loads(event["message"]) for page in read(made, "aws_bedrock/filter*") for event in page["events"]]
    repeated = read(made, "aws_cloudtrail_digest/again/*")
    assert all((events, again, repeated))
    assert all(event in listed for event in events)
    assert all(row in invocations(made).values() for row in again)
    assert all(row in digests(made).values() for row in repeated)


def test_findings_are_about_who_is_there_and_unused_roles_did_nothing(made: Path) -> None:
    known = inventory(made)
    rows = [row for states in findings(made).values() for row in states]
    assert {row["resource"] for row in rows} <= known.keys()
    assert Counter(row["findingType"] for row in rows).keys() == {
        "UnusedIAMRole", "UnusedPermission", "UnusedIAMUserPassword", "ExternalAccess"}
    acting = {row["userIdentity"].get("sessionContext", {}).get("sessionIssuer", {}).get("arn")
              for row in trail(made).values() if row["eventTime"] > "2026-05-02"}
    assert not {row["resource"] for row in rows if row["findingType"] == "UnusedIAMRole"} & acting
    for row in read(made, "aws_access_analyzer/get-finding-v2*"):
        used = [one["unusedIamRoleDetails"].get("lastAccessed") for one in row["findingDetails"]
                if "unusedIamRoleDetails" in one]
        stated = known[row["resource"]].get("RoleLastUsed", {}).get("LastUsedDate", "")[:19]
        assert [(one or "")[:19] for one in used] == [stated for _ in used]


def test_advice_is_asked_for_by_a_person_followed_a_day_later_and_the_finding_resolved(made: Path) -> None:
    finding, asked, changed, role = story(made, "analyzer_advice_followed")
    ask, change = trail(made)[asked], trail(made)[changed]
    [advice] = read(made, "aws_access_analyzer/get-finding-recommendation*")
    assert (ask["eventName"], ask["requestParameters"]["id"]) == ("GenerateFindingRecommendation", finding)
    assert (advice["findingId"], advice["resourceArn"]) == (finding, role)
    [step] = (one["unusedPermissionsRecommendedStep"] for one in advice["recommendedSteps"])
    assert (change["eventName"], change["requestParameters"]["policyArn"]) == ("DetachRolePolicy", step["existingPolicyId"])
    assert change["requestParameters"]["roleName"] == role.rsplit("/", 1)[-1]
    assert step["existingPolicyId"] not in json.dumps(inventory(made)[role]["AttachedManagedPolicies"])
    before, after = findings(made)[finding]
    assert (before["status"], after["status"]) == ("ACTIVE", "RESOLVED")
    assert before["createdAt"] < ask["eventTime"] < advice["completedAt"] < change["eventTime"] < after["updatedAt"]


def test_the_finding_of_outside_access_is_archived_in_the_trail_too(made: Path) -> None:
    finding, archived, role = story(made, "outside_access_waved_off")
    call = trail(made)[archived]
    assert (call["eventName"], call["requestParameters"]["ids"]) == ("UpdateFindings", [finding])
    assert findings(made)[finding][-1]["status"] == "ARCHIVED"
    [detail] = next(row for row in read(made, "aws_access_analyzer/get-finding-v2*") if row["id"] == finding)["findingDetails"]
    trust = inventory(made)[role]["AssumeRolePolicyDocument"]["Statement"][0]
    assert detail["externalAccessDetails"]["principal"] == trust["Principal"]


def test_last_uses_are_those_of_the_trail(made: Path) -> None:
    reports = read(made, "aws_last_accessed/service-*")
    assert {report["Arn"] for report in reports} == set(story(made, "last_use_is_reported"))
    used: dict[tuple[str, str], str] = {}
    for row in trail(made).values():
        who = row["userIdentity"].get("sessionContext", {}).get("sessionIssuer", row["userIdentity"]).get("arn")
        if who and row["eventTime"] <= "2026-06-30T18:00:00Z":
            key = (who, row["eventSource"].removesuffix(".amazonaws.com"))
            used[key] = max(used.get(key, ""), row["eventTime"])
    stated = {(report["Arn"], service["ServiceNamespace"]): service.get("LastAuthenticated")
              for report in reports for service in report["ServicesLastAccessed"]}
    assert {key: at for key, at in stated.items() if at} == {
        key: at for key, at in used.items() if key[0] in {report["Arn"] for report in reports}}
    assert None in stated.values()
    [entities] = read(made, "aws_last_accessed/with-entities*")
    assert all(inventory(made)[one["EntityInfo"]["Arn"]].get("RoleId", one["EntityInfo"]["Id"]) == one["EntityInfo"]["Id"]
               for one in entities["EntityDetailsList"])


def test_permission_sets_lead_to_the_roles_that_people_assume(made: Path) -> None:
    roles = {row["RoleName"].split("_")[1]: row for row in inventory(made).values()
             if row.get("RoleName", "").startswith("AWSReservedSSO_")}
    sets = {page["PermissionSet"]["Name"]: page["PermissionSet"]["PermissionSetArn"]
            for page in read(made, "aws_identity_center/describe*")}
    assert sets.keys() == roles.keys()
    for page in read(made, "aws_identity_center/policies*"):
        name = next(name for name, arn in sets.items() if arn == page["PermissionSetArn"])
        attached = [policy["PolicyName"] for policy in roles[name]["AttachedManagedPolicies"]]
        assert [one["Name"] for one in page["AttachedManagedPolicies"] + page["CustomerManagedPolicyReferences"]] == attached


def test_everybody_who_came_by_single_sign_on_is_a_user_with_that_set(made: Path) -> None:
    users = {user["UserId"]: user["UserName"] for page in read(made, "aws_identity_center/list-users*")
             for user in page["Users"]}
    members: dict[str, set[str]] = {}
    for page in read(made, "aws_identity_center/list-group-memberships*"):
        for one in page["GroupMemberships"]:
            members.setdefault(one["GroupId"], set()).add(users[one["MemberId"]["UserId"]])
    names = {page["PermissionSet"]["PermissionSetArn"]: page["PermissionSet"]["Name"]
             for page in read(made, "aws_identity_center/describe*")}
    held: dict[str, set[str]] = {}
    for page in read(made, "aws_identity_center/list-account-assignments*"):
        for one in page["AccountAssignments"]:
            who = members[one["PrincipalId"]] if one["PrincipalType"] == "GROUP" else {users[one["PrincipalId"]]}
            held.setdefault(names[one["PermissionSetArn"]], set()).update(who)
    came = {(arn[1].split("_")[1], arn[2]) for row in trail(made).values()
            if len(arn := row["userIdentity"].get("arn", "").split("/")) == 3 and arn[1].startswith("AWSReservedSSO_")}
    assert len(came) > 5
    assert not [pair for pair in came if pair[1] not in held[pair[0]]]


def test_one_person_got_the_administrators_set_directly_and_one_who_left_still_has_it(made: Path) -> None:
    event, user, held = story(made, "administrator_past_the_group")
    request = trail(made)[event]["requestParameters"]
    assert (request["principalId"], request["permissionSetArn"]) == (user, held)
    assigned = [one for page in read(made, "aws_identity_center/list-account-assignments*")
                for one in page["AccountAssignments"]]
    assert [one["PrincipalId"] for one in assigned if one["PrincipalType"] == "USER"] == [user]
    left, group = story(made, "left_and_still_administrator")
    assert any(one["MemberId"]["UserId"] == left and one["GroupId"] == group
               for page in read(made, "aws_identity_center/list-group*") for one in page.get("GroupMemberships", ()))


def test_each_invocation_stands_in_the_trail_under_its_request_id(made: Path) -> None:
    called = {row["requestID"]: row for row in trail(made).values() if row["eventSource"] == "bedrock.amazonaws.com"}
    found = invocations(made)
    assert called.keys() == found.keys()
    for request, row in found.items():
        call = called[request]
        assert (row["timestamp"], row["identity"]["arn"], row["modelId"], row.get("errorCode")) == (
            call["eventTime"], call["userIdentity"]["arn"], call["requestParameters"]["modelId"], call.get("errorCode"))
    refused = {request for request, row in found.items() if "errorCode" in row}
    assert refused == set(story(made, "model_refused_at_night")) & found.keys()
    stopped = {request for request, row in found.items()
               if row.get("output", {}).get("outputBodyJson", {}).get("amazon-bedrock-guardrailAction") == "INTERVENED"}
    assert stopped == set(story(made, "guardrail_stepped_in")) & found.keys()
    assert len(stopped) == 2


def test_digests_state_the_hashes_of_the_unpacked_files_but_for_what_was_planted(made: Path) -> None:
    altered, lost, digest = story(made, "trail_altered_and_incomplete")
    files = {path.name: hashlib.sha256(content(path)).hexdigest() for path in (made / "aws_cloudtrail").glob("*.gz")}
    told = {one["s3Object"].rsplit("/", 1)[-1]: one["hashValue"] for row in digests(made).values()
            for one in row["logFiles"]}
    assert {name for name, value in told.items() if files.get(name) != value} == {altered, lost}
    assert files.keys() - told.keys() == {
        f"{ACCOUNT}_CloudTrail_{day}.json.gz" for day in ("20260607", "20260630")}
    assert told.keys() - files.keys() == {lost}
    removed = thought_up(SEED, PEOPLE, DAYS).cast["cloudtrail_removed"]
    assert removed.event_id not in trail(made)
    assert altered == f"{ACCOUNT}_CloudTrail_{removed.time:%Y%m%d}.json.gz"
    assert digest not in digests(made)


def test_each_digest_names_the_one_before_with_its_hash_and_one_is_missing(made: Path) -> None:
    found, places = digests(made), {path.name: path for path in (made / "aws_cloudtrail_digest").glob("*.gz")}
    names = sorted(found)
    first, *others = names
    assert found[first]["previousDigestS3Object"] is None
    broken = []
    for before, name in zip(names, others, strict=False):
        row = found[name]
        assert row["digestS3Object"].endswith(name)
        if row["previousDigestS3Object"].rsplit("/", 1)[-1] != before:
            broken.append(name)
        else:
            assert row["previousDigestHashValue"] == hashlib.sha256(content(places[before])).hexdigest()
            assert row["digestStartTime"] == found[before]["digestEndTime"]
    [after_the_gap] = broken
    assert found[after_the_gap]["previousDigestS3Object"].endswith(story(made, "trail_altered_and_incomplete")[2])
    assert max(row["digestEndTime"] for row in found.values()) < "2026-06-30T23:59:59Z"


def test_an_invented_key_signs_what_its_public_half_confirms_and_nothing_else() -> None:
    signer, text = Signer(Dice(1, "key")), "end\nplace\nhash\nnull"
    rsa = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    assert rsa.load_der_public_key(base64.b64decode(signer.public)).key_size == 1024
    signature = signer.sign(text)
    assert integrity._holds(signer.public, signature, text) is True
    assert integrity._holds(signer.public, signature, text + "x") is False
    assert Signer(Dice(1, "key")).sign(text) == signature != Signer(Dice(2, "key")).sign(text)


def test_the_chapters_add_records_to_the_trail_and_move_none(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chapters, "_chapters", dict)
    simulate(tmp_path, SEED, PEOPLE, DAYS)
    added = 0
    for path in sorted((tmp_path / "aws_cloudtrail").glob("*.json.gz")):
        plain = json.loads(content(path))["Records"]
        ours = json.loads(content(made / "aws_cloudtrail" / path.name))["Records"]
        assert [row for row in ours if row in plain] == plain
        added += len(ours) - len(plain)
    assert added == sum("bedrock" in row["eventSource"] for row in trail(made).values()) + 4
    assert not [folder for folder in MINE if (tmp_path / folder).exists()]


def test_the_loaders_accept_every_record_once_the_digests_say_what_was_planted_and_measures_agree(
    made: Path, tmp_path: Path
) -> None:
    result = load([made], Store.create(tmp_path))
    counts = truth(made, "records.json")
    for source in MINE:
        count = result.counts[source]
        assert (count.accepted, count.quarantined, count.rejected) == (counts[source], 0, 0), source
        assert count.duplicate > 0, source
    estate = open_estate(tmp_path)
    verdicts = integrity.checks(estate).group_by("kind", "verdict").len().rows()
    known = len(digests(made))
    assert {(kind, verdict): count for kind, verdict, count in verdicts if verdict != "signed"} == {
        ("log_file", "matches"): known - 1, ("log_file", "differs"): 1, ("log_file", "not_loaded"): 1,
        ("log_digest", "follows"): known - 2, ("log_digest", "no_predecessor"): 1}
    measured = measure(estate, access_lineage(estate), decision_lineage(estate)).measures
    rows = {(row["metric_id"], row["scope"]): row for row in measured.iter_rows(named=True)}
    parts = ("numerator", "denominator", "n_unknown")
    wrong = [(planted, found) for planted in truth(made, "measures.json")["measures"]
             if (found := [rows[planted["metric_id"], planted["scope"]][part] or 0 for part in parts])
             != [planted[part] for part in parts]]
    assert wrong == []
