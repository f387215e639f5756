"""Permissions of AWS: policies read into what a user, role or group may do."""

from __future__ import annotations

from lineage_analytics.permissions.aws.deciding import decide
from lineage_analytics.permissions.aws.table import permission_rows

PROVIDERS = frozenset({"aws"})

__all__ = ["PROVIDERS", "decide", "permission_rows"]
