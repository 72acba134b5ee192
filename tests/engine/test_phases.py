"""A stack's life on the real engine: up, unchanged, rolled back with its volumes, protected."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from tests.engine.stack_case import APPROVED, Finished, StackCase

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

EXPECT_NO_CHANGES = "--expect-no-changes"
WORKLOADS = "deployments,jobs,cronjobs"
OF_PHASE_1 = {
    "Deployment/ollama",
    "Job/ollama-pull-llama3-2-3b",
    "Job/ollama-pull-llama3-1-8b",
}
OF_PHASE_2 = {"Deployment/vllm-inference", "Job/engine-pull"}
OF_PHASE_3 = {"Deployment/litellm-proxy", "CronJob/litellm-restart"}
OF_PHASE_4 = {"Deployment/coqui-tts", "Deployment/speaches", "Job/speech-pull"}
PHASES = ("ollama", "engine", "gateway", "speech")
ALL = OF_PHASE_1 | OF_PHASE_2 | OF_PHASE_3 | OF_PHASE_4


@dataclass(frozen=True)
class Moment:
    """A run, and what the cluster showed right after it."""

    run: Finished
    workloads: set[str]
    claims: dict[str, str]


@pytest.fixture(scope="module")
def previewed(own_case: StackCase) -> tuple[Finished, bool]:
    """A preview of the whole stack on an empty cluster, and whether the namespace was there."""
    own_case.configure(phase=4)
    return own_case.run("preview"), own_case.namespace_exists()


@pytest.fixture(scope="module")
def life(own_case: StackCase, previewed: tuple[Finished, bool]) -> dict[str, Moment]:
    """Each step of the stack's life, in order, with nothing asserted yet."""
    assert previewed
    moments: dict[str, Moment] = {}

    def live(name: str, run: Finished) -> None:
        moments[name] = Moment(run, own_case.names(WORKLOADS), own_case.claim_uids())

    live("up", own_case.up())
    live("again", own_case.up(EXPECT_NO_CHANGES))
    live("refresh", own_case.run("refresh", "--yes", EXPECT_NO_CHANGES, policies=False))
    swap(own_case, speech=1)
    live("swapped", own_case.up(EXPECT_NO_CHANGES))
    refreshed = own_case.run("refresh", "--yes", EXPECT_NO_CHANGES, policies=False)
    live("swapped, refreshed", refreshed)
    swap(own_case, speech=0)
    own_case.configure(phase=3)
    live("without speech", own_case.up())
    own_case.configure(phase=4)
    live("speech again", own_case.up())
    own_case.configure(phase=1)
    live("down", own_case.run("up", "--yes"))
    own_case.configure(phase=4)
    live("back", own_case.up())
    own_case.configure(phase=5)
    live("too far", own_case.up())
    own_case.configure(phase=4)
    live("destroy", own_case.run("destroy", "--yes", policies=False))
    live("destroy unseen", own_case.run("destroy", *APPROVED, policies=False))
    live("restored", own_case.up())
    return moments


def swap(case: StackCase, *, speech: int) -> None:
    """Hand the GPU over from outside, as the swap does."""
    leaving, entering = (
        ("vllm-inference", "coqui-tts") if speech else ("coqui-tts", "vllm-inference")
    )
    case.ask("scale", f"deployment/{leaving}", "--replicas=0")
    case.ask("scale", f"deployment/{entering}", "--replicas=1")
    case.ask("rollout", "status", f"deployment/{entering}", "--timeout=60s")


def test_preview_shows_all_and_touches_nothing(previewed: tuple[Finished, bool]) -> None:
    preview, namespace_was_there = previewed
    preview.succeeded()
    assert preview.changes().keys() == {"create"}
    assert "litellm-proxy" in preview.text
    assert not namespace_was_there


def test_up_starts_the_servers_of_a_phase_when_the_one_below_is_whole(
    life: dict[str, Moment],
) -> None:
    up = life["up"]
    up.run.succeeded()
    assert up.workloads == ALL
    assert up.run.changes().keys() == {"create"}
    for lower, higher in pairwise(PHASES):
        whole = at(up.run, "create", "ends", lower)
        assert max(whole) < min(at(up.run, "create", "begins", higher, "Deployment")), up.run.text


def test_a_download_waits_for_no_server_below(own_case: StackCase, life: dict[str, Moment]) -> None:
    """The weights take as long as all else together; a server waits for what is below it."""
    created = [urn for _, urn in life["restored"].run.succeeded().steps("create")]

    def waits_for(phase: str, kind: str) -> set[tuple[str, str]]:
        urns = {urn for urn in created if (phase_of(urn), kind_of(urn)) == (phase, kind)}
        assert len(urns) == 1
        found = own_case.dependencies_in_state(urns.pop())
        return {(phase_of(urn), kind_of(urn)) for urn in found}

    of_ollama = {("ollama", "Deployment"), ("ollama", "Job")}
    assert of_ollama <= waits_for("engine", "Deployment")
    assert not of_ollama & waits_for("engine", "Job")


def test_up_again_changes_nothing(life: dict[str, Moment]) -> None:
    assert life["again"].run.succeeded().changes().keys() == {"same"}


def test_refresh_finds_no_drift(life: dict[str, Moment]) -> None:
    assert life["refresh"].run.succeeded().changes().keys() == {"same"}


