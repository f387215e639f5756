"""Kubernetes RBAC objects: service accounts, roles, bindings; EKS access entries and ``aws-auth`` (sources 8).

Shapes  ``kubectl get ... -o json`` or ``-o yaml`` (a ``List``), manifests of several YAML documents, lists of one kind
        as the API answers them, single objects, arrays and lines; the ConfigMap ``aws-auth``; ``aws eks
        describe-access-entry`` and ``list-associated-access-policies``.
Maps    service accounts to ``identity_facts``; subjects of bindings to ``entitlements``; rules of roles to statements;
        the cloud roles service accounts may take (IRSA, GKE workload identity), access entries and the principals and
        accounts of ``aws-auth`` to trust, their groups to memberships; roles to ``resources``.
Drops   other objects in the same list, rejected as ``out_of_scope`` by kind; annotations and labels but for those.
Schema  rbac.authorization.k8s.io/v1 and v1beta1, core v1; unknown keys are kept in ``unmapped``.

A dump does not name its cluster: ids have an empty one, except access entries, which state it. Where the log of one
named cluster bears the number of a service account or binding that the dump lists, all of its file is of that cluster.
``granted_at`` is when the binding was made, before which none of its subjects can have had the role. Members of
``system:masters`` pass RBAC by and stand in no dump, except in ``aws-auth``; what a computed (aggregated) role holds is
what was computed at the time of the dump.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from lineage_analytics import tables
from lineage_analytics.loaders import _k8s_eks as eks
from lineage_analytics.loaders import _k8s_names as names
from lineage_analytics.loaders._gcp_members import service_account
from lineage_analytics.loaders._iam_policy import principal_id
from lineage_analytics.loaders._k8s_changes import bound
from lineage_analytics.loaders._k8s_settle import with_clusters
from lineage_analytics.loaders._principals import fact
from lineage_analytics.loaders.common.assembly import Entry, RecordFault, assemble
from lineage_analytics.loaders.common.contract import Chunk, Match
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.packings import head_keys, json_or_array_chunks
from lineage_analytics.loaders.common.sampling import decode_object
from lineage_analytics.loaders.common.spread import tagged_spread
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, embedded, fold, name, obj, objects, text, texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import polars as pl

    from lineage_analytics.loaders.common.contract import Batch, Document, Sample

PROVIDER = names.PROVIDER
LATENESS = timedelta(0)
FEEDS = frozenset({"entitlements", "identity_facts", "resources"})
SOURCE = "k8s_rbac"

KNOWN = {
    "kind": "string", "apiversion": "string", "metadata": "object", "secrets": "array", "imagepullsecrets": "array",
    "automountserviceaccounttoken": "boolean", "rules": "array", "aggregationrule": "object", "subjects": "array",
    "roleref": "object", "accessentry": "object", "associatedaccesspolicies": "array", "clustername": "string",
    "principalarn": "string", "nexttoken": "string", "data": "object",
}
_SEVERAL = frozenset({"items", "lines", "array"})
_KINDS = frozenset({"ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"})
_LIST_KIND = re.compile(rb'"kind"\s{0,4}:\s{0,4}"([A-Za-z]{1,60})List"')
_IRSA, _GKE = "eks.amazonaws.com/role-arn", "iam.gke.io/gcp-service-account"


def detect(sample: Sample) -> Match | None:
    """RBAC objects and service accounts by ``kind`` and what only they hold; access entries of EKS."""
    first = sample.first
    if first is None:
        long = {"roleref", "subjects"} <= head_keys(sample)
        return Match("objects", 0.75, "a role binding longer than the head") if long else None
    fields = fold(first)
    if eks.reader(fields) is not None:
        return Match("objects", 0.95, "access of AWS principals to a cluster of EKS")
    kind = _kind(fields, _list_kind(sample))
    if kind is not None:
        return Match("objects", 0.95, f"a Kubernetes {kind}")
    mixed = (b'"rbac.authorization.k8s.io' in sample.head and b"roleRef" in sample.head) or (
        b'"aws-auth"' in sample.head and b'"mapRoles"' in sample.head)
    listed = sample.wrapper in _SEVERAL and {"kind", "metadata"} <= fields.keys() and "auditid" not in fields
    return Match("objects", 0.9, "a Kubernetes list with role bindings or aws-auth in it") if mixed and listed else None


def _list_kind(sample: Sample) -> str:
    """The kind of the items where the list states it and the items do not."""
    found = _LIST_KIND.search(sample.head[:400]) if sample.wrapper == "items" else None
    kind = found[1].decode() if found else ""
    return kind if kind in _KINDS else ""


def _kind(fields: Fields, listed: str = "") -> str | None:
    """The kind of an object of ours; None for others and for objects that hold nothing of the kind they state."""
    kind = text(fields.get("kind")) or listed
    if kind not in _KINDS or not obj(fields.get("metadata")):
        return None
    if "auditid" in fields:
        return None
    if kind.endswith("Binding"):
        return kind if obj(fields.get("roleref")) else None
    api = text(fields.get("apiversion")) or ""
    if kind.endswith("Role"):
        return kind if "rules" in fields or api.startswith("rbac.") or listed else None
    return kind if api in ("v1", "") else None


def extract(document: Document) -> Iterator[Chunk]:
    """Objects out of lists, also of several in one file, arrays and lines, tagged with the kind their list states."""
    kind = _list_kind(document.sample)
    return tagged_spread(json_or_array_chunks(document), lambda raw: _listed(raw, kind))


def _listed(raw: bytes | msgspec.Raw, kind: str) -> tuple[list[bytes | msgspec.Raw], str]:
    """The items of a list with the kind it states; any other object as it is."""
    fields = fold(decode_object(raw) or {})
    stated, items = name(fields.get("kind")) or "", fields.get("items")
    if not stated.endswith("List") or not isinstance(items, list):
        return [raw], kind
    held = stated.removesuffix("List")
    return [msgspec.json.encode(item) for item in items], held if held in _KINDS else ""


def transform(chunk: Chunk, document: Document) -> Batch:
    """Identities, grants and roles of one chunk."""
    return assemble(chunk, document, SOURCE, read)


def settle(found: Mapping[str, pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
    """Dumps get the cluster whose log knows the numbers of their service accounts."""
    return with_clusters(found, SOURCE)


def read(entry: Entry) -> None:
    """One object."""
    fields = fold(entry.fields)
    of_eks = eks.reader(fields)
    if of_eks is not None:
        of_eks(entry, fields, entry.leftovers(KNOWN, fields))
        return
    kind = _kind(fields, entry.tag)
    if kind is None:
        stated = text(fields.get("kind"))
        if stated is None:
            raise RecordFault("no_object", "wanted kind and metadata of an RBAC object")
        raise RecordFault("out_of_scope", f"a Kubernetes object of kind {stated[:80]}", "rejected")
    meta = obj(fields.get("metadata"))
    own, namespace = name(meta.get("name")), name(meta.get("namespace"))
    if own is None:
        raise RecordFault("no_identity", f"a {kind} without a name")
    entry.identify(PROVIDER, None, f"{kind}|{namespace or ''}|{own}|{name(meta.get('uid')) or ''}")
    unmapped = entry.leftovers(KNOWN, fields)
    if kind == "ServiceAccount":
        _account(entry, meta, own, namespace, unmapped)
    elif kind.endswith("Binding"):
        _binding(entry, fields, meta, namespace if kind == "RoleBinding" else None, unmapped)
    else:
        _role(entry, fields, meta, f"roles/{namespace or ''}/{own}" if kind == "Role" else f"clusterroles/{own}",
              unmapped)


def _account(entry: Entry, meta: Fields, own: str, namespace: str | None, unmapped: str | None) -> None:
    found = names.user(None, f"system:serviceaccount:{namespace or 'default'}:{own}")
    entry.add(tables.IDENTITY_FACTS, **fact(names.numbered(found, text(meta.get("uid")))) | {
        "kind": "service_account", "subkind": "k8s_sa", "basis": "inventory", "unmapped": unmapped,
        "kind_basis": "an object of kind ServiceAccount", "created_at": parse_time(meta.get("creationtimestamp"))})
    annotations = obj(meta.get("annotations"))
    arn, email = name(annotations.get(_IRSA)), name(annotations.get(_GKE))
    account = eks.ARN.fullmatch(arn) if arn else None
    for scope, origin in ((principal_id(arn, account[1]) if arn and account else None, "irsa"),
                          (service_account(email).id if email else None, "workload_identity")):
        if scope is not None:
            entry.add(tables.ENTITLEMENTS, principal_id=found.id, grant_kind="trust", privilege=origin, scope=scope,
                      effect="allow", state="standing", origin=origin, unmapped=unmapped)


def _binding(entry: Entry, fields: Fields, meta: Fields, namespace: str | None, unmapped: str | None) -> None:
    origin = "managed" if _bootstrapped(meta) else "direct"
    for holder, cells in bound(None, fields, namespace):
        entry.add(tables.IDENTITY_FACTS, **fact(holder))
        entry.add(tables.ENTITLEMENTS, **cells | {
            "origin": origin, "granted_at": parse_time(meta.get("creationtimestamp")), "unmapped": unmapped})


def _bootstrapped(meta: Fields) -> bool:
    """Whether the API server made the object itself."""
    return text(obj(meta.get("labels")).get("kubernetes.io/bootstrapping")) == "rbac-defaults"


def _role(entry: Entry, fields: Fields, meta: Fields, own: str, unmapped: str | None) -> None:
    role_id = identity_id(PROVIDER, None, own)
    entry.add(tables.RESOURCES, id=role_id, kind="role", display_name=name(meta.get("name")), unmapped=unmapped)
    origin = "aggregated" if obj(fields.get("aggregationrule")) else "managed" if _bootstrapped(meta) else "custom"
    for rule in objects(fields.get("rules")):
        actions = _actions(rule)
        if actions:
            entry.add(tables.ENTITLEMENTS, principal_id=role_id, grant_kind="statement", privilege=own, effect="allow",
                      actions=actions, resources=texts(rule.get("resourcenames")) or ["*"], state="standing",
                      origin=origin, unmapped=unmapped)


def _actions(rule: Fields) -> list[str]:
    """Verbs over resources of API groups, and over paths, each as the action a call of it is logged as."""
    verbs = texts(rule.get("verbs"))
    found = {names.action(verb, group, *_split(resource)) for verb in verbs for group in _groups(rule)
             for resource in texts(rule.get("resources"))}
    found |= {f"k8s:{verb}:{path}" for verb in verbs for path in texts(rule.get("nonresourceurls"))}
    return sorted(found)


def _groups(rule: Fields) -> list[str]:
    """The API groups of a rule; the empty one is the core group."""
    listed = embedded(rule.get("apigroups"))
    return [text(item) or names.CORE for item in listed] if isinstance(listed, list) else [names.CORE]


def _split(resource: str) -> tuple[str, str | None]:
    found, _, sub = resource.partition("/")
    return found, sub or None
