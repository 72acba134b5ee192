"""`python -m synapse swap`: what it says without a cluster, and what it refuses."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from synapse.console.app import app
from tests.swap.plans import licensed
from tests.unit.api_stand_in import StandIn, api_stand_in, status


def run(folder: Path, *arguments: str, **changes: object) -> Result:
    config = folder / "Pulumi.test.yaml"
    settings = licensed(**{"phase": 4, **changes})
    document = {"config": {f"synapse:{key}": value for key, value in settings.items()}}
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    result = CliRunner().invoke(
        app,
        ["swap", *arguments, "--config", str(config)],
        env={**os.environ, "COLUMNS": "200"},
    )
    assert result.exception is None or isinstance(result.exception, SystemExit), result
    return result


def test_a_dry_run_shows_the_sums_and_the_steps_and_asks_nobody(tmp_path: Path) -> None:
    result = run(tmp_path, "speech", "--dry-run", target={"kubeconfig": "/nowhere"})
    assert result.exit_code == 0, result.output
    assert "fits: state 'speech': coqui-tts 12.0 ≤ 30.0 GiB" in result.output
    assert "vllm-inference gone, nothing stays, then coqui-tts enters" in result.output
    assert "vllm:num_requests_running and vllm:num_requests_waiting at 0" in result.output
    assert "6. record an Event, release the Lease" in result.output


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("speech", "--for", "soon"), 2, "--for = 'soon'"),
        (("speech", "--for", "0m"), 2, "--for = '0m'"),
        (("speech", "--idle", "1"), 2, "--idle = '1'"),
        (("chat", "--for", "30m"), 2, "go with `swap speech`"),
        (("radio",), 2, "radio"),
        (("speech", "--phase", "3"), 1, "coqui-tts comes with phase 4"),
        (("speech", "--record", "/nowhere/it.json"), 2, "--record = /nowhere/it.json: cannot be"),
    ],
)
def test_what_is_refused(tmp_path: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    result = run(tmp_path, *arguments)
    assert result.exit_code == code
    assert said in result.output


def test_concurrent_has_nothing_to_swap(tmp_path: Path) -> None:
    result = run(tmp_path, "speech", gpu={"sharing": "concurrent"})
    assert result.exit_code == 1
    assert "there is nothing to swap" in result.output


# --- without a target: how it stands


LEASES = "/apis/coordination.k8s.io/v1/namespaces/llm-infra/leases/gpu-swap"


def present(folder: Path, engine: int, speech: int, intent: dict[str, object] | None) -> Result:
    with api_stand_in() as api:
        api.deployment("vllm-inference", engine)
        api.deployment("coqui-tts", speech)
        if intent is not None:
            api.has(LEASES, lease(intent))
        else:
            api.has(LEASES, status(404, "not found"), 404)
        return run(folder, target=target_of(api, folder))


def target_of(api: StandIn, folder: Path) -> dict[str, object]:
    return {"kind": "cluster", "kubeconfig": str(api.kubeconfig(folder))}


def lease(intent: dict[str, object]) -> dict[str, object]:
    return {
        "metadata": {
            "name": "gpu-swap",
            "resourceVersion": "7",
            "annotations": {"synapse/swap": json.dumps(intent)},
        },
        "spec": {"holderIdentity": "arun@laptop-1", "renewTime": "2026-11-22T10:00:00.000000Z"},
    }


def test_it_says_who_has_the_gpu(tmp_path: Path) -> None:
    result = present(tmp_path, 1, 0, None)
    assert result.exit_code == 0, result.output
    assert "on the GPU: chat (replicas: vllm-inference 1, coqui-tts 0)" in result.output
    assert "no swap is at work" in result.output


def test_it_says_that_a_swap_was_cut_off(tmp_path: Path) -> None:
    intent: dict[str, object] = {"source": "chat", "target": "speech", "step": "gone"}
    result = present(tmp_path, 0, 0, intent)
    assert "on the GPU: neither, or both want it" in result.output
    assert "Lease held by arun@laptop-1" in result.output
    assert "chat → speech, step gone" in result.output


def test_it_says_until_when_speech_stays(tmp_path: Path) -> None:
    intent: dict[str, object] = {
        "source": "chat",
        "target": "speech",
        "step": "hold",
        "returns_at": "2026-11-22T11:30:00Z",
    }
    result = present(tmp_path, 0, 1, intent)
    assert "on the GPU: speech" in result.output
    assert "speech stays until 2026-11-22 11:30 UTC" in result.output


@pytest.mark.parametrize("intent", [{"step": "no such step"}, {}])
def test_an_intent_that_cannot_be_read_is_no_traceback(
    tmp_path: Path, intent: dict[str, object]
) -> None:
    assert present(tmp_path, 1, 0, intent).exit_code == 0
