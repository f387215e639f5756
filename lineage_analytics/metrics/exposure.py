"""Ways to tier 0, and how far each identity reaches: PRV-09 to PRV-13 (design section 3.1)."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.graphs.access.tier0 import is_tier0
from lineage_analytics.metrics.assignments import role_assignments
from lineage_analytics.metrics.catalog import metric
from lineage_analytics.metrics.context import RECORDS_SHOWN
from lineage_analytics.metrics.lists import listed
from lineage_analytics.metrics.population import Population, population
from lineage_analytics.metrics.unknowns import doubt, lack, privileged
from lineage_analytics.permissions.aws.principals import native
from lineage_analytics.permissions.memberships import in_force, memberships

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lineage_analytics.metrics.context import Context

_HOLDS = "hold the role"
_ROLES = ("directory_role", "role", "group")
HOPS_SHADOW = 3
HOPS_BLAST = 4
TOP = 10
_NEEDS = "account inventories with policies, and what is tier 0"
_TABLES = ("identities", "entitlements")
_UNREAD = "no inventory of what "
_OUTSIDE = "not an identity of the estate"
_KINDS = {
    "human": ("human",), "service_account": ("service_account", "api_key"), "workload": ("workload",),
    "app": ("app",), "ai": ("ai_agent", "ai_assistant"),
}


def _principals(context: Context, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows by ``principal_id`` as objects: ``excluded``, permissions and, where there is one, the way to tier 0.

    Accounts of a system whose permissions nobody reads, and that lead nowhere, are no members.
    """
    known = context.identities.select(
        "gone", object_kind="kind", principal_id="id", source_rows="record_ids", display="display_name")
    return frame.drop("kind", strict=False).join(known, on="principal_id", how="left").join(
        context.permissions, on="principal_id", how="left").join(
        _ways(context), on="principal_id", how="left").with_columns(
        object_id=pl.col("principal_id"), known=pl.col("object_kind").is_not_null(),
        object_kind=pl.col("object_kind").fill_null("unknown"),
    ).with_columns(excluded=pl.coalesce(
        "gone", pl.when(~pl.col("known")).then(pl.lit(_OUTSIDE)).when(pl.col("object_kind") == "group").then(
            pl.lit("a group is no identity")).when(
            pl.col("doubt").str.starts_with(_UNREAD) & pl.col("way").is_null()).then("doubt")))


def _ways(context: Context) -> pl.DataFrame:
    """The shortest way of each principal to tier 0: ``principal_id way_hops way_state way way_rows``."""
    def found() -> pl.DataFrame:
        labels = dict(context.access.nodes.select("node_id", "label").iter_rows())
        paths = context.access.paths()
        words = [_words(path, takes, labels) for path, takes in paths.select("path", "techniques").iter_rows()]
        return paths.select(
            "principal_id", "record_ids", way_hops="hops", way_state="state", way=pl.Series(words, dtype=pl.String)
        ).rename({"record_ids": "way_rows"}).with_columns(pl.col("way_rows").list.head(RECORDS_SHOWN))

    return context.once("ways to tier 0", found)


def _words(path: list[str], techniques: list[str], labels: Mapping[str, str | None]) -> str:
    """``to A: take over; to B: reset its password``."""
    names = [labels.get(node) or node for node in path[1:]]
    taken = list(techniques) + [""] * (len(names) - len(techniques))
    return "; ".join(f"to {name}" + (f": {how}" if how else "") for name, how in zip(names, taken, strict=False))


@metric(
    "PRV-09", title="Identities with a way to tier 0",
    question="Who outside the innermost circle could get into it?",
    numerator="at least one way, of however many steps, to a tier-0 role or resource",
    denominator="identities outside tier 0, of every kind. One whose only way hangs on a condition is unknown, and one "
                "without a way whose permissions are not known",
    kind="census", direction="lower", green=0.01, red=0.40, refs=("AC-6(10)",), needs=_NEEDS, tables=_TABLES,
    snapshot="entitlements")
def tier0_exposure(context: Context) -> Mapping[str, Population]:
    if not context.has("entitlements"):
        return {}
    frame = _principals(context, context.access.exposure())
    exposed, known = pl.col("exposed"), pl.col("granted").is_not_null()
    return {"all": population(frame.with_columns(
        truth=pl.when(exposed).then(pl.lit(value=True)).when(exposed.not_() & known).then(pl.lit(value=False)),
        reason=pl.when(exposed).then(pl.format("{} steps: {}", "hops", pl.col("way").fill_null("not spelled out")))
        .when(exposed.is_null()).then(pl.format("only if a condition holds: {}", pl.col("way").fill_null("")))
        .when(~known).then(doubt("its permissions are not known"))
        .otherwise(pl.lit("no way to tier 0")),
        lack=pl.when(exposed.not_()).then(lack(known, known)),
        source_rows=pl.coalesce("way_rows", "grants", "source_rows")))}


