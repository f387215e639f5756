"""Kinds of identities and nodes in words, and why nothing can be told of some."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable

NHI_KINDS = ("service_account", "workload", "app", "api_key", "ai_agent", "ai_assistant")
# One of a kind, and several.
KIND_WORDS = {
    "human": ("person", "people"), "service_account": ("service account", "service accounts"),
    "workload": ("workload", "workloads"), "app": ("app", "apps"), "api_key": ("API key", "API keys"),
    "ai_agent": ("AI agent", "AI agents"), "ai_assistant": ("AI assistant", "AI assistants"),
    "group": ("group", "groups"), "role": ("role", "roles"), "policy": ("policy", "policies"),
    "service": ("service", "services"), "resource": ("resource", "resources"),
    "credential": ("credential", "credentials"), "federation": ("federation", "federations"),
    "directory_role": ("directory role", "directory roles"), "scope": ("wildcard", "wildcards"),
    "unknown": ("identity of unknown kind", "identities of unknown kind"),
}
_CODE = re.compile(r"^[a-z]+(?:_[a-z]+)+: ")


def one(kind: str | None) -> str:
    """A kind in the singular; what is no kind we know is of unknown kind."""
    return KIND_WORDS.get(kind or "unknown", KIND_WORDS["unknown"])[0]


def several(kind: str | None) -> str:
    """A kind in the plural."""
    return KIND_WORDS.get(kind or "unknown", KIND_WORDS["unknown"])[1]


def counted(identities: pl.DataFrame) -> pl.DataFrame:
    """Those that count in a denominator: without an ``excluded_reason``, where that column is given."""
    return identities.filter(pl.col("excluded_reason").is_null()) if "excluded_reason" in identities.columns else (
        identities)


def commonest(reasons: Iterable[str | None], otherwise: str) -> str:
    """The reason that most have, in words: the code before it is for programs."""
    found = Counter(_CODE.sub("", reason) for reason in reasons if reason)
    return min(found, key=lambda reason: (-found[reason], reason)) if found else otherwise
