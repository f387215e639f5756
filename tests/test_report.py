"""What a run leaves: complete, self-contained, equal for equal inputs, and safe to hand on."""

from __future__ import annotations

import getpass
import hashlib
import json
import re
import shutil
import socket
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lineage_analytics.cli import main
from lineage_analytics.simulation import simulate
from lineage_analytics.tables import EVIDENCE, MEASURES

NOTEBOOKS = ("01_coverage", "02_privilege", "03_decisions", "04_copilot", "05_maturity", "06_acceleration")
CHARTS = ("maturity_profile", "coverage_calendar", "source_counts", "excess_sweep", "use_states", "facet_waterfall",
          "decision_elements", "copilot_reach", "workflow_map")


@pytest.fixture(scope="module")
def estate_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("organisation") / "logs"
    simulate(folder, seed=3, people=30, days=100)
    return folder


def _run(files: Path, place: Path, *more: str) -> int:
    return main(["run", str(files), "--workspace", str(place / "w"), "--out", str(place / "out"), *more])


@pytest.fixture(scope="module")
def place(estate_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    assert _run(estate_files, folder) in (0, 3)
    return folder


@pytest.fixture(scope="module")
def run_folder(place: Path) -> Path:
    return place / "out" / "current"


def _digests(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(folder.rglob("*")) if p.is_file() and p.name != "run.log.json"}


def test_a_run_leaves_what_the_contract_names(run_folder: Path) -> None:
    wanted = {"index.html", "measures.json", "measures.parquet", "levels.json", "manifest.json", "run.log.json",
              "workflow_register.csv", "workflow_register.json"}
    wanted |= {f"notebooks/{name}.{ending}" for name in NOTEBOOKS for ending in ("ipynb", "html")}
    wanted |= {f"charts/{name}.{ending}" for name in CHARTS for ending in ("svg", "png", "vl.json")}
    present = {p.relative_to(run_folder.resolve()).as_posix() for p in run_folder.resolve().rglob("*") if p.is_file()}
    assert wanted <= present
    assert (run_folder.parent / "history.parquet").is_file()


def test_measures_evidence_and_levels_have_the_contract_columns(run_folder: Path) -> None:
    frame = pl.read_parquet(run_folder / "measures.parquet")
    assert frame.schema == MEASURES.schema
    rows = json.loads((run_folder / "measures.json").read_bytes())["measures"]
    assert len(rows) == frame.height
    assert set(rows[0]) == set(MEASURES.schema)
    for metric_id in {row["metric_id"] for row in rows}:
        assert pl.read_parquet(run_folder / "evidence" / f"{metric_id}.parquet").schema == EVIDENCE.schema
    levels = json.loads((run_folder / "levels.json").read_bytes())
    assert [domain["domain"] for domain in levels["domains"]] == [f"D{n}" for n in range(1, 8)]


def test_the_manifest_counts_every_record(run_folder: Path) -> None:
    manifest = json.loads((run_folder / "manifest.json").read_bytes())
    for source in manifest["sources"]:
        parts = (source[name] for name in ("accepted", "duplicate", "quarantined", "rejected"))
        assert source["seen"] == sum(parts)
    assert all(check["ok"] for check in manifest["checks"]), manifest["checks"]


def test_equal_inputs_give_equal_bytes(estate_files: Path, place: Path, tmp_path: Path) -> None:
    assert _run(estate_files, tmp_path) in (0, 3)
    first, second = _digests(place / "out" / "current"), _digests(tmp_path / "out" / "current")
    assert first == second


def test_the_same_run_again_is_a_no_op(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (place / "out" / "current" / "run.log.json").read_bytes()
    main(["report", "--workspace", str(place / "w"), "--out", str(place / "out")])
    assert "nothing new" in capsys.readouterr().out
    assert (place / "out" / "current" / "run.log.json").read_bytes() == before


def test_a_fresh_run_verifies_and_one_flipped_byte_does_not(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run_folder, copy)
    assert main(["verify", str(copy)]) == 0
    page = copy / "index.html"
    page.write_bytes(page.read_bytes().replace(b"Identity", b"identity", 1))
    assert main(["verify", str(copy)]) == 4
    assert "index.html" in capsys.readouterr().out


def test_html_loads_nothing_runs_nothing_and_describes_its_pictures(run_folder: Path) -> None:
    for path in [run_folder / "index.html", *sorted((run_folder / "notebooks").glob("*.html"))]:
        text = path.read_text(encoding="utf-8")
        assert "Content-Security-Policy" in text, path.name
        assert "default-src 'none'" in text, path.name
        assert "<script" not in text.lower(), path.name
        for source in re.findall(r'\ssrc="([^"]*)"', text):
            assert source.startswith("data:"), (path.name, source[:60])
        for link in re.findall(r'\shref="([^"]*)"', text):
            assert not link.startswith(("http:", "https:", "//", "javascript:")), (path.name, link)
        for image in re.findall(r"<img[^>]*>", text):
            assert re.search(r'alt="[^"]{10,}"', image), (path.name, image[:80])
        assert "@import" not in text


def test_every_link_of_the_page_leads_somewhere(run_folder: Path) -> None:
    text = (run_folder / "index.html").read_text(encoding="utf-8")
    ids = set(re.findall(r'\sid="([^"]*)"', text))
    for link in re.findall(r'\shref="([^"]*)"', text):
        assert link[1:] in ids if link.startswith("#") else (run_folder / link).is_file(), link


def test_synthetic_data_is_called_synthetic_on_the_page(run_folder: Path) -> None:
    assert "synthetic data" in (run_folder / "index.html").read_text(encoding="utf-8")


def test_no_output_names_this_machine(run_folder: Path, place: Path) -> None:
    hidden = [str(place).encode(), str(Path.home()).encode() + b"/", socket.gethostname().encode()]
    if len(getpass.getuser()) > 4:
        hidden.append(getpass.getuser().encode())
    for path in sorted(run_folder.resolve().rglob("*")):
        if path.is_file() and path.suffix in (".json", ".html", ".ipynb", ".svg"):
            data = path.read_bytes()
            assert not [h for h in hidden if len(h) > 5 and h in data], path.name


def test_a_failed_run_keeps_the_report_before(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _digests(place / "out" / "current")

    def broken(*_: Any, **__: Any) -> str:
        raise RuntimeError("a defect")

    monkeypatch.setattr("lineage_analytics.reporting.page.render", broken)
    code = main(["report", "--workspace", str(place / "w"), "--out", str(place / "out"), "--window", "20"])
    assert code == 1
    assert "Traceback" not in capsys.readouterr().err
    assert _digests(place / "out" / "current") == before
    assert not list((place / "out" / "runs").glob(".draft*"))


def test_a_summary_file_is_one_line_and_then_json(place: Path, tmp_path: Path) -> None:
    file = tmp_path / "summary.txt"
    main(["report", "--workspace", str(place / "w"), "--out", str(place / "out"), "--summary-file", str(file)])
    first, second = file.read_text().splitlines()
    assert json.loads(second)["headline"] in first


def test_the_answer_says_how_many_it_could_not_tell(run_folder: Path) -> None:
    page = (run_folder / "index.html").read_text(encoding="utf-8")
    rows = {(row["metric_id"], row["scope"]): row
            for row in json.loads((run_folder / "measures.json").read_bytes())["measures"]}
    admin, owned = rows["PRV-01", "c"], rows["VIS-04", "all"]
    assert min(admin["n_unknown"], owned["n_unknown"]) > 0
    assert f"administrator control ({admin['n_unknown']} more cannot be told)." in page
    assert f"no valid owner ({owned['n_unknown']} more cannot be told)." in page
    assert re.search(r"\d+ AI-assisted changes in identity operations in 30 days can be defended \(\d+ more cannot be judged\)",
                     page)
