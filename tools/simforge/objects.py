"""What is on the cluster before anything is deployed, as on a fresh K3s node with a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from tools.simforge.api import Api, Manifest
from tools.simforge.node import NODE_NAME, NodeSpec

STORAGE_CLASS = "local-path"
_VOLUMES = "/api/v1/persistentvolumes"
_NODES = "/api/v1/nodes"


def prepare(api: Api, node: NodeSpec, crds: Path) -> None:
    """Creates or repairs all of it; what is there already is left as it is."""
    api.apply(_NODES, _node(node))
    api.apply(_NODES, _node_status(node), subresource="status")
    api.apply("/apis/storage.k8s.io/v1/storageclasses", _STORAGE)
    api.apply("/apis/node.k8s.io/v1/runtimeclasses", _RUNTIME)
    for manifest in yaml.safe_load_all(crds.read_text(encoding="utf-8")):
        if manifest:
            api.apply("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", manifest)
    _refill_volumes(api, node)


def _node(node: NodeSpec) -> Manifest:
    gpu = {"nvidia.com/gpu.present": "true", "nvidia.com/gpu.product": node.gpu_product}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": NODE_NAME,
            "labels": {
                "kubernetes.io/hostname": NODE_NAME,
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/os": "linux",
                "node-role.kubernetes.io/control-plane": "true",
                **(gpu if node.gpu_count else {}),
            },
            "annotations": {"kwok.x-k8s.io/node": "fake"},
        },
    }


def _node_status(node: NodeSpec) -> Manifest:
    capacity = {
        "cpu": str(node.cpu_cores),
        "memory": f"{node.memory_gib}Gi",
        "ephemeral-storage": f"{node.ephemeral_storage_gib}Gi",
        "pods": str(node.pods),
        **({"nvidia.com/gpu": str(node.gpu_count)} if node.gpu_count else {}),
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODE_NAME},
        "status": {"capacity": capacity, "allocatable": capacity},
    }


# The real class provisions on demand; no program does that here, so its volumes are made before.
_STORAGE: Manifest = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {
        "name": STORAGE_CLASS,
        "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
    },
    "provisioner": "kubernetes.io/no-provisioner",
    "volumeBindingMode": "WaitForFirstConsumer",
}

_RUNTIME: Manifest = {
    "apiVersion": "node.k8s.io/v1",
    "kind": "RuntimeClass",
    "metadata": {"name": "nvidia"},
    "handler": "nvidia",
}


def _refill_volumes(api: Api, node: NodeSpec) -> None:
    """Makes the volumes; one whose claim is gone is made anew, as it would never bind again."""
    there = {item["metadata"]["name"]: item for item in api.call("GET", _VOLUMES)["items"]}
    for volume in _volumes(node):
        name = volume["metadata"]["name"]
        if there.get(name, {}).get("status", {}).get("phase") == "Released":
            api.call("DELETE", f"{_VOLUMES}/{name}")
            del there[name]
        if name not in there:
            api.call("POST", _VOLUMES, volume)


def _volumes(node: NodeSpec) -> Iterator[Manifest]:
    for number in range(1, node.volume_count + 1):
        yield {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"forge-{number:02}"},
            "spec": {
                "capacity": {"storage": f"{node.volume_gib}Gi"},
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": STORAGE_CLASS,
                "hostPath": {"path": f"/var/lib/rancher/k3s/storage/forge-{number:02}"},
                "nodeAffinity": {
                    "required": {
                        "nodeSelectorTerms": [
                            {
                                "matchExpressions": [
                                    {
                                        "key": "kubernetes.io/hostname",
                                        "operator": "In",
                                        "values": [NODE_NAME],
                                    }
                                ]
                            }
                        ]
                    }
                },
            },
        }
