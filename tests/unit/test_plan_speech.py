"""Speech in the plan: a voice by its licence, a Whisper by its speed, routes that stay speech."""

import pytest

from synapse.catalogue import load_catalogue
from synapse.plan.model import Plan
from synapse.plan.served import Route
from synapse.plan.speech import ANSWER_SECONDS, CLIP_SECONDS, WINDOW_SECONDS, clip_seconds
from synapse.settings.problems import SettingsError
from tests.unit.stacks import ACKNOWLEDGED, CONCURRENT, FILE, plan, plan_of, verdict, verdicts

AUDIO = {"audio_speech", "audio_transcription"}


def _routes(made: Plan, phase: int = 4) -> dict[str, Route]:
    return {route.name: route for route in made.gateway.routes_in(phase)}


# ── the voice ─────────────────────────────────────────────────────────────────────────────────


def test_the_forge_s_file_speaks_with_kokoro_until_its_operator_acknowledges_the_licence() -> None:
    made = plan_of(FILE)
    assert (made.speech.wanted, made.speech.voice) == ("xtts-v2", "kokoro")
    assert made.refusals(6) == (), "it fits all phases as it is"
    found = verdict(made, "xtts-licence")
    assert (found.fits, found.severity, found.phases) == (False, "warn", (4, 5, 6))
    assert "CPML" in found.sum and "no commercial use" in found.sum
    assert "licence_acknowledged to { by: <name>, date: <day> }" in found.cure
    assert "speech" not in {state.name for state in made.states}
    with pytest.raises(KeyError):
        made.workload("coqui-tts")
    assert "xtts-v2" not in {one.name for one in made.speech.weights}


def test_acknowledged_it_is_planned_and_says_by_whom() -> None:
    made = plan()
    assert made.speech.voice == "xtts-v2"
    assert made.speech.licence
    assert (made.speech.licence.by, made.speech.licence.on) == ("the operator", "2026-11-22")
    assert verdict(made, "xtts-licence").fits
    assert made.workload("coqui-tts").first_replicas == 0
    assert made.workload("vllm-inference").first_replicas == 1


@pytest.mark.parametrize("missing", ["by", "date"])
def test_an_acknowledgement_names_somebody_and_a_day(missing: str) -> None:
    half = {key: value for key, value in ACKNOWLEDGED.items() if key != missing}
    with pytest.raises(SettingsError, match=f"licence_acknowledged.{missing}"):
        plan(speech={"tts": {"licence_acknowledged": half}})


@pytest.mark.parametrize("kind", ["kokoro", "piper"])
def test_another_voice_needs_no_licence(kind: str) -> None:
    made = plan(speech={"tts": {"kind": kind, "licence_acknowledged": None}})
    assert made.speech.voice == kind
    assert verdicts(made, "xtts-licence") == []
    assert made.workload("speaches").gpus == 0


def test_the_guide_s_piper_is_said_to_be_obsolete() -> None:
    made = plan(speech={"tts": {"kind": "piper"}})
    found = verdict(made, "voice-is-maintained")
    assert (found.fits, found.severity) == (False, "warn")
    assert "no release since August 2024" in found.sum
    pod = made.workload("piper-tts").pod
    assert (pod.cpu_limit, pod.memory_limit_gib) == (4, 4)


# ── Whisper ───────────────────────────────────────────────────────────────────────────────────


def test_on_the_cpu_the_best_that_answers_in_time_is_chosen() -> None:
    stt = plan().speech.stt
    assert (stt.device, stt.model, stt.threads) == ("cpu", "base", 8)
    assert stt.seconds <= ANSWER_SECONDS
    found = verdict(plan(), "stt-answers-in-time")
    assert found.fits and "2.0 s for 10 s" in found.sum and "1 s for 3.84 s of audio" in found.sum


def test_a_clip_costs_a_whole_window() -> None:
    """Whisper fills every clip up to 30 s; a rate of a long file says nothing of a short one."""
    small = load_catalogue().stt_choice("small", "cpu")
    assert small.speed
    rate = small.speed.took_seconds / small.speed.clip_seconds
    assert rate * CLIP_SECONDS < ANSWER_SECONDS < rate * WINDOW_SECONDS
    assert clip_seconds(small, 8) == pytest.approx(rate * WINDOW_SECONDS)


@pytest.mark.parametrize("model", ["large-v3", "large-v3-turbo", "medium", "small"])
def test_a_whisper_that_is_too_slow_is_a_warning_with_one_that_is_not(model: str) -> None:
    made = plan(speech={"stt": {"model": model}})
    found = verdict(made, "stt-answers-in-time")
    assert (found.fits, found.severity) == (False, "warn")
    assert "> 2.0 s for 10 s" in found.sum and model in found.sum
    assert found.cure.startswith("set speech.stt.model to base")
    assert verdict(plan(speech={"stt": {"model": "base"}}), "stt-answers-in-time").fits


def test_fewer_cores_are_slower_and_more_are_no_faster() -> None:
    base = load_catalogue().stt_choice("base", "cpu")
    assert clip_seconds(base, 32) == clip_seconds(base, 4)
    assert clip_seconds(base, 2) == 2 * clip_seconds(base, 4)


def test_where_no_whisper_is_in_time_the_fastest_is_taken_and_said_to_be_late() -> None:
    made = plan(speech={"stt": {"cpu_request": 1, "cpu_limit": 1}})
    assert made.speech.stt.model == "tiny"
    found = verdict(made, "stt-answers-in-time")
    assert not found.fits and found.cure.startswith("raise speech.stt.cpu_limit")


