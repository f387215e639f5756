"""Kubernetes API-server audit: activity, users, impersonation, access changes, certificate approvals (sources 8).

Shapes  Events as lines, array, single objects or ``EventList`` batches, of v1, v1beta1 and v1alpha1; CloudWatch Logs of
        EKS (subscription envelopes, filtered events, queries, exports with the event as ``message`` text); Azure
        diagnostics of AKS (``properties.log`` as text) and Log Analytics rows, JSON or CSV; test-suite envelopes.
Maps    finished requests to ``activity``; users and impersonated users to ``identity_facts``; changes of roles,
        bindings, service accounts, admission rules and ``aws-auth`` to ``decision_steps``, bindings also to
        ``entitlements``, who made them as another account to ``delegations``;
        signing requests and their approvals as requests and decisions; issued tokens to
        ``credentials``.
Drops   request and response bodies but for subjects, roles, rules and hashes of what was set, so no secret of a Secret
        object; stages before the answer and other logs of the control plane, rejected as ``out_of_scope`` by name.
Schema  audit.k8s.io v1, v1beta1, v1alpha1; unknown keys are kept in ``unmapped``.

Every stage of a request has the same ``auditID``. What is finished counts: ``ResponseComplete``, ``Panic`` and records
without a stage. A watch or a shell that is still open is therefore not seen until it ends.

With impersonation the actor is the impersonated user, whose rights decided, and ``on_behalf_of_id`` the one who really
called. The cluster is not in the event: it comes from the log group of EKS or the resource id of AKS, else it is empty.
Calls of GKE stand in Cloud Audit Logs and are read by ``gcp_audit``, also where they stand among events like these.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics.loaders import _gcp_entries, _k8s_events
from lineage_analytics.loaders import _k8s_names as names
from lineage_analytics.loaders._gcp_entry import is_entry
from lineage_analytics.loaders._k8s_shapes import is_event, match, opened, unpacked
from lineage_analytics.loaders.common.assembly import Entry, assemble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document, Match, Sample

PROVIDER = names.PROVIDER
LATENESS = timedelta(minutes=15)
FEEDS = frozenset({"activity", "credentials", "decision_steps", "delegations", "entitlements", "identity_facts"})
SOURCE = "k8s_audit"


def detect(sample: Sample) -> Match | None:
    """Audit events by ``auditID`` with ``stage`` or ``verb``, or ``kind`` Event of ``audit.k8s.io``."""
    return match(sample)


def extract(document: Document) -> Iterator[Chunk]:
    """Raw events, taken out of batches and log envelopes."""
    return unpacked(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, users, steps, grants and issued tokens of one chunk."""
    return assemble(chunk, document, SOURCE, _read)


def _read(entry: Entry) -> None:
    """An audit event; an entry of Cloud Logging that stands among them as what it is."""
    if not is_event(opened(entry.fields)[0]) and is_entry(entry.fields):
        _gcp_entries.read(entry)
    else:
        _k8s_events.read(entry)
