"""IAM policy documents read into grants: one row a statement, one row a trusted principal."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import msgspec

from lineage_analytics.loaders.common.sampling import decode_object
from lineage_analytics.loaders.common.secrets import cleaned

Row = dict[str, Any]
# What a trust policy names, as evidence for who becomes the role; only the first two show it.
PEOPLE, SOFTWARE = "people", "software"
ACCOUNTS, EITHER, ANYONE = ("accounts, users or roles", "an identity provider of people and software alike",
                            "every principal")
# Identity providers through which a person, a device or a program may come.
_EITHER_HOSTS = ("google.com", "facebook.com", "amazon.com", "okta.com", "oktapreview.com", "auth0.com", "onelogin.com",
                 "microsoftonline.com", "windows.net")


class EntryError(ValueError):
    """An entry that does not say what is needed; the message says what was wanted and found."""


def needed(entry: dict[str, Any], key: str) -> str:
    """The text under the key; EntryError when there is none."""
    found = text(entry, key)
    if found is None:
        raise EntryError(f"wanted {key}, found none")
    return found


def text(entry: dict[str, Any], key: str) -> str | None:
    """The text under the key, None when absent or empty; EntryError when it is no text."""
    value = entry.get(key)
    if value is None or isinstance(value, str):
        return value or None
    raise EntryError(f"wanted text in {key}, found {type(value).__name__}")


def inner(entry: dict[str, Any], key: str) -> dict[str, Any]:
    """The object under the key, empty when absent; EntryError when it is none."""
    value = entry.get(key)
    if value is None or isinstance(value, dict):
        return value or {}
    raise EntryError(f"wanted an object in {key}, found {type(value).__name__}")


def objects(entry: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects listed under the key; EntryError when something else is."""
    found = listed(entry.get(key))
    for item in found:
        if not isinstance(item, dict):
            raise EntryError(f"wanted objects in {key}, found {type(item).__name__}")
    return found


def document(value: object) -> dict[str, Any] | None:
    """A policy document as an object: the CLI decodes it, the raw API gives URL-encoded JSON. None: unreadable."""
    if isinstance(value, str):
        said = value.strip()
        value = decode_object((unquote(said) if said.startswith("%") else said).encode())
    return value if isinstance(value, dict) and ("Statement" in value or "statement" in value) else None


def listed(value: object) -> list[Any]:
    """IAM writes one value where a list of one would do."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _texts(value: object) -> list[str] | None:
    """Patterns, sorted; None where there are none or where something among them is no text."""
    found = listed(value)
    return sorted(found) if value is not None and all(isinstance(item, str) for item in found) else None


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


def canonical(value: object) -> str:
    """The value as JSON text whatever the order of its keys and lists: in IAM no list has one."""
    return msgspec.json.encode(_ordered(value), order="sorted").decode()


def _ordered(value: object) -> object:
    if isinstance(value, dict):
        return {key: _ordered(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted(map(_ordered, value), key=lambda item: msgspec.json.encode(item, order="sorted"))
    return value


def _condition(statement: dict[str, Any]) -> str | None:
    found = statement.get("Condition")
    return canonical(cleaned(found)) if found else None


def trusts(policy: dict[str, Any], role_id: str, account: str) -> tuple[list[Row], set[str]]:
    """Rows of kind ``trust``, and what the policy names as allowed: PEOPLE, SOFTWARE, ACCOUNTS, EITHER, ANYONE."""
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
                "condition": _trust_condition(statement), "state": "standing", "origin": "trust",
            })
            if effect == "allow":
                shown.add(evidence)
    return rows, shown


def _trust_condition(statement: dict[str, Any]) -> str | None:
    """The condition; of everybody but those named (NotPrincipal), also who is left out."""
    if "NotPrincipal" not in statement:
        return _condition(statement)
    said = {key: statement[key] for key in ("NotPrincipal", "Condition") if statement.get(key)}
    return canonical(cleaned(said))


def _principals(statement: dict[str, Any], account: str) -> list[tuple[str, str]]:
    found = statement.get("Principal")
    if found == "*" or "NotPrincipal" in statement:
        return [("aws::*", ANYONE)]
    if not isinstance(found, dict):
        return []
    named: list[tuple[str, str]] = [(f"aws:service:{s}", SOFTWARE) for s in listed(found.get("Service"))]
    named += [_federated(str(provider), account) for provider in listed(found.get("Federated"))]
    return named + [(principal_id(str(name), account), ANYONE if name == "*" else ACCOUNTS)
                    for name in listed(found.get("AWS"))]


def _federated(provider: str, account: str) -> tuple[str, str]:
    """SAML is people's single sign-on; OIDC is a workload's, unless its issuer signs in people too."""
    host = provider.rpartition("oidc-provider/")[2].split("/")[0].lower()
    if ":saml-provider/" in provider:
        evidence = PEOPLE
    elif host.startswith("cognito-") or any(f".{host}".endswith(f".{either}") for either in _EITHER_HOSTS):
        evidence = EITHER
    else:
        evidence = SOFTWARE
    return f"aws:{account}:{provider}", evidence


def principal_id(name: str, account: str) -> str:
    """The id of a principal in a trust policy: an ARN, an account, a unique id or ``*``."""
    if name == "*":
        return "aws::*"
    if name.isdigit() and len(name) == 12:
        return f"aws:{name}:arn:aws:iam::{name}:root"
    parts = name.split(":")
    return f"aws:{parts[4] if len(parts) > 5 else account}:{name}"
