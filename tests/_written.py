"""What the loaders write: the verb of a change by provider and operation, by the loaders' own tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lineage_analytics.loaders import _azure_steps as azure
from lineage_analytics.loaders import _cloudtrail_steps as aws
from lineage_analytics.loaders import _entra_steps as entra
from lineage_analytics.loaders import _gcp_changes as gcp
from lineage_analytics.loaders import _gcp_directory as directory
from lineage_analytics.loaders import _github_steps as github
from lineage_analytics.loaders import _jira_audit as jira
from lineage_analytics.loaders import _k8s_changes as k8s
from lineage_analytics.loaders import _m365_steps as m365
from lineage_analytics.loaders import _okta_steps as okta
from lineage_analytics.loaders import _workspace_steps as workspace
from lineage_analytics.loaders import anthropic_compliance as anthropic
from lineage_analytics.loaders import openai_audit as openai
from lineage_analytics.loaders._entra_pim import phase_of
from lineage_analytics.loaders._windows_events import RULES

if TYPE_CHECKING:
    from collections.abc import Callable

_REQUESTS = re.compile(r"(?:self|admin|user|system)(Activate|Deactivate \(PIM deactivate\)|Assign|Add|Remove|Update)")
_ON_CHANGES = {"change_request:implement": "set", "change_request:back_out": "set"}


def verb(provider: str, operation: str) -> str | None:
    """The verb of the effect, ``set`` where the loader has no other; None: it never writes that change."""
    return _BY_PROVIDER[provider](operation)


def _aws(operation: str) -> str | None:
    found = aws.EFFECTS.get(operation) or aws.EFFECTS.get(re.sub(r"\d{8}(?:v\d)?$", "", operation))
    return found.verb if found else "set" if aws.is_change(operation, False) else None


def _entra(operation: str) -> str | None:
    low = operation.casefold()
    phase = phase_of(low)
    if phase is not None:
        return phase.verb if phase.kind in ("action", "rollback") else None
    if low in entra.EFFECTS:
        return entra.EFFECTS[low][0]
    if operation == "accessReviewDecision":  # only what it takes away is applied
        return "revoke"
    asked = _REQUESTS.fullmatch(operation)
    return None if asked is None else "revoke" if asked[1].startswith(("Remove", "Deactivate")) else "grant"


def _azure(operation: str) -> str | None:
    sort, _, last = operation.lower().rpartition("/")
    if sort in azure._TYPES and last in azure._VERBS:
        written = azure._TYPES[sort][1]
        return written if last == "write" else "revoke" if written == "grant" else "delete"
    vault = azure._VAULT.match(operation)
    return azure._VAULT_VERBS[vault[2].lower()] if vault else None


def _gcp(operation: str) -> str | None:
    word = gcp.last_part(operation)
    if word in gcp.POLICY_METHODS:
        return "set"
    if operation.startswith("google.admin."):
        return directory._EFFECTS[word].verb if word in directory._EFFECTS else None
    return next((verb for start, verb in gcp._VERBS if word.startswith(start)
                 and word.removeprefix(start).removesuffix("async") in gcp._OBJECTS), None)


def _k8s(operation: str) -> str | None:
    _, verb, where = operation.split(":")
    group, _, resource = where.partition("/")
    call = k8s.Call(None, verb, group, resource, None, "ns", "x", {}, {})
    return k8s._VERBS[verb] if k8s.is_change(call) else None


def _okta(operation: str) -> str | None:
    special = {"app.access_request.grant": "grant", "access.review.remediate": "revoke"}
    known = any(operation.startswith(start) for start, _, _ in okta._SUBJECTS)
    return special.get(operation) or (okta._VERBS.get(operation.rsplit(".", 1)[-1]) if known else None)


def _github(operation: str) -> str | None:
    category, _, rest = operation.partition(".")
    words = rest.split("_")
    found = github._WHOLE.get(operation) or github._VERBS.get(rest) or github._VERBS.get(words[0]) or (
        github._VERBS.get(words[-1]))
    if github._SEATS.match(operation) and found == "create":
        found = "grant"
    return found if github._ACCESS.match(category) and not github._FOUND.search(category) else None


def _workspace(operation: str) -> str | None:
    effect = next((table[operation] for table in workspace._BY_APPLICATION.values() if operation in table), None)
    if effect is not None:
        return effect.verb if effect.kind == "action" else None
    return workspace._SETTINGS.get(operation.partition("_")[0]) if operation.endswith("_SETTING") else None


def _ad(operation: str) -> str | None:
    number, _, title = operation.partition(" ")
    rule = RULES[int(number)]
    return rule.verb or None if title == rule.title else None


def _openai(operation: str) -> str | None:
    about, _, last = operation.rpartition(".")
    found = openai._VERBS.get(last)
    return {"create": "grant", "delete": "revoke"}.get(found or "") if about == "role.assignment" else found


_BY_PROVIDER: dict[str, Callable[[str], str | None]] = {
    "aws": _aws, "entra": _entra, "azure": _azure, "gcp": _gcp, "k8s": _k8s, "okta": _okta, "github": _github,
    "gworkspace": _workspace, "ad": _ad, "openai": _openai, "anthropic": lambda name: anthropic._subject(name)[1],
    "m365": lambda name: found.verb if (found := m365.EFFECTS.get(name.removeprefix("m365:").lower())) else None,
    "servicenow": _ON_CHANGES.get, "jira": lambda name: jira._MEMBERSHIP.get(name.removeprefix("audit:").lower()),
}
