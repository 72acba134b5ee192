"""Ollama's sizes and its slots."""

import pytest

from tests.unit.stacks import plan, verdict


@pytest.mark.parametrize(
    ("node_gib", "models", "limit_gib"),
    [
        (31, 1, 24),
        (32, 1, 24),
        (63.9, 1, 24),
        (64, 1, 48),
        (127, 1, 48),
        (128, 2, 96),
        (196, 2, 96),
        (255, 2, 96),
        (256, 3, 192),
        (1024, 3, 192),
    ],
)
def test_ollama_sizes_itself_by_the_guide_s_table(
    node_gib: float, models: int, limit_gib: float
) -> None:
    unset = {"memory_gib": None, "memory_request_gib": None, "max_loaded_models": None}
    made = plan(ollama=unset, node={"memory_gib": node_gib})
    assert (made.ollama.max_loaded_models, made.ollama.memory_limit_gib) == (models, limit_gib)
    assert made.workload("ollama").pod.memory_request_gib == pytest.approx(limit_gib / 3)


def test_what_is_set_wins_over_the_table() -> None:
    made = plan(ollama={"memory_gib": 40, "max_loaded_models": 1})
    assert (made.ollama.memory_limit_gib, made.ollama.max_loaded_models) == (40, 1)


def test_routed_models_beyond_the_slots_are_a_warning_that_names_them() -> None:
    models = ["llama3.2:3b", "llama3.1:8b", "nomic-embed-text"]
    made = plan(ollama={"models": models})
    found = verdict(made, "ollama-slots")
    assert (found.fits, found.severity) == (False, "warn")
    assert all(model in found.sum for model in models)
    assert "llama3.1:8b and nomic-embed-text will not stay loaded" in found.sum
    assert found.cure == "raise ollama.max_loaded_models to 3 or pull fewer models"
    assert found not in made.refusals(6), "a warning refuses nothing"
    assert made.ollama.keep_alive == "30m"
    assert plan().ollama.keep_alive == "-1"
    assert verdict(plan(), "ollama-slots").fits


def test_the_costliest_models_that_the_slots_allow_have_to_fit_the_limit() -> None:
    made = plan(ollama={"memory_gib": 12, "memory_request_gib": 4})
    found = verdict(made, "ollama-fits-its-limit")
    assert not found.fits and "> 12.0 GiB" in found.sum
    assert "raise ollama.memory_gib" in found.cure
    loaded = sum(model.ram_gib for model in made.ollama.models)
    enough = {"memory_gib": loaded, "memory_request_gib": 4}
    assert verdict(plan(ollama=enough), "ollama-fits-its-limit").fits
    one = {"memory_gib": 12, "memory_request_gib": 4, "max_loaded_models": 1}
    assert verdict(plan(ollama=one), "ollama-fits-its-limit").fits


def test_one_slot_is_sized_for_the_larger_model() -> None:
    made = plan(ollama={"max_loaded_models": 1})
    largest = max(model.ram_gib for model in made.ollama.models)
    assert made.workload("ollama").planned_ram_gib == largest > 8


def test_a_request_above_the_table_s_limit_is_refused() -> None:
    ollama = {"memory_gib": None, "memory_request_gib": 30}
    made = plan(ollama=ollama, node={"memory_gib": 48})
    found = verdict(made, "ollama-request-within-limit")
    assert (found.fits, found.sum) == (False, "request 30.0 > 24.0 GiB")
    assert "lower ollama.memory_request_gib" in found.cure
