"""Cloud Audit Logs: a month an array as ``gcloud logging read`` saves it, the last days again out of Pub/Sub.

Activity and data access stand together; the entries of two days came two days late.
"""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lineage_analytics.simulation.chapters._google_cloud_project import PROJECT
from lineage_analytics.simulation.writers.files import Monthly, as_json, put, zulu

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.chapters._google_cloud_project import Binding
    from lineage_analytics.simulation.model import Account, Deed, Happened, World

SOURCE = "gcp_audit"
_STREAMED = 5
_LATE = timedelta(days=2)
# The permission that a method checks and its kind, as the audit pages of each service have them. Asking for and
# approving a temporary grant takes none: who is named in its entitlement may.
NEEDS = {
    "SetIamPolicy": ("resourcemanager.projects.setIamPolicy", "ADMIN_WRITE"),
    "GenerateAccessToken": ("iam.serviceAccounts.getAccessToken", "ADMIN_READ"),
    "storage.objects.create": ("storage.objects.create", "DATA_WRITE"),
    "storage.objects.get": ("storage.objects.get", "DATA_READ"),
    "storage.setIamPermissions": ("storage.buckets.setIamPolicy", "ADMIN_WRITE"),
    "google.cloud.aiplatform.v1.PredictionService.GenerateContent": ("aiplatform.endpoints.predict", "DATA_READ"),
    "google.cloud.bigquery.v2.JobService.InsertJob": ("bigquery.jobs.create", "DATA_WRITE"),
    "google.cloud.cloudaicompanion.v1.TaskCompletionService.CompleteTask":
        ("cloudaicompanion.instances.completeTask", "DATA_READ"),
    "google.cloud.privilegedaccessmanager.v1.PrivilegedAccessManager.ApproveGrant": None,
    "google.cloud.privilegedaccessmanager.v1.PrivilegedAccessManager.CreateGrant": None,
    "google.cloud.run.v1.Services.ReplaceService": ("run.services.update", "ADMIN_WRITE"),
    "google.iam.admin.v1.CreateServiceAccount": ("iam.serviceAccounts.create", "ADMIN_WRITE"),
    "google.iam.admin.v1.CreateServiceAccountKey": ("iam.serviceAccountKeys.create", "ADMIN_WRITE"),
    "google.iam.admin.v1.DeleteServiceAccount": ("iam.serviceAccounts.delete", "ADMIN_WRITE"),
    "google.iam.admin.v1.DeleteServiceAccountKey": ("iam.serviceAccountKeys.delete", "ADMIN_WRITE"),
    "google.iam.v1.WorkloadIdentityPools.CreateWorkloadIdentityPoolProvider":
        ("iam.workloadIdentityPoolProviders.create", "ADMIN_WRITE"),
}


class Log:
    """One array a month; the subscription repeats the last five days."""

    def __init__(self, directory: Path, world: World) -> None:
        self._directory, self._last = directory, max(world.midnights)
        self._months = Monthly(directory, "cloudaudit-{month}.json.gz")
        self._streamed: list[dict[str, Any]] = []

    def day(self, happened: Happened) -> None:
        late = _LATE if 18 <= (self._last - happened.day).days <= 19 else timedelta(seconds=1)
        for deed in happened.deeds.get(SOURCE, ()):
            entry = _entry(deed, late)
            self._months.write(happened.day, entry)
            if (self._last - happened.day).days < _STREAMED:
                self._streamed.append(entry)

    def end(self) -> None:
        self._months.close()
        if not self._streamed:
            return
        put(self._directory / "subscription.json.gz", as_json([
            {"ackId": f"synthetic-{number}", "message": {
                "data": base64.b64encode(as_json(entry)).decode(), "messageId": str(9_000_000 + number),
                "publishTime": entry["receiveTimestamp"],
                "attributes": {"logging.googleapis.com/timestamp": entry["timestamp"]}}}
            for number, entry in enumerate(self._streamed)]))


