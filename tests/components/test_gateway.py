"""Phase 3: two replicas of LiteLLM that never both leave, with the plan's routes."""

import hashlib

import pytest
import yaml

from synapse.components.gateway_config import gateway_config
from tests.components.conftest import GATEWAY_KEY, Planner, Record
from tests.components.pods import pod
from tests.components.recorder import Hidden, Recorded, Registered

GATEWAY = "litellm-proxy"
NO_MODEL_IS_ASKED = {"/health/liveliness", "/health/liveness", "/health/readiness"}


def test_a_rollout_never_takes_a_replica_before_its_successor_is_ready(
    registered: Record,
) -> None:
    deployment = registered().object("Deployment", GATEWAY)
    assert deployment.spec["replicas"] == 2
    assert deployment.spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
    }


def test_a_drain_of_the_node_takes_one_replica_at_a_time(registered: Record) -> None:
    recorded = registered()
    (budget,) = recorded.of_kind("PodDisruptionBudget")
    assert budget.spec == {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "litellm"}}}
    assert budget.spec["selector"] == recorded.object("Deployment", GATEWAY).spec["selector"]


def test_probes_ask_no_model(registered: Record) -> None:
    """`/health` would call every backend, with real requests."""
    container = pod(registered(), GATEWAY).container
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["path"] in NO_MODEL_IS_ASKED, probe
        assert asked["port"] == 4000
        assert "httpHeaders" not in asked, "a key in a manifest"


def test_a_start_may_take_longer_than_it_was_measured(registered: Record) -> None:
    """6 to 17 s on two cores."""
    probe = pod(registered(), GATEWAY).container["startupProbe"]
    assert probe["failureThreshold"] * probe["periodSeconds"] >= 60


def test_a_leaving_replica_ends_its_requests(registered: Record) -> None:
    one = pod(registered(), GATEWAY)
    assert one.container["lifecycle"]["preStop"]["exec"]["command"]
    assert one.spec["terminationGracePeriodSeconds"] > 30


def test_one_worker_in_each_replica(registered: Record) -> None:
    assert pod(registered(), GATEWAY).container["args"] == [
        "--config=/config/config.yaml",
        "--port=4000",
        "--num_workers=1",
    ]


def test_it_fetches_nothing_at_its_start(registered: Record) -> None:
    assert pod(registered(), GATEWAY).environment["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"


def test_what_it_writes_goes_to_its_scratch_volume(registered: Record) -> None:
    told = pod(registered(), GATEWAY).environment
    for name in ("LITELLM_UI_PATH", "LITELLM_ASSETS_PATH", "HOME"):
        assert told[name].startswith("/tmp"), name  # noqa: S108  the pod's own


# ---- config and key ----------------------------------------------------------------------------


def _config(recorded: Recorded) -> Registered:
    (config,) = (one for one in recorded.of_kind("ConfigMap") if one.labels["app"] == "litellm")
    return config


def test_the_config_is_the_plans_routes(registered: Record, planned: Planner) -> None:
    config = _config(registered())
    assert config.inputs["data"].keys() == {"config.yaml", "voices.py"}
    assert _config(registered(phase=3)).inputs["data"].keys() == {"config.yaml"}
    assert yaml.safe_load(config.inputs["data"]["config.yaml"]) == gateway_config(planned())


def test_the_config_cannot_change_under_a_name(registered: Record) -> None:
    config = _config(registered())
    content = config.inputs["data"]["config.yaml"] + config.inputs["data"]["voices.py"]
    digest = hashlib.sha256(content.encode()).hexdigest()
    assert config.inputs["immutable"] is True
    assert config.object_name == f"litellm-config-{digest[:10]}"


def test_another_config_has_another_name_and_rolls_the_pods(registered: Record) -> None:
    before, after = registered(), registered(gateway={"unknown_models": "reject"})
    old, new = _config(before), _config(after)
    assert new.object_name != old.object_name
    assert new.urn == old.urn, "Pulumi replaces it, the new one first"
    for recorded, config in ((before, old), (after, new)):
        one = pod(recorded, GATEWAY)
        (volume,) = (volume for volume in one.spec["volumes"] if "configMap" in volume)
        assert volume["configMap"]["name"] == config.object_name
        assert config.urn in recorded.object("Deployment", GATEWAY).depends_on


def test_the_config_is_mounted_where_the_argument_says(registered: Record) -> None:
    one = pod(registered(), GATEWAY)
    (mount,) = (mount for mount in one.container["volumeMounts"] if mount["name"] == "config")
    assert (mount["mountPath"], mount["readOnly"]) == ("/config", True)


def test_the_key_stands_in_a_secret_and_nowhere_else(registered: Record) -> None:
    recorded = registered()
    secret = recorded.object("Secret", "litellm-master-key")
    assert secret.inputs["stringData"] == Hidden({"key": GATEWAY_KEY})
    assert pod(recorded, GATEWAY).secret_variables == {
        "LITELLM_MASTER_KEY": ("litellm-master-key", "key")
    }


def test_a_caller_needs_the_key_from_the_start(registered: Record) -> None:
    config = _config(registered())
    general = yaml.safe_load(config.inputs["data"]["config.yaml"])["general_settings"]
    assert general["master_key"] == "os.environ/LITELLM_MASTER_KEY"


@pytest.mark.parametrize("replicas", [1, 3])
def test_the_number_of_replicas_is_the_configs(registered: Record, replicas: int) -> None:
    recorded = registered(gateway={"replicas": replicas})
    assert recorded.object("Deployment", GATEWAY).spec["replicas"] == replicas
