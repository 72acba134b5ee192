"""The plan: what fits and what does not, with the sum and the cure in words."""

from itertools import pairwise

import pytest

from synapse import names
from synapse.plan import phases
from synapse.plan.model import Plan, WorkloadKind
from synapse.settings.load import parse
from synapse.settings.workloads import Engine
from tests.unit.stacks import forge, plan, plan_of, verdict, verdicts

CONCURRENT = {"sharing": "concurrent"}


# ── the forge as it is ────────────────────────────────────────────────────────────────────────


def test_the_forge_fits_in_all_phases_states_and_transitions() -> None:
    made = plan()
    assert [one for one in made.verdicts if not one.fits] == []
    assert {phase for one in made.verdicts for phase in one.phases} == set(phases.NUMBERS)
    for rule in ("planned", "limits", "requests"):
        judged = verdicts(made, f"ram-{rule}")
        assert {one.phases[0] for one in judged} == set(phases.NUMBERS)


@pytest.mark.parametrize("phase", phases.NUMBERS)
def test_the_forge_fits_at_each_phase(phase: int) -> None:
    assert plan(phase=phase).refusals(phase) == ()


def test_the_forge_s_gpu_states_are_these() -> None:
    states = {
        state.name: (state.phases, [member.workload for member in state.members])
        for state in plan().states
    }
    assert states == {
        "legacy": ((1,), ["vllm/vllm", "tts/tts-inference"]),
        "chat+tts-inference": ((2, 3), ["vllm-inference", "tts/tts-inference"]),
        "chat": ((4, 5, 6), ["vllm-inference"]),
        "speech": ((4, 5, 6), ["coqui-tts"]),
    }


def test_the_forge_s_transitions_join_all_states_that_may_follow_each_other() -> None:
    ways = {(way.source, way.target): way.phases for way in plan().transitions}
    assert ways == {
        ("legacy", "chat+tts-inference"): (2,),
        ("chat+tts-inference", "legacy"): (2,),
        ("chat+tts-inference", "chat"): (4,),
        ("chat", "chat+tts-inference"): (4,),
        ("chat+tts-inference", "speech"): (4,),
        ("speech", "chat+tts-inference"): (4,),
        ("chat", "speech"): (4, 5, 6),
        ("speech", "chat"): (4, 5, 6),
    }


def test_no_state_is_held_against_the_nominal_memory() -> None:
    gpu = plan(gpu={"budget_gib": None}).gpu
    assert gpu.total_gib == 31.36
    assert gpu.ceiling_gib == pytest.approx(30.36)
    assert plan(gpu={"budget_gib": 32}).gpu.ceiling_gib == pytest.approx(30.36)
    assert plan().gpu.ceiling_gib == 30


def test_the_ram_budgets_of_the_forge() -> None:
    made = plan()
    limits = {one.kind: one.limit_gib for one in made.ram}
    assert limits == {
        "planned": pytest.approx(156.8),
        "limits": 196,
        "requests": 196,
    }
    for one in made.ram:
        system = [line.gib for line in one.lines if line.what == "system"]
        assert system == ([] if one.kind == "requests" else [27])


def test_only_pods_of_one_state_are_added_up() -> None:
    made = plan()
    by_state = {
        one.state: {line.what for line in one.lines}
        for one in made.ram
        if one.phase == 4 and one.kind == "limits"
    }
    assert "vllm-inference" in by_state["chat"] and "coqui-tts" not in by_state["chat"]
    assert "coqui-tts" in by_state["speech"] and "vllm-inference" not in by_state["speech"]
    assert all("speaches" in pods and "ollama" in pods for pods in by_state.values())


# ── VRAM: states and transitions ──────────────────────────────────────────────────────────────


def test_the_design_s_example_is_refused_with_its_sum_and_both_cures() -> None:
    """The engine's 1.2 GiB outside its share count too, so that 0.53 is left and not 0.57."""
    made = plan(gpu=CONCURRENT, engine={"gpu_memory_utilization": 0.65}, legacy=[])
    found = verdict(made, "vram-in-every-state", "'chat+speech'")
    assert not found.fits and found.phases == (4, 5, 6)
    assert found.sum == (
        "vllm 0.65 × 31.36 + 1.2 outside = 21.6 + coqui-tts 12.0 = 33.6 > 30.0 GiB"
    )
    assert found.cure == (
        "lower engine.gpu_memory_utilization to 0.53 or set gpu.sharing to exclusive"
    )
    outside_gib = made.engine.outside_gib
    assert 0.65 * 31.36 + outside_gib == pytest.approx(21.6, abs=0.05)
    assert 0.53 * 31.36 + outside_gib + 12 <= 30 < 0.54 * 31.36 + outside_gib + 12


