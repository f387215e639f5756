"""Objects of the IAM inventory of Google Cloud, each as the rows it becomes (sources 7.2)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec

from lineage_analytics import tables
from lineage_analytics.loaders._gcp_bindings import bindings, condition, grant, resource
from lineage_analytics.loaders._gcp_changes import key_id
from lineage_analytics.loaders._gcp_entry import listed, squeezed
from lineage_analytics.loaders._gcp_members import PROVIDER, member, service_account
from lineage_analytics.loaders._principals import Principal, fact
from lineage_analytics.loaders.common.assembly import RecordFault
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, embedded, flag, name, text

if TYPE_CHECKING:
    from datetime import datetime

    from lineage_analytics.loaders.common.assembly import Entry

_MANAGERS = {"project": "projects", "folder": "folders", "organization": "organizations"}
_GOOGLE_SUBJECT, _GOOGLE_GROUP = "principal://goog/subject/", "principalset://goog/group/"
_ACCOUNT_SUBJECT = "principal://iam.googleapis.com/projects/-/serviceAccounts/"
_EVERYONE = "principalset://goog/public:all"


def texts(value: object) -> list[str]:
    """The texts of a list, sorted; empty when there is none."""
    found = embedded(value)
    return sorted({held for item in found if (held := name(item)) is not None}) if isinstance(found, list) else []


def policy(entry: Entry, fields: Fields, stated: Fields, as_of: datetime | None, beside: str = "") -> None:
    """An allow policy: a grant per member of each binding. ``fields`` say of what it is the policy, if anything;
    ``beside`` what else the record says."""
    over = _over(fields)
    owner = name(fields.get("project")) or name(fields.get("organization"))
    tenant = _tenant_of(over) or (owner.removeprefix("projects/") if owner else None)
    etag = text(stated.get("etag")) or ""
    entry.identify(PROVIDER, tenant, f"policy|{over}|{etag}|{_digest(stated)}{beside}", within="")
    seen: set[str] = set()
    unmapped = entry.leftovers(KNOWN)
    for delta in bindings(stated):
        entry.add(tables.ENTITLEMENTS, **grant(delta, over, as_of=as_of, unmapped=unmapped))
        if delta.member.id not in seen:
            seen.add(delta.member.id)
            entry.add(tables.IDENTITY_FACTS, **fact(delta.member))
    if over is not None:
        above = _above(over, fields)
        entry.add(tables.RESOURCES, id=f"gcp::{over}", kind=text(fields.get("assettype")) or "resource",
                  display_name=over.rpartition("/")[2], snapshot_at=as_of, parent_id=above[0] if above else None)
        for folder, higher in pairwise(above):
            if "/folders/" in folder:
                entry.add(tables.RESOURCES, id=folder, kind="folder", display_name=folder.rpartition("/")[2],
                          snapshot_at=as_of, parent_id=higher)


def _above(over: str, fields: Fields) -> list[str]:
    """What an asset lies in, nearest first, as an export (``ancestors``) or a search states it. A search with several
    folders does not say which is in which: then only the project of what lies in one is told."""
    stated = [found for one in _in_order(fields.get("ancestors")) if (found := _manager(one)) is not None]
    if not stated:
        project, top = _manager(text(fields.get("project"))), _manager(text(fields.get("organization")))
        folders = [found for one in _in_order(fields.get("folders")) if (found := _manager(one)) is not None]
        whole = [*folders, *([top] if top else [])] if len(folders) < 2 else []
        stated = ([project] if project else []) + (whole if project or folders else [])
    kind = over.removeprefix("cloudresourcemanager.googleapis.com/").partition("/")[0]
    own = kind in _MANAGERS.values() and bool(stated) and stated[0].split("/")[1] == kind
    return [f"gcp::{one}" for one in stated[1 if own else 0:]]


def _manager(stated: str | None) -> str | None:
    parts = (stated or "").split("/")
    held = len(parts) == 2 and parts[0] in _MANAGERS.values() and parts[1] not in ("", "-", "_")
    return f"cloudresourcemanager.googleapis.com/{stated}" if held else None


def _in_order(value: object) -> list[str]:
    """The texts of a list in their order; empty when there is none."""
    found = embedded(value)
    return [held for item in found if (held := name(item)) is not None] if isinstance(found, list) else []


def analysed(fields: Fields) -> tuple[str, Fields] | None:
    """The resource and the binding an analysis is about, as the API answers or as gcloud shows it; None: it is none."""
    shown = squeezed(fields.get("policy"))
    over = name(fields.get("attachedresourcefullname")) or name(shown.get("attachedresource"))
    binding = squeezed(fields.get("iambinding")) or squeezed(shown.get("binding"))
    return (over, binding) if over is not None and "role" in binding else None


def analysis(entry: Entry, fields: Fields) -> None:
    """A binding that answers a question of Policy Analyzer, and who is in the groups among its members."""
    found = analysed(fields)
    if found is None:
        raise RecordFault("no_inventory_object", "an analysis without a binding")
    edges = sorted({(text(edge.get("sourcenode")) or "", text(edge.get("targetnode")) or "")
                    for edge in listed(squeezed(fields.get("identitylist")).get("groupedges"))})
    expanded = [(group, one) for group, one in edges if group.startswith("group:") and ":" in one]
    policy(entry, {"resource": found[0]}, {"bindings": [found[1]]}, None, f"|{expanded}" if expanded else "")
    for group, one in expanded:
        holder, over = member(one), member(group)
        for who in (holder, over):
            entry.add(tables.IDENTITY_FACTS, **fact(who))
        entry.add(tables.ENTITLEMENTS, principal_id=holder.id, grant_kind="membership", privilege=over.label,
                  scope=over.id, effect="allow", state="standing", origin="group")


def _over(fields: Fields) -> str | None:
    """The full name of the resource a policy lies on."""
    kind, own = (text(fields.get("type")) or "").lower(), name(fields.get("id"))
    if kind in _MANAGERS and own is not None:
        return f"cloudresourcemanager.googleapis.com/{_MANAGERS[kind]}/{own}"
    stated = text(fields.get("resource")) or name(fields.get("name"))
    return resource(None, stated)


def _tenant_of(over: str | None) -> str | None:
    """The project a name states, as logs name it, too; ``projects/_`` and ``projects/-`` state none."""
    parts = (over or "").split("/")
    found = parts[parts.index("projects") + 1] if "projects" in parts[:-1] else None
    return None if found in ("_", "-", "") else found


def _digest(stated: Fields) -> str:
    return ";".join(sorted(f"{one.role}|{one.member.id}|{one.condition or ''}" for one in bindings(stated)))


def account(entry: Entry, fields: Fields, as_of: datetime | None) -> None:
    """A service account. Google leaves out what is false, so one without ``disabled`` is enabled."""
    email, unique = name(fields.get("email")), name(fields.get("uniqueid"))
    if email is None:
        raise RecordFault("no_identity", "a service account without an address")
    entry.identify(PROVIDER, name(fields.get("projectid")), f"account|{unique or email.lower()}", within="")
    found = service_account(email, unique)
    entry.add(tables.IDENTITY_FACTS, **fact(found) | {
        "basis": "inventory", "display_name": name(fields.get("displayname")) or found.label,
        "enabled": not flag(fields.get("disabled")), "snapshot_at": as_of, "unmapped": entry.leftovers(KNOWN),
        "kind_basis": "listed as a service account"})


def key(entry: Entry, fields: Fields, as_of: datetime | None) -> None:
    """A key somebody holds; keys that Google holds and rotates itself are out of scope."""
    own, full = key_id(text(fields.get("name"))), text(fields.get("name")) or ""
    email = _email_in(full)
    if own is None or email is None:
        raise RecordFault("no_identity", "a key whose name has neither account nor id")
    if text(fields.get("keytype")) == "SYSTEM_MANAGED":
        raise RecordFault("out_of_scope", "a key of key type SYSTEM_MANAGED, which Google holds", "rejected")
    entry.identify(PROVIDER, _tenant_of(full), f"key|{email}|{own}", within="")
    found = service_account(email)
    disabled = flag(fields.get("disabled"))
    entry.add(tables.CREDENTIALS, identity_id=found.id, credential_id=own, kind="key", snapshot_at=as_of,
              created_at=parse_time(fields.get("validaftertime")), expires_at=parse_time(fields.get("validbeforetime")),
              status="inactive" if disabled else "active", unmapped=entry.leftovers(KNOWN))
    entry.add(tables.IDENTITY_FACTS, **fact(found))


def _email_in(full: str) -> str | None:
    parts = full.split("/")
    found = parts[parts.index("serviceAccounts") + 1] if "serviceAccounts" in parts[:-1] else None
    return found.lower() if found and found != "-" else None


def role(entry: Entry, fields: Fields, as_of: datetime | None) -> None:
    """A role, and where its permissions are listed the statement they make."""
    own = name(fields.get("name"))
    if own is None:
        raise RecordFault("no_identity", "a role without a name")
    entry.identify(PROVIDER, _tenant_of(own), f"role|{own}|{text(fields.get('etag')) or ''}", within="")
    unmapped = entry.leftovers(KNOWN)
    entry.add(tables.RESOURCES, id=f"gcp::{own}", kind="role", display_name=name(fields.get("title")) or own,
              snapshot_at=as_of, unmapped=unmapped)
    permissions = texts(fields.get("includedpermissions"))
    if permissions and not flag(fields.get("deleted")):
        entry.add(tables.ENTITLEMENTS, principal_id=f"gcp::{own}", grant_kind="statement", privilege=own,
                  effect="allow", actions=permissions, state="standing", as_of=as_of, unmapped=unmapped,
                  origin="managed" if own.startswith("roles/") else "custom")


def activity(entry: Entry, fields: Fields) -> None:
    """When an account or a key last authenticated, as the activity analyzer saw it in its window."""
    stated, period = squeezed(fields.get("activity")), squeezed(fields.get("observationperiod"))
    full = text(fields.get("fullresourcename")) or ""
    started, ended = parse_time(period.get("starttime")), parse_time(period.get("endtime"))
    seen = parse_time(stated.get("lastauthenticatedtime"))
    email = _email_in(full)
    if email is None:
        raise RecordFault("no_identity", "an activity without the name of an account")
    own = key_id(full)
    entry.identify(PROVIDER, _tenant_of(full), f"activity|{email}|{own or ''}|{ended}", within="")
    unmapped = entry.leftovers(KNOWN)
    about = squeezed(stated.get("serviceaccount"))
    found = service_account(email, None if own else name(about.get("serviceaccountid")))
    if own is not None:
        entry.add(tables.CREDENTIALS, identity_id=found.id, credential_id=own, kind="key", last_used_at=seen,
                  last_used_basis="report" if seen else None, snapshot_at=ended, unmapped=unmapped)
        entry.add(tables.IDENTITY_FACTS, **fact(found))
        return
    entry.add(tables.IDENTITY_FACTS, **fact(found) | {
        "basis": "inventory", "last_seen_at": seen, "last_seen_basis": "report" if seen else None,
        "last_seen_window_days": (ended - started).days if started and ended else None, "snapshot_at": ended,
        "unmapped": unmapped})


def deny(entry: Entry, fields: Fields, as_of: datetime | None) -> None:
    """A deny policy: a statement per rule, attached to each principal it denies."""
    own = unquote(name(fields.get("name")) or "")
    attached = own.removeprefix("policies/").partition("/denypolicies/")[0]
    entry.identify(PROVIDER, _tenant_of(attached), f"deny|{own}|{text(fields.get('etag')) or ''}", within="")
    unmapped = entry.leftovers(KNOWN)
    over = resource(None, f"//{attached}") if attached else None
    for number, found in enumerate(listed(fields.get("rules"))):
        rule = squeezed(found.get("denyrule"))
        policy_id = f"gcp::{own}#{number}"
        said, _ = condition(rule.get("denialcondition"))
        entry.add(tables.ENTITLEMENTS, principal_id=policy_id, grant_kind="statement", privilege=own, effect="deny",
                  actions=texts(rule.get("deniedpermissions")), resources=[over] if over else None, state="standing",
                  condition=_exceptions(rule, said), grant_id=own or None, as_of=as_of, origin="deny_policy",
                  unmapped=unmapped)
        for who in (denied(one) for one in texts(rule.get("deniedprincipals"))):
            entry.add(tables.ENTITLEMENTS, principal_id=who.id, grant_kind="attachment", privilege=own, scope=policy_id,
                      effect="deny", state="standing", grant_id=own or None, as_of=as_of, origin="deny_policy",
                      unmapped=unmapped)
            entry.add(tables.IDENTITY_FACTS, **fact(who))


def _exceptions(rule: Fields, said: str | None) -> str | None:
    """What a rule spares beside its condition, as JSON text."""
    spared = {key: held for key in ("exceptionprincipals", "exceptionpermissions") if (held := texts(rule.get(key)))}
    if not spared:
        return said
    return msgspec.json.encode({**(msgspec.json.decode(said) if said else {}), **spared}, order="sorted").decode()


def denied(stated: str) -> Principal:
    """A principal as deny policies write it, by the id that allow policies give it."""
    low = stated.lower()
    if low.startswith(_GOOGLE_SUBJECT):
        return member(f"user:{stated[len(_GOOGLE_SUBJECT):]}")
    if low.startswith(_GOOGLE_GROUP):
        return member(f"group:{stated[len(_GOOGLE_GROUP):]}")
    if low.startswith(_ACCOUNT_SUBJECT.lower()):
        return member(f"serviceAccount:{stated[len(_ACCOUNT_SUBJECT):]}")
    return member("allUsers") if low == _EVERYONE else member(stated)


def elevation(entry: Entry, fields: Fields, as_of: datetime | None) -> None:
    """An entitlement of Privileged Access Manager: who may ask for which roles, and whether somebody must approve."""
    own = name(fields.get("name"))
    if own is None:
        raise RecordFault("no_identity", "an entitlement without a name")
    entry.identify(PROVIDER, _tenant_of(own), f"elevation|{own}|{text(fields.get('etag')) or ''}", within="")
    state, unmapped = text(fields.get("state")), entry.leftovers(KNOWN)
    entry.add(tables.RESOURCES, id=f"gcp::{own}", kind="elevation", display_name=own.rpartition("/")[2],
              snapshot_at=as_of, unmapped=unmapped, attributes=msgspec.json.encode(
                  {"longest": text(fields.get("maxrequestduration")), "state": state}, order="sorted").decode())
    if state not in (None, "AVAILABLE", "UPDATING"):
        return
    access = squeezed(squeezed(fields.get("privilegedaccess")).get("gcpiamaccess"))
    approvals = squeezed(squeezed(fields.get("approvalworkflow")).get("manualapprovals"))
    holders = {held for users in listed(fields.get("eligibleusers")) for held in texts(users.get("principals"))}
    for who in sorted((member(held) for held in holders), key=lambda found: found.id):
        entry.add(tables.IDENTITY_FACTS, **fact(who))
        for bound in listed(access.get("rolebindings")):
            entry.add(tables.ENTITLEMENTS, principal_id=who.id, grant_kind="role", privilege=text(bound.get("role")),
                      scope=resource(None, text(access.get("resource"))), effect="allow", state="eligible",
                      condition=condition({"expression": bound.get("conditionexpression")})[0], grant_id=own,
                      requires_approval=bool(listed(approvals.get("steps"))), origin="elevation", as_of=as_of,
                      unmapped=unmapped)


def project(entry: Entry, fields: Fields, as_of: datetime | None) -> None:
    """A project with its two names: id and number."""
    own, number = name(fields.get("projectid")), name(fields.get("projectnumber"))
    entry.identify(PROVIDER, own, f"project|{number or own}", within="")
    parent: Any = squeezed(fields.get("parent"))
    above = f"{parent.get('type')}s/{parent.get('id')}" if parent.get("id") else text(fields.get("parent"))
    entry.add(tables.RESOURCES, id=f"gcp::cloudresourcemanager.googleapis.com/projects/{own}", kind="project",
              display_name=name(fields.get("name")) or own, snapshot_at=as_of, unmapped=entry.leftovers(KNOWN),
              parent_id=f"gcp::cloudresourcemanager.googleapis.com/{above}" if above else None,
              attributes=msgspec.json.encode({"number": number}).decode() if number else None)


KNOWN = {
    "bindings": "array", "etag": "string", "version": "number", "auditConfigs": "array", "resource": "string object",
    "assetType": "string", "asset_type": "string", "project": "string", "folders": "array", "organization": "string",
    "policy": "object", "iamPolicy": "object", "iam_policy": "object", "ancestors": "array", "updateTime": "string",
    "update_time": "string", "name": "string", "id": "string", "type": "string", "email": "string",
    "uniqueId": "string", "displayName": "string", "disabled": "boolean", "description": "string",
    "oauth2ClientId": "string", "projectId": "string", "keyType": "string", "keyOrigin": "string",
    "keyAlgorithm": "string", "validAfterTime": "string", "validBeforeTime": "string", "title": "string",
    "includedPermissions": "array", "stage": "string", "deleted": "boolean", "fullResourceName": "string",
    "activityType": "string", "observationPeriod": "object", "activity": "object", "kind": "string", "uid": "string",
    "rules": "array", "createTime": "string", "projectNumber": "string number", "lifecycleState": "string",
    "labels": "object", "parent": "object string", "parentFullResourceName": "string", "parentAssetType": "string",
    "explanation": "object", "eligibleUsers": "array", "approvalWorkflow": "object", "privilegedAccess": "object",
    "maxRequestDuration": "string", "state": "string", "requesterJustificationConfig": "object",
    "additionalNotificationTargets": "object", "attachedResourceFullName": "string", "iamBinding": "object",
    "accessControlLists": "array", "identityList": "object", "fullyExplored": "boolean", "ACLs": "array",
}
