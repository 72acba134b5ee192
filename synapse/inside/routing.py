"""Which route answers a request: the one asked for, the engine's stand-in, or the default."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import HTTPException
from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy._types import UserAPIKeyAuth

from .engine_watch import engine_watch
from .fault import SERVER_ERROR, gives_up
from .passage import OTHER_NAME, PASSAGE, Passage, Reason
from .told import BackendVoices, Told, told

# A text model must not answer for speech, and its vectors do not fit another model's index.
_CHAT_CALLS = frozenset(
    {"completion", "acompletion", "text_completion", "atext_completion", "responses", "aresponses"}
    | {"anthropic_messages", "aanthropic_messages"}
)
_MODES_OF_AUDIO_CALLS = {"aspeech": "audio_speech", "transcription": "audio_transcription"}
_AUDIO_MODES = frozenset(_MODES_OF_AUDIO_CALLS.values())
_LONGEST_SHOWN = 100


def choose(
    wanted: Told, name: str, call: str, *, engine_up: bool, voice_up: bool
) -> tuple[str, Reason | None] | None:
    """The route for a name, and why it is another one; None: nobody may answer this name."""
    mode = wanted.modes.get(name)
    if mode is None:
        if wanted.unknown_models == "reject" or call not in _CHAT_CALLS:
            return None
        return wanted.default_route, Reason.UNKNOWN_MODEL
    if not _serves(mode, call):
        return None
    if name in wanted.engine_fallbacks and not engine_up:
        return wanted.engine_fallbacks[name], Reason.ENGINE_DOWN
    if name in wanted.voice_fallbacks and not voice_up:
        return wanted.voice_fallbacks[name], Reason.VOICE_FAILED
    return name, None


def _serves(mode: str, call: str) -> bool:
    """Speech is asked of voices, transcripts of transcribers, and nothing else is of either."""
    if call in _MODES_OF_AUDIO_CALLS:
        return mode == _MODES_OF_AUDIO_CALLS[call]
    return mode not in _AUDIO_MODES


class Routing(CustomLogger):
    """LiteLLM's callback."""

    async def async_pre_call_hook(
        self,
        user_api_key_dict: UserAPIKeyAuth,  # noqa: ARG002  LiteLLM passes it by name
        cache: Any,  # noqa: ANN401, ARG002  LiteLLM passes it by name
        data: dict[str, Any],
        call_type: str,
    ) -> dict[str, Any]:
        """Put the route that is to answer in place of the name, and a voice that it has.

        Raises:
            HTTPException: 404, nobody may answer this name.
        """
        if (log := data.get("litellm_logging_obj")) is not None:
            # LiteLLM leaves its record of a success to whoever claims it. Nobody reads it, and
            # making it would take an eighth of all of its time.
            log.claim_async_success_log()
        name = data.get("model")
        if isinstance(name, str):
            route = _route(PASSAGE.get(), name, call_type, streams=bool(data.get("stream")))
            data["model"] = route
            if voices := told().voices.get(route):
                data["voice"] = voice_of(voices, data.get("voice"))
        return data

    async def async_log_failure_event(
        self,
        kwargs: dict[str, Any],
        response_obj: object,  # noqa: ARG002  LiteLLM passes it by name
        start_time: object,  # noqa: ARG002
        end_time: object,  # noqa: ARG002
    ) -> None:
        """Leave LiteLLM with a failure that somebody else makes good.

        To tell it at length, in its log and in an answer that nobody gets, would take it longer
        than the failed call did.
        """
        status = getattr(kwargs.get("exception"), "status_code", SERVER_ERROR)
        if gives_up(PASSAGE.get(), status):
            await asyncio.get_running_loop().create_future()  # the edge ends it


def voice_of(voices: BackendVoices, name: object) -> str:
    """The server's own name for a voice; its default for one that it does not have."""
    known = voices["names"].get(name) if isinstance(name, str) else None
    return known or voices["default"]


def _route(passage: Passage, name: str, call: str, *, streams: bool) -> str:
    wanted, watch = told(), engine_watch()
    passage.asked_for = name if name in wanted.modes else OTHER_NAME
    first = passage.avoid is None
    chosen = choose(wanted, name, call, engine_up=watch.up and first, voice_up=first)
    if chosen is None:
        shown = name if name.isprintable() and len(name) <= _LONGEST_SHOWN else "of that name"
        raise HTTPException(404, f"The model `{shown}` does not exist; see GET /v1/models.")
    passage.answered_by, passage.reason = chosen
    if passage.reason is Reason.ENGINE_DOWN and passage.avoid is not None:
        passage.reason = passage.avoid
    passage.at_voice = passage.answered_by in wanted.voice_fallbacks
    if passage.answered_by in wanted.engine_fallbacks:
        watch.sent(passage)
        if streams:
            asyncio.get_running_loop().call_later(
                wanted.first_token_seconds, passage.interrupt, Reason.ENGINE_SLOW
            )
    return passage.answered_by


hooks = Routing()
