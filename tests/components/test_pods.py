"""What holds for every pod: least privilege, the plan's sizes, pinned images."""

import re

import pytest

from synapse.names import OPERATOR_POD
from synapse.plan.model import Plan, WorkloadKind
from tests.components.conftest import Planner, Record
from tests.components.pods import Pod, cores, gib, pods
from tests.components.recorder import Recorded

# The one pod that speaks to the API server.
WITH_TOKEN = {"litellm-restart"}
# Below this, a user of a container may have the number of one of the node's own.
FIRST_FREE_UID = 10_000
# Speaches lies in the home of its image's user, whom alone it lets in; its volume is shared.
SPEECH_UID, OF_SPEECH = 1000, {"coqui-tts", "speaches", "speech-pull"}
PODS = {
    "ollama",
    "ollama-pull-llama3-2-3b",
    "ollama-pull-llama3-1-8b",
    "vllm-inference",
    "engine-pull",
    "litellm-proxy",
    "litellm-restart",
    "coqui-tts",
    "speaches",
    "speech-pull",
}


@pytest.fixture(params=["vllm", "sglang"])
def all_pods(request: pytest.FixtureRequest, registered: Record) -> list[Pod]:
    return list(pods(registered(engine={"kind": request.param})))


def test_these_pods_and_no_others(all_pods: list[Pod]) -> None:
    assert {pod.name for pod in all_pods} == PODS
    assert len(all_pods) == len(PODS)


def test_no_container_gains_privileges_or_keeps_capabilities(all_pods: list[Pod]) -> None:
    for pod in all_pods:
        for container in pod.every_container:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False, pod.name
            assert security["capabilities"] == {"drop": ["ALL"]}, pod.name
            assert not security.get("privileged"), pod.name


def test_every_pod_has_the_runtimes_seccomp_profile(all_pods: list[Pod]) -> None:
    for pod in all_pods:
        assert pod.spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, pod.name


def test_no_pod_shares_the_nodes_namespaces_or_folders(all_pods: list[Pod]) -> None:
    for pod in all_pods:
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.spec.keys(), pod.name
        allowed = {"emptyDir", "persistentVolumeClaim", "configMap"}
        for volume in pod.spec["volumes"]:
            assert volume.keys() - {"name"} <= allowed, pod.name


def test_no_pod_is_root_or_a_user_of_the_node(all_pods: list[Pod]) -> None:
    for pod in all_pods:
        security = pod.spec["securityContext"]
        assert security["runAsNonRoot"] is True, pod.name
        ids = [security[key] for key in ("runAsUser", "runAsGroup", "fsGroup")]
        if pod.name in OF_SPEECH:
            assert set(ids) == {SPEECH_UID}, pod.name
        else:
            assert min(ids) >= FIRST_FREE_UID, pod.name
        overridden = {"runAsUser", "runAsGroup", "runAsNonRoot", "seccompProfile"}
        assert not overridden & pod.container["securityContext"].keys(), pod.name


def test_pods_that_share_a_claim_share_its_user_and_group(all_pods: list[Pod]) -> None:
    """A storage class may ignore fsGroup, as K3s's does: files then are their writer's alone."""
    users: dict[str, set[tuple[int, int]]] = {}
    for pod in all_pods:
        security = pod.spec["securityContext"]
        for claim in pod.claims:
            users.setdefault(claim, set()).add((security["runAsUser"], security["fsGroup"]))
    assert users.keys() == {"ollama-models", "huggingface-cache", "speech-models"}
    assert all(len(one) == 1 for one in users.values()), users


def test_every_root_file_system_is_read_only_with_a_home_beside_it(all_pods: list[Pod]) -> None:
    for pod in all_pods:
        assert pod.container["securityContext"]["readOnlyRootFilesystem"] is True, pod.name
        mounts = {one["mountPath"] for one in pod.container["volumeMounts"]}
        assert "/tmp" in mounts, pod.name  # noqa: S108  the pod's own
        assert pod.environment["HOME"] in mounts, pod.name


