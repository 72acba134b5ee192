"""RAM, disk, and Ollama within its limit."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.policy import forge
from tests.policy.forge import Json, plan, resources
from tests.policy.judge import judge_all, judge_resource, judge_root, judge_stack, rules, said

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"


def container_of(made: Json) -> Json:
    container: Json = made["spec"]["template"]["spec"]["containers"][0]
    return container


def test_limits_beyond_the_node_are_refused_with_their_sum() -> None:
    made = plan()
    made["workloads"][0]["pod"]["memory_limit_gib"] = 130
    message = said(judge_root(made), "ram-sum")
    assert "memory limits within the node's RAM" in message
    assert "ollama 130.00" in message
    assert "litellm-proxy × 3 12.00" in message
    assert "> 196.00 GiB" in message


def test_requests_beyond_allocatable_are_refused() -> None:
    made = plan()
    made["node"]["allocatable_gib"] = 50
    assert "requests within the node's allocatable" in said(judge_root(made), "ram-sum")


def test_planned_use_beyond_80_percent_is_refused_whatever_budget_the_plan_has() -> None:
    made = plan()
    made["node"] |= {"system_gib": 120, "budget_gib": 190}
    message = said(judge_root(made), "ram-sum")
    assert "80% of the node" in message
    assert "> 156.80 GiB" in message


def test_surge_counts_in_the_deployed_sum() -> None:
    judge_root(plan())
    there = resources()
    made = there["ollama"][1]
    made["spec"]["strategy"] = {}  # Kubernetes' default: one pod more
    message = said(judge_stack(there), "ram-sum-deployed")
    assert "Deployment 'ollama' × 2 192.00" in message


def test_jobs_and_cron_jobs_count_in_the_deployed_sum() -> None:
    judge_root(plan())
    there = resources()
    spec = there["restart"][1]["spec"]["jobTemplate"]["spec"]
    spec["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"] = "60Gi"
    assert "CronJob 'litellm-restart' 60.00" in said(judge_stack(there), "ram-sum-deployed")


def test_init_containers_and_sidecars_count() -> None:
    judge_root(plan())
    there = resources()
    pod = there["gateway"][1]["spec"]["template"]["spec"]
    big = {"name": "big", "resources": {"limits": {"memory": "40Gi"}}}
    pod["initContainers"] = [big]
    assert "'litellm-proxy' × 3 120.00" in said(judge_stack(there), "ram-sum-deployed")
    pod["initContainers"] = [big | {"restartPolicy": "Always"}]
    assert "'litellm-proxy' × 3 132.00" in said(judge_stack(there), "ram-sum-deployed")


def test_a_pod_without_a_limit_is_refused() -> None:
    judge_root(plan())
    there = resources()
    del container_of(there["gateway"][1])["resources"]["limits"]
    message = said(judge_stack(there), "ram-sum-deployed")
    assert "'litellm-proxy'" in message
    assert "no resources.limits.memory" in message


def test_old_services_count_although_no_resource_shows_them() -> None:
    made = plan()
    made["workloads"].append(
        made["workloads"][0]
        | {
            "name": "tts/old",
            "kind": "legacy",
            "phases": [3],
            "pod": {"memory_request_gib": 1, "memory_limit_gib": 30},
            "planned_ram_gib": 30,
        }
    )
    found = judge_all(made, resources())
    assert "tts/old 30.00" in said(found, "ram-sum-deployed")


@pytest.mark.parametrize(
    "quantity",
    [
        "96Gi",
        "98304Mi",
        "103079215104",
        "103079215104000m",
        "103.079215104G",
        "103.079215104e9",
        "0.09375Ti",
    ],
)
def test_every_spelling_of_a_quantity_is_read(quantity: str) -> None:
    judge_root(plan())
    made = forge.ollama()
    container_of(made)["resources"]["limits"]["memory"] = quantity
    assert judge_resource(DEPLOYMENT, made) == []


@pytest.mark.parametrize("quantity", ["96GB", "96 Gi", "", "-96Gi", "lots", "96gi"])
def test_what_is_no_quantity_is_refused(quantity: str) -> None:
    judge_root(plan())
    made = forge.ollama()
    container_of(made)["resources"]["limits"]["memory"] = quantity
    found = judge_resource(DEPLOYMENT, made)
    assert "no Kubernetes quantity" in said(found, "ollama-fits-its-limit")


def test_models_that_do_not_fit_ollamas_limit_are_refused() -> None:
    made = plan()
    made["ollama"] |= {"memory_limit_gib": 10}
    message = said(judge_root(made), "ollama-fits-its-limit")
    assert "llama3.1:8b" in message
    assert "> 10.00 GiB" in message
    made["ollama"] |= {"max_loaded_models": 1}
    assert not said(judge_root(made), "ollama-fits-its-limit")


@pytest.mark.parametrize(
    ("name", "value"),
    [("OLLAMA_NUM_PARALLEL", "64"), ("OLLAMA_CONTEXT_LENGTH", "262144")],
)
def test_the_deployed_ollama_is_judged_by_its_own_variables(name: str, value: str) -> None:
    judge_root(plan())
    made = forge.ollama()
    for variable in container_of(made)["env"]:
        if variable["name"] == name:
            variable["value"] = value
    found = judge_resource(DEPLOYMENT, made)
    assert "> 96.00 GiB" in said(found, "ollama-fits-its-limit")


def test_a_small_cache_type_counts_only_with_flash_attention() -> None:
    judge_root(plan())
    made = forge.ollama()
    container = container_of(made)
    container["env"] += [{"name": "OLLAMA_KV_CACHE_TYPE", "value": "q4_0"}]
    container["env"][1]["value"] = "48"
    assert said(judge_resource(DEPLOYMENT, made), "ollama-fits-its-limit")
    container["env"] += [{"name": "OLLAMA_FLASH_ATTENTION", "value": "1"}]
    assert not said(judge_resource(DEPLOYMENT, made), "ollama-fits-its-limit")


def test_an_ollama_that_does_not_say_its_models_is_refused() -> None:
    judge_root(plan())
    made = forge.ollama()
    del made["metadata"]["annotations"]
    found = judge_resource(DEPLOYMENT, made)
    assert "synapse/models" in said(found, "ollama-fits-its-limit")


def test_a_model_that_the_catalogue_does_not_know_is_refused() -> None:
    judge_root(plan())
    made = forge.ollama()
    made["metadata"]["annotations"]["synapse/models"] = "llama9:8b"
    assert "llama9:8b" in said(judge_resource(DEPLOYMENT, made), "ollama-fits-its-limit")


def test_models_that_do_not_fit_their_volume_are_refused() -> None:
    made = plan()
    made["volumes"][0]["size_gib"] = 7
    message = said(judge_root(made), "disk")
    assert "claim 'ollama-models'" in message
    assert "> 6.30 GiB" in message
    made["volumes"][0]["size_gib"] = 8
    assert not said(judge_root(made), "disk")


def test_volumes_beyond_the_storage_are_refused() -> None:
    made = plan()
    made["node"]["storage_gib"] = 299
    message = said(judge_all(made, resources()), "disk")
    assert "ollama-models 200.00 + huggingface-cache 100.00 = 300.00 GiB > 299.00 GiB" in message


def test_a_claim_too_small_for_its_models_is_refused_at_its_registration() -> None:
    judge_root(plan())
    small = resources()["cache"][1]
    small["spec"]["resources"]["requests"]["storage"] = "5Gi"
    assert "make it 6 GiB" in said(judge_resource(CLAIM, small), "disk")


def test_the_deployed_claims_are_judged_by_the_models_on_them() -> None:
    judge_root(plan())
    there = resources()
    there["pull-70b"] = there["pull-8b"]
    for name in ("models", "cache"):
        there[name][1]["spec"]["resources"]["requests"]["storage"] = "5Gi"
    message = said(judge_stack(there), "disk-deployed")
    assert "claim 'ollama-models'" in message
    assert "claim 'huggingface-cache'" in message


def test_deployed_claims_beyond_the_storage_are_refused() -> None:
    judge_root(plan())
    there = resources()
    there["more"] = (CLAIM, forge.resources()["models"][1])
    there["more"][1]["spec"]["resources"]["requests"]["storage"] = "1Ti"
    assert "> 1000.00 GiB" in said(judge_stack(there), "disk-deployed")


@settings(deadline=None)
@given(limits=st.lists(st.floats(0, 120), min_size=1, max_size=6), node=st.floats(30, 400))
def test_no_set_of_limits_beyond_the_node_passes(limits: list[float], node: float) -> None:
    made = plan()
    made["node"] |= {"memory_gib": node}
    blank = made["workloads"][1]
    made["states"] = []
    made["workloads"] = [
        blank
        | {
            "name": f"w{index}",
            "replicas": 1,
            "phases": [1],
            "pod": {"memory_limit_gib": gib, "memory_request_gib": 0},
            "planned_ram_gib": 0,
        }
        for index, gib in enumerate(limits)
    ]
    total = sum(limits) + made["node"]["system_gib"]
    message = said(judge_root(made), "ram-sum")
    assert ("memory limits" in message) == (total > node + 0.005)


def test_a_size_below_zero_is_refused() -> None:
    made = plan()
    made["workloads"][0]["pod"]["memory_limit_gib"] = -96
    assert "ram-sum" in rules(judge_root(made))


@pytest.mark.parametrize(("phase", "refused"), [(1, False), (3, False), (4, True), (6, True)])
def test_a_phase_that_is_not_reached_yet_refuses_nothing(phase: int, refused: bool) -> None:
    made = plan() | {"phase": phase}
    for workload in made["workloads"]:
        if workload["name"] == "speaches":
            workload["pod"]["memory_limit_gib"] = 100
    assert ("ram-sum" in rules(judge_root(made))) is refused