@metric(
    "PRV-10", title="Ways into tier 0, counted in edges",
    question="How many doors are there, and how many must we close?",
    numerator="entry_edges: distinct edges by which somebody outside enters tier 0; cut_size: the fewest edges whose "
              "removal leaves nobody a way; median_hops and min_hops: steps of the shortest ways of those exposed",
    denominator="none: counts of proved edges, never of paths, which multiply",
    kind="census", unit="count", direction="lower", refs=("AC-6(10)",), needs=_NEEDS, tables=_TABLES,
    scopes=("entry_edges", "cut_size", "median_hops", "min_hops"), snapshot="entitlements")
def ways_in(context: Context) -> Mapping[str, Population]:
    if not context.has("entitlements"):
        return {}
    sizes = context.access.cut_size()
    counts = {"entry_edges": (sizes.entry_edges, "edges into tier 0 on somebody's way"),
              "cut_size": (sizes.cut_size, "edges whose removal leaves nobody a way")}
    found = {scope: population(pl.DataFrame({
        "object_id": ["tier0"], "object_kind": ["graph"], "state": ["in" if size else "out"],
        "reason": ["no set of grants closes every way" if size is None else f"{size:,} {words}"],
        "num": [float(size or 0)], "den": [0.0]}), "count", base=1.0,
        lack="definition_not_met" if size is None else None)
        for scope, (size, words) in counts.items()}
    exposed = context.access.exposure().filter(pl.col("exposed").fill_null(value=False))
    frame = _principals(context, exposed).with_columns(
        value=pl.when(pl.col("excluded").is_null()).then(pl.col("hops").cast(pl.Float64)),
        truth=pl.lit(value=True), reason=pl.format("{} steps: {}", "hops", pl.col("way").fill_null("not spelled out")),
        source_rows=pl.coalesce("way_rows", "grants", "source_rows"))
    return found | {scope: population(frame, how, unit="hops")
                    for scope, how in (("median_hops", "median"), ("min_hops", "min"))}


@metric(
    "PRV-11", title="What to cut first",
    question="Which one grant, if it went, would shut out most?",
    numerator="exposed principals without a way once it is cut: scope first is the best single cut, top10 the ten "
              "best, one after another; the evidence lists them in that order",
    denominator="principals outside tier 0 with a proved way to it",
    kind="census", direction="none", refs=("ID.RA-06",), needs=_NEEDS, tables=_TABLES, scopes=("first", "top10"),
    snapshot="entitlements")
def choke_points(context: Context) -> Mapping[str, Population]:
    if not context.has("entitlements"):
        return {}
    cuts = context.access.choke_points(TOP)
    exposed = int(cuts["removed"][0] + cuts["remaining"][0]) if cuts.height else 0
    first = pl.col("rank") == 1
    frame = cuts.with_columns(
        object_id=pl.concat_str(pl.col("rank").cast(pl.String).str.zfill(2), "src", "dst", separator="|"),
        object_kind=pl.lit("edge"), source_rows=pl.col("record_ids").list.head(RECORDS_SHOWN),
        den=pl.when(first).then(float(exposed)).otherwise(0.0),
        reason=pl.format("cut {}: {} of {} exposed lose their way, {} are left; {} to {}: {}", "rank", "removed",
                         pl.lit(exposed), "remaining", pl.col("src_label").fill_null(pl.col("src")),
                         pl.col("dst_label").fill_null(pl.col("dst")), pl.col("reason").fill_null("")))
    return {
        "first": population(frame.with_columns(
            state=pl.when(first & (pl.col("removed") > 0)).then(pl.lit("in")).otherwise(pl.lit("out")),
            num=pl.when(first).then(pl.col("removed").cast(pl.Float64)).otherwise(0.0)), "part"),
        "top10": population(frame.with_columns(
            state=pl.when(pl.col("removed") > 0).then(pl.lit("in")).otherwise(pl.lit("out")),
            num=pl.col("removed").cast(pl.Float64)), "part"),
    }


