"""The IAM inventory of the project: accounts, keys, policies, roles and last use, as gcloud and the APIs save them."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.chapters._google_cloud_project import AUDIT, BUCKET, NUMBER, ON_PROJECT, PROJECT
from lineage_analytics.simulation.model import END, Account
from lineage_analytics.simulation.writers.files import as_json, pretty, put, zulu
from lineage_analytics.simulation.writers.gcp_audit import condition

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.chapters._google_cloud_project import Binding, Project
    from lineage_analytics.simulation.model import Happened, Key, World

_TAKEN = END - timedelta(hours=17)
_PERIOD = {"startTime": zulu(_TAKEN - timedelta(days=400)), "endTime": zulu(_TAKEN)}
_RESOURCES = {ON_PROJECT: (f"//cloudresourcemanager.googleapis.com/projects/{PROJECT}",
                           "cloudresourcemanager.googleapis.com/Project"),
              BUCKET: ("//storage.googleapis.com/" + BUCKET.rpartition("/")[2], "storage.googleapis.com/Bucket")}


class Log:
    """Notes when each account and key was last used: what the provider itself knows when the inventory is taken."""

    def __init__(self, directory: Path, world: World) -> None:
        del directory, world

    def day(self, happened: Happened) -> None:
        for deed in happened.deeds.get(AUDIT, ()):
            if isinstance(deed.who, Account) and deed.time < _TAKEN:
                deed.who.details["last_use"] = deed.time
                for key in deed.who.keys if "key" in deed.details else ():
                    key.last_used = deed.time if key.key_id == deed.details["key"] else key.last_used

    def end(self) -> None:
        """The inventory is written after all logs."""


def write(directory: Path, world: World) -> int:
    """Everything once and the accounts twice; the number of distinct records."""
    project: Project | None = world.cast.get("gcp")
    if project is None:
        return 0
    listed = list(project.services.values())
    accounts, keys = [_account(a) for a in listed], [(a, key) for a in listed for key in _keys(a)]
    put(directory / "service-accounts.json", pretty(accounts))
    put(directory / "service-accounts-page.json.gz", as_json({"accounts": accounts[1:]}))
    for account in listed:
        if _keys(account):
            put(directory / f"keys-{account.name.partition('@')[0]}.json", pretty(
                [_key(account, key) for key in _keys(account)]))
    policies = [_policy(over, [b for b in project.bindings() if b.over == over]) for over in _RESOURCES]
    put(directory / "policies.ndjson", b"".join(as_json(policy) + b"\n" for policy in policies))
    put(directory / "roles.json", pretty([_role()]))
    used = [*(_last_use(a) for a in listed), *(_last_key_use(a, key) for a, key in keys)]
    put(directory / "activities.json", pretty({"activities": used}))
    put(directory / "projects.json", pretty([{
        "projectId": PROJECT, "projectNumber": NUMBER, "name": "Northwind data (synthetic)", "lifecycleState": "ACTIVE",
        "createTime": "2023-03-01T09:00:00Z", "parent": {"type": "organization", "id": "556677889900"}}]))
    return len(accounts) + len(keys) + len(policies) + 1 + len(used) + 1


def _full(account: Account) -> str:
    return f"{ON_PROJECT}/serviceAccounts/{account.name}"


def _account(account: Account) -> dict[str, Any]:
    stated = {"name": _full(account), "email": account.name, "uniqueId": account.native_id, "projectId": PROJECT,
              "displayName": f"{account.details['shown']} (synthetic)", "oauth2ClientId": account.native_id,
              "etag": "MDEwMjE5MjA="}
    return stated | ({"disabled": True} if account.enabled is False else {})


def _keys(account: Account) -> list[Key]:
    """Those there were when the inventory was taken."""
    return [*account.keys, *account.details.get("keys listed too late", ())]


def _key(account: Account, key: Key) -> dict[str, Any]:
    return {"name": f"{_full(account)}/keys/{key.key_id}", "keyType": "USER_MANAGED", "keyOrigin": "GOOGLE_PROVIDED",
            "keyAlgorithm": "KEY_ALG_RSA_2048", "validAfterTime": zulu(key.created) if key.created else None,
            "validBeforeTime": "9999-12-31T23:59:59Z"}


def _policy(over: str, held: list[Binding]) -> dict[str, Any]:
    name, kind = _RESOURCES[over]
    members: dict[tuple[str, str], list[str]] = defaultdict(list)
    ends = {}
    for binding in held:
        place = binding.role, zulu(binding.until) if binding.until else ""
        members[place].append(binding.member)
        ends[place] = binding
    bindings = [{"role": role, "members": sorted(members[role, until])}
                | ({"condition": condition(ends[role, until])} if until else {}) for role, until in sorted(members)]
    return {"name": name, "asset_type": kind, "iam_policy": {"version": 3, "etag": "BwYsyntheticE=",
                                                             "bindings": bindings},
            "ancestors": [f"projects/{NUMBER}", "organizations/556677889900"], "update_time": zulu(_TAKEN)}


def _role() -> dict[str, Any]:
    return {"name": f"{ON_PROJECT}/roles/syntheticLoader", "title": "Synthetic loader", "stage": "GA",
            "etag": "BwYroles", "includedPermissions": ["bigquery.jobs.create", "bigquery.tables.updateData"]}


def _last_use(account: Account) -> dict[str, Any]:
    last = account.details.get("last_use")
    return {"activityType": "serviceAccountLastAuthentication", "observationPeriod": _PERIOD,
            "fullResourceName": f"//iam.googleapis.com/{_full(account)}",
            "activity": ({"lastAuthenticatedTime": zulu(last)} if last else {}) | {"serviceAccount": {
                "serviceAccountId": account.native_id, "projectNumber": NUMBER,
                "fullResourceName": f"//iam.googleapis.com/{_full(account)}"}}}


def _last_key_use(account: Account, key: Key) -> dict[str, Any]:
    stated = {"lastAuthenticatedTime": zulu(key.last_used)} if key.last_used else {}
    return {"activityType": "serviceAccountKeyLastAuthentication", "observationPeriod": _PERIOD,
            "fullResourceName": f"//iam.googleapis.com/{_full(account)}/keys/{key.key_id}", "activity": stated}
