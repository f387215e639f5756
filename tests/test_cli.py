"""The command line's contract: options, exit codes, what is said and where."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lineage_analytics.cli import main
from lineage_analytics.commands import COMMANDS

if TYPE_CHECKING:
    from pathlib import Path


def _event(number: int) -> dict[str, object]:
    return {
        "eventVersion": "1.08", "eventID": f"e-{number}", "eventTime": f"2026-06-{number % 28 + 1:02d}T10:00:00Z",
        "eventSource": "iam.amazonaws.com", "eventName": "AttachRolePolicy", "recipientAccountId": "111122223333",
        "userIdentity": {"type": "IAMUser", "principalId": "AIDAEXAMPLE000000001", "accountId": "111122223333",
                         "arn": "arn:aws:iam::111122223333:user/ana", "userName": "ana"},
        "requestParameters": {"roleName": "etl", "policyArn": f"arn:aws:iam::aws:policy/P{number}"},
    }


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "trail.json").write_text(json.dumps({"Records": [_event(n) for n in range(30)]}))
    return folder


def _said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err + captured.out
    return code, captured.out, captured.err


@pytest.mark.parametrize(("arguments", "said"), [
    (["run", "no/such/place"], "there is none"),
    (["runn", "x"], "Did you mean run"),
    (["run", "x", "--as-off", "2026-01-01"], "Did you mean --as-of"),
    (["run", ".", "--as-of", "yesterday"], "2026-06-30"),
    (["run", ".", "--window", "0"], "whole number"),
    (["measures", "--workspace", "no/such/workspace"], "lineage ingest"),
    (["run", ".", "--profile", "board"], "not built yet"),
    (["trace"], "METRIC"),
    (["verify", "no/such/run"], "there is none"),
])
def test_wrong_usage_is_exit_2_and_says_what_would_do(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = _said(capsys, *arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_an_empty_folder_is_exit_5(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    code, _, err = _said(capsys, "ingest", tmp_path / "empty", "--workspace", tmp_path / "w")
    assert code == 5
    assert "no files are there" in err


def test_an_unknown_key_in_lineage_toml_is_exit_6_with_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lineage.toml").write_text("windw = 30\n")
    code, _, err = _said(capsys, "measures")
    assert code == 6
    assert "window" in err


def test_ingest_json_is_one_document_with_the_counting_identity(
    logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = _said(capsys, "ingest", logs, "--workspace", tmp_path / "w", "--json")
    [source] = json.loads(out)["sources"]
    assert code == 0
    assert source == {
        "source": "aws_cloudtrail", "files": 1, "seen": 30, "accepted": 30, "duplicate": 0, "quarantined": 0,
        "rejected": 0, "first": "2026-06-01T10:00:00Z", "last": "2026-06-28T10:00:00Z"}


def test_loading_again_counts_duplicates_only(logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _said(capsys, "ingest", logs, "--workspace", tmp_path / "w")
    _, out, _ = _said(capsys, "ingest", logs, "--workspace", tmp_path / "w", "--json")
    [source] = json.loads(out)["sources"]
    assert (source["seen"], source["accepted"], source["duplicate"]) == (30, 0, 30)


def test_explain_of_a_native_event_id_tells_its_case(
    logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _said(capsys, "ingest", logs, "--workspace", tmp_path / "w")
    code, out, _ = _said(capsys, "explain", "e-3", "--workspace", tmp_path / "w")
    assert code == 0
    assert "AttachRolePolicy" in out
    assert "not_collected" in out
    assert "trail.json" in out
    assert out.isascii()


def test_an_unknown_decision_or_metric_is_exit_2(
    logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _said(capsys, "ingest", logs, "--workspace", tmp_path / "w")
    assert _said(capsys, "explain", "nothing-like-it", "--workspace", tmp_path / "w")[0] == 2
    code, _, err = _said(capsys, "trace", "VISS-01", "--workspace", tmp_path / "w")
    assert code == 2
    assert "VIS-01" in err
    assert _said(capsys, "measures", "--metric", "PRV-99", "--workspace", tmp_path / "w")[0] == 2


def test_measures_as_json_and_as_table(logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _said(capsys, "ingest", logs, "--workspace", tmp_path / "w")
    _, out, _ = _said(capsys, "measures", "--workspace", tmp_path / "w", "--json")
    rows = json.loads(out)["measures"]
    assert {row["metric_id"] for row in rows} >= {"VIS-01", "PRV-01", "LIN-05"}
    _, out, _ = _said(capsys, "measures", "--workspace", tmp_path / "w")
    assert "not scored" in out


def test_trace_leads_from_a_number_to_a_file_and_offset(
    logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _said(capsys, "ingest", logs, "--workspace", tmp_path / "w")
    code, out, _ = _said(capsys, "trace", "VIS-01", "--workspace", tmp_path / "w")
    assert code == 0
    assert "trail.json" in out


def test_help_starts_without_heavy_imports() -> None:
    code = ("import sys; from lineage_analytics.cli import parser; parser(); "
            "print(sorted({'polars', 'altair', 'papermill', 'networkx', 'deltalake', 'numpy'} & set(sys.modules)))")
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_ingest_imports_neither_charts_nor_notebooks(logs: Path, tmp_path: Path) -> None:
    code = ("import sys; from lineage_analytics.cli import main; "
            f"main(['ingest', {str(logs)!r}, '--workspace', {str(tmp_path / 'w')!r}]); "
            "sys.stderr.write(repr(sorted({'altair', 'papermill', 'networkx', 'nbconvert'} & set(sys.modules))))")
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stderr.endswith("[]"), found.stderr


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for name in COMMANDS:
        with pytest.raises(SystemExit) as stop:
            main([name, "--help"])
        assert stop.value.code == 0
        assert f"lineage {name}" in capsys.readouterr().out


def test_loaders_are_listed_with_what_they_read(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = _said(capsys, "loaders", "--json")
    assert {row["source"] for row in json.loads(out)["loaders"]} >= {
        "aws_cloudtrail", "aws_iam", "entra_audit", "m365_audit", "declared"}


def test_sources_tells_periods_gaps_and_new_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = [_event(1), _event(5) | {"neverSeen": "x"}]
    (tmp_path / "trail.json").write_text(json.dumps({"Records": events}))
    _said(capsys, "ingest", tmp_path / "trail.json", "--workspace", tmp_path / "w")
    code, out, _ = _said(capsys, "sources", "--workspace", tmp_path / "w")
    assert code == 0
    assert "2026-06-02 to 2026-06-06  2     3: 06-03 to 06-05, all maybe quiet  2 " in out
    assert "new key neverseen (string) in 1 records, first in trail.json record 1" in out.lower()
    _, out, _ = _said(capsys, "sources", "--workspace", tmp_path / "w", "--json")
    [source] = json.loads(out)["sources"]
    assert (source["first"], source["days"], source["log_files"]) == ("2026-06-02T10:00:00Z", 2, None)


def test_who_gives_the_accounts_of_a_name_and_offers_names_for_another(
    logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _said(capsys, "ingest", logs, "--workspace", tmp_path / "w")
    code, out, _ = _said(capsys, "who", "ana", "--workspace", tmp_path / "w")
    assert code == 0
    assert "aws:111122223333:AIDAEXAMPLE000000001" in out
    _, out, _ = _said(capsys, "who", "ana", "--workspace", tmp_path / "w", "--json")
    assert [row["account"] for row in json.loads(out)["accounts"]] == ["aws:111122223333:AIDAEXAMPLE000000001"]
    code, out, err = _said(capsys, "who", "anna", "--workspace", tmp_path / "w")
    assert (code, out) == (2, "")
    assert "ana" in err


def test_doctor_writes_templates_that_load_and_leaves_files_that_are_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "owners.csv").write_text("mine")
    code, out, err = _said(capsys, "doctor", "--templates", tmp_path)
    assert code == 0
    assert (tmp_path / "owners.csv").read_text() == "mine"
    assert "stays as it is" in err
    assert len(out.splitlines()) == len(list(tmp_path.glob("*.csv"))) - 1 > 3


@pytest.mark.parametrize(("size", "bounds"), [(("--days", 34), "35 to 400"), (("--days", 401), "35 to 400"),
                                              (("--people", 19), "20 to 5000"), (("--people", 5001), "20 to 5000")])
def test_a_size_no_story_has_room_in_is_refused_with_the_sizes_that_have(
    size: tuple[str, int], bounds: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = _said(capsys, "simulate", tmp_path / "made", *size)
    assert (code, bounds in err, (tmp_path / "made").exists()) == (2, True, False)


def test_simulate_writes_the_asked_size_and_never_over_other_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ("--people", 20, "--days", 35, "--seed", 3)
    assert _said(capsys, "simulate", tmp_path / "plain", *small)[0] == 0
    assert _said(capsys, "simulate", tmp_path / "scaled", *small, "--scale", 500)[0] == 0
    plain, scaled = (json.loads((tmp_path / name / "truth" / "records.json").read_text()) for name in ("plain", "scaled"))
    numbers = [name for name, found in plain.items() if isinstance(found, int)]
    assert sum(scaled[name] - plain[name] for name in numbers) == 500
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    code, _, err = _said(capsys, "simulate", tmp_path / "mine", *small)
    assert code == 2
    assert "holds other files" in err


def _account(folder: Path) -> Path:
    """An account in which ann may read one bucket and change whom the administrators' role trusts."""
    number, where = "111122223333", folder / "account.json"
    policy = {"PolicyName": "own", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::ledger/*"},
        {"Effect": "Allow", "Action": "iam:UpdateAssumeRolePolicy", "Resource": f"arn:aws:iam::{number}:role/boss"}]}}
    every = {"PolicyName": "every", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"}]}}
    shared = {"Path": "/", "CreateDate": "2025-01-01T00:00:00+00:00", "AttachedManagedPolicies": []}
    users = [{**shared, "UserName": name, "UserId": f"AIDAEXAMPLE00000{name.upper():X>5}", "GroupList": [],
              "Arn": f"arn:aws:iam::{number}:user/{name}", "UserPolicyList": held}
             for name, held in (("ann", [policy]), ("ben", []))]
    role = {**shared, "RoleName": "boss", "RoleId": "AROAEXAMPLE000000001", "Arn": f"arn:aws:iam::{number}:role/boss",
            "RolePolicyList": [every], "InstanceProfileList": [],
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}]}}
    where.write_text(json.dumps({"UserDetailList": users, "GroupDetailList": [], "RoleDetailList": [role],
                                 "Policies": []}))
    return where


@pytest.fixture
def account(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    workspace = tmp_path / "workspace"
    assert main(["ingest", str(_account(tmp_path)), "--workspace", str(workspace)]) == 0
    capsys.readouterr()
    return workspace


@pytest.mark.parametrize(("who", "resource", "verdict", "said"), [
    ("ann", "arn:aws:s3:::ledger/june.csv", "allowed", "policy own allows s3:GetObject"),
    ("ann", "arn:aws:s3:::other/june.csv", "denied", "none of its policies allows it"),
    ("ben", "arn:aws:s3:::ledger/june.csv", "denied", "none of its policies allows it"),
    ("annn", "arn:aws:s3:::ledger/june.csv", "unknown", "no inventory and no log of this estate names this principal"),
])
def test_allowed_says_the_verdict_and_what_decided(
    who: str, resource: str, verdict: str, said: str, account: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("allowed", who, "s3:GetObject", resource, "--workspace", account, "--as-of", "2026-06-30")
    code, out, err = _said(capsys, *asked)
    assert code == 0
    assert out.splitlines()[0].endswith(f"on {resource}: {verdict}")
    assert said in out
    assert ("near it: ann" in err) == (who == "annn")
    code, out, _ = _said(capsys, *asked, "--json")
    document = json.loads(out)
    assert (code, document["verdict"], document["action"], document["resource"]) == (0, verdict, "s3:GetObject", resource)
    assert said in document["because"][0]["says"]
    assert bool(document["because"][0]["record_ids"]) == (verdict == "allowed")


def test_paths_shows_each_hop_with_what_it_takes_and_why(account: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _said(capsys, "paths", "ann", "--workspace", account, "--as-of", "2026-06-30")
    assert code == 0
    assert "ann (aws:111122223333:AIDAEXAMPLE00000XXANN): 1 hop" in out
    assert "-> boss" in out
    assert "because " in out
    assert "iam:UpdateAssumeRolePolicy" in out
    code, out, _ = _said(capsys, "paths", "ben", "--workspace", account, "--as-of", "2026-06-30")
    assert (code, out) == (0, "ben has no known way to tier0\n")


def test_paths_as_one_document_counts_what_it_does_not_show(account: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("paths", "--to", "boss", "--workspace", account, "--as-of", "2026-06-30", "--json")
    code, out, _ = _said(capsys, *asked)
    every = json.loads(out)
    assert code == 0
    assert every["count"] == len(every["paths"]) >= 2
    ann = next(path for path in every["paths"] if path["principal_id"].endswith("ANN"))
    assert (ann["hops"], ann["state"], len(ann["path"]), len(ann["techniques"])) == (1, "proved", 2, 1)
    assert ann["record_ids"]
    _, out, _ = _said(capsys, *asked, "--limit", "1")
    assert (json.loads(out)["count"], json.loads(out)["paths"]) == (every["count"], every["paths"][:1])


@pytest.mark.parametrize(("arguments", "said"), [
    (["paths", "annn"], "Did you mean ann"),
    (["paths", "--to", "bos"], "Did you mean boss"),
    (["paths", "--limit", "0"], "whole number"),
    (["allowed", "ann"], "ACTION"),
    (["allowed", "", "s3:GetObject"], "found an empty one"),
])
def test_a_question_of_access_put_wrongly_is_exit_2(
    arguments: list[str], said: str, account: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = _said(capsys, *arguments, "--workspace", account, "--as-of", "2026-06-30")
    assert (code, out) == (2, "")
    assert said in err
