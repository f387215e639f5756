"""The sections of the page: a finding as heading, a picture, at most five rows, the way to the records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics import analysis
from lineage_analytics.metrics import title, words
from lineage_analytics.reporting.findings import AI, count
from lineage_analytics.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lineage_analytics.reporting.reading import Reading

ROWS = 5


@dataclass(frozen=True)
class Table:
    """A small table for people: ``more`` rows were left out; ``numeric`` and ``ids`` are columns of numbers and ids."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: int = 0
    numeric: frozenset[int] = frozenset()
    ids: frozenset[int] = frozenset()
    folded: bool = False


@dataclass(frozen=True)
class Section:
    """One section; ``figures`` are chart names, ``evidence`` metric ids whose evidence files it links to."""

    id: str
    label: str
    heading: str
    text: str
    figures: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    notebook: str = ""
    evidence: tuple[str, ...] = field(default=())


def sections(reading: Reading) -> list[Section]:
    makers = (_loaded, _privilege, _decisions, _pace, _copilot, _visibility)
    return [make(reading) for make in makers]


def _cut(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[int] = (),
         ids: Sequence[int] = ()) -> Table:
    shown = tuple(tuple(printable(cell, 90) for cell in row) for row in rows[:ROWS])
    return Table(caption, tuple(header), shown, max(len(rows) - ROWS, 0), frozenset(numeric),
                 frozenset(ids))


def _measures(reading: Reading, caption: str, wanted: Sequence[tuple[str, str]]) -> Table:
    rows = []
    for metric_id, scope in wanted:
        row = reading.measure(metric_id, scope)
        if row is not None:
            label = title(metric_id) if scope == "all" else f"{title(metric_id)} ({scope.replace('_', ' ')})"
            rows.append((label, words.measure_words(row), metric_id))
    return Table(caption, ("Measure", "Value", "Id"), tuple(rows), ids=frozenset((2,)))


def _loaded(reading: Reading) -> Section:
    counts = reading.analysis.estate.counts
    accepted, seen = (sum(row[name] for row in counts) for name in ("accepted", "seen"))
    duplicate = sum(row["duplicate"] for row in counts)
    rows = [(row["source"], f"{row['files']:,}", f"{row['accepted']:,}", f"{row['duplicate']:,}",
             f"{row['quarantined']:,}", f"{row['rejected']:,}",
             f"{row['first'][:10]} to {row['last'][:10]}" if row["first"] else "no dated records") for row in counts]
    unused = seen - accepted - duplicate
    heading = (
        f"All {seen:,} records were used" if not unused else f"{accepted + duplicate:,} of {seen:,} records were used, "
        f"{unused:,} {'is' if unused == 1 else 'are'} listed with a reason")
    header = ("Source", "Files", "Accepted", "Duplicate", "Quarantined", "Rejected", "Period")
    return Section(
        "loaded", "What was loaded", heading,
        "Seen is always accepted, duplicate, quarantined and rejected together. "
        f"{duplicate:,} records arrived more than once and count once.",
        ("coverage_calendar", "source_counts"),
        (Table("Records by source", header, tuple(rows), 0, frozenset(range(1, 6)), folded=True), *_new(reading)),
        "01_coverage", ("VIS-09",))


_DRIFT = {"record_type": "record type", "key": "new key", "type": "changed type", "revision": "revision"}
_DRIFT_SHOWN = 30


def _new(reading: Reading) -> tuple[Table, ...]:
    """What records hold that we did not know: kept, and told."""
    found = reading.analysis.estate.new_in_formats.sort("records", descending=True, maintain_order=True)
    rows = [(row["source"], _DRIFT[row["kind"]], row["name"], row["found"], f"{row['records']:,}", row["first"])
            for row in found.head(_DRIFT_SHOWN).iter_rows(named=True)]
    if not rows:
        return ()
    more = f", the {_DRIFT_SHOWN} most frequent of {found.height}" if found.height > _DRIFT_SHOWN else ""
    header = ("Source", "What", "Name", "Found as", "Records", "First in")
    return (Table(f"New in the formats{more}", header, tuple(rows), 0, frozenset({4}), folded=True),)


