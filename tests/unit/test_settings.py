"""The stack config: what is refused, and in which words."""

import datetime
from collections.abc import Mapping
from copy import deepcopy
from typing import cast

import pytest

from synapse.settings.load import parse
from synapse.settings.problems import SettingsError
from synapse.settings.workloads import Backend
from tests.unit.forge_config import changed
from tests.unit.stacks import FILE

DIGEST = "sha256:" + 64 * "a"


def lines(changes: Mapping[str, object]) -> list[str]:
    """What the operator reads about a config."""
    with pytest.raises(SettingsError) as caught:
        parse(changed(changes))
    _, *rest = str(caught.value).splitlines()
    assert len(rest) == len(caught.value.problems), "a problem is one line"
    return [line.removeprefix("  - ") for line in rest]


ROUTE = {"name": "chat", "backend": "engine"}
OLD = {"name": "old", "namespace": "old", "memory_gib": 1, "scaled_down_at": 3}

# place, value, what the one line has to hold beside the place: value, allowed, cure
REFUSED: list[tuple[str, object, tuple[str, ...]]] = [
    ("ollamma", {"memory_gib": 4}, ("one of the keys", "did you mean `ollama`?")),
    ("ollama.memory", 96, ("= 96", "one of the keys", "did you mean `memory_gib`?")),
    ("ollama.colour", "red", ("'red'", "one of the keys", "drop the key")),
    ("phase", 0, ("= 0", "from 1 to 6", "write 1")),
    ("phase", 7, ("= 7", "from 1 to 6", "write 6")),
    ("phase", "seven", ("'seven'", "from 1 to 6", "without quotes")),
    ("phase", 2.0, ("= 2.0", "from 1 to 6", "write the number alone")),
    ("phase", True, ("= True", "from 1 to 6", "write the number alone")),
    ("phase", None, ("= null", "from 1 to 6", "write the number alone")),
    ("ollama.memory_gib", "96GB", ("'96GB'", "GiB above 0", "write 96,")),
    ("ollama.memory_gib", "96Gi", ("'96Gi'", "GiB above 0", "write 96,")),
    ("ollama.memory_gib", "1.5Ti", ("'1.5Ti'", "GiB above 0", "write 1536,")),
    ("ollama.memory_gib", "512Mi", ("'512Mi'", "GiB above 0", "write 0.5,")),
    ("ollama.memory_gib", "0", ("'0'", "GiB above 0", "write a plain number")),
    ("ollama.memory_gib", 0, ("= 0", "GiB above 0", "leave the key out")),
    ("ollama.memory_gib", -1, ("= -1", "GiB above 0", "leave the key out")),
    ("ollama.memory_gib", True, ("= True", "GiB above 0", "write a plain number")),
    ("ollama.memory_gib", float("nan"), ("= nan", "GiB above 0", "leave the key out")),
    ("ollama.memory_gib", float("inf"), ("= inf", "GiB above 0", "leave the key out")),
    ("ollama.memory_gib", 10**400, ("very large", "GiB above 0", "leave the key out")),
    ("ollama.memory_gib", [96], ("= [96]", "GiB above 0", "write a plain number")),
    ("engine.cpu_limit", "500m", ("'500m'", "CPU cores above 0", "write 0.5,")),
    ("ollama.num_parallel", "2", ("'2'", "whole number of items", "write 2,")),
    ("ollama.num_parallel", 1.5, ("= 1.5", "whole number of items", "write 2")),
    ("engine.gpu_memory_utilization", 65, ("= 65", "at most 1", "write 0.75")),
    ("engine.gpu_memory_utilization", "0.65", ("'0.65'", "at most 1", "write 0.65,")),
    ("engine.gpu_memory_utilization", "65%", ("'65%'", "at most 1", "write 0.65,")),
    ("engine.gpu_memory_utilization", float("nan"), ("nan", "at most 1", "write 0.75")),
    ("engine.model", "llama-3.1-8", ("'llama-3.1-8'", "catalogue", "did you mean llama-3.1-8b")),
    ("engine.weights", "q4", ("'q4'", "awq-int4", "name one of these")),
    ("engine.enforce_eager", "yes", ("'yes'", "true or false", "without quotes")),
    ("engine.kind", "tgi", ("'tgi'", "'vllm' or 'sglang'", "write one of these")),
    ("engine.service_name", "vllm", ("'vllm'", "any Service name but", "write 'vllm-inference'")),
    ("engine.image", "a/b:latest", ("'a/b:latest'", "other than 'latest'", "'a/b:<version>'")),
    ("engine.image", "a/b", ("'a/b'", "other than 'latest'", "'a/b:<version>'")),
    ("engine.image", "a/b@latest", ("'a/b@latest'", "sha256 digest", "name:1.2.3")),
    ("engine.image", "a/b:nightly", ("'a/b:nightly'", "0.20.2", "set engine.version")),
    ("engine.image", f"a:5000/b@{DIGEST}", ("'a:5000/b@", "0.20.2", "set engine.version")),
    ("engine.version", "new", ("'new'", "0.20.2", "set engine.version")),
    ("engine.cpu_request", 20, ("= 20", "at most cpu_limit (16)", "raise cpu_limit")),
    ("engine.memory_request_gib", 33, ("= 33", "memory_limit_gib (32)", "lower it")),
    ("ollama.memory_request_gib", 97, ("= 97", "at most memory_gib (96)", "lower it")),
    ("ollama.cpu_request", 33, ("= 33", "at most cpu_limit (32)", "lower it")),
    ("ollama.keep_alive", "long", ("'long'", "duration", "write '30m'")),
    ("ollama.models", ["llama3.1:8b", "a:1b"], ("[1]", "'a:1b'", "catalogue")),
    ("ollama.models", "llama3.1:8b", ("'llama3.1:8b'", "a list", "'- '")),
    ("ollama.models", ["llama3.1:8b"] * 2, ("[1]", "stands once", "drop one")),
    ("ollama.default_model", "llama3.2:1b", ("'llama3.2:1b'", "llama3.2:3b", "add it to")),
    ("gpu.model", "rtx-9090", ("'rtx-9090'", "catalogue", "did you mean rtx-")),
    ("gpu.count", 2, ("= 2", "one GPU", "write 1")),
    ("gpu.count", True, ("= True", "number of items", "plain number")),
    ("gpu.sharing", "both", ("'both'", "'exclusive' or 'concurrent'", "write one")),
    ("node.memory_gib", "196GB", ("'196GB'", "GiB above 0", "write 196,")),
    ("node.system_memory_gib", 200, ("= 200", "at most memory_gib (196)", "lower it")),
    ("node.allocatable_memory_gib", 200, ("= 200", "memory_gib (196)", "lower it")),
    ("node.name", "Forge_1", ("'Forge_1'", "DNS label", "write 'forge-1'")),
    ("node.ram_budget_fraction", 0.9, ("= 0.9", "at most 0.8", "0.8 or less")),
    ("namespace", "a" * 64, ("'aaa", "at most 63", "write 'aaa")),
    ("gateway.host", "synapse", ("'synapse'", "DNS name", "write 'synapse.example.com'")),
    ("gateway.restart_schedule", "@daily", ("'@daily'", "five fields", "'0 4 * * *'")),
    ("gateway.restart_schedule", "0 25 * * *", ("25", "five fields", "'0 4 * * *'")),
    ("gateway.routes", [ROUTE, ROUTE], ("[1].name", "'chat'", "stands once", "drop one")),
    ("gateway.routes.0", {**ROUTE, "model": "llama3.1:8b"}, ("no model", "drop `model:`")),
    ("gateway.routes.0", {"name": "a", "backend": "ollama"}, ("a model for", "add `model:`")),
    (
        "gateway.routes.0",
        {"name": "llama3.1:8b", "backend": "engine"},
        ("'llama3.1:8b'", "routes already", "name it otherwise"),
    ),
    ("gateway.routes.0", {"name": "a\nb", "backend": "engine"}, ("'a\\nb'", "one line")),
    ("legacy", [OLD, OLD], ("[1].name", "'old'", "once", "drop one")),
    ("legacy.0.retired_on", 20261122, ("20261122", "a date", "2026-11-22")),
    ("legacy.0.scaled_down_at", 0, ("= 0", "from 1 to 6", "write 1")),
    ("legacy.0", "vllm", ("'vllm'", "a section of keys", "below it")),
    ("clients.0.service", "llama", ("'llama'", "one of", "name one of these")),
    ("clients.0.selector", {}, ("at least 1", "add one")),
    ("clients.0.selector", {"app": "a b"}, ("labels", "those of app", "--show-labels")),
    ("engine", None, ("= null", "a section of keys", "below it")),
    ("target", {"kind": "render", "secrets": "sealed"}, ("'sealed'", "kubeseal")),
]


