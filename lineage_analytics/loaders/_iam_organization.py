"""AWS Organizations and other small exports beside the account inventories: trees, lists, policies, account totals.

Service control policies limit whole accounts: they become boundaries of the account, unit or root they are attached to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics.loaders import _iam_policy as policies
from lineage_analytics.loaders._iam_policy import EntryError, inner, needed, objects, text
from lineage_analytics.loaders.common import records
from lineage_analytics.loaders.common.contract import Chunk
from lineage_analytics.loaders.common.secrets import cleaned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.loaders.common.contract import Document, Sample

NODE, POLICY, SUMMARY, RESOURCE_POLICY = "OrganizationNode", "OrganizationPolicy", "AccountSummary", "ResourcePolicy"
TAGS = frozenset({NODE, POLICY, SUMMARY, RESOURCE_POLICY})
_LISTS = frozenset({"accounts", "organizationalunits", "roots"})
_KINDS = {"account": "account", "ou": "organizational_unit", "root": "organization_root"}
_KEPT = ("Status", "State", "JoinedMethod", "JoinedTimestamp")
_ENTRIES_PER_CHUNK = 2_048
# Keys as AWS writes them, for exports whose case a pipeline changed.
_SPELLED = {name.lower(): name for name in (
    "Id", "Arn", "Name", "Email", "Status", "State", "JoinedMethod", "JoinedTimestamp", "Policies", "Children", "Type",
    "AwsManaged", "Content", "PolicyTypes", "Description", "PolicySummary", "ParentId", "Resource", "Policy", "Account",
    "SummaryMap", "Statement", "Effect", "Action", "NotAction", "NotResource", "Principal", "NotPrincipal", "Condition",
    "Paths")}
Row = dict[str, Any]
Rows = list[tuple[str, Row]]


def shape_of(sample: Sample) -> str | None:
    """``organization``, ``account_summary`` or ``resource_policies``; None for anything else."""
    keys = {key.lower() for key in sample.keys}
    if "summarymap" in keys:
        return "account_summary"
    if b":organizations::" in sample.head and (
            keys & _LISTS or {"arn", "id"} <= keys or ({"policy"} <= keys and b'"PolicySummary"' in sample.head)):
        return "organization"
    first = {key.lower(): value for key, value in (sample.first or {}).items()}
    held = first.get("policy")
    if {"resource", "account"} <= set(first) and isinstance(held, dict) and policies.document(held) is not None:
        return "resource_policies"
    return None


def chunks(document: Document) -> Iterator[Chunk]:
    """The nodes, policies or totals of the export, each with what it is."""
    if document.shape == "resource_policies":
        for chunk in records.json_chunks(document):
            chunk.tags = [RESOURCE_POLICY] * len(chunk.raws)
            yield chunk
        return
    found = records.lone(document, "one JSON object")
    if isinstance(found, Chunk):
        yield found
        return
    entries = list(_entries(spelled(found)))
    for start in range(0, max(len(entries), 1), _ENTRIES_PER_CHUNK):
        part = entries[start : start + _ENTRIES_PER_CHUNK]
        yield Chunk(start, [msgspec.json.encode(entry) for _, entry in part], [tag for tag, _ in part])


def spelled(value: Any) -> Any:
    """Keys as AWS writes them, all the way down; conditions stay as they are: their keys are data."""
    if isinstance(value, list):
        return [spelled(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {_SPELLED.get(key.lower(), key): held if key.lower() in ("condition", "summarymap") else spelled(held)
            for key, held in value.items()}


def _entries(found: Row) -> Iterator[tuple[str, Row]]:
    if "SummaryMap" in found:
        yield SUMMARY, found
        return
    if isinstance(found.get("Policy"), dict):
        yield POLICY, found["Policy"]
        return
    listed = [entry for key, held in found.items() if key.lower() in _LISTS for entry in policies.listed(held)]
    waiting = listed or [found]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, dict):
            node = {"Name": "an entry that is no object"}
        children = [child for child in policies.listed(node.get("Children")) if isinstance(child, dict)]
        yield NODE, {key: held for key, held in node.items() if key != "Children"}
        waiting += [{"Parent": {"Id": node.get("Id"), "Arn": node.get("Arn")}, **child} for child in children]


def read(tag: str, said: Row) -> tuple[str, str, Rows]:
    """Account, native id and rows of one entry; EntryError where it does not say what it is."""
    return {NODE: _node, POLICY: _policy, SUMMARY: _summary, RESOURCE_POLICY: _resource_policy}[tag](said)


def _node(said: Row) -> tuple[str, str, Rows]:
    arn, key = needed(said, "Arn"), needed(said, "Id")
    owner, identity = _owner(arn), _node_id(arn, key)
    parent = inner(said, "Parent")
    above = _node_id(text(parent, "Arn") or arn, str(parent["Id"])) if parent.get("Id") else None
    kept = {name: said[name] for name in _KEPT if isinstance(said.get(name), str)}
    rows: Rows = [("resources", {
        "id": identity, "kind": _KINDS.get(_sort(arn), "organization_node"), "display_name": text(said, "Name"),
        "parent_id": above, "attributes": policies.canonical(kept) if kept else None})]
    for policy in objects(said, "Policies"):
        scope, name = _policy_id(policy), text(policy, "Name") or needed(policy, "Id")
        rows.append(("entitlements", {
            "principal_id": identity, "grant_kind": "boundary", "privilege": name, "scope": scope, "state": "standing",
            "origin": "service_control_policy"}))
        rows += _policy_rows(policy, policy.get("Content"))
    return owner, arn, rows


def _sort(arn: str) -> str:
    return arn.split(":", 5)[5].split("/", 1)[0]


def _owner(arn: str) -> str:
    if not arn.startswith("arn:") or arn.count(":") < 5 or arn.split(":")[2] != "organizations":
        raise EntryError("wanted an ARN of Organizations in Arn, found other text")
    return arn.split(":")[4]


def _node_id(arn: str, key: str) -> str:
    return f"aws:{key}:account" if _sort(arn) == "account" else f"aws:{_owner(arn)}:{key}"


def _policy_id(policy: Row) -> str:
    return f"aws:{_owner(needed(policy, 'Arn'))}:scp/{needed(policy, 'Id')}"


def _policy_rows(policy: Row, content: object) -> Rows:
    """The policy as a resource, and its statements where its content is there. AWS's own lie in no account."""
    identity, name, owner = _policy_id(policy), text(policy, "Name"), _owner(needed(policy, "Arn"))
    kind = (text(policy, "Type") or "SERVICE_CONTROL_POLICY").lower()
    rows: Rows = [("resources", {"id": identity, "kind": kind, "display_name": name,
                                 "parent_id": f"aws:{owner}:account" if owner.isdigit() else None})]
    if content is not None:
        document = policies.document(content)
        rows += [("entitlements", row) for row in (
            policies.statements(document, identity, name or identity) if document else
            [policies.unreadable(identity, name or identity)])]
    return rows


