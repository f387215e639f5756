"""One AWS question: may this principal do this action on this resource?

The order is that of the IAM User Guide ("Policy evaluation logic"): a deny anywhere ends it; every level of the
organisation must allow; then the principal's own policies within its boundary, or in its own account the resource's
policy by itself; in another account both. A role and a key are entered by their own policy only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lineage_analytics.permissions.aws.catalogue import catalogue
from lineage_analytics.permissions.aws.organisation import RESOURCE
from lineage_analytics.permissions.aws.policies import Scope
from lineage_analytics.permissions.aws.principals import account_of
from lineage_analytics.permissions.aws.resource_policies import BY_ACCOUNT, BY_NAME, EVERYBODY
from lineage_analytics.permissions.aws.sessions import session_limits
from lineage_analytics.permissions.aws.sureness import Sure, speaks, strongest
from lineage_analytics.permissions.aws.table import permissions
from lineage_analytics.permissions.aws.trust import trust_of
from lineage_analytics.permissions.decision import ALLOWED, CONDITIONAL, DENIED, UNKNOWN, Because, Decision

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts
    from lineage_analytics.permissions.aws.effective import Effective
    from lineage_analytics.permissions.aws.organisation import Limit
    from lineage_analytics.permissions.aws.permission_sets import Assigned
    from lineage_analytics.permissions.aws.policies import Statement
    from lineage_analytics.permissions.aws.principals import Principal
    from lineage_analytics.permissions.aws.table import Permissions
    from lineage_analytics.permissions.aws.trust import Trusted

_BECOME = re.compile(r"sts:(assumerole\w*|tagsession|setsourceidentity)", re.IGNORECASE)
_KEY = re.compile(r"arn:aws[a-z-]*:kms:[^:]*:\d*:(key|alias)/")
_RESOURCE_LIMITED = ("s3", "sts", "kms", "sqs", "secretsmanager", "cognito-idp", "dynamodb", "ecr", "logs")
_SHOWN = 20


def decide(facts: Facts, principal: str, action: str, resource: str) -> Decision:
    """The verdict for one principal by id, or a session by its ARN, one action and one resource (an ARN, or a pattern:
    all it covers)."""
    have = permissions(facts)
    session = principal if principal.startswith("arn:") else None
    at, known = catalogue().index(action), have.principals.get(principal) or have.behind(principal)
    lacking = None
    assigned = have.permission_sets.of(principal)
    if assigned:
        return _through_sets(facts, principal, action, resource, assigned)
    if at is None:
        lacking = f"the catalogue of AWS actions knows no {action}"
    elif known is None or not (known.listed or known.root):
        lacking = "no account authorization export lists what it is granted"
    if lacking is not None or at is None or known is None:
        return Decision(principal, action, resource, UNKNOWN, (Because("missing", lacking or ""),))
    bit = 1 << at
    about = "*" if bit & catalogue().resourceless else resource
    limits = session_limits(facts, session) if session is not None else ()
    question = _Question(facts, have, known, have.effective[known.id], bit, about, session, limits)
    verdict, because = question.answer()
    return Decision(principal, catalogue().names[at], resource, verdict, tuple(because[:_SHOWN]))


_ORDER = (DENIED, UNKNOWN, CONDITIONAL, ALLOWED)


def _through_sets(facts: Facts, principal: str, action: str, resource: str, assigned: list[Assigned]) -> Decision:
    """What a user or group of IAM Identity Center may do: what the role of one of its permission sets may."""
    verdicts: dict[str, list[Because]] = {}
    for one in assigned:
        if one.role is None:
            verdicts.setdefault(UNKNOWN, []).append(Because(
                "missing", f"{one.says()}: no loaded export lists the role it leads to", one.record_ids))
            continue
        found = decide(facts, one.role.id, action, resource)
        verdicts.setdefault(found.verdict, []).extend(
            Because(reason.effect, f"{one.says()}: {reason.says}", (*one.record_ids, *reason.record_ids))
            for reason in found.because)
    verdict = max(verdicts, key=_ORDER.index)
    return Decision(principal, action, resource, verdict, tuple(verdicts[verdict][:_SHOWN]))


@dataclass
class _Question:
    """One question while it is answered; ``said`` collects what weighs, by its effect."""

    facts: Facts
    have: Permissions
    principal: Principal
    found: Effective
    bit: int
    resource: str
    session: str | None
    session_limits: tuple[Limit, ...]
    said: dict[str, list[Because]] = field(default_factory=dict)

    @property
    def about(self) -> Scope:
        return Scope((self.resource,))

    @property
    def account(self) -> str | None:
        """Of the resource; None where neither its ARN nor a policy on it tells."""
        policy = self.have.resource_policies.of(self.resource)
        return account_of(self.resource) or (policy.account if policy is not None else None)

    def answer(self) -> tuple[str, list[Because]]:
        deny = max(self._own_denies(), self._resource_denies())
        allow = min(self._organisation(), max(self._by_itself(), self._by_resource()))
        if deny == Sure.YES:
            return DENIED, self._because("deny")
        if allow == Sure.NO:
            return DENIED, self._because("limit", "gap") or [Because("missing", "no policy allows it")]
        if allow == Sure.UNKNOWN or (self.found.reason is not None and not self.principal.root):
            if self.found.reason is not None:
                self._say("missing", "missing", self.found.reason)
            return UNKNOWN, self._because("missing", "condition", "allow", "gap")
        if Sure.MAYBE in {allow, deny}:
            return CONDITIONAL, self._because("condition", "allow", "limit")
        return ALLOWED, self._because("allow", "note")

    def _say(self, kind: str, effect: str, says: str, *records: str) -> None:
        reason = Because(effect, says, tuple(record for record in records if record))
        if reason not in self.said.setdefault(kind, []):
            self.said[kind].append(reason)

    def _because(self, *kinds: str) -> list[Because]:
        return [reason for kind in kinds for reason in self.said.get(kind, ())]

    # --- what denies -------------------------------------------------------------------------------------------

    def _own_denies(self) -> Sure:
        """Of the principal, its boundary and its organisation; the root user only its organisation denies."""
        if not self.principal.root:
            return self._denying([*self.found.denies, *(s for limit in self.session_limits for s in limit.denies)])
        return self._denying([s for limit in self.have.organisation.limits(self.principal.account)
                              for s in limit.denies])

    def _denying(self, denies: tuple[Statement, ...] | list[Statement]) -> Sure:
        most = Sure.NO
        for statement in denies:
            sure = speaks(statement, self.bit, self.about)
            if sure != Sure.NO:
                part = "" if statement.scope.contains(self.about) else ", which is only some of what is asked about"
                self._say("deny" if sure == Sure.YES else "condition", "deny" if sure == Sure.YES else "condition",
                          " ".join(filter(None, (statement.says(self.bit) + part, statement.asks()))),
                          statement.record_id)
            most = max(most, sure)
        return most

    def _resource_denies(self) -> Sure:
        policy = self.have.resource_policies.of(self.resource)
        denies = [named.statement for named in (policy.statements if policy else ())
                  if not named.statement.allow and named.names(self.principal, self.session) is not None]
        owner = self.account
        if owner is not None and catalogue().names[self.bit.bit_length() - 1].split(":")[0] in _RESOURCE_LIMITED:
            denies += [s for limit in self.have.organisation.limits(owner, RESOURCE) for s in limit.denies]
        most = self._denying(denies)
        if _BECOME.match(catalogue().names[self.bit.bit_length() - 1]):
            for row in self._trust():
                if not row.allow and row.names(self.principal, self.session) is not None:
                    self._say("condition" if row.condition else "deny", "deny", row.says(), row.record_id)
                    most = max(most, Sure.MAYBE if row.condition else Sure.YES)
        return most

    # --- what allows -------------------------------------------------------------------------------------------

    def _organisation(self) -> Sure:
        """How surely every level above its account allows it."""
        least = Sure.YES
        if self.principal.service_linked:
            return least
        for limit in self.have.organisation.limits(self.principal.account):
            if limit.unread is not None:
                self._say("missing", "missing", limit.unread, *limit.record_ids)
                least = min(least, Sure.UNKNOWN)
                continue
            sure = strongest(limit.allows, self.bit, self.about)
            if sure == Sure.NO:
                self._say("limit", "limit", f"{limit.name} do not allow it", *limit.record_ids)
            elif sure == Sure.MAYBE:
                self._say("condition", "condition", f"{limit.name} allow it only in part or under a condition",
                          *limit.record_ids)
            least = min(least, sure)
        return least

    def _by_itself(self) -> Sure:
        """By its own policies, and where the resource lies elsewhere or guards itself, by the resource's as well."""
        own = min(self._identity(), self._boundary(), self._session())
        if own == Sure.NO:
            return own
        return min(own, self._resource_agrees())

    def _identity(self) -> Sure:
        if self.principal.root:
            self._say("allow", "allow", "the root user may do everything its organisation does not deny")
            return Sure.YES
        most = Sure.NO
        for statement, via in self.found.stated:
            how = f", held through {via}" if via.startswith("group ") else ""
            most = max(most, self._allowing(statement, how))
        if most == Sure.NO:
            self._say("gap", "missing", "none of its policies allows it")
        return max(most, Sure.UNKNOWN) if self.found.reason is not None else most

    def _allowing(self, statement: Statement, how: str = "") -> Sure:
        sure = speaks(statement, self.bit, self.about)
        if sure != Sure.NO:
            part = "" if statement.scope.contains(self.about) else ", which is only some of what is asked about"
            self._say("allow" if sure == Sure.YES else "condition", "allow" if sure == Sure.YES else "condition",
                      " ".join(filter(None, (statement.says(self.bit) + how + part, statement.asks()))),
                      statement.record_id)
        return sure

    def _boundary(self) -> Sure:
        if self.found.bounds is None or self.principal.root:
            return Sure.YES
        sure = strongest([b for b in self.found.bounds if b.allow], self.bit, self.about)
        if not self.found.boundary_known:
            return max(sure, Sure.UNKNOWN)
        records = sorted({b.record_id for b in self.found.bounds})
        if sure == Sure.NO:
            self._say("limit", "limit", "its permissions boundary does not allow it", *records)
        elif sure == Sure.MAYBE:
            self._say("condition", "condition", "its permissions boundary allows it only in part or under a condition",
                      *records)
        return sure

    def _session(self) -> Sure:
        """What the policies a session was started with leave of it."""
        if not self.session_limits:
            return Sure.YES
        most = max(Sure.UNKNOWN if limit.unread else strongest(limit.allows, self.bit, self.about)
                   for limit in self.session_limits)
        for limit in self.session_limits:
            if limit.unread is not None and most == Sure.UNKNOWN:
                self._say("missing", "missing", limit.unread, *limit.record_ids)
            elif most in {Sure.NO, Sure.MAYBE}:
                only = "does not allow it" if most == Sure.NO else "allows it only in part or under a condition"
                self._say("limit" if most == Sure.NO else "condition", "limit", f"{limit.name} {only}",
                          *limit.record_ids)
        return most

    def _resource_agrees(self) -> Sure:
        """Does the resource let in whom its own account, or another, allows?"""
        name = catalogue().names[self.bit.bit_length() - 1]
        if _BECOME.match(name):
            return self._let_in([BY_NAME, BY_ACCOUNT, EVERYBODY])
        own_policy_only = bool(_KEY.match(self.resource))
        elsewhere = self.account is not None and self.account != self.principal.account
        if not own_policy_only and not elsewhere:
            return Sure.YES
        policy = self.have.resource_policies.of(self.resource)
        if policy is None or policy.unread:
            where = f"account {self.account}" if elsewhere else "the key"
            self._say("missing", "missing",
                      f"the resource's own policy must allow it, and that of {where} is not loaded")
            return Sure.UNKNOWN
        return self._granted_by(self.resource, (BY_NAME, BY_ACCOUNT, EVERYBODY))

    def _by_resource(self) -> Sure:
        """By the resource's policy alone, which in one's own account is enough where it names one."""
        name = catalogue().names[self.bit.bit_length() - 1]
        owner = self.account
        if owner is not None and owner != self.principal.account:
            return Sure.NO
        if _BECOME.match(name):
            sure = self._let_in([BY_NAME, EVERYBODY], quietly=True)
        else:
            sure = self._granted_by(self.resource, (BY_NAME, EVERYBODY))
        # What a resource grants a user by name its boundary does not limit; that of a role does.
        if sure == Sure.NO or self.principal.sort == "user":
            return sure
        return min(sure, self._boundary(), self._session())

    def _granted_by(self, resource: str, ways: tuple[str, ...]) -> Sure:
        policy = self.have.resource_policies.of(resource)
        most = Sure.NO
        for named in policy.statements if policy is not None else ():
            if named.statement.allow and named.names(self.principal, self.session) in ways:
                most = max(most, self._allowing(named.statement, ", by the resource's own policy"))
        if policy is not None and policy.unread and most != Sure.YES:
            self._say("missing", "missing", "the resource's own policy cannot be read")
            most = max(most, Sure.UNKNOWN)
        return most

    def _trust(self) -> list[Trusted]:
        role = self._role()
        return trust_of(self.facts, role.id) if role is not None else []

    def _role(self) -> Principal | None:
        if self.resource.startswith("arn:"):
            return next((p for p in self.have.principals.values() if self.resource in p.arns), None)
        return None

    def _let_in(self, ways: list[str], *, quietly: bool = False) -> Sure:
        """How surely the role's trust policy lets the principal become it."""
        role, rows = self._role(), self._trust()
        if role is None or not role.listed:
            if not quietly:
                self._say("missing", "missing", "the trust policy of the role is not loaded")
            return Sure.NO if quietly else Sure.UNKNOWN
        most = Sure.NO
        for row in rows:
            if row.allow and row.names(self.principal, self.session) in ways:
                sure = Sure.MAYBE if row.condition else Sure.YES
                self._say("condition" if row.condition else "allow", "condition" if row.condition else "allow",
                          row.says(), row.record_id)
                most = max(most, sure)
        if most == Sure.NO and not quietly:
            self._say("gap", "missing", "the role's trust policy does not name it")
        return most
