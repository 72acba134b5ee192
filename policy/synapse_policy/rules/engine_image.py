"""The engine in the image runs on the GPU, and reads what it is told."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pulumi_policy import ResourceValidationArgs

from synapse_policy import facts
from synapse_policy.budgets import GpuModel
from synapse_policy.containers import Container
from synapse_policy.judging import Report, Scope, resource_rule
from synapse_policy.reading import child, text
from synapse_policy.recognised import workloads_in
from synapse_policy.root import is_below_root, is_root, plan_for, plan_in
from synapse_policy.workload import Workload

if TYPE_CHECKING:
    from synapse.catalogue.schema import Gpu

_VLLM = "vllm"
_PRODUCT = "nvidia.com/gpu.product"
_SHARED = "-SHARED"
"""What feature discovery adds to the product of a GPU that is offered more than once."""


def check_gpu(args: ResourceValidationArgs, report: Report, settings: GpuModel) -> None:
    """Judge the plan's engine, and every engine by the version in its image's tag."""
    if is_root(args):
        plan = plan_in(args)
        if plan.engine.kind == _VLLM:
            planned = facts.gpu(plan.gpu.model)
            _judge_gpu("the plan's engine", plan.engine.version, planned, report)
        return
    for workload in workloads_in(args):
        for engine in workload.engines:
            for version in _versions(workload, engine):
                gpu = _gpu_of(workload, settings)
                if gpu is not None:
                    _judge_gpu(_label(engine, workload), version, gpu, report)


def check_told(args: ResourceValidationArgs, report: Report) -> None:
    """Judge the flags and variables of every engine by its version."""
    for workload in workloads_in(args):
        for engine in workload.engines:
            for version in _versions(workload, engine):
                _judge_told(_label(engine, workload), engine, version, report)


def _label(engine: Container, workload: Workload) -> str:
    return f"container {engine.name!r} of {workload.label}"


def _versions(workload: Workload, engine: Container) -> Iterator[str]:
    """Yield the versions of vLLM that it has by its tag and by the plan.

    The plan knows the version inside the image of its own engine, whose tag may count otherwise;
    but a tag that is named after the engine may not promise less.
    """
    if engine.recognised_engine != _VLLM:
        return
    found = [engine.version] if engine.version and _VLLM in engine.program else []
    if is_below_root(workload.urn):
        plan = plan_for(workload.urn)
        if workload.name == plan.engine.service:
            found.append(plan.engine.version)
    yield from dict.fromkeys(version for version in found if version)


def _gpu_of(workload: Workload, settings: GpuModel) -> "Gpu | None":
    """Return the plan's GPU, or the one that its nodes have to have, or that of the config."""
    if is_below_root(workload.urn):
        return facts.gpu(plan_for(workload.urn).gpu.model)
    product = text(child(workload.pod_spec, "nodeSelector"), _PRODUCT)
    if product is not None:
        return facts.known_gpu(product.removesuffix(_SHARED))
    return facts.gpu(settings.gpu_model) if settings.gpu_model else None


def _judge_gpu(subject: str, version: str, gpu: "Gpu", report: Report) -> None:
    refusal = facts.vllm_release(version).refusal(gpu.compute_capability)
    if refusal is not None:
        report(
            f"{subject} has vLLM {version}, which does not run on {gpu.title} ({gpu.sm}): "
            f"{refusal}; take {facts.stock_engine_image()} (engine.image), or build yours from it"
        )


def _judge_told(subject: str, engine: Container, version: str, report: Report) -> None:
    for gone in facts.vllm_release(version).withdrawn:
        told = (
            engine.command_line.has(gone.name)
            if gone.name.startswith("-")
            else gone.name in engine.environment
        )
        if told:
            report(
                f"{subject} has vLLM {version} and sets {gone.name}, which is not read from "
                f"{gone.since} on ({gone.source}); {gone.instead}"
            )


RULES = (
    resource_rule(
        name="engine-image-runs-on-gpu",
        description="The vLLM in the engine's image has kernels for the GPU's architecture.",
        reason=(
            "An image without kernels for the GPU ends with 'no kernel image is available' after "
            "it has loaded the weights: the seeds' v0.8.1 does on an RTX 5090."
        ),
        cure="Take an image whose vLLM knows the GPU: on sm_120 0.9.2 or later, and not 0.10.0.",
        check=check_gpu,
        settings=GpuModel,
        scope=Scope.ANY,
    ),
    resource_rule(
        name="engine-reads-what-it-is-told",
        description="An engine gets no flag or variable that its version no longer reads.",
        reason=(
            "A variable that is gone is ignored in silence, so the engine runs otherwise than it "
            "was told; a flag that is gone ends it at its start."
        ),
        cure="Drop the flag or variable, or write what took its place.",
        check=check_told,
    ),
)
