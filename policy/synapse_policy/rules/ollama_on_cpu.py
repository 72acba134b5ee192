"""An Ollama that claims no GPU sees none: its image asks for all, and nodes may hand them out."""

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs

from synapse_policy.containers import Container
from synapse_policy.judging import Report, resource_rule
from synapse_policy.reading import UnreadableError, text
from synapse_policy.recognised import workloads_in
from synapse_policy.workload import Workload

_DEVICES, _CUDA = "NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"
_NO_DEVICES = ("void", "none", "")


def check(args: ResourceValidationArgs, report: Report) -> None:
    """Judge every container that runs Ollama and claims no GPU."""
    for workload in workloads_in(args):
        for ollama in workload.ollamas:
            if ollama.claims_a_device:
                continue
            for seen, cure in _ways_to_the_gpu(workload, ollama):
                report(
                    f"container {ollama.name!r} of {workload.label} runs Ollama without a GPU "
                    f"limit, and {seen}, so it may take VRAM that no sum counts; {cure}"
                )


def _ways_to_the_gpu(workload: Workload, ollama: Container) -> Iterator[tuple[str, str]]:
    runtime = text(workload.pod_spec, "runtimeClassName") or ""
    if runtime.startswith("nvidia"):
        yield f"runtimeClassName is {runtime!r}", "drop runtimeClassName"
    for name, hidden, cure in ((_DEVICES, _NO_DEVICES, "void"), (_CUDA, ("-1",), "-1")):
        stated = name in ollama.environment
        if not stated and workload.is_patch:
            continue
        value = ollama.environment[name] if stated else None
        if stated and value is None:
            raise UnreadableError(
                f"{name} of container {ollama.name!r} of {workload.label} has no plain value; "
                f'write "{cure}"'
            )
        if value is None or value.strip() not in hidden:
            default = "is not set (the image has all)" if name == _DEVICES else "is not set"
            yield f"{name} {f'is {value!r}' if stated else default}", f'set {name}="{cure}"'


RULES = (
    resource_rule(
        name="cpu-ollama-sees-no-gpu",
        description="An Ollama that claims no GPU cannot see one.",
        reason=(
            "Ollama's image sets NVIDIA_VISIBLE_DEVICES=all: on a node whose default runtime is "
            "nvidia it finds the GPU, loads its models there, and the engine runs out of memory."
        ),
        cure=(
            "Set NVIDIA_VISIBLE_DEVICES=void and CUDA_VISIBLE_DEVICES=-1 and no runtimeClassName; "
            "or claim the GPU by resources.limits."
        ),
        check=check,
    ),
)
