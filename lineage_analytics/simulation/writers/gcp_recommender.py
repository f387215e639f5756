"""The recommender's advice on roles as two snapshots, pages that overlap, and the log of what people did with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.chapters._google_cloud_project import ADVICE, NUMBER, PROJECT
from lineage_analytics.simulation.writers.files import as_json, pretty, put, zulu

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from lineage_analytics.simulation.chapters._google_cloud_project import Advice, Project
    from lineage_analytics.simulation.model import Deed, Happened, World

_OVER = f"//cloudresourcemanager.googleapis.com/projects/{NUMBER}"


class Log:
    """Actions are few: all of them at the end, as the log shows them and as lines."""

    def __init__(self, directory: Path, world: World) -> None:
        del world
        self._directory = directory
        self._deeds: list[Deed] = []

    def day(self, happened: Happened) -> None:
        self._deeds += happened.deeds.get(ADVICE, ())

    def end(self) -> None:
        entries = [_action(deed) for deed in self._deeds]
        if not entries:
            return
        put(self._directory / "actions.json", pretty(entries[::-1]))
        put(self._directory / "actions-again.ndjson.gz", b"".join(as_json(entry) + b"\n" for entry in entries))


def write(directory: Path, world: World) -> int:
    """An earlier snapshot as gcloud saves it, the last one as pages; insights once. The number of distinct records."""
    project: Project | None = world.cast.get("gcp")
    if project is None:
        return 0
    told = [(advice, time, state) for advice in project.advice for time, state in advice.states]
    last = [(a, t, s) for a, t, s in told if t == a.states[-1][0]]
    before = [one for one in told if one not in last]
    put(directory / "recommendations-before.json", pretty([_recommendation(*one) for one in before]))
    for number, page in enumerate((last[:3], last[2:]), 1):
        put(directory / f"recommendations-{number}.json", pretty(
            {"recommendations": [_recommendation(*one) for one in page], "nextPageToken": f"synthetic-{number}"}))
    put(directory / "insights.json", pretty({"insights": [_insight(advice) for advice in project.advice]}))
    return len(told) + len(project.advice)


def _recommendation(advice: Advice, time: datetime, state: str) -> dict[str, Any]:
    held = advice.binding
    return {
        "name": advice.name, "description": "Synthetic: this role was not used in the last 90 days.",
        "recommenderSubtype": "REPLACE_ROLE" if advice.instead else "REMOVE_ROLE", "lastRefreshTime": zulu(time),
        "primaryImpact": {"category": "SECURITY",
                          "securityProjection": {"details": {"revokedIamPermissionsCount": 214}}},
        "priority": "P2", "etag": '"' + advice.name[-12:] + state.lower() + '"', "stateInfo": {"state": state},
        "targetResources": [_OVER], "associatedInsights": [{"insight": advice.insight}],
        "content": {
            "operationGroups": [{"operations": [{
                "action": "remove", "path": "/iamPolicy/bindings/*/members/*", "resource": _OVER,
                "resourceType": "cloudresourcemanager.googleapis.com/Project", "pathFilters": {
                    "/iamPolicy/bindings/*/role": held.role, "/iamPolicy/bindings/*/members/*": held.member}}]}],
            "overview": {"member": held.member, "removedRole": held.role, "resource": _OVER,
                         "addedRoles": [advice.instead] if advice.instead else [],
                         "minimumObservationPeriodInDays": "0"}},
    }


def _insight(advice: Advice) -> dict[str, Any]:
    return {
        "name": advice.insight, "description": "Synthetic: permissions of the role used in 90 days.",
        "insightSubtype": "PERMISSIONS_USAGE", "category": "SECURITY", "severity": "HIGH",
        "lastRefreshTime": zulu(advice.states[0][0]), "observationPeriod": "7776000s", "stateInfo": {"state": "ACTIVE"},
        "targetResources": [_OVER], "associatedRecommendations": [{"recommendation": advice.name}],
        "content": {"role": advice.binding.role, "member": advice.binding.member, "exercisedPermissions": [],
                    "inferredPermissions": [], "currentTotalPermissionsCount": "214"},
    }


def _action(deed: Deed) -> dict[str, Any]:
    return {
        "insertId": deed.event_id, "logName": f"projects/{PROJECT}/logs/recommender.googleapis.com%2Factions",
        "timestamp": zulu(deed.time), "receiveTimestamp": zulu(deed.time), "severity": "INFO",
        "resource": {"type": "recommender", "labels": {
            "project_id": PROJECT, "location": "global", "recommender_id": "google.iam.policy.Recommender"}},
        "jsonPayload": {
            "@type": "type.googleapis.com/google.cloud.recommender.logging.v1.ActionLog",
            "actor": deed.who.name,  # type: ignore[union-attr]
            "state": deed.action, "recommendationName": deed.details["advice"], "stateMetadata": {}},
    }
