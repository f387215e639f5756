"""Entra access reviews: what was recommended, what the reviewer decided, what was applied (sources 3.5).

Shapes  Graph objects in pages (``value``), arrays, lines or alone, keys in any case, as CSV with nested values as JSON
        text: decision items of v1.0 and beta (``target``), decisions of the older API, review definitions, instances;
        rows of the portal's review history report.
Maps    a decision item to ``decision_steps``: its insights as signals where they are expanded, the recommendation by a
        rule, the decision, the action once a removal was applied; reviewers and the reviewed to ``identity_facts``;
        definitions and instances to ``resources``.
Drops   reasons (only whether one was given and the ticket keys in it), what insights say, descriptions, scope queries.
Schema  Graph v1.0 and beta; unknown keys of definitions are ``unmapped``.

A step's ``verdict`` is about the change its effect names. ``Deny`` takes access away: the removal is approved.
``Approve`` against a recommendation to remove refuses that removal; any other ``Approve`` confirms what is, without an
effect. The provider's own words stand in ``recommended_value``, ``decided_value`` and ``applied_value``.

An all-zero reviewer is nobody; where the service's own name stands beside it, the review decided by its settings. An
all-zero ``appliedBy`` of an applied decision is the review itself. When a recommendation was made is not stated: its
time is that of the last insight, else of the decision it stood beside, else of the application; without any, none.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics import tables
from lineage_analytics.loaders import _governance as gov
from lineage_analytics.loaders._governance import PROVIDER
from lineage_analytics.loaders._review_history import as_item, without_repeats
from lineage_analytics.loaders.common.assembly import RecordFault, assemble
from lineage_analytics.loaders.common.contract import Match
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, flag, guid, name, native, obj, objects, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    import polars as pl

    from lineage_analytics.loaders._governance import Who
    from lineage_analytics.loaders.common.assembly import Entry
    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document, Sample

__all__ = ["LATENESS", "PROVIDER", "detect", "extract", "settle", "transform"]

LATENESS = timedelta(0)
FEEDS = frozenset({"decision_steps", "identity_facts", "resources"})
SOURCE = "entra_access_reviews"
KEY = "access_review_decision_id"

_KNOWN = gov.known(
    "id displayname status createddatetime lastmodifieddatetime startdatetime enddatetime descriptionforadmins "
    "descriptionforreviewers tenantid",
    "settings scope instanceenumerationscope reviewers fallbackreviewers additionalnotificationrecipients createdby "
    "stagesettings instances backupreviewers decisions errors stages contactedreviewers definition")
_DECISION = gov.known(
    "id accessreviewid recommendation decision justification revieweddatetime applieddatetime applyresult tenantid "
    "principallink resourcelink accessrecommendation reviewresult userid userdisplayname userprincipalname",
    "principal resource reviewedby appliedby target insights instance principalresourcemembership membershiptypes "
    "accessreviewinstancedecisionitem")
_SERVICES = frozenset({"aad access reviews", "azure ad access reviews", "microsoft entra access reviews"})
_LINK = re.compile(r"/([A-Za-z]{3,40})/([0-9a-fA-F-]{36})$")
_LINKED = {"users": "user", "groups": "group", "serviceprincipals": "serviceprincipal"}
_KINDS = {"group": "group", "serviceprincipal": "service_principal", "directoryrole": "role", "azurerole": "role",
          "accesspackage": "access_package"}
_SETTINGS = ("recommendationsEnabled", "autoApplyDecisionsEnabled", "defaultDecisionEnabled", "defaultDecision",
             "justificationRequiredOnApproval", "instanceDurationInDays")


def _kind(keys: frozenset[str]) -> str | None:
    if "recommendation" in keys and keys & {"decision", "applyresult"} and keys & {"principal", "target",
                                                                                   "principallink", "accessreviewid"}:
        return "decision"
    if "accessreviewid" in keys and keys & {"reviewresult", "decision"}:
        return "decision"
    if {"settings", "reviewers"} <= keys and keys & {"scope", "instanceenumerationscope", "stagesettings"}:
        return "definition"
    instance = {"startdatetime", "enddatetime", "reviewers", "status"} <= keys
    return "instance" if instance and keys & {"scope", "fallbackreviewers"} else None


def detect(sample: Sample) -> Match | None:
    """Decision items, definitions and instances by the keys only they have together."""
    kind = _kind(frozenset(gov.keys_of(sample)))
    return Match(kind, 0.94, f"keys of an access review {kind}") if kind else None


def extract(document: Document) -> Iterator[Chunk]:
    """Objects as they stand in the file."""
    return gov.raw_chunks(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Steps, identities and resources out of access reviews."""
    return assemble(chunk, document, SOURCE, _read)


