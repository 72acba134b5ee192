"""Backends that answer as vLLM, Ollama and Speaches do, and fail as they do."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum
from types import TracebackType
from typing import Self

from typing_extensions import override

from tools.gateway.http_server import CutConnectionError, HttpServer, Reply, Request

WORDS = ("one", "two", "three", "four", "five", "six")
_CREATED = 1_700_000_000
_SAMPLE_RATE = 8000


class Failure(Enum):
    """What a backend does in place of answering."""

    NONE = "none"
    ERROR_500 = "500"
    ERROR_503 = "503"
    HANG = "hang"
    SLOW_START = "slow to begin"
    CUT_MID_STREAM = "cut in mid-stream"


class Stub:
    """One backend. It listens from `with` to the end of it, unless it is killed in between.

    Attributes:
        failure: how requests to models fail; the checks of its health fail with them where the
            whole process would.
        word_seconds: pause before each word of a stream.
        answer_seconds: time that an answer in one piece takes.
        health_lies: the check of its health passes while requests fail.
        health_hangs: the check of its health is not answered while requests are.
        seen: paths and parsed bodies of the requests to models, in order.
        running: requests to models that are not answered to their end.
    """

    def __init__(self, *, models: tuple[str, ...]) -> None:
        self.models = models
        self.failure = Failure.NONE
        self.word_seconds = 0.0
        self.answer_seconds = 0.0
        self.seen: list[tuple[str, dict[str, object]]] = []
        self.running = 0
        self.health_lies = self.health_hangs = False
        self._server = HttpServer(self._handle)

    @property
    def port(self) -> int:
        """Where it listens, on loopback."""
        return self._server.port

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.stop()

    def kill(self) -> None:
        """Refuse connections, and cut those that are open."""
        self._server.kill()

    def withdraw(self) -> None:
        """Leave the Service: refuse connections, and serve those that are open."""
        self._server.withdraw()

    def revive(self) -> None:
        """Listen again, healthy."""
        self.failure = Failure.NONE
        self._server.revive()

    async def _handle(self, request: Request) -> Reply:
        if request.method == "GET":
            if self.health_hangs:
                await asyncio.Event().wait()
            failed = None if self.health_lies else await self._fail()
            return failed or self.about(request.path)
        body = _parsed(request)
        self.seen.append((request.path, body))
        with self._runs():
            reply = await self._reply(request, body)
        if isinstance(reply.body, bytes):
            return reply
        return replace(reply, body=self._counted(reply.body))

    async def _reply(self, request: Request, body: dict[str, object]) -> Reply:
        if failed := await self._fail():
            return failed
        if self.answer_seconds:
            await asyncio.sleep(self.answer_seconds)
        return await self.answer(request, body)

    @contextmanager
    def _runs(self) -> Iterator[None]:
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1

    async def _counted(self, frames: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        with self._runs():
            async for frame in frames:
                yield frame

    async def _fail(self) -> Reply | None:
        if self.failure is Failure.HANG:
            await asyncio.Event().wait()
        if self.failure in (Failure.ERROR_500, Failure.ERROR_503):
            return _error(int(self.failure.value), "the engine is dead")
        return None

    async def words(self, frame: Callable[[str], bytes]) -> AsyncIterator[bytes]:
        """The words of a stream, each in its frame, with this stub's pauses and failures."""
        for index, word in enumerate(WORDS):
            if self.failure is Failure.SLOW_START and not index:
                await asyncio.Event().wait()
            if self.failure is Failure.CUT_MID_STREAM and index == len(WORDS) // 2:
                raise CutConnectionError
            if self.word_seconds:
                await asyncio.sleep(self.word_seconds)
            yield frame(word + " ")

    def about(self, path: str) -> Reply:
        """Answer a GET."""
        raise NotImplementedError

    async def answer(self, request: Request, body: dict[str, object]) -> Reply:
        """Answer a request to a model."""
        raise NotImplementedError


