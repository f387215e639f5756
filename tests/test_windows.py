"""Splitting a long list window by window gives every record once, in order, and leaves the rest whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage_analytics.loaders.common import windows
from lineage_analytics.loaders.common.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Iterator

WINDOW = 600


@pytest.fixture(autouse=True, scope="module")
def _small_windows() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "WINDOW_BYTES", WINDOW)
        yield


def _split(text: bytes, kind: str, piece: int = 64) -> tuple[list[Any], bytes]:
    split = Windows(iter([text[at : at + piece] for at in range(0, len(text), piece)]), kind)
    found = [json.loads(bytes(raw)) for window in split for raw in window]
    return found, b"".join(split.rest())


def _events(count: int) -> list[dict[str, Any]]:
    return [{"eventVersion": "1.08", "n": n, "says": '},{"eventVersion": "no"', "list": [{"a": 1}, {"a": 2}]}
            for n in range(count)]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("kind", ["Records", "array"])
def test_windows_and_rest_hold_every_record_once(kind: str, indent: int | None) -> None:
    events = _events(40)
    found, rest = _split(json.dumps(events if kind == "array" else {kind: events}, indent=indent).encode(), kind)
    remaining = json.loads(rest) if kind == "array" else json.loads(rest)[kind]
    assert len(found) > 20
    assert found + remaining == events


def test_a_record_that_holds_its_like_ends_the_windows_and_loses_nothing() -> None:
    events = [{"eventVersion": "1", "inner": [{"eventVersion": "2"}] * 9} for _ in range(20)]
    found, rest = _split(json.dumps({"Records": events}).encode(), "Records")
    assert found + json.loads(rest)["Records"] == events


def test_broken_text_is_left_from_the_record_on_that_precedes_it() -> None:
    text = json.dumps({"Records": _events(40)}).encode().replace(b'"n": 20', b'"n" 20')
    found, rest = _split(text, "Records")
    assert [event["n"] for event in found] == list(range(len(found)))
    assert 0 < len(found) <= 20
    assert rest.startswith(b'{"Records": [{"eventVersion"')
    assert text.endswith(rest.removeprefix(b'{"Records": ['))


def test_another_key_before_the_list_is_left_alone() -> None:
    text = json.dumps({"count": 40, "Records": _events(40)}).encode()
    assert _split(text, "Records") == ([], text)


_VALUES = st.recursive(st.none() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3)
                       | st.dictionaries(st.sampled_from(["k", 'q"', "},{"]), inner, max_size=3), max_leaves=6)


@given(events=st.lists(st.fixed_dictionaries({"k": _VALUES, "x": _VALUES}), max_size=30), piece=st.integers(1, 300))
def test_any_records_in_any_pieces_come_out_as_they_went_in(events: list[dict[str, Any]], piece: int) -> None:
    found, rest = _split(json.dumps({"Records": events}).encode(), "Records", piece)
    assert found + json.loads(rest)["Records"] == events
