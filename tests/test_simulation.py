"""The made-up organisation: repeatable, native in form, synthetic to see, and true to its own answers.

Files are read here with the standard library, not with our loaders.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
import zlib
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from lineage_analytics.errors import UsageError
from lineage_analytics.simulation import simulate

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "sample"
PEOPLE, DAYS = 30, 100


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("simulated")
    simulate(directory, seed=11, people=PEOPLE, days=DAYS)
    return directory


def contents(path: Path) -> bytes:
    """A file as it reads, unpacked; what a cut gzip still gives."""
    raw = path.read_bytes()
    return zlib.decompressobj(31).decompress(raw) if path.suffix == ".gz" else raw


def digests(directory: Path, *, unpacked: bool = False) -> dict[str, str]:
    return {path.relative_to(directory).as_posix(): hashlib.sha256(contents(path) if unpacked else path.read_bytes())
            .hexdigest() for path in sorted(directory.rglob("*")) if path.is_file()}


def cloudtrail(directory: Path) -> list[dict[str, Any]]:
    """Records of the daily files, each once."""
    return [r for path in sorted((directory / "aws_cloudtrail").glob("*.json.gz"))
            for r in json.loads(contents(path))["Records"]]


def entra(directory: Path) -> dict[str, dict[str, Any]]:
    pages = [r for path in sorted((directory / "entra_audit").glob("*.json.gz"))
             for r in json.loads(contents(path))["value"]]
    blobs = [json.loads(line)["properties"] for path in sorted((directory / "entra_audit").glob("insights*/*.json.gz"))
             for line in contents(path).splitlines()]
    return {r["id"]: r for r in (*pages, *blobs)}


def m365(directory: Path) -> dict[str, dict[str, Any]]:
    csv.field_size_limit(1 << 20)
    found = {}
    for path in sorted((directory / "m365_audit").glob("*.csv.gz")):
        for row in csv.DictReader(io.StringIO(contents(path).decode())):
            found[row["RecordId"]] = json.loads(row["AuditData"])
    return found


def truth(directory: Path, name: str) -> Any:
    return json.loads((directory / "truth" / name).read_text())


def links(directory: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((directory / "truth" / "links.csv").read_text())))


def detail(record: dict[str, Any], key: str) -> str:
    return next((d["value"] for d in record["additionalDetails"] if d["key"] == key), "")


def test_same_seed_and_sizes_give_the_same_bytes_and_another_seed_gives_others(made: Path, tmp_path: Path) -> None:
    simulate(tmp_path / "same", seed=11, people=PEOPLE, days=DAYS)
    simulate(tmp_path / "other", seed=12, people=PEOPLE, days=DAYS)
    assert digests(tmp_path / "same") == digests(made)
    differing = {k for k, v in digests(tmp_path / "other").items() if digests(made).get(k) != v}
    assert {"truth/measures.json", "aws_iam/credential-report.csv.gz", "entra_audit/directoryAudits-01.json.gz"} <= differing


@pytest.mark.parametrize(("sizes", "named"), [
    ({"people": 3}, "people"), ({"people": 10**6}, "people"), ({"days": 20}, "days"), ({"days": 4000}, "days")])
def test_a_size_outside_the_bounds_says_what_would_do(tmp_path: Path, sizes: dict[str, int], named: str) -> None:
    with pytest.raises(UsageError, match=f"Wanted {named} from"):
        simulate(tmp_path / "none", **sizes)
    assert not (tmp_path / "none").exists()


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="data/sample is not there")
def test_the_committed_sample_is_what_seed_7_gives(tmp_path: Path) -> None:
    """Compared unpacked: another version of zlib may pack the same content into other bytes, and cut it elsewhere."""
    simulate(tmp_path / "sample")
    written, kept = digests(tmp_path / "sample", unpacked=True), digests(SAMPLE, unpacked=True)
    cut = next(name for name in kept if name.endswith("cut.json.gz"))
    shorter, longer = sorted((contents(tmp_path / "sample" / cut), contents(SAMPLE / cut)), key=len)
    assert longer.startswith(shorter)
    assert shorter
    assert written | {cut: ""} == kept | {cut: ""}
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) < 5_000_000


def test_the_word_synthetic_stands_in_every_file_family(made: Path) -> None:
    for folder in ("aws_cloudtrail", "aws_iam", "m365_audit", "entra_audit", "declared"):
        text = b"".join(contents(p) for p in sorted((made / folder).rglob("*")) if p.is_file())
        assert b"ynthetic" in text, folder
    assert "synthetic" in (made / "README.md").read_text()


def test_every_day_has_its_trail_file_and_the_last_record_is_the_last_second(made: Path) -> None:
    assert len(list((made / "aws_cloudtrail").glob("*.json.gz"))) == DAYS
    times = [r["eventTime"] for r in cloudtrail(made)]
    assert max(times) == "2026-06-30T23:59:59Z"
    assert max(r["activityDateTime"] for r in entra(made).values()) < "2026-07"
    assert max(r["CreationTime"] for r in m365(made).values()) < "2026-07"


def test_distinct_records_are_as_many_as_the_truth_says(made: Path) -> None:
    counts = truth(made, "records.json")
    trail = cloudtrail(made)
    assert len(trail) == len({r["eventID"] for r in trail}) == counts["aws_cloudtrail"]
    assert len(entra(made)) == counts["entra_audit"]
    assert len(m365(made)) == counts["m365_audit"]


def test_copies_and_the_cut_file_hold_nothing_new(made: Path) -> None:
    known = {r["eventID"]: r for r in cloudtrail(made)}
    again = made / "aws_cloudtrail" / "reexport"
    lines = [json.loads(line) for line in contents(again / "overlap.ndjson.gz").splitlines()]
    bus = [json.loads(line)["detail"] for line in contents(again / "eventbridge.ndjson.gz").splitlines()]
    looked = [json.loads(e["CloudTrailEvent"]) for e in json.loads(contents(again / "lookup-events.json.gz"))["Events"]]
    assert lines
    assert bus
    assert looked
    assert all(known[r["eventID"]] == r for r in (*lines, *bus, *looked))
    cut = next(again.glob("*cut.json.gz"))
    with pytest.raises(EOFError):
        gzip.decompress(cut.read_bytes())
    ids = re.findall(r'"eventID":"([^"]+)"', contents(cut).decode(errors="ignore"))
    assert ids
    assert set(ids) <= set(known)


def test_some_records_arrive_two_days_late(made: Path) -> None:
    late = [r for path in (made / "aws_cloudtrail").glob("*.json.gz") for r in json.loads(contents(path))["Records"]
            if r["eventTime"][:10].replace("-", "") != path.name.rsplit("_", 1)[1][:8]]
    assert late
    assert len(late) < 0.02 * len(cloudtrail(made))


def test_identifiers_have_the_providers_shapes(made: Path) -> None:
    for record in cloudtrail(made):
        who = record["userIdentity"]
        if "principalId" in who:
            assert re.match(r"^(AIDA|AROA)[A-Z2-7]{17}(:.+)?$", who["principalId"])
        if "accessKeyId" in who:
            assert re.match(r"^AKIA[A-Z2-7]{16}$", who["accessKeyId"])
        assert re.match(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", record["eventID"])


def test_the_microsoft_export_lacks_three_days_and_no_other_source_lacks_any(made: Path) -> None:
    end = datetime(2026, 6, 30).date()  # noqa: DTZ001  (a day)
    window = {(end - timedelta(days=back)).isoformat() for back in range(30)}
    assert len(window - {r["CreationTime"][:10] for r in m365(made).values()}) == 3
    assert not window - {r["activityDateTime"][:10] for r in entra(made).values()}
    assert not window - {r["eventTime"][:10] for r in cloudtrail(made)}


def test_every_link_joins_two_records_and_a_provable_one_shares_a_key(made: Path) -> None:
    directory, trail, office = entra(made), {r["eventID"]: r for r in cloudtrail(made)}, m365(made)
    seen = Counter(link["rel"] for link in links(made))
    assert {"about", "authorised_by", "requested_by", "rolls_back", "ends"} <= set(seen)
    everything = b"".join(contents(p) for p in sorted(made.rglob("*")) if p.is_file() and p.parent.name != "truth")
    for link in links(made):
        source, target = link["from_event_id"], link["to_event_id"]
        # Of other sources their own tests tell what the two share.
        if source not in {**directory, **trail} or target not in {**directory, **trail, **office}:
            # An id made of two fields, as a span's is of trace and span, stands in them.
            assert all(part.encode() in everything for part in f"{source}/{target}".split("/"))
        elif link["provable"] == "false":
            if source in directory and target in office:
                assert office[target]["CopilotEventData"]["ThreadId"] in detail(directory[source], "Justification")
        elif link["rel"] == "rolls_back":
            undone, undoing = trail[target], trail[source]
            assert undone["eventTime"] < undoing["eventTime"]
            assert undone["requestParameters"].items() & undoing["requestParameters"].items()
        else:
            assert detail(directory[source], "RequestId") == detail(directory[target], "RequestId")


def test_inventory_and_trail_agree_on_who_exists(made: Path) -> None:
    listed: set[str] = set()
    for path in sorted((made / "aws_iam").glob("account-*")):
        page = json.loads(contents(path))
        listed |= {u["UserId"] for u in page["UserDetailList"]} | {r["RoleId"] for r in page["RoleDetailList"]}
    acting = {r["userIdentity"]["principalId"].split(":")[0] for r in cloudtrail(made) if "principalId" in r["userIdentity"]}
    names = {r["native_id"]: r["person_or_workload"] for r in csv.DictReader((made / "truth" / "identities.csv").open())}
    assert {names[native] for native in acting - listed} == {"temp-migration", "partner-scanner"}
    assert listed <= set(names)


def test_nobody_acts_before_being_created(made: Path) -> None:
    created: dict[str, str] = {}
    for path in sorted((made / "aws_iam").glob("account-*")):
        page = json.loads(contents(path))
        created |= {r["UserId"]: r["CreateDate"] for r in page["UserDetailList"]}
        created |= {r["RoleId"]: r["CreateDate"] for r in page["RoleDetailList"]}
    for record in cloudtrail(made):
        native = record["userIdentity"].get("principalId", "").split(":")[0]
        assert created.get(native, "")[:19] <= record["eventTime"][:19]


def test_approvals_of_the_agent_fall_from_hours_to_seconds_while_requests_grow(tmp_path: Path) -> None:
    simulate(tmp_path, seed=7, people=40, days=120)
    records, waits = entra(tmp_path), defaultdict(list)
    for link in links(tmp_path):
        approval, asked = records.get(link["from_event_id"]), records.get(link["to_event_id"])
        if link["rel"] == "about" and approval and asked and asked["initiatedBy"]["app"]:
            at, since = (datetime.fromisoformat(r["activityDateTime"][:19]) for r in (approval, asked))
            waits[asked["activityDateTime"][:7]].append((at - since).total_seconds())
    assert median(waits["2026-03"]) > 3600
    assert median(waits["2026-06"]) < 120
    assert len(waits["2026-06"]) > 3 * len(waits["2026-03"])


def test_stories_point_at_what_stands_in_the_files(made: Path) -> None:
    text = "".join(contents(p).decode(errors="ignore").lower() for p in sorted(made.rglob("*"))
                   if p.is_file() and "truth" not in p.parts)
    stories = truth(made, "stories.json")["stories"]
    assert {s["name"] for s in stories} >= {
        "over_privileged_deploy_role", "service_account_nobody_owns", "copilot_reads_what_its_user_never_opened",
        "rubber_stamps", "change_rolled_back", "self_approval", "approval_after_the_fact", "amazon_q_changes_access"}
    for story in stories:
        assert story["where"], story["name"]
        # An id made of parts, such as computer and record number, stands in its parts.
        assert all(part in text for place in story["where"] for part in re.split(r"/|::", place.lower())), story["name"]


def test_the_copilot_story_reads_labelled_files_its_user_never_opened(made: Path) -> None:
    story = next(s for s in truth(made, "stories.json")["stories"] if s["name"].startswith("copilot_reads"))
    login, *ids = story["where"]
    records = m365(made)
    opened = {r["ListItemUniqueId"] for r in records.values() if r["Operation"].startswith("File")
              and r["UserId"].lower() == login}
    read = [a for i in ids for a in records[i]["CopilotEventData"]["AccessedResources"]]
    assert len(read) > 10
    assert all(a["SensitivityLabelId"] for a in read)
    assert not opened & {a["Id"] for a in read}


def test_a_short_time_leaves_out_what_needs_the_look_back(tmp_path: Path) -> None:
    simulate(tmp_path, seed=5, people=20, days=40)
    measured = {m["metric_id"] for m in truth(tmp_path, "measures.json")["measures"]}
    assert len(cloudtrail(tmp_path)) == truth(tmp_path, "records.json")["aws_cloudtrail"]
    assert not {"PRV-01", "PRV-02", "PRV-18"} & measured
    assert {"VIS-01", "LIN-05", "COP-09"} <= measured


def test_no_numerator_exceeds_its_denominator(made: Path) -> None:
    for row in truth(made, "measures.json")["measures"]:
        if row["metric_id"] != "ACC-01":
            assert 0 <= row["numerator"] <= row["denominator"], row
