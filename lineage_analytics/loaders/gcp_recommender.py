"""IAM recommender of Google Cloud: what the machine saw, advised, and what people did about it (sources 7.3).

Shapes  ``gcloud recommender recommendations|insights list`` as array, pages of the API (``recommendations``,
        ``insights``), lines, rows of the BigQuery export (underscores, ``content`` as text); entries of the platform
        log ``recommender.googleapis.com/actions`` in the packings of ``gcp_audit``.
Maps    insights to signals, recommendations to ``decision_steps`` of origin rule; actions to ``activity``, decisions,
        outcomes and attempts; members to ``identity_facts``.
Drops   descriptions, and metadata that people wrote when they acted, but for whether there was any; recommendations of
        other recommenders than those on access, rejected as ``out_of_scope``.
Schema  recommender v1 and v1beta1, ActionLog and InsightActionLog v1; unknown keys of an action are in ``unmapped``.

The recommendation's name joins advice, decision and outcome; an insight with one recommendation bears that name too.
``time`` of advice is when it was last refreshed, the only time it states. The state in a snapshot has neither actor nor
time: it is kept as ``decided_value`` of the advice and is no decision. Mixed files of audit and action entries go to
``gcp_audit``, which reads both.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics import tables
from lineage_analytics.loaders import _gcp_entries
from lineage_analytics.loaders._gcp_actions import INSIGHT_KEY_KIND, KEY_KIND
from lineage_analytics.loaders._gcp_bindings import binding_key, condition, resource
from lineage_analytics.loaders._gcp_entry import is_action_log, is_entry, listed, squeezed
from lineage_analytics.loaders._gcp_members import PROVIDER, member, service_account
from lineage_analytics.loaders._gcp_pages import inner, paged
from lineage_analytics.loaders._principals import Principal, fact
from lineage_analytics.loaders.common.assembly import Entry, RecordFault, assemble
from lineage_analytics.loaders.common.contract import Batch, Chunk, Match
from lineage_analytics.loaders.common.packings import head_keys
from lineage_analytics.loaders.common.stated import stated
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, embedded, name, text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from lineage_analytics.loaders.common.contract import Document, Sample

__all__ = ["FEEDS", "LATENESS", "PROVIDER", "detect", "extract", "transform"]

LATENESS = timedelta(days=1)
FEEDS = frozenset({"activity", "decision_steps", "identity_facts"})
SOURCE = "gcp_recommender"

_PAGES = ("recommendations", "insights")
_ADVICE, _INSIGHT = "/recommenders/", "/insightTypes/"
_BASIS = "a recommender of the platform made it"
_SECONDS_PER_DAY = 86_400
KNOWN = {
    "name": "string", "description": "string", "recommenderSubtype": "string", "lastRefreshTime": "string",
    "primaryImpact": "object string", "additionalImpact": "array", "priority": "string", "content": "object string",
    "stateInfo": "object string", "etag": "string", "associatedInsights": "array", "xorGroupId": "string",
    "targetResources": "array", "insightSubtype": "string", "observationPeriod": "string", "category": "string",
    "severity": "string", "associatedRecommendations": "array",
}


def detect(sample: Sample) -> Match | None:
    """Recommendations and insights by the form of their names; action logs by their type."""
    if sample.first is None:
        keys = head_keys(sample)
        long = bool({"recommendersubtype", "insightsubtype"} & keys) and "stateinfo" in keys
        return Match("objects", 0.8, "a recommendation longer than the head") if long else None
    first = inner(sample.first, _PAGES)
    if is_action_log(first) and b"protoPayload" not in sample.head:
        return Match("entries", 0.95, "ActionLog entries of the recommender")
    if first is not None and _object_kind(squeezed(first)) is not None:
        return Match("objects", 0.95, "names under recommenders/ or insightTypes/")
    return None


def _object_kind(fields: Fields) -> str | None:
    """``recommendation`` or ``insight`` by the resource name; None for other objects."""
    held = text(fields.get("name")) or ""
    if _ADVICE in held and "/recommendations/" in held:
        return "recommendation"
    return "insight" if _INSIGHT in held and "/insights/" in held else None


def extract(document: Document) -> Iterator[Chunk]:
    """Objects out of arrays, lines and pages; log entries as ``gcp_audit`` takes them out."""
    return paged(document, ("entries",) if document.shape == "entries" else _PAGES)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Steps, activity and identities of one chunk."""
    return assemble(chunk, document, SOURCE, read)


def read(entry: Entry) -> None:
    """One recommendation, insight or log entry."""
    if is_entry(entry.fields):
        _gcp_entries.read(entry)
        return
    fields = squeezed(entry.fields)
    kind = _object_kind(fields)
    if kind is None:
        raise RecordFault("no_advice", "wanted the name of a recommendation or an insight")
    what = _part(text(fields.get("name")) or "", _ADVICE if kind == "recommendation" else _INSIGHT)
    if not what.startswith("google.iam."):
        raise RecordFault("out_of_scope", f"advice of {what[:100]}", "rejected")
    if kind == "recommendation":
        read_recommendation(entry, fields)
    else:
        read_insight(entry, fields)


