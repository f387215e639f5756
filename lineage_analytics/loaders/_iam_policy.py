"""IAM policy documents read into grants: one row a statement, one row a trusted principal."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import msgspec

from lineage_analytics.loaders.common.sampling import decode_object

Row = dict[str, Any]
PEOPLE, SOFTWARE = "people", "software"
# Federation for people's own accounts; what comes through them can be a person or a device.
_CONSUMER_FEDERATION = ("cognito-identity.amazonaws.com", "accounts.google.com", "graph.facebook.com",
                        "www.amazon.com")


def document(value: object) -> dict[str, Any] | None:
    """A policy document as an object: the CLI decodes it, the raw API gives URL-encoded JSON. None: unreadable."""
    if isinstance(value, str):
        text = value.strip()
        value = decode_object((unquote(text) if text.startswith("%7") else text).encode())
    return value if isinstance(value, dict) and ("Statement" in value or "statement" in value) else None


def listed(value: object) -> list[Any]:
    """IAM writes one value where a list of one would do."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _texts(value: object) -> list[str] | None:
    return None if value is None else sorted(str(item) for item in listed(value))


def statements(policy: dict[str, Any], policy_id: str, name: str) -> list[Row]:
    """Rows of kind ``statement``; a statement that is not an object leaves a row without actions, so that the policy
    does not pass for readable."""
    rows = []
    for statement in listed(policy.get("Statement", policy.get("statement"))):
        said: dict[str, Any] = statement if isinstance(statement, dict) else {}
        rows.append({
            "principal_id": policy_id, "grant_kind": "statement", "privilege": name,
            "effect": _effect(said),
            "actions": _texts(said.get("Action")), "not_actions": _texts(said.get("NotAction")),
            "resources": _texts(said.get("Resource")), "not_resources": _texts(said.get("NotResource")),
            "condition": _condition(said), "state": "standing",
        })
    return rows


def unreadable(policy_id: str, name: str) -> Row:
    """What stands for a document that cannot be read: a statement that says nothing."""
    return {"principal_id": policy_id, "grant_kind": "statement", "privilege": name, "state": "standing"}


def _effect(statement: dict[str, Any]) -> str | None:
    effect = str(statement.get("Effect", "")).lower()
    return effect if effect in ("allow", "deny") else None


def _condition(statement: dict[str, Any]) -> str | None:
    found = statement.get("Condition")
    return msgspec.json.encode(found, order="sorted").decode() if found else None


def trusts(policy: dict[str, Any], role_id: str, account: str) -> tuple[list[Row], set[str]]:
    """Rows of kind ``trust``, and whether people or software are shown to assume the role."""
    rows: list[Row] = []
    shown: set[str] = set()
    for statement in listed(policy.get("Statement", policy.get("statement"))):
        if not isinstance(statement, dict):
            continue
        effect = _effect(statement)
        for principal, evidence in _principals(statement, account):
            rows.append({
                "principal_id": principal, "grant_kind": "trust", "privilege": ", ".join(_texts(
                    statement.get("Action")) or ["sts:AssumeRole"]), "scope": role_id, "effect": effect,
                "condition": _condition(statement), "state": "standing", "origin": "trust",
            })
            if effect == "allow" and evidence:
                shown.add(evidence)
    return rows, shown


def _principals(statement: dict[str, Any], account: str) -> list[tuple[str, str | None]]:
    found = statement.get("Principal")
    if found == "*":
        return [("aws::*", None)]
    if not isinstance(found, dict):
        return []
    named: list[tuple[str, str | None]] = [(f"aws:service:{s}", SOFTWARE) for s in listed(found.get("Service"))]
    named += [_federated(str(provider), account) for provider in listed(found.get("Federated"))]
    named += [(principal_id(str(name), account), None) for name in listed(found.get("AWS"))]
    return named


def _federated(provider: str, account: str) -> tuple[str, str | None]:
    if ":saml-provider/" in provider:
        evidence: str | None = PEOPLE
    else:
        evidence = None if provider.endswith(_CONSUMER_FEDERATION) else SOFTWARE
    return f"aws:{account}:{provider}", evidence


def principal_id(name: str, account: str) -> str:
    """The id of a principal in a trust policy: an ARN, an account, a unique id or ``*``."""
    if name == "*":
        return "aws::*"
    if name.isdigit() and len(name) == 12:
        return f"aws:{name}:arn:aws:iam::{name}:root"
    parts = name.split(":")
    return f"aws:{parts[4] if len(parts) > 5 else account}:{name}"
