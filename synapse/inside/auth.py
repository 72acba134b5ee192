"""Who may call: whoever brings an accepted key. Everybody else gets one and the same 401."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from typing import Any

from fastapi import Request
from litellm.proxy._types import LitellmUserRoles, ProxyException, UserAPIKeyAuth
from litellm.proxy.auth.auth_utils import is_request_body_safe
from litellm.proxy.common_utils.http_parsing_utils import read_request_body

from .told import accepted_keys

_BEARER = "Bearer "
_MESSAGE = "No accepted key: send `Authorization: Bearer <key>`."
_OWNER = "synapse"
"""Stands for every caller in what LiteLLM records: no part of a key does."""

# How clients of OpenAI, Azure, Anthropic and Google send a key.
_KEY_HEADERS = (b"authorization", b"api-key", b"x-api-key", b"x-goog-api-key")


def has_key(scope: Mapping[str, Any]) -> bool:
    """Whether an HTTP request, as ASGI tells of it, brings an accepted key."""
    return any(
        _is_accepted(value.decode("latin-1"))
        for name, value in scope["headers"]
        if name in _KEY_HEADERS
    )


def _is_accepted(sent: str) -> bool:
    """Compare with every accepted key, in a time that tells nothing about how much is right."""
    digest = sha256(sent.removeprefix(_BEARER).encode("utf-8", "surrogateescape")).digest()
    matches = [hmac.compare_digest(digest, accepted) for accepted in _accepted_digests()]
    return any(matches)


@cache
def _accepted_digests() -> tuple[bytes, ...]:
    return tuple(sha256(key.encode()).digest() for key in accepted_keys())


def refusal() -> ProxyException:
    """The one answer to a missing, a malformed and a wrong key."""
    return ProxyException(message=_MESSAGE, type="auth_error", param=None, code=401)


async def admit(request: Request) -> UserAPIKeyAuth:
    """In place of LiteLLM's `user_api_key_auth`: the second of two doors, behind the edge's.

    Raises:
        ProxyException: with the one answer; it is logged, and holds nothing of the key. 400, the
            body is no JSON object, or it holds what is the config's to say, as a backend's address.
    """
    if not has_key(request.scope):
        raise refusal()
    path = request.scope["path"]
    body: object = await read_request_body(request)
    if not isinstance(body, dict):
        raise _malformed("The body has to be a JSON object.")
    try:
        is_request_body_safe(body, {}, None, body.get("model", ""), route=path)
    except ValueError as error:
        raise _malformed(str(error)) from error
    return _owner(request_route=path)


async def authorize(request: Request, api_key: str) -> UserAPIKeyAuth:  # noqa: ARG001  by name
    """LiteLLM's `custom_auth`, for what calls `user_api_key_auth` past FastAPI.

    Raises:
        ProxyException: with the one answer.
    """
    if not _is_accepted(api_key):
        raise refusal()
    return _owner()


def _owner(request_route: str | None = None) -> UserAPIKeyAuth:
    return UserAPIKeyAuth(
        api_key=_OWNER,
        user_id=_OWNER,
        user_role=LitellmUserRoles.PROXY_ADMIN,
        request_route=request_route,
    )


def _malformed(why: str) -> ProxyException:
    return ProxyException(message=why, type="invalid_request_error", param=None, code=400)
