"""JSON lines behind the prefixes that loggers write. Records are made up."""

from __future__ import annotations

import json

import pytest

from lineage_analytics.loaders import recognise
from lineage_analytics.loaders.common import prefixed
from tests._documents import Loaded, json_values, member
from tests._trail import event
from tests.test_loader_k8s_audit import LOG, lines
from tests.test_loaders_contract import CASES, FIXTURES

PLAIN = [json.dumps(one).encode() for one in LOG]
PREFIXES = {
    "rfc 5424": b"<134>1 2026-11-25T04:00:00.123Z node-1 audit 77 ID47 - ",
    "with structured data": b'<134>1 2026-11-25T04:00:00+01:00 node-1 audit - - [x@1 a="{\\"b\\": [1\\]}"][y@1 c="d"] \xef\xbb\xbf',
    "rfc 3164": b"<13>Nov 25 04:00:00 node-1 audit[77]: ", "without priority": b"Nov  5 04:00:00 node-1 audit: ",
    "relayed": b"2026-11-25T04:00:00.123456+00:00 node-1 audit: ",
    "a time alone": b"2026-11-25T04:00:00.123Z ", "container": b"2026-11-25T04:00:00.123456789Z stdout F ", "tagged": b"2026-11-25T04:00:00.1+01:00 stderr F:x ",
}


@pytest.mark.parametrize("name", PREFIXES)
def test_lines_behind_a_prefix_are_the_lines(name: str) -> None:
    for end in (b"\n", b"\r\n"):
        found = Loaded(end.join(PREFIXES[name] + line for line in PLAIN) + end)
        plain = Loaded(lines(LOG))
        assert (found.ids, found.faults) == (plain.ids, [])
        assert [frame.to_dicts() for frame in found.frames.values()] == [
            frame.to_dicts() for frame in plain.frames.values()]


def test_one_line_alone_is_read_and_a_cut_last_line_is_said() -> None:
    prefix = PREFIXES["rfc 5424"]
    assert Loaded(prefix + PLAIN[1]).ids == Loaded(PLAIN[1]).ids
    cut = Loaded(b"\n".join(prefix + line for line in PLAIN)[:-20])
    assert (len(cut.ids), [(fault.position, fault.reason) for fault in cut.faults], cut.truncated) == (
        len(PLAIN) - 1, [(len(PLAIN) - 1, "truncated")], True)


def test_parts_of_a_line_that_a_runtime_cut_are_one_record_in_its_place() -> None:
    stamp = b"2026-11-25T04:00:00.123456789Z "
    cut = [stamp + b"stdout P " + PLAIN[0][:40], stamp + b"stderr F " + PLAIN[1], stamp + b"stdout P " + PLAIN[0][40:60],
           stamp + b"stdout F " + PLAIN[0][60:], stamp + b"stdout F " + PLAIN[2], stamp + b"stdout F no json",
           stamp + b"stdout F " + PLAIN[4]]
    found, plain = Loaded(b"\n".join(cut) + b"\n"), Loaded(b"\n".join([PLAIN[1], PLAIN[0], PLAIN[2], PLAIN[4]]))
    assert found.ids == plain.ids
    assert [(fault.position, fault.reason) for fault in found.faults] == [(3, "broken_json")]
    places = found["activity"]["raw_ref"].struct.field("offset").to_list()
    assert places == [0, 1, 2, 4]


def test_a_part_without_an_end_is_a_cut() -> None:
    stamp = b"2026-11-25T04:00:00.123456789Z stdout "
    found = Loaded(stamp + b"F " + PLAIN[0] + b"\n" + stamp + b"F " + PLAIN[1] + b"\n" + stamp + b"P " + PLAIN[2][:50] + b"\n")
    assert (len(found.ids), [fault.reason for fault in found.faults]) == (2, ["truncated"])


def test_any_source_may_come_behind_a_prefix_and_lines_without_one_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    trail = [PREFIXES["without priority"] + json.dumps(event(number)).encode() for number in range(3)]
    found = Loaded(b"\n".join([*trail, json.dumps(event(3)).encode()]))
    assert (found.source, len(found.ids), found.faults) == ("aws_cloudtrail", 4, [])
    monkeypatch.setattr(prefixed, "RECORD_BYTES", 64)
    assert b"".join(prefixed.lines(iter([b"Nov 25 04:00:00 h t: ", b'{"a": "' + b"x" * 99, b'"}\n', b"{}\n"]))).count(b"\n") == 2


@pytest.mark.parametrize("text", [
    b"2026-11-25T04:00:00.123Z [info] [files] Message from client: {\"jsonrpc\": \"2.0\"}\n", b"Nov 25 04:00:00 host tag: text\n",
    b"<134>1 2026-11-25T04:00:00Z h a - - - text\n", b"a: {\"b\": 1}\n", b'{"a": 1}\n', b"", b"hello {\"a\": 1}\n"])
def test_other_lines_are_not_taken_for_prefixed_ones(text: bytes) -> None:
    assert not prefixed.is_prefixed(text)
    assert b"".join(member(text).chunks()) in (text, b'{"a":{"b":1}}\n')


def _on_lines(source: str, name: str) -> list[bytes]:
    return [json.dumps(value).encode() for value in json_values(FIXTURES[source][name]) if isinstance(value, dict)]


@pytest.mark.parametrize(("source", "name"), [
    case for case in CASES if (found := _on_lines(*case)) and recognise(member(b"\n".join(found)).sample) is not None])
def test_what_a_loader_reads_on_lines_it_reads_behind_a_prefix(source: str, name: str) -> None:
    listed = _on_lines(source, name)
    plain, behind = Loaded(b"\n".join(listed)), Loaded(b"\n".join(PREFIXES["rfc 5424"] + line for line in listed))
    assert (behind.source, behind.ids) == (plain.source, plain.ids)
    assert [fault.position for fault in behind.faults] == [fault.position for fault in plain.faults]
