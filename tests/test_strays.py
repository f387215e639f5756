"""Files that hold records of several sources: each record goes to the loader that knows it. All values are made up."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from lineage_analytics.workspace import Store, load, open_estate
from lineage_analytics.workspace import strays as sorting
from tests._trail import event

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.workspace import Result

Json = dict[str, Any]
CLUSTER = "/SUBSCRIPTIONS/S1/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/OVEN"


def activity(number: int) -> Json:
    return {"time": f"2026-06-01T10:00:{number:02d}Z", "category": "Administrative", "resultType": "Success",
            "operationName": "MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/WRITE", "correlationId": f"c{number}",
            "resourceId": "/SUBSCRIPTIONS/S1/PROVIDERS/MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/R1", "level": "Information",
            "eventDataId": f"e{number}", "identity": {"claims": {"appid": "a"}}, "properties": {"statusCode": "Created"}}


def audit(number: int) -> Json:
    said = {"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": f"a{number}",
            "stage": "ResponseComplete", "verb": "get", "user": {"username": "ann"}, "requestURI": "/api/v1/pods",
            "objectRef": {"resource": "pods", "apiVersion": "v1"}, "responseStatus": {"code": 200},
            "requestReceivedTimestamp": f"2026-06-01T11:00:{number:02d}.000000Z"}
    return {"time": f"2026-06-01T11:00:{number:02d}Z", "category": "kube-audit", "resourceId": CLUSTER,
            "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read",
            "properties": {"log": json.dumps(said), "stream": "stderr", "pod": "p"}}


def _load(folder: Path, records: list[Json]) -> Result:
    (folder / "in").mkdir(parents=True)
    (folder / "in" / "hub.json").write_text("\n".join(map(json.dumps, records)))
    return load([folder / "in"], Store.create(folder / "w"))


def _rows(folder: Path) -> list[tuple[object, ...]]:
    return sorted(open_estate(folder / "w").frame("activity").select("source", "record_id", "action", "time").rows())


@pytest.mark.parametrize("seed", range(4))
def test_every_record_is_taken_by_its_own_loader_whichever_stands_first(seed: int, tmp_path: Path) -> None:
    records = [*map(activity, range(12)), *map(audit, range(9))]
    _load(tmp_path / "sorted", records)
    random.seed(seed)
    random.shuffle(records)
    result = _load(tmp_path / "shuffled", records)
    counted = {source: (one.accepted, one.rejected, one.quarantined) for source, one in result.counts.items()}
    assert counted == {"azure_activity": (12, 0, 0), "k8s_audit": (9, 0, 0)}
    assert _rows(tmp_path / "shuffled") == _rows(tmp_path / "sorted")


def test_a_stray_keeps_the_place_it_has_in_its_file(tmp_path: Path) -> None:
    _load(tmp_path, [activity(0), audit(1), activity(2), audit(3)])
    frame = open_estate(tmp_path / "w").frame("activity").sort("time")
    places = frame["raw_ref"].struct.field("offset").to_list()
    assert list(zip(frame["source"], places, strict=True)) == [
        ("azure_activity", 0), ("azure_activity", 2), ("k8s_audit", 1), ("k8s_audit", 3)]


def test_a_stray_that_its_loader_does_not_use_is_a_fault_of_that_loader_at_its_place(tmp_path: Path) -> None:
    begun = audit(1)
    begun["properties"]["log"] = begun["properties"]["log"].replace("ResponseComplete", "RequestReceived")
    [fault] = _load(tmp_path, [activity(0), begun]).faults
    assert (fault["source"], fault["position"], fault["reason"]) == ("k8s_audit", 1, "out_of_scope")


def test_many_strays_are_handed_over_in_parts_and_none_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "TOGETHER", 3)
    result = _load(tmp_path, [activity(0), *map(audit, range(20))])
    assert (result.counts["azure_activity"].accepted, result.counts["k8s_audit"].accepted) == (1, 20)


def test_after_so_many_kinds_of_records_no_other_loader_is_asked_about_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sorting, "KINDS", 2)
    odd = [{f"key{number}": 1} for number in range(2)]
    result = _load(tmp_path, [activity(0), *odd, audit(1)])
    assert "k8s_audit" not in result.counts
    assert [fault["position"] for fault in result.faults] == [1, 2, 3]


def test_what_nobody_knows_stays_a_fault_of_the_loader_of_the_file(tmp_path: Path) -> None:
    result = _load(tmp_path, [event(1), {"hello": "world"}, event(2)])
    [fault] = result.faults
    assert (fault["source"], fault["position"], result.counts["aws_cloudtrail"].accepted) == ("aws_cloudtrail", 1, 2)
