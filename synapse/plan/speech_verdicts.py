"""What the plan says of speech beside its memory: answers in time, a licence, what is obsolete."""

from collections.abc import Iterator

from synapse.catalogue import Catalogue
from synapse.names import PIPER, STT, TTS
from synapse.plan import phases
from synapse.plan.model import Verdict, Workload
from synapse.plan.served import SpeechPlan
from synapse.plan.speech import ANSWER_SECONDS, CLIP_SECONDS, clip_seconds
from synapse.settings.settings import Settings


def speech_verdicts(
    speech: SpeechPlan, workloads: tuple[Workload, ...], settings: Settings, catalogue: Catalogue
) -> Iterator[Verdict]:
    """Whether Whisper answers in time and fits its limit, and whether the wanted voice is there."""
    applies = phases.from_phase(phases.SPEECH)
    yield _in_time(speech, settings, catalogue)
    limit_gib = next(one.pod.memory_limit_gib for one in workloads if one.name == STT)
    fits = speech.stt.ram_gib <= limit_gib
    yield Verdict(
        rule="stt-fits-its-limit",
        scope=STT,
        phases=applies,
        fits=fits,
        sum=f"{speech.stt.model} {speech.stt.ram_gib:.1f} {'≤' if fits else '>'} "
        f"{limit_gib:.1f} GiB",
        cure=""
        if fits
        else "raise speech.stt.memory_limit_gib, or name a smaller speech.stt.model",
    )
    if speech.wanted == "xtts-v2":
        yield _licence(speech, catalogue)
    if speech.wanted == "piper":
        obsolete = catalogue.speech_model("piper").obsolete
        yield Verdict(
            rule="voice-is-maintained",
            scope=PIPER,
            phases=applies,
            severity="warn",
            fits=False,
            sum=f"{obsolete}",
            cure="set speech.tts.kind to kokoro or xtts-v2",
        )


def _in_time(speech: SpeechPlan, settings: Settings, catalogue: Catalogue) -> Verdict:
    stt, cores = speech.stt, settings.speech.stt.cpu_limit
    fits = stt.seconds <= ANSWER_SECONDS
    held = [
        one.choice
        for one in catalogue.stt_choices(stt.device)
        if clip_seconds(one, cores) <= ANSWER_SECONDS
    ]
    smaller = f"set speech.stt.model to {held[0]}" if held else "raise speech.stt.cpu_limit"
    return Verdict(
        rule="stt-answers-in-time",
        scope=STT,
        phases=phases.from_phase(phases.SPEECH),
        severity="warn",
        fits=fits,
        sum=f"{stt.formula} {'≤' if fits else '>'} {ANSWER_SECONDS:.1f} s for {CLIP_SECONDS} s",
        cure="" if fits else f"{smaller}, or speech.stt.device to gpu with gpu.sharing concurrent",
    )


def _licence(speech: SpeechPlan, catalogue: Catalogue) -> Verdict:
    licence = catalogue.speech_model("xtts-v2").licence
    known = speech.licence
    terms = f"XTTS's weights are under {licence}, which allows no commercial use"
    return Verdict(
        rule="xtts-licence",
        scope=TTS,
        phases=phases.from_phase(phases.SPEECH),
        severity="warn",
        fits=known is not None,
        sum=f"{terms}: acknowledged by {known.by} on {known.on}"
        if known
        else f"{terms}, and nobody has acknowledged that: kokoro alone speaks, {TTS} is not "
        "deployed and its weights are not downloaded",
        cure=""
        if known
        else "set speech.tts.licence_acknowledged to { by: <name>, date: <day> }, "
        "or speech.tts.kind to kokoro",
    )
