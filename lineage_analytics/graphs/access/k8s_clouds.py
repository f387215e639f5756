"""Between a Kubernetes cluster and the cloud it runs in: who enters it, and which cloud identity a workload becomes.

A service account names the role of AWS or the service account of Google it may become; the cloud's own side must agree.
Where that side is loaded and names the service account, the edge is proved; where it is loaded and does not, there is
none; where it is not loaded, the edge is conditional.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import polars as pl

from lineage_analytics.permissions.k8s.rules import PROVIDER, split
from lineage_analytics.permissions.memberships import in_force
from lineage_analytics.permissions.patterns import matches

if TYPE_CHECKING:
    from lineage_analytics.facts import Facts
    from lineage_analytics.graphs.access.parts import Builder
    from lineage_analytics.permissions.k8s.rules import KubernetesBook

_WORKLOAD_USER = "roles/iam.workloadIdentityUser"
_LIKE = frozenset({"StringLike", "ForAnyValue:StringLike", "StringLikeIfExists"})


def cloud_edges(facts: Facts, have: KubernetesBook, build: Builder) -> None:
    """Entering a cluster as one of its users, and leaving it as an identity of the cloud."""
    for user, entering in sorted(have.rules.entering.items()):
        for principal, record in entering:
            build.edge(principal, "may_assume", user, f"enters the cluster as {split(user)[1]}", [record],
                       technique="sign in to the cluster")
    trusts = facts.frame("entitlements").filter(
        (pl.col("provider") == PROVIDER) & (pl.col("grant_kind") == "trust") & in_force(facts)
        & pl.col("origin").is_in(["irsa", "workload_identity"])
    ).select("principal_id", "scope", "origin", "record_id").drop_nulls(["principal_id", "scope"]).unique().sort(
        pl.all(), nulls_last=True)
    if trusts.is_empty():
        return
    roles, google = _trusted(facts), _google(facts)
    for account, identity, origin, record in trusts.iter_rows():
        if origin == "irsa":
            known, subject = roles.get(identity), split(account)[1]
            naming = [trust for pattern, trust in known or () if matches(pattern, subject)]
        else:
            known = google.get(identity)
            suffix = "[" + "/".join(split(account)[1].split(":")[2:]) + "]"
            naming = [trust for member, trust in known or () if member.endswith(suffix)]
        if known and not naming:
            continue
        says = "the service account names it" + (
            ", and it trusts the service account" if naming else "; whom it trusts is not loaded")
        build.edge(account, "may_assume", identity, says, [record, *naming], proved=bool(naming),
                   technique="exchange the token of the service account")


def _trusted(facts: Facts) -> dict[str, list[tuple[str, str]]]:
    """By role of AWS, the subjects of token issuers that its trust policy names, as patterns, each with its record;
    an issuer without a condition on the subject vouches for anybody."""
    rows = facts.frame("entitlements").filter(
        (pl.col("provider") == "aws") & (pl.col("grant_kind") == "trust")
    ).select("principal_id", "scope", "effect", "condition", "record_id").drop_nulls(["principal_id", "scope"]).unique(
        ).sort(pl.all(), nulls_last=True)
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for issuer, role, effect, condition, record in rows.iter_rows():
        patterns = _subjects(condition) if ":oidc-provider/" in issuer and effect != "deny" else [""]
        found[role] += [(pattern, record or "") for pattern in patterns]
    return dict(found)


def _subjects(condition: str | None) -> list[str]:
    try:
        stated: Any = json.loads(condition or "{}")
    except ValueError:
        return [""]
    named: list[str] = []
    asked = False
    for operator, keys in stated.items() if isinstance(stated, dict) else ():
        for key, values in keys.items() if isinstance(keys, dict) else ():
            if key.lower().endswith(":sub"):
                asked = True
                listed = values if isinstance(values, list) else [values]
                named += [str(one) for one in listed if operator in _LIKE or "*" not in str(one)]
    return named or [""] if asked else ["*"]


def _google(facts: Facts) -> dict[str, list[tuple[str, str]]]:
    """By service account of Google, the Kubernetes ones that its own policy lets become it, each with its record; a
    service account without a loaded policy is not there."""
    rows = facts.frame("entitlements").filter(
        (pl.col("provider") == "gcp") & (pl.col("grant_kind") == "role") & in_force(facts)
        & pl.col("scope").str.starts_with("iam.googleapis.com/serviceAccounts/")
    ).select("principal_id", "privilege", "scope", "record_id").drop_nulls().unique().sort(pl.all())
    alias = dict(facts.frame("aliases").select("alias", "id").sort("alias").iter_rows())
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for member, role, scope, record in rows.iter_rows():
        own = f"gcp::serviceAccount:{scope.rpartition('/')[2]}"
        found[alias.get(own, own)].append((member if role == _WORKLOAD_USER else "", record))
    return dict(found)