def _privilege(reading: Reading) -> Section:
    broad, admin = reading.stated("PRV-01", "a"), reading.measure("PRV-01", "c")
    if admin is None or not admin["denominator"]:
        heading = "Who holds too much cannot be said: no inventory of permissions is loaded"
    elif broad is None:
        heading = (f"{count(int(admin['numerator']), 'service account')} of {int(admin['denominator']):,} "
                   "hold or reach administrator control")
    else:
        heading = (f"By the loosest definition {words.percent(broad)} of service accounts are over-privileged, "
                   f"by the narrowest {words.percent(admin)}")
    admins = sorted(reading.members("PRV-01", "numerator", "c"),
                    key=lambda i: (-(reading.permissions.get(i, {}).get("sensitive_unused") or 0), reading.name(i)))
    owned, judged = reading.members("VIS-04", "numerator"), reading.members("VIS-04", "denominator")
    rows = []
    for identity in admins:
        row = reading.permissions.get(identity, {})
        owner = "yes" if identity in owned else "no" if identity in judged else "unknown"
        used = f"{row['used']:,} of {row['granted']:,}" if row.get("used") is not None else "unknown"
        rows.append((reading.name(identity), reading.kind(identity).replace("_", " "), used, owner,
                     row.get("admin_reason") or ""))
    table = _cut("Accounts that hold or reach administrator control",
                 ("Account", "Kind", "Permissions used", "Valid owner", "Because"), rows)
    measures = _measures(reading, "Privilege in numbers", _PRIVILEGE)
    return Section("privilege", "Privilege", heading,
                   "What policies, roles and groups permit within boundaries and organisations, beside what the logs "
                   "show was used; and which ways lead from there to tier 0. Every ratio is over the identities that "
                   f"inventories list: {_inventoried(reading)}.",
                   ("choke_points", "tier0_paths", "blast_radius", "excess_sweep", "use_states"), (table, measures),
                   "02_privilege", ("PRV-01", "PRV-02", "PRV-09", "PRV-11", "PRV-18"))


_PRIVILEGE = (
    ("PRV-01", "a"), ("PRV-01", "b"), ("PRV-01", "c"), ("PRV-02", "median"), ("PRV-03", "all"), ("PRV-04", "median"),
    ("PRV-05", "all"), ("PRV-06", "human"), ("PRV-09", "all"), ("PRV-12", "all"), ("PRV-13", "p95"), ("PRV-18", "all"),
    ("PRV-20", "all"))


def _inventoried(reading: Reading) -> str:
    """How complete those inventories are: a ratio over an incomplete one flatters."""
    row = reading.measure("VIS-01", "nhi")
    return "how many of the actors in the logs they list is not known" if row is None else (
        f"of the service accounts seen in logs they list {words.measure_words(row)}")


def _decisions(reading: Reading) -> Section:
    changes = reading.window_cases
    assisted = changes.filter(pl.col("involvement_class").is_in(AI))
    approved = reading.stated("LIN-05")
    if not changes.height:
        heading = "No identity change was recorded in the period"
    elif approved is not None and approved["numerator"] < approved["denominator"]:
        late = int(approved["denominator"] - approved["numerator"])
        heading = (f"{late:,} of {count(int(approved['denominator']), 'AI-assisted change')} ran without a person's "
                   "approval of them before")
    elif approved is not None:
        heading = f"A person approved {_all(int(approved['denominator']))} before it ran"
    elif assisted.height:
        heading = (f"{count(assisted.height, 'AI-assisted change')}: who asked and what ran is on record, "
                   "who approved it cannot be told")
    else:
        heading = f"{count(changes.height, 'identity change')}, none known to involve AI"
    rows = [(f"{case['time']:%-d %b %H:%M}", case["title"],
             f"{case['finding'].replace('_', ' ')}: {case['reading']}",
             reading.name(case["about"] or case["approver_id"] or case["initiator_id"]), case["case_id"])
            for case in reading.to_review.iter_rows(named=True)]
    pictured = ", the first as a picture above; lineage explain CASE tells each whole" if rows else ""
    table = _cut(f"Changes that need review{pictured}",
                 ("When", "Change", "Finding", "Who", "Case"), rows, ids=(0, 4))
    measures = _measures(reading, "Decisions in numbers", [
        ("LIN-01", "approver"), ("LIN-01", "rollback"), ("LIN-02", "all"), ("LIN-05", "all"), ("LIN-05", "non_ai"),
        ("LIN-06", "all"), ("LIN-10", "all"), ("LIN-16", "all"), ("LIN-17", "all")])
    return Section("decisions", "Decisions", heading,
                   "Six things make a decision defensible. Unknown means that the source which would show it is not "
                   "loaded, or that the provider does not log it: never that it is missing. What needs review is a "
                   "question to ask, not a fault.",
                   ("decision_elements", "approval_timing", "decision_picture"), (table, measures), "03_decisions",
                   ("LIN-01", "LIN-05", "LIN-06", "LIN-10", "LIN-16"))


def _all(number: int) -> str:
    return "the one AI-assisted change" if number == 1 else f"each of {number:,} AI-assisted changes"


_UNITS = {"identity_operations": "Identity operations", "development": "Development", "support": "Support",
          "other": "Other"}
_BY_UNIT = (("LIN-05", ""), ("LIN-16", ""), ("LIN-02", ""), ("ACC-05", ""), ("ACC-05", "policy/"))


