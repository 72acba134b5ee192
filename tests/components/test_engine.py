"""Phase 2: the engine on the one GPU, with the plan's arguments, offline."""

import argparse
from typing import Any

import pytest

from synapse.plan.served import EnginePlan
from tests.components.conftest import HF_TOKEN, Planner, Record
from tests.components.pods import pod, seconds
from tests.components.recorder import Hidden, Json

ENGINE, PULL = "vllm-inference", "engine-pull"
OTHER_GPU = {"model": "rtx-4090", "budget_gib": 22}
ATTESTED = {"attested_by": "somebody", "attested_on": "2026-11-20", "residue_gib": 1.5}
OLD_IMAGE = "registry.arunlabs.com/vllm-rtx5090:v0.10.1"


def _parsed(arguments: list[str], kind: str = "vllm") -> argparse.Namespace:
    """The flags that the engine knows, as its documentation lists them; others are an error."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    many = {"vllm": "+", "sglang": None}[kind]
    values: dict[str, type] = {"--host": str, "--port": int, "--kv-cache-dtype": str}
    switches: tuple[str, ...]
    if kind == "vllm":
        values |= {
            "--model": str,
            "--gpu-memory-utilization": float,
            "--max-model-len": int,
            "--max-num-seqs": int,
            "--max-num-batched-tokens": int,
            "--attention-backend": str,
        }
        switches = ("--enforce-eager", "--enable-sleep-mode")
    else:
        values |= {
            "--model-path": str,
            "--mem-fraction-static": float,
            "--context-length": int,
            "--max-running-requests": int,
        }
        switches = ("--disable-cuda-graph", "--enable-metrics")
    for flag, of_type in values.items():
        parser.add_argument(flag, type=of_type)
    parser.add_argument("--served-model-name", nargs=many)
    for flag in switches:
        parser.add_argument(flag, action="store_true")
    return parser.parse_args(arguments)


def _engine(registered: Record, **overrides: Any) -> tuple[argparse.Namespace, dict[str, str]]:
    one = pod(registered(phase=2, **overrides), ENGINE)
    kind = overrides.get("engine", {}).get("kind", "vllm")
    return _parsed(one.container["args"], kind), one.environment


# ---- the pod -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
def test_one_gpu_is_claimed_through_its_runtime_class(registered: Record, kind: str) -> None:
    one = pod(registered(phase=2, engine={"kind": kind}), ENGINE)
    assert one.spec["runtimeClassName"] == "nvidia"
    for bound in ("requests", "limits"):
        assert one.container["resources"][bound]["nvidia.com/gpu"] == "1"


def test_the_download_claims_no_gpu(registered: Record) -> None:
    one = pod(registered(phase=2), PULL)
    assert "runtimeClassName" not in one.spec
    assert "nvidia.com/gpu" not in one.container["resources"]["limits"]


def test_the_old_pod_is_gone_before_the_new_one_asks_for_the_gpu(registered: Record) -> None:
    assert registered().object("Deployment", ENGINE).spec["strategy"] == {"type": "Recreate"}


def test_a_start_may_take_half_an_hour_and_nobody_gives_up_before(registered: Record) -> None:
    deployment = registered().object("Deployment", ENGINE)
    probe = pod(registered(), ENGINE).container["startupProbe"]
    assert (probe["failureThreshold"], probe["periodSeconds"]) == (60, 30)
    start_seconds = probe["failureThreshold"] * probe["periodSeconds"]
    deadline_seconds = deployment.spec["progressDeadlineSeconds"]
    assert start_seconds >= 30 * 60
    assert deadline_seconds > start_seconds
    for timeout in (deployment.created_within, deployment.updated_within):
        assert seconds(timeout) >= deadline_seconds


def test_health_is_asked_patiently(registered: Record) -> None:
    """Under load an answer may take 40 s, and a restart costs minutes."""
    container = pod(registered(), ENGINE).container
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/health", "port": 8000}
    assert container["livenessProbe"]["timeoutSeconds"] > 40
    assert container["livenessProbe"]["failureThreshold"] > 1


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
def test_it_serves_what_was_downloaded_and_asks_no_hub(registered: Record, kind: str) -> None:
    recorded = registered(phase=2, engine={"kind": kind})
    engine, pull = pod(recorded, ENGINE), pod(recorded, PULL)
    assert engine.environment["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in pull.environment
    assert engine.claims == pull.claims == {"huggingface-cache": "/cache"}
    assert engine.environment["HF_HOME"] == pull.environment["HF_HOME"]
    assert engine.environment["HF_HOME"].startswith("/cache/")
    users = {one.spec["securityContext"]["runAsUser"] for one in (engine, pull)}
    assert len(users) == 1, "one could not read what the other wrote"
    assert recorded.object("Job", PULL).urn in recorded.object("Deployment", ENGINE).depends_on


def test_shared_memory_is_larger_than_the_runtimes_64_mib(registered: Record) -> None:
    one = pod(registered(), ENGINE)
    (memory,) = (volume for volume in one.spec["volumes"] if volume["name"] == "shared-memory")
    assert memory["emptyDir"] == {"medium": "Memory", "sizeLimit": "2Gi"}


# ---- what it is told ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "engine",
    [
        {},
        {
            "gpu_memory_utilization": 0.5,
            "max_model_len": 4096,
            "max_num_seqs": 16,
            "max_num_batched_tokens": 4096,
            "kv_cache_dtype": "fp8",
            "enforce_eager": True,
        },
    ],
    ids=["the forge", "others"],
)
def test_vllms_arguments_are_the_plans(registered: Record, planned: Planner, engine: Json) -> None:
    plan = planned(phase=2, engine=engine).engine
    told, _ = _engine(registered, engine=engine)
    assert told.model == plan.repository
    assert told.gpu_memory_utilization == plan.gpu_memory_utilization
    assert told.max_model_len == plan.max_model_len
    assert told.max_num_seqs == plan.max_num_seqs
    assert told.max_num_batched_tokens == plan.max_num_batched_tokens
    assert told.kv_cache_dtype == plan.kv_cache_dtype
    assert told.enforce_eager is plan.enforce_eager
    _listens_and_answers_to_its_names(told, plan)


def _listens_and_answers_to_its_names(told: argparse.Namespace, plan: EnginePlan) -> None:
    assert (told.host, told.port) == ("0.0.0.0", 8000)  # noqa: S104  within the pod
    assert told.served_model_name == list(plan.served_names)
    assert told.served_model_name[0] == "llama-3.2-8b"


def test_sglangs_arguments_are_the_plans(registered: Record, planned: Planner) -> None:
    engine = {"kind": "sglang", "max_num_seqs": 8, "kv_cache_dtype": "fp8", "enforce_eager": True}
    plan = planned(phase=2, engine=engine).engine
    told, environment = _engine(registered, engine=engine)
    assert told.model_path == plan.repository
    assert told.mem_fraction_static == plan.gpu_memory_utilization
    assert told.context_length == plan.max_model_len
    assert told.max_running_requests == 8
    assert told.kv_cache_dtype == "fp8_e5m2"
    assert told.disable_cuda_graph is True
    assert told.served_model_name == plan.served_names[0]
    assert not [name for name in environment if name.startswith("VLLM_")]
    one = pod(registered(phase=2, engine=engine), ENGINE)
    assert one.container["command"][-3:] == ["python3", "-m", "sglang.launch_server"]
    assert one.container["image"] == plan.image


def test_a_current_vllm_gets_its_attention_backend_by_flag(registered: Record) -> None:
    """From 0.14 on the variable is dead."""
    told, environment = _engine(registered)
    assert told.attention_backend == "FLASH_ATTN"
    assert not [name for name in environment if "ATTN" in name or "ATTENTION" in name]


def test_an_old_vllm_gets_it_by_variable(registered: Record) -> None:
    """Before the flag there was only the variable: the flag would end the start."""
    told, environment = _engine(registered, engine={"image": OLD_IMAGE})
    assert told.attention_backend is None
    assert environment["VLLM_ATTENTION_BACKEND"] == "FLASH_ATTN"
    assert environment["VLLM_FLASH_ATTN_VERSION"] == "2"


@pytest.mark.parametrize("engine", [{}, {"image": OLD_IMAGE}], ids=["current", "old"])
def test_on_another_gpu_the_engine_chooses_for_itself(registered: Record, engine: Json) -> None:
    told, environment = _engine(registered, gpu=OTHER_GPU, engine=engine, legacy=[])
    assert told.attention_backend is None
    assert "VLLM_ATTENTION_BACKEND" not in environment


def test_sleep_mode_is_off_and_the_server_not_in_development_mode(registered: Record) -> None:
    told, environment = _engine(registered)
    assert told.enable_sleep_mode is False
    assert "VLLM_SERVER_DEV_MODE" not in environment


def test_an_attested_sleep_mode_is_on_with_the_mode_that_has_its_routes(
    registered: Record,
) -> None:
    told, environment = _engine(registered, engine={"sleep_mode": ATTESTED})
    assert told.enable_sleep_mode is True
    assert environment["VLLM_SERVER_DEV_MODE"] == "1"


def test_nothing_is_reported_to_anybody(registered: Record) -> None:
    recorded = registered(phase=2)
    assert pod(recorded, ENGINE).environment["VLLM_NO_USAGE_STATS"] == "1"
    assert pod(recorded, PULL).environment["HF_HUB_DISABLE_TELEMETRY"] == "1"


# ---- download, token, image --------------------------------------------------------------------


def test_the_job_downloads_the_engines_model(registered: Record, planned: Planner) -> None:
    repository = planned(phase=2).engine.repository
    one = pod(registered(phase=2), PULL)
    assert one.environment["MODEL"] == repository
    assert one.owner.annotations["synapse/model"] == repository
    python, unbuffered, option, script = one.container["command"]
    assert (python, unbuffered, option) == ("python3", "-u", "-c")
    compile(script, PULL, "exec")
    assert "ttlSecondsAfterFinished" not in one.owner.spec
    assert one.owner.spec["template"]["spec"]["restartPolicy"] == "Never"
    assert one.owner.annotations["pulumi.com/replaceUnready"] == "true"
    for timeout in (one.owner.created_within, one.owner.updated_within):
        assert seconds(timeout) >= one.owner.spec["activeDeadlineSeconds"]


def test_the_token_goes_to_the_download_alone_and_out_of_a_secret(registered: Record) -> None:
    recorded = registered(phase=2)
    secret = recorded.object("Secret", "huggingface-token")
    assert secret.inputs["stringData"] == Hidden({"token": HF_TOKEN})
    assert pod(recorded, PULL).secret_variables == {"HF_TOKEN": ("huggingface-token", "token")}
    assert pod(recorded, ENGINE).secret_variables == {}


def test_without_a_token_nothing_refers_to_one(registered: Record) -> None:
    recorded = registered(phase=2, hf_token=None)
    assert recorded.of_kind("Secret") == []
    assert pod(recorded, PULL).secret_variables == {}


def test_the_image_is_built_only_where_the_config_asks_for_it(registered: Record) -> None:
    assert registered(phase=2).of_kind("Command") == []
    recorded = registered(
        phase=2, engine={"build": {"context": "images/it's here", "tool": "podman"}}
    )
    (build,) = recorded.of_kind("Command")
    image = pod(recorded, ENGINE).container["image"]
    assert build.inputs["create"] == (
        f"podman build --tag {image} 'images/it'\"'\"'s here' && podman push {image}"
    )
    assert build.inputs["triggers"] == [image]
    for kind, name in (("Job", PULL), ("Deployment", ENGINE)):
        assert build.urn in recorded.object(kind, name).depends_on
