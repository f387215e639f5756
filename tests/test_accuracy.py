"""One small organisation measured as ``make accuracy`` measures several, so that every run of the tests looks."""

from __future__ import annotations

import pytest

from tests.accuracy import decisions, table
from tests.accuracy.determinism import Sameness
from tests.accuracy.links import Links
from tests.accuracy.organisations import SMALL, Organisation, organisation
from tests.accuracy.scale import Scale
from tests.accuracy.table import Row
from tests.accuracy.tamper import Tampering, intact
from tests.accuracy.verdicts import Verdicts


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Organisation:
    return organisation(tmp_path_factory.mktemp("accuracy"), 11, *SMALL)


def missed(rows: list[Row]) -> dict[str, object]:
    """Measures below target, with what misses or that there was nothing to measure."""
    return {row.measure: row.wrong or f"{row.found} of {row.total}" for row in rows if not row.passed}


def test_links_and_verdicts_of_a_small_organisation_meet_every_target(small: Organisation) -> None:
    links, verdicts = Links(), Verdicts()
    links.take(small)
    verdicts.take(small)
    assert missed([*links.rows(), *verdicts.rows()]) == {}


def test_its_records_in_any_order_give_the_same_and_its_cases_can_be_made_again(small: Organisation) -> None:
    same = Sameness()
    same.shuffle(small, seeds=6, parts=2)
    same.replay(small)
    assert missed(same.rows()) == {}


def test_changed_bytes_of_a_bundle_are_found(small: Organisation) -> None:
    tampering = Tampering()
    tampering.take(small, bundles=2, every=211)
    assert missed(tampering.rows()) == {}
    assert not intact(b"no bundle")


def test_a_miss_is_seen_and_nothing_measured_is_a_miss() -> None:
    assert missed([Row("a", "", 0, 0, none=True), Row("b", "", 97, 100, least=0.98), Row("c", "", 3, 100, most=0.02),
                   Row("d", "", 1, 9, none=True)]).keys() == {"a", "b", "c", "d"}
    assert missed([Row("a", "", 0, 9, none=True), Row("b", "", 98, 100, least=0.98), Row("c", "", 2, 100, most=0.02),
                   Row("e", "", 5, 5, least=1.0)]) == {}


def test_an_invented_link_is_counted_as_false_and_one_left_out_as_missed(small: Organisation) -> None:
    """The same organisation told wrongly: a tenth of its true links are not in the truth."""

    class Forgetful(Organisation):
        def truth(self, name: str) -> list[dict[str, str]]:
            rows = super().truth(name)
            return [row for number, row in enumerate(rows) if name != "links" or number % 10]

    links = Links()
    links.take(Forgetful(small.seed, small.directory, small.estate, small.lineage))
    assert links.invented.row.found > 50
    assert not links.invented.row.passed


def test_the_table_names_each_measure_with_what_was_found_and_wanted() -> None:
    text = table.printed([Row("false links", "not true", 2, 10, none=True, wrong=("seed 1: a b",)),
                          Row("recall", "found", 99, 100, least=0.98)])
    assert "FAIL  not true" in text
    assert [line.split()[:6] for line in text.splitlines()[2:4]] == [
        ["false", "links", "2", "of", "10", "0"], ["recall", "99", "of", "100", ">=", "98%"]]
    assert ">= 98%   pass  found" in text
    assert "seed 1: a b" in text


def test_seeds_come_from_the_environment_or_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDS", "3, 8")
    assert decisions.seeds() == (3, 8)
    monkeypatch.delenv("SEEDS")
    assert len(set(decisions.seeds())) == 4


def test_twice_the_records_are_timed_whatever_they_share() -> None:
    scale = Scale()
    scale.grow(300)
    assert len(scale.said) == scale.linear.total == 3
