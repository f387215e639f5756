"""Where input is: paths, globs, web servers and object stores, named the same and read the same."""

from __future__ import annotations

import functools
import gzip
import http.server
import json
import threading
from typing import TYPE_CHECKING

import pytest

from lineage_analytics.errors import UsageError
from lineage_analytics.loaders.common import remote
from lineage_analytics.loaders.common.inputs import Skipped
from lineage_analytics.loaders.common.places import existing, input_files
from lineage_analytics.workspace import Store, load
from tests._trail import event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A web server on loopback over ``tmp_path/site``."""
    (tmp_path / "site").mkdir()
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(_Quiet, directory=str(tmp_path / "site"))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


RECORDS = gzip.compress(json.dumps({"Records": [event(n) for n in range(40)]}).encode())


@pytest.mark.parametrize("held", [remote.HELD_BYTES, 0])
def test_a_log_on_a_web_server_loads_like_the_same_file(
    site: str, tmp_path: Path, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "HELD_BYTES", held)
    (tmp_path / "site" / "a b.json.gz").write_bytes(RECORDS)
    there = load([f"{site}/a%20b.json.gz"], Store.create(tmp_path / "there"))
    here = load([tmp_path / "site" / "a b.json.gz"], Store.create(tmp_path / "here"))
    assert there.sources == here.sources
    ledgers = [Store.open(tmp_path / name).scan("ledger").collect() for name in ("there", "here")]
    assert ledgers[0].equals(ledgers[1])
    again = load([f"{site}/a%20b.json.gz"], Store.open(tmp_path / "there"))
    assert again.counts["aws_cloudtrail"].duplicate == 40


def test_what_a_server_does_not_have_is_said_with_the_address_and_no_traceback(site: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Wanted a file at http://127.0.0.1:\d+/none.json.* there is none"):
        load([f"{site}/none.json"], Store.create(tmp_path / "w"))


@pytest.mark.parametrize("address", ["https://host.example/a?sig=SECRETVALUE", "https://user:SECRETVALUE@host.example/a"])
def test_an_address_with_a_secret_in_it_is_refused_without_repeating_it(address: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        load([address], Store.create(tmp_path / "w"))
    assert "SECRETVALUE" not in str(refused.value)


def test_a_glob_names_the_files_that_match_in_name_order(tmp_path: Path) -> None:
    for name in ("b.json", "a.json", "c.txt"):
        (tmp_path / name).write_text("{}")
    found = list(input_files(existing(str(tmp_path / "*.json"))))
    assert [file.name for file in found] == ["a.json", "b.json"]
    assert not any(isinstance(file, Skipped) for file in found)


def test_a_glob_or_path_that_names_nothing_says_so(tmp_path: Path) -> None:
    for given in ("*.json", "none.json"):
        with pytest.raises(UsageError, match="there is none"):
            existing(str(tmp_path / given))
