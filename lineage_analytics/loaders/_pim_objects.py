"""Role definitions, the policies on roles, and approvals with their stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lineage_analytics import tables
from lineage_analytics.loaders import _governance as gov
from lineage_analytics.loaders._governance import PROVIDER
from lineage_analytics.loaders.common.assembly import RecordFault
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, embedded, flag, guid, name, native, obj, objects, text

if TYPE_CHECKING:
    from lineage_analytics.loaders.common.assembly import Entry

_DEFINITION = gov.known(
    "id templateid displayname description version tenantid ",
    "inheritspermissionsfrom isbuiltin isenabled isprivileged rolepermissions resourcescopes allowedprincipaltypes")
_POLICY = gov.known(
    "id policyid scopeid scopetype roledefinitionid displayname description lastmodifieddatetime tenantid",
    "policy rules effectiverules isorganizationdefault lastmodifiedby")
APPROVAL = gov.known("id tenantid name type", "stages steps properties")
VERDICTS = {"approve": "approve", "approved": "approve", "deny": "deny", "denied": "deny"}


def read_definition(entry: Entry, row: Fields, _: str) -> None:
    """A role definition: a resource, and what it allows as statements."""
    native_id = native(text(row.get("templateid")) or text(row.get("id")))
    if native_id is None:
        raise RecordFault("no_id", "a role definition without id")
    entry.identify(PROVIDER, guid(text(row.get("tenantid"))), gov.revision(native_id, "definition", row), within="")
    role = identity_id(PROVIDER, entry.tenant, f"role_definition/{native_id}")
    label = name(row.get("displayname"))
    entry.add(tables.RESOURCES, id=role, kind="role", display_name=label, attributes=_json({
        "built_in": flag(row.get("isbuiltin")), "enabled": flag(row.get("isenabled")),
        "privileged": flag(row.get("isprivileged"))}),
        unmapped=entry.leftovers(_DEFINITION, gov.without_annotations(row)))
    for permission in objects(row.get("rolepermissions")):
        actions, excluded = _texts(permission.get("allowedresourceactions")), _texts(
            permission.get("excludedresourceactions"))
        for held, effect in ((actions, "allow"), (excluded, "deny")):
            if held:
                entry.add(tables.ENTITLEMENTS, principal_id=role, grant_kind="statement", privilege=label or native_id,
                          effect=effect, actions=held, resources=["*"], condition=_condition(permission),
                          grant_id=native_id, origin="role_definition")


def _texts(value: object) -> list[str]:
    found = embedded(value)
    return sorted({t for item in found if (t := text(item))}) if isinstance(found, list) else []


def _condition(permission: Fields) -> str | None:
    found = text(permission.get("condition"))
    return msgspec.json.encode(found).decode() if found else None


def _json(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


def read_policy(entry: Entry, row: Fields, _: str) -> None:
    """A policy on a role or group, or its assignment to one: what activation asks for, where its rules are there."""
    native_id = text(row.get("id")) or text(row.get("policyid"))
    if native_id is None:
        raise RecordFault("no_id", "a policy without id")
    entry.identify(PROVIDER, guid(text(row.get("tenantid"))), gov.revision(native_id, "policy", row), within="")
    policy = obj(row.get("policy"))
    policy_id = text(row.get("policyid")) or text(policy.get("id")) or native_id
    rules = next((held for key in ("rules", "effectiverules") for source in (row, policy)
                  if (held := objects(source.get(key)))), [])
    attributes = {"role": native(text(row.get("roledefinitionid"))), "scope": text(row.get("scopeid")),
                  "scope_type": text(row.get("scopetype")), **activation_rules(rules)}
    entry.add(tables.RESOURCES, id=identity_id(PROVIDER, entry.tenant, f"role_policy/{policy_id}"), kind="policy",
              display_name=name(row.get("displayname")) or name(policy.get("displayname")),
              attributes=_json(attributes), unmapped=entry.leftovers(_POLICY, gov.without_annotations(row)))


def activation_rules(rules: list[Fields]) -> dict[str, Any]:
    """Approval, approvers, what else is asked for, longest activation, whether standing is allowed; null: no rule."""
    found: dict[str, Any] = {"approval_required": None, "approvers": None, "enabled": None, "longest_activation": None,
                             "standing_allowed": None, "eligibility_expires": None}
    for rule in rules:
        rule_id = (text(rule.get("id")) or "").lower()
        if rule_id == "approval_enduser_assignment":
            setting = obj(rule.get("setting"))
            found["approval_required"] = flag(setting.get("isapprovalrequired"))
            people = [p for stage in objects(setting.get("approvalstages")) for p in objects(
                stage.get("primaryapprovers"))]
            found["approvers"] = sorted({who for p in people if (who := native(
                text(p.get("userid")) or text(p.get("groupid")) or text(p.get("id"))))})
        elif rule_id == "enablement_enduser_assignment":
            found["enabled"] = _texts(rule.get("enabledrules"))
        elif rule_id == "expiration_enduser_assignment":
            found["longest_activation"] = text(rule.get("maximumduration"))
        elif rule_id == "expiration_admin_assignment":
            needed = flag(rule.get("isexpirationrequired"))
            found["standing_allowed"] = None if needed is None else not needed
        elif rule_id == "expiration_admin_eligibility":
            found["eligibility_expires"] = flag(rule.get("isexpirationrequired"))
    return found


def read_approval(entry: Entry, row: Fields, _: str) -> None:
    """The reviewed stages of an approval as decisions; stages nobody reviewed say nothing yet."""
    approval = native(text(row.get("id")))
    stages = objects(row.get("stages") if "stages" in row else row.get("steps"))
    if approval is None or not stages:
        raise RecordFault("no_stages", "an approval without id or stages")
    entry.identify(PROVIDER, guid(text(row.get("tenantid"))), gov.revision(approval, "approval", row), within="")
    gov.keep_new(entry, APPROVAL, row, "approval", approval)
    add_stages(entry, stages, "pim_request_id", approval, "approval")


def add_stages(entry: Entry, stages: list[Fields], key_kind: str, key: str, operation: str, **more: Any) -> None:
    """A decision for every reviewed stage. Who reviewed is nobody where the id is all zero."""
    for number, stage in enumerate(stages):
        verdict = VERDICTS.get((text(stage.get("reviewresult")) or "").lower())
        time = parse_time(stage.get("revieweddatetime"))
        if verdict is None or time is None:
            continue
        by = gov.principal(entry, stage.get("reviewedby"), "useridentity", "reviewedBy")
        entry.step(f"stage/{text(stage.get('id')) or number}", kind="decision", time=time, operation=operation,
                   verdict=verdict, capacity="approver", decided_value=text(stage.get("reviewresult")), seq=number,
                   native_key_kind=key_kind, native_key=key, correlation_id=key, event_id=text(stage.get("id")) or key,
                   quoted_keys=gov.quoted(stage.get("justification")),
                   justification_present=gov.reason_given(stage), title=f"approval stage: {verdict}",
                   **{**by.acting(), **more})
