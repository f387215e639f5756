"""What a token says of who acts: Microsoft's facet claims, and the actor claim of OAuth (decision-lineage 7.1).

A facet claim holds several numbers in any order: it is asked for members, never compared. The application an agent was
made from (``xms_par_app_azp``, its blueprint) groups agents; it never acts.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from lineage_analytics.loaders.common.values import embedded, name, native, obj, text

if TYPE_CHECKING:
    from lineage_analytics.loaders.common.values import Fields

_AGENT, _AGENT_USER = "11", "13"
_NUMBER = re.compile(r"[0-9]{1,6}")


class Acting(NamedTuple):
    """With whose authority an agent acts. ``agent``: its application id where it acts for the user of the token;
    ``blueprint``: the application it was made from."""

    mode: str
    agent: str | None
    blueprint: str | None
    basis: str


def facets(value: object) -> frozenset[str]:
    """The numbers of a facet claim, as a list or as text with blanks or commas between."""
    found = embedded(value)
    items = found if isinstance(found, list) else [found]
    return frozenset(number for item in items if (held := text(item)) is not None for number in _NUMBER.findall(held))


def acting(claims: Fields) -> Acting | None:
    """Who acts, where the claims (keys in lower case) say that an agent does; None where they do not."""
    sort = (text(claims.get("idtyp")) or "").lower()
    actor, subject = facets(claims.get("xms_act_fct")), facets(claims.get("xms_sub_fct"))
    blueprint = native(name(claims.get("xms_par_app_azp")))
    app = native(name(claims.get("azp")) or name(claims.get("appid")))
    if _AGENT in actor and sort == "user":
        if _AGENT_USER in subject:
            return Acting("agent_user", None, blueprint, "token facets: an agent's own user account")
        return Acting("obo_user", app, blueprint, "token facets: an agent acts for the user")
    if _AGENT in actor and sort == "app" and _AGENT in subject:
        return Acting("own_identity", None, blueprint, "token facets: an agent as itself")
    named = actor_of(claims)
    if named is not None and sort != "app":
        return Acting("obo_user", native(named), blueprint, "the token's act claim: another acts for its subject")
    return None


def actor_of(claims: Fields) -> str | None:
    """The current actor of an OAuth token exchange: the outermost ``act`` claim."""
    act = obj(claims.get("act"))
    return name(act.get("sub")) or name(act.get("client_id"))


def scopes(claims: Fields) -> list[str] | None:
    """Delegated scopes of the token; None where it states none."""
    return sorted(set((text(claims.get("scp")) or "").split())) or None


def moment(claims: Fields, key: str) -> datetime | None:
    """A claim that is a time in seconds; None for anything else."""
    stated = text(claims.get(key)) or ""
    return datetime.fromtimestamp(int(stated), UTC) if stated.isdecimal() and len(stated) == 10 else None
