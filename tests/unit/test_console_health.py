"""`health` and `routes --live` against a stand-in for an API server and the services behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from tests.unit.api_stand_in import Body, status
from tests.unit.console_case import ConsoleCase, console_case

SERVED = (
    "llama-3.2-8b",
    "meta-llama/Meta-Llama-3.1-8B-Instruct",
    "hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4",
)
NOBODY_THERE: tuple[int, Body] = (503, status(503, "no endpoints available for service"))


@pytest.fixture
def case(tmp_path: Path) -> Iterator[ConsoleCase]:
    with console_case(tmp_path) as made:
        for name, ready in (("ollama", 1), ("vllm-inference", 1), ("litellm-proxy", 2)):
            made.api.deployment(name, ready)
        ollama(made, "llama3.2:3b", "llama3.1:8b")
        engine(made, *SERVED)
        gateway(made)
        yield made


def ollama(case: ConsoleCase, *tags: str) -> None:
    models: Body = {"models": [{"name": tag} for tag in tags]}
    answers: dict[str, tuple[int, Body]] = {
        "/api/version": (200, {"version": "0.33.3"}),
        "/api/tags": (200, models),
    }
    case.api.service("ollama", 11434, answers)


def engine(case: ConsoleCase, *names: str, health: tuple[int, Body] = (200, "")) -> None:
    models: Body = {"data": [{"id": name} for name in names]}
    case.api.service("vllm-inference", 8000, {"/health": health, "/v1/models": (200, models)})


def gateway(case: ConsoleCase, readiness: tuple[int, Body] = (200, {"status": "healthy"})) -> None:
    case.api.service("litellm-proxy", 8000, {"/health/readiness": readiness})


def test_all_up_is_exit_0_and_no_model_is_called(case: ConsoleCase) -> None:
    result = case.run("health", "--phase", "3")
    assert result.exit_code == 0, result.output
    for said in ("Ollama 0.33.3", "2 of 2 ready", "LiteLLM healthy"):
        assert said in result.output
    proxied = {path.partition("/proxy")[2] for path in case.api.asked if "/proxy" in path}
    assert proxied == {"/api/version", "/api/tags", "/health", "/v1/models", "/health/readiness"}


def test_phase_1_does_not_ask_for_what_comes_later(case: ConsoleCase) -> None:
    result = case.run("health")
    assert result.exit_code == 0
    assert "litellm-proxy" not in result.output


@pytest.mark.parametrize(
    ("name", "ready", "said"), [("litellm-proxy", 1, "1 of 2 ready"), ("ollama", 0, "0 of 1 ready")]
)
def test_a_pod_that_is_not_ready_is_down(
    case: ConsoleCase, name: str, ready: int, said: str
) -> None:
    case.api.deployment(name, ready)
    result = case.run("health", "--phase", "3")
    assert result.exit_code == 1
    assert said in result.output


def test_what_was_never_deployed_is_down(case: ConsoleCase) -> None:
    del case.api.answers["/apis/apps/v1/namespaces/llm-infra/deployments/vllm-inference"]
    del case.api.answers["/api/v1/namespaces/llm-infra/services/vllm-inference"]
    result = case.run("health", "--phase", "2")
    assert result.exit_code == 1
    assert "not deployed; run `pulumi up`" in result.output
    assert "there is no Service llm-infra/vllm-inference" in result.output


def test_a_model_that_was_not_pulled_is_named(case: ConsoleCase) -> None:
    ollama(case, "llama3.2:3b")
    result = case.run("health")
    assert result.exit_code == 1
    assert "not pulled: llama3.1:8b" in result.output


def test_an_engine_that_serves_another_name_is_down(case: ConsoleCase) -> None:
    engine(case, *SERVED[1:])
    result = case.run("health", "--phase", "2")
    assert result.exit_code == 1
    assert "does not serve llama-3.2-8b" in result.output


@pytest.mark.parametrize("health", [NOBODY_THERE, (500, "engine dead"), (502, "<html>")])
def test_an_engine_that_fails_is_down_with_what_it_said(
    case: ConsoleCase, health: tuple[int, Body]
) -> None:
    engine(case, *SERVED, health=health)
    result = case.run("health", "--phase", "2")
    assert result.exit_code == 1
    said = health[1] if isinstance(health[1], str) else "no endpoints available"
    assert said in result.output


@pytest.mark.parametrize("body", ["not json", "[]", '{"models": 3}', '{"models": [3]}'])
def test_a_stranger_behind_the_service_is_down_and_no_traceback(
    case: ConsoleCase, body: str
) -> None:
    case.api.service("ollama", 11434, {"/api/version": (200, body), "/api/tags": (200, body)})
    assert case.run("health").exit_code == 1


def test_credentials_that_may_not_use_the_proxy_are_told_so(case: ConsoleCase) -> None:
    gateway(case, (403, status(403, "services/proxy is forbidden")))
    result = case.run("health", "--phase", "3")
    assert result.exit_code == 1
    assert "services/proxy" in result.output


def test_simulated_pods_are_not_asked(case: ConsoleCase) -> None:
    result = case.run("health", "--phase", "3", target={"kind": "sim"})
    assert result.exit_code == 0
    assert result.output.count("simulated") >= 6
    assert not [path for path in case.api.asked if "/proxy" in path]
    case.api.deployment("ollama", 0)
    assert case.run("health", target={"kind": "sim"}).exit_code == 1


def test_routes_are_shown_without_a_cluster(case: ConsoleCase) -> None:
    result = case.run("routes", target={"kubeconfig": "/nowhere/config"})
    assert result.exit_code == 0
    for said in ("llama-3.2-8b", "vllm-inference", "Any other name is answered by llama3.1:8b"):
        assert said in result.output
    assert case.api.asked == []


def test_rejected_names_are_said_to_get_a_404(case: ConsoleCase) -> None:
    gateway_settings = {"unknown_models": "reject"}
    assert "gets a 404" in case.run("routes", gateway=gateway_settings).output


def test_live_routes_name_who_answers(case: ConsoleCase) -> None:
    result = case.run("routes", "--live")
    assert result.exit_code == 0
    assert "engine, llama-3.2-8b" in result.output
    assert "ollama, llama3.2:3b" in result.output


def test_live_routes_show_the_fallback_while_the_engine_is_down(case: ConsoleCase) -> None:
    engine(case, *SERVED, health=NOBODY_THERE)
    result = case.run("routes", "--live")
    assert result.exit_code == 0
    assert "ollama, llama3.1:8b (fallback)" in result.output
    assert _health(result) == {"llama-3.2-8b": "down", "llama3.2:3b": "up", "llama3.1:8b": "up"}


def _health(result: Result) -> dict[str, str]:
    """The column of that name, by public name."""
    rows = [line.split() for line in result.output.splitlines() if "  " in line]
    states = [(row[0], word) for row in rows for word in row if word in ("up", "down")]
    return dict(states[1:])  # the first is the heading of another column


def test_a_name_that_nobody_answers_is_exit_1(case: ConsoleCase) -> None:
    ollama(case, "llama3.2:3b")
    engine(case, *SERVED, health=NOBODY_THERE)
    result = case.run("routes", "--live")
    assert result.exit_code == 1
    assert result.output.count("nobody") == 2


def test_nobody_answers_behind_a_gateway_that_is_down(case: ConsoleCase) -> None:
    gateway(case, NOBODY_THERE)
    result = case.run("routes", "--live")
    assert result.exit_code == 1
    assert result.output.count("nobody") == 3


def test_live_routes_of_simulated_pods_are_simulated(case: ConsoleCase) -> None:
    result = case.run("routes", "--live", target={"kind": "sim"})
    assert result.exit_code == 0
    assert result.output.count("simulated") == 6


# ── speech ────────────────────────────────────────────────────────────────────────────────────

XTTS = {"tts": {"licence_acknowledged": {"by": "me", "date": "2026-11-22"}}}


@pytest.fixture
def speech(case: ConsoleCase) -> ConsoleCase:
    """Phase 4, and chat has the GPU."""
    case.api.deployment("speaches", 1)
    case.api.deployment("coqui-tts", 0)
    case.api.service("speaches", 8000, {"/health": (200, "")})
    case.api.service("coqui-tts", 8000, {"/": NOBODY_THERE})
    return case


def _now(case: ConsoleCase, *arguments: str) -> Result:
    return case.run(*arguments, phase=4, speech=XTTS)


def test_who_rests_while_another_has_the_gpu_is_not_down(speech: ConsoleCase) -> None:
    result = _now(speech, "health")
    assert result.exit_code == 0, result.output
    assert "resting" in result.output and "another one has the GPU" in result.output


def test_after_a_swap_the_engine_rests(speech: ConsoleCase) -> None:
    speech.api.deployment("vllm-inference", 0)
    speech.api.deployment("coqui-tts", 1)
    speech.api.service("coqui-tts", 8000, {"/": (200, "<html>")})
    result = _now(speech, "health")
    assert result.exit_code == 0, result.output
    assert "/v1/models" not in {path.partition("/proxy")[2] for path in speech.api.asked}


def test_a_gpu_that_nobody_has_is_down(speech: ConsoleCase) -> None:
    speech.api.deployment("vllm-inference", 0)
    result = _now(speech, "health")
    assert result.exit_code == 1
    assert "0 of 1 ready" in result.output


def test_live_routes_of_speech_show_kokoro_while_xtts_rests(speech: ConsoleCase) -> None:
    result = _now(speech, "routes", "--live")
    assert result.exit_code == 0, result.output
    assert result.output.count("Kokoro-82M-v1.0-ONNX (fallback)") == 2
    assert "speaches, Systran/faster-whisper-base" in result.output


def test_a_transcriber_that_is_down_is_nobody(speech: ConsoleCase) -> None:
    speech.api.service("speaches", 8000, {"/health": NOBODY_THERE})
    result = _now(speech, "routes", "--live")
    assert result.exit_code == 1
    assert result.output.count("nobody") == 5


def test_before_its_phase_speech_is_announced_and_not_asked(case: ConsoleCase) -> None:
    result = case.run("routes", "--live")
    assert result.exit_code == 0
    assert "With phase 4: xtts-v2, tts-1, kokoro, faster-whisper, whisper-1." in result.output
