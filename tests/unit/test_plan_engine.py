"""The engine's two sides: its share fits the GPU, and what it needs fits its share."""

import pytest

from tests.unit.stacks import CONCURRENT, plan, verdict, verdicts


def test_the_utilisation_is_chosen_beside_the_old_services_and_without_them() -> None:
    assert plan().engine.gpu_memory_utilization == 0.53
    assert plan(legacy=[]).engine.gpu_memory_utilization == 0.75
    assert plan(legacy=[], gpu=CONCURRENT).engine.gpu_memory_utilization == 0.53
    assert plan(engine={"gpu_memory_utilization": 0.4}).engine.gpu_memory_utilization == 0.4


def test_a_model_that_needs_more_gets_more_than_usual() -> None:
    made = plan(
        legacy=[],
        engine={"model": "qwen2.5-32b", "max_model_len": 16384, "also_served_as": []},
    )
    assert made.engine.gpu_memory_utilization > 0.75
    assert made.engine.share_gib >= made.engine.needs_gib
    assert all(one.fits for one in made.verdicts if one.rule.startswith(("vram", "engine")))


def test_a_chosen_utilisation_fits_every_state_for_both_engines() -> None:
    for kind in ("vllm", "sglang"):
        for gpu in ({}, CONCURRENT):
            made = plan(gpu=gpu, engine={"kind": kind})
            assert all(one.fits for one in verdicts(made, "vram-in-every-state")), (kind, gpu)
            assert verdict(made, "engine-fits-its-share").fits, (kind, gpu)


def test_sglang_takes_outside_its_share_what_vllm_takes_inside() -> None:
    vllm, sglang = (plan(engine={"kind": kind}).engine for kind in ("vllm", "sglang"))
    assert sglang.needs_gib < vllm.needs_gib and sglang.outside_gib > vllm.outside_gib
    assert sglang.needs_gib + sglang.outside_gib == pytest.approx(vllm.needs_gib + vllm.outside_gib)


def test_too_small_a_share_is_refused_with_the_share_that_is_enough() -> None:
    found = verdict(plan(engine={"gpu_memory_utilization": 0.2}), "engine-fits-its-share")
    assert not found.fits
    assert found.sum.endswith("> 6.3 GiB (0.20 × 31.36)")
    assert found.cure.startswith("raise engine.gpu_memory_utilization to 0.27, lower")
    healed = plan(engine={"gpu_memory_utilization": 0.27})
    assert verdict(healed, "engine-fits-its-share").fits
    short = plan(engine={"gpu_memory_utilization": 0.26})
    assert not verdict(short, "engine-fits-its-share").fits


def test_more_of_the_gpu_is_no_cure_where_the_others_need_it() -> None:
    made = plan(engine={"model": "qwen2.5-32b", "also_served_as": []})
    found = verdict(made, "engine-fits-its-share")
    assert not found.fits
    assert found.cure.startswith("lower engine.max_model_len")


def test_needs_add_up_to_what_is_compared() -> None:
    engine = plan().engine
    assert engine.needs_gib == pytest.approx(sum(line.gib for line in engine.needs))
    assert engine.share_gib == pytest.approx(0.53 * 31.36)
    assert {line.what for line in engine.needs} >= {"weights", "KV cache of one longest sequence"}


def test_a_context_longer_than_the_model_s_is_refused() -> None:
    made = plan(legacy=[], engine={"max_model_len": 131073, "kv_cache_dtype": "fp8"})
    found = verdict(made, "engine-knows-its-context")
    assert (found.fits, found.cure) == (False, "lower engine.max_model_len to 131072")
    assert verdict(plan(engine={"max_model_len": 131072}), "engine-knows-its-context").fits


@pytest.mark.parametrize("tag", ["v0.8.1", "v0.10.0", "v0.9.1"])
def test_an_engine_version_that_cannot_run_on_the_gpu_is_refused(tag: str) -> None:
    image = f"registry.arunlabs.com/vllm-rtx5090:{tag}"
    found = verdict(plan(engine={"image": image}), "engine-runs-on-gpu")
    assert not found.fits
    assert "12.0 needs vLLM >= 0.9.2 and not 0.10.0" in found.sum
    assert found.cure == "choose an engine.image with a newer engine"


@pytest.mark.parametrize("tag", ["v0.9.2", "v0.10.1", "v0.20.2-cu129"])
def test_a_version_that_runs_there_is_not(tag: str) -> None:
    found = verdict(plan(engine={"image": f"a/vllm:{tag}"}), "engine-runs-on-gpu")
    assert found.fits


def test_an_old_version_runs_on_an_older_card() -> None:
    made = plan(engine={"image": "a/vllm:v0.8.1"}, gpu={"model": "rtx-4090", "budget_gib": None})
    assert verdict(made, "engine-runs-on-gpu").fits
