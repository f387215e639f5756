"""Organisations, accounts and pull requests of GitHub, named alike by the audit log and by review objects."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import polars as pl

from lineage_analytics.loaders._event_rows import NOBODY, Who, seen
from lineage_analytics.loaders._tenants import moved
from lineage_analytics.loaders.common.values import Fields, flag, name, text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from lineage_analytics.loaders.common.assembly import Entry

PROVIDER = "github"
_PULL = re.compile(r"^/(?:repos/)?([^/]+/[^/]+)/pulls?/(\d{1,9})(?:/|$)")
_WHOLE = re.compile(r"^(\d{1,18})\.0+$")
_ORGANISATION = "an organisation account"
_API = re.compile(r"^/api/v3")
_RUN_ON = re.compile(r"(\d{2}:\d{2}:\d{2})(\d{3,9})$")
_ACCOUNT_TYPES = {"user": ("human", "user"), "bot": ("app", "bot"), "organization": ("group", "organization"),
                  "mannequin": ("unknown", "mannequin")}


def number(value: object) -> str | None:
    """A numeric id as text; None for zero and for ids that a spreadsheet turned into ``1.2E+17``."""
    found = name(value)
    if isinstance(value, float) and value.is_integer():
        found = str(int(value))
    found = _WHOLE.sub(r"\1", found) if found else None
    return found if found and found != "0" and "E+" not in found.upper() else None


def tenant_of(fields: Mapping[str, Any]) -> str | None:
    """The organisation, else the enterprise: its id where stated, else its login in lower case."""
    for held, key in (("org_id", "org"), ("business_id", "business")):
        found = number(fields.get(held)) or name(fields.get(key))
        if found is not None:
            return found.lower()
    repo = name(fields.get("repo")) or name(fields.get("repository"))
    return repo.partition("/")[0].lower() if repo and "/" in repo else None


def account(tenant: str | None, login: str | None, native: str | None, kind: str, basis: str | None,
            subkind: str | None = None, alt: tuple[tuple[str, str], ...] = ()) -> Who:
    """An account by its number, else by its login in lower case."""
    low = login.lower() if login else None
    if native is None and low is None:
        return NOBODY
    found = (("login", low),) if low else ()
    return Who(f"{PROVIDER}:{tenant or ''}:{native or low}", kind, basis, login, (*found, *alt), subkind)


def typed(said: Fields, tenant: str | None) -> Who:
    """The account of a webhook or REST object, by its ``type``."""
    kind = (text(said.get("type")) or "").lower()
    sort, subkind = _ACCOUNT_TYPES.get(kind, ("unknown", kind or None))
    basis = f"account type {text(said.get('type'))}" if sort != "unknown" else None
    node = name(said.get("node_id"))
    return account(tenant, name(said.get("login")), number(said.get("id")), sort, basis, subkind,
                   (("node_id", node),) if node else ())


def pull_key(*urls: str | None) -> str | None:
    """``owner/name#12`` out of the address of a pull request, in lower case."""
    for url in urls:
        try:
            path = _API.sub("", urlsplit(url or "").path)
        except ValueError:
            continue
        found = _PULL.match(path)
        if found is not None:
            return f"{found[1].lower()}#{found[2]}"
    return None


def agentic(fields: Mapping[str, Any]) -> bool:
    """Whether the record itself says that an AI agent acted."""
    return flag(fields.get("actor_is_agent")) is True


def moment(value: object) -> object:
    """A time as text whose fraction lost its point gets it back."""
    return _RUN_ON.sub(r"\1.\2", value.strip()) if isinstance(value, str) else value


def see_organisation(entry: Entry, native: str | None, login: str | None) -> None:
    """The organisation as an account with id and login: what ties records that name it by login to the others."""
    if native is not None and login is not None:
        seen(entry, account(native, login, native, "group", _ORGANISATION, "organization"),
             excluded_reason="provider_managed")


def by_id(found: Mapping[str, pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
    """The tables with organisations that some record names only by login under their id, where another states both."""
    if "identity_facts" not in found:
        return dict(found)
    stated = found["identity_facts"].filter(
        (pl.col("provider") == PROVIDER) & (pl.col("kind_basis") == _ORGANISATION)
        & (pl.col("excluded_reason") == "provider_managed")
    ).select("tenant", login=pl.col("display_name").str.to_lowercase()).unique().collect()
    known: dict[str, set[str]] = {}
    for tenant, login in stated.iter_rows():
        known.setdefault(login, set()).add(tenant)
    return moved(found, PROVIDER, {login: min(ids) for login, ids in sorted(known.items())
                                   if len(ids) == 1 and login not in ids})
