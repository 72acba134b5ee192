"""Who may call: whoever brings an accepted key. Everybody else gets one and the same 401."""

from __future__ import annotations

import hmac
from hashlib import sha256

from fastapi import Request
from litellm.proxy._types import LitellmUserRoles, ProxyException, UserAPIKeyAuth

from .told import accepted_keys

_BEARER = "Bearer "
_MESSAGE = "No accepted key: send `Authorization: Bearer <key>`."
_OWNER = "synapse"
"""Stands for every caller in what LiteLLM records: no part of a key does."""

# How clients of OpenAI, Azure, Anthropic and Google send a key.
KEY_HEADERS = ("authorization", "api-key", "x-api-key", "x-goog-api-key")


def is_accepted(sent: str) -> bool:
    """Compare with every accepted key, in a time that tells nothing about how much is right."""
    digest = sha256(sent.removeprefix(_BEARER).encode("utf-8", "surrogateescape")).digest()
    matches = [
        hmac.compare_digest(digest, sha256(key.encode()).digest()) for key in accepted_keys()
    ]
    return any(matches)


def refusal() -> ProxyException:
    """The one answer to a missing, a malformed and a wrong key."""
    return ProxyException(message=_MESSAGE, type="auth_error", param=None, code=401)


async def authorize(request: Request, api_key: str) -> UserAPIKeyAuth:
    """LiteLLM's `custom_auth`: the second of two doors, behind the edge's.

    Raises:
        ProxyException: with the one answer; it is logged, and holds nothing of the key.
    """
    if not is_accepted(api_key):
        raise refusal()
    # Of the request that passed: LiteLLM shows none of it, whoever sent it is "synapse".
    request.state.synapse_accepted = True
    return UserAPIKeyAuth(api_key=_OWNER, user_id=_OWNER, user_role=LitellmUserRoles.PROXY_ADMIN)
