"""One decision in words: complete, printable, and found by any id that belongs to it."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage_analytics import tables
from lineage_analytics.errors import UsageError
from lineage_analytics.facts import Facts
from lineage_analytics.graphs.decisions import decision_lineage, from_frames
from lineage_analytics.graphs.decisions.replay import FRAMES, differences, replay, replayed, sealed
from tests._decisions import ANA, DAN, POLICY, ROLE, TENANT, case, covered, facts, identity, lineage, people, pim, step

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.graphs.decisions import DecisionLineage

CHAIN = (pim("request", -30), pim("decision", -10), pim("action"))
DETACH: dict[str, Any] = {"operation": "iam:DetachRolePolicy", "effect_key": f"revoke({POLICY})"}


NAMED = [identity(ANA, display_name="Ana", person_id="p-ana"), identity(DAN, display_name="Dan", person_id="p-dan")]


def test_an_explanation_says_who_what_when_authority_approval_way_back_and_records() -> None:
    text = lineage(*CHAIN, identities=NAMED).explain("e-action")
    for said in (
        "tenant t-1  rules 3  as of 2026-06-30T00:00Z",
        "APPROVED BEFORE EXECUTION: proved     INDEPENDENT APPROVER: yes (by person)",
        "weakest link tier 4 (0.95) at [3]->[2]        Gaps 0   Needs review 0",
        "Who initiated it             Ana (a): the request names who asked  rec-request",
        "Who approved                 Dan (b): approved before it ran; another person than who asked  rec-decision",
        "Under whose authority        their own; answers for it: Dan (b) by decision  rec-action",
        f"  a  {ANA}\n  b  {DAN}\n", "decision       2026-06-10 11:50:00Z",
        "request approved (PIM activation) APPROVE",
        "link    authorised_by [2], native_ref tier 4 (0.95)  rec-action, rec-decision",
        "order   [2] 600 s before this (skew band 2 s): prior", "GAPS  none", "RECORDS  3", "== stored digest",
    ):
        assert said in text, said


def _unfolded(text: str) -> str:
    """The words without where lines were broken."""
    return " ".join(text.split())


def test_a_gap_is_printed_with_its_reason_and_the_source_that_would_hold_it() -> None:
    found = lineage(step("x"))
    text = _unfolded(found.explain("e-x"))
    assert "APPROVAL UNKNOWN: not_collected" in text
    assert re.search(r"decision not_collected no source that would hold the approval is loaded; expected in a ticket", text)
    absent = lineage(CHAIN[0], CHAIN[2], coverage=covered()).explain("e-action")
    assert "NO APPROVAL ON RECORD: absent" in absent


def test_a_change_and_what_took_it_back_name_each_other() -> None:
    found = lineage(step("a"), step("d", 14, **DETACH))
    did, undid = case(found, "e-a"), case(found, "e-d")
    told, back = _unfolded(found.explain("e-a")), _unfolded(found.explain("e-d"))
    assert "[2] rollback 2026-06-10 12:14:00Z iam:DetachRolePolicy takes this back, 14 min after" in told
    assert f"decision of its own {undid['case_id']}: not known link rolls_back [1]" in told
    assert "[2] undone 2026-06-10 12:00:00Z iam:AttachRolePolicy this takes it back, 14 min before" in back
    assert f"decision of its own {did['case_id']}" in back
    assert found.explained("e-a")["rolled_back_by"]["anchor_event_id"] == "e-d"


def test_what_was_considered_and_not_linked_is_shown() -> None:
    found = lineage(*CHAIN[:2], {**CHAIN[2], "target_key": ROLE.replace("reader", "owner")})
    text = found.explain("e-action")
    assert "NOT LINKED" in text
    assert "(target_differs)" in text
    assert "RECORDS CONTRADICT EACH OTHER" in text


# --- by which id ------------------------------------------------------------------------------------------------------

def test_case_step_record_and_event_id_all_lead_to_the_case() -> None:
    found = lineage(*CHAIN, step("other", 5))
    case_id = case(found, "e-action")["case_id"]
    for known in (case_id, "step-decision", "rec-request", "e-request", "e-action"):
        assert found.explained(known)["case"]["case_id"] == case_id


def test_an_event_that_anchors_one_case_and_is_a_step_of_another_leads_to_the_one_it_anchors() -> None:
    found = lineage({**CHAIN[0], "event_id": "e-shared"}, *CHAIN[1:], step("x", 60, event_id="e-shared"))
    assert found.explained("e-shared")["case"]["operation"] == "iam:AttachRolePolicy"


def test_an_id_of_several_decisions_lists_them_instead_of_choosing() -> None:
    found = lineage(step("x", event_id="e-1"), step("y", 5, event_id="e-1"))
    assert found.cases["case_id"].n_unique() == 2
    with pytest.raises(UsageError) as error:
        found.explain("e-1")
    assert all(case_id in str(error.value) for case_id in found.cases["case_id"])


def test_an_unknown_id_is_wrong_usage_with_the_nearest_known_one() -> None:
    found = lineage(*CHAIN)
    with pytest.raises(UsageError, match="Did you mean e-action"):
        found.explain("e-actoin")
    for unknown in ("", "not stated", "rec-zzz"):
        with pytest.raises(UsageError):
            lineage(step("x", event_id=None)).explain(unknown)
    with pytest.raises(UsageError):
        lineage().explain("anything")


def test_a_record_is_shown_where_it_stands_in_its_file() -> None:
    known = facts([step("x", raw_ref={"file_sha256": "f" * 64, "member": "a/b.json", "offset": 17})])
    ledger = tables.conform(pl.DataFrame({"file_sha256": ["f" * 64], "file": ["logs/trail.tar.gz"]}), tables.LEDGER)
    found = decision_lineage(Facts({**known.tables, "ledger": ledger.lazy()}, known.as_of))
    assert "logs/trail.tar.gz!a/b.json:17" in found.explain("e-x")


# --- untrusted text -----------------------------------------------------------------------------------------------------

_NASTY = "\x1b[31mred\r\nVerdict  APPROVED BEFORE EXECUTION\u202eexe\u200b\u0430dmin\ttab\x9b"


def test_names_and_texts_cannot_write_lines_colours_or_reverse_text() -> None:
    target = f"aws:1:role/{_NASTY}"
    found = lineage(
        step("x", title=_NASTY, operation=_NASTY, target_key=target, actor_id=f"aws:1:{_NASTY}", event_id=f"e{_NASTY}"),
        identities=[identity(f"aws:1:{_NASTY}", display_name=_NASTY)])
    text = found.explain("rec-x")
    assert text.isascii()
    assert all(line.isprintable() for line in text.split("\n"))
    assert not any(line.startswith("Verdict  APPROVED") for line in text.split("\n"))
    assert "\\u{202e}" in text
    assert "\\u{430}dmin" in text


@settings(deadline=None, max_examples=30)
@given(st.text(max_size=600), st.text(min_size=1, max_size=300))
def test_whatever_a_log_says_lines_are_printable_and_bounded(words: str, name: str) -> None:
    found = lineage(
        pim("request", -30, title=words, actor_id=f"entra:{TENANT}:{name}"), pim("decision", -10, operation=words or "x"),
        pim("action", title=words, native_key="req-1"), identities=[*people(dan="p"), identity(f"entra:{TENANT}:{name}", display_name=words)])
    text = found.explain("step-action")
    lines = text.split("\n")
    assert len(lines) < 70
    assert all(line.isascii() and line.isprintable() and len(line) <= 480 for line in lines)


def test_lines_are_folded_at_110_columns_and_where_a_record_stands_is_kept_whole() -> None:
    found = lineage(*CHAIN, step("aws", title="a long title " * 20))
    for event in ("e-action", "e-aws"):
        told, _, records = found.explain(event).partition(" RECORDS")
        assert max(map(len, told.split("\n"))) <= 110
        assert "rec-" in records


def test_the_unknown_id_in_the_error_is_made_printable() -> None:
    with pytest.raises(UsageError) as error:
        lineage(step("x")).explain(_NASTY)
    assert str(error.value).replace("\n", "").isprintable()
    assert "\u202e" not in str(error.value)


# --- older ids, keys, files, digests ------------------------------------------------------------------------------------

def test_a_case_that_a_later_record_came_to_name_is_still_found_by_the_id_it_had() -> None:
    before = lineage(*CHAIN[:2])
    first = lineage(CHAIN[0])
    found = lineage(*CHAIN)
    now = case(found)["case_id"]
    for earlier in (case(before)["case_id"], case(first)["case_id"]):
        assert earlier != now
        told = found.explained(earlier)
        assert told["case"]["case_id"] == now
        assert "the id it had before" in told["found_by"]
        assert f"Found    by the id it had before a later record came to name it: {earlier}" in found.explain(earlier)
    assert found.explained(now)["found_by"] is None


def test_the_id_of_a_record_that_never_named_a_case_is_not_found() -> None:
    other = lineage(pim("request", key="req-9", name="elsewhere"))
    with pytest.raises(UsageError):
        lineage(*CHAIN).explain(case(other)["case_id"])


def _pull(kind: str, when: float, key: str, **fields: Any) -> dict[str, Any]:
    return step(f"{kind}-{key}", when, kind=kind, native_key_kind="github_pull_request", native_key=key, tenant="1",
                provider="github", source="github_audit", target_key=f"github:1:{key}", **fields)


def test_a_ticket_key_and_the_number_of_a_pull_request_lead_to_their_case() -> None:
    found = lineage(
        _pull("request", -5, "org/api#418"), _pull("action", 0, "org/api#418"), _pull("action", 3, "org/web#7"),
        step("chg", 60, native_key_kind="change_number", native_key="CHG0041822"))
    for known in ("org/api#418", "api#418", "#418", "418"):
        assert found.explained(known)["case"]["anchor_event_id"] == "e-action-org/api#418", known
    assert found.explained("CHG0041822")["case"]["anchor_event_id"] == "e-chg"
    for unknown in ("#41", "web#418", "CHG004182"):
        with pytest.raises(UsageError):
            found.explain(unknown)


def test_a_number_that_two_pull_requests_bear_lists_both() -> None:
    found = lineage(_pull("action", 0, "org/api#7"), _pull("action", 3, "org/web#7"))
    with pytest.raises(UsageError, match="found 2 that"):
        found.explain("#7")
    assert found.explained("web#7")["case"]["anchor_event_id"] == "e-action-org/web#7"


def test_a_key_that_a_text_quotes_leads_to_its_case_and_says_so() -> None:
    found = lineage(step("x", quoted_keys=["CHG9"]))
    assert "quoted in a text" in found.explained("CHG9")["found_by"]


def test_files_that_were_delivered_are_compared_with_what_was_read(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "trail.json").write_bytes(b"as it was")
    sha256 = hashlib.sha256(b"as it was").hexdigest()
    known = facts([step("x", raw_ref={"file_sha256": sha256, "member": None, "offset": 17})])
    ledger = tables.conform(pl.DataFrame({"file_sha256": [sha256], "file": ["logs/trail.json"]}), tables.LEDGER)
    found = decision_lineage(Facts({**known.tables, "ledger": ledger.lazy()}, known.as_of))
    shown = f"sha256 {sha256[:4]}..{sha256[-2:]}"
    assert f"{shown} (file not checked)" in found.explain("e-x")
    assert f"OK {shown}" in found.explain("e-x", tmp_path)
    assert f"OK {shown}" in found.explain("e-x", [tmp_path / "logs" / "trail.json"])
    (tmp_path / "logs" / "trail.json").write_bytes(b"as it was not")
    assert f"ALTERED, was {shown}" in found.explain("e-x", tmp_path)
    assert f"file not found, {shown}" in found.explain("e-x", tmp_path / "logs")


@pytest.mark.parametrize("name", ["../outside.json", "/etc/hostname", "a\0b", ""])
def test_a_file_name_cannot_lead_out_of_the_folder_that_was_delivered(name: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "outside.json").write_bytes(b"x")
    known = facts([step("x", raw_ref={"file_sha256": hashlib.sha256(b"x").hexdigest(), "member": None, "offset": 0})])
    ledger = tables.conform(pl.DataFrame({"file_sha256": [hashlib.sha256(b"x").hexdigest()], "file": [name]}),
                            tables.LEDGER)
    found = decision_lineage(Facts({**known.tables, "ledger": ledger.lazy()}, known.as_of))
    assert found.explained("e-x", tmp_path / "in")["records"][0]["file_check"] == "not_found"


def _facts(found: DecisionLineage) -> Facts:
    assert found.facts is not None
    return found.facts


def test_the_digest_of_every_case_is_what_its_records_give_again() -> None:
    found = lineage(*CHAIN, step("a"), step("d", 14, **DETACH), pim("request", 60, key="other", name="late"),
                    step("elsewhere", 5, tenant="999"), step("no-tenant", 6, tenant=None), identities=NAMED)
    told = replayed(found)
    assert told["stored"].to_list() == told["again"].to_list()
    assert told.height == found.cases.height == 6
    for case_id in found.cases["case_id"]:
        stored, again = replay(_facts(found), case_id)
        assert stored == again is not None
        assert re.search(r"digest [0-9a-f]{4}\.\.[0-9a-f]{2}  == stored digest$", found.explain(case_id))


def test_a_decision_is_replayed_with_the_tenants_by_which_its_clocks_were_compared() -> None:
    rows = []
    for n in range(24):
        more: dict[str, Any] = {"key": f"k{n}", "tenant": f"t-{n % 3}", "target_key": f"entra:t-{n % 3}:role/r|ana"}
        rows += [pim("decision", n * 60, name=f"a{n}", **more),
                 pim("decision", n * 60 + 7, name=f"b{n}", source="entra_pim", operation="approval", **more),
                 pim("action", n * 60 + 20, name=f"c{n}", **more)]
    found = lineage(*rows)
    assert found.links["clock_offset_s"].abs().max() == 420.0
    told = replayed(found)
    assert told["stored"].to_list() == told["again"].to_list()


@settings(deadline=None, max_examples=15)
@given(st.permutations([*CHAIN, *CHAIN, step("a"), step("d", 14, **DETACH)]))
def test_a_digest_does_not_depend_on_order_or_repetition(rows: list[dict[str, Any]]) -> None:
    plain = lineage(*CHAIN, step("a"), step("d", 14, **DETACH))
    assert lineage(*rows).cases.select("case_id", "digest").rows() == plain.cases.select("case_id", "digest").rows()


@pytest.mark.parametrize("table", FRAMES)
def test_any_row_of_a_case_that_is_altered_or_lost_changes_its_digest_and_is_told(table: str) -> None:
    found = lineage(step("a"), step("d", 14, **DETACH), *CHAIN[:2], {**CHAIN[2], "target_key": f"{ROLE}x"})
    frame: pl.DataFrame = getattr(found, table)
    if not frame.height:
        pytest.skip("no such row in this lineage")
    column = "title" if table == "cases" else next(
        name for name in ("operation", "method", "reason", "reading") if name in frame.columns)
    altered = frame.with_columns(pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("other")).otherwise(column).alias(column))
    for changed in (altered, frame.tail(-1)) if table != "cases" else (altered,):
        frames = {name: changed if name == table else getattr(found, name) for name in FRAMES}
        again = sealed(frames)["cases"].select("case_id", "digest")
        kept = from_frames(_facts(found), frames)
        other = set(again.rows()) - set(found.cases.select("case_id", "digest").rows())
        assert len(other) == 1
        case_id = other.pop()[0]
        assert differences(kept, found, case_id) != []
        assert differences(kept, found, case_id)[0].startswith(f"{table}: ")


def test_a_stored_decision_that_its_records_do_not_give_says_what_differs() -> None:
    found = lineage(*CHAIN)
    altered = found.cases.with_columns(approver_id=pl.lit("entra:t-1:somebody-else"))
    frames = {name: getattr(found, name) for name in FRAMES} | {"cases": altered}
    kept = from_frames(_facts(found), sealed(frames))
    text = kept.explain("e-action")
    assert "DIFFERS from stored digest" in text
    assert text.endswith("cases: 1 stored that the records do not give, 1 that they give and are not stored")


# --- one explanation, word for word -----------------------------------------------------------------------------------

def _at(position: int) -> dict[str, Any]:
    return {"raw_ref": {"file_sha256": f"1c9e{'0' * 58}7f", "member": None, "offset": position}}


GOLDEN = """\
DECISION dec-ifqoj3cgxril2pat  tenant 111122223333  rules 3  as of 2026-06-30T00:00Z
Change   AttachRolePolicy role/etl Read
Class    none: no AI took part   Status  executed, later rolled back
Verdict  APPROVAL UNKNOWN: not_collected     INDEPENDENT APPROVER: unknown
Chain    no link        Gaps 2   Needs review 0

 - Who initiated it             Ana (a): a person made the call  rec-grant
 - What data informed it        "UnusedPermission role etl: Read": 1 signal on record; no AI took part
                                rec-insight
 - Recommended, and by what     no AI took part  (no record)
 - Who approved                 not known; not_collected: no source that would hold the approval is loaded
                                (no record)
 - Who executed                 Ana (a): a person's credential  rec-grant
 - Under whose authority        their own; answers for it: Ana (a) by initiation  rec-grant
 - Can it be undone             yes; rolled back by iam:DetachRolePolicy; what takes it back has worked here
                                within 180 days  rec-undo
 - Was it undone                Dan (b): after 14 min; approval of that: not known ("iam:DetachRolePolicy")
                                rec-undo

 [1] signal         2026-06-10 10:30:00Z  UnusedPermission
     about   role etl: Read
     by      nobody named (automation)   authority unknown
     source  aws_cloudtrail event e-insight  rec-insight  sha256 1c9e..7f (file not checked)
             trail/2026-06-10.jsonl:3
 [2] action         2026-06-10 12:00:00Z  iam:AttachRolePolicy
     about   role/etl Read
     by      Ana (a) (human)   authority self
     source  aws_cloudtrail event e-grant  rec-grant  sha256 1c9e..7f (file not checked)
             trail/2026-06-10.jsonl:11
 [3] rollback       2026-06-10 12:14:00Z  iam:DetachRolePolicy   takes this back, 14 min after
     by      Dan (b)   decision of its own dec-kxsn65s2ljijrpqv: not known
     link    rolls_back [2], inverse tier 4 (0.95)  rec-grant, rec-undo
     order   [2] 840 s before this (skew band 2 s): prior
     source  aws_cloudtrail event e-undo  rec-undo

 NEEDS REVIEW  nothing
 GAPS
  g1 approver_identity not_collected            no source that would hold the approval is loaded; expected in
             a ticket or change system
  g2 decision         not_collected            no source that would hold the approval is loaded; expected in a
             ticket or change system

 AGENTS
  a  entra:t-1:ana
  b  entra:t-1:dan

 RECORDS  3
  rec-grant  trail/2026-06-10.jsonl:11  sha256 1c9e..7f (file not checked)
  rec-insight  trail/2026-06-10.jsonl:3  sha256 1c9e..7f (file not checked)
  rec-undo  trail/2026-06-10.jsonl:12  sha256 1c9e..7f (file not checked)
 REPLAY  3 records, digest ....  == stored digest"""


def test_an_explanation_reads_word_for_word_as_it_was_agreed() -> None:
    by: dict[str, Any] = {"actor_class": "human", "authority_mode": "self"}
    finding: dict[str, Any] = {"native_key_kind": "access_finding_id", "native_key": "f-1"}
    known = facts([
        step("insight", -90, kind="signal", operation="UnusedPermission", title="UnusedPermission role etl: Read", actor_id=None,
             actor_class="automation", **finding, **_at(3)),
        step("grant", actor_id=ANA, title="AttachRolePolicy role/etl Read", **by, **finding, **_at(11)),
        step("undo", 14, actor_id=DAN, title="DetachRolePolicy role/etl Read", **DETACH, **by, **_at(12))], NAMED)
    ledger = tables.conform(pl.DataFrame({"file_sha256": [f"1c9e{'0' * 58}7f"], "file": ["trail/2026-06-10.jsonl"]}),
                            tables.LEDGER)
    found = decision_lineage(Facts({**known.tables, "ledger": ledger.lazy()}, known.as_of))
    assert re.sub(r"digest \w{4}\.\.\w\w", "digest ....", found.explain("e-grant")) == GOLDEN


# --- in a notebook ------------------------------------------------------------------------------------------------------

def test_an_explanation_is_its_text_and_has_a_sentence_and_a_table_of_eight_questions() -> None:
    told = lineage(*CHAIN, identities=NAMED).explain("e-action")
    assert str(told) == told == "".join(told)
    assert told.sentence == (
        "\N{LEFT DOUBLE QUOTATION MARK}action\N{RIGHT DOUBLE QUOTATION MARK}: done by Ana on 10 Jun 2026 12:00 UTC, asked for "
        "by Ana, approved before by Dan (another person than who asked); it can be undone, and nothing on record takes it back.")
    assert told.table["question"].to_list() == [
        "Who initiated it", "What data informed it", "Recommended, and by what", "Who approved", "Who executed",
        "Under whose authority", "Can it be undone", "Was it undone"]
    assert told.table["records"].to_list()[3] == ["rec-decision"]


def test_names_in_their_own_letters_stay_so_in_the_sentence_and_not_in_the_text() -> None:
    told = lineage(*CHAIN, identities=[identity(ANA, display_name="אנה")]).explain("e-action")
    assert "done by אנה" in told.sentence
    assert told.isascii()
    assert "\\u{5d0}" in told
