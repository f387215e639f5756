"""Normalised targets of directory changes, written so that the two halves of an inverse pair are equal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from lineage_analytics.loaders._entra_actor import PRINCIPALS
from lineage_analytics.loaders._entra_record import PROVIDER, kind_of, properties_of, stated, target_id
from lineage_analytics.loaders.common.values import Fields, embedded, first, name, native, obj, state_hash

if TYPE_CHECKING:
    from lineage_analytics.loaders._entra_record import Record

_KEY_ID = re.compile(r"KeyIdentifier=([^,\]]{1,64})", re.IGNORECASE)
_NOT_STATE = frozenset({"included updated properties", "modifieddatetime", "lastmodifieddatetime"})
_POLICIES = ("conditionalaccesspolicy", "policydetail")
_TENANT_WIDE = frozenset({"/", ""})
_OWNED = {
    "application": ("application", "application.objectid"),
    "service_principal": ("serviceprincipal", "serviceprincipal.objectid"),
    "group": ("group", "group.objectid"),
}


class Assignment(NamedTuple):
    """A role or group assignment: the role, who benefits, and where."""

    role: str | None
    role_label: str | None
    principal: str | None
    principal_label: str | None
    group: str | None
    scope: str | None

    @property
    def target(self) -> str | None:
        """``role/<role>|<principal>[|<scope>]``, or the group where PIM assigns one; None when a part is missing."""
        if self.principal is None:
            return None
        if self.group is not None:
            owner = (self.role_label or "").casefold() == "owner"
            return f"group/{self.group}{'/owner' if owner else ''}|{self.principal}"
        if self.role is None:
            return None
        return f"role/{self.role}|{self.principal}" + (f"|{self.scope}" if self.scope else "")


def assignment(record: Record) -> Assignment:
    """The assignment a PIM or role record is about; the role goes by its template id where that is stated."""
    role = _of_type(record, "role")
    group = _of_type(record, "group") if record.category == "groupmanagement" else None
    principal = _principal(record, group)
    found = (
        first(record.details, "templateid") or stated(record, "templateid", "role.templateid")
        or first(record.details, "roledefinitionoriginid") or stated(record, "roledefinitionoriginid")
        or (target_id(role) if role else None) or stated(record, "role.objectid", "roledefinition.id")
    )
    unit = _of_type(record, "administrativeunit")
    scope = first(record.details, "directoryscopeid", "scopeid", "scope") or (target_id(unit) if unit else None)
    return Assignment(
        native(found), (name(role.get("displayname")) if role else None) or stated(record, "role.displayname"),
        target_id(principal) if principal else None, _label(principal), target_id(group) if group else None,
        None if scope in _TENANT_WIDE else scope,
    )


def _of_type(record: Record, kind: str) -> Fields | None:
    return next((t for t in record.targets if kind_of(t) == kind and target_id(t) is not None), None)


def _principal(record: Record, group: Fields | None) -> Fields | None:
    """Whom the assignment is for: a user, else another principal that is not the group assigned to."""
    others = [t for t in record.targets if kind_of(t) in PRINCIPALS and t is not group and target_id(t) is not None]
    return next((t for t in others if kind_of(t) == "user"), others[0] if others else None)


def _label(target: Fields | None) -> str | None:
    return (name(target.get("userprincipalname")) or name(target.get("displayname"))) if target else None


def caller_role_target(record: Record) -> str | None:
    """Access that callers give themselves over all subscriptions of the tenant."""
    caller = native(name(record.user.get("id"))) or name(record.user.get("userprincipalname"))
    return f"role/user access administrator|{caller}|azure-root" if caller else None


def group_target(record: Record) -> str | None:
    group = stated(record, "group.objectid") or _id(_of_type(record, "group"))
    member = next((found for t in record.targets if (found := target_id(t)) is not None and kind_of(t)
                   and kind_of(t) != "group"), None)
    if member is None:
        member = next((found for t in record.targets if (found := target_id(t)) not in (None, group)), None)
    return f"group/{group}|{member}" if group and member else None


def _id(target: Fields | None) -> str | None:
    return target_id(target) if target else None


def owner_target(record: Record, kind: str) -> str | None:
    """``<kind>/<object>/owner|<owner>``."""
    type_name, key = _OWNED[kind]
    typed = [t for t in record.targets if kind_of(t) == type_name and target_id(t) is not None]
    owned = stated(record, key) or (target_id(typed[-1]) if typed else None)
    owner = next((found for t in record.targets if kind_of(t) in PRINCIPALS
                  and (found := target_id(t)) not in (None, owned)), None)
    return f"{kind}/{owned}/owner|{owner}" if owned and owner else None


def app_role_target(record: Record) -> str | None:
    """Which permission of which resource for which client, user or group."""
    resource = _of_type(record, "serviceprincipal")
    holder = stated(record, "serviceprincipal.objectid", "user.objectid", "group.objectid")
    if holder is None:
        holder = next((found for t in record.targets if t is not resource and kind_of(t) in PRINCIPALS
                       and (found := target_id(t)) is not None), None)
    role = stated(record, "approle.id")
    return f"service_principal/{_id(resource)}|{holder}|{role}" if resource and holder and role else None


def delegated_target(record: Record) -> tuple[str | None, str | None, str | None]:
    """Client, resource and the scopes that were added or taken away, with the scopes before and after."""
    resource = _of_type(record, "serviceprincipal")
    client = stated(record, "serviceprincipal.objectid")
    for target in record.targets:
        found = properties_of(target).get("delegatedpermissiongrant.scope")
        if found is not None and resource is not None and client is not None:
            before, after = (frozenset((name(value) or "").split()) for value in found)
            changed = sorted(after - before) or sorted(before - after)
            key = f"delegated_grant/{client}|{target_id(resource)}|{'+'.join(changed)}"
            return key, " ".join(sorted(before)) or None, " ".join(sorted(after)) or None
    return None, None, None


def credential_target(record: Record) -> tuple[str | None, str]:
    """The object and the ids of the keys that came or went, and whether they came (create) or went (delete)."""
    holder = next((t for t in record.targets if kind_of(t) in ("serviceprincipal", "application")), None)
    if holder is None or (holder_id := target_id(holder)) is None:
        return None, "set"
    before, after = (_key_ids(value) for value in properties_of(holder).get("keydescription", (None, None)))
    kind = "service_principal" if kind_of(holder) == "serviceprincipal" else "application"
    came, went = sorted(after - before), sorted(before - after)
    if came and went:
        return f"{kind}/{holder_id}|{'+'.join(came + went)}", "set"
    if not came and not went:
        return None, "set"
    return f"{kind}/{holder_id}|{'+'.join(came or went)}", "create" if came else "delete"


def _key_ids(value: object) -> frozenset[str]:
    texts = value if isinstance(value, list) else [value]
    found = [key for item in texts if isinstance(item, str) for key in _KEY_ID.findall(item)]
    return frozenset(native(key) or key for key in found)


def object_target(record: Record, kind: str) -> str | None:
    """``<kind>/<id>`` of the first target."""
    found = next((found for t in record.targets if (found := target_id(t)) is not None), None)
    return f"{kind}/{found}" if found else None


def states(record: Record) -> tuple[str | None, str | None]:
    """Hashes of the changed properties before and after; None where none is stated."""
    found: tuple[dict[str, object], dict[str, object]] = ({}, {})
    for target in record.targets:
        for key, values in properties_of(target).items():
            if key not in _NOT_STATE:
                for side, value in zip(found, values, strict=True):
                    side[key] = value
    before, after = ({k: v for k, v in side.items() if v not in (None, "", [], {})} for side in found)
    return state_hash(before, _NOT_STATE), state_hash(after, _NOT_STATE)


def policy_states(record: Record) -> tuple[str | None, str | None]:
    """Whether a Conditional Access policy was and is enforced, in the words of the record: ``enabled``, ``disabled``,
    ``enabledForReportingButNotEnforced`` (``Reporting`` in the directory's copy); None where it does not say."""
    for target in record.targets:
        properties = properties_of(target)
        for key in _POLICIES:
            if key in properties:
                before, after = (_policy_state(value) for value in properties[key])
                return before, after
    return None, None


def _policy_state(value: object) -> str | None:
    held = embedded(value)
    body = obj(held[0]) if isinstance(held, list) and len(held) == 1 else obj(held)
    return name(body.get("state"))


def is_conditional_access(record: Record) -> bool:
    """Whether a core-directory policy record shows the body of a Conditional Access policy, which logs itself too."""
    return any(
        "Conditions" in str(value) and "Controls" in str(value)
        for target in record.targets for value in properties_of(target).get("policydetail", ())
    )


def key_of(record: Record, target: str | None) -> str | None:
    return f"{PROVIDER}:{record.tenant or ''}:{target}" if target else None
