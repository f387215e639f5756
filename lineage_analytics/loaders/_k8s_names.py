"""Users, groups and operations of Kubernetes by their names (sources 1.3, 8)."""

from __future__ import annotations

import re
from functools import lru_cache

from lineage_analytics.loaders._principals import Principal
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.values import guid

PROVIDER = "k8s"
CORE = "core"
NUMBER = "uid"
"""Kind of an alternative id: the number that the API server gave a service account, the same nowhere else."""
READS = frozenset({"get", "list", "watch"})
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection", "bind", "approve"})

_ACCOUNT = re.compile(r"system:serviceaccount:[^:]+:[^:]+")
_CONTROL_PLANE = re.compile(
    r"system:(?:kube-[a-z-]{1,40}|apiserver|cloud-controller-manager|addon-manager|aggregator)|eks:[a-z0-9-]{1,60}")
# The part of a GKE method name that stands for an API group; others are the same in both.
_GKE_GROUPS = {
    "rbac": "rbac.authorization.k8s.io", "authorization.rbac": "rbac.authorization.k8s.io",
    "admissionregistration": "admissionregistration.k8s.io", "authorization": "authorization.k8s.io",
    "authentication": "authentication.k8s.io", "certificates": "certificates.k8s.io",
    "coordination": "coordination.k8s.io", "networking": "networking.k8s.io", "storage": "storage.k8s.io",
    "apiextensions": "apiextensions.k8s.io", "apiregistration": "apiregistration.k8s.io",
    "scheduling": "scheduling.k8s.io", "discovery": "discovery.k8s.io", "node": "node.k8s.io",
}
_GKE_METHOD = re.compile(
    r"io\.k8s\.(?P<group>[a-z0-9.-]+?)\.v\d[a-z0-9]*\.(?P<resource>[a-zA-Z0-9-]+)"
    r"(?:\.(?P<sub>[a-zA-Z0-9-]+))?\.(?P<verb>[a-z]+)$")


@lru_cache(maxsize=8_192)
def user(cluster: str | None, username: str) -> Principal:
    """A user by the name the API server authenticated; only reserved names say what sort it is."""
    found = Principal(identity_id(PROVIDER, cluster, username), "unknown", None, username,
                      (("username", username),), "a user name proves no kind")
    if _ACCOUNT.fullmatch(username):
        return found._replace(kind="service_account", subkind="k8s_sa", basis="a user name of system:serviceaccount:")
    if username.startswith("system:node:"):
        return found._replace(kind="workload", subkind="node", basis="a user name of system:node:")
    if _CONTROL_PLANE.fullmatch(username):
        return found._replace(kind="workload", subkind="control_plane", basis="a reserved name of the control plane",
                              managed=True)
    return found


def numbered(found: Principal, uid: str | None) -> Principal:
    """The service account with its number; any other principal as it is."""
    number = guid(uid) if found.subkind == "k8s_sa" else None
    return found if number is None else found._replace(alt_ids=((NUMBER, number), *found.alt_ids))


def group(cluster: str | None, name: str) -> Principal:
    """A group; its id says so, because users may bear the same name."""
    return Principal(identity_id(PROVIDER, cluster, f"group:{name}"), "group", None, name, (), "a group (RBAC subject)")


def subject(cluster: str | None, kind: str, name: str, namespace: str | None) -> Principal | None:
    """The subject of a role binding."""
    if kind == "ServiceAccount":
        return user(cluster, f"system:serviceaccount:{namespace or ''}:{name}")
    return group(cluster, name) if kind == "Group" else user(cluster, name) if kind == "User" else None


def action(verb: str, api_group: str | None, resource: str, sub: str | None) -> str:
    """``k8s:create:rbac.authorization.k8s.io/clusterrolebindings``; resources without a group are of ``core``."""
    return f"k8s:{verb}:{api_group or CORE}/{resource}{'/' + sub if sub else ''}"


def is_read(verb: str, sub: str | None) -> bool | None:
    """Whether the call only read. Opening a shell is a ``get`` to some clients and no read."""
    if sub in ("exec", "attach", "portforward", "proxy"):
        return False
    return True if verb in READS else False if verb in WRITES else None


def gke_method(method: str, resource_name: str | None) -> tuple[str, str, str, str | None] | None:
    """Verb, API group, resource and subresource of ``io.k8s.core.v1.pods.exec.create``; None for other methods."""
    found = _GKE_METHOD.fullmatch(method)
    if found is None:
        return None
    stated = (resource_name or "").split("/", 1)[0]
    api_group = stated if stated == CORE or "." in stated else _GKE_GROUPS.get(found["group"], found["group"])
    return found["verb"], api_group, found["resource"], found["sub"]
