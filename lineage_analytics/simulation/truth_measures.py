"""Numerators and denominators of the report's window, from the thought-up organisation (metrics 3 and 4)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING

from lineage_analytics.simulation.model import END, World
from lineage_analytics.simulation.names import PRIVILEGED_ROLES
from lineage_analytics.simulation.observed import SINCE, WINDOW, Answer
from lineage_analytics.simulation.owners import purpose_stated
from lineage_analytics.simulation.truth_access import LOOKBACK, Rights, rights, sensitive_actions, tier0_actions
from lineage_analytics.simulation.truth_directory import privileged_people, software
from lineage_analytics.simulation.truth_holdings import elsewhere, perhaps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date

    from lineage_analytics.simulation.model import Account, Decision, Key, Principal
    from lineage_analytics.simulation.observed import Copilot, Observed, Seen
    from lineage_analytics.simulation.truth_holdings import Holding

EXPECTED = ("aws_cloudtrail", "m365_audit", "entra_audit")
"""Logs that are declared to be expected, and come; one more is declared and does not."""


@dataclass(frozen=True)
class Measure:
    """One answer. ``unknown`` are objects of which the records cannot tell."""

    metric_id: str
    scope: str
    numerator: float
    denominator: float
    unknown: int = 0


def measures(world: World, observed: Observed) -> list[Measure]:
    """Every measure with a known answer, by id and scope."""
    found = rights(world, observed)
    parts = [visibility(world, observed), owned(world, found, observed), credentials(world),
             copilot(observed.copilot), decided(world)]
    parts.append(assignments(world, found))
    if world.days > LOOKBACK.days:
        parts.append(privilege(world, found, observed))
    return sorted((m for part in parts for m in part), key=lambda m: (m.metric_id, m.scope))


def share(metric_id: str, scope: str, answers: Iterable[Answer] | Counter[Answer]) -> Measure:
    """Three-valued: True counts above and below, False below, None is unknown."""
    counted = Counter(answers)
    return Measure(metric_id, scope, counted[True], counted[True] + counted[False], counted[None])


# --- privilege -----------------------------------------------------------------------------------------------------


def privilege(world: World, found: dict[str, Rights], observed: Observed) -> list[Measure]:
    nhis = [r for r in found.values() if r.principal.is_nhi]
    ripe = [r for r in nhis if not r.young]
    ripe_known = [r for r in ripe if r.granted is not None]
    others = [r for r in found.values() if not r.principal.excluded and not r.young]
    privileged = [r for r in others if r.privileged is not False]
    # The AI agent of the directory is a service account too, that nobody made in the look-back.
    agent = world.agents[0].object_id
    known = {**software(world), **elsewhere(world, observed)}
    accounts = [a for a in world.accounts if a.is_nhi]
    held = [known.get(agent), *(known.get(a.native_id) for a in accounts)]
    held_ripe = [known.get(agent), *(known.get(a.native_id) for a in accounts if not _young(a))]
    uses = [one.use for one in held_ripe if one is not None and one.use is not None]
    return [
        share("PRV-01", "a", [*map(_broad, ripe), *map(_broad_elsewhere, held_ripe)]),
        share("PRV-01", "b", [*map(_standard, ripe), *map(_standard_elsewhere, held_ripe)]),
        share("PRV-01", "c", [*(r.admin if r.granted is not None else None for r in nhis),
                              *(None if one is None else one.admin for one in held)]),
        Measure("PRV-02", "pooled", sum(len(r.unused) for r in ripe_known) + sum(use.unused for use in uses),
                sum(len(r.unused | r.used) for r in ripe_known) + sum(use.unused + use.used for use in uses),
                sum(len(r.hidden) for r in ripe_known) + sum(one.hidden for one in held_ripe if one is not None)),
        share("PRV-05", "all", [*(r.wildcard if r.granted is not None else None for r in nhis),
                                *(None if one is None else one.wildcard for one in held)]),
        share("PRV-18", "all", [*(
            None if r.privileged is None else r.last_use is None or r.last_use <= END - LOOKBACK
            for r in privileged), *_dormant_in_directory(world, observed), *_dormant_elsewhere(world, observed)]),
    ]


def _dormant_in_directory(world: World, observed: Observed) -> list[Answer]:
    """Privileged people and software of the directory: nobody used them; unknown where no log of sign-ins is told.

    Privileged people are at work every month, or never.
    """
    people, listed = privileged_people(world), software(world)
    used = {world.agents[0].object_id: observed.last_use.get(world.agents[0].object_id),
            **{a.native_id: observed.last_use.get(a.ref) for a in world.accounts if a.native_id in listed}}
    if "directory" not in world.cast:
        return [None] * len(people | perhaps(world))
    logins = {p.object_id: p.login for p in world.persons} | {p.admin_id: p.admin_login for p in world.persons}
    return [*(logins[one] not in observed.actors for one in sorted(people)),
            *((last := used.get(one)) is None or last <= END - LOOKBACK
              for one, held in sorted(listed.items()) if held.privileged),
            *(None for _ in perhaps(world) - people)]


def _dormant_elsewhere(world: World, observed: Observed) -> list[Answer]:
    """Privileged accounts of other providers, or of which that cannot be told; unknown too where no log is of them."""
    known = elsewhere(world, observed)
    answers: list[Answer] = []
    for account in world.accounts:
        held = known.get(account.native_id)
        if held is None or held.privileged is False or account.kind == "group" or account.excluded or _young(account):
            continue
        last = max((time for time in (observed.last_use.get(account.ref), account.details.get("seen"))
                    if time is not None), default=None)
        told = held.privileged and account.logged
        answers.append((last is None or last <= END - LOOKBACK) if told else None)
    return answers


def _broad_elsewhere(held: Holding | None) -> Answer:
    if held is None or held.use is None:
        return None
    return True if held.wildcard or held.use.unused else None if held.hidden else False


def _standard_elsewhere(held: Holding | None) -> Answer:
    """As of accounts of AWS."""
    if held is None or held.use is None:
        return None
    use, seen = held.use, held.use.used + held.use.unused
    if use.sensitive_unused or (seen and 2 * use.unused >= seen):
        return True
    doubt = use.sensitive_hidden or 2 * (use.unused + held.hidden) >= seen + held.hidden
    return None if held.hidden and doubt else False


def _young(account: Account) -> bool:
    return account.created is not None and account.created > END - LOOKBACK


def _broad(own: Rights) -> Answer:
    if own.granted is None:
        return None
    return True if own.wildcard or own.unused else None if own.hidden else False


def _standard(own: Rights) -> Answer:
    """At least one unused sensitive permission, or half unused; unknown where unlogged use could decide it."""
    if own.granted is None:
        return None
    seen = len(own.used) + len(own.unused)
    if own.unused & sensitive_actions() or (seen and 2 * len(own.unused) >= seen):
        return True
    doubt = own.hidden & sensitive_actions() or 2 * len(own.unused | own.hidden) >= seen + len(own.hidden)
    return None if own.hidden and doubt else False


def assignments(world: World, found: dict[str, Rights]) -> list[Measure]:
    """Privileged assignments in force: of directory roles, as far as the logs reach; of AWS policies, all for good."""
    order = {"standing": 0, "eligible": 1, "timebound": 2, "activated": 3, "unknown": 4}
    held: dict[tuple[str, str, str, bool], str] = {}
    for one in world.assignments:
        if one.role in PRIVILEGED_ROLES and (one.until is None or one.until > END):
            key = (one.holder, one.role, one.over, one.software)
            held[key] = min(held.get(key, one.state), one.state, key=order.__getitem__)
    answers: dict[bool, list[Answer]] = {True: [], False: []}
    for (*_, by_software), state in held.items():
        answers[by_software].append(None if state == "unknown" else state == "standing")
    accounts = [r for r in found.values() if r.principal.is_nhi and r.granted is not None
                and r.granted & tier0_actions()]
    return [share("PRV-06", "human", answers[False]),
            share("PRV-06", "nhi", [*answers[True], *(True for _ in accounts)])]


# --- visibility ----------------------------------------------------------------------------------------------------


def visibility(world: World, observed: Observed) -> list[Measure]:
    actors = list(observed.actors.values())
    scopes: dict[str, Callable[[Seen], bool]] = {
        "all": lambda _: True, "human": lambda a: a.kind == "human",
        "nhi": lambda a: a.kind not in ("human", "unknown")}
    found = [share("VIS-01", scope, (a.listed for a in actors if fits(a))) for scope, fits in scopes.items()]
    found += [share("VIS-02", scope, (_not(a.listed) for a in actors if fits(a))) for scope, fits in scopes.items()]
    told = [a for a in actors if a.listed is not None]
    found.append(Measure("VIS-02", "events", sum(a.events for a in told if not a.listed),
                         sum(a.events for a in told), sum(a.events for a in actors if a.listed is None)))
    return [*found, _received(world, observed)]


def _usual(counts: Counter[date]) -> float:
    """The median of the days from the first with a record to the last, of the last ninety: a day without one counts."""
    last = max(counts)
    span = min((last - min(counts)).days + 1, 90)
    return median(counts[last - timedelta(days=back)] for back in range(span))


def _received(world: World, observed: Observed) -> Measure:
    """Source-days received: at least a tenth of the source's median day. One expected source never delivered."""
    in_window = [day.date() for day in world.midnights[-WINDOW.days:]]
    good = sum(counts[day] > 0 and counts[day] >= 0.1 * _usual(counts)
               for counts in (observed.daily[source] for source in EXPECTED) for day in in_window)
    return Measure("VIS-09", "all", good, (len(EXPECTED) + 1) * len(in_window))