@pytest.mark.parametrize(
    "cured", [{"engine": {"gpu_memory_utilization": 0.53}}, {"gpu": {"sharing": "exclusive"}}]
)
def test_each_cure_of_the_example_heals_it(cured: dict[str, dict[str, object]]) -> None:
    sections = {"gpu": CONCURRENT, "engine": {"gpu_memory_utilization": 0.65}} | cured
    made = plan(**sections, legacy=[])
    assert all(one.fits for one in verdicts(made, "vram-in-every-state"))
    assert all(one.fits for one in verdicts(made, "vram-in-every-transition"))


def test_exclusive_is_no_cure_where_speech_is_not_there() -> None:
    made = plan(gpu=CONCURRENT, engine={"gpu_memory_utilization": 0.65})
    found = verdict(made, "vram-in-every-state", "'chat+tts-inference'")
    assert found.cure == (
        "lower engine.gpu_memory_utilization to 0.53 "
        "or scale the old service down earlier (legacy.scaled_down_at)"
    )


def test_what_no_single_key_heals_names_every_key_that_counts() -> None:
    made = plan(
        engine={"model": "qwen2.5-32b"},
        speech={"tts": {"vram_gib": 31}},
        legacy=[],
        gpu=CONCURRENT,
    )
    cure = verdict(made, "vram-in-every-state", "'chat+speech'").cure
    assert cure == (
        "bring them down to 30.0 GiB together: engine.model, engine.weights, speech.tts.vram_gib"
    )


def test_legacy_counts_until_it_is_scaled_down_or_retired() -> None:
    old = {"name": "old", "namespace": "ns", "vram_gib": 5, "memory_gib": 7, "scaled_down_at": 4}

    def phases_of(made: Plan) -> tuple[int, ...]:
        return made.workload("ns/old").phases

    assert phases_of(plan(legacy=[old])) == (1, 2, 3)
    assert phases_of(plan(legacy=[{**old, "scaled_down_at": 2}])) == (1,)
    for gone in ({**old, "retired_on": "2026-11-22"}, {**old, "scaled_down_at": 1}):
        made = plan(legacy=[gone])
        with pytest.raises(KeyError):
            made.workload("ns/old")
        assert {state.name for state in made.states} == {"chat", "speech"}
    lines = {
        one.phase: sum(line.gib for line in one.lines if line.what == "ns/old")
        for one in plan(legacy=[old]).ram
        if one.kind == "limits"
    }
    assert lines == {1: 7, 2: 7, 3: 7, 4: 0, 5: 0, 6: 0}


def test_an_old_service_that_keeps_the_gpu_is_refused() -> None:
    old = {"name": "vllm", "namespace": "vllm", "gpus": 1, "memory_gib": 20, "scaled_down_at": 3}
    made = plan(legacy=[old])
    found = verdict(made, "gpu-count", "'chat+vllm'")
    assert (found.fits, found.phases) == (False, (2,))
    assert found.sum == "vllm-inference 1 + vllm/vllm 1 = 2 > 1 GPU(s)"
    assert "legacy.scaled_down_at" in found.cure and "concurrent" in found.cure
    assert verdict(plan(legacy=[{**old, "scaled_down_at": 2}]), "gpu-count", "'chat'").fits
    shared = plan(legacy=[old], gpu=CONCURRENT)
    assert verdict(shared, "gpu-count", "'chat+vllm'").fits


def test_concurrent_is_no_cure_for_three_claims() -> None:
    old = {"name": "vllm", "namespace": "vllm", "gpus": 1, "memory_gib": 20, "scaled_down_at": 5}
    for gpu in ({}, CONCURRENT):
        refused = [
            one for one in verdicts(plan(legacy=[old], gpu=gpu), "gpu-count") if not one.fits
        ]
        late = [one for one in refused if 4 in one.phases]
        assert late
        assert all("concurrent" not in one.cure for one in late)


def test_an_old_service_called_speech_does_not_hide_a_state() -> None:
    old = {"name": "speech", "namespace": "a", "vram_gib": 1, "memory_gib": 1, "scaled_down_at": 4}
    made = plan(legacy=[old], gpu=CONCURRENT)
    ways = [(way.source, way.target, way.phases) for way in made.transitions]
    assert ("chat+speech", "chat+speech", (4,)) in ways


