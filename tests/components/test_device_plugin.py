"""Time-slicing: the device plugin offers the GPU as often as the plan hands it out."""

import yaml

from tests.components.conftest import ACKNOWLEDGED, Planner, Record
from tests.components.recorder import Json

CONFIG, PLUGIN = "nvidia-device-plugin-config", "nvidia-device-plugin"
CONCURRENT = {"sharing": "concurrent"}
SMALLER = {"memory_gib": 64, "memory_request_gib": 24}
ON_THE_GPU = {"tts": {"licence_acknowledged": ACKNOWLEDGED}, "stt": {"device": "gpu"}}


def test_taking_turns_the_stack_leaves_the_plugin_alone(registered: Record) -> None:
    recorded = registered()
    assert recorded.of_kind("DaemonSet") == []
    assert PLUGIN not in {one.labels["app"] for one in recorded.objects}


def test_together_its_config_offers_the_plans_number_of_claims(
    registered: Record, planned: Planner
) -> None:
    choices: tuple[tuple[Json, int], ...] = (({}, 2), ({"speech": ON_THE_GPU}, 3))
    for speech, devices in choices:
        overrides: Json = {"gpu": CONCURRENT, "ollama": SMALLER, **speech}
        recorded = registered(**overrides)
        config = recorded.object("ConfigMap", CONFIG)
        assert config.inputs["metadata"]["namespace"] == "kube-system"
        assert yaml.safe_load(config.inputs["data"]["config.yaml"]) == {
            "version": "v1",
            "sharing": {
                "timeSlicing": {
                    "failRequestsGreaterThanOne": True,
                    "resources": [{"name": "nvidia.com/gpu", "replicas": devices}],
                }
            },
        }
        assert planned(**overrides).gpu.devices == devices
        assert recorded.of_kind("DaemonSet") == [], "somebody else's plugin reads it"


def test_it_is_there_before_any_pod_asks_for_the_gpu(registered: Record) -> None:
    """And so in phase 1: the check before phase 2 counts what the node offers."""
    gpu = {**CONCURRENT, "device_plugin": "stack"}
    first = registered(phase=1, gpu=gpu, ollama=SMALLER)
    assert first.object("DaemonSet", PLUGIN)
    recorded = registered(gpu=gpu, ollama=SMALLER)
    first_server = recorded.object("Deployment", "ollama")
    assert recorded.object("DaemonSet", PLUGIN).urn in first_server.depends_on


def test_the_stacks_own_plugin_reaches_the_kubelet_and_nothing_else(registered: Record) -> None:
    recorded = registered(gpu={"device_plugin": "stack"}, ollama={"memory_gib": 90})
    spec = recorded.object("DaemonSet", PLUGIN).spec["template"]["spec"]
    assert spec["runtimeClassName"] == "nvidia"
    paths = [volume["hostPath"]["path"] for volume in spec["volumes"] if "hostPath" in volume]
    assert paths == ["/var/lib/kubelet/device-plugins"]
    (container,) = spec["containers"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    told = {one["name"]: one["value"] for one in container["env"]}
    config = yaml.safe_load(recorded.object("ConfigMap", CONFIG).inputs["data"]["config.yaml"])
    assert (told["CONFIG_FILE"], config) == ("/config/config.yaml", {"version": "v1"})
