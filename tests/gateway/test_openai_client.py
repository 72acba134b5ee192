"""The official client, unmodified, gets everything that the backends can do."""

import base64
import json

import pytest
from openai import APIError, BadRequestError, OpenAI
from openai.types.chat import ChatCompletionToolParam, ChatCompletionUserMessageParam

from tools.gateway.forge import Gateway
from tools.gateway.stubs import WORDS, Failure

ENGINE, OLLAMA = "llama-3.2-8b", "llama3.1:8b"
both = pytest.mark.parametrize("model", [ENGINE, OLLAMA])
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@both
def test_chat(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "hi"}], temperature=0.2, max_tokens=9
    )
    assert answer.choices[0].message.content == " ".join(WORDS)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == len(WORDS)


@both
def test_streaming_with_usage(client: OpenAI, model: str) -> None:
    pieces = list(
        client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": "hi"}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    words = [one.choices[0].delta.content or "" for one in pieces if one.choices]
    assert "".join(words).split() == list(WORDS)
    assert len([word for word in words if word]) == len(WORDS), "a piece a word: none is held back"
    usage = pieces[-1].usage
    assert usage is not None
    assert usage.completion_tokens == len(WORDS)


ASKED: ChatCompletionUserMessageParam = {"role": "user", "content": "weather in Oslo?"}


@both
def test_tools(client: OpenAI, gateway: Gateway, model: str) -> None:
    answer = client.chat.completions.create(model=model, messages=[ASKED], tools=[WEATHER])
    calls = answer.choices[0].message.tool_calls
    assert calls
    assert calls[0].type == "function"
    assert answer.choices[0].finish_reason == "tool_calls"
    assert calls[0].function.name == "weather"
    assert json.loads(calls[0].function.arguments) == {"city": "Oslo"}
    (_, sent) = (gateway.engine if model == ENGINE else gateway.ollama).seen[-1]
    assert sent["tools"] == [WEATHER]


@both
def test_tools_in_a_stream(client: OpenAI, model: str) -> None:
    pieces = client.chat.completions.create(
        model=model, messages=[ASKED], tools=[WEATHER], stream=True
    )
    calls = [call for one in pieces for call in one.choices[0].delta.tool_calls or ()]
    functions = [call.function for call in calls if call.function is not None]
    assert [one.name for one in functions if one.name] == ["weather"]
    assert json.loads("".join(one.arguments or "" for one in functions)) == {"city": "Oslo"}


@both
def test_json_mode(client: OpenAI, gateway: Gateway, model: str) -> None:
    answer = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": "words, as JSON"}],
        response_format={"type": "json_object"},
    )
    assert json.loads(answer.choices[0].message.content or "") == {"words": list(WORDS)}
    (_, sent) = (gateway.engine if model == ENGINE else gateway.ollama).seen[-1]
    assert sent["response_format"] == {"type": "json_object"}


@both
def test_an_image_is_refused_by_a_model_that_sees_none(client: OpenAI, model: str) -> None:
    """With the backend's own words, and not answered by a model that did not look at it."""
    url = "data:image/png;base64," + base64.b64encode(b"no image").decode()
    with pytest.raises(BadRequestError, match="image"):
        client.chat.completions.create(
            model=model,
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "what is it?"},
                        {"type": "image_url", "image_url": {"url": url}},
                    ],
                }
            ],
        )


def test_embeddings(client: OpenAI) -> None:
    answer = client.embeddings.create(model="nomic-embed-text", input=["a", "b"])
    assert [one.embedding for one in answer.data] == [pytest.approx([0.1, 0.2, 0.3])] * 2


def test_a_stream_that_is_cut_raises(client: OpenAI, gateway: Gateway) -> None:
    gateway.engine.failure = Failure.CUT_MID_STREAM
    gateway.engine.word_seconds = 0.05
    seen: list[str | None] = []
    stream = client.chat.completions.create(
        model=ENGINE, messages=[{"role": "user", "content": "hi"}], stream=True
    )
    with pytest.raises(APIError):
        seen.extend(one.choices[0].delta.content for one in stream)
    assert "".join(one or "" for one in seen).split() == list(WORDS[: len(WORDS) // 2])
