"""Phase 4 on the real proxy: each voice by its server's own name, Kokoro while XTTS is away."""

from collections.abc import Iterator

import pytest
from openai import NotFoundError, OpenAI

from synapse.catalogue import load_catalogue
from synapse.plan.build import make_plan
from synapse.settings.settings import Settings
from synapse.settings.workloads import LicenceAcknowledgement
from tests.gateway.caller import Caller, Said
from tools.gateway.forge import FALLBACK_HEADER, KEY, Gateway, running_gateway
from tools.gateway.stubs import WORDS, Failure, Stub

SPEECH = "/v1/audio/speech"
KOKORO, WHISPER = "speaches-ai/Kokoro-82M-v1.0-ONNX", "Systran/faster-whisper-base"


@pytest.fixture(scope="module")
def _speaking(
    forge_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """The forge's gateway at phase 4, the licence of XTTS acknowledged."""
    licence = LicenceAcknowledgement.model_validate({"by": "Ada Lovelace", "date": "2026-01-31"})
    tts = forge_settings.speech.tts.model_copy(update={"licence_acknowledged": licence})
    speech = forge_settings.speech.model_copy(update={"tts": tts})
    settings = forge_settings.model_copy(update={"phase": 4, "speech": speech})
    plan = make_plan(settings, load_catalogue())
    with running_gateway(plan, tmp_path_factory.mktemp("speaking")) as gateway:
        yield gateway


@pytest.fixture
def speaking(_speaking: Gateway) -> Gateway:
    """It runs, with both servers of voices up."""
    for stub in (_speaking.coqui, _speaking.speaches, _speaking.engine, _speaking.ollama):
        stub.revive()
        stub.seen.clear()
    return _speaking


@pytest.fixture
def openai(speaking: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{speaking.proxy.url}/v1", api_key=KEY, max_retries=0) as one:
        yield one


def _say(gateway: Gateway, model: str, **more: object) -> Said:
    return Caller(gateway).post(SPEECH, {"model": model, "input": "Hello.", **more})


def _asked(stub: Stub) -> list[tuple[object, object]]:
    return [(body.get("model"), body.get("voice")) for _, body in stub.seen]


@pytest.mark.parametrize(
    ("model", "voice", "asked"),
    [
        ("xtts-v2", "onyx", {"coqui": ("xtts-v2", "Viktor Menelaos")}),
        ("tts-1", "Ana Florence", {"coqui": ("xtts-v2", "Ana Florence")}),
        ("tts-1", "af_heart", {"coqui": ("xtts-v2", "Claribel Dervla")}),
        ("kokoro", "onyx", {"speaches": (KOKORO, "am_onyx")}),
        ("kokoro", "nobody's", {"speaches": (KOKORO, "af_heart")}),
    ],
)
def test_a_voice_is_asked_for_by_its_servers_own_name(
    speaking: Gateway, openai: OpenAI, model: str, voice: str, asked: dict[str, tuple[str, str]]
) -> None:
    spoken = openai.audio.speech.create(model=model, voice=voice, input="Hello.")
    assert spoken.content.startswith(b"RIFF")
    assert FALLBACK_HEADER not in spoken.response.headers
    seen = {"coqui": _asked(speaking.coqui), "speaches": _asked(speaking.speaches)}
    assert seen == {"coqui": [], "speaches": []} | {name: [one] for name, one in asked.items()}


def test_a_missing_voice_is_the_servers_default(speaking: Gateway) -> None:
    assert _say(speaking, "xtts-v2").status == 200
    assert _asked(speaking.coqui) == [("xtts-v2", "Claribel Dervla")]


@pytest.mark.parametrize("how", ["away", Failure.ERROR_500, Failure.ERROR_503], ids=str)
@pytest.mark.parametrize("model", ["xtts-v2", "tts-1"])
def test_kokoro_speaks_while_xtts_does_not(
    speaking: Gateway, model: str, how: str | Failure
) -> None:
    if isinstance(how, Failure):
        speaking.coqui.failure = how
    else:
        speaking.coqui.kill()
    said = _say(speaking, model, voice="onyx")
    assert (said.status, said.reason) == (200, "voice-failed"), said.answer.body
    assert said.answer.body.startswith(b"RIFF")
    assert _asked(speaking.speaches) == [(KOKORO, "am_onyx")], "by its own name of that voice"
    assert len(speaking.coqui.seen) <= 1, "it is asked once"


def test_xtts_is_asked_again_as_soon_as_it_is_back(speaking: Gateway) -> None:
    speaking.coqui.kill()
    assert _say(speaking, "tts-1").reason == "voice-failed"
    speaking.coqui.revive()
    assert _say(speaking, "tts-1").reason is None


def test_a_voice_that_is_away_says_nothing_about_the_engine(speaking: Gateway) -> None:
    speaking.coqui.kill()
    assert _say(speaking, "tts-1").status == 200
    assert Caller(speaking).chat().reason is None


def test_where_nobody_speaks_it_is_an_error_and_no_chat(speaking: Gateway) -> None:
    speaking.coqui.kill()
    speaking.speaches.kill()
    assert _say(speaking, "tts-1").status >= 500
    assert speaking.ollama.seen == speaking.engine.seen == []


def test_speech_becomes_text(speaking: Gateway, openai: OpenAI) -> None:
    heard = openai.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"RIFF"))
    assert heard.text == " ".join(WORDS)
    ((path, _),) = speaking.speaches.seen
    assert path == "/v1/audio/transcriptions"


@pytest.mark.parametrize("model", ["anything", "llama-3.2-8b", "whisper-1"])
def test_what_does_not_speak_is_not_asked_to(speaking: Gateway, model: str) -> None:
    said = _say(speaking, model, voice="onyx")
    assert said.status == 404
    assert model in said.answer.body.decode()


@pytest.mark.parametrize("model", ["anything", "llama3.1:8b", "tts-1"])
def test_what_does_not_transcribe_is_not_asked_to(openai: OpenAI, model: str) -> None:
    with pytest.raises(NotFoundError, match=model):
        openai.audio.transcriptions.create(model=model, file=("a.wav", b"RIFF"))


@pytest.mark.parametrize("model", ["tts-1", "whisper-1"])
def test_a_voice_does_not_chat(speaking: Gateway, model: str) -> None:
    assert Caller(speaking).chat(model).status == 404


def test_the_list_of_models_has_the_voices(speaking: Gateway, openai: OpenAI) -> None:
    listed = {model.id for model in openai.models.list()}
    assert listed == {route.name for route in speaking.plan.gateway.routes}
    assert {"xtts-v2", "tts-1", "kokoro", "faster-whisper", "whisper-1"} <= listed