def test_a_sleeping_engine_keeps_its_residue_in_states_and_transitions() -> None:
    attested = {"attested_by": "me", "attested_on": "2026-11-01", "residue_gib": 2.5}
    made = plan(gpu=CONCURRENT, engine={"sleep_mode": attested}, legacy=[])
    (asleep,) = [state for state in made.states if state.name == "speech, engine asleep"]
    assert asleep.sum_gib == pytest.approx(12 + 2.5)
    engine_gib = made.workload("vllm-inference").vram_gib
    ways = {(way.source, way.target): way for way in made.transitions}
    falls = ways["chat+speech", asleep.name]
    wakes = ways[asleep.name, "chat+speech"]
    assert falls.leaves == wakes.leaves == () and falls.enters == wakes.enters == ()
    assert falls.peak_gib == wakes.peak_gib == pytest.approx(12 + engine_gib)
    from_chat = ways["chat", asleep.name]
    assert from_chat.enters == ("coqui-tts",)
    assert from_chat.peak_gib == pytest.approx(12 + engine_gib), "it sleeps only once it is told to"


def test_a_residue_that_is_too_large_is_refused_with_a_cure_that_helps() -> None:
    attested = {"attested_by": "me", "attested_on": "2026-11-01", "residue_gib": 19}
    made = plan(gpu=CONCURRENT, engine={"sleep_mode": attested}, legacy=[])
    found = verdict(made, "vram-in-every-state", "asleep")
    assert not found.fits
    assert "gpu_memory_utilization" not in found.cure


def test_what_leaves_is_gone_before_anything_enters() -> None:
    for way in plan().transitions:
        states = {state.name: state.sum_gib for state in plan().states}
        assert way.peak_gib == pytest.approx(max(states[way.source], states[way.target]))


# ── the engine: two sides ─────────────────────────────────────────────────────────────────────


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


# ── Ollama ────────────────────────────────────────────────────────────────────────────────────


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


# ── RAM, CPU, quota, disk ─────────────────────────────────────────────────────────────────────


def test_limits_over_the_node_are_refused_with_the_limit_that_is_left() -> None:
    made = plan(ollama={"memory_gib": 110})
    refused = [one for one in verdicts(made, "ram-limits") if not one.fits]
    assert [one.phases for one in refused] == [(3,), (4,), (5,), (6,)]
    assert "ollama 110.0" in refused[2].sum and "system 27.0 = 210.0 > 196.0" in refused[2].sum
    assert refused[2].cure == "lower ollama.memory_gib to 96.0 or another memory limit"
    healed = plan(ollama={"memory_gib": 96})
    assert all(one.fits for one in verdicts(healed, "ram-limits"))


def test_planned_use_is_held_against_its_fraction_of_the_node() -> None:
    made = plan(node={"ram_budget_fraction": 0.4})
    refused = [one for one in verdicts(made, "ram-planned") if not one.fits]
    assert refused and all("> 78.4 GiB" in one.sum and one.cure for one in refused)


def test_requests_are_held_against_what_the_kubelet_offers() -> None:
    made = plan(node={"allocatable_memory_gib": 60})
    refused = [one for one in verdicts(made, "ram-requests") if not one.fits]
    assert refused and all("> 60.0 GiB" in one.sum and one.cure for one in refused)


def test_cpu_requests_are_held_against_the_cores() -> None:
    assert all(one.fits for one in verdicts(plan(node={"cpus": 25.85}), "cpu-requests"))
    refused = [one for one in verdicts(plan(node={"cpus": 20}), "cpu-requests") if not one.fits]
    assert refused and all("> 20 cores" in one.sum and one.cure for one in refused)


def test_the_quota_has_room_for_surge_jobs_and_the_cron_job() -> None:
    made = plan()
    gateway, ollama = made.workload("litellm-proxy"), made.workload("ollama")
    assert (gateway.replicas, gateway.surge) == (2, 1)
    quota = made.phase_plan(4).quota
    # ollama, two pulls, kubectl run, engine, its pull, three replicas, the restart, speaches, pull
    assert quota.pods == 1 + 2 + 1 + 1 + 1 + 3 + 1 + 1 + 1
    jobs = ("ollama-pull", "engine-pull", "speech-pull", "kubectl-run", "litellm-restart")
    small = sum(
        made.workload(name).pod.memory_limit_gib * made.workload(name).pods for name in jobs
    )
    assert quota.memory_limit_gib == pytest.approx(
        ollama.pod.memory_limit_gib + 32 + 3 * gateway.pod.memory_limit_gib + 16 + small
    )
    assert [made.phase_plan(number).quota.gpus for number in (1, 2, 6)] == [0, 1, 1]
    assert plan(gpu=CONCURRENT).phase_plan(4).quota.gpus == 2


def test_the_quota_has_room_for_the_gateway_to_roll_before_speech_has_gone() -> None:
    """The engine updates the quota first, and takes what a lower phase has no more down last."""
    made = plan()
    assert made.phase_plan(3).quota == made.phase_plan(4).quota
    assert made.phase_plan(2).quota != made.phase_plan(3).quota


def test_the_quota_is_of_the_namespace_alone() -> None:
    quotas = [one.quota.memory_limit_gib for one in plan().phases]
    assert quotas == [one.quota.memory_limit_gib for one in plan(legacy=[]).phases]
    assert plan().phase_plan(4).quota == plan().phase_plan(5).quota, "monitoring has its own"


