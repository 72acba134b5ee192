"""Images: pinned by a version or a digest, wherever one is named."""

import pytest

from tests.policy.rule_case import ENGINE, UNKNOWN, add, anybodys, ours, pod, replace, workload

DIGEST = "sha256:" + "0" * 64
KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod")


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ("vllm/vllm-openai:latest", "tag 'latest'"),
        ("vllm/vllm-openai", "no tag"),
        ("registry.example.com:5000/vllm", "no tag"),
        ("ghcr.io/coqui-ai/xtts-streaming-server:latest-cuda121", "whatever is newest"),
        ("ghcr.io/berriai/litellm:main-stable", "names no version"),
        ("ghcr.io/berriai/litellm:lts", "names no version"),
        ("", "is empty"),
        ("nginx@sha256:123", "digest"),
    ],
)
def test_an_image_that_moves_is_refused(image: str, why: str) -> None:
    made = workload("Deployment", pod({"image": image}))
    message = anybodys("image-pinned", made)
    assert why in message
    assert "'it' of Deployment 'it'" in message
    assert anybodys("image-digest", made) == ""


@pytest.mark.parametrize("image", ["nginx:1.27", "r.example.com:5000/a/b:v0.20.2-cu129", "a:1@"])
def test_a_version_is_enough_and_a_digest_is_wished_for(image: str) -> None:
    made = workload("Deployment", pod({"image": image}))
    assert anybodys("image-pinned", made) == ""
    assert "no digest" in anybodys("image-digest", made)


@pytest.mark.parametrize("image", [f"nginx:1.27@{DIGEST}", f"nginx@{DIGEST}"])
def test_a_digest_is_all_that_is_wished_for(image: str) -> None:
    made = workload("Deployment", pod({"image": image}))
    assert anybodys("image-pinned", made) == ""
    assert anybodys("image-digest", made) == ""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("group", ["containers", "initContainers", "ephemeralContainers"])
def test_every_container_of_every_kind_counts(kind: str, group: str) -> None:
    spec = {"containers": [{"name": "a", "image": "a:1"}]}
    moving = {"name": "b", "image": "b:latest"}
    spec[group] = [*spec.get(group, []), moving]
    assert "'b:latest'" in anybodys("image-pinned", workload(kind, spec))


def test_a_volume_that_is_an_image_counts() -> None:
    volume = {"name": "weights", "image": {"reference": "weights:latest"}}
    made = workload("Pod", pod({"image": "a:1"}, volumes=[volume]))
    assert "volume 'weights'" in anybodys("image-pinned", made)


def test_lists_count() -> None:
    inner = workload("Pod", pod({"image": "a:latest"}))
    made = {"apiVersion": "v1", "kind": "PodList", "items": [inner]}
    assert "'a:latest'" in anybodys("image-pinned", made)


def test_prometheus_and_its_like_count() -> None:
    made = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "Prometheus",
        "metadata": {"name": "main"},
        "spec": {"image": "prom:latest", "containers": [{"name": "prometheus"}]},
    }
    assert "Prometheus 'main'" in anybodys("image-pinned", made)
    made["spec"] = {"containers": [{"name": "prometheus"}]}
    assert anybodys("image-pinned", made) == ""


def test_a_patch_that_names_no_image_passes() -> None:
    made = workload("Deployment", pod({})) | {"kind": "DeploymentPatch"}
    assert anybodys("image-pinned", made) == ""
    made = workload("Deployment", pod({"image": "a"})) | {"kind": "DeploymentPatch"}
    assert "no tag" in anybodys("image-pinned", made)


def test_an_unknown_image_is_refused() -> None:
    made = workload("Deployment", pod({"image": UNKNOWN}))
    assert "can't be known" in anybodys("image-pinned", made)


def test_our_own_images_are_judged_too() -> None:
    assert ours("image-pinned") == ""
    changed = replace(ENGINE, "container/image", "registry.arunlabs.com/vllm-rtx5090:latest")
    assert "vllm-rtx5090:latest" in ours("image-pinned", changed)
    init = {"name": "wait", "image": "busybox"}
    assert "'busybox'" in ours("image-pinned", add(ENGINE, "pod/initContainers/-", init))