@pytest.mark.parametrize(("place", "value", "said"), REFUSED)
def test_a_bad_value_is_one_line_with_key_value_limit_and_cure(
    place: str, value: object, said: tuple[str, ...]
) -> None:
    (line,) = lines({place: value})
    key = place.replace(".0", "[0]")
    assert line.startswith(f"synapse:{key}"), line
    assert "allowed is" in line and "; " in line
    for words in said:
        assert words in line


@pytest.mark.parametrize("key", ["node", "gpu", "node.cpus", "gpu.model"])
def test_a_missing_key_is_named(key: str) -> None:
    config = deepcopy(FILE)
    section, _, leaf = key.partition(".")
    if leaf:
        del cast(dict[str, object], config[section])[leaf]
    else:
        del config[section]
    with pytest.raises(SettingsError) as caught:
        parse(config)
    (problem,) = caught.value.problems
    assert str(problem).startswith(f"synapse:{key}: ")
    assert f"add `{leaf or section}:`" in str(problem)


@pytest.mark.parametrize(
    "place",
    [
        "hf_token",
        "gateway_key",
        "hf_tokn",
        "gateway.key",
        "engine.hf_token",
        "api_key",
        "node.name",
        "gateway.host",
        "engine.image",
    ],
)
@pytest.mark.parametrize("value", ["hf_abcdefghij", "sk-ABCdefghij", ["sk-abcdefghij"]])
def test_a_secret_in_clear_text_is_refused_and_never_repeated(place: str, value: object) -> None:
    said = "\n".join(lines({place: value}))
    assert place in said
    assert "defghij" not in said
    assert "(hidden)" in said


