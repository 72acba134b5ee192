"""The first lock: what does not fit, or is not built, is refused before anything is registered."""

from typing import Any

import pytest
from pulumi import RunError

from tests.components.conftest import Record

TOO_MUCH: dict[str, dict[str, Any]] = {
    "VRAM": {"engine": {"gpu_memory_utilization": 0.99}},
    "the engine's share": {"engine": {"gpu_memory_utilization": 0.1}},
    "Ollama's limit": {"ollama": {"memory_gib": 4, "memory_request_gib": 4}},
    "RAM": {"node": {"memory_gib": 128}},
    "an engine that cannot run on the GPU": {
        "engine": {"image": "registry.arunlabs.com/vllm-rtx5090:v0.8.1"}
    },
}


@pytest.mark.parametrize("preview", [False, True], ids=["update", "preview"])
@pytest.mark.parametrize("what", TOO_MUCH)
def test_a_plan_that_does_not_fit_is_refused(registered: Record, what: str, preview: bool) -> None:
    with pytest.raises(RunError, match="the stack is refused, nothing was touched") as refused:
        registered(preview=preview, **TOO_MUCH[what])
    assert "Traceback" not in str(refused.value)


@pytest.mark.parametrize("phase", [5, 6])
def test_a_phase_that_is_not_built_is_refused(registered: Record, phase: int) -> None:
    with pytest.raises(RunError, match=f"phase {phase} .*is not built yet; write 4"):
        registered(phase=phase)


NOWHERE = {"kind": "cluster", "kubeconfig": "/nowhere/kubeconfig"}


def test_an_update_looks_at_the_cluster_before_it_registers_anything(registered: Record) -> None:
    with pytest.raises(RunError, match="there is no kubeconfig /nowhere/kubeconfig"):
        registered(check_cluster=True, target=NOWHERE)


@pytest.mark.parametrize(
    ("preview", "target"), [(True, NOWHERE), (False, {"kind": "render"})], ids=["preview", "render"]
)
def test_a_preview_and_a_rendering_need_no_cluster(
    registered: Record, preview: bool, target: dict[str, str]
) -> None:
    assert registered(check_cluster=True, preview=preview, target=target).of_kind("Deployment")


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        ({"ollama": {"memory_gib": "96Gi"}}, "synapse:ollama.memory_gib"),
        ({"engine": {"service_name": "vllm"}}, "synapse:engine.service_name"),
        ({"gateway": {"hots": "a.b"}}, "synapse:gateway.hots"),
    ],
)
def test_an_invalid_config_is_an_error_that_names_the_key(
    registered: Record, overrides: dict[str, Any], key: str
) -> None:
    with pytest.raises(RunError) as refused:
        registered(**overrides)
    assert key in str(refused.value)
