"""Programs without a root: judged by the machine that the pack's config names, and else not."""

from typing import Any

import pytest

from tests.policy.forge import Json
from tests.policy.judge import UNKNOWN, judge_resource, judge_stack, said

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"
GPU = {"gpu_model": "rtx-4090"}  # an engine sees 23.5 GiB of it
SMALL = "hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4"
LARGE = "meta-llama/Llama-3.1-8B-Instruct"


def _deployment(name: str, container: Json, **spec: Any) -> Json:
    pod = {"containers": [{"name": "main", **container}]}
    return {
        "metadata": {"name": name, "namespace": "ai"},
        "spec": {"template": {"metadata": {}, "spec": pod}, **spec},
    }


def _engine(name: str = "llm", fraction: str = "0.90", *more: str, **spec: Any) -> Json:
    """As in the examples of vLLM: a Deployment with the default rollout."""
    command = ["vllm", "serve", SMALL, "--gpu-memory-utilization", fraction, *more]
    container = {
        "image": "vllm/vllm-openai:v0.11.0",
        "command": command,
        "resources": {"limits": {"nvidia.com/gpu": "1", "memory": "16Gi"}},
    }
    return _deployment(name, container, **spec)


def _said(rule: str, props: Json, settings: Json, resource_type: str = DEPLOYMENT) -> str:
    found = judge_resource(resource_type, props, below_root=False, config={rule: settings})
    return said(found, rule)


def _said_of_all(rule: str, settings: Json, **there: Json) -> str:
    outside = {
        name: (CLAIM if "resources" in props["spec"] else DEPLOYMENT, props)
        for name, props in there.items()
    }
    return said(judge_stack({}, root=False, outside=outside, config={rule: settings}), rule)


def test_an_engine_past_the_gpu_is_refused_with_its_sum() -> None:
    message = _said("vram-in-every-state", _engine(fraction="0.95"), GPU | {"reserve_gib": 1.0})
    assert "Deployment 'llm': llm 0.95 × 23.50" in message
    assert "> 22.50 GiB of one rtx-4090" in message
    assert "reserve_gib 1.00" in message


def test_an_engine_past_the_budget_is_refused_and_one_within_it_passes() -> None:
    for fraction, refused in (("0.90", True), ("0.60", False)):
        message = _said(
            "vram-in-every-state", _engine(fraction=fraction), GPU | {"budget_gib": 18.0}
        )
        assert bool(message) is refused


def test_an_engine_that_its_share_does_not_hold_is_refused() -> None:
    long = _engine("llm", "0.40", "--max-model-len", "131072")
    message = _said("engine-fits-its-share", long, GPU)
    assert "0.40 × 23.50 = 9.40 GiB" in message
    assert "KV cache of 131072 tokens" in message
    short = _engine("llm", "0.90", "--max-model-len", "8192")
    assert _said("engine-fits-its-share", short, GPU) == ""


def test_the_larger_model_is_refused_where_the_smaller_passes() -> None:
    made = _engine("llm", "0.60", "--max-model-len", "8192")
    assert _said("engine-fits-its-share", made, GPU) == ""
    made["spec"]["template"]["spec"]["containers"][0]["command"][2] = LARGE
    assert "weights 14.9" in _said("engine-fits-its-share", made, GPU)


@pytest.mark.parametrize("rule", ["vram-in-every-state", "engine-fits-its-share"])
def test_what_cannot_be_proven_on_the_named_gpu_is_refused(rule: str) -> None:
    unknown = _engine()
    unknown["spec"]["template"]["spec"]["containers"][0]["command"][4] = UNKNOWN
    assert "can't be known during preview" in _said(rule, unknown, GPU)
    strange = _engine()
    strange["spec"]["template"]["spec"]["containers"][0]["command"][2] = "me/mine"
    assert "me/mine" in _said(rule, strange, GPU)
    assert "gpu.model 'gtx-1'" in _said(rule, _engine(), {"gpu_model": "gtx-1"})


