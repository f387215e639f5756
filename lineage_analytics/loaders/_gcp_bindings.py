"""Role bindings of Google Cloud: resources under one name, grants out of policies and deltas (sources 7.1 to 7.3)."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from lineage_analytics.loaders._gcp_entry import listed, squeezed
from lineage_analytics.loaders._gcp_members import member
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, embedded, name, text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from lineage_analytics.loaders._principals import Principal

_UNTIL = re.compile(r"request\.time\s{0,4}<=?\s{0,4}timestamp\(\s{0,4}[\"']([0-9T:.Z+-]{10,40})[\"']")
_MANAGERS = ("projects", "folders", "organizations")


class Delta(NamedTuple):
    """One binding that was added to or removed from a policy."""

    added: bool
    role: str
    member: Principal
    condition: str | None
    expires_at: datetime | None


def resource(service: str | None, resource_name: str | None) -> str | None:
    """The full name of a resource, the same from audit records, inventories and recommendations."""
    if resource_name is None:
        return None
    full = resource_name.removeprefix("//")
    host, _, path = full.partition("/")
    if "." not in host or not resource_name.startswith("//"):
        host, path = service or "", resource_name.strip("/")
    parts = path.split("/")
    if parts[0] in _MANAGERS and len(parts) == 2:
        return f"cloudresourcemanager.googleapis.com/{path}"
    if "serviceAccounts" in parts[:-1]:
        return f"iam.googleapis.com/serviceAccounts/{parts[parts.index('serviceAccounts') + 1]}"
    if host == "storage.googleapis.com":
        bucket = path.removeprefix("projects/_/").removeprefix("buckets/").split("/")[0]
        return f"{host}/buckets/{bucket}"
    return f"{host}/{path}" if host else path


def binding_key(over: str | None, role: str, who: Principal, said: str | None = None) -> str | None:
    """The normalised target of a grant: ``gcp::binding/<resource>|<role>|<member>``, and of its condition a hash.

    The same role under another condition is another binding; only the expression tells conditions apart.
    """
    if over is None:
        return None
    expression = msgspec.json.decode(said)["expression"] if said else ""
    suffix = f"|if-{hashlib.sha256(expression.encode()).hexdigest()[:12]}" if expression else ""
    return f"gcp::binding/{over}|{role}|{who.id.partition('::')[2]}{suffix}"


def deltas(service_data: object) -> Iterator[Delta]:
    """The binding deltas a record states, in a fixed order."""
    policy = squeezed(squeezed(service_data).get("policydelta"))
    found = [delta for stated in listed(policy.get("bindingdeltas")) if (delta := _delta(stated)) is not None]
    yield from sorted(set(found), key=lambda delta: (delta.added, delta.role, delta.member.id, delta.condition or ""))


def _delta(stated: Fields) -> Delta | None:
    action, role, who = (text(stated.get(key)) for key in ("action", "role", "member"))
    if action not in ("ADD", "REMOVE") or role is None or who is None:
        return None
    return Delta(action == "ADD", role, member(who), *condition(stated.get("condition")))


def bindings(policy: object) -> Iterator[Delta]:
    """Every member of every binding of a policy."""
    for stated in listed(squeezed(policy).get("bindings")):
        role = name(stated.get("role"))
        who = embedded(stated.get("members"))
        if role is None or not isinstance(who, list):
            continue
        said = condition(stated.get("condition"))
        for one in sorted({found for item in who if (found := text(item)) is not None}):
            yield Delta(True, role, member(one), *said)


def condition(stated: object) -> tuple[str | None, datetime | None]:
    """A condition as JSON text without its description, and the end it states, if any."""
    said = squeezed(stated)
    expression = text(said.get("expression"))
    if expression is None:
        return None, None
    kept = {"expression": expression, "title": text(said.get("title"))}
    until = _UNTIL.search(expression)
    return msgspec.json.encode(kept, order="sorted").decode(), parse_time(until[1]) if until else None


def grant(delta: Delta, over: str | None, **more: Any) -> dict[str, Any]:
    """The ENTITLEMENTS columns of a binding."""
    return {
        "principal_id": delta.member.id, "grant_kind": "role", "privilege": delta.role, "scope": over,
        "effect": "allow", "state": "timebound" if delta.expires_at else "standing", "condition": delta.condition,
        "expires_at": delta.expires_at, "grant_id": binding_key(over, delta.role, delta.member, delta.condition),
        "origin": "direct",
        **more,
    }


def shown(found: list[Delta]) -> str | None:
    """The deltas as JSON text for ``effect_delta``; None when there are none."""
    if not found:
        return None
    sides: dict[str, list[dict[str, str | None]]] = {"added": [], "removed": []}
    for delta in found:
        sides["added" if delta.added else "removed"].append({
            "role": delta.role, "member": delta.member.id.partition("::")[2], "condition": delta.condition})
    return msgspec.json.encode(sides, order="sorted").decode()