def _pace(reading: Reading) -> Section:
    pace = reading.pace
    if pace.stopped:
        heading = f"AI had a part in {count(len(pace.stopped), 'change')} of tier 0 without a valid approval"
    elif pace.policy:
        heading = "AI-assisted changes keep to policy, as far as the numbers tell"
        if pace.opened is not None:
            heading = f"The gap to policy has been open since the week of {pace.opened:%-d %B %Y}"
        elif (pace.ag_low or 0) > 0:
            heading = "What policy asks of AI-assisted changes is not met"
    elif pace.why_not is not None or pace.ag is None:
        heading = "Whether assurance keeps up with AI is not scored"
    elif pace.opened is not None:
        heading = f"Assurance has lagged behind AI since the week of {pace.opened:%-d %B %Y}"
    elif pace.band == "keeping pace":
        heading = "Assurance keeps pace with AI"
    else:
        heading = f"The gap between pace and assurance is {words.measure_words(reading.measure('ACC-05') or {})}"
    rows = [(label, *(words.percent(row) if (row := reading.measure(metric, f"{beside}unit:{unit}")) else "not scored"
                      for metric, beside in _BY_UNIT), _changes(reading, unit)) for unit, label in _UNITS.items()]
    units = Table("Workstreams, as declared of the workflows: AI-assisted changes",
                  ("Workstream", "Approved in time", "Way back", "Reconstructable", "Gap", "Gap to policy", "Changes"),
                  tuple(rows), numeric=frozenset({6}))
    measures = _measures(reading, "Pace in numbers", _PACE)
    return Section("pace", "Pace", heading, f"{pace.sentence()} {pace.verdict}", ("acceleration_gap",),
                   (units, measures), "06_acceleration", ("ACC-04", "ACC-05", "LIN-10", "LIN-16"))


_PACE = (
    ("ACC-03", "all"), ("ACC-04", "all"), ("ACC-04", "non_ai"), ("ACC-05", "all"), ("ACC-05", "policy"),
    ("ACC-06", "window"), ("ACC-08", "opened"), ("ACC-09", "all"), ("ACC-10", "time"), ("LIN-10", "all"),
    ("LIN-11", "p50"), ("LIN-13", "p95"), ("LIN-16", "all"), ("LIN-17", "all"))


def _changes(reading: Reading, unit: str) -> str:
    row = reading.measure("ACC-01", f"unit:{unit}")
    return "unknown" if row is None or row["numerator"] is None else f"{row['numerator']:,.0f}"


def _copilot(reading: Reading) -> Section:
    reach = analysis.assistant_reach(reading.analysis.estate)
    known = reach.filter(pl.col("opened").is_not_null())
    wide = known.filter(pl.col("accessed_not_opened") > 0)
    if not reach.height:
        heading = "No assistant interactions are loaded"
    elif not known.height:
        heading = (f"Assistants read files for {count(reach.height, 'user')}; "
                   "what the users opened themselves is not logged")
    else:
        heading = (f"For {wide.height:,} of {count(known.height, 'user')} an assistant read files they never opened "
                   "themselves")
    rows = [
        (reading.name(row["user_id"]), f"{row['accessed']:,}",
         f"{row['opened']:,}" if row["opened"] is not None else "unknown",
         f"{row['accessed_not_opened']:,}" if row["accessed_not_opened"] is not None else "unknown",
         f"{row['labelled']:,}")
        for row in reach.sort(["accessed_not_opened", "user_id"], descending=[True, False], nulls_last=True
                              ).iter_rows(named=True)]
    table = _cut("Users whose assistant read most that they never opened",
                 ("User", "Read by assistant", "Opened by user", "Read, never opened", "Labelled"), rows, (1, 2, 3, 4))
    measures = _measures(reading, "Assistants in numbers", [
        ("COP-07", "all"), ("COP-09", "all"), ("COP-10", "all"), ("COP-11", "jailbreak"), ("COP-11", "cross_prompt")])
    return Section("copilot", "Copilot", heading,
                   "An assistant inherits its user's authority. What it could reach needs a sharing report, which none "
                   "of the loaded sources holds; what it did read is compared with what the user opened.",
                   ("copilot_reach",), (table, measures), "04_copilot", ("COP-07", "COP-09", "COP-11"))


def _visibility(reading: Reading) -> Section:
    full = reading.measure("VIS-14")
    if full is None or full["value"] is None:
        heading = "How fully service accounts are known cannot be scored yet"
    else:
        heading = (f"{int(full['numerator']):,} of {count(int(full['denominator']), 'service account')} "
                   "are fully known")
    measures = _measures(reading, "Visibility in numbers", [
        ("VIS-01", "all"), ("VIS-01", "nhi"), ("VIS-02", "events"), ("VIS-04", "all"), ("VIS-07", "all"),
        ("VIS-08", "all"), ("VIS-09", "all"), ("VIS-17", "90")])
    return Section("visibility", "Visibility", heading,
                   "Seven facets: inventoried, valid owner, purpose, use visible, credential age, logged, permissions "
                   "resolved.", ("facet_waterfall",), (measures,), "05_maturity", ("VIS-01", "VIS-04", "VIS-14"))