def read_recommendation(entry: Entry, fields: Fields) -> None:
    """The advice, and whom and what it is about."""
    own = text(fields.get("name")) or ""
    content = squeezed(fields.get("content")) or squeezed(fields.get("recommendationdetails"))
    overview = squeezed(content.get("overview"))
    time, state = _identified(entry, fields, own)
    over = resource(None, name(overview.get("resource")) or _target(fields))
    who = member(found) if (found := name(overview.get("member"))) else None
    removed = name(overview.get("removedrole"))
    added = _texts(overview.get("addedroles"))
    key = binding_key(over, removed, who, _condition(content)) if removed and who else None
    subtype = text(fields.get("recommendersubtype"))
    advice = [f"revoke {removed}"] if removed else []
    advice += [f"grant {role}" for role in added]
    entry.step(
        "recommendation", kind="recommendation", time=time, operation=subtype, actor_class="automation",
        actor_class_basis=_BASIS, authority_mode="unknown", origin="rule", target_key=key,
        effect_key=f"revoke({key})" if key else None, recommended_value="; ".join(advice) or subtype,
        decided_value=state if state != "ACTIVE" else None, native_key_kind=KEY_KIND, native_key=own, event_id=own,
        title=_title(subtype, removed, who))
    if who is not None:
        entry.add(tables.IDENTITY_FACTS, **fact(who))


def read_insight(entry: Entry, fields: Fields) -> None:
    """What was seen: how a binding was used, or when a service account was last."""
    own = text(fields.get("name")) or ""
    content = squeezed(fields.get("content"))
    time, _ = _identified(entry, fields, own)
    who = member(found) if (found := name(content.get("member"))) else None
    role = name(content.get("role"))
    said, _ = condition(content.get("condition"))
    key = binding_key(resource(None, _target(fields)), role, who, said) if role and who else None
    advice = sorted({found for item in _items(fields.get("associatedrecommendations"), "recommendation") if (
        found := item)})
    joined = advice[0] if len(advice) == 1 else None
    subtype = text(fields.get("insightsubtype"))
    inferred = bool(embedded(content.get("inferredpermissions")))
    entry.step(
        "signal", kind="signal", time=time, operation=subtype, actor_class="automation", actor_class_basis=_BASIS,
        origin="rule", target_key=key, native_key_kind=KEY_KIND if joined else INSIGHT_KEY_KIND,
        native_key=joined or own, event_id=own, stated_keys=stated(recommendation=advice) if not joined else [],
        title=_title(subtype, role, who) + (", permissions inferred by machine learning" if inferred else ""))
    if who is not None:
        entry.add(tables.IDENTITY_FACTS, **fact(who))
    email = name(content.get("email"))
    if email is not None:
        _last_use(entry, fields, content, email, time)


def _condition(content: Fields) -> str | None:
    """The condition of the binding that is to go, out of the filters of the operation that removes it."""
    for group in listed(content.get("operationgroups")):
        for operation in listed(group.get("operations")):
            filters = embedded(operation.get("pathfilters"))
            if text(operation.get("action")) == "remove" and isinstance(filters, dict):
                said, _ = condition({"expression": filters.get("/iamPolicy/bindings/*/condition/expression")})
                return said
    return None


def _last_use(entry: Entry, fields: Fields, content: Fields, email: str, time: datetime) -> None:
    seen = parse_time(content.get("lastauthenticatedtime"))
    period = (text(fields.get("observationperiod")) or "").removesuffix("s")
    days = int(period) // _SECONDS_PER_DAY if period.isdigit() else None
    found = service_account(email, name(content.get("serviceaccountid")))
    entry.add(tables.IDENTITY_FACTS, **fact(
        found, last_seen_at=seen, last_seen_basis="report" if seen else None, last_seen_window_days=days,
        snapshot_at=time))


def _identified(entry: Entry, fields: Fields, own: str) -> tuple[datetime, str | None]:
    """Names the record by its name, refresh and state: a later snapshot that says something new is another record."""
    state = text(squeezed(fields.get("stateinfo")).get("state", fields.get("state")))
    time = entry.time(fields.get("lastrefreshtime"), "lastRefreshTime")
    owner = own.partition("/locations/")[0].removeprefix("projects/") or None
    entry.identify(PROVIDER, owner, f"{own}|{time.isoformat()}|{state or ''}", within="")
    entry.leftovers(KNOWN)
    return time, state


def _part(own: str, before: str) -> str:
    return own.partition(before)[2].partition("/")[0]


def _target(fields: Fields) -> str | None:
    listed_targets = _texts(fields.get("targetresources"))
    return listed_targets[0] if len(listed_targets) == 1 else None


def _texts(value: object) -> list[str]:
    found = embedded(value)
    return [held for item in found if (held := name(item)) is not None] if isinstance(found, list) else []


def _items(value: object, key: str) -> Iterator[str | None]:
    """Names listed as texts or as objects with the name under ``key``."""
    yield from _texts(value)
    for held in listed(value):
        yield name(held.get(key))


def _title(subtype: str | None, role: str | None, who: Principal | None) -> str:
    about = f"{role} of {who.label}" if role and who else ""
    return " ".join(part for part in ((subtype or "advice").lower().replace("_", " "), about) if part)
