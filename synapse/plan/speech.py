"""Speech's part of the plan: which voice is deployed, and which Whisper answers in time, where."""

import math

from synapse.catalogue import Catalogue, SpeechModel
from synapse.plan.model import GpuBudget
from synapse.plan.served import EnginePlan, Licence, SpeechPlan, SpeechWeights, SttPlan
from synapse.settings.machine import Sharing
from synapse.settings.settings import Settings
from synapse.settings.workloads import SttDevice, VoiceKind

CLIP_SECONDS, ANSWER_SECONDS = 10, 2
"""The implementation plan's bound on speech to text: 10 s of audio in 2 s."""
WINDOW_SECONDS = 30
"""Whisper fills up every clip to this length, so a shorter one costs as much."""
USEFUL_THREADS = 4
"""More threads than these bring one request nothing: SYSTRAN/faster-whisper#1073 and #1397,
SubtitleEdit#6816 (266 s on 4 threads, 262 on 8, 281 on 16)."""

_IMAGES = {"cpu": "speaches", "gpu": "speaches-cuda"}


def deployed_voice(settings: Settings) -> VoiceKind:
    """The wanted voice; Kokoro alone where nobody has acknowledged the licence of XTTS."""
    tts = settings.speech.tts
    unlicensed = tts.kind is VoiceKind.XTTS and tts.licence_acknowledged is None
    return VoiceKind.KOKORO if unlicensed else tts.kind


def vram_beside_engine_gib(settings: Settings, catalogue: Catalogue) -> float:
    """VRAM of the speech workloads that the config puts on the GPU together with the engine."""
    tts, stt = settings.speech.tts, settings.speech.stt
    together = settings.gpu.sharing is Sharing.CONCURRENT
    voice_gib = tts.vram_gib if together and deployed_voice(settings) is VoiceKind.XTTS else 0.0
    on_gpu = stt.device is SttDevice.GPU
    return voice_gib + (_vram_gib(_chosen(settings, catalogue, "gpu")) if on_gpu else 0.0)


def plan_speech(
    settings: Settings, catalogue: Catalogue, gpu: GpuBudget, engine: EnginePlan, others_gib: float
) -> SpeechPlan:
    """Plan speech beside an engine that leaves `others_gib` of VRAM to others."""
    tts, voice = settings.speech.tts, deployed_voice(settings)
    stt = _stt(settings, catalogue, _device(settings, catalogue, gpu, engine, others_gib))
    kokoro = catalogue.speech_model("kokoro-82m")
    wanted = {
        VoiceKind.XTTS: [catalogue.speech_model("xtts-v2")],
        VoiceKind.PIPER: [catalogue.speech_model("piper")],
        VoiceKind.KOKORO: [],
    }[voice]
    acknowledged = tts.licence_acknowledged if voice is VoiceKind.XTTS else None
    whisper = catalogue.stt_choice(stt.model, stt.device)
    return SpeechPlan(
        wanted=tts.kind.value,
        voice=voice.value,
        licence=acknowledged and Licence(by=acknowledged.by, on=acknowledged.date.isoformat()),
        coqui_image=tts.image or catalogue.image("coqui-tts").reference,
        piper_image=settings.speech.piper.image or catalogue.image("piper-tts").reference,
        stt=stt,
        kokoro=_repository(kokoro),
        weights=tuple(
            SpeechWeights(name=one.name, repository=_repository(one), gib=one.disk_gib)
            for one in (whisper, kokoro, *wanted)
        ),
    )


def _device(
    settings: Settings, catalogue: Catalogue, gpu: GpuBudget, engine: EnginePlan, others_gib: float
) -> str:
    """The device of the config; `auto` takes the GPU where every state leaves room for it."""
    wanted = settings.speech.stt
    if wanted.device is not SttDevice.AUTO:
        return wanted.device.value
    if settings.gpu.sharing is not Sharing.CONCURRENT:
        return "cpu"  # taking turns, a GPU pod has the device for itself
    if wanted.model and wanted.model not in _names(catalogue, "gpu"):
        return "cpu"
    if wanted.model and wanted.model not in _names(catalogue, "cpu"):
        return "gpu"
    taken_gib = engine.share_gib + engine.outside_gib + others_gib
    needed_gib = _vram_gib(_chosen(settings, catalogue, "gpu"))
    return "gpu" if taken_gib + needed_gib <= gpu.ceiling_gib else "cpu"


def _names(catalogue: Catalogue, device: str) -> list[str | None]:
    return [one.choice for one in catalogue.stt_choices(device)]


def _chosen(settings: Settings, catalogue: Catalogue, device: str) -> SpeechModel:
    """The config's Whisper; else the best that answers in time, else the fastest."""
    wanted = settings.speech.stt
    if wanted.model is not None:
        return catalogue.stt_choice(wanted.model, device)
    known = catalogue.stt_choices(device)
    in_time = [one for one in known if clip_seconds(one, wanted.cpu_limit) <= ANSWER_SECONDS]
    return (
        in_time[0] if in_time else min(known, key=lambda one: clip_seconds(one, wanted.cpu_limit))
    )


def clip_seconds(model: SpeechModel, cores: float) -> float:
    """What a clip that fills no window takes: a whole window, by the published figure.

    Fewer cores than the useful ones slow it down in proportion; more bring nothing.
    """
    speed = model.speed
    if speed is None:
        return math.inf
    window_seconds = speed.took_seconds * min(1.0, WINDOW_SECONDS / speed.clip_seconds)
    threads = min(USEFUL_THREADS, speed.threads or USEFUL_THREADS)
    return window_seconds * (max(1.0, threads / cores) if model.device == "cpu" else 1.0)


def _formula(model: SpeechModel, cores: float) -> str:
    speed = model.speed
    if speed is None:
        return f"{model.choice} on the {model.device}: nobody published its speed"
    on = f"{speed.machine}, {speed.threads} threads" if speed.threads else speed.machine
    known = f"{speed.took_seconds:g} s for {speed.clip_seconds:g} s of audio on {on}"
    window = (
        f"a window of {WINDOW_SECONDS} s" if speed.clip_seconds > WINDOW_SECONDS else "a window"
    )
    slower = f" on {cores:g} cores" if cores < USEFUL_THREADS and model.device == "cpu" else ""
    return (
        f"{model.choice} on the {model.device}: {known}, so {window}{slower} takes "
        f"{clip_seconds(model, cores):.1f} s"
    )


def _stt(settings: Settings, catalogue: Catalogue, device: str) -> SttPlan:
    wanted = settings.speech.stt
    model = _chosen(settings, catalogue, device)
    return SttPlan(
        image=wanted.image or catalogue.image(_IMAGES[device]).reference,
        device="gpu" if device == "gpu" else "cpu",
        model=model.choice or model.name,
        repository=_repository(model),
        compute_type=model.compute_type,
        threads=max(1, math.floor(wanted.cpu_limit)),
        vram_gib=_vram_gib(model) if device == "gpu" else 0.0,
        ram_gib=model.ram_gib or 0.0,
        seconds=clip_seconds(model, wanted.cpu_limit),
        formula=_formula(model, wanted.cpu_limit),
    )


def _vram_gib(model: SpeechModel) -> float:
    return model.vram_gib or 0.0


def _repository(model: SpeechModel) -> str:
    return model.hugging_face or model.name