@metric(
    "PRV-12", title="Shadow administrators",
    question="Who can do what an administrator can, and is called none?",
    numerator=f"a way to tier-0 control of at most {HOPS_SHADOW} steps, none included, and no declared administrator: "
              "neither holder nor member of a role, group or policy that the lists of administrators name",
    denominator="privileged identities: those that hold a sensitive permission of weight 10 or reach tier 0",
    kind="census", unit="per_100", direction="lower", green=0.0, red=20.0, refs=("CIS 5.4", "PR.AA-05", "AC-6"),
    needs=_NEEDS, tables=_TABLES, snapshot="entitlements")
def shadow_admins(context: Context) -> Mapping[str, Population]:
    if not context.has("entitlements"):
        return {}
    declared = pl.DataFrame(sorted(declared_admins(context).items()), orient="row",
                            schema={"principal_id": pl.String, "declared": pl.String})
    listed_ones = context.identities.filter(pl.col("inventoried").fill_null(value=False) & (pl.col("kind") != "group"))
    frame = _principals(context, listed_ones.select(principal_id="id")).join(declared, on="principal_id", how="left")
    near = (pl.col("way_hops") <= HOPS_SHADOW) & (pl.col("way_state") == "proved")
    maybe = (pl.col("way_hops") <= HOPS_SHADOW) & (pl.col("way_state") == "conditional")
    frame = frame.with_columns(privileged=privileged()).filter(pl.col("privileged").fill_null(value=True))
    unlisted = pl.col("privileged").is_null() & (pl.col("doubt_code") == "no_source") & pl.col("way_hops").is_null()
    calm = pl.col("declared").is_not_null() | ~(near | maybe).fill_null(value=False)
    return {"all": population(frame.with_columns(
        excluded=pl.coalesce("excluded", pl.when(unlisted).then("doubt")),
        truth=pl.when("privileged").then(pl.when(pl.col("declared").is_not_null()).then(pl.lit(value=False))
                                         .when(near.fill_null(value=False)).then(pl.lit(value=True))
                                         .when(calm).then(pl.lit(value=False))),
        reason=pl.when(pl.col("privileged").is_null()).then(_doubt_or_way())
        .when(pl.col("declared").is_not_null()).then(pl.format("declared: {}", "declared"))
        .when(near.fill_null(value=False)).then(_way())
        .when(maybe.fill_null(value=False)).then(pl.format("only if a condition holds: {}", "way"))
        .when(pl.col("way_hops").is_not_null()).then(pl.format("its way to tier 0 takes {} steps", "way_hops"))
        .otherwise(pl.lit("holds a sensitive permission of weight 10, no way to tier 0")),
        source_rows=pl.coalesce("way_rows", "grants", "source_rows")))}


def _way() -> pl.Expr:
    return pl.when(pl.col("way_hops") == 0).then(
        pl.format("is tier 0 itself: {}", pl.coalesce("admin_reason", pl.lit("by what it holds")))).otherwise(
        pl.format("{} steps: {}", "way_hops", "way"))


def _doubt_or_way() -> pl.Expr:
    return pl.when(pl.col("way_state") == "conditional").then(
        pl.format("only if a condition holds: {}", "way")).otherwise(doubt("whether it is privileged is not known"))


@metric(
    "PRV-13", title="How far each identity reaches",
    question="If one account were lost, how much would go with it?",
    numerator=f"criticality of what it reaches within {HOPS_BLAST} steps over proved edges by which one becomes or "
              "controls another; criticality per kind of node is data",
    denominator="criticality of everything in the graph but itself. Over identities: median (p50), 95th percentile, "
                "most, and the 95th percentile by kind. Edges under a condition widen it upwards; an identity whose "
                "permissions are not known and that reaches nothing is unknown",
    kind="census", direction="lower", green=0.03, red=0.25, refs=("NHI5:2025", "ID.AM-05"), needs=_NEEDS,
    tables=_TABLES, scopes=("p50", "p95", "max", *_KINDS), snapshot="entitlements")
def blast_radius(context: Context) -> Mapping[str, Population]:
    if not context.has("entitlements"):
        return {}
    frame = _principals(context, context.access.blast_radii(HOPS_BLAST))
    known = pl.col("granted").is_not_null() | (pl.col("reached") > 0)
    counted = known & pl.col("excluded").is_null()
    frame = frame.with_columns(
        truth=pl.when(known).then(pl.col("reached") > 0),
        value=pl.when(counted).then("share"), worst=pl.when(counted).then("share_with_conditional"),
        best=pl.when(counted).then("share"),
        reason=pl.when(known).then(pl.format(
            "reaches {} others, {} % of all criticality{}", "reached", (pl.col("share") * 100).round(1),
            pl.when("tier0_reached").then(pl.lit(", tier 0 among them")).otherwise(pl.lit(""))))
        .otherwise(doubt("its permissions are not known")),
        lack=lack(known, known), source_rows=pl.coalesce("way_rows", "grants", "source_rows"))
    whole = population(frame, "p95", unit="share").frame
    hows = {"p50": "median", "p95": "p95", "max": "max"}
    found = {scope: Population(whole, how, "share") for scope, how in hows.items()}
    return found | {scope: Population(whole.filter(pl.col("object_kind").is_in(kinds)), "p95", "share")
                    for scope, kinds in _KINDS.items()}


