"""Phase 1: Ollama on the CPU in fact, told what the plan says, and a pull Job for each model."""

import pytest

from tests.components.conftest import Planner, Record
from tests.components.pods import pod, pods, seconds

ALL_PODS = ("ollama", "ollama-pull-llama3-2-3b", "ollama-pull-llama3-1-8b")
JOBS = ALL_PODS[1:]


@pytest.mark.parametrize("name", ALL_PODS)
def test_it_gets_no_gpu_even_where_the_node_hands_them_out(registered: Record, name: str) -> None:
    one = pod(registered(), name)
    assert one.environment["CUDA_VISIBLE_DEVICES"] == "-1"
    assert one.environment["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert one.environment["OLLAMA_VULKAN"] == "0"
    assert "runtimeClassName" not in one.spec
    for kind in ("requests", "limits"):
        assert "nvidia.com/gpu" not in one.container["resources"][kind]


@pytest.mark.parametrize(
    "overrides",
    [{}, {"max_loaded_models": 1, "num_parallel": 3, "context_tokens": 4096, "keep_alive": "5m"}],
    ids=["the forge", "others"],
)
def test_the_server_is_told_what_the_plan_says(
    registered: Record, planned: Planner, overrides: dict[str, object]
) -> None:
    plan = planned(ollama=overrides).ollama
    told = pod(registered(ollama=overrides), "ollama").environment
    assert told["OLLAMA_MAX_LOADED_MODELS"] == str(plan.max_loaded_models)
    assert told["OLLAMA_NUM_PARALLEL"] == str(plan.num_parallel)
    assert told["OLLAMA_CONTEXT_LENGTH"] == str(plan.context_tokens)
    assert told["OLLAMA_KEEP_ALIVE"] == plan.keep_alive
    assert told["OLLAMA_HOST"] == "0.0.0.0:11434"


def test_two_models_are_loaded_at_once_on_the_forge(registered: Record) -> None:
    assert pod(registered(), "ollama").environment["OLLAMA_MAX_LOADED_MODELS"] == "2"


def test_two_servers_never_hold_the_memory_at_once(registered: Record) -> None:
    assert registered().object("Deployment", "ollama").spec["strategy"] == {"type": "Recreate"}


def test_probes_ask_what_exists_and_load_no_model(registered: Record) -> None:
    container = pod(registered(), "ollama").container
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["path"] in {"/", "/api/version"}, probe
        assert asked["port"] == 11434


def test_the_models_lie_on_the_claim_for_server_and_jobs(registered: Record) -> None:
    recorded = registered()
    for name in ALL_PODS:
        one = pod(recorded, name)
        assert one.claims == {"ollama-models": one.environment["OLLAMA_MODELS"]}


def test_server_and_jobs_write_the_volume_as_the_same_user(registered: Record) -> None:
    recorded = registered()
    users = {
        (security["runAsUser"], security["runAsGroup"], security["fsGroup"])
        for security in (pod(recorded, name).spec["securityContext"] for name in ALL_PODS)
    }
    assert len(users) == 1


@pytest.mark.parametrize("name", ALL_PODS)
def test_a_start_deletes_nothing_that_another_server_still_downloads(
    registered: Record, name: str
) -> None:
    assert pod(registered(), name).environment["OLLAMA_NOPRUNE"] == "1"


@pytest.mark.parametrize(
    "models", [["llama3.2:3b", "llama3.1:8b"], ["llama3.1:8b", "nomic-embed-text"]]
)
def test_there_is_a_pull_job_for_each_model(registered: Record, models: list[str]) -> None:
    recorded = registered(ollama={"models": models})
    jobs = [one for one in pods(recorded) if one.labels["app"] == "ollama-pull"]
    assert [one.environment["MODEL"] for one in jobs] == models
    assert [one.owner.annotations["synapse/model"] for one in jobs] == models
    assert {one.owner.kind for one in jobs} == {"Job"}
    deployment = recorded.object("Deployment", "ollama")
    assert deployment.annotations["synapse/models"] == ",".join(models)


def test_another_model_changes_no_other_job_and_does_not_restart_the_server(
    registered: Record,
) -> None:
    before, after = (
        registered(phase=1, ollama={"models": models})
        for models in (["llama3.1:8b"], ["llama3.1:8b", "llama3.2:3b"])
    )
    kept = "ollama-pull-llama3-1-8b"
    assert after.object("Job", kept).inputs == before.object("Job", kept).inputs
    assert pod(after, "ollama").spec == pod(before, "ollama").spec


@pytest.mark.parametrize("name", JOBS)
def test_a_pull_job_is_its_own_server_that_only_it_can_ask(registered: Record, name: str) -> None:
    """`ollama pull` makes a *server* download, and the one that answers is not let out."""
    one = pod(registered(), name)
    assert one.environment["OLLAMA_HOST"] == "127.0.0.1:11434"
    shell, option, script = one.container["command"]
    assert (shell, option) == ("/bin/sh", "-c")
    assert "ollama serve" in script
    assert script.rstrip().endswith('ollama pull "$MODEL"'), "its exit status is the Job's"


@pytest.mark.parametrize("name", JOBS)
def test_a_failed_pull_is_tried_again_and_leaves_its_log(registered: Record, name: str) -> None:
    job = registered().object("Job", name)
    assert job.spec["backoffLimit"] > 0
    assert job.spec["template"]["spec"]["restartPolicy"] == "Never"
    assert job.annotations["pulumi.com/replaceUnready"] == "true"
    assert "ttlSecondsAfterFinished" not in job.spec, "Pulumi would see drift"


@pytest.mark.parametrize("name", JOBS)
def test_pulumi_waits_as_long_as_a_pull_may_take(registered: Record, name: str) -> None:
    job = registered().object("Job", name)
    for timeout in (job.created_within, job.updated_within):
        assert seconds(timeout) >= job.spec["activeDeadlineSeconds"]