def _entry(deed: Deed, late: timedelta) -> dict[str, Any]:
    details = deed.details
    entry = {
        "insertId": deed.event_id, "severity": "ERROR" if deed.outcome == "denied" else "NOTICE",
        "logName": f"projects/{PROJECT}/logs/cloudaudit.googleapis.com%2F{details.get('log', 'activity')}",
        "timestamp": zulu(deed.time), "receiveTimestamp": zulu(deed.time + late), "resource": _monitored(deed),
        "protoPayload": _payload(deed),
    }
    if "trace" in details:
        entry["trace"] = f"projects/{PROJECT}/traces/{details['trace']}"
    return entry | ({"operation": details["operation"]} if "operation" in details else {})


def _monitored(deed: Deed) -> dict[str, Any]:
    labels = {"project_id": PROJECT}
    about: Account | None = deed.details.get("account")
    if about is None:
        kind = {"storage.googleapis.com": "gcs_bucket", "bigquery.googleapis.com": "bigquery_project"}.get(
            deed.details["service"], "project")
        return {"type": kind, "labels": labels}
    return {"type": "service_account", "labels": labels | {"email_id": about.name, "unique_id": about.native_id}}


def _payload(deed: Deed) -> dict[str, Any]:
    details = deed.details
    denied = deed.outcome == "denied"
    payload: dict[str, Any] = {
        "@type": "type.googleapis.com/google.cloud.audit.AuditLog", "serviceName": details["service"],
        "methodName": deed.action, "resourceName": details["resource"], "authenticationInfo": _caller(deed),
        "status": {"code": 7, "message": "PERMISSION_DENIED"} if denied else {},
        "requestMetadata": {"callerIp": "203.0.113.61", "callerSuppliedUserAgent": "google-cloud-sdk gcloud/512.0.0"},
    }
    needed = NEEDS[deed.action]
    if needed is not None:
        payload["authorizationInfo"] = [{"resource": details["resource"], "permission": needed[0],
                                         "granted": not denied, "permissionType": needed[1]}]
    if details.get("deltas"):
        payload["serviceData"] = {
            "@type": "type.googleapis.com/google.iam.v1.logging.AuditData",
            "policyDelta": {"bindingDeltas": [_delta(action, binding) for action, binding in details["deltas"]]}}
    return payload | ({"response": details["response"]} if "response" in details else {})


def _delta(action: str, binding: Binding) -> dict[str, Any]:
    stated: dict[str, Any] = {"action": action, "role": binding.role, "member": binding.member}
    return stated | ({"condition": condition(binding)} if binding.until else {})


def condition(binding: Binding) -> dict[str, str]:
    """The condition that ends a binding."""
    assert binding.until is not None  # noqa: S101  (narrows the type)
    return {"title": "for a while", "expression": f'request.time < timestamp("{zulu(binding.until)}")'}


def _caller(deed: Deed) -> dict[str, Any]:
    stated = subject(deed.who)  # type: ignore[arg-type]
    if "key" in deed.details:
        account = stated["principalEmail"]
        stated["serviceAccountKeyName"] = (
            f"//iam.googleapis.com/projects/{PROJECT}/serviceAccounts/{account}/keys/{deed.details['key']}")
    chain = deed.details.get("chain", ())
    if chain:
        stated["serviceAccountDelegationInfo"] = [_link(hop) for hop in chain]
    return stated


def _link(hop: Account) -> dict[str, Any]:
    stated = subject(hop)
    first = {"firstPartyPrincipal": {"principalEmail": stated["principalEmail"]}} if "principalEmail" in stated else {}
    return first | {"principalSubject": stated["principalSubject"]}


def subject(who: Account) -> dict[str, Any]:
    """Address and typed subject of a caller; federated ones have no address."""
    if who.native_id.startswith("principal:"):
        return {"principalSubject": who.native_id}
    kind = "user" if who.kind == "human" else "serviceAccount"
    return {"principalEmail": who.name, "principalSubject": f"{kind}:{who.name}"}
