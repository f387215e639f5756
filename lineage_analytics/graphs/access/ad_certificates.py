"""Ways through certificate services: templates that name anybody, authorities that domain controllers believe.

An authority is believed where the NTAuth store of its domain lists its certificate and its chain ends in a root that
the forest trusts; where the chain or the roots were not collected its edges are conditional. The computer that runs it
holds its key (BloodHound's GoldenCert). A template gives the domain away where a believed authority publishes it, it
signs in, the requester names whom it is for, nobody approves and nobody co-signs: whoever may enroll for it and at the
authority takes it (ADCSESC1). Whoever controls a published template can make it so, given the right to enroll
(ADCSESC4: conditional). Whoever enrolls as an enrollment agent may request in anybody's name for a template that takes
such an agent's signature (ADCSESC3: conditional, as restrictions of agents at the authority are not kept). Conditions
as BloodHound's analysis has them (SpecterOps/BloodHound, packages/go/analysis/ad: esc1, esc3, esc4, adcscache).

Left out, as what proves them is in registries of authorities and domain controllers that the loader does not keep:
ADCSESC6 (requesters add names), ADCSESC9 and ADCSESC10 (weak mapping of certificates), ADCSESC7; and ADCSESC13, as
groups linked to issuance policies are not kept.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.access.ad_rights import Held
    from lineage_analytics.graphs.access.ad_together import Together
    from lineage_analytics.graphs.access.parts import Builder

# Over a template; at the authority only the right to enroll itself counts.
_ENROLLS = frozenset({"enroll", "allextendedrights", "genericall"})
_AGENT, _ANY = "1.3.6.1.4.1.311.20.2.1", "2.5.29.37.0"
_ANYBODY = "name anybody in the certificate it requests"
_SIGNS = "sign certificates for anybody with the authority's key"
_ASIDE = "have the authority sign for anybody"
_REWRITE = "have a believed authority sign what the template says"
_CHAIN = "a chain from it to a root that the forest trusts"


@dataclass
class _Services:
    """What was collected of certificate services."""

    said: dict[str, dict[str, Any]]
    records: dict[str, str]
    kinds: Mapping[str, str]
    published: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    enroll: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    hosts: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    def flag(self, identity: str, key: str) -> object:
        return self.said.get(identity, {}).get(key)

    def record(self, *identities: str) -> list[str]:
        return [self.records[one] for one in identities if one in self.records]

    def domain(self, authority: str) -> str | None:
        """The domain an authority is of, where it was collected."""
        sid = authority.split(":")[1]
        return f"ad:{sid}:{sid}" if self.kinds.get(f"ad:{sid}:{sid}") == "domain" else None


def certificate_edges(
    facts: Facts, build: Builder, held: Iterable[Held], kinds: Mapping[str, str], together: Together
) -> None:
    """Edges to the domain from computers of authorities, authorities, templates and who may enroll."""
    found = _services(facts, held, kinds)
    agents: list[tuple[str, str]] = []
    for authority, (store, chained) in sorted(_believed(found).items()):
        domain = found.domain(authority)
        if domain is None:
            continue
        behind = found.record(authority, store)
        takes = "" if chained else f", which takes {_CHAIN}"
        for host, record in sorted(found.hosts[authority].items()):
            build.edge(host, "controls", domain, f"{_SIGNS}: it runs one that domain controllers believe{takes}",
                       [record, *behind], technique=_SIGNS, proved=chained)
        build.edge(authority, "controls", domain, f"{_ASIDE}: domain controllers believe it, which takes a template "
                   "that lets the requester name anybody", behind, technique=_ASIDE, proved=False)
        for template, record in sorted(found.published[authority].items()):
            agents.append((template, authority))
            build.edge(template, "controls", domain, f"{_REWRITE}: an authority that domain controllers believe "
                       "publishes it, which takes the right to enroll there", [record, *behind], technique=_REWRITE,
                       proved=False)
            if _names_anybody(found.said.get(template, {})):
                for holder, records in together(found.enroll[template], found.enroll[authority]):
                    build.edge(holder, "controls", domain, f"{_ANYBODY}: may enroll for the template at an authority "
                               f"that domain controllers believe{takes}",
                               [*records, record, *found.record(template), *behind], technique=_ANYBODY, proved=chained)
    _agents(build, found, agents, together)


def _agents(build: Builder, found: _Services, offered: list[tuple[str, str]], together: Together) -> None:
    """Enrollment agents: who takes an agent's certificate requests with it in anybody's name."""
    first = [(one, at) for one, at in offered if _agent(found.said.get(one, {})) is not None]
    second = [(one, at) for one, at in offered if _on_behalf(found.said.get(one, {})) is not None]
    technique = "request certificates in anybody's name as an enrollment agent"
    for agent, there in first:
        for template, here in second:
            domain = found.domain(here)
            if agent == template or domain is None or found.domain(there) != domain:
                continue
            if not _pair(found.said[agent], found.said[template]):
                continue
            sides = (found.enroll[agent], found.enroll[there], found.enroll[template], found.enroll[here])
            for holder, records in together(*sides):
                if found.kinds.get(holder) == "user" and _wants_host(found.said.get(agent, {})):
                    continue
                build.edge(holder, "controls", domain, f"{technique}: may enroll for both templates, which takes no "
                           "restriction of such agents at the authority", [*records, *found.record(agent, template)],
                           technique=technique, proved=False)


def _services(facts: Facts, held: Iterable[Held], kinds: Mapping[str, str]) -> _Services:
    rows = facts.frame("resources").filter((pl.col("provider") == "ad") & pl.col("attributes").is_not_null()).select(
        "id", "attributes", "record_id").sort(pl.all(), nulls_last=True)
    said, records = {}, {}
    for identity, text, record in rows.iter_rows():
        attributes = msgspec.json.decode(text)
        if isinstance(attributes, dict):
            said[identity] = attributes
            records[identity] = record
    found = _Services(said, {key: value for key, value in records.items() if value}, kinds)
    for one in held:
        right = one.right.lower()
        if right == "publishedto":
            found.published[one.over].setdefault(one.holder, one.record)
        elif right == "hostscaservice":
            found.hosts[one.over].setdefault(one.holder, one.record)
        elif right == "enroll" or (right in _ENROLLS and kinds.get(one.over) == "cert_template"):
            found.enroll[one.over].setdefault(one.holder, one.record)
    return found


def _believed(found: _Services) -> dict[str, tuple[str, bool]]:
    """Authorities that the NTAuth store of their domain lists, with the store and whether the chain is told to end in
    a trusted root; those whose chain is told to end elsewhere are not believed."""
    listed: dict[tuple[str, str], str] = {}
    roots: dict[str, set[str]] = defaultdict(set)
    for identity, one in sorted(found.said.items()):
        sid, kind = identity.split(":")[1], found.kinds.get(identity)
        if kind == "nt_auth_store":
            for thumb in _texts(one.get("certthumbprints")):
                listed.setdefault((sid, thumb), identity)
        elif kind == "root_ca":
            roots[sid] |= set(_texts([one.get("certthumbprint")]))
    believed = {}
    for identity, one in found.said.items():
        sid = identity.split(":")[1]
        store = listed.get((sid, str(one.get("certthumbprint")).upper()))
        if found.kinds.get(identity) == "enterprise_ca" and store is not None:
            chain = set(_texts(one.get("certchain")))
            told = bool(chain and roots[sid])
            if not told or chain & roots[sid]:
                believed[identity] = (store, told)
    return believed


def _texts(values: object) -> list[str]:
    return [value.upper() for value in values if isinstance(value, str)] if isinstance(values, list) else []


def _unsigned(template: Mapping[str, Any]) -> bool:
    """Nobody approves a request and nobody co-signs it; signatures count from the second version of templates on."""
    return template.get("requiresmanagerapproval") is False and (
        template.get("schemaversion") == 1 or template.get("authorizedsignatures") == 0)


def _names_anybody(template: Mapping[str, Any]) -> bool:
    """Does all that is stated of the template let a requester be anybody?"""
    return (template.get("authenticationenabled") is True and template.get("enrolleesuppliessubject") is True
            and _unsigned(template))


def _agent(template: Mapping[str, Any]) -> str | None:
    """What makes a template one for enrollment agents: that purpose, or any; null where it is none."""
    uses = template.get("effectiveekus")
    if not isinstance(uses, list) or not _unsigned(template):
        return None
    return "any" if _ANY in uses else "agent" if _AGENT in uses else None


def _on_behalf(template: Mapping[str, Any]) -> str | None:
    """How a template that signs in takes an agent's signature: by its first version, or as it asks for one."""
    if template.get("authenticationenabled") is not True or template.get("requiresmanagerapproval") is not False:
        return None
    if template.get("schemaversion") == 1:
        return "first"
    signatures, policies = template.get("authorizedsignatures"), template.get("applicationpolicies")
    asked = isinstance(signatures, int) and signatures >= 1 and isinstance(policies, list) and _AGENT in policies
    return "asked" if asked else None


def _pair(agent: Mapping[str, Any], template: Mapping[str, Any]) -> bool:
    """Is what the agent's certificate is for what the template asks for?"""
    return _on_behalf(template) == "first" or _agent(agent) == "agent"


def _wants_host(template: Mapping[str, Any]) -> bool:
    """Templates that put a host's name in the certificate are not given to people."""
    return any(template.get(key) is not False for key in ("subjectaltrequiredns", "subjectaltrequiredomaindns"))
