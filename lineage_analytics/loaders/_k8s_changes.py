"""Calls to a Kubernetes API that change identities, access or the rules on it, as steps and grants (sources 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics.loaders import _k8s_names as names
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.values import Fields, name, obj, objects, state_hash, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.loaders._principals import Principal

RBAC = "rbac.authorization.k8s.io"
CSR = "certificatesigningrequests"
BINDINGS = frozenset({"rolebindings", "clusterrolebindings"})
_GUARDED = {
    "serviceaccounts": frozenset({names.CORE}),
    "validatingwebhookconfigurations": frozenset({"admissionregistration.k8s.io"}),
    "mutatingwebhookconfigurations": frozenset({"admissionregistration.k8s.io"}),
    "validatingadmissionpolicies": frozenset({"admissionregistration.k8s.io"}),
    "validatingadmissionpolicybindings": frozenset({"admissionregistration.k8s.io"}),
    CSR: frozenset({"certificates.k8s.io"}),
}
_VERBS = {"create": "create", "update": "set", "patch": "set", "delete": "delete", "deletecollection": "delete",
          "bind": "set", "approve": "set"}
_VOLATILE = frozenset({"metadata", "status", "managedfields"})


class Call(NamedTuple):
    """A call to the API server, and the bodies it logged, which may be absent."""

    cluster: str | None
    verb: str
    api_group: str
    resource: str
    sub: str | None
    namespace: str | None
    name: str | None
    request: Fields
    response: Fields

    @property
    def body(self) -> Fields:
        """What was written: the request where it holds the object, else the answer."""
        return self.request if "roleref" in self.request or "rules" in self.request else self.response or self.request

    @property
    def object_name(self) -> str | None:
        """The name of the object: stated, or given by the server to one that was created without."""
        for holder in (self.response, self.request):
            if self.name is None and (found := name(obj(holder.get("metadata")).get("name"))) is not None:
                return found
        return self.name

    @property
    def target(self) -> str:
        """``k8s:<cluster>:<resource>/<namespace>/<name>``, without the namespace for cluster-wide objects."""
        where = "/".join(part for part in (self.namespace, self.object_name) if part)
        return identity_id(names.PROVIDER, self.cluster, f"{self.resource}/{where}")


def is_change(call: Call, actor: Principal | None = None) -> bool:
    """Whether the call, if it took effect, changed who may do what.

    The token a node or the control plane fetches for a pod it runs is none: it does so for every pod, every hour.
    """
    if call.verb not in _VERBS:
        return False
    if call.sub == "token" and actor is not None and actor.subkind in ("node", "control_plane"):
        return False
    if call.api_group == RBAC or call.api_group in _GUARDED.get(call.resource, ()):
        return True
    return call.resource == "configmaps" and call.namespace == "kube-system" and call.name == "aws-auth"


def step(call: Call, outcome: str) -> dict[str, Any]:
    """The DECISION_STEPS columns that the call itself decides."""
    kind, verb, verdict, target = "action", _VERBS[call.verb], None, call.target
    key = None
    if call.resource == CSR:
        key = identity_id(names.PROVIDER, call.cluster, f"{CSR}/{call.object_name or ''}") if call.object_name else None
        if call.sub == "approval":
            kind, verdict = "decision", _verdict(call)
        elif call.sub is None and call.verb == "create":
            kind = "request"
    elif call.sub == "token":
        verb, target = "create", f"{target}|token"
    failed = outcome in ("failure", "denied")
    if failed and kind == "action":
        kind = "attempt"
    return {
        "kind": kind, "verdict": verdict, "capacity": "approver" if kind == "decision" else None,
        "status": "failed" if failed else "succeeded" if outcome == "success" else "unknown",
        "operation": names.action(call.verb, call.api_group, call.resource, call.sub),
        "target_key": target, "effect_key": f"{verb}({target})",
        "after_state": state_hash(call.body, _VOLATILE) if verb == "set" and call.resource != CSR else None,
        "native_key_kind": "k8s_csr" if key else None, "native_key": key,
        "title": f"{call.verb} {call.resource}{'/' + call.sub if call.sub else ''} {call.object_name or ''}".strip(),
    }


def _verdict(call: Call) -> str | None:
    """Approved or denied, by the newest condition of that type; None when the bodies were not logged."""
    conditions = [condition for body in (call.request, call.response)
                  for condition in objects(obj(body.get("status")).get("conditions"))]
    stated = {text(condition.get("type")) for condition in conditions}
    if stated & {"Approved", "Denied"} == {"Approved"}:
        return "approve"
    return "deny" if "Denied" in stated else None


def grants(call: Call) -> Iterator[tuple[Principal, dict[str, Any]]]:
    """Per subject of a binding that was written, the grant; nothing when its body was not logged.

    The answer holds the binding as stored, with the number by which a listing knows it too.
    """
    if call.resource not in BINDINGS or call.verb not in ("create", "update", "patch"):
        return
    stored = call.response if "roleref" in call.response else call.body
    yield from bound(call.cluster, stored, call.namespace if call.resource == "rolebindings" else None)


def bound(
    cluster: str | None, binding: Fields, namespace: str | None
) -> Iterator[tuple[Principal, dict[str, Any]]]:
    """The grants a role binding states: each subject holds the role over the namespace, or over the cluster."""
    role = obj(binding.get("roleref"))
    kind, role_name = text(role.get("kind")), name(role.get("name"))
    if role_name is None or kind not in ("Role", "ClusterRole"):
        return
    privilege = f"roles/{namespace or ''}/{role_name}" if kind == "Role" else f"clusterroles/{role_name}"
    meta = obj(binding.get("metadata"))
    for found in objects(binding.get("subjects")):
        holder = subject(cluster, found, namespace)
        if holder is not None:
            yield holder, {
                "principal_id": holder.id, "grant_kind": "role", "privilege": privilege, "effect": "allow",
                "scope": identity_id(names.PROVIDER, cluster, f"namespaces/{namespace}" if namespace else "cluster"),
                "state": "standing", "grant_id": name(meta.get("uid")) or name(meta.get("name")), "origin": "direct",
            }


def subject(cluster: str | None, found: Fields, namespace: str | None) -> Principal | None:
    """The principal of an RBAC subject; a service account without a namespace lies in that of its binding."""
    kind, held = text(found.get("kind")), name(found.get("name"))
    if kind is None or held is None:
        return None
    return names.subject(cluster, kind, held, name(found.get("namespace")) or namespace)
