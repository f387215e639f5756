"""Graph activity log: requests of users and applications to the directory and Microsoft 365.

Shapes  Diagnostic settings of the categories MicrosoftGraphActivityLogs and AzureADGraphActivityLogs (the older API),
        also with other categories beside; the tables of Log Analytics for them, and GraphAPIAuditEvents of Defender,
        as JSON or CSV.
Maps    every request to ``activity``: method and path with ``{id}`` for objects as the action, the path itself as the
        resource; callers to ``identity_facts``. Audits, sign-ins and risk in the same file are read as their own
        loaders read them and booked under those.
Drops   the query of a request, which may hold what somebody searched for; scopes and roles of the token; places;
        other categories, rejected as ``out_of_scope`` by name.
Schema  the table as of 2025; unknown keys are ``unmapped``.

The token of a request (``signInActivityId``) is ``credential_id``, and for applications ``actor_session_id`` too: a
sign-in has the same value there. A POST may read or write: its ``is_read`` is null.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lineage_analytics.loaders import _entra_mixed, _entra_shapes
from lineage_analytics.loaders._entra_opened import PROVIDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.loaders.common.contract import Batch, Chunk, Document, Match, Sample

__all__ = ["LATENESS", "PROVIDER", "detect", "extract", "transform"]

LATENESS = timedelta(hours=2)
FEEDS = frozenset({"activity", "identity_facts"})


def detect(sample: Sample) -> Match | None:
    """Graph requests by category or table, or by ``requestUri``, ``requestMethod`` and ``responseStatusCode``."""
    return _entra_shapes.detect(sample, "graph")


def extract(document: Document) -> Iterator[Chunk]:
    """Rows and records as they stand in the file; CSV rows as objects."""
    yield from _entra_shapes.extract(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity and identity facts of one chunk; of other logs what those hold."""
    return _entra_mixed.transform(chunk, document, "graph")
