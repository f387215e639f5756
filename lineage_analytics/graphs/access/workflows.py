"""Workflows of GitHub repositories that clouds trust: who makes one run acts as the role or application.

A role of AWS, and a federated credential of an Entra application, trust tokens of GitHub by their subject:
``repo:<owner>/<name>:<what runs>`` (GitHub, "OpenID Connect reference"; AWS, "Configuring OpenID Connect"). Whoever can
push to the repository writes its workflows, so the repository is a node that ``may_assume`` the role. A subject that
leaves what runs open (``:*``) asks nothing else of it; one that names a branch, an environment or a pull request is a
condition, since who may push to the branch or approve the environment is not in these records.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import polars as pl

from lineage_analytics.permissions.aws.principals import native
from lineage_analytics.permissions.github import repository_names
from lineage_analytics.permissions.patterns import is_pattern, literal_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.access.parts import Builder

ISSUER = "token.actions.githubusercontent.com"
ANYBODY = "github::anybody"
_TECHNIQUE = "run a workflow in the repository"
_LIKE = frozenset({"stringlike", "foranyvalue:stringlike", "forallvalues:stringlike"})
_EQUAL = frozenset({"stringequals", "stringequalsignorecase", "foranyvalue:stringequals", "forallvalues:stringequals"})


class Subject(NamedTuple):
    """What a trust asks of the subject of a token."""

    wanted: str
    """Its subject after ``repo:``, owner and name in lower case: exact where the repository holds no wildcard."""
    asks: str | None
    """What else has to hold; None: nothing."""

    @property
    def repository(self) -> str:
        return self.wanted.partition(":")[0]


@dataclass(frozen=True)
class Trust:
    """A role or application, what of GitHub it trusts, and the record that says so."""

    target: str
    subject: Subject
    record: str | None


def edges(facts: Facts, build: Builder) -> None:
    """Repositories, and everybody a pattern lets in, ``may_assume`` what trusts them."""
    trusts = sorted({*_of_aws(facts), *_of_entra(facts)}, key=lambda trust: (trust.target, str(trust.subject)))
    if not trusts:
        return
    known = repositories(facts)
    for trust in trusts:
        if is_pattern(trust.subject.repository):
            _pattern(build, trust, known)
        else:
            for node in _nodes(build, trust.subject.repository, known):
                _edge(build, node, trust)


def repositories(facts: Facts) -> dict[str, list[str]]:
    """Ids of repositories by ``owner/name`` in lower case: of pull requests in the audit log, which name both, and of
    graphs that list them."""
    rows = facts.frame("resources").filter(pl.col("kind").str.to_lowercase().str.contains(r"(?:^|_)repository$"))
    owners = dict(facts.frame("resources").filter(pl.col("kind").str.to_lowercase().str.ends_with("_organization"))
                  .select(pl.col("id").str.split(":").list.last(), "display_name").drop_nulls().sort(pl.all()).rows())
    found: dict[str, set[str]] = defaultdict(set)
    named = rows.select("id", "display_name", "tenant").drop_nulls(["id", "display_name"])
    for identity, label, tenant in named.iter_rows():
        owner = owners.get(tenant or "")
        full = label if "/" in label else f"{owner}/{label}" if owner else None
        if full is not None:
            found[full.casefold()].add(identity)
    for name, ids in repository_names(facts).items():
        found[name].update(ids)
    return {name: sorted(ids) for name, ids in sorted(found.items())}


def _nodes(build: Builder, repository: str, known: Mapping[str, list[str]]) -> list[str]:
    """The nodes of a repository; one of our own where no file lists it."""
    found = known.get(repository) or [f"github:{repository.partition('/')[0]}:repo/{repository}"]
    for node in found:
        build.node(node, "resource", f"repository {repository}")
    return found


def _edge(build: Builder, src: str, trust: Trust, also: str | None = None) -> None:
    asks = trust.subject.asks
    said = f"trusts workflows of {trust.subject.repository}" + (f", only if {asks}" if asks else "") + (also or "")
    build.edge(src, "may_assume", trust.target, said, [trust.record], proved=asks is None,
               technique=_TECHNIQUE + (f", such that {asks}" if asks else ""))


def _pattern(build: Builder, trust: Trust, known: Mapping[str, list[str]]) -> None:
    """Through a node for the pattern, which every repository it covers enters."""
    pattern = trust.subject.wanted
    owner = pattern.partition("/")[0]
    open_to_all = is_pattern(owner)
    node = f"github:{'' if open_to_all else owner}:scope:repo:{pattern}"
    if not build.has(node):
        build.node(node, "scope", f"repositories {pattern}", provider="github")
        for name in known:
            whole = covers(pattern, name)
            for repository in _nodes(build, name, known) if whole is not None else ():
                rest = "" if whole else ", only if the rest of its subject fits"
                build.edge(repository, "may_assume", node, f"the pattern {pattern} covers it{rest}", proved=bool(whole),
                           technique=_TECHNIQUE)
        if open_to_all:
            build.node(ANYBODY, "unknown", "anybody with an account at GitHub", provider="github")
            build.edge(ANYBODY, "may_assume", node, f"the pattern {pattern} leaves the owner open: anybody can name a "
                       "repository so", technique="make a repository whose name fits and run a workflow in it",
                       proved=owner == "*")
    _edge(build, node, trust, "; anybody can name an owner and a repository so" if open_to_all else None)


def covers(pattern: str, repository: str) -> bool | None:
    """Does a pattern for what comes after ``repo:`` let in some subject of the repository: true for every one, false
    for some, None for none. A ``*`` runs over colons, too."""
    start, whole = literal_prefix(pattern), f"{repository}:"
    if not (whole.startswith(start) or start.startswith(whole)):
        return None
    if pattern == f"{start}*":
        return whole.startswith(start)
    at = _after(pattern, {0}, "")
    for sign in whole:
        at = _after(pattern, at, sign)
        if not at:
            return None
    return any(set(pattern[here:]) == {"*"} for here in at if here < len(pattern))


def _after(pattern: str, at: set[int], sign: str) -> set[int]:
    """Places in the pattern after one more sign; a place before a star is also one behind it."""
    found = set()
    for here in at:
        if not sign:
            found.add(here)
        elif here < len(pattern):
            if pattern[here] == "*":
                found.add(here)
            elif pattern[here] in ("?", sign):
                found.add(here + 1)
    for here in sorted(found):
        behind = here
        while behind < len(pattern) and pattern[behind] == "*":
            behind += 1
            found.add(behind)
    return found


def _of_entra(facts: Facts) -> Iterator[Trust]:
    rows = facts.frame("credentials").filter(
        (pl.col("kind") == "federated") & pl.col("issuer").str.contains(ISSUER, literal=True)
    ).select("identity_id", "subject", "record_id").drop_nulls(["identity_id", "subject"]).unique()
    for identity, subject, record in rows.sort(pl.all(), nulls_last=True).iter_rows():
        held = _subject(subject, wild=False)
        if held is not None:
            yield Trust(identity, held, record)


def _of_aws(facts: Facts) -> Iterator[Trust]:
    rows = facts.frame("entitlements").filter(
        (pl.col("grant_kind") == "trust")
        & (pl.col("privilege").is_null() | pl.col("privilege").str.contains(r"(?i)assumerole|\*"))
    ).select("principal_id", "scope", "effect", "condition", "record_id").drop_nulls(["principal_id", "scope"]).unique()
    denied = set(rows.filter(pl.col("effect") == "deny")["scope"])
    for trusted, role, effect, condition, record in rows.sort(pl.all(), nulls_last=True).iter_rows():
        if effect != "deny" and native(trusted)[1].endswith(f":oidc-provider/{ISSUER}"):
            for subject in _subjects(condition):
                doubt = "the denial in its trust policy does not hold" if role in denied else None
                yield Trust(role, Subject(subject.wanted, _both(subject.asks, doubt)), record)


def _both(*doubts: str | None) -> str | None:
    return " and ".join(doubt for doubt in doubts if doubt) or None


def conditions(condition: str | None) -> dict[str, Any] | None:
    """A condition by operator; None where it cannot be read."""
    try:
        found = msgspec.json.decode(condition) if condition else {}
    except msgspec.DecodeError:
        return None
    return found if isinstance(found, dict) else None if found else {}


def _subjects(condition: str | None) -> list[Subject]:
    """The subjects a condition lets in; without one of the subject every repository of GitHub is."""
    asked = conditions(condition)
    if asked is None:
        return [Subject("*", "its condition, which cannot be read, holds")]
    found: list[Subject] | None = None
    others: list[str] = []
    for operator, keys in asked.items():
        for key, said in keys.items() if isinstance(keys, dict) else ():
            values = [str(value) for value in (said if isinstance(said, list) else [said])]
            sort = operator.casefold()
            if key.casefold() == f"{ISSUER}:sub" and sort in _LIKE | _EQUAL and found is None:
                found = [held for value in values if (held := _subject(value, wild=sort in _LIKE)) is not None]
            elif key.casefold() != f"{ISSUER}:aud":  # the workflow states its own audience
                others.append(f"{key} {operator} {', '.join(values)}")
        if not isinstance(keys, dict):
            others.append(operator)
    also = " and ".join(sorted(others)) or None
    return [Subject(subject.wanted, _both(subject.asks, also))
            for subject in ([Subject("*", None)] if found is None else found)]


def _subject(value: str, *, wild: bool) -> Subject | None:
    """What one subject asks; None where no token has such a one: it names no repository or nothing that runs, or holds
    wildcards that the operator takes to the letter."""
    text = value.removeprefix("repo:")
    if text == value and not (wild and value.startswith("*")):
        return None
    repository, colon, rest = text.partition(":")
    if wild and is_pattern(repository):
        return Subject(repository.casefold() + colon + rest, None)
    if is_pattern(repository) or not rest:
        return None
    return Subject(f"{repository.casefold()}:{rest}", None if wild and rest == "*" else f"its subject is {value}")
