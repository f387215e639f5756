"""Service accounts, roles and bindings of the cluster as ``kubectl get -o json`` lists them, the bindings twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage_analytics.simulation.chapters._kubernetes_cluster import CLUSTER, as_object
from lineage_analytics.simulation.writers.files import as_json, pretty, put

if TYPE_CHECKING:
    from pathlib import Path

    from lineage_analytics.simulation.chapters._kubernetes_cluster import Cluster
    from lineage_analytics.simulation.model import World


def write(directory: Path, world: World) -> int:
    """What stands at the end; the number of distinct objects."""
    cluster: Cluster | None = world.cast.get("k8s")
    if cluster is None:
        return 0
    objects = [as_object(thing) for thing in sorted(cluster.things, key=lambda t: (t.kind, t.namespace, t.name))]
    put(directory / CLUSTER / "all.json", pretty(
        {"apiVersion": "v1", "items": objects, "kind": "List", "metadata": {"resourceVersion": ""}}))
    bindings = [found for found in objects if found["kind"] == "ClusterRoleBinding"]
    put(directory / CLUSTER / "clusterrolebindings.json.gz", as_json(
        {"apiVersion": "v1", "items": bindings, "kind": "List", "metadata": {"resourceVersion": ""}}))
    return len(objects)
