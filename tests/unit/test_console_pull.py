"""`pull` against a stand-in for an API server: which Job it creates, and what it follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.unit.api_stand_in import status
from tests.unit.console_case import ConsoleCase, console_case

JOBS = "/apis/batch/v1/namespaces/llm-infra/jobs"
PODS = "/api/v1/namespaces/llm-infra/pods"
COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}]}
FAILED = {"conditions": [{"type": "Failed", "status": "True"}]}


def job(name: str, tag: str, state: Mapping[str, object]) -> dict[str, object]:
    controller = {"controller-uid": "u", "batch.kubernetes.io/job-name": name, "job-name": name}
    return {
        "metadata": {
            "name": name,
            "namespace": "llm-infra",
            "uid": "u",
            "labels": {"app": "ollama-pull"},
            "annotations": {"synapse/model": tag, "pulumi.com/replaceUnready": "true"},
        },
        "spec": {
            "backoffLimit": 5,
            "selector": {"matchLabels": {"controller-uid": "u"}},
            "template": {
                "metadata": {"labels": {"app": "ollama-pull", **controller}},
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [
                        {"name": "pull", "image": "i:1", "env": [{"name": "MODEL", "value": tag}]}
                    ],
                },
            },
        },
        "status": state,
    }


def have(case: ConsoleCase, *jobs: dict[str, object]) -> None:
    case.api.has(JOBS, {"metadata": {}, "items": list(jobs)})


def ends(case: ConsoleCase, name: str, state: Mapping[str, object], log: str = "") -> None:
    """The Job of that name has ended, and one pod of it has this log."""
    case.api.has(f"{JOBS}/{name}", job(name, "any", state))
    pod = {"metadata": {"name": f"{name}-x"}, "status": {"phase": "Succeeded"}}
    case.api.has(PODS, {"metadata": {}, "items": [pod]})
    case.api.has(f"{PODS}/{name}-x/log", log)


@pytest.fixture
def case(tmp_path: Path) -> Iterator[ConsoleCase]:
    with console_case(tmp_path) as made:
        have(
            made,
            job("ollama-pull-llama3-2-3b", "llama3.2:3b", COMPLETE),
            job("ollama-pull-llama3-1-8b", "llama3.1:8b", COMPLETE),
        )
        ends(made, "ollama-pull-llama3-1-8b-again-1", COMPLETE, "pulling manifest\nsuccess\n")
        yield made


def test_the_deployed_job_is_the_template_of_the_new_one(case: ConsoleCase) -> None:
    result = case.run("pull", "llama3.1:8b")
    assert result.exit_code == 0, result.output
    [created] = case.api.created
    spec, metadata = created["spec"], created["metadata"]
    assert isinstance(spec, dict)
    assert isinstance(metadata, dict)
    assert metadata["annotations"] == {"synapse/model": "llama3.1:8b"}
    assert spec["template"]["metadata"]["labels"] == {"app": "ollama-pull"}
    assert spec["template"]["spec"]["containers"][0]["env"] == [
        {"name": "MODEL", "value": "llama3.1:8b"}
    ]
    assert spec["ttlSecondsAfterFinished"] == 3600
    assert "selector" not in spec


def test_the_log_is_shown_once_and_without_control_codes(case: ConsoleCase) -> None:
    ends(
        case,
        "ollama-pull-llama3-1-8b-again-1",
        COMPLETE,
        "\x1b[?25lpulling manifest \x1b[K\n\nsuccess\n",
    )
    output = case.run("pull", "llama3.1:8b").output
    assert output.count("llama3.1:8b: pulling manifest\n") == 1
    assert output.count("llama3.1:8b: success\n") == 1
    assert "\x1b" not in output


def test_without_arguments_all_models_of_the_plan_are_pulled(case: ConsoleCase) -> None:
    ends(case, "ollama-pull-llama3-2-3b-again-1", COMPLETE)
    case.api.has(PODS, {"metadata": {}, "items": []})
    result = case.run("pull")
    assert result.exit_code == 0, result.output
    assert len(case.api.created) == 2


def test_a_job_that_runs_is_followed_and_not_doubled(case: ConsoleCase) -> None:
    have(case, job("ollama-pull-llama3-1-8b", "llama3.1:8b", {"active": 1}))
    ends(case, "ollama-pull-llama3-1-8b", COMPLETE, "success\n")
    result = case.run("pull", "llama3.1:8b")
    assert result.exit_code == 0
    assert "following Job ollama-pull-llama3-1-8b" in result.output
    assert case.api.created == []


def test_a_failed_job_is_exit_1(case: ConsoleCase) -> None:
    ends(case, "ollama-pull-llama3-1-8b-again-1", FAILED, "Error: no such host\n")
    result = case.run("pull", "llama3.1:8b")
    assert result.exit_code == 1
    assert "Error: no such host" in result.output
    assert "llama3.1:8b: failed" in result.output


def test_a_model_outside_the_plan_is_refused_before_anything_is_asked(case: ConsoleCase) -> None:
    result = case.run("pull", "mistral:7b", "llama3.1:8b")
    assert result.exit_code == 2
    assert "mistral:7b" in result.output
    assert "synapse:ollama.models" in result.output
    assert case.api.asked == []


def test_a_model_whose_job_was_never_deployed_says_how_to_get_it(case: ConsoleCase) -> None:
    have(case)
    result = case.run("pull", "llama3.1:8b")
    assert result.exit_code == 1
    assert "no pull Job for llama3.1:8b was deployed" in result.output
    assert "pulumi up" in result.output


def test_a_job_that_vanishes_is_one_line(case: ConsoleCase) -> None:
    del case.api.answers[f"{JOBS}/ollama-pull-llama3-1-8b-again-1"]
    result = case.run("pull", "llama3.1:8b")
    assert result.exit_code == 1
    assert "is gone" in result.output


def test_a_log_that_grows_is_shown_line_by_line_and_each_line_once(
    case: ConsoleCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synapse.cluster.pulls._POLL_SECONDS", 0.01)
    name = "ollama-pull-llama3-1-8b-again-1"
    ends(case, name, {"active": 1}, "pulling manifest\n")
    case.api.then_has(f"{JOBS}/{name}", job(name, "any", COMPLETE))
    case.api.then_has(f"{PODS}/{name}-x/log", "pulling manifest\nsuccess\n")
    result = case.run("pull", "llama3.1:8b")
    assert result.exit_code == 0
    assert result.output.count("pulling manifest") == 1
    assert result.output.count("success") == 1


def test_a_log_that_cannot_be_read_does_not_stop_the_pull(case: ConsoleCase) -> None:
    name = "ollama-pull-llama3-1-8b-again-1"
    case.api.has(f"{PODS}/{name}-x/log", status(500, "dial tcp: i/o timeout"), 500)
    result = case.run("pull", "llama3.1:8b")
    assert result.exit_code == 0
    assert "dial tcp: i/o timeout" in result.output


def test_a_simulated_pull_says_that_nothing_was_downloaded(case: ConsoleCase) -> None:
    result = case.run("pull", "llama3.1:8b", target={"kind": "sim"})
    assert result.exit_code == 0
    assert "simulated: nothing was downloaded" in result.output
    assert not [path for path in case.api.asked if path.endswith("/log")]
