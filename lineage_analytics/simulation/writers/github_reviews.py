"""Pull requests and their reviews as webhooks deliver them, on lines; the last deliveries again in an array."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.writers.files import Packed, as_json, put, zulu

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.chapters._github_pulls import Pull
    from lineage_analytics.simulation.model import Account, Deed, Happened, World

SOURCE = "github_reviews"
_AGAIN = 40
"""Deliveries that GitHub was asked to send once more."""


class Log:
    def __init__(self, directory: Path, world: World) -> None:
        self._directory, self._world = directory, world
        self._lines: Packed | None = None
        self._last: list[dict[str, Any]] = []

    def day(self, happened: Happened) -> None:
        for deed in happened.deeds.get(SOURCE, ()):
            self._lines = self._lines or Packed(self._directory / "deliveries.ndjson.gz")
            delivery = _delivery(deed, self._world.cast["github"].organisation)
            self._lines.write(as_json(delivery) + b"\n")
            self._last = [*self._last[-_AGAIN + 1:], delivery]

    def end(self) -> None:
        if self._lines is not None:
            self._lines.close()
            put(self._directory / "redelivered.json.gz", as_json([
                {"event": "synthetic", "redelivery": True, "payload": delivery} for delivery in self._last]))


def _delivery(deed: Deed, organisation: int) -> dict[str, Any]:
    pull, details = deed.details["pull"], deed.details
    owner = {"login": "northwind-synthetic", "id": organisation, "type": "Organization"}
    sender = _user(deed.who)  # type: ignore[arg-type]
    found: dict[str, Any] = {
        "action": deed.action if deed.action in ("opened", "closed", "dismissed") else "submitted",
        "pull_request": _pull(pull, deed),
        "repository": {"id": pull.repository.number, "full_name": pull.repository.full_name, "owner": owner},
        "organization": owner, "sender": sender}
    if found["action"] in ("submitted", "dismissed"):
        found["review"] = {
            "id": int(details["native"]), "user": sender, "state": deed.action, "commit_id": details["head"],
            "submitted_at": zulu(details["said"] + timedelta(seconds=1)), "body": None, "author_association": "MEMBER"}
    return found


def _pull(pull: Pull, deed: Deed) -> dict[str, Any]:
    """The pull request as it stood when the delivery went out."""
    closed = deed.action == "closed"
    at = zulu(deed.time)
    found: dict[str, Any] = {
        "id": pull.pull_id, "number": pull.number, "html_url": pull.url, "title": pull.title, "draft": False,
        "state": "closed" if closed else "open", "user": _user(pull.author),
        "created_at": zulu(pull.created + timedelta(seconds=1)), "updated_at": at,
        "head": {"ref": pull.branch, "sha": deed.details["head"]}, "base": {"ref": "main", "sha": pull.base},
        "merged_at": None, "closed_at": None}
    if closed:
        found["closed_at"] = at
    if closed and deed.details["merged"]:
        found |= {"merged": True, "merged_at": at, "merge_commit_sha": pull.commit,
                  "merged_by": _user(deed.who)}  # type: ignore[arg-type]
    return found


def _user(who: Account) -> dict[str, Any]:
    return {"login": who.name, "id": int(who.native_id), "type": "User" if who.kind == "human" else "Bot"}