def owned(world: World, found: dict[str, Rights], observed: Observed) -> list[Measure]:
    nhis = [p for p in world.principals if p.is_nhi]
    answers: dict[str, Answer] = {"true": True, "false": False, "unknown": None}
    # The AI agent of the directory has a confirmed owner; its permissions are known where the directory is listed, and
    # its use where its sign-ins are told.
    spanned = world.days >= 0.9 * LOOKBACK.days
    known = {**software(world), **elsewhere(world, observed)}
    agent = True if world.agents[0].object_id in known and world.agents[0].logged and spanned else None
    others = [a for a in world.accounts if a.is_nhi]
    owners = [*(p.owner_state for p in nhis), *(a.owner_state for a in others)]
    result = [share("VIS-04", "all", [*(answers[state] for state in owners), True]),
              share("VIS-14", "all", [*(_visible(world, p, known=found[p.native_id].granted is not None)
                                        for p in nhis), agent,
                                      *(_visible(world, a, known=True) if a.native_id in known and a.logged else None
                                        for a in others)])]
    for days in (45, 90):
        if world.days >= days:
            since = END - timedelta(days=days)
            result.append(share("VIS-17", str(days), [
                *(_idle(found[p.native_id].last_use, since) for p in nhis if p.created <= since),
                *(_idle(observed.last_use.get(a.object_id), since) if a.logged else None for a in world.agents[:1]),
                *(_idle(observed.last_use.get(a.ref), since) if a.logged else None for a in others
                  if a.enabled is not False and (a.created is None or a.created <= since))]))
    return result


