"""Who may assume which role: the trust policy of the role, and where it needs one, the principal's own policy."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from lineage_analytics.graphs.access.records import arn_index
from lineage_analytics.permissions.aws.catalogue import catalogue
from lineage_analytics.permissions.aws.policies import has_condition
from lineage_analytics.permissions.aws.principals import account_of, is_service, native
from lineage_analytics.permissions.patterns import compiled, is_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.access.parts import Builder
    from lineage_analytics.permissions.aws.effective import Effective, Grant
    from lineage_analytics.permissions.aws.principals import Principal
    from lineage_analytics.permissions.aws.table import Permissions

_ASSUME = "sts:AssumeRole"


@dataclass(frozen=True, order=True)
class Trust:
    """One principal a role's trust policy names."""

    role: str
    trusted: str
    conditional: bool
    record: str


@dataclass
class Trusts:
    """Trust policies, sorted by what they name. ``anyone``: principal ``*``; ``accounts``: by account trusted;
    ``named``: users, roles and sessions; ``others``: services and federation providers."""

    anyone: list[Trust] = field(default_factory=list)
    accounts: dict[str, list[Trust]] = field(default_factory=lambda: defaultdict(list))
    named: list[Trust] = field(default_factory=list)
    others: list[Trust] = field(default_factory=list)
    providers: list[tuple[str, str, str]] = field(default_factory=list)
    known: Mapping[str, str] = field(default_factory=dict)


def read_trusts(facts: Facts) -> Trusts:
    """Trust rows of the table ``entitlements``. A role with a deny in its trust policy has conditional trusts only."""
    rows = facts.frame("entitlements").filter(
        (pl.col("grant_kind") == "trust") & (pl.col("provider").fill_null("aws") == "aws")
        & (pl.col("privilege").is_null() | pl.col("privilege").str.contains(r"(?i)assumerole|\*"))
    ).select("principal_id", "scope", "effect", "condition", "record_id").drop_nulls(["principal_id", "scope"])
    doubtful = set(rows.filter(pl.col("effect") == "deny")["scope"])
    trusts = Trusts(known=arn_index(facts))
    found = {
        Trust(role, trusted, has_condition(condition) or role in doubtful, record or "")
        for trusted, role, effect, condition, record in rows.iter_rows() if effect != "deny"
    }
    ids = set(facts.frame("identities")["id"])
    for trust in sorted(found):
        _sort_in(trusts, trust, ids)
    return trusts


def _sort_in(trusts: Trusts, trust: Trust, ids: set[str]) -> None:
    key = native(trust.trusted)[1]
    if key == "*":
        trusts.anyone.append(trust)
    elif key.endswith(":root") or (key.isdigit() and len(key) == 12):
        trusts.accounts[account_of(key) or key].append(trust)
    elif ":saml-provider/" in key or ":oidc-provider/" in key:
        trusts.providers.append((account_of(key) or native(trust.role)[0], key, trust.trusted))
        trusts.others.append(trust)
    elif not is_service(trust.trusted) and (trust.trusted in ids or key.startswith("arn:")
                                            or key[:4] in {"AIDA", "AROA"}):
        trusts.named.append(trust)
    else:
        trusts.others.append(trust)


def trust_edges(have: Permissions, trusts: Trusts, build: Builder) -> None:
    """Every ``may_assume`` edge."""
    for trust in trusts.others:
        key = native(trust.trusted)[1]
        build.node(trust.trusted, "service" if is_service(trust.trusted) else "federation", key)
        _edge(build, trust.trusted, trust, "the role's trust policy names it")
    for trust in trusts.named:
        _named(have, trusts, trust, build)
    _anyone(have, trusts, build)
    assuming = Assuming(have, trusts, build)
    for principal in have.principals.values():
        if principal.sort != "other":
            assuming.edges(principal, principal.id, have.effective[principal.id])
    loaded = {p.account for p in have.principals.values() if p.listed}
    for account, found in sorted(trusts.accounts.items()):
        for trust in found:
            if account not in loaded:
                build.node(trust.trusted, "unknown", f"AWS account {account}", account, "aws")
                _edge(build, trust.trusted, trust, f"the role's trust policy names account {account}, whose own "
                      "policies are not loaded: whoever it allows may assume the role")


def _edge(build: Builder, src: str, trust: Trust, reason: str, *, proved: bool = True) -> None:
    said = reason + (", under a condition" if trust.conditional else "")
    build.edge(src, "may_assume", trust.role, said, [trust.record], proved=proved and not trust.conditional)


def _arn(have: Permissions, role: str) -> str:
    principal = have.principals.get(role)
    return (principal.arn if principal is not None else None) or native(role)[1]


