"""Permissions of Google Cloud: policies read into what a person, service account or federated principal may do."""

from __future__ import annotations

from lineage_analytics.permissions.gcp.deciding import decide
from lineage_analytics.permissions.gcp.table import permission_rows

PROVIDERS = frozenset({"gcp"})

__all__ = ["PROVIDERS", "decide", "permission_rows"]