def settle(tables: Mapping[str, pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
    """A decision that both an item of Graph and the history report tell is that of the item."""
    found = dict(tables)
    if "decision_steps" in found:
        found["decision_steps"] = without_repeats(found["decision_steps"], SOURCE)
    return found


def _read(entry: Entry) -> None:
    row = as_item(gov.opened(entry.fields))
    kind = _kind(frozenset(row))
    if kind is None:
        raise RecordFault("unknown_object", "neither a decision, nor a definition, nor an instance of a review")
    native_id = native(text(row.get("id")))
    if native_id is None:
        raise RecordFault("no_id", f"an access review {kind} without id")
    entry.identify(PROVIDER, guid(text(row.get("tenantid"))), gov.revision(native_id, kind, row), within="")
    _READERS[kind](entry, row, native_id)


def _decision(entry: Entry, row: Fields, native_id: str) -> None:
    recommended = text(row.get("recommendation")) or text(row.get("accessrecommendation"))
    decided = text(row.get("decision")) or text(row.get("reviewresult"))
    reviewed, applied = parse_time(row.get("revieweddatetime")), parse_time(row.get("applieddatetime"))
    target, label = _target(entry, row)
    gov.keep_new(entry, _DECISION, row, "access_review_decision", native_id)
    base: dict[str, Any] = {
        "operation": "accessReviewDecision", "target_key": target, "native_key_kind": KEY, "native_key": native_id,
        "correlation_id": native(text(row.get("accessreviewid"))), "event_id": native_id,
        "recommended_value": recommended, "title": label,
    }
    removal = f"revoke({target})" if target else None
    advice, verdict = (recommended or "").lower(), (decided or "").lower()
    known_since = _signals(entry, row, base)
    if advice in ("approve", "deny"):
        entry.step("recommendation", kind="recommendation", time=known_since or reviewed or applied, origin="rule", **{
            **base, "actor_class": "automation", "actor_class_basis": "recommendations of a review are made by a rule",
            "effect_key": removal if advice == "deny" else None, "title": f"recommended {advice}: {label}"})
    if verdict in ("approve", "deny", "dontknow") and reviewed is not None:
        by = _reviewer(entry, row.get("reviewedby"))
        entry.step("decision", kind="decision", time=reviewed, **{
            **base, **by, "verdict": _verdict(advice, verdict), "decided_value": decided,
            "applied_value": text(row.get("applyresult")), "quoted_keys": gov.quoted(row.get("justification")),
            "justification_present": gov.reason_given(row), "title": f"reviewed {verdict}: {label}",
            "effect_key": removal if "deny" in (verdict, advice) and verdict != "dontknow" else None})
    if verdict == "deny" and applied is not None:
        _application(entry, row, applied, {**base, "effect_key": removal, "decided_value": decided})


def _signals(entry: Entry, row: Fields, base: dict[str, Any]) -> datetime | None:
    """What the reviewer was shown, each insight as a signal; the time of the last, when the recommendation stood."""
    times = []
    for number, insight in enumerate(objects(row.get("insights"))):
        made = parse_time(insight.get("insightcreateddatetime"))
        if made is None:
            continue
        times.append(made)
        sort = gov.odata_type(insight) or text(insight.get("type")) or "insight"
        entry.step(f"signal/{text(insight.get('id')) or number}", kind="signal", time=made, **{
            **base, "recommended_value": None, "title": f"{sort}: {base['title']}", "actor_class": "automation",
            "actor_class_basis": "insights of a review are computed"})
    return max(times, default=None)


def _verdict(advice: str, verdict: str) -> str | None:
    """What the decision says of the removal it is about; see the module's head."""
    if verdict == "dontknow":
        return None
    return "deny" if (advice, verdict) == ("deny", "approve") else "approve"


def _reviewer(entry: Entry, value: object) -> dict[str, Any]:
    held = obj(value)
    who = gov.principal(entry, held, "useridentity", "reviewedBy")
    if who.id is not None:
        return {**who.acting(), "capacity": "reviewer"}
    if (text(held.get("displayname")) or "").lower() in _SERVICES:
        return {"capacity": "system", "actor_class": "automation",
                "actor_class_basis": "the review service in place of a reviewer"}
    return {}


def _application(entry: Entry, row: Fields, applied: datetime, base: dict[str, Any]) -> None:
    """What came of a decision to remove; nothing where the review cannot apply it or has not yet."""
    result = (text(row.get("applyresult")) or "").lower()
    if result in ("", "new", "applynotsupported"):
        return
    who = gov.principal(entry, row.get("appliedby"), "useridentity", "appliedBy")
    by = who.acting() or {"actor_class": "automation", "actor_class_basis": "the review applied it itself"}
    done = result == "appliedsuccessfully"
    found = "objectnotfound" in result
    entry.step("action", kind="action" if done else "attempt", time=applied, **{
        **base, **by, "applied_value": text(row.get("applyresult")), "title": f"applied: {base['title']}",
        "status": "succeeded" if done else ("unknown" if found else "failed")})


def _target(entry: Entry, row: Fields) -> tuple[str | None, str]:
    """Whose access to what is reviewed, with the principal noted as seen, and both in words."""
    older = obj(row.get("target"))
    link = _LINK.search(text(row.get("principallink")) or "")
    who: Who = gov.principal(entry, row.get("principal"), basis="reviewed principal")
    native_id = native(name(obj(row.get("principal")).get("id")))
    if who.id is None:
        native_id = native(name(older.get("userid")) or name(older.get("serviceprincipalid")) or name(row.get("userid"))
                           or (link.group(2) if link else None))
        sort = "user" if name(older.get("userid")) else _LINKED.get(link.group(1).lower(), "") if link else ""
        gov.seen(entry, native_id, sort, older.get("userdisplayname") or row.get("userdisplayname"),
                 older.get("userprincipalname") or row.get("userprincipalname"), "reviewed")
    resource = obj(row.get("resource"))
    place = _LINK.search(text(row.get("resourcelink")) or "")
    sort = (text(resource.get("type")) or (_LINKED.get(place.group(1).lower()) if place else None) or "object").lower()
    over = native(name(resource.get("id")) or (place.group(2) if place else None))
    if name(resource.get("accesspackageid")):  # a policy is reviewed; what is taken away is the package
        sort, over = "accesspackage", native(name(resource.get("accesspackageid")))
    if over is not None and sort in ("group", "serviceprincipal"):
        gov.principal(entry, resource, sort, "reviewed resource")
    place_name = name(resource.get("displayname")) or name(resource.get("accesspackagedisplayname")) or over
    label = f"{_label(row.get('principal')) or native_id}{f' in {place_name}' if place_name else ''}"
    if native_id is None or over is None:
        return None, label
    return f"{PROVIDER}:{entry.tenant or ''}:{_KINDS.get(sort, 'object')}/{over}|{native_id}", label


def _label(value: object) -> str | None:
    held = obj(value)
    return name(held.get("userprincipalname")) or name(held.get("displayname"))


def _definition(entry: Entry, row: Fields, native_id: str) -> None:
    settings = obj(row.get("settings"))
    _resource(entry, row, native_id, "access_review",
              {"status": text(row.get("status")), "created_at": text(row.get("createddatetime")),
               **{key: _setting(settings.get(key.lower())) for key in _SETTINGS}})
    gov.principal(entry, row.get("createdby"), "useridentity", "createdBy")


def _instance(entry: Entry, row: Fields, native_id: str) -> None:
    _resource(entry, row, native_id, "access_review_instance",
              {key: text(row.get(key.lower())) for key in ("status", "startDateTime", "endDateTime")})


def _setting(value: object) -> bool | str | None:
    found = flag(value) if isinstance(value, bool) or str(value).lower() in ("true", "false") else None
    return text(value) if found is None else found


def _resource(entry: Entry, row: Fields, native_id: str, kind: str, attributes: dict[str, Any]) -> None:
    entry.add(tables.RESOURCES, id=identity_id(PROVIDER, entry.tenant, f"{kind}/{native_id}"), kind=kind,
              display_name=name(row.get("displayname")), attributes=msgspec.json.encode(
                  attributes, order="sorted").decode(),
              unmapped=entry.leftovers(_KNOWN, gov.without_annotations(row)))


_READERS: dict[str, Callable[[Entry, Fields, str], None]] = {
    "decision": _decision, "definition": _definition, "instance": _instance,
}