def _idle(last_use: datetime | None, since: datetime) -> bool:
    return last_use is None or last_use <= since


def _visible(world: World, who: Principal | Account, *, known: bool) -> Answer:
    """All seven facets; any unknown facet makes the account unknown, not false (metrics VIS-14)."""
    facets: list[Answer] = [
        {"true": True, "false": False, "unknown": None}[who.owner_state],
        purpose_stated(who),
        True if world.days >= 0.9 * LOOKBACK.days else None,
        all(k.created is not None for k in who.keys),
        known,
    ]
    return None if None in facets else all(facets)


def credentials(world: World) -> list[Measure]:
    keys: list[Key] = []
    for who in world.principals:
        if who.inventoried and who.in_report and not who.is_role:
            keys += [*who.keys, *([who.password] if who.password else [])]
    keys += [key for account in world.accounts for key in account.keys]
    old = END - timedelta(days=90)
    return [share("VIS-07", "all", (k.created is not None for k in keys)),
            share("VIS-08", "all", (_over_age(k, old) for k in keys))]


def _over_age(key: Key, old: datetime) -> Answer:
    """Made too long ago; of a certificate: past its end."""
    if key.kind == "cert":
        return None if key.expires is None else key.expires < END
    return None if key.created is None else key.created < old


# --- copilot -------------------------------------------------------------------------------------------------------