def test_the_engine_has_a_users_name_for_its_caches(all_pods: list[Pod]) -> None:
    """The image knows no user of this number, and torch asks for his name when it is imported."""
    (engine,) = (pod for pod in all_pods if pod.name == "vllm-inference")
    assert engine.environment["USER"]


def test_what_a_pod_writes_on_the_nodes_disk_is_bounded(all_pods: list[Pod]) -> None:
    for pod in all_pods:
        sizes = pod.container["resources"]
        most = gib(sizes["limits"]["ephemeral-storage"])
        assert most == gib(sizes["requests"]["ephemeral-storage"]) > 0, pod.name
        for volume in pod.spec["volumes"]:
            on_disk = "emptyDir" in volume and volume["emptyDir"].get("medium") != "Memory"
            if on_disk:
                assert gib(volume["emptyDir"]["sizeLimit"]) == most, pod.name
            elif "emptyDir" in volume:
                in_memory = gib(volume["emptyDir"]["sizeLimit"])
                assert in_memory < gib(sizes["limits"]["memory"]), pod.name


def test_which_pods_outlast_which(all_pods: list[Pod]) -> None:
    classes = {pod.name: pod.spec["priorityClassName"] for pod in all_pods}
    of_jobs = {pod.name for pod in all_pods if pod.owner.kind in {"Job", "CronJob"}}
    assert {name for name, one in classes.items() if one == "llm-infra-jobs"} == of_jobs
    assert [name for name, one in classes.items() if one == "llm-infra-gateway"] == [
        "litellm-proxy"
    ]
    rest = {name for name, one in classes.items() if one == "llm-infra-models"}
    assert rest == {"ollama", "vllm-inference", "coqui-tts", "speaches"}


def test_every_mount_has_its_volume_and_every_volume_its_mount(all_pods: list[Pod]) -> None:
    for pod in all_pods:
        mounted = [one["name"] for one in pod.container["volumeMounts"]]
        assert sorted(mounted) == sorted(one["name"] for one in pod.spec["volumes"]), pod.name


def test_only_the_restart_gets_a_service_accounts_token(all_pods: list[Pod]) -> None:
    for pod in all_pods:
        assert pod.spec["automountServiceAccountToken"] is (pod.name in WITH_TOKEN), pod.name
        assert ("serviceAccountName" in pod.spec) is (pod.name in WITH_TOKEN), pod.name


def test_no_pod_gets_the_services_as_variables(all_pods: list[Pod]) -> None:
    for pod in all_pods:
        assert pod.spec["enableServiceLinks"] is False, pod.name


def test_images_are_pinned_and_pulled_once(all_pods: list[Pod]) -> None:
    for pod in all_pods:
        for container in pod.every_container:
            assert container["imagePullPolicy"] == "IfNotPresent", pod.name
            assert container["image"] == pod.container["image"], "an image pulled for a wait"
        name = pod.container["image"].partition("@")[0].rpartition("/")[2]
        tag = name.partition(":")[2]
        assert re.fullmatch(r"v?\d+\.\d+\.\d+[\w.-]*", tag), pod.container["image"]


def test_images_come_from_the_plan(registered: Record, planned: Planner) -> None:
    plan, image = planned(), {one.name: one.container["image"] for one in pods(registered())}
    assert image["ollama"] == image["ollama-pull-llama3-1-8b"] == plan.ollama.image
    assert image["vllm-inference"] == image["engine-pull"] == plan.engine.image
    assert image["vllm-inference"].startswith("registry.arunlabs.com/vllm-rtx5090:")
    assert image["litellm-proxy"] == plan.gateway.image
    assert image["litellm-restart"] == plan.gateway.kubectl_image


def test_images_of_speech_come_from_the_plan(registered: Record, planned: Planner) -> None:
    speech, image = planned().speech, {one.name: one.container for one in pods(registered())}
    assert image["coqui-tts"]["image"] == speech.coqui_image
    assert image["speaches"]["image"] == image["speech-pull"]["image"] == speech.stt.image


def test_only_the_engines_registry_needs_its_pull_secret(registered: Record) -> None:
    for pod in pods(registered()):
        wanted = [{"name": "arunlabs-registry"}] if "arunlabs" in pod.container["image"] else []
        assert pod.spec.get("imagePullSecrets", []) == wanted, pod.name
    for pod in pods(registered(image_pull_secret="")):
        assert pod.spec.get("imagePullSecrets", []) == [], pod.name


