"""Permissions of Kubernetes: role bindings read into what a user, node or service account may do."""

from __future__ import annotations

from lineage_analytics.permissions.k8s.deciding import decide
from lineage_analytics.permissions.k8s.table import permission_rows

PROVIDERS = frozenset({"k8s"})

__all__ = ["PROVIDERS", "decide", "permission_rows"]
