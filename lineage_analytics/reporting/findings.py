"""What the page says in sentences: the answer, what to do first, what could not be seen. All computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics import analysis
from lineage_analytics.metrics import title, words
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lineage_analytics.reporting.reading import Reading

AI = ("advises", "drafts", "executes_approved", "executes_autonomous")
_NAMED = 3
_MOST_OF_ALL = 0.8
_FEW_APPROVALS, _FEW_WEEKS, _MUCH_FASTER = 3, 4, 5.0


@dataclass(frozen=True)
class Action:
    """Something to do: what, why in one line, and the measure whose evidence lists the objects."""

    title: str
    detail: str
    metric_id: str


@dataclass(frozen=True)
class Unseen:
    """Something the loaded data cannot show, and what would."""

    title: str
    detail: str


def names(shown: Sequence[str], limit: int = _NAMED) -> str:
    """``a, b, c and 12 more``."""
    rest = len(shown) - limit
    return ", ".join(shown[:limit]) + (f" and {rest} more" if rest > 0 else "")


def count(number: int, noun: str, plural: str = "") -> str:
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


# --- the answer ------------------------------------------------------------------------------------------------

def answer(reading: Reading) -> tuple[str, str]:
    """The report in a sentence or two, and a paragraph that says what it rests on."""
    sentences = [s for s in (_pace(reading), _privilege(reading), _ownership(reading)) if s]
    if not sentences:
        return ("Too little was loaded to judge these identities.",
                "What is missing is listed below, with the data that would fix it.")
    return " ".join(sentences[:2]), " ".join([*sentences[2:], _basis(reading)])


def _pace(reading: Reading) -> str | None:
    changes = reading.window_cases
    if not changes.height:
        return None
    days = reading.analysis.estate.window_days
    assisted = changes.filter(pl.col("involvement_class").is_in(AI)).height
    untold = _untold(changes.filter(pl.col("involvement_class") == "unknown").height)
    if not assisted:
        return f"{count(changes.height, 'identity change')} in {days} days, none known to involve AI{untold}."
    gap = reading.pace.headline()
    if gap is not None:
        return gap
    made = f"AI had a hand in {assisted:,} of {count(changes.height, 'identity change')} in {days} days{untold}"
    hurried = _hurry(reading)
    if hurried is not None:
        return f"{made}; {hurried}."
    approved = reading.stated("LIN-05")
    if approved is None:
        return f"{made}; who approved them cannot be shown."
    before = int(approved["numerator"])
    known = int(approved["denominator"])
    return f"{made}; a person approved {before:,} of the {known:,} that can be judged before they ran."


def _untold(unknown: int, more: str = "") -> str:
    """What a count leaves open, behind it: an answer without it would show the unknown as zero."""
    return f" ({unknown:,} {more}cannot be told)" if unknown else ""


def _hurry(reading: Reading) -> str | None:
    """Approvals of AI-assisted changes that became much faster, first week against last; None when they did not."""
    weekly = reading.analysis.decisions.approval_timing().filter(
        pl.col("ai") & pl.col("dwell_seconds").is_not_null()).group_by(
        week=pl.col("time").dt.truncate("1w")).agg(pl.col("dwell_seconds").median(), n=pl.len()).sort("week")
    full = weekly.filter(pl.col("n") >= _FEW_APPROVALS)
    if full.height < _FEW_WEEKS:
        return None
    first, last = full["dwell_seconds"][0], full["dwell_seconds"][-1]
    if last <= 0 or first / max(last, 1.0) < _MUCH_FASTER:
        return None
    return f"a person's approval of them took {_lasting(first)} in {full['week'][0]:%B} and {_lasting(last)} at the end"


def _lasting(seconds: float) -> str:
    for size, unit in ((172_800, "day"), (7_200, "hour"), (120, "minute")):
        if seconds >= size:
            return count(round(2 * seconds / size), unit)
    return count(max(round(seconds), 1), "second")


def _privilege(reading: Reading) -> str | None:
    admin = reading.stated("PRV-01", "c") or reading.measure("PRV-01", "c")
    if admin is None or admin["denominator"] is None or not admin["denominator"]:
        return None
    k, n = int(admin["numerator"]), int(admin["denominator"])
    doubt = f" (not scored: {words.reason_words(admin['reason'])})" if admin["status"] == "not_scored" else _untold(
        admin["n_unknown"], "more ")
    if not k:
        return f"None of {count(n, 'service account')} holds or reaches administrator control{doubt}."
    verb = "holds or reaches" if k == 1 else "hold or reach"
    return f"{k:,} of {count(n, 'service account')} {verb} administrator control{doubt}."


def _ownership(reading: Reading) -> str | None:
    owned = reading.stated("VIS-04")
    if owned is None:
        return None
    without = int(owned["denominator"] - owned["numerator"])
    verb = "has" if without == 1 else "have"
    untold = _untold(owned["n_unknown"], "more ")
    return f"{count(without, 'service account')} of {int(owned['denominator']):,} {verb} no valid owner{untold}."


def _basis(reading: Reading) -> str:
    counts = [row for row in reading.analysis.estate.counts if row["accepted"]]
    records = sum(row["accepted"] for row in counts)
    return f"Based on {count(records, 'record')} from {count(len(counts), 'source')}."


# --- maturity --------------------------------------------------------------------------------------------------

def maturity(reading: Reading) -> str:
    """How far the estate is, in a sentence that never speaks of what was not scored."""
    document = reading.levels.document
    domains, listed = document["assessed"]["domains"]
    measured, wanted = document["assessed"]["metrics"]
    scored = f"{domains} of {listed} domains and {measured} of their {wanted} measures are scored"
    if document["weakest_floor"] is None:
        return f"{scored}: too few to say anything of the whole"
    return f"{scored}; the weakest is at level {document['weakest_floor']}"


def raises(reading: Reading) -> list[tuple[str, str, str]]:
    """Per domain, the measures in the way of its next level and what each needs."""
    return [
        (domain["name"], f"{title(step['metric_id'])} ({step['metric_id']})", _need(step))
        for domain in reading.levels.document["domains"] for step in domain["raise"]]


def _need(step: dict[str, Any]) -> str:
    if step.get("source_missing"):
        return f"{step['need']}; data: {step['source_missing']}"
    objects = step.get("objects")
    return f"{step['need']}" + (f", {objects:,} to put right" if objects else "")


# --- do first --------------------------------------------------------------------------------------------------

def actions(reading: Reading) -> list[Action]:
    """What would help most, gravest first."""
    makers: tuple[Callable[[Reading], Iterator[Action]], ...] = (
        _stopped, _unapproved, _cuts, _unowned_admins, _unused_admin, _self_approved,
        _dormant, _never_opened, _old_credentials)
    return [action for make in makers for action in make(reading)]


def _stopped(reading: Reading) -> Iterator[Action]:
    """Changes of tier 0 that are a reason to stop, whatever else the numbers say."""
    stopped = reading.cases.filter(pl.col("case_id").is_in(reading.pace.stopped)).sort("time", "case_id")
    if stopped.height:
        shown = [f"{printable(title_, 60)} ({case})" for title_, case in stopped.select("title", "case_id").iter_rows()]
        yield Action(f"Stop what made {count(stopped.height, 'change')} of tier 0 without a valid approval",
                     f"AI had a part in: {names(shown)}.", "ACC-05")


def _unapproved(reading: Reading) -> Iterator[Action]:
    """AI-assisted changes that LIN-05 counts as not approved before they ran: the same number as in its section."""
    found = reading.analysis.measured.evidence.filter((pl.col("metric_id") == "LIN-05") & (pl.col("scope") == "all"))
    held = {name: found.filter(pl.col("set") == name)["object_id"] for name in ("denominator", "numerator")}
    cases = reading.window_cases.filter(pl.col("case_id").is_in(held["denominator"].implode()))
    without = cases.filter(~pl.col("case_id").is_in(held["numerator"].implode()))
    if not without.height:
        return
    actors = without.join(_actors(reading), on="case_id", how="left").group_by("agent").len().sort(
        ["len", "agent"], descending=[True, False])
    shown = [f"{reading.name(agent)} {number:,}" for agent, number in actors.iter_rows()]
    yield Action("Put an approval before AI changes that run without one",
                 f"{without.height:,} of {count(cases.height, 'AI-assisted change')} had none before they ran: "
                 f"{names(shown)}.", "LIN-05")


def _actors(reading: Reading) -> pl.DataFrame:
    """Who executed each case."""
    return reading.analysis.decisions.steps.filter(pl.col("kind") == "action").sort("time", "step_id").group_by(
        "case_id", maintain_order=True).agg(agent=pl.col("agent_ids").list.first().first())


def _cuts(reading: Reading) -> Iterator[Action]:
    """The one cut that keeps most from tier 0."""
    if not reading.cuts.height:
        return
    first, exposed = reading.cuts.row(0, named=True), reading.exposed.height
    if not first["removed"]:
        return
    few = int(reading.cuts.filter(pl.col("cumulative_share") < _MOST_OF_ALL).height) + 1
    closed = reading.cuts["cumulative_share"]
    more = f"; {few} cuts close {closed[few - 1]:.0%}" if 1 < few <= reading.cuts.height else ""
    yield Action(
        f"Cut the way from {printable(first['src_label'] or first['src'], 50)} to "
        f"{printable(first['dst_label'] or first['dst'], 50)}",
        f"{first['removed']:,} of {count(exposed, 'principal', 'principals')} outside tier 0 reach it only by this "
        f"({printable(first['technique'], 60)}){more}.", "PRV-11")


def _unowned_admins(reading: Reading) -> Iterator[Action]:
    admins = reading.members("PRV-01", "numerator", "c")
    owned = reading.members("VIS-04", "numerator")
    judged = reading.members("VIS-04", "denominator")
    unowned = sorted(admins & (judged - owned), key=reading.name)
    if unowned:
        yield Action(f"Name owners for {count(len(unowned), 'account')} with administrator control",
                     f"No valid owner: {names([reading.name(i) for i in unowned])}.", "VIS-04")


def _unused_admin(reading: Reading) -> Iterator[Action]:
    admins = reading.members("PRV-01", "numerator", "c")
    candidates = [row for i in admins if (row := reading.permissions.get(i)) and row["unused"] and row["granted"]]
    if not candidates:
        return
    worst = max(candidates, key=lambda row: (row["sensitive_unused"] or 0, row["unused"], row["principal_id"]))
    yield Action(
        f"Cut back {reading.name(worst['principal_id'])}",
        f"It used {worst['used']:,} of {worst['granted']:,} permissions in "
        f"{reading.analysis.estate.lookback_days} days; {worst['sensitive_unused'] or 0:,} unused are sensitive. "
        f"{count(len(candidates), 'account')} with administrator control hold unused permissions.", "PRV-01")


def _self_approved(reading: Reading) -> Iterator[Action]:
    found = reading.members("LIN-06", "numerator") | reading.members("LIN-06", "numerator", "non_ai")
    if found:
        yield Action(f"Look again at {count(len(found), 'approval')} given by the person who asked",
                     "Requester and approver are the same person; needs review.", "LIN-06")


def _dormant(reading: Reading) -> Iterator[Action]:
    dormant = sorted(reading.members("PRV-18", "numerator"), key=reading.name)
    if dormant:
        yield Action(f"Disable or confirm {count(len(dormant), 'privileged account')} nobody used",
                     f"No use in {reading.analysis.estate.lookback_days} days: "
                     f"{names([reading.name(i) for i in dormant])}.", "PRV-18")


def _never_opened(reading: Reading) -> Iterator[Action]:
    reach = analysis.assistant_reach(reading.analysis.estate)
    wide = reach.filter(pl.col("accessed_not_opened") > 0)
    if wide.height:
        items = int(wide["accessed_not_opened"].sum())
        worst = wide.sort(["accessed_not_opened", "user_id"], descending=[True, False])["user_id"].to_list()
        yield Action("Check the sharing of files an assistant read that the user never opened",
                     f"{items:,} such reads for {count(wide.height, 'user')}, most for "
                     f"{names([reading.name(user) for user in worst])}.", "COP-07")


def _old_credentials(reading: Reading) -> Iterator[Action]:
    old = reading.stated("VIS-08")
    if old is not None and old["numerator"]:
        yield Action(f"Rotate {count(int(old['numerator']), 'credential')} older than 90 days",
                     f"That is {words.share_words(old)}.", "VIS-08")


# --- what could not be seen --------------------------------------------------------------------------------------

def unseen(reading: Reading) -> list[Unseen]:
    """What the loaded data cannot show; never empty by accident, since some measure always lacks something."""
    makers: tuple[Callable[[Reading], Iterator[Unseen]], ...] = (
        _gaps, _missing_days, _broken, _unknown_actors, _unobservable, _involvement, _not_scored)
    return [line for make in makers for line in make(reading)]


def _gaps(reading: Reading) -> Iterator[Unseen]:
    gaps = reading.analysis.decisions.gaps.filter(
        (pl.col("reason") == "not_collected") & (pl.col("element") == "decision"))
    blind = reading.window_cases.join(gaps.select("case_id").unique(), on="case_id", how="semi")
    if blind.height:
        yield Unseen("Who approved " + count(blind.height, "change"),
                     "No source that would hold their approvals is loaded (a ticket or change system): unknown, "
                     "not missing.")


def _missing_days(reading: Reading) -> Iterator[Unseen]:
    missing = reading.objects("VIS-09", "denominator").join(
        reading.objects("VIS-09", "numerator").select("object_id"), on="object_id", how="anti")
    if missing.height:
        yield Unseen(f"{count(missing.height, 'source-day')} without logs",
                     f"In the last {reading.analysis.estate.window_days} days, from {names(_sources(missing))}: "
                     "what happened then is not in these numbers.")
    quiet = reading.objects("VIS-09", "unknown")
    if quiet.height:
        yield Unseen(f"Whether {count(quiet.height, 'source-day')} without records were quiet",
                     f"Too few records come from {names(_sources(quiet))} to tell a quiet day from a lost one. A "
                     "source declared in expected_sources.csv is held to every day.")


def _sources(days: pl.DataFrame) -> list[str]:
    return sorted({day.split("|")[0] for day in days["object_id"]})


def _broken(reading: Reading) -> Iterator[Unseen]:
    quarantined = sum(row["quarantined"] for row in reading.analysis.estate.counts)
    rejected = sum(row["rejected"] for row in reading.analysis.estate.counts)
    if quarantined or rejected:
        yield Unseen(" and ".join(count(n, f"record or file {what}", f"records or files {what}")
                                  for n, what in ((quarantined, "not understood"), (rejected, "not for us")) if n),
                     "Each is listed with its reason in the coverage notebook.")


def _unknown_actors(reading: Reading) -> Iterator[Unseen]:
    actors = reading.measure("VIS-02")
    if actors is not None and actors["numerator"]:
        yield Unseen(f"Who {count(int(actors['numerator']), 'actor')} are" if actors["numerator"] > 1
                     else "Who one actor is",
                     f"Seen in logs, in no inventory, of {count(int(actors['denominator']), 'actor')}.")


def _unobservable(reading: Reading) -> Iterator[Unseen]:
    found = reading.analysis.access.permissions["unobservable"].sum()
    if found:
        yield Unseen("Whether " + count(int(found), "permission") + " are used",
                     "The loaded logs would not show it (data access is not logged): unknown, not unused.")


def _involvement(reading: Reading) -> Iterator[Unseen]:
    unknown = reading.window_cases.filter(pl.col("involvement_class") == "unknown").height
    if unknown:
        yield Unseen(f"Whether AI was involved in {count(unknown, 'change')}",
                     "Nothing on record shows whether a person, software or an assistant made them.")


def _not_scored(reading: Reading) -> Iterator[Unseen]:
    rows = reading.analysis.measured.measures.filter(pl.col("status") == "not_scored")
    groups = rows.group_by("reason").agg(pl.col("metric_id").unique().sort()).sort("reason")
    for reason, ids in groups.iter_rows():
        yield Unseen(f"{count(len(ids), 'measure')} not scored: {words.reason_words(reason)}", names(ids, 6) + ".")
