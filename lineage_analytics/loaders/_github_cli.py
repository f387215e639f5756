"""What ``gh pr list --json`` and ``gh pr view --json`` write, in the words of the REST API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics.loaders.common.values import Fields, flag, name, obj, objects, text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

KNOWN = (
    "additions", "assignees", "author", "baserefname", "baserefoid", "body", "changedfiles", "closed", "closedat",
    "comments", "commits", "createdat", "deletions", "files", "headrefname", "headrefoid", "headrepository",
    "headrepositoryowner", "id", "isdraft", "iscrossrepository", "labels", "latestreviews", "maintainercanmodify",
    "mergeable", "mergecommit", "mergedat", "mergedby", "mergestatestatus", "number", "reviewdecision",
    "reviewrequests", "reviews", "state", "statuscheckrollup", "title", "updatedat", "url",
)
_TIMES = ("created", "updated", "closed", "merged")


def is_listing(row: Mapping[str, Any]) -> bool:
    """Whether the object is one of the command line: a pull request whose names run together."""
    return row.keys() >= {"number", "url"} and "/pull/" in (text(row.get("url")) or "") and bool(
        row.keys() & {"mergedat", "headrefoid", "headrefname", "reviews", "reviewdecision", "mergedby"})


def as_rest(row: Fields) -> tuple[Fields, list[Fields]]:
    """The pull request and its reviews as REST objects."""
    pull: Fields = {
        "html_url": text(row.get("url")), "number": row.get("number"), "title": text(row.get("title")),
        "state": text(row.get("state")), "draft": row.get("isdraft"), "user": _account(row.get("author")),
        "merged_by": _account(row.get("mergedby")), "merge_commit_sha": name(obj(row.get("mergecommit")).get("oid")),
        "head": {"ref": text(row.get("headrefname")), "sha": name(row.get("headrefoid"))},
        "base": {"ref": text(row.get("baserefname")), "sha": name(row.get("baserefoid"))},
        **{f"{held}_at": row.get(f"{held}at") for held in _TIMES}}
    reviews = [{
        "id": review.get("id"), "user": _account(review.get("author")), "state": text(review.get("state")),
        "commit_id": name(obj(review.get("commit")).get("oid")), "submitted_at": review.get("submittedat"),
        "body": text(review.get("body"))} for review in objects(row.get("reviews"))]
    return pull, reviews


def _account(said: object) -> Fields:
    """An account goes by its login here: the id is the node id, which other exports do not use."""
    held = obj(said)
    bot = flag(held.get("is_bot"))
    return {"login": name(held.get("login")), "node_id": name(held.get("id")),
            "type": None if bot is None else "Bot" if bot else "User"}
