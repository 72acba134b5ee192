"""Run by the proxy's interpreter: an engine that answers in the moment in which it is given up.

The edge is the real one. What it wraps is not LiteLLM, whose answers cannot be timed to the turn
of a loop, but the least that answers twice.
"""

from __future__ import annotations

import asyncio
import sys

from synapse.inside.edge import Edge, Message, Receive, Send
from synapse.inside.engine_watch import engine_watch
from synapse.inside.passage import PASSAGE, Reason

ENGINE, STAND_IN = b"engine", b"stand-in"


class _Answers:
    """First as the engine, given up just before; then as its stand-in."""

    def __init__(self) -> None:
        self._tries = iter((ENGINE, STAND_IN))

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        del scope, receive
        who = next(self._tries)
        if who == ENGINE:
            engine_watch().sent(PASSAGE.get())
            PASSAGE.get().interrupt(Reason.ENGINE_DOWN)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": who})


async def _ask(key: str) -> None:
    async def receive() -> Message:
        return {"type": "http.request", "body": b"{}"}

    async def send(message: Message) -> None:
        sys.stdout.write(f"{message['type']} {message.get('body', b'').decode()}\n")

    headers = [(b"authorization", key.encode()), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
    await Edge(_Answers())(scope, receive, send)


if __name__ == "__main__":
    asyncio.run(_ask(sys.argv[1]))
