"""YAML as the records it holds, and nothing else that it may ask for."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics.loaders.common import yamls
from lineage_analytics.loaders.common.sampling import is_yaml
from tests._documents import Loaded, json_values, member
from tests.test_loaders_contract import CASES, FIXTURES

PLAIN = {"kind": "Role", "metadata": {"name": "a", "made": "2026-01-05"}, "rules": [{"verbs": ["get"]}, {"verbs": []}]}
OTHER = {"kind": "Role", "metadata": {"name": "b"}, "rules": None}


def _records(data: bytes) -> list[object]:
    return [json.loads(line) for line in b"".join(member(data).chunks()).splitlines()]


@pytest.mark.parametrize("data", [
    yaml.safe_dump_all([PLAIN, OTHER]).encode(), yaml.safe_dump([PLAIN, OTHER]).encode(),
    yaml.safe_dump({"apiVersion": "v1", "items": [PLAIN, OTHER], "kind": "List"}).encode(),
    b"# exported\n" + yaml.safe_dump_all([PLAIN, OTHER], explicit_start=True, explicit_end=True).encode(),
    b"kind: RoleList\napiVersion: v1\nitems:\n" + yaml.safe_dump([
        {key: held for key, held in one.items() if key != "kind"} for one in (PLAIN, OTHER)]).encode(),
    b"%YAML 1.1\n--- " + json.dumps(PLAIN).encode() + b"\n---\nkind: Role\nmetadata: {name: b}\nrules:\n",
], ids=["documents", "list", "items", "commented", "items of one kind", "flow"])
def test_a_record_is_a_document_or_what_one_lists(data: bytes) -> None:
    wanted = [one | ({"apiVersion": "v1"} if b"RoleList" in data else {}) for one in (PLAIN, OTHER)]
    assert _records(data) == wanted
    assert _records(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n")) == wanted
    assert _records(b"\xff\xfe" + data.decode().encode("utf-16-le")) == wanted


def test_only_what_json_writes_bare_is_no_text() -> None:
    said = (b"account: 012345678901\nday: 2026-01-05\nsure: yes\nnorway: no\nnumber: 5\nshare: 1.5\nnothing:\ntilde: ~\n"
            b"true: true\nquoted: '5'\nlong: 99999999999999999999\noctal: 0o17\nexponent: 1E+5\nsame: !!str 5\n")
    assert _records(said) == [{
        "account": "012345678901", "day": "2026-01-05", "sure": "yes", "norway": "no", "number": 5, "share": 1.5,
        "nothing": None, "tilde": None, "true": True, "quoted": "5", "long": "99999999999999999999", "octal": "0o17",
        "exponent": "1E+5", "same": "5"}]


NINE = b", ".join
BOMB = b"a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (n, n, NINE([b"*a%d" % (n - 1)] * 9)) for n in range(1, 12))


@pytest.mark.parametrize(("data", "why"), [
    (BOMB, "aliases repeat more than"), (b"a: &a\n  - *a\n", "an alias"), (b"a: *b\n", "an alias"),
    (b"a: !!python/object/apply:os.system [x]\n", "a tag"), (b"a: !Ref b\n", "a tag"), (b"a: 1\na: 2\n", "one key twice"),
    (b"a:\n  b: 1\n  'b': 2\n", "one key twice"), (b"a: &a {b: 1}\nc:\n  <<: *a\n", "merge key"),
    (b"a: " + b"[" * 999 + b"\n", "nested more than 64"), (b"a: b\n? [c]\n: d\n", "unrecognised"),
    (b"a:\n  ? [c]\n  : d\n", "a key that is no text"), (b"a: [1\nb: {\n", "line 2"), (b"a: \xff\n", "not YAML"),
    (b"a: b\0\n", "not YAML"),
])
def test_what_is_not_read_is_refused_with_the_reason_and_gives_nothing(data: bytes, why: str) -> None:
    document = member(data)
    assert why in (document.damage or "unrecognised")
    assert document.sample.first is None
    assert list(document.chunks()) in ([], [b""], [data])


def test_a_document_refused_behind_good_ones_leaves_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yamls, "VALUES", 50)
    document = member(yaml.safe_dump_all([PLAIN, OTHER, {"kind": list(range(60))}, PLAIN]).encode())
    assert [json.loads(line) for line in b"".join(document.chunks()).splitlines()] == [PLAIN, OTHER]
    assert document.damage == "limit_exceeded: YAML with a record of more than 50 values"


def test_a_record_of_endless_text_is_refused_and_many_records_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yamls, "RECORD_BYTES", 300_000)
    many = yaml.safe_dump_all([OTHER] * 10_000).encode()
    assert len(many) > 300_000
    assert len(_records(many)) == 10_000
    assert "limit_exceeded" in (member(b"a: |\n" + b" text\n" * 100_000).damage or "")


def test_a_harmless_alias_is_what_it_stands_for() -> None:
    assert _records(b"a: &it {b: [1]}\nc: *it\n---\na: &it 2\nc: *it\n") == [
        {"a": {"b": [1]}, "c": {"b": [1]}}, {"a": 2, "c": 2}]


@pytest.mark.parametrize("text", [
    b"", b"hello\n", b"# only\n# remarks\n", b"a,b\n1,2\n", b"- one\n- two\n", b'{"a": 1}\n', b"[1]\n", b"---\nprose here\n",
    b"Nov 25 04:00:00 host tag: {}\n", b"<Event>\n", b"#TYPE X\n\"a\",\"b\"\n", b"key: value\nbut then prose\n"])
def test_other_text_is_not_taken_for_yaml(text: bytes) -> None:
    assert not is_yaml(text)


_texts = st.text(alphabet=st.characters(blacklist_categories=["Cs", "Cc"]), max_size=8)
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts.filter(lambda key: key != "<<"), inner, max_size=3),
    max_leaves=8)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True).filter(lambda key: key != "items"), _values,
                       min_size=1, max_size=4), st.sampled_from([True, False, None]))
def test_any_value_comes_back_as_it_was_written(value: dict[str, object], flow: bool | None) -> None:
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True).encode()
    assert [json.loads(line) for line in yamls.lines(iter([text]))] == [value]


def _plain_keys(values: list[Any]) -> bool:
    """Whether all outermost keys are such as YAML writes without a word of explanation."""
    outermost = [one for value in values for one in (value if isinstance(value, list) else [value])]
    return bool(values) and all(isinstance(one, dict) and all(
        re.fullmatch(r"[^\s\[]{1,120}", key) for key in one) for one in outermost)


def _ids(data: bytes) -> tuple[str, list[str], list[str]]:
    found = Loaded(data)
    return found.source, sorted(found.ids), sorted(fault.reason for fault in found.faults)


@pytest.mark.parametrize(("source", "name"), [case for case in CASES if _plain_keys(json_values(FIXTURES[case[0]][case[1]]))])
def test_what_a_loader_reads_as_json_it_reads_as_yaml(source: str, name: str) -> None:
    values = json_values(FIXTURES[source][name])
    text = yaml.safe_dump_all(values, allow_unicode=True, explicit_start=len(values) > 1, sort_keys=False)
    assert _ids(text.encode()) == _ids(FIXTURES[source][name])
