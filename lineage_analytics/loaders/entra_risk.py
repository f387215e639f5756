"""Entra ID Protection: risk detections and the risk state of users, service principals and agents.

Shapes  Graph ``riskDetections``, ``servicePrincipalRiskDetections``, ``riskyUsers``, ``riskyServicePrincipals`` and
        their histories in pages, arrays, lines or alone; diagnostic settings of the categories UserRiskEvents,
        ServicePrincipalRiskEvents, RiskyUsers and RiskyServicePrincipals, also with other categories beside; the
        AAD... tables of Log Analytics as JSON or CSV.
Maps    every record to ``activity`` (``riskDetection:<type>`` or ``riskState:<state>``), without an actor, the one
        at risk as the resource; a detection, or a state that says at risk, to a ``signal``, and what an administrator
        or the service said of it (``riskDetail``) to a ``decision`` in ``decision_steps``; the principal to
        ``identity_facts``. Audits, sign-ins and Graph activity in the same file are read as their own loaders read them
        and booked under those.
Drops   places, user agents and the other free details of a detection; other categories, rejected as ``out_of_scope``.
Schema  Graph v1.0 and beta; unknown keys are ``unmapped``.

A detection is written again when its state changes: it and its later states are records of their own, known by id and
time of the update. The sign-in in which a risk was seen joins them: ``native_key_kind`` ``signin_id``. A verdict says
that the signal was held for true (approve) or not (deny); who gave it is not in the record.
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
FEEDS = frozenset({"activity", "decision_steps", "identity_facts"})


def detect(sample: Sample) -> Match | None:
    """Risk by category, table or type, or by ``riskState`` with a type of event or the time of its last update."""
    return _entra_shapes.detect(sample, "risk")


def extract(document: Document) -> Iterator[Chunk]:
    """Rows and records as they stand in the file; CSV rows as objects."""
    yield from _entra_shapes.extract(document)


def transform(chunk: Chunk, document: Document) -> Batch:
    """Activity, signals, verdicts and identity facts of one chunk; of other logs what those hold."""
    return _entra_mixed.transform(chunk, document, "risk")
