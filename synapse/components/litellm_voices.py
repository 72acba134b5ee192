"""Runs inside LiteLLM: each speech server is asked for a voice that it has, and for speech alone.

The voices of a deployment stand in its `model_info`, so a fallback to another server is mapped
again. A name that is no voice's or transcriber's is refused at once: behind the name for all others
stands a chat model.
"""

from typing import Any, Final

from fastapi import HTTPException
from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy import proxy_server

_MODES: Final = {"aspeech": "audio_speech", "transcription": "audio_transcription"}
_NOT_FOUND: Final = 404


class Voices(CustomLogger):  # type: ignore[misc]  # LiteLLM is not installed here
    """Guards the requests for speech, and translates their voices."""

    async def async_pre_call_hook(
        self, user_api_key_dict: object, cache: object, data: dict[str, Any], call_type: str
    ) -> None:
        """Refuse a request for speech that names something else."""
        del user_api_key_dict, cache
        wanted = _MODES.get(call_type)
        if wanted is None:
            return
        known = sorted(
            entry["model_name"]
            for entry in proxy_server.llm_router.model_list
            if entry["model_info"].get("mode") == wanted
        )
        if data.get("model") not in known:
            raise HTTPException(
                _NOT_FOUND,
                {"error": f"no {wanted} model {data.get('model')!r}; there are {', '.join(known)}"},
            )

    async def async_pre_call_deployment_hook(
        self, kwargs: dict[str, Any], call_type: object
    ) -> dict[str, Any] | None:
        """Map the voice by the deployment's own list; another name gets its default."""
        del call_type
        known = (kwargs.get("model_info") or {}).get("voices")
        if not known:
            return None
        return {**kwargs, "voice": known["names"].get(kwargs.get("voice"), known["default"])}


voices = Voices()