def test_the_quota_of_a_lower_phase_has_room_for_what_a_rollback_takes_down_last() -> None:
    built = [plan().phase_plan(one.number).quota for one in phases.PHASES if one.built]
    assert [quota.gpus for quota in built] == [0, 1, 1], "but for GPUs, which only the engine asks"
    assert len({quota.model_copy(update={"gpus": 0}) for quota in built}) == 1


def test_the_quota_bounds_what_pods_write_on_the_nodes_disk() -> None:
    made = plan()
    services = ("ollama", "vllm-inference", "litellm-proxy")
    jobs = ("ollama-pull", "engine-pull", "kubectl-run", "litellm-restart")
    assert made.phase_plan(3).quota.ephemeral_storage_gib == pytest.approx(
        sum(
            made.workload(name).pod.ephemeral_storage_gib * made.workload(name).pods
            for name in (*services, *jobs)
        )
    )


def test_quotas_never_shrink_with_the_phase() -> None:
    quotas = [phase.quota for phase in plan().phases]
    for before, after in pairwise(quotas):
        assert before.memory_limit_gib <= after.memory_limit_gib
        assert before.cpu_request <= after.cpu_request
        assert before.pods <= after.pods


def test_files_have_to_fit_their_volume_with_headroom() -> None:
    made = plan(ollama={"volume_gib": 8})
    found = verdict(made, "disk-volume", "'ollama-models'")
    assert not found.fits and "> 6.4 GiB (80 % of 8)" in found.sum
    assert found.cure == "raise the volume's size or pull fewer models"
    assert verdict(plan(ollama={"volume_gib": 9}), "disk-volume", "ollama").fits
    assert not verdict(plan(engine={"cache_volume_gib": 6}), "disk-volume", "huggingface").fits


def test_all_claims_have_to_fit_the_node_s_disk() -> None:
    found = verdict(plan(node={"storage_gib": 300}), "disk-node")
    assert not found.fits and found.cure
    assert found.sum.endswith("= 330.0 > 300.0 GiB")
    assert verdict(plan(node={"storage_gib": 330}), "disk-node").fits


# ── routes, and the plan as a whole ───────────────────────────────────────────────────────────


def test_public_names_go_to_the_engine_and_fall_back_to_ollama() -> None:
    gateway = plan().gateway
    routes = {route.name: route for route in gateway.routes}
    assert list(routes)[:3] == ["llama-3.2-8b", "llama3.2:3b", "llama3.1:8b"]
    assert routes["llama-3.2-8b"].backend == "engine"
    assert routes["llama-3.2-8b"].fallback == gateway.default_route == "llama3.1:8b"
    assert routes["llama-3.2-8b"].model in plan().engine.served_names
    assert {routes[tag].backend for tag in ("llama3.2:3b", "llama3.1:8b")} == {"ollama"}


def test_an_embedding_model_is_routed_as_one() -> None:
    models = ["llama3.1:8b", "nomic-embed-text"]
    routes = plan(ollama={"models": models}).gateway.routes_in(phases.GATEWAY)
    modes = {route.name: route.mode for route in routes}
    assert modes == {"llama-3.2-8b": "chat", "llama3.1:8b": "chat", "nomic-embed-text": "embedding"}


def test_every_fixed_name_is_kept_from_the_engine_s_service() -> None:
    made = plan()
    fixed = {
        one.name
        for one in made.workloads
        if one.kind is not WorkloadKind.LEGACY and one.name != made.engine.service
    }
    chosen = plan(speech={"tts": {"kind": "piper"}}, gpu={"device_plugin": "stack"}).workloads
    fixed |= {one.name for one in chosen if one.kind is not WorkloadKind.LEGACY}
    assert fixed - {made.engine.service} == set(names.ALL)


def test_workload_names_differ() -> None:
    found = [one.name for one in plan().workloads]
    assert len(found) == len(set(found))


def test_only_phases_1_to_4_are_built() -> None:
    assert [phase.built for phase in plan().phases] == [True, True, True, True, False, False]


def test_a_later_phase_s_refusal_does_not_refuse_an_earlier_one() -> None:
    made = plan(speech={"stt": {"memory_request_gib": 6, "memory_limit_gib": 90}})
    assert made.refusals(3) == ()
    assert made.refusals(4) != ()


def test_what_is_left_out_is_the_same_as_what_is_written() -> None:
    """The defaults of the settings are those that FORGE.md names."""
    config = forge(engine={"cpu_limit": None, "max_model_len": None})
    assert plan_of(config) == plan()
    assert Engine().service_name == parse(config).engine.service_name == "vllm-inference"
