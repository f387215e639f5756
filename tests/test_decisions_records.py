"""Records that would mislead the linking of decisions: wrong times, wrong tenants, times without a zone, other commits.

Named by their numbers in the list of adversarial cases. What of these a link or verdict must then do is tested where
links and verdicts are; here, what reaches them.
"""

from __future__ import annotations

import importlib
import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from lineage_analytics.loaders import loaders, recognise
from lineage_analytics.loaders.common.times import EARLIEST, LATEST, implausible, parse_time, zone_of
from tests import test_loader_github_audit as audit
from tests import test_loader_github_reviews as reviews
from tests import test_loader_jira as jira
from tests import test_loader_m365_audit as m365
from tests import test_loader_servicenow as snow
from tests._documents import Loaded, member
from tests._trail import ACCOUNT, event

if TYPE_CHECKING:
    from lineage_analytics.loaders.common.contract import Batch, Fault

DATED = ("activity", "decision_steps", "assistant_access")
SOURCES = sorted(name for name, loader in loaders().items() if loader.FEEDS & {*DATED} and name != "declared")
FIXTURES = {source: importlib.import_module(f"tests.test_loader_{source}").CONTRACT_FILES for source in SOURCES}
CASES = [(source, name) for source in SOURCES for name in FIXTURES[source]]
OTHER = "999988887777"


def placed(data: Any, file: str) -> tuple[Batch, list[Fault]]:
    """What the recognised loader makes of a document that lies at a path."""
    document = member(data, file)
    found = recognise(document.sample)
    assert found is not None
    document.shape = found[1].shape
    loader = loaders()[found[0]]
    [batch] = [loader.transform(chunk, document) for chunk in loader.extract(document)]
    return batch, batch.faults


# --- A15: what was reviewed, and what was merged ---------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["deliveries", "listing", "audit"])
def test_A15_a_review_carries_the_commit_it_saw_and_a_merge_the_head_it_took(shape: str) -> None:  # noqa: N802
    old, new = "d" * 40, reviews.HEAD
    records: dict[str, list[Any]] = {
        "deliveries": [reviews.reviewed("approved", commit_id=old), reviews.RECORDS[3]],
        "listing": [{**reviews.LISTED, "reviews": [
            {**reviews.LISTED["reviews"][0], "commit": {"oid": old}}]}],
        "audit": [audit.row(1, "pull_request_review.submit", pull_request_url=audit.PULL, state="approved", commit_id=old),
                  audit.row(2, "pull_request.merge", pull_request_url=audit.PULL, head_sha=new)]}
    steps = Loaded(records[shape])["decision_steps"]
    [seen] = steps.filter(pl.col("verdict") == "approve")["decided_value"]
    [taken] = steps.filter(pl.col("kind") == "action")["applied_value"]
    assert (seen, taken) == (old, new)


# --- A23: times without a zone ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("written", "zone"), [
    ("2026-03-29T02:30:00Z", None), ("2026-03-29T02:30:00+02:00", None), ("2026-03-29 02:30:00 +0100", None),
    ("1774749000000", None), (1774749000, None), (None, None), ("soon", None),
    ("2026-03-29 02:30:00", "assumed"), ("29/Mar/26 2:30 AM", "assumed"), ("2026-10-25T02:30:00", "assumed"),
])
def test_A23_a_time_without_a_zone_is_told_from_one_with_a_zone(written: object, zone: str | None) -> None:  # noqa: N802
    assert zone_of(written) == zone


def zones(data: Any) -> set[str | None]:
    steps = Loaded(data)["decision_steps"]
    assert steps.height
    return set(steps["time_zone"])


def test_A23_steps_of_an_export_in_local_time_say_that_their_zone_is_assumed() -> None:  # noqa: N802
    """The hour that is there twice when clocks go back: two such times do not tell which came first."""
    twice = {**snow.CHANGE, "opened_at": "2026-10-25 02:30:00", "work_start": "2026-10-25 02:31:00"}
    assert zones(snow.as_csv(twice)) == {"assumed"}
    assert zones(snow.api(twice)) == {None}, "the API promises UTC"
    assert zones(snow.as_xml("change_request", twice)) == {None}
    displayed = {key: {"display_value": held} if key.endswith(("_at", "_on", "_start", "_end")) else held
                 for key, held in snow.linked(twice).items()}
    assert zones({"result": [displayed]}) == {"assumed"}