def test_without_a_gpu_in_the_config_no_engine_is_judged() -> None:
    made = _engine(fraction="0.99")
    made["spec"]["template"]["spec"]["containers"][0]["command"][2] = UNKNOWN
    for rule in ("vram-in-every-state", "engine-fits-its-share", "gpu-count"):
        assert _said(rule, made, {}) == ""


def test_engines_share_the_gpus_that_there_are() -> None:
    two = {"first": _engine("first", "0.60"), "second": _engine("second", "0.60")}
    rule = "vram-in-every-state-deployed"
    settled = {"strategy": {"type": "Recreate"}}
    for one in two.values():
        one["spec"] |= settled
    message = _said_of_all(rule, GPU, **two)
    assert "all GPU pods together: first" in message
    assert "> 23.50 GiB of 1 rtx-4090" in message
    assert _said_of_all(rule, GPU | {"gpu_count": 2.0}, **two) == ""
    assert _said_of_all(rule, {}, **two) == ""


def test_a_rollout_needs_a_gpu_more() -> None:
    message = _said("gpu-count", _engine(), {"gpu_count": 1.0})
    assert "2 pods (1 of them during a rollout) that claim 1 GPUs each, 2 > 1" in message
    recreated = _engine(strategy={"type": "Recreate"})
    assert _said("gpu-count", recreated, {"gpu_count": 1.0}) == ""


def test_claims_are_added_up() -> None:
    two = {
        name: _engine(name, "0.5", strategy={"type": "Recreate"}) for name in ("first", "second")
    }
    message = _said_of_all("gpu-count-deployed", {"gpu_count": 1.0}, **two)
    assert "Deployment 'first' 1 + Deployment 'second' 1 = 2 > 1" in message
    assert _said_of_all("gpu-count-deployed", {"gpu_count": 2.0}, **two) == ""


def test_memory_limits_fit_the_machine() -> None:
    settings = {"node_memory_gib": 40.0, "system_memory_gib": 10.0}
    settled = {"strategy": {"type": "Recreate"}}
    one, two = (_engine(name, "0.5", **settled) for name in ("one", "two"))
    rule = "ram-sum-deployed"
    assert _said_of_all(rule, settings, one=one) == ""
    message = _said_of_all(rule, settings, one=one, two=two)
    assert "16.00 + system 10.00 = 42.00 GiB > 40.00 GiB" in message
    assert _said_of_all(rule, {}, one=one, two=two) == ""
    unlimited = _deployment("web", {"image": "nginx:1.29"})
    assert "no resources.limits.memory" in _said_of_all(rule, settings, web=unlimited)


def test_volume_claims_fit_the_storage() -> None:
    claim = {
        "metadata": {"name": "models"},
        "spec": {"resources": {"requests": {"storage": "200Gi"}}},
    }
    rule = "disk-deployed"
    assert "> 100.00 GiB" in _said_of_all(rule, {"storage_gib": 100.0}, models=claim)
    assert _said_of_all(rule, {"storage_gib": 200.0}, models=claim) == ""
    assert _said_of_all(rule, {}, models=claim) == ""


def test_ollama_holds_the_models_that_the_config_names() -> None:
    limits = {"resources": {"limits": {"memory": "6Gi"}}}
    ollama = _deployment("ollama", {"image": "ollama/ollama:0.12.0", **limits})
    rule = "ollama-fits-its-limit"
    assert _said(rule, ollama, {}) == ""
    assert _said(rule, ollama, {"models": ["llama3.2:3b"]}) == ""
    message = _said(rule, ollama, {"models": ["llama3.1:8b", "llama3.2:3b"]})
    assert "> 6.00 GiB" in message
    del ollama["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert "no resources.limits.memory" in _said(rule, ollama, {"models": ["llama3.2:3b"]})


def test_a_budget_without_its_gpu_is_refused() -> None:
    message = _said("vram-in-every-state", _engine(), {"budget_gib": 20.0})
    assert "set gpu_model as well" in message
