"""Principals of Google Cloud as IAM writes them: ``user:``, ``serviceAccount:``, ``principal://`` ... (sources 7.2).

The id of a principal is the member text with its e-mail in lower case, because audit records and policies hold nothing
better. A deleted service account states its numeric id, which is then its identity: the same address may live again.
"""

from __future__ import annotations

import re
from functools import lru_cache

from lineage_analytics.loaders._principals import Principal

PROVIDER = "gcp"

_TYPES = {name.lower(): name for name in (
    "user", "serviceAccount", "group", "domain", "projectOwner", "projectEditor", "projectViewer", "allUsers",
    "allAuthenticatedUsers", "deleted", "principal", "principalSet")}
_UID = re.compile(r"\?uid=([0-9A-Za-z]{1,40})$")
_AGENT_POOL = re.compile(r"principal://agents\.[a-z0-9.-]{1,200}\.system\.id\.goog/", re.IGNORECASE)
_SERVICE_AGENT = re.compile(
    r"@(?:gcp-sa-[a-z0-9-]{1,60}\.iam|cloudservices|[a-z0-9-]{1,40}-system\.iam|gcp-gae-service\.iam"
    r"|(?:container-engine|compute|dataflow-service-producer-prod|cloudcomposer-accounts)[a-z-]{0,30}\.iam)"
    r"\.gserviceaccount\.com$")
_EVERYONE = frozenset({"allUsers", "allAuthenticatedUsers"})


@lru_cache(maxsize=8_192)
def member(text: str) -> Principal:
    """The principal of a member text such as ``user:a@b.c``; a text without a type is an address of unknown kind."""
    stated, colon, rest = text.partition(":")
    kind = _TYPES.get(stated.lower())
    if kind == "deleted" and colon:
        return _deleted(rest)
    if kind in ("principal", "principalSet") and rest.startswith("//"):
        return _federated(f"{kind}:{rest}")
    if kind in _EVERYONE:
        return _plain(kind, "group", "everyone", f"IAM member {kind}")
    if kind is None or not colon:
        return _address(text)
    return _typed(kind, rest)


def caller(email: str | None, subject: str | None) -> Principal | None:
    """Who called: by the typed subject of the record, else by the address it logs; None when it names nobody."""
    if subject is not None and subject.partition(":")[0].lower() in _TYPES:
        return member(subject)
    return _address(email or subject or "") if email or subject else None


def service_account(email: str, unique_id: str | None = None) -> Principal:
    """A service account; with its numeric id that is its identity and the address one of its names."""
    found = _typed("serviceAccount", email)
    return found if unique_id is None else found._replace(id=f"{PROVIDER}::{unique_id}")


def _typed(kind: str, rest: str) -> Principal:
    low = rest.strip().lower()
    if kind == "user":
        return _plain(f"user:{low}", "human", "user", "a Google account (IAM type user)", low, email=low)
    if kind == "serviceAccount":
        if ".svc.id.goog[" in low:
            return _plain(f"serviceAccount:{rest.strip()}", "workload", "workload_identity_pool_subject",
                          "a Kubernetes service account of a workload identity pool", rest.strip())
        managed = _SERVICE_AGENT.search(low) is not None
        return _plain(f"serviceAccount:{low}", "service_account", "service_agent" if managed else None,
                      "a service account (IAM type serviceAccount)", low, email=low, managed=managed)
    if kind == "group":
        return _plain(f"group:{low}", "group", None, "a group (IAM type group)", low, email=low)
    subkind = "domain" if kind == "domain" else "project_members"
    return _plain(f"{kind}:{low}", "group", subkind, f"IAM type {kind}", low)


def _deleted(rest: str) -> Principal:
    found = member(_UID.sub("", rest))
    uid = _UID.search(rest)
    if found.kind == "service_account" and uid is not None:
        return found._replace(id=f"{PROVIDER}::{uid[1]}", alt_ids=(), basis="a deleted service account with its id")
    suffix = f"?uid={uid[1]}" if uid else ""
    held = found.id.partition("::")[2]
    return found._replace(id=f"{PROVIDER}::deleted:{held}{suffix}", alt_ids=(), basis=f"{found.basis}, deleted")


def _federated(text: str) -> Principal:
    low = text.lower()
    if low.startswith("principalset:"):
        return _plain(text, "group", "principal_set", "a set of federated principals")
    if _AGENT_POOL.match(text):
        return _plain(text, "ai_agent", "agent_identity", "a principal of a Google agent identity pool")
    if "/workforcepools/" in low:
        return _plain(text, "human", "workforce_pool_subject", "a subject of a workforce identity pool")
    if "/workloadidentitypools/" in low:
        return _plain(text, "workload", "workload_identity_pool_subject", "a subject of a workload identity pool")
    return _plain(text, "unknown", None, "a federated principal of another pool")


def _address(text: str) -> Principal:
    low = text.strip().lower()
    if low.endswith(".gserviceaccount.com"):
        return _typed("serviceAccount", low)
    found = _typed("user", low)
    return found._replace(kind="unknown", subkind=None, basis="an address without a type")


def _plain(
    text: str, kind: str, subkind: str | None, basis: str, label: str | None = None, *, email: str | None = None,
    managed: bool = False,
) -> Principal:
    alt = (("email", email), ("principal_id", text)) if email else (("principal_id", text),)
    return Principal(f"{PROVIDER}::{text}", kind, subkind, label or text, alt, basis, managed)
