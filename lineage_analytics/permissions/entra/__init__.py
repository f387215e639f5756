"""Permissions of Entra and Azure: directory roles, application permissions and roles over Azure resources."""

from __future__ import annotations

from lineage_analytics.permissions.entra.deciding import decide
from lineage_analytics.permissions.entra.table import permission_rows

PROVIDERS = frozenset({"entra"})

__all__ = ["PROVIDERS", "decide", "permission_rows"]