def copilot(sums: Copilot) -> list[Measure]:
    return [
        share("COP-07", "all", sums.labelled), share("COP-09", "all", sums.threaded),
        share("COP-10", "all", sums.blocked), share("COP-11", "jailbreak", sums.jailbreak),
        share("COP-11", "cross_prompt", sums.crossed),
    ]


# --- decisions -----------------------------------------------------------------------------------------------------

_STATE: dict[str, Answer] = {"proved": True, "missing": False, "unknown": None}
_WITHIN: dict[str, Answer] = {"exact": True, "narrower": True, "broader": False, "different": False, "unknown": None}
FEW = 30
LONG_WINDOW = timedelta(days=90)


def decided(world: World) -> list[Measure]:
    executed = [d for d in world.decisions if d.executed and SINCE < d.time <= END]
    groups = {"": [d for d in executed if d.involvement not in ("none", "unknown")],
              "/non_ai": [d for d in executed if d.involvement == "none"]}
    found: list[Measure] = []
    for tail, cases in groups.items():
        scope = tail.strip("/") or "all"
        elements: dict[str, list[Answer]] = {
            "initiator": [_STATE[d.initiator] for d in cases], "action": [True for _ in cases],
            "approver": [_STATE[d.approver] for d in cases], "rollback": [_STATE[d.rollback] for d in cases],
            "inputs": [_STATE[d.inputs] for d in cases],
            "recommendation": [_STATE[d.recommendation] for d in cases]}
        if tail:  # not required of a change no AI took part in
            elements["inputs"] = elements["recommendation"] = []
        found += [share("LIN-01", name + tail, states) for name, states in elements.items()]
        found += [
            share("LIN-02", scope, (_all(_legs(d, ai=not tail)) for d in cases)),
            share("LIN-05", scope, map(_approved, cases)),
            share("LIN-06", scope, (d.self_approved for d in cases if d.approvals)),
            share("LIN-09", scope, (_WITHIN[match] for d in cases if (match := _match(d)))),
            share("LIN-16", scope, (_STATE[d.rollback] for d in cases)),
            Measure("ACC-01", scope, len(cases), WINDOW.days),
        ]
    found += _kept(world, few=len(groups[""]) < FEW)
    by_class = Counter(d.involvement for d in executed)
    return found + [Measure("ACC-01", name, by_class[name], WINDOW.days)
                    for name in ("drafts", "executes_approved", "executes_autonomous", "unknown")]


def _match(decision: Decision) -> str:
    """What was done beside what was approved, also where clocks cannot tell which came first."""
    near = "order_uncertain" in (decision.order, decision.verdict) and not decision.by_policy
    return decision.effect_match or (replace(decision, stated_order="prior", verdict="").effect_match if near else "")


def _kept(world: World, *, few: bool) -> list[Measure]:
    """Two of the legs of an assured decision; who held which part of it, which the third asks, is not planted. Where
    few AI-assisted changes fall into the window it is of 90 days."""
    since = END - (LONG_WINDOW if few else WINDOW)
    executed = [d for d in world.decisions if d.executed and since < d.time <= END]
    assisted = [d for d in executed if d.involvement not in ("none", "unknown")]
    others = [d for d in executed if d.involvement == "none"]
    of_ai = [_all([_STATE[state] for state in (d.initiator, d.inputs, d.recommendation)]) for d in assisted]
    return [share("ACC-04", "evidence", of_ai), share("ACC-04", "rollback", (_STATE[d.rollback] for d in assisted)),
            share("ACC-04", "evidence/non_ai", (_STATE[d.initiator] for d in others)),
            share("ACC-04", "rollback/non_ai", (_STATE[d.rollback] for d in others))]


def _approved(decision: Decision) -> Answer:
    """Approved before by a person, for what was done: unknown where the approval does not say for what."""
    told = _STATE[decision.approved]
    return {"exact": True, "unknown": None}.get(decision.effect_match, False) if told else told


def _legs(decision: Decision, *, ai: bool) -> list[Answer]:
    of_ai = (decision.inputs, decision.recommendation) if ai else ()
    return [_STATE[state] for state in (decision.initiator, decision.approver, decision.rollback, *of_ai)]


def _not(answer: Answer) -> Answer:
    return None if answer is None else not answer


def _all(answers: list[Answer]) -> Answer:
    """Kleene: one False decides; else one unknown leaves it open."""
    return False if False in answers else None if None in answers else True
