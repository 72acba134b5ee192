"""Pod Security `restricted`, read-only roots, and tokens."""

from typing import Any

import pytest

from tests.policy.forge import Json
from tests.policy.judge import UNKNOWN
from tests.policy.one_rule import deployment, made, ours, theirs

RESTRICTED, READ_ONLY, TOKEN = "restricted-pod-security", "read-only-root", "no-token-unasked"
BY_CONTAINER: Json = {
    "image": "a:1",
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    },
}
BY_POD: Json = {
    "securityContext": {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
    "automountServiceAccountToken": False,
}


def _pod(container: Json | None = None, context: Json | None = None, **pod: Any) -> Json:
    """A hardened Deployment with changes to a container, its securityContext, or the pod."""
    one = BY_CONTAINER | (container or {})
    one["securityContext"] = one["securityContext"] | (context or {})
    security = BY_POD["securityContext"] | pod.pop("securityContext", {})
    return deployment("it", one, pod=BY_POD | {"securityContext": security} | pod)


def test_a_hardened_pod_passes() -> None:
    for rule in (RESTRICTED, READ_ONLY, TOKEN):
        assert ours(rule, _pod()) == ""


def test_the_device_plugin_of_the_stack_is_excepted_and_nobody_else() -> None:
    as_root = deployment("nvidia-device-plugin", {"image": "a:1"})
    plugin = as_root | {"kind": "DaemonSet"}
    assert ours(RESTRICTED, plugin) == ""
    assert "runAsNonRoot" in theirs(RESTRICTED, plugin)
    assert "runAsNonRoot" in ours(RESTRICTED, as_root)


def test_an_unhardened_pod_is_told_everything() -> None:
    message = ours(RESTRICTED, deployment("it", {"image": "a:1"}))
    for cure in (
        "runAsNonRoot: true",
        "allowPrivilegeEscalation: false",
        "drop: [ALL]",
        "RuntimeDefault",
    ):
        assert cure in message
    assert "Deployment 'it': container 'it'" in message


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (_pod(context={"privileged": True}), "privileged"),
        (_pod(context={"allowPrivilegeEscalation": True}), "gain privileges"),
        (_pod(context={"allowPrivilegeEscalation": None}), "gain privileges"),
        (_pod(context={"capabilities": {"drop": ["NET_RAW"]}}), "keeps capabilities"),
        (_pod(context={"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}), "SYS_ADMIN"),
        (_pod(context={"runAsNonRoot": False}), "may run as root"),
        (_pod(context={"runAsUser": 0}), "runAsUser 0"),
        (_pod(context={"procMount": "Unmasked"}), "procMount"),
        (_pod(context={"seccompProfile": {"type": "Unconfined"}}), "Unconfined"),
        (_pod(context={"appArmorProfile": {"type": "Unconfined"}}), "appArmorProfile"),
        (_pod(context={"seLinuxOptions": {"type": "spc_t"}}), "seLinuxOptions.type"),
        (_pod(context={"seLinuxOptions": {"user": "root"}}), "seLinuxOptions.user"),
        (_pod(context={"windowsOptions": {"hostProcess": True}}), "hostProcess"),
        (_pod(securityContext={"runAsNonRoot": None}), "may run as root"),
        (_pod(securityContext={"runAsUser": 0}), "the pod runs as root"),
        (_pod(securityContext={"seccompProfile": None}), "no seccompProfile"),
        (_pod(securityContext={"seccompProfile": {"type": "Unconfined"}}), "Unconfined"),
        (
            _pod(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
            "kernel.msgmax",
        ),
        (_pod(securityContext={"windowsOptions": {"hostProcess": True}}), "hostProcess"),
        (_pod(hostNetwork=True), "hostNetwork"),
        (_pod(hostPID=True), "hostPID"),
        (_pod(hostIPC=True), "hostIPC"),
        (_pod(volumes=[{"name": "x", "hostPath": {"path": "/"}}]), "hostPath"),
        (_pod(volumes=[{"name": "x", "nfs": {"server": "a"}}]), "nfs"),
        (_pod({"ports": [{"containerPort": 80, "hostPort": 80}]}), "hostPort 80"),
        (_pod({"livenessProbe": {"httpGet": {"host": "192.0.2.1", "path": "/"}}}), "192.0.2.1"),
        (_pod({"lifecycle": {"preStop": {"tcpSocket": {"host": "192.0.2.1"}}}}), "preStop"),
    ],
)
def test_each_check_of_the_standard_refuses(there: Json, said: str) -> None:
    assert said in ours(RESTRICTED, there)
    assert said in theirs(RESTRICTED, there)


def test_an_app_armor_annotation_is_judged() -> None:
    there = _pod()
    key = "container.apparmor.security.beta.kubernetes.io/it"
    there["spec"]["template"]["metadata"]["annotations"] = {key: "unconfined"}
    assert "unconfined" in ours(RESTRICTED, there)
    there["spec"]["template"]["metadata"]["annotations"] = {key: "runtime/default"}
    assert ours(RESTRICTED, there) == ""


@pytest.mark.parametrize(
    "there",
    [
        _pod(context={"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}),
        _pod(context={"seccompProfile": {"type": "Localhost", "localhostProfile": "x"}}),
        _pod(context={"runAsNonRoot": True}, securityContext={"runAsNonRoot": False}),
        _pod(volumes=[{"name": "x", "emptyDir": {}}, {"name": "y", "persistentVolumeClaim": {}}]),
        _pod(securityContext={"sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]}),
        _pod(securityContext={"seLinuxOptions": {"type": "container_t"}}),
        _pod({"livenessProbe": {"httpGet": {"path": "/", "port": 80}}}),
    ],
)
def test_what_the_standard_allows_passes(there: Json) -> None:
    assert ours(RESTRICTED, there) == ""


def test_windows_knows_no_linux_checks() -> None:
    bare = {"image": "a:1"}
    there = deployment("it", bare, pod={"os": {"name": "windows"}} | BY_POD)
    assert ours(RESTRICTED, there) == ""


@pytest.mark.parametrize("group", ["initContainers", "ephemeralContainers"])
def test_other_containers_count(group: str) -> None:
    more: Json = {group: [{"name": "other", "image": "b:1"}]}
    there = _pod(**more)
    assert "container 'other'" in ours(RESTRICTED, there)
    assert "container 'other'" in ours(READ_ONLY, there)


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet", "ReplicaSet"])
def test_other_workloads_count(kind: str) -> None:
    there = deployment("it", {"image": "a:1"}) | {"kind": kind}
    assert f"{kind} 'it'" in theirs(RESTRICTED, there)


def test_jobs_cron_jobs_pods_and_lists_count() -> None:
    pod = {"containers": [{"name": "it", "image": "a:1"}]}
    template = {"template": {"spec": pod}}
    job = made("Job", "it", api="batch/v1", spec=template)
    cron = made("CronJob", "it", api="batch/v1", spec={"jobTemplate": {"spec": template}})
    bare = made("Pod", "it", spec=pod)
    listed = made("PodList", "all", items=[bare])
    for there in (job, cron, bare, listed):
        assert "may run as root" in theirs(RESTRICTED, there)


def test_a_patch_is_judged_by_what_it_says() -> None:
    patch = deployment("it", {"securityContext": {"privileged": True}})
    patch["kind"] = "DeploymentPatch"
    message = ours(RESTRICTED, patch)
    assert "privileged" in message
    assert "may run as root" not in message
    assert ours(READ_ONLY, patch) == ""
    assert ours(TOKEN, patch) == ""


@pytest.mark.parametrize("value", [False, None])
def test_a_writable_root_is_refused(value: object) -> None:
    assert "mount an emptyDir" in ours(READ_ONLY, _pod(context={"readOnlyRootFilesystem": value}))


@pytest.mark.parametrize(
    ("pod", "refused"),
    [
        ({"automountServiceAccountToken": None}, True),
        ({"automountServiceAccountToken": True}, True),
        ({"automountServiceAccountToken": True, "serviceAccountName": "default"}, True),
        ({"automountServiceAccountToken": None, "serviceAccountName": "mine"}, True),
        ({"automountServiceAccountToken": True, "serviceAccountName": "mine"}, False),
        ({"automountServiceAccountToken": False, "serviceAccountName": "mine"}, False),
    ],
)
def test_a_token_is_asked_for_by_a_pod_with_an_account(pod: Json, refused: bool) -> None:
    assert ("automountServiceAccountToken" in ours(TOKEN, _pod(**pod))) is refused


def test_where_the_rules_judge_is_a_setting() -> None:
    bare = deployment("it", {"image": "a:1"})
    assert theirs(RESTRICTED, bare, settings={"everywhere": False}) == ""
    for rule in (READ_ONLY, TOKEN):
        assert theirs(rule, bare) == ""
        assert theirs(rule, bare, settings={"everywhere": True}) != ""


def test_unknown_values_are_refused() -> None:
    assert "cannot be judged" in ours(RESTRICTED, _pod(context={"runAsNonRoot": UNKNOWN}))
    assert "cannot be judged" in ours(READ_ONLY, _pod(context={"readOnlyRootFilesystem": UNKNOWN}))
    assert "cannot be judged" in ours(TOKEN, _pod(automountServiceAccountToken=UNKNOWN))
    there = _pod({"image": UNKNOWN, "args": UNKNOWN})
    assert ours(RESTRICTED, there) == ""