def _named(have: Permissions, trusts: Trusts, trust: Trust, build: Builder) -> None:
    """A user, role or session the trust policy names: in the same account that suffices, unless its policies deny."""
    key = native(trust.trusted)[1]
    principal = have.principals.get(trust.trusted) or have.principals.get(
        trusts.known.get(key) or trusts.known.get(_role_of(key), ""))
    role_account = native(trust.role)[0]
    if principal is None:
        build.node(trust.trusted, "unknown", key)
        same = native(trust.trusted)[0] == role_account
        _edge(build, trust.trusted, trust, "the role's trust policy names it" + (
            "" if same else "; its own policies are not loaded and must allow it too"), proved=same)
        return
    found, arn, bit = have.effective[principal.id], _arn(have, trust.role), catalogue().mask(_ASSUME)
    if principal.account == role_account:
        limits = [b for b in found.bounds or () if b.allow and b.mask & bit and b.scope.matches(arn)]
        # The boundary of a user does not limit what a trust policy gives it by name; that of a role does.
        limited = principal.sort == "role" and found.bounds is not None
        if not _forbidden(found, bit, arn) and (limits or not limited or found.reason is not None):
            _edge(build, principal.id, trust, "the role's trust policy names it",
                  proved=not limited or any(not b.conditional for b in limits))
        return
    verdict = found.allows(bit, arn)
    if verdict != "denied":
        _edge(build, principal.id, trust, "the role's trust policy names it and its own policies allow sts:AssumeRole "
              "on the role", proved=verdict == "allowed")
    elif found.reason is not None or not principal.listed:
        _edge(build, principal.id, trust, "the role's trust policy names it; its own policies are not all known",
              proved=False)


def _role_of(arn: str) -> str:
    """The role's ARN behind a session's, as far as the session tells it (it leaves out the path)."""
    account, _, rest = arn.partition(":assumed-role/")
    return f"{account.replace(':sts:', ':iam:')}:role/{rest.split('/')[0]}" if rest else arn


def _forbidden(found: Effective, bit: int, arn: str) -> bool:
    return any(d.mask & bit and not d.conditional and d.scope.matches(arn) for d in found.denies)


def _anyone(have: Permissions, trusts: Trusts, build: Builder) -> None:
    """Roles that trust ``*``: everybody in their account, and anybody outside whose own account allows it."""
    accounts = defaultdict(list)
    for trust in trusts.anyone:
        build.node(trust.trusted, "unknown", "any AWS principal", None, "aws")
        _edge(build, trust.trusted, trust, "the role's trust policy names every AWS principal")
        accounts[native(trust.role)[0]].append(trust)
    bit = catalogue().mask(_ASSUME)
    for account, found in accounts.items():
        node = f"aws:{account}:scope:assume:any principal"
        build.node(node, "scope", f"any principal of {account}", account, "aws")
        for trust in found:
            _edge(build, node, trust, "the role's trust policy names every AWS principal")
        for principal in have.principals.values():
            if principal.account != account or principal.sort not in {"user", "role"}:
                continue
            denied = [d for d in have.effective[principal.id].denies if d.mask & bit]
            if not denied:
                build.edge(principal.id, "may_assume", node, "the role's trust policy names every AWS principal")
                continue
            for trust in found:
                if not _forbidden(have.effective[principal.id], bit, _arn(have, trust.role)):
                    _edge(build, principal.id, trust, "the role's trust policy names every AWS principal")


@dataclass
class Assuming:
    """Roles that trust a principal's account: it needs sts:AssumeRole on them by its own policies."""

    have: Permissions
    trusts: Trusts
    build: Builder

    @cached_property
    def _by_arn(self) -> Mapping[str, Mapping[str, list[Trust]]]:
        made: dict[str, dict[str, list[Trust]]] = {account: defaultdict(list) for account in self.trusts.accounts}
        for account, found in self.trusts.accounts.items():
            for trust in found:
                made[account][_arn(self.have, trust.role)].append(trust)
        return made

    def edges(self, principal: Principal, src: str, found: Effective) -> None:
        """Edges of one principal, from the node ``src`` by the permissions ``found``."""
        if principal.account not in self.trusts.accounts:
            return
        bit, trusts = catalogue().mask(_ASSUME), self.trusts.accounts[principal.account]
        by_arn = self._by_arn[principal.account]
        narrowed = found.bounds is not None or any(d.mask & bit for d in found.denies)
        for grant in found.grants:
            if not grant.mask & bit:
                continue
            scope = grant.statement.scope
            apart = trusts if scope.inverted or narrowed else []
            if not apart:
                for pattern in scope.patterns:
                    if is_pattern(pattern):
                        _by_pattern(self.have, principal.account, src, grant, bit, pattern, trusts, self.build)
                    else:
                        apart = [*apart, *by_arn.get(pattern, ())]
            for trust in apart:
                arn = _arn(self.have, trust.role)
                if trust.role != principal.id and scope.matches(arn) and (
                        verdict := found.allows(bit, arn)) != "denied":
                    _granted(self.build, src, grant, bit, trust, proved=verdict == "allowed")


def _granted(build: Builder, src: str, grant: Grant, bit: int, trust: Trust, *, proved: bool) -> None:
    condition = ", under a condition of the trust" if trust.conditional else ""
    reason = f"the role trusts the account, and {grant.statement.says(bit)}{condition}"
    build.edge(src, "may_assume", trust.role, reason, [trust.record, grant.statement.record_id],
               proved=proved and not trust.conditional)


def _by_pattern(have: Permissions, account: str, src: str, grant: Grant, bit: int, pattern: str, trusts: list[Trust],
                build: Builder) -> None:
    """Through a node for the pattern, shared by everybody who holds it."""
    node = f"aws:{account}:scope:assume:{pattern}"
    proved = bool(grant.sure & bit)
    if not build.has(node):
        fits = compiled(pattern).fullmatch
        covered = [trust for trust in trusts if fits(_arn(have, trust.role))]
        if not covered:
            return
        build.node(node, "scope", f"roles {pattern} that trust the account", account, "aws")
        for trust in covered:
            _edge(build, node, trust, f"the role trusts the account, and the pattern {pattern} covers it")
    build.edge(src, "may_assume", node, f"{grant.statement.says(bit)}", [grant.statement.record_id],
               proved=proved)
