"""Ways through certificate services: templates that name anybody, authorities that domain controllers believe.

A template gives the domain away where an authority that is believed publishes it, it signs in, the requester names whom
it is for, nobody approves and nobody co-signs; whoever may enroll for it and at the authority takes it (what BloodHound
calls ADCSESC1). Whoever controls such an authority, or a template it publishes, controls the domain.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lineage_analytics.graphs.access.ad import Held
    from lineage_analytics.graphs.access.parts import Builder
    from lineage_analytics.tables import Facts

_ENROLLS = ("Enroll", "AllExtendedRights", "GenericAll")
_ANYBODY = "name anybody in the certificate it requests"


def certificate_edges(facts: Facts, build: Builder, held: Iterable[Held], kinds: Mapping[str, str]) -> None:
    """Edges from authorities and templates to the domain, and from who may enroll."""
    from lineage_analytics.graphs.access.ad import Both  # noqa: PLC0415  (it calls this module)

    said = _attributes(facts)
    published: dict[str, list[tuple[str, str]]] = defaultdict(list)
    enrolls: dict[str, dict[str, str]] = defaultdict(dict)
    for one in held:
        if one.right == "PublishedTo":
            published[one.holder].append((one.over, one.record))
        elif one.right in _ENROLLS:
            enrolls[one.over][one.holder] = one.record
    believed = _believed(said, kinds)
    for authority in sorted(believed):
        for domain in _domains(facts, authority):
            build.edge(authority, "controls", domain, "sign certificates for anybody: domain controllers believe it",
                       [], technique="sign certificates for anybody")
    both = Both(facts) if published else None
    for template, authorities in sorted(published.items()):
        for authority, record in sorted(set(authorities)):
            if authority not in believed or both is None:
                continue
            build.edge(template, "controls", authority, "have the authority sign what the template says: it publishes "
                       "the template", [record], technique="have the authority sign what the template says",
                       proved=False)
            if _names_anybody(said.get(template, {})):
                for holder, records in both(enrolls[template], enrolls[authority]):
                    for domain in _domains(facts, authority):
                        build.edge(holder, "controls", domain, f"{_ANYBODY}: may enroll for the template at an "
                                   "authority that domain controllers believe", [*records, record], technique=_ANYBODY)


def _attributes(facts: Facts) -> dict[str, dict[str, Any]]:
    rows = facts.frame("resources").filter((pl.col("provider") == "ad") & pl.col("attributes").is_not_null())
    found = {identity: msgspec.json.decode(text) for identity, text in rows.select("id", "attributes").iter_rows()}
    return {identity: said for identity, said in found.items() if isinstance(said, dict)}


def _believed(said: Mapping[str, Mapping[str, Any]], kinds: Mapping[str, str]) -> set[str]:
    """Authorities whose certificate an NTAuth store lists; of one that states no thumbprint nothing is said."""
    listed = {thumb for identity, one in said.items() if kinds.get(identity) == "nt_auth_store"
              for thumb in one.get("certthumbprints") or ()}
    return {identity for identity, one in said.items()
            if kinds.get(identity) == "enterprise_ca" and one.get("certthumbprint") in listed}


def _names_anybody(template: Mapping[str, Any]) -> bool:
    """Does all that is stated of the template let a requester be anybody?"""
    unsigned = template.get("schemaversion") == 1 or template.get("authorizedsignatures") == 0
    return (template.get("authenticationenabled") is True and template.get("enrolleesuppliessubject") is True
            and template.get("requiresmanagerapproval") is False and unsigned)


def _domains(facts: Facts, authority: str) -> list[str]:
    """The domain an authority is of."""
    sid = authority.split(":")[1]
    found = facts.frame("resources").filter((pl.col("provider") == "ad") & (pl.col("kind") == "domain"))["id"]
    return sorted({one for one in found if one == f"ad:{sid}:{sid}"})