# ---- sizes -------------------------------------------------------------------------------------

FORGE_SIZES = {
    "ollama": (8, 32, 32, 96),
    "vllm-inference": (4, 16, 20, 32),
    "litellm-proxy": (2, 4, 2, 4),
    "coqui-tts": (4, 8, 8, 12),
    "speaches": (4, 8, 6, 16),
}


@pytest.mark.parametrize(("name", "size"), FORGE_SIZES.items())
def test_sizes_of_the_forge(
    registered: Record, name: str, size: tuple[float, float, float, float]
) -> None:
    assert _size(next(one for one in pods(registered()) if one.name == name)) == size


def test_requests_and_limits_are_the_plans(registered: Record, planned: Planner) -> None:
    plan = planned()
    for pod in pods(registered()):
        wanted = plan.workload(_workload_name(plan, pod)).pod
        assert _size(pod) == (
            wanted.cpu_request,
            wanted.cpu_limit,
            wanted.memory_request_gib,
            wanted.memory_limit_gib,
        ), pod.name


@pytest.mark.parametrize("phase", [1, 2, 3, 4])
def test_the_pods_of_a_phase_are_the_plans_workloads(
    registered: Record, planned: Planner, phase: int
) -> None:
    """No pod is missing in the plan's sums, and none stands there for nothing."""
    plan = planned(phase=phase)
    counted: dict[str, int] = {}
    for pod in pods(registered(phase=phase)):
        name = _workload_name(plan, pod)
        owned = plan.workload(name).first_replicas is not None
        # What the swap scales counts as one, whatever it begins with.
        counted[name] = counted.get(name, 0) + (1 if owned else pod.at_once)
    assert counted == {
        one.name: one.pods
        for one in plan.workloads
        if phase in one.phases and one.kind is not WorkloadKind.LEGACY and one.name != OPERATOR_POD
    }


@pytest.mark.parametrize("phase", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["requests", "limits"])
def test_the_sum_over_pods_is_the_plans_sum(
    registered: Record, planned: Planner, phase: int, kind: str
) -> None:
    plan, recorded = planned(phase=phase), registered(phase=phase)
    not_pods_of_the_stack = {"system"} | {
        one.name for one in plan.workloads if one.kind is WorkloadKind.LEGACY
    }
    sums = [one for one in plan.ram if one.phase == phase and one.kind == kind]
    assert sums
    operator_pod = plan.workload(OPERATOR_POD).pod
    beside = {"requests": operator_pod.memory_request_gib, "limits": operator_pod.memory_limit_gib}
    for one in sums:
        summed = sum(line.gib for line in one.lines if line.what not in not_pods_of_the_stack)
        running = _on_the_gpu_in(one.state, plan)
        assert summed == pytest.approx(_total(recorded, kind, running) + beside[kind]), one.state


def _on_the_gpu_in(state: str, plan: Plan) -> dict[str, int]:
    """Pods of each workload that takes turns, in a GPU state."""
    members = {
        member.workload for one in plan.states if one.name == state for member in one.members
    }
    owned = (one.name for one in plan.workloads if one.first_replicas is not None)
    return {name: 1 if name in members else 0 for name in owned}


def _total(recorded: Recorded, kind: str, running: dict[str, int]) -> float:
    return sum(
        gib(pod.container["resources"][kind]["memory"]) * running.get(pod.name, pod.at_once)
        for pod in pods(recorded)
    )


def _size(pod: Pod) -> tuple[float, float, float, float]:
    asked, most = (pod.container["resources"][kind] for kind in ("requests", "limits"))
    return cores(asked["cpu"]), cores(most["cpu"]), gib(asked["memory"]), gib(most["memory"])


def _workload_name(plan: Plan, pod: Pod) -> str:
    """A pull Job has its model in its name; the plan has one workload for all of them."""
    names = [one.name for one in plan.workloads]
    return next(name for name in names if name in {pod.name, pod.labels["app"]})