class OpenAi(Stub):
    """What vLLM and Ollama have in common: OpenAI's routes."""

    _number = itertools.count(1)

    @override
    async def answer(self, request: Request, body: dict[str, object]) -> Reply:
        if body.get("model") not in self.models:
            return _error(404, f"model '{body.get('model')}' not found")
        if request.path == "/v1/chat/completions":
            return self._chat(body)
        if request.path == "/v1/completions":
            choice = {"index": 0, "text": " ".join(WORDS), "finish_reason": "stop"}
            return _json({**self._head(body, "text_completion"), "choices": [choice], **_USAGE})
        if request.path == "/v1/embeddings":
            return _json(self._embedded(body))
        return _error(404, "Not Found")

    def _chat(self, body: dict[str, object]) -> Reply:
        if _has_image(body):
            return _error(400, "At most 0 image(s) may be provided in one prompt.")
        if body.get("stream"):
            return Reply(self._streamed(body), content_type="text/event-stream")
        return _json(self._completed(body))

    def _embedded(self, body: dict[str, object]) -> dict[str, object]:
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        data = [
            {"object": "embedding", "index": index, "embedding": [0.1, 0.2, 0.3]}
            for index, _ in enumerate(texts)
        ]
        return {"object": "list", "model": body["model"], "data": data, **_USAGE}

    def _head(self, body: dict[str, object], kind: str) -> dict[str, object]:
        return {
            "id": f"chatcmpl-{next(self._number)}",
            "object": kind,
            "created": _CREATED,
            "model": body["model"],
        }

    def _completed(self, body: dict[str, object]) -> dict[str, object]:
        message: dict[str, object] = {"role": "assistant", "content": " ".join(WORDS)}
        reason = "stop"
        if body.get("tools"):
            message = {"role": "assistant", "content": None, "tool_calls": [_tool_call(body)]}
            reason = "tool_calls"
        elif _wants_json(body):
            message["content"] = json.dumps({"words": WORDS})
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return {**self._head(body, "chat.completion"), "choices": [choice], **_USAGE}

    async def _streamed(self, body: dict[str, object]) -> AsyncGenerator[bytes, None]:
        head = self._head(body, "chat.completion.chunk")

        def event(delta: dict[str, object], reason: str | None = None) -> bytes:
            choice = {"index": 0, "delta": delta, "finish_reason": reason}
            return _event({**head, "choices": [choice]})

        if body.get("tools"):
            yield event({"role": "assistant", "tool_calls": [{"index": 0, **_tool_call(body)}]})
            yield event({}, "tool_calls")
        else:
            async for frame in self.words(
                lambda word: event({"role": "assistant", "content": word})
            ):
                yield frame
            yield event({}, "stop")
        options = body.get("stream_options")
        if isinstance(options, dict) and options.get("include_usage"):
            yield _event({**head, "choices": [], **_USAGE})
        yield b"data: [DONE]\n\n"


class Engine(OpenAi):
    """vLLM."""

    @override
    def about(self, path: str) -> Reply:
        if path == "/health":
            return Reply(b"")
        if path == "/v1/models":
            listed = [{"id": name, "object": "model"} for name in self.models]
            return _json({"object": "list", "data": listed})
        return _error(404, "Not Found")


class Ollama(OpenAi):
    """Ollama: of its own routes those that tell about it."""

    @override
    def about(self, path: str) -> Reply:
        if path == "/":
            return Reply(b"Ollama is running", content_type="text/plain")
        if path == "/api/version":
            return _json({"version": "0.33.3"})
        if path == "/api/tags":
            return _json({"models": [{"name": name, "model": name} for name in self.models]})
        return _error(404, "not found")


class Speech(Stub):
    """Speaches or Coqui: OpenAI's audio routes.

    Attributes:
        heard_bytes: size of the last request with a recording.
    """

    heard_bytes = 0

    @override
    def about(self, path: str) -> Reply:
        if path == "/health":
            return Reply(b"OK", content_type="text/plain")
        return _error(404, "Not Found")

    @override
    async def answer(self, request: Request, body: dict[str, object]) -> Reply:
        if request.path == "/v1/audio/speech":
            return Reply(_silence(), content_type="audio/wav")
        if request.path == "/v1/audio/transcriptions":
            self.heard_bytes = len(request.body)
            return _json({"text": " ".join(WORDS)})
        return _error(404, "Not Found")


_USAGE: dict[str, object] = {
    "usage": {"prompt_tokens": 3, "completion_tokens": len(WORDS), "total_tokens": 3 + len(WORDS)}
}


def _parsed(request: Request) -> dict[str, object]:
    """The body as JSON, whatever its type is said to be, as Ollama reads it; a form is none."""
    try:
        body = json.loads(request.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _has_image(body: dict[str, object]) -> bool:
    return '"image_url"' in json.dumps(body.get("messages"))


def _wants_json(body: dict[str, object]) -> bool:
    wanted = body.get("response_format")
    return isinstance(wanted, dict) and wanted.get("type") in ("json_object", "json_schema")


def _tool_name(body: dict[str, object]) -> str:
    tools = body["tools"]
    assert isinstance(tools, list)  # noqa: S101  the stub's caller has looked
    return str(tools[0]["function"]["name"])


def _tool_call(body: dict[str, object]) -> dict[str, object]:
    function = {"name": _tool_name(body), "arguments": json.dumps({"city": "Oslo"})}
    return {"id": "call_1", "type": "function", "function": function}


def _json(value: object, status: int = 200) -> Reply:
    return Reply(json.dumps(value).encode(), status=status)


def _event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def _error(status: int, message: str) -> Reply:
    error = {"message": message, "type": "BadRequestError", "param": None, "code": status}
    return _json({"error": error, "object": "error", "message": message, "code": status}, status)


def _silence() -> bytes:
    """A tenth of a second of it, as a WAV file."""
    samples = bytes(2 * _SAMPLE_RATE // 10)
    head = b"WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00"
    rates = _SAMPLE_RATE.to_bytes(4, "little") + (2 * _SAMPLE_RATE).to_bytes(4, "little")
    rest = head + rates + b"\x02\x00\x10\x00data" + len(samples).to_bytes(4, "little") + samples
    return b"RIFF" + len(rest).to_bytes(4, "little") + rest