def test_A23_an_issue_list_in_local_time_says_so_and_the_interface_with_its_offsets_does_not() -> None:  # noqa: N802
    rows = ("Issue key,Issue id,Issue Type,Status,Created,Summary\n"
            "OPS-7,10007,[System] Change,Done,29/Mar/26 2:30 AM,x\n")
    assert zones(rows) == {"assumed"}
    assert zones(jira.ISSUE) == {None}


# --- A45: times at which no event can have been ----------------------------------------------------------------------


WRONG = [(b"2099-06-01T", b"4083955200000"), (b"1970-01-01T", b"86400000")]
_DAY, _EPOCH = re.compile(rb"20[0-2]\d-\d\d-\d\d[T ]"), re.compile(rb"\b17[67]\d{10}\b")


def batches(source: str, name: str, day: bytes, epoch: bytes) -> list[tuple[int, Batch, bool]]:
    """Per chunk: records in it, what became of them with every time replaced, and whether any row was dated before."""
    document, loader = member(FIXTURES[source][name]), loaders()[source]
    match = loader.detect(document.sample)
    assert match is not None
    document.shape = match.shape
    found = []
    for chunk in loader.extract(document):
        before = loader.transform(chunk, document)
        dated = any(before.frames[table]["time"].drop_nulls().len() for table in DATED if table in before.frames)
        raws = [bytes(memoryview(raw)) for raw in chunk.raws]
        changed = [_EPOCH.sub(epoch, _DAY.sub(day, raw)) for raw in raws]
        chunk.raws = changed
        found.append((len(raws) + len(chunk.faults), loader.transform(chunk, document), dated and changed != raws))
    return found


@pytest.mark.parametrize(("day", "epoch"), WRONG)
@pytest.mark.parametrize(("source", "name"), CASES)
def test_A45_a_record_of_a_day_that_cannot_be_is_quarantined_by_every_loader(  # noqa: N802
    source: str, name: str, day: bytes, epoch: bytes,
) -> None:
    for records, batch, dated in batches(source, name, day, epoch):
        assert len(batch.record_ids) + len(batch.faults) == records, "kept: every record is a row or a fault"
        refused = [fault for fault in batch.faults if fault.reason == "implausible_time"]
        assert {fault.disposition for fault in refused} <= {"quarantined"}
        assert refused or not dated
        for table in DATED:
            if table in batch.frames:
                times = batch.frames[table]["time"].drop_nulls()
                assert times.is_between(EARLIEST, LATEST, closed="left").all(), table


@pytest.mark.parametrize("stamp", [
    0, 1_764_000, 1_764_000_000_000_000_000_0, 17_640_000_000, 4_102_444_800_000, 32_503_680_000_000_000])
def test_A45_an_epoch_of_a_mistaken_unit_or_of_zero_is_no_time_of_an_event(stamp: int) -> None:  # noqa: N802
    row = {**audit.row(1, "org.add_member", user="bo", user_id=12), "@timestamp": stamp, "created_at": stamp}
    found = Loaded([row])
    assert [fault.reason for fault in found.faults] in (["implausible_time"], ["no_time"])
    assert found["decision_steps"].is_empty()


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000, 1_000_000_000])
def test_A45_an_epoch_in_any_unit_is_told_by_its_magnitude(unit: int) -> None:  # noqa: N802
    assert parse_time(1_772_359_200 * unit) == datetime(2026, 3, 1, 10, tzinfo=UTC)


def test_A45_a_step_whose_time_is_impossible_takes_its_record_along_and_is_not_given_another_time() -> None:  # noqa: N802
    pim = importlib.import_module("tests.test_loader_entra_pim")
    found = Loaded([pim.request(completedDateTime="2099-01-01T00:00:00Z")])
    assert ([fault.reason for fault in found.faults], found.ids) == (["implausible_time"], [])
    assert found["decision_steps"].is_empty()
    never = Loaded([pim.request(completedDateTime="9999-12-31T00:00:00Z")])
    assert never.faults == [], "how a provider writes never is no date"