def test_taking_turns_whisper_stays_on_the_cpu() -> None:
    assert plan().speech.stt.device == "cpu"
    refused = verdict(plan(speech={"stt": {"device": "gpu"}}), "gpu-count", "'chat+stt'")
    assert not refused.fits
    assert refused.cure == "set speech.stt.device to cpu or set gpu.sharing to concurrent"


def test_together_whisper_takes_the_gpu_where_there_is_room() -> None:
    full = plan(gpu=CONCURRENT)
    assert full.speech.stt.device == "cpu", "the engine was given all that is left"
    roomy = plan(gpu=CONCURRENT, engine={"gpu_memory_utilization": 0.35}, legacy=[])
    assert (roomy.speech.stt.device, roomy.speech.stt.model) == ("gpu", "large-v3")
    assert roomy.gpu.devices == 3
    (state,) = [one for one in roomy.states if one.name == "chat+speech+stt"]
    assert {one.workload for one in state.members} == {"vllm-inference", "coqui-tts", "speaches"}
    assert all(one.fits for one in verdicts(roomy, "vram-in-every-state"))


def test_on_the_gpu_whisper_counts_in_every_state_and_the_engine_makes_room() -> None:
    made = plan(gpu=CONCURRENT, speech={"stt": {"device": "gpu"}}, legacy=[])
    beside = plan(gpu=CONCURRENT, legacy=[])
    assert made.engine.gpu_memory_utilization < beside.engine.gpu_memory_utilization
    late = [state for state in made.states if 4 in state.phases]
    assert late and all("speaches" in {m.workload for m in state.members} for state in late)
    assert all(one.fits for one in verdicts(made, "vram-in-every-state"))
    assert all(one.fits for one in verdicts(made, "vram-in-every-transition"))


@pytest.mark.parametrize(
    ("stt", "named"),
    [({"model": "enormous"}, "enormous"), ({"model": "base", "device": "gpu"}, "base")],
)
def test_an_unknown_whisper_is_refused_with_those_that_are_known(
    stt: dict[str, str], named: str
) -> None:
    with pytest.raises(SettingsError, match=rf"speech.stt.model.*{named}.*large-v3"):
        plan(speech={"stt": stt})


def test_a_model_larger_than_its_limit_is_refused() -> None:
    small = {"model": "large-v3", "memory_request_gib": 1, "memory_limit_gib": 2}
    found = verdict(plan(speech={"stt": small}), "stt-fits-its-limit")
    assert (found.fits, found.severity) == (False, "refuse")
    assert found.sum == "large-v3 2.2 > 2.0 GiB"


# ── files and routes ──────────────────────────────────────────────────────────────────────────


def test_the_files_of_speech_lie_on_their_volume() -> None:
    (volume,) = [one for one in plan().volumes if one.claim == "speech-models"]
    assert [line.what for line in volume.lines] == [
        "whisper-base-cpu-int8",
        "kokoro-82m",
        "xtts-v2",
    ]
    assert volume.sum_gib < volume.usable_gib
    tight = plan(speech={"volume_gib": 2})
    assert not verdict(tight, "disk-volume", "'speech-models'").fits


def test_the_names_of_voices_go_to_xtts_and_fall_back_to_kokoro() -> None:
    routes = _routes(plan())
    for name in ("xtts-v2", "tts-1"):
        assert (routes[name].backend, routes[name].fallback) == ("coqui", "kokoro")
    assert (routes["kokoro"].backend, routes["kokoro"].fallback) == ("speaches", None)
    for name in ("faster-whisper", "whisper-1"):
        assert routes[name].backend == "speaches"
        assert routes[name].model == plan().speech.stt.repository


def test_without_xtts_its_names_are_kokoro_s() -> None:
    routes = _routes(plan_of(FILE))
    for name in ("xtts-v2", "tts-1", "kokoro"):
        assert routes[name].backend == "speaches"
        assert routes[name].model == "speaches-ai/Kokoro-82M-v1.0-ONNX"


def test_piper_answers_openai_s_name_and_never_that_of_xtts() -> None:
    routes = _routes(plan(speech={"tts": {"kind": "piper"}}))
    assert (routes["tts-1"].backend, routes["tts-1"].fallback) == ("piper", "kokoro")
    assert routes["xtts-v2"].backend == "speaches"


@pytest.mark.parametrize("kind", ["xtts-v2", "kokoro", "piper"])
def test_a_fallback_answers_the_same_kind_of_request(kind: str) -> None:
    routes = _routes(plan(speech={"tts": {"kind": kind}}))
    for route in routes.values():
        if route.fallback:
            assert routes[route.fallback].mode == route.mode, route.name


def test_speech_is_routed_from_its_own_phase_on() -> None:
    made = plan()
    assert not [name for name, route in _routes(made, 3).items() if route.mode in AUDIO]
    assert {name for name, route in _routes(made, 4).items() if route.mode in AUDIO} == {
        "xtts-v2",
        "tts-1",
        "kokoro",
        "faster-whisper",
        "whisper-1",
    }


@pytest.mark.parametrize("kind", ["xtts-v2", "kokoro", "piper"])
def test_every_voice_of_openai_s_has_one_at_each_server(kind: str) -> None:
    openai = set(load_catalogue().voices_of("coqui").openai)
    for route in _routes(plan(speech={"tts": {"kind": kind}})).values():
        if route.mode != "audio_speech":
            assert (route.voice, route.voices) == (None, {})
            continue
        own = set(load_catalogue().voices_of(route.backend).own)
        assert route.voice in own
        assert set(route.voices.values()) <= own
        assert openai <= set(route.voices) | own
