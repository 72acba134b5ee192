"""What one rule says of our stack after a change, and of anybody's manifests."""

from typing import Any

from tests.policy.changes import Change, Json
from tests.policy.good_stack import good_stack
from tests.policy.judge import UNKNOWN, said
from tests.policy.judge_sets import judge_set
from tests.policy.resource_sets import Resources, Variation, manifest, varied

__all__ = ["UNKNOWN", "add", "anybodys", "ours", "pod", "remove", "replace", "workload"]

NAMESPACE = "llm-infra"
ENGINE, OLLAMA = "Deployment/vllm-inference", "Deployment/ollama"


def replace(at: str, path: str, value: Any) -> Change:
    return Change(at=at, replace=path, value=value)


def add(at: str, path: str, value: Any) -> Change:
    return Change(at=at, add=path, value=value)


def remove(at: str, path: str) -> Change:
    return Change(at=at, remove=path)


def ours(
    rule: str,
    *changes: Change,
    objects: tuple[Json, ...] = (),
    without: tuple[str, ...] = (),
    phase: int = 3,
) -> str:
    """The messages of a rule about our own stack; empty where it is silent."""
    how = Variation(change=changes, objects=objects, without=without)
    return said(judge_set(varied(good_stack(phase), how, NAMESPACE)), rule)


def anybodys(rule: str, *manifests: Json) -> str:
    """The messages of a rule about a program without a root."""
    program: Resources = tuple(manifest(made, "theirs") for made in manifests)
    return said(judge_set(program), rule)


def pod(container: Json, **spec: Any) -> Json:
    return {"containers": [{"name": "it", **container}], **spec}


def workload(
    kind: str,
    spec: Json,
    *,
    metadata: Json | None = None,
    template: Json | None = None,
    **more: Any,
) -> Json:
    """A manifest of this kind with this pod; `options` are Pulumi's."""
    groups = {"Pod": "v1", "Job": "batch/v1", "CronJob": "batch/v1"}
    of_template = {"metadata": {"labels": {"app": "it"}, **(template or {})}, "spec": spec}
    around: dict[str, Json] = {
        "Pod": spec,
        "CronJob": {"jobTemplate": {"spec": {"template": of_template}}},
    }
    options = {"options": more.pop("options")} if "options" in more else {}
    return {
        "apiVersion": groups.get(kind, "apps/v1"),
        "kind": kind,
        "metadata": {"name": "it", **(metadata or {})},
        "spec": {**around.get(kind, {"template": of_template}), **more},
        **options,
    }
