"""Whether a backend failed a request that somebody else may answer."""

from __future__ import annotations

from litellm._logging import verbose_proxy_logger

from .engine_watch import engine_watch
from .passage import Passage, Reason

SERVER_ERROR = 500
_OVERLOADED = 429
# The caller's key and model name have been looked at before: these are between us and the engine.
_FAULTS_OF_A_BACKEND = (401, 403, 404, 408, _OVERLOADED)


def gives_up(passage: Passage, status: int) -> bool:
    """Give the backend up if it is at fault; what the caller did wrong would be so elsewhere, too.

    False: the answer stands, as nobody is at fault or nobody else is left.
    """
    if not passage.may_give_way:
        return False
    if status < SERVER_ERROR and status not in _FAULTS_OF_A_BACKEND:
        return False
    if passage.at_engine and status != _OVERLOADED:
        engine_watch().request_failed()
    verbose_proxy_logger.error("%s: status %d, asking another", passage.answered_by, status)
    passage.interrupt(Reason.ENGINE_FAILED if passage.at_engine else Reason.VOICE_FAILED)
    return True
