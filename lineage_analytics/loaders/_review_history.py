"""Rows of the review history report, which the portal of access reviews gives as CSV, as decision items of Graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.loaders.common.values import name, native, text

if TYPE_CHECKING:
    from lineage_analytics.loaders.common.values import Fields

COLUMNS = frozenset({"accessreviewid", "principalid", "resourceid", "reviewresult", "reviewdate"})
_REPORT = (
    "accessreviewid accessreviewseriesid reviewtype resourcedisplayname resourceid reviewname createddatetime "
    "reviewstartdate reviewenddate reviewstatus ownerid ownername ownerupn principalid principalname principalupn "
    "principaltype reviewdate reviewresult justification reviewerid reviewername reviewerupn revieweremailaddress "
    "appliedbyname appliedbyupn appliedbyemailaddress applieddate accessrecommendation submissionresult")
_NAMED = frozenset(_REPORT.split())
_RESULTS = {"approve": "Approve", "deny": "Deny", "dontknow": "DontKnow", "notreviewed": "NotReviewed",
            "noinfo": "NoInfoAvailable"}
_REVIEWED = {"group": "group", "application": "serviceprincipal", "microsoftentrarole": "directoryrole",
             "azureadrole": "directoryrole", "azurerole": "azurerole", "azureresourcerole": "azurerole",
             "accesspackage": "accesspackage"}


def as_item(row: Fields) -> Fields:
    """The decision that a row of the report tells; any other record as it is. The report states no id of a decision:
    its review, principal and resource stand for it."""
    if not row.keys() >= COLUMNS or name(row.get("id")):
        return row
    parts = [native(name(row.get(key))) for key in ("accessreviewid", "principalid", "resourceid")]
    applied = _squeezed(row.get("submissionresult")) in ("applied", "appliedsuccessfully")
    return {
        "id": "/".join(part or "" for part in parts) if parts[0] and parts[1] else None,
        "accessreviewid": row.get("accessreviewid"), "justification": row.get("justification"),
        "recommendation": _result(row.get("accessrecommendation")), "decision": _result(row.get("reviewresult")),
        "revieweddatetime": row.get("reviewdate"), "applieddatetime": row.get("applieddate") or None,
        "applyresult": "AppliedSuccessfully" if applied else "New",
        "principal": {"id": row.get("principalid"), "displayname": row.get("principalname"),
                      "userprincipalname": row.get("principalupn"), "type": _squeezed(row.get("principaltype"))},
        "resource": {"id": row.get("resourceid"), "displayname": row.get("resourcedisplayname"),
                     "type": _REVIEWED.get(_squeezed(row.get("reviewtype")))},
        "reviewedby": {"id": row.get("reviewerid"), "displayname": row.get("reviewername"),
                       "userprincipalname": row.get("reviewerupn")},
        "appliedby": {"displayname": row.get("appliedbyname"), "userprincipalname": row.get("appliedbyupn")},
        **{key: held for key, held in row.items() if key not in _NAMED},
    }


def without_repeats(steps: pl.LazyFrame, source: str) -> pl.LazyFrame:
    """The steps without those of a row whose decision an item of Graph tells as well: of the same review, about the
    same principal and resource."""
    ours = (pl.col("source") == source) & pl.col("native_key").is_not_null()
    about = pl.col("target_key").str.extract(r"([^/|]*\|.*)$")
    told = steps.filter(ours).select("native_key", "correlation_id", about=about).unique().collect()
    reported = pl.col("native_key").str.contains("/", literal=True)
    repeated = told.filter(reported).join(told.filter(~reported), on=["correlation_id", "about"], how="semi")
    again = ours & pl.col("native_key").is_in(repeated["native_key"].implode())
    return steps if repeated.is_empty() else steps.filter(~again)


def _squeezed(value: object) -> str:
    return "".join(one for one in (text(value) or "").lower() if one.isalnum())


def _result(value: object) -> str | None:
    stated = text(value)
    return _RESULTS.get(_squeezed(stated), stated)