@pytest.mark.parametrize("value", [True, 1, "true", "secret"])
def test_only_an_encrypted_value_sets_a_secret(value: object) -> None:
    (line,) = lines({"hf_token": value})
    assert "pulumi config set --secret" in line and "(hidden)" in line
    assert parse(changed({"hf_token": {"secure": "v1:abc"}})).hf_token
    assert not parse(changed({"hf_token": ""})).hf_token


def test_all_problems_are_said_at_once_also_rules_between_sections() -> None:
    said = lines(
        {
            "phase": 9,
            "node.memory_gib": "196Gi",
            "gpu.model": "gtx-1",
            "ollama.memory_gib": "96GB",
            "ollama.default_model": "llama3.2:1b",
            "engine.cpu_request": 99,
            "engine.memory_request_gib": 99,
            "gateway.routes": [ROUTE, {"name": "a", "backend": "ollama"}, {**ROUTE, "colour": 1}],
            "legacy": [OLD, {**OLD, "vram_gib": "6GB"}],
            "clients.0.service": "nobody",
        }
    )
    keys = [line.split(" ")[0].rstrip(":").removeprefix("synapse:") for line in said]
    assert sorted(keys) == sorted(
        [
            "phase",
            "node.memory_gib",
            "gpu.model",
            "ollama.memory_gib",
            "ollama.default_model",
            "engine.cpu_request",
            "engine.memory_request_gib",
            "gateway.routes[1].model",
            "gateway.routes[2].colour",
            "gateway.routes[2].name",
            "legacy[1].vram_gib",
            "legacy[1].name",
            "clients[0].service",
        ]
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"engine.cpu_limit": "2", "engine.cpu_request": 10},
        {"ollama.models": 5, "ollama.default_model": "qwen2.5:7b"},
        {"ollama.modles": ["qwen2.5:7b"], "ollama.models": ["qwen2.5:7b"]},
        {"engine.service_name": "Chat_1", "clients.0.service": "chat-1"},
        {"gateway.routes.0": {"name": "a", "backend": "ollama", "model": "none:1b"}},
        {"engine.model": "llama-9", "engine.weights": "q4"},
        {"engine.image": "a b", "engine.kind": "vllm"},
    ],
)
def test_no_rule_is_asked_about_a_value_that_is_refused_already(
    changes: dict[str, object],
) -> None:
    """It would judge the default in its place, and blame a key that is right."""
    refused = [
        line for line in lines(changes) if not line.startswith("synapse:ollama.default_model")
    ]
    assert len(refused) == 1


