"""Entra recommendations: what the directory's own service advises, whom it is about, and what people did with it.

Shapes  Graph ``directory/recommendations`` and their ``impactedResources`` in pages, arrays, lines or alone, impacted
        resources also inside their recommendation; CSV with nested values as JSON text.
Maps    a recommendation to a ``recommendation`` of origin rule and, by its status, to the decision on it or its outcome
        in ``decision_steps``, and to ``resources``; an impacted resource to a ``signal`` of the recommendation and,
        where somebody dismissed, postponed or completed it, to that decision; users, groups and service principals that
        are impacted to ``identity_facts``.
Drops   benefits, insights, steps to take and additional details.
Schema  Graph beta; unknown keys are ``unmapped``.

The recommendation's id joins all of them, and the directory audit's records of dismissing, postponing and completing.
It begins with the directory's id. ``lastModifiedBy`` is the name of a person, which is no identity: who decided is in
the audit. ``completedBySystem`` says that the advice no longer applies, which is an outcome and nobody's decision.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics import tables
from lineage_analytics.loaders import _governance as gov
from lineage_analytics.loaders._governance import PROVIDER
from lineage_analytics.loaders.common.assembly import RecordFault, assemble
from lineage_analytics.loaders.common.contract import Match
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, guid, name, native, objects, text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from lineage_analytics.loaders.common.assembly import Entry
    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document, Sample

__all__ = ["FEEDS", "LATENESS", "PROVIDER", "detect", "extract", "transform"]

LATENESS = timedelta(days=1)
FEEDS = frozenset({"decision_steps", "identity_facts", "resources"})
SOURCE = "entra_recommendations"
KEY = "entra_recommendation"
_BASIS = "the recommendations service of the directory"
_KNOWN = gov.known(
    "id recommendationtype category createddatetime displayname impacttype impactstartdatetime insights benefits "
    "lastcheckeddatetime lastmodifiedby lastmodifieddatetime postponeuntildatetime priority status releasetype "
    "remediationimpact requiredlicenses recommendationid resourcetype subjectid owner portalurl apiurl addeddatetime "
    "rank tenantid", "actionsteps currentscore maxscore featureareas impactedresources additionaldetails")
# Status in lower case -> verdict; who gave it is not in the object.
_VERDICTS = {"dismissed": "deny", "riskaccepted": "deny", "postponed": "modify", "planned": "modify",
             "completedbyuser": "approve"}
_PRINCIPALS = {"user": "user", "group": "group", "serviceprincipal": "serviceprincipal"}


def _kind(keys: frozenset[str]) -> str | None:
    if "recommendationtype" in keys and keys & {"impacttype", "lastcheckeddatetime", "actionsteps"}:
        return "recommendation"
    return "impacted" if {"recommendationid", "resourcetype"} <= keys else None


def detect(sample: Sample) -> Match | None:
    """Recommendations by their type with scope or time of the last check, impacted resources by what they belong to."""
    kind = _kind(frozenset(gov.keys_of(sample)))
    return Match(kind, 0.93, f"keys of a directory recommendation: {kind}") if kind else None


def extract(document: Document) -> Iterator[Chunk]:
    """Objects as they stand in the file."""
    return gov.raw_chunks(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Steps, resources and identities out of recommendations."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    row = gov.opened(entry.fields)
    kind, native_id = _kind(frozenset(row)), text(row.get("id"))
    if kind is None:
        raise RecordFault("unknown_object", "neither a recommendation nor a resource that one is about")
    if native_id is None:
        raise RecordFault("no_id", f"a {kind} without id")
    advice = native_id if kind == "recommendation" else text(row.get("recommendationid")) or native_id
    tenant = guid(text(row.get("tenantid"))) or guid(advice.partition("_")[0])
    entry.identify(PROVIDER, tenant, gov.revision(native_id, kind, row), within="")
    if kind == "recommendation":
        _recommendation(entry, row, native_id)
        for number, held in enumerate(objects(row.get("impactedresources"))):
            _impacted(entry, held, native_id, f"/{text(held.get('id')) or number}")
    else:
        _impacted(entry, row, advice, "", entry.leftovers(_KNOWN, gov.without_annotations(row)))


def _recommendation(entry: Entry, row: Fields, advice: str) -> None:
    made = entry.time(row.get("createddatetime"), "createdDateTime")
    sort, status = text(row.get("recommendationtype")) or "unknown", text(row.get("status")) or "unknown"
    title = f"{sort}: {name(row.get('displayname')) or advice.rpartition('_')[2]}"
    common = _common(entry, advice, f"{PROVIDER}:{entry.tenant or ''}:recommendation/{native(advice)}")
    entry.step("recommendation", kind="recommendation", time=made, operation=f"recommendation:{sort}", origin="rule",
               actor_class="automation", actor_class_basis=_BASIS, recommended_value=sort, title=title,
               decided_value=status if status.lower() != "active" else None, **common)
    _answer(entry, row, "", title, common)
    entry.add(tables.RESOURCES, id=identity_id(PROVIDER, entry.tenant, f"recommendation/{native(advice)}"),
              kind="recommendation", display_name=name(row.get("displayname")),
              snapshot_at=gov.when(row.get("lastcheckeddatetime")), attributes=msgspec.json.encode({
                  "status": status, "priority": text(row.get("priority")), "category": text(row.get("category")),
                  "impact": text(row.get("impacttype"))}, order="sorted").decode(),
              unmapped=entry.leftovers(_KNOWN, gov.without_annotations(row)))


def _impacted(entry: Entry, row: Fields, advice: str, part: str, left: str | None = None) -> None:
    """One resource that the advice is about: why it stands, and what was decided of this one alone."""
    sort = (text(row.get("resourcetype")) or "object").replace(" ", "").lower()
    subject = native(name(row.get("subjectid")))
    if subject and sort in _PRINCIPALS:
        gov.seen(entry, subject, _PRINCIPALS[sort], row.get("displayname"), basis="resourceType")
    target = f"{PROVIDER}:{entry.tenant or ''}:{_KINDS.get(sort, sort)}/{subject}" if subject else None
    common, title = _common(entry, advice, target), f"{sort} {name(row.get('displayname')) or subject or ''}".strip()
    added = parse_time(row.get("addeddatetime"))
    if added is not None:
        entry.step(f"signal{part}", kind="signal", time=added, operation="recommendation:impactedResource",
                   actor_class="automation", actor_class_basis=_BASIS, title=title, **common)
    _answer(entry, row, part, title, common)
    if left is not None:
        entry.add(tables.RESOURCES, id=identity_id(PROVIDER, entry.tenant, f"impacted_resource/{entry.record_id}"),
                  kind="impacted_resource", unmapped=left)


_KINDS = {"serviceprincipal": "service_principal"}


def _answer(entry: Entry, row: Fields, part: str, title: str, common: dict[str, Any]) -> None:
    """What became of it, by its status and when that was set."""
    status = (text(row.get("status")) or "").lower()
    when: datetime | None = parse_time(row.get("lastmodifieddatetime"))
    if when is None:
        return
    if status == "completedbysystem":
        entry.step(f"outcome{part}", kind="outcome", time=when, operation="recommendation:completedBySystem",
                   actor_class="automation", actor_class_basis=_BASIS, decided_value=status,
                   title=f"no longer applies: {title}", **common)
    elif status in _VERDICTS:
        by = guid(name(row.get("lastmodifiedby")))
        entry.step(f"decision{part}", kind="decision", time=when, operation=f"recommendation:{status}",
                   verdict=_VERDICTS[status], capacity="reviewer", decided_value=text(row.get("status")),
                   actor_id=identity_id(PROVIDER, entry.tenant, by) if by else None, title=f"{status}: {title}",
                   **common)


def _common(entry: Entry, advice: str, target: str | None) -> dict[str, Any]:
    return {"native_key_kind": KEY, "native_key": native(advice), "event_id": entry.record_id, "target_key": target}
