"""Who of an AWS account enters an EKS cluster, as which user and in which groups: access entries, ``aws-auth``."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from lineage_analytics import tables
from lineage_analytics.loaders import _k8s_names as names
from lineage_analytics.loaders._iam_policy import principal_id
from lineage_analytics.loaders._principals import fact
from lineage_analytics.loaders.common.assembly import Entry, RecordFault
from lineage_analytics.loaders.common.ids import identity_id
from lineage_analytics.loaders.common.times import parse_time
from lineage_analytics.loaders.common.values import Fields, name, obj, objects, state_hash, text, texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lineage_analytics.loaders._principals import Principal

ARN = re.compile(r"arn:[a-z-]{3,20}:iam::(\d{12}):(?:role|user)/.{1,512}")
_ACCOUNT = re.compile(r"\d{12}")
_MAPS = {"maproles": "rolearn", "mapusers": "userarn"}
_ACCOUNTS = "mapaccounts"
_ORIGIN, _TEMPLATE = "aws_auth", "{{"


def reader(fields: Fields) -> Callable[[Entry, Fields, str | None], None] | None:
    """What reads the object: an answer of EKS about access entries and their policies, or the map by which a cluster
    knows principals of AWS accounts; None for other objects."""
    if {"principalarn", "clustername"} <= obj(fields.get("accessentry")).keys():
        return _access_entry
    if {"associatedaccesspolicies", "clustername", "principalarn"} <= fields.keys():
        return _access_policies
    if _lists_arns(fields):
        return _without_cluster
    meta = obj(fields.get("metadata"))
    named = text(fields.get("kind")) == "ConfigMap" and text(meta.get("name")) == "aws-auth"
    in_place = text(meta.get("namespace")) in ("kube-system", None)
    return _aws_auth if named and in_place and obj(fields.get("data")).keys() & {*_MAPS, _ACCOUNTS} else None


def _lists_arns(fields: Fields) -> bool:
    listed = texts(fields.get("accessentries")) if fields.keys() <= {"accessentries", "nexttoken"} else []
    return bool(listed) and all(one.startswith("arn:") for one in listed)


def _without_cluster(_entry: Entry, _fields: Fields, _unmapped: str | None) -> None:
    """The ARNs of ``list-access-entries``."""
    raise RecordFault("out_of_scope", "ARNs that may enter a cluster the answer does not name; describe-access-entry "
                      "of each names cluster, user and groups", "rejected")


def _access_entry(entry: Entry, fields: Fields, unmapped: str | None) -> None:
    """Who of the cloud account enters the cluster, as which user and in which groups."""
    held = obj(fields["accessentry"])
    cluster, arn, account = _entering(held)
    entry.identify(names.PROVIDER, cluster, f"access-entry|{cluster}|{arn}")
    user = names.user(cluster, name(held.get("username")) or arn)
    entry.add(tables.IDENTITY_FACTS, **fact(user) | {"parent_id": principal_id(arn, account)})
    _enters(entry, principal_id(arn, account), user, cluster, texts(held.get("kubernetesgroups")), {
        "granted_at": parse_time(held.get("createdat")), "grant_id": name(held.get("accessentryarn")),
        "origin": "access_entry", "unmapped": unmapped})


def _entering(held: Fields) -> tuple[str | None, str, str]:
    """The cluster, the principal that enters it, and the account of the principal."""
    arn = name(held.get("principalarn")) or ""
    account = ARN.fullmatch(arn)
    if account is None:
        raise RecordFault("no_identity", "an entry to a cluster without the ARN of a role or user")
    return name(held.get("clustername")), arn, account[1]


def _enters(
    entry: Entry, principal: str, user: Principal | None, cluster: str | None, groups: list[str], common: Fields
) -> None:
    """The principal is the user, and through it of the groups; without a user it is of the groups itself."""
    common = {"effect": "allow", "state": "standing", **common}
    if user is not None:
        entry.add(tables.ENTITLEMENTS, principal_id=principal, grant_kind="trust", privilege=common["origin"],
                  scope=user.id, **common)
    for listed in groups:
        group = names.group(cluster, listed)
        entry.add(tables.IDENTITY_FACTS, **fact(group))
        entry.add(tables.ENTITLEMENTS, principal_id=user.id if user else principal, grant_kind="membership",
                  privilege=listed, scope=group.id, **common)


def _access_policies(entry: Entry, fields: Fields, unmapped: str | None) -> None:
    """What EKS itself lets a principal of the cloud account do in a cluster, beside RBAC."""
    cluster, arn, account = _entering(fields)
    entry.identify(names.PROVIDER, cluster, f"access-policies|{cluster}|{arn}")
    for held in objects(fields.get("associatedaccesspolicies")):
        policy, over = name(held.get("policyarn")), obj(held.get("accessscope"))
        if policy is None:
            continue
        for where in [f"namespaces/{one}" for one in texts(over.get("namespaces"))] or ["cluster"]:
            entry.add(tables.ENTITLEMENTS, principal_id=principal_id(arn, account), grant_kind="role",
                      privilege=policy.rpartition("/")[2], scope=identity_id(names.PROVIDER, cluster, where),
                      effect="allow", state="standing", granted_at=parse_time(held.get("associatedat")),
                      grant_id=policy, origin="access_policy", unmapped=unmapped)


def _aws_auth(entry: Entry, fields: Fields, unmapped: str | None) -> None:
    """The map of roles, users and whole accounts, each list YAML in a text of its own.

    A user name with a template stands for one user a session or node, so the groups are the principal's own.
    """
    meta, data = obj(fields.get("metadata")), obj(fields.get("data"))
    mapped = [row for key, arn_key in _MAPS.items() for row in _mapped(data, key, arn_key)]
    accounts = sorted({found for one in _listed(data, _ACCOUNTS) if _ACCOUNT.fullmatch(found := str(one))})
    entry.identify(names.PROVIDER, None, f"aws-auth|{name(meta.get('uid')) or ''}|{state_hash([*mapped, accounts])}")
    common = {"origin": _ORIGIN, "unmapped": unmapped}
    users = Counter(row.username for row in mapped)
    for arn, username, groups in mapped:
        principal = principal_id(arn, arn.split(":")[4])
        user = None if username is None or _TEMPLATE in username else names.user(None, username)
        if user is not None:
            entry.add(tables.IDENTITY_FACTS, **fact(user) | {"parent_id": principal if users[username] == 1 else None})
        _enters(entry, principal, user, None, list(groups), common)
    for account in accounts:
        entry.add(tables.ENTITLEMENTS, principal_id=principal_id(account, account), grant_kind="trust",
                  privilege=_ORIGIN, scope=identity_id(names.PROVIDER, None, "cluster"), effect="allow",
                  state="standing", **common)


class _Mapped(NamedTuple):
    arn: str
    username: str | None
    groups: tuple[str, ...]


def _mapped(data: Fields, key: str, arn_key: str) -> Iterator[_Mapped]:
    """The principals one list names; without a user name, the ARN is the name."""
    for row in objects(_listed(data, key)):
        arn = name(row.get(arn_key)) or ""
        if ARN.fullmatch(arn):
            yield _Mapped(arn, name(row.get("username")) or arn, tuple(texts(row.get("groups"))))


def _listed(data: Fields, key: str) -> list[Any]:
    from lineage_analytics.loaders.common import yamls  # noqa: PLC0415  (few files need it)

    held = data.get(key)
    try:
        found = yamls.value(held) if isinstance(held, str) else held
    except yamls.Refused as error:
        raise RecordFault("broken_yaml", f"{key}: {error}") from error
    return found if isinstance(found, list) else []
