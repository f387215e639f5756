"""Effective permissions per provider: grants in, what each principal may do out, with reasons."""

from __future__ import annotations

from lineage_analytics.lazy import lazily

_HOMES = {
    "allowed": "lineage_analytics.permissions.asking",
    "Decision": "lineage_analytics.permissions.decision",
    "permission_table": "lineage_analytics.permissions.table",
    "detail": "lineage_analytics.permissions.aws.table",
    "unmapped_events": "lineage_analytics.permissions.aws.usage",
}
__getattr__ = lazily(__name__, _HOMES)