def _policy(said: Row) -> tuple[str, str, Rows]:
    summary = inner(said, "PolicySummary") or said
    owner = _owner(needed(summary, "Arn"))
    return owner, needed(summary, "Arn"), _policy_rows(summary, said.get("Content"))


def _summary(said: Row) -> tuple[str, str, Rows]:
    """Totals of an account that the export does not name: root keys, MFA of root, numbers of users and roles."""
    totals = {key: held for key, held in inner(said, "SummaryMap").items()
              if isinstance(held, int) and not isinstance(held, bool)}
    if not totals:
        raise EntryError("wanted numbers in SummaryMap, found none")
    return "", "account-summary", [("resources", {
        "id": "aws::account-summary", "kind": "account_summary", "attributes": policies.canonical(totals)})]


def _resource_policy(said: Row) -> tuple[str, str, Rows]:
    """A policy on a resource: its statements, with whom they speak of beside the condition."""
    arn, account = needed(said, "Resource"), needed(said, "Account")
    identity = f"aws:{account}:resource-policy/{arn}"
    document = policies.document(said.get("Policy"))
    rows: Rows = [("resources", {
        "id": f"aws:{account}:{arn}", "kind": "resource", "display_name": arn.rpartition(":")[2]})]
    if document is None:
        return account, arn, [*rows, ("entitlements", policies.unreadable(identity, arn))]
    named = [{key: one[key] for key in ("Principal", "NotPrincipal", "Condition") if one.get(key)}
             if isinstance(one, dict) else {} for one in policies.listed(document["Statement"])]
    for row, who in zip(policies.statements(document, identity, arn), named, strict=True):
        rows.append(("entitlements", row | ({"condition": policies.canonical(cleaned(who))} if who else {})))
    return account, arn, rows