@pytest.mark.parametrize("step", ["swapped", "swapped, refreshed"])
def test_nothing_fights_the_swap(life: dict[str, Moment], step: str) -> None:
    assert life[step].run.succeeded().changes().keys() == {"same"}


def test_speech_leaves_and_comes_back_and_its_volume_stays(life: dict[str, Moment]) -> None:
    gone, again = life["without speech"], life["speech again"]
    gone.run.succeeded()
    assert gone.workloads == OF_PHASE_1 | OF_PHASE_2 | OF_PHASE_3
    again.run.succeeded()
    assert again.workloads == ALL
    assert "speech-models" in gone.claims
    assert life["up"].claims == gone.claims == again.claims


def test_lower_phase_takes_the_servers_of_the_last_one_down_first(life: dict[str, Moment]) -> None:
    down = life["down"]
    down.run.succeeded()
    assert down.workloads == OF_PHASE_1
    for lower, higher in pairwise(PHASES[1:]):
        gone = at(down.run, "delete", "ends", higher, "Deployment")
        assert max(gone) < min(at(down.run, "delete", "begins", lower)), down.run.text


def test_volumes_outlive_a_rollback(life: dict[str, Moment]) -> None:
    before = life["up"].claims
    assert {"ollama-models", "huggingface-cache", "speech-models"} <= before.keys()
    assert life["down"].claims == before
    assert life["back"].run.succeeded()
    assert life["back"].workloads == ALL
    assert life["back"].claims == before


def test_phase_that_is_not_built_is_refused(life: dict[str, Moment]) -> None:
    refused, before = life["too far"], life["back"]
    refused.run.failed()
    assert "phase 5 (Monitoring" in refused.run.text
    assert "is not built yet; write 4" in refused.run.text
    assert refused.run.changes() == {"same": 1}  # the stack itself
    assert (refused.workloads, refused.claims) == (before.workloads, before.claims)


@pytest.mark.parametrize("step", ["destroy", "destroy unseen"])
def test_destroy_stops_at_the_volumes_and_says_how_to_go_on(
    life: dict[str, Moment], step: str
) -> None:
    destroyed = life[step]
    destroyed.run.failed()
    for claim in ("foundation-ollama-models", "foundation-huggingface-cache"):
        assert f"PersistentVolumeClaim::{claim}" in destroyed.run.text
    assert "because it is protected" in destroyed.run.text
    assert "pulumi state unprotect" in destroyed.run.text
    assert destroyed.claims == life["up"].claims


def test_destroy_with_a_preview_has_touched_nothing(life: dict[str, Moment]) -> None:
    assert life["destroy"].workloads == life["back"].workloads


def test_up_restores_what_a_refused_destroy_took(life: dict[str, Moment]) -> None:
    assert not life["destroy unseen"].workloads
    restored = life["restored"]
    restored.run.succeeded()
    assert restored.workloads == life["up"].workloads
    assert restored.claims == life["up"].claims


def test_no_copy_of_the_kubeconfig_lies_outside_of_the_state_folder(
    own_case: StackCase, life: dict[str, Moment]
) -> None:
    """The provider writes one in every run, with the cluster's credentials, and leaves it."""
    assert life["up"].run.succeeded()
    server = yaml.safe_load(own_case.forge.kubeconfig.read_text("utf-8"))["clusters"][0]["cluster"]
    copies = [
        path
        for path in Path(tempfile.gettempdir()).glob("kubeconfig*")
        if server["server"] in path.read_text("utf-8")
    ]
    assert not copies


def test_refresh_shows_what_somebody_else_changed(
    own_case: StackCase, life: dict[str, Moment]
) -> None:
    life["restored"].run.succeeded()
    own_case.ask("patch", "service", "ollama", "--type=json", "--patch", MOVED)
    found = own_case.run("refresh", "--preview-only", EXPECT_NO_CHANGES, policies=False)
    assert found.failed().changes()["update"] == 1
    own_case.up("--refresh").succeeded()
    ports = own_case.get("service", "ollama")["spec"]["ports"]
    assert [port["port"] for port in ports] == [11434]


MOVED = '[{"op": "replace", "path": "/spec/ports/0/port", "value": 4711}]'


def at(run: Finished, operation: str, what: str, phase: str, *kinds: str) -> list[int]:
    """Places of these steps in the order of time: of a whole phase, or of some kinds in it."""
    return [
        place
        for place, (seen, urn) in enumerate(run.steps(operation))
        if seen == what and phase_of(urn) == phase and (not kinds or kind_of(urn) in kinds)
    ]


def kind_of(urn: str) -> str:
    """`Deployment` of an object's URN."""
    return urn.split("::")[2].rpartition(":")[2]


def phase_of(urn: str) -> str:
    """The component below which a Kubernetes object stands; a component itself is none."""
    types = urn.split("::")[2]
    if "$kubernetes:" not in types:
        return ""
    below = {"synapse:ollama:Ollama": "ollama", "synapse:engine:Engine": "engine"}
    below |= {"synapse:gateway:Gateway": "gateway", "synapse:edge:HttpsRoute": "gateway"}
    below |= {"synapse:speech:Speech": "speech"}
    return next((phase for component, phase in below.items() if component in types), "")