def test_A45_nothing_happens_days_after_its_provider_received_it() -> None:  # noqa: N802
    received = datetime(2026, 3, 1, tzinfo=UTC)
    assert implausible(received + timedelta(days=3), received) is not None
    assert implausible(received + timedelta(hours=5), received) is None, "clocks differ"
    assert implausible(received - timedelta(days=300), received) is None, "late delivery"
    assert implausible(received, None) is None


# --- A46: records of another tenant inside an export -----------------------------------------------------------------


TRAILS = [f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/2026/06/01/x.json.gz",
          f"logs/AWSLogs/o-abc123def4/{ACCOUNT}/CloudTrail/us-east-1/2026/06/01/x.json.gz",
          f"aws/CLOUD_TRAIL_MGMT/2.0/region=us-east-1/accountId={ACCOUNT}/eventDay=20260601/x.json"]


@pytest.mark.parametrize("path", TRAILS)
def test_A46_a_call_of_another_account_in_an_account_s_folder_is_quarantined(path: str) -> None:  # noqa: N802
    records = {"Records": [event(1), event(2, recipientAccountId=OTHER), event(3, recipientAccountId=None)]}
    batch, faults = placed(records, path)
    assert [(fault.position, fault.reason, fault.disposition) for fault in faults] == [
        (1, "tenant_mismatch", "quarantined")]
    assert sorted(batch.frames["decision_steps"]["event_id"]) == ["e-1", "e-3"]
    assert sorted(batch.frames["activity"]["event_id"]) == ["e-1", "e-3"]


@pytest.mark.parametrize("path", ["x.json", "AWSLogs/x.json", f"{ACCOUNT}/x.json", f"AWSLogs/{OTHER[:11]}/x.json"])
def test_A46_where_no_folder_names_an_account_nothing_is_held_against_a_record(path: str) -> None:  # noqa: N802
    batch, faults = placed({"Records": [event(1), event(2, recipientAccountId=OTHER)]}, path)
    assert (faults, batch.frames["activity"].height) == ([], 2)


def test_A46_the_directory_a_diagnostic_setting_writes_for_is_that_of_its_records() -> None:  # noqa: N802
    entra = importlib.import_module("tests.test_loader_entra_audit")
    folder = "insights-logs-auditlogs/tenantId=0a0a0a0a-0000-4000-8000-00000000000a/y=2026/m=03/d=01/h=10/PT1H.json"
    envelopes = [{"time": "2026-03-01T10:00:00Z", "category": "AuditLogs", "operationName": "x",
                  "resourceId": f"/tenants/{tenant}/providers/Microsoft.aadiam", "tenantId": tenant,
                  "properties": entra.audit(number, "Disable account", targetResources=[])}
                 for number, tenant in enumerate(("0A0A0A0A-0000-4000-8000-00000000000A",
                                                  "0b0b0b0b-0000-4000-8000-00000000000b"))]
    batch, faults = placed("\n".join(map(json.dumps, envelopes)), folder)
    assert [(fault.position, fault.reason) for fault in faults] == [(1, "tenant_mismatch")]
    assert batch.frames["activity"]["tenant"].to_list() == ["0a0a0a0a-0000-4000-8000-00000000000a"]


def test_A46_a_record_of_another_organisation_in_a_query_s_answer_is_quarantined() -> None:  # noqa: N802
    own, other = m365.graph_rows([m365.record(2, "FileAccessed"), m365.record(3, "FileAccessed")])
    other["auditData"] = {**other["auditData"], "OrganizationId": "0b0b0b0b-0000-4000-8000-00000000000b"}
    found = Loaded([own, other])
    assert [(fault.position, fault.reason) for fault in found.faults] == [(1, "tenant_mismatch")]
    assert set(found["activity"]["tenant"]) == {m365.ORG}


def test_A46_a_delivery_for_one_organisation_about_anothers_repository_is_quarantined() -> None:  # noqa: N802
    own = reviews.reviewed("approved")
    other = {**own, "organization": {**own["organization"], "id": 78}}
    found = Loaded([own, other])
    assert [(fault.position, fault.reason) for fault in found.faults] == [(1, "tenant_mismatch")]