def test_positions_stay_true_beside_a_refused_item() -> None:
    said = lines({"gateway.routes": [3, {"name": "a", "backend": "ollama"}]})
    assert [line.split(" ")[0] for line in said] == [
        "synapse:gateway.routes[0]",
        "synapse:gateway.routes[1].model",
    ]


@pytest.mark.parametrize("phase", [1, 6, "1", "3", "6"])
def test_a_phase_is_read_as_the_engine_writes_it(phase: int | str) -> None:
    """`pulumi config set phase 3` and `pulumi up -c synapse:phase=3` write "3"."""
    assert parse(changed({"phase": phase})).phase == int(phase)


def test_an_empty_pull_secret_is_none() -> None:
    """Pulumi.yaml has to declare a default, and the engine knows no null."""
    assert parse(changed({"image_pull_secret": ""})).image_pull_secret is None


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("a/vllm:v0.20.2-cu129", "0.20.2-cu129"),
        ("r:5000/vllm:0.11.0", "0.11.0"),
        (f"r:5000/vllm:v0.11.0@{DIGEST}", "0.11.0"),
    ],
)
def test_the_engine_version_is_read_from_the_tag(name: str, version: str) -> None:
    assert parse(changed({"engine.image": name})).engine.named_version == version


def test_the_version_key_wins_over_the_tag() -> None:
    made = parse(changed({"engine.image": "a/b:nightly", "engine.version": "0.20.2"}))
    assert made.engine.named_version == "0.20.2"


def test_the_engine_s_service_has_a_name_of_its_own() -> None:
    for name in ("ollama", "litellm-proxy", "coqui-tts", "monitoring"):
        assert any("no other part of the stack" in x for x in lines({"engine.service_name": name}))


def test_the_forge_is_read_as_written() -> None:
    made = parse(FILE)
    assert (made.phase, made.ollama.memory_gib, made.gateway.replicas) == (1, 96, 2)
    assert made.gateway.routes[0].backend is Backend.ENGINE
    assert [old.scaled_down_at for old in made.legacy] == [2, 4, 6]


def test_a_list_where_a_route_should_be_is_refused_beside_another_error() -> None:
    raw = {
        "node": {"cpus": 32, "memory_gib": 196},
        "gpu": {"model": "rtx-5090"},
        "gateway": {"routes": [[{}]]},
        "clients": None,
    }
    with pytest.raises(SettingsError) as refused:
        parse(raw)
    assert {problem.key for problem in refused.value.problems} == {
        "synapse:gateway.routes[0]",
        "synapse:clients",
    }


def test_a_date_without_quotes_reads_as_the_engine_hands_it_over() -> None:
    for written in ("2026-11-22", "2026-11-22 00:00:00 +0000 UTC", datetime.date(2026, 11, 22)):
        acknowledged = {"by": "me", "date": written}
        made = parse(changed({"speech.tts.licence_acknowledged": acknowledged}))
        found = made.speech.tts.licence_acknowledged
        assert found and found.date == datetime.date(2026, 11, 22)
