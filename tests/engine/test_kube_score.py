"""What a linter that others use finds in the rendered manifests: nothing but what is named here."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import yaml
from rich.console import Console

from synapse.plan.phases import HIGHEST_BUILT, PHASES
from tests.engine.conftest import Manifests
from tests.engine.stack_case import Json
from tools.toolchain import ensure

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]

FORGE = "Pulumi.forge.yaml"
BUILT = [phase.number for phase in PHASES if phase.built]
CLEAN, CRITICAL = 10, 1
LINT_SECONDS = 60


@dataclass(frozen=True)
class Exempt:
    """A check that is not met, by which objects, and why it is not going to be."""

    check: str
    objects: frozenset[str]
    reason: str


SERVED_BY_ONE_POD = frozenset(
    {"Deployment/ollama", "Deployment/speaches", "Deployment/vllm-inference"}
)
EXEMPT = (
    Exempt(
        "container-image-pull-policy",
        frozenset(
            {
                "CronJob/litellm-restart",
                "Deployment/litellm-proxy",
                "Deployment/ollama",
                "Deployment/speaches",
                "Deployment/vllm-inference",
                "Job/engine-pull",
                "Job/ollama-pull-llama3-1-8b",
                "Job/ollama-pull-llama3-2-3b",
                "Job/speech-pull",
            }
        ),
        "It wants Always. Tags are pinned, so a registry that is away, or that has lost an image, "
        "must not keep a pod of a private stack from starting again.",
    ),
    Exempt(
        "pod-probes-identical",
        frozenset({"Deployment/speaches", "Deployment/vllm-inference"}),
        "Each has one route that says how it is. Readiness takes 15 to 30 s of silence to take it "
        "out of the Service, liveness 150 s and answers of up to 30 or 60 s to restart it.",
    ),
    Exempt(
        "networkpolicy-targets-pod",
        frozenset(
            {
                "NetworkPolicy/ollama-from-run-curl-test",
                "NetworkPolicy/vllm-inference-from-run-curl-test",
            }
        ),
        "They let out the pod of a `kubectl run` in the runbook, which nobody deploys.",
    ),
    Exempt(
        "deployment-strategy",
        SERVED_BY_ONE_POD,
        "Rolling would need the GPU, or the RAM of all loaded models, twice.",
    ),
    Exempt(
        "deployment-replicas",
        SERVED_BY_ONE_POD,
        "There is one GPU, and one node's RAM; the engine and Ollama answer for each other through "
        "the gateway.",
    ),
    Exempt(
        "container-security-context-user-group-id",
        frozenset({"Deployment/speaches", "Job/speech-pull"}),
        "The program of the Speaches image lies in the home of its user 1000, which lets in nobody "
        "else; the download shares its volume and its image.",
    ),
    Exempt(
        "deployment-has-host-podantiaffinity",
        frozenset({"Deployment/litellm-proxy"}),
        "Topology spread does the same, and does it during a rollout too: it counts the pods of "
        "the new revision alone.",
    ),
)

Lint = Callable[[list[Json]], dict[tuple[str, str], int]]


@pytest.fixture(scope="module")
def lint() -> Lint:
    """Runs kube-score, and gives the grade of each (check, object) that is not clean."""
    program = ensure(["kube-score"], Console()).path("kube-score")
    # The annotations with which an object could excuse itself do not count.
    options = ("--disable-ignore-checks-annotations", "--output-format=json")

    def run(manifests: list[Json]) -> dict[tuple[str, str], int]:
        done = subprocess.run(
            [program, "score", *options, "--kubernetes-version=v1.35", "-"],
            input=yaml.safe_dump_all(manifests),
            capture_output=True,
            text=True,
            timeout=LINT_SECONDS,
            check=False,
        )
        assert not done.stderr, done.stderr
        return dict(_findings(json.loads(done.stdout)))

    return run


def _findings(report: list[Json]) -> Iterator[tuple[tuple[str, str], int]]:
    for judged in report:
        name = f"{judged['type_meta']['kind']}/{judged['object_meta']['name']}"
        for one in judged["checks"]:
            if not one["skipped"] and one["grade"] < CLEAN:
                yield (one["check"]["id"], name), one["grade"]


@pytest.mark.parametrize("phase", BUILT)
def test_each_phase_is_clean_but_for_the_exceptions(
    manifests: Manifests, lint: Lint, phase: int
) -> None:
    exempt = {(one.check, name) for one in EXEMPT for name in one.objects}
    assert lint(manifests(FORGE, phase)).keys() <= exempt


def test_no_exception_has_outlived_its_finding(manifests: Manifests, lint: Lint) -> None:
    found = lint(manifests(FORGE, HIGHEST_BUILT)).keys()
    assert {(one.check, name) for one in EXEMPT for name in one.objects} == found


def test_the_linter_finds_what_is_wrong(manifests: Manifests, lint: Lint) -> None:
    """Else a clean report could be of a linter that understood nothing."""
    worse = copy.deepcopy(manifests(FORGE, HIGHEST_BUILT))
    (gateway,) = (
        one
        for one in worse
        if (one["kind"], one["metadata"]["name"]) == ("Deployment", "litellm-proxy")
    )
    pod = gateway["spec"]["template"]["spec"]
    del pod["securityContext"]["runAsUser"]
    del pod["containers"][0]["resources"]["limits"]
    pod["topologySpreadConstraints"][0]["maxSkew"] = 0
    name = "Deployment/litellm-proxy"
    found = lint(worse)
    assert found[("container-security-context-user-group-id", name)] == CRITICAL
    assert found[("container-resources", name)] == CRITICAL
    assert found[("pod-topology-spread-constraints", name)] == CRITICAL
