"""Effective permissions per provider: grants in, what each principal may do out, with reasons."""

from __future__ import annotations

from lineage_analytics.lazy import lazily

_HOMES = {
    "Permissions": "lineage_analytics.permissions.table",
    "permission_table": "lineage_analytics.permissions.table",
    "detail": "lineage_analytics.permissions.table",
    "sensitive": "lineage_analytics.permissions.aws.datafiles",
    "data_plane": "lineage_analytics.permissions.aws.datafiles",
    "iam_action": "lineage_analytics.permissions.aws.datafiles",
    "unmapped_events": "lineage_analytics.permissions.aws.usage",
}
__getattr__ = lazily(__name__, _HOMES)