def declared_admins(context: Context) -> dict[str, str]:
    """Who is a declared administrator, by identity, and by what: the first of its roles, groups or policies."""
    found: dict[str, str] = {}
    groups: dict[str, str] = {}
    kinds = dict(context.identities.select("id", "kind").iter_rows())
    for holder, what in sorted(_declared(context)):
        (groups if kinds.get(holder) == "group" else found).setdefault(holder, what)
    for provider in sorted(set(context.identities["provider"].drop_nulls())):
        nested = memberships(context.facts, (provider,), eligible=True)
        for member in sorted({step.member for step in nested.steps()}):
            inside = sorted(set(nested.above(member)) & groups.keys())
            if inside and kinds.get(member) != "group":
                found.setdefault(member, groups[inside[0]])
    return found


def _declared(context: Context) -> Iterator[tuple[str, str]]:
    """Holders of declared roles and policies, and the declared groups themselves, each with what it is."""
    for holder, role in role_assignments(context).select("principal_id", "privilege").iter_rows():
        yield holder, f"role {role}"
    stated = context.facts.frame("entitlements").filter(
        in_force(context.facts) & (pl.col("effect").fill_null("allow") == "allow"))
    named = context.access.nodes.filter(pl.col("tier0").fill_null(value=False) & pl.col("kind").is_in(_ROLES))
    into = context.access.edges.filter(
        pl.col("rel").is_in(["member_of", "holds_policy"]) | (pl.col("technique") == _HOLDS)).join(
        named.select("label", "provider", dst="node_id", sort="kind"), on="dst")
    for holder, label, provider, sort in into.select("src", "label", "provider", "sort").drop_nulls().iter_rows():
        if is_tier0(provider, sort, label):
            yield holder, f"role {label}"
    sets = {native(name)[1]: label for name, label in context.facts.frame("resources").filter(
        pl.col("kind") == "permission_set").select("id", "display_name").drop_nulls().iter_rows()}
    roles = stated.filter(pl.col("grant_kind") == "role").select("principal_id", "privilege", "provider").drop_nulls()
    for holder, role, provider in roles.unique().iter_rows():
        if is_tier0(provider, "directory_role", role) or is_tier0(provider, "role", role) or _named(
                provider, "directory_role", role) or _named(provider, "permission_set", sets.get(role, role)):
            yield holder, f"role {sets.get(role, role)}"
    held = stated.filter(pl.col("grant_kind") == "attachment").select("principal_id", "scope", "provider").drop_nulls()
    for holder, policy, provider in held.unique().iter_rows():
        if _named(provider, "policy", native(policy)[1]):
            yield holder, f"policy {policy.rsplit('/', 1)[-1]}"
    for group, label, provider in context.identities.filter(pl.col("kind") == "group").select(
            "id", "display_name", "provider").drop_nulls().iter_rows():
        if is_tier0(provider, "group", label) or _named(provider, "group", label):
            yield group, f"group {label}"
    jewels = context.facts.frame("resources").filter(pl.col("tier0").fill_null(value=False))["id"].drop_nulls()
    for jewel in jewels:
        yield jewel, "declared as tier 0"


def _named(provider: str, kind: str, name: str) -> bool:
    return _names().get((provider, kind), _nobody)(name)


def _nobody(_name: str) -> bool:
    return False


@cache
def _names() -> Mapping[tuple[str, str], Callable[[str], bool]]:
    found: dict[tuple[str, str], list[str]] = {}
    for row in listed("declared_admin_roles"):
        pattern = re.escape(row["name"]).replace(r"\*", ".*")
        found.setdefault((row["provider"], row["kind"]), []).append(pattern)
    return {key: _matcher("|".join(f"(?:{one})" for one in patterns)) for key, patterns in found.items()}


def _matcher(pattern: str) -> Callable[[str], bool]:
    fits = re.compile(pattern, re.IGNORECASE | re.DOTALL).fullmatch
    return lambda name: fits(name) is not None
