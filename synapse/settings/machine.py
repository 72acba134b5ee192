"""Where the stack runs: target, node, GPU. A default of None means that the plan chooses."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from synapse.settings.base import Section
from synapse.settings.catalogued import Gpu
from synapse.settings.fields import Cores, DnsLabel, Fraction, Gib, GibOrNone, Text, refusal


class TargetKind(StrEnum):
    """Where the program deploys."""

    CLUSTER = "cluster"
    SIM = "sim"
    RENDER = "render"


class Target(Section):
    """The cluster, or the directory, that receives the resources."""

    kind: Annotated[TargetKind, Field(strict=False)] = Field(
        TargetKind.CLUSTER,
        description="cluster (a kubeconfig), sim (the simulated forge) or render (manifests)",
    )
    kubeconfig: Text | None = Field(
        None, description="path of a kubeconfig; default: $KUBECONFIG, then ~/.kube/config"
    )
    context: Text | None = Field(None, description="context in the kubeconfig; default: its own")
    directory: Text = Field("rendered", description="render: the directory of the manifests")
    secrets: Literal["omit", "sealed"] = Field(
        "omit", description="render: leave Secrets out, or write them as SealedSecrets"
    )
    sealing_certificate: Text | None = Field(
        None, description="render: the public certificate (PEM) of the sealed-secrets controller"
    )

    @model_validator(mode="after")
    def _sealing_needs_a_certificate(self) -> Self:
        if self.secrets == "sealed" and self.sealing_certificate is None:
            raise refusal(
                "secrets: sealed together with sealing_certificate",
                "set target.sealing_certificate to the file that `kubeseal --fetch-cert` writes",
            )
        return self


class Node(Section):
    """The machine that all pods share."""

    name: DnsLabel = Field("forge", description="the node's name")
    cpus: Cores = Field(description="cores of the node")
    memory_gib: Gib = Field(description="RAM of the node as its kernel reports it")
    allocatable_memory_gib: Gib | None = Field(
        None, description="RAM that the kubelet offers to pods; default: all of it"
    )
    system_memory_gib: GibOrNone = Field(
        27, description="RAM of the system and of pods outside the stack, a line in each sum"
    )
    ram_budget_fraction: Fraction = Field(
        0.8, description="part of the RAM that planned use may reach"
    )
    storage_gib: Gib = Field(1000, description="disk behind the storage class")
    storage_class: DnsLabel = Field("local-path", description="StorageClass of the volumes")


class Sharing(StrEnum):
    """Whether GPU workloads take turns or run together."""

    EXCLUSIVE = "exclusive"
    CONCURRENT = "concurrent"


class GpuSettings(Section):
    """The GPU and what of it the stack may take."""

    model: Gpu = Field(description="the GPU, by its name in the catalogue")
    count: Literal[1] = Field(1, description="GPUs that the node offers to pods")
    budget_gib: Gib | None = Field(
        None, description="most VRAM that a state may take; default: total less reserve"
    )
    reserve_gib: GibOrNone = Field(1, description="VRAM that stays free in every state")
    sharing: Annotated[Sharing, Field(strict=False)] = Field(
        Sharing.EXCLUSIVE, description="exclusive (one GPU pod at a time) or concurrent"
    )
    runtime_class: DnsLabel = Field("nvidia", description="RuntimeClass of GPU pods")
