"""Phase 3: two replicas of LiteLLM that never both leave, with the plan's routes."""

import hashlib

import pytest
import yaml

from synapse.components.gateway_config import config_files, inside_files
from tests.components.conftest import GATEWAY_KEY, Planner, Record
from tests.components.pods import pod
from tests.components.recorder import COMMAND_SAID, Hidden, Recorded, Registered

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


def test_replicas_wish_for_two_nodes_and_take_one(registered: Record) -> None:
    one = pod(registered(), GATEWAY)
    # And no more than a wish: a rule could not be kept on one node.
    assert one.spec["topologySpreadConstraints"] == [
        {
            "topologyKey": "kubernetes.io/hostname",
            "maxSkew": 1,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"app": one.labels["app"]}},
            "matchLabelKeys": ["pod-template-hash"],
        }
    ]
    assert "affinity" not in one.spec


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


def test_a_leaving_replica_ends_its_requests(registered: Record, planned: Planner) -> None:
    one = pod(registered(), GATEWAY)
    assert one.container["lifecycle"]["preStop"]["exec"]["command"]
    assert one.spec["terminationGracePeriodSeconds"] > planned().gateway.request_seconds


def test_a_connection_outlives_the_ingress_s_idea_of_it(registered: Record) -> None:
    """Else Traefik sends a request into one that is being closed, and answers 502."""
    (told,) = (one for one in pod(registered(), GATEWAY).container["args"] if "keepalive" in one)
    assert int(told.partition("=")[2]) > 90


def test_metrics_have_a_port_of_their_own(registered: Record) -> None:
    ports = {one["name"]: one["containerPort"] for one in _ports(registered())}
    assert ports == {"http": 4000, "metrics": 9090}
    assert [one["name"] for one in _ports(registered(gateway={"metrics": False}))] == ["http"]


def _ports(recorded: Recorded) -> list[dict[str, object]]:
    ports: list[dict[str, object]] = pod(recorded, GATEWAY).container["ports"]
    return ports


def test_one_worker_in_each_replica(registered: Record) -> None:
    assert pod(registered(), GATEWAY).container["args"] == [
        "--config=/config/config.yaml",
        "--port=4000",
        "--num_workers=1",
        "--keepalive_timeout=120",
    ]


