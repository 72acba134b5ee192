"""Runs first in a proxy that tests start: the cluster's names lead to loopback, and nowhere else.

The proxy's config names Services of the cluster. A test has no cluster's DNS, so this injects the
transport: SYNAPSE_SERVICES maps `host:port` to a port of loopback, and any other name is unknown.
The process ends when its standard input does, so that it outlives no test.
"""

import json
import os
import socket
import sys
import threading
from typing import Any

import uvloop

_LOCAL = ("127.0.0.1", "localhost", "::1", "0.0.0.0", None)  # noqa: S104  compared, not bound
_ports: dict[str, int] = json.loads(os.environ["SYNAPSE_SERVICES"])
_resolve, _connect = uvloop.Loop.getaddrinfo, uvloop.Loop.create_connection
_resolve_blocking = socket.getaddrinfo

_Host = str | bytes | None
_Port = int | None


def _led(host: _Host, port: _Port) -> tuple[_Host, _Port]:
    if isinstance(host, bytes):
        host = host.decode()
    if host in _LOCAL:
        return host, port
    if f"{host}:{port}" not in _ports:
        raise socket.gaierror(socket.EAI_NONAME, f"no such Service in this test: {host}:{port}")
    return "127.0.0.1", _ports[f"{host}:{port}"]


async def _getaddrinfo(
    loop: uvloop.Loop, host: _Host, port: _Port, **options: int
) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = await _resolve(loop, *_led(host, port), **options)
    return found


def _getaddrinfo_blocking(host: _Host, port: _Port, *rest: Any, **options: Any) -> Any:  # noqa: ANN401  as they come
    """LiteLLM has calls that block the loop: what they reach is to be seen, too."""
    return _resolve_blocking(*_led(host, port), *rest, **options)


async def _create_connection(
    loop: uvloop.Loop,
    factory: object,
    host: _Host = None,
    port: _Port = None,
    **options: object,
) -> tuple[object, object]:
    made: tuple[object, object] = await _connect(loop, factory, *_led(host, port), **options)
    return made


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


uvloop.Loop.getaddrinfo = _getaddrinfo
socket.getaddrinfo = _getaddrinfo_blocking  # type: ignore[assignment]  # passes all on
uvloop.Loop.create_connection = _create_connection
threading.Thread(target=_end_with_input, daemon=True).start()
