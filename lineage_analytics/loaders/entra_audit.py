"""Entra directory audit log: activity, seen identities, directory changes, PIM and governance (sources 3.1 to 3.6).

Shapes  Graph ``directoryAudits`` pages, arrays, lines and single objects; diagnostic-settings envelopes (``records`` or
        lines, the record in ``properties``), also with other categories beside; rows of the tables ``AuditLogs`` and
        ``AADProvisioningLogs``, JSON or CSV, with dynamic columns as text; the portal's JSON and its CSV with numbered
        columns; test-suite envelopes.
Maps    every audit record with a time to ``activity``, the action with plain hyphens and single spaces; actors and
        targets to ``identity_facts``; changes and the phases of PIM, access packages and reviews to ``decision_steps``;
        the assignments that completed PIM phases leave to ``entitlements``. Sign-ins, Graph activity and risk in the
        same file are read as their own loaders read them and booked under those.
Drops   reasons people gave, but for whether there was one and the ticket or conversation keys quoted in it; values of
        changed properties that are no access or rule on it (their names stay), that are descriptions or secrets; other
        categories in the same file, rejected as ``out_of_scope`` by name.
Schema  Graph v1.0 and beta ``directoryAudit``; unknown activities are activity, unknown keys ``unmapped``.

The record id does not depend on the directory's id, because Graph objects of the core directory state none and the
native id is unique without it: the same record from Graph and from a diagnostic setting is one record. Which directory
such objects belong to is decided later, over all that is loaded (``_entra_directory.with_directory``). The portal's CSV
states no record id: its content stands for it, so that a record from there and from elsewhere is two.

``entitlements`` are read from events: what was assigned before the log begins is not among them, and what ended shows
in the decision steps (revoke, expiry), not here. ``as_of`` is therefore null.

Core-directory records that repeat a change which PIM or Conditional Access logs itself are steps with
``native_key_kind`` ``pim_mirror`` or ``ca_mirror`` and the correlation id as ``native_key``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics.loaders import _entra_mixed, _entra_shapes
from lineage_analytics.loaders._entra_directory import with_directory as settle
from lineage_analytics.loaders._entra_record import PROVIDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document, Match, Sample

__all__ = ["LATENESS", "PROVIDER", "detect", "extract", "settle", "transform"]

LATENESS = timedelta(hours=2)
FEEDS = frozenset({"activity", "decision_steps", "entitlements", "identity_facts"})


def detect(sample: Sample) -> Match | None:
    """Directory audit by ``activityDisplayName`` with who, what or when: alone, in envelopes, beside other logs."""
    return _entra_shapes.detect(sample, "audit")


def extract(document: Document) -> Iterator[Chunk]:
    """Rows and records as they stand in the file; CSV rows as objects."""
    yield from _entra_shapes.extract(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, identity facts, decision steps and PIM entitlements of one chunk; of other logs what those hold."""
    return _entra_mixed.transform(chunk, document, "audit")