def test_it_fetches_nothing_at_its_start(registered: Record) -> None:
    assert pod(registered(), GATEWAY).environment["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"


def test_what_it_writes_goes_to_its_scratch_volume(registered: Record) -> None:
    told = pod(registered(), GATEWAY).environment
    for name in ("LITELLM_UI_PATH", "LITELLM_ASSETS_PATH", "HOME"):
        assert told[name].startswith("/tmp"), name  # noqa: S108  the pod's own


# ---- config and key ----------------------------------------------------------------------------


def _config_map(recorded: Recorded, prefix: str) -> Registered:
    (found,) = (one for one in recorded.of_kind("ConfigMap") if one.object_name.startswith(prefix))
    return found


def test_the_config_is_the_plans_routes(registered: Record, planned: Planner) -> None:
    assert _config_map(registered(), "litellm-config").inputs["data"] == config_files(planned())


def test_the_code_inside_goes_with_it(registered: Record) -> None:
    data = _config_map(registered(), "litellm-inside").inputs["data"]
    assert data == inside_files()
    assert {"__init__.py", "start.py", "auth.py", "edge.py"} <= set(data)


@pytest.mark.parametrize("prefix", ["litellm-config", "litellm-inside"])
def test_the_files_cannot_change_under_a_name(registered: Record, prefix: str) -> None:
    config = _config_map(registered(), prefix)
    content = "".join(f"{name}\0{text}\0" for name, text in sorted(config.inputs["data"].items()))
    digest = hashlib.sha256(content.encode()).hexdigest()
    assert config.inputs["immutable"] is True
    assert config.object_name == f"{prefix}-{digest[:10]}"


def test_another_config_has_another_name_and_rolls_the_pods(registered: Record) -> None:
    before, after = registered(), registered(gateway={"unknown_models": "reject"})
    old, new = _config_map(before, "litellm-config"), _config_map(after, "litellm-config")
    assert new.object_name != old.object_name
    assert new.urn == old.urn, "Pulumi replaces it, the new one first"
    for recorded, config in ((before, old), (after, new)):
        one = pod(recorded, GATEWAY)
        volumes = {volume["name"]: volume for volume in one.spec["volumes"]}
        assert volumes["config"]["configMap"]["name"] == config.object_name
        assert config.urn in recorded.object("Deployment", GATEWAY).depends_on


def test_the_files_are_mounted_where_they_are_looked_for(registered: Record) -> None:
    one = pod(registered(), GATEWAY)
    places = {mount["name"]: mount["mountPath"] for mount in one.container["volumeMounts"]}
    assert places["config"] == "/config"
    assert places["inside"] == f"{one.environment['PYTHONPATH']}/synapse_inside"
    assert one.environment["SYNAPSE_ROUTES"] == "/config/routes.json"
    assert one.environment["LITELLM_WORKER_STARTUP_HOOKS"] == "synapse_inside.start:start"
    for mount in one.container["volumeMounts"]:
        assert mount.get("readOnly", False) == (mount["name"] != "scratch")


# ---- keys --------------------------------------------------------------------------------------


def test_the_key_stands_in_a_secret_and_nowhere_else(registered: Record) -> None:
    recorded = registered()
    secret = recorded.object("Secret", "litellm-master-key")
    assert secret.inputs["stringData"] == Hidden({"key": GATEWAY_KEY})
    assert pod(recorded, GATEWAY).secret_variables == {
        "LITELLM_MASTER_KEY": ("litellm-master-key", "key"),
        "SYNAPSE_PREVIOUS_KEY": ("litellm-master-key", "previous"),
    }


def test_a_caller_needs_the_key_from_the_start(registered: Record) -> None:
    config = yaml.safe_load(
        _config_map(registered(), "litellm-config").inputs["data"]["config.yaml"]
    )
    assert config["general_settings"]["master_key"] == "os.environ/LITELLM_MASTER_KEY"


def test_without_a_key_one_is_generated_and_kept_as_a_secret(registered: Record) -> None:
    recorded = registered(gateway_key=None)
    secret = recorded.object("Secret", "litellm-master-key")
    assert secret.inputs["stringData"] == Hidden({"key": f"sk-{COMMAND_SAID}"})
    assert recorded.outputs["gateway_key"] == Hidden(f"sk-{COMMAND_SAID}")
    (made,) = recorded.of_kind("Command")
    assert made.inputs == {"create": "openssl rand -hex 24", "logging": "none"}


def test_a_generated_key_changes_with_its_version_and_the_one_before_stays(
    registered: Record,
) -> None:
    first, second, third = (
        registered(gateway_key=None, gateway={"key_version": version}) for version in (1, 2, 3)
    )
    made = [[one.name for one in run.of_kind("Command")] for run in (first, second, third)]
    assert made == [
        ["gateway-key-v1"],
        ["gateway-key-v2", "gateway-key-v1"],
        ["gateway-key-v3", "gateway-key-v2"],
    ]
    secret = second.object("Secret", "litellm-master-key")
    assert set(secret.inputs["stringData"].value) == {"key", "previous"}


def test_another_version_rolls_the_pods(registered: Record) -> None:
    one, other = registered(), registered(gateway={"key_version": 2})
    before, after = (
        run.object("Deployment", GATEWAY).spec["template"]["metadata"]["annotations"]
        for run in (one, other)
    )
    assert (before, after) == ({"synapse/key-version": "1"}, {"synapse/key-version": "2"})


@pytest.mark.parametrize("replicas", [1, 3])
def test_the_number_of_replicas_is_the_configs(registered: Record, replicas: int) -> None:
    recorded = registered(gateway={"replicas": replicas})
    assert recorded.object("Deployment", GATEWAY).spec["replicas"] == replicas
