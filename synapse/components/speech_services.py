"""The Services of the speech servers, by the backend's name in the plan's routes."""

from typing import Final

from synapse.names import PIPER, STT, TTS

SERVICE_PORT: Final = 8000
GUIDE_PIPER_PORT: Final = 8003  # the deployment guide's

SPEECH_SERVICES: Final = {
    "coqui": (TTS, SERVICE_PORT),
    "speaches": (STT, SERVICE_PORT),
    "piper": (PIPER, GUIDE_PIPER_PORT),
}
"""Name and port."""
