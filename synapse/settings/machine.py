"""Where the stack runs: target, node, GPU. A default of None means that the plan chooses."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from synapse.settings.base import Section, at_most
from synapse.settings.catalogued import Gpu
from synapse.settings.fields import (
    Cores,
    Count,
    DnsLabel,
    Fraction,
    Gib,
    GibOrNone,
    Text,
    refusal,
)
from synapse.settings.rules import Broken, rule


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
        None,
        description="path of a kubeconfig, of which Pulumi's provider leaves a copy in $TMPDIR at"
        " every run, as it does not of the default; default: $KUBECONFIG, then ~/.kube/config",
    )
    context: Text | None = Field(None, description="context in the kubeconfig; default: its own")
    directory: Text = Field("rendered", description="render: the directory of the manifests")
    secrets: Literal["omit", "sealed"] = Field(
        "omit", description="render: leave Secrets out, or write them as SealedSecrets"
    )
    sealing_certificate: Text | None = Field(
        None, description="render: the public certificate (PEM) of the sealed-secrets controller"
    )

    @rule("secrets", "sealing_certificate")
    def _sealing_needs_a_certificate(self) -> Iterator[Broken]:
        if self.secrets == "sealed" and self.sealing_certificate is None:
            yield Broken(
                "secrets",
                self.secrets,
                "sealed together with sealing_certificate",
                "set target.sealing_certificate to the file that `kubeseal --fetch-cert` writes",
            )


HIGHEST_RAM_FRACTION = 0.8
"""What planned use may reach of a node's RAM. The policy pack holds the same bound by itself."""


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
        HIGHEST_RAM_FRACTION,
        description="part of the RAM that planned use may reach: lower it, it cannot be raised",
    )
    storage_gib: Gib = Field(1000, description="disk behind the storage class")
    storage_class: DnsLabel = Field("local-path", description="StorageClass of the volumes")

    @rule("allocatable_memory_gib", "memory_gib")
    def _allocatable_within_memory(self) -> Iterator[Broken]:
        if self.allocatable_memory_gib is not None:
            yield from at_most(
                "allocatable_memory_gib", self.allocatable_memory_gib, "memory_gib", self.memory_gib
            )

    @rule("ram_budget_fraction")
    def _room_for_the_unplanned(self) -> Iterator[Broken]:
        if self.ram_budget_fraction > HIGHEST_RAM_FRACTION:
            yield Broken(
                "ram_budget_fraction",
                self.ram_budget_fraction,
                f"at most {HIGHEST_RAM_FRACTION:g}: what is planned is not all that is taken",
                f"write {HIGHEST_RAM_FRACTION:g} or less",
            )

    @rule("system_memory_gib", "memory_gib")
    def _system_within_memory(self) -> Iterator[Broken]:
        yield from at_most(
            "system_memory_gib", self.system_memory_gib, "memory_gib", self.memory_gib
        )


class Sharing(StrEnum):
    """Whether GPU workloads take turns or run together."""

    EXCLUSIVE = "exclusive"
    CONCURRENT = "concurrent"


def _one_gpu(value: int) -> int:
    if value != 1:
        raise refusal("1: this version plans for one GPU", "write 1, or leave the key out")
    return value


class GpuSettings(Section):
    """The GPU and what of it the stack may take."""

    model: Gpu = Field(description="the GPU, by its name in the catalogue")
    count: Annotated[Count, AfterValidator(_one_gpu)] = Field(
        1, description="GPUs that the node offers to pods; this version plans for one"
    )
    budget_gib: Gib | None = Field(
        None, description="most VRAM that a state may take; default: total less reserve"
    )
    reserve_gib: GibOrNone = Field(1, description="VRAM that stays free in every state")
    sharing: Annotated[Sharing, Field(strict=False)] = Field(
        Sharing.EXCLUSIVE, description="exclusive (one GPU pod at a time) or concurrent"
    )
    runtime_class: DnsLabel = Field("nvidia", description="RuntimeClass of GPU pods")
    device_plugin: Literal["present", "stack"] = Field(
        "present",
        description="the device plugin: present (somebody else's), or stack (installed by this "
        "one, in kube-system)",
    )
