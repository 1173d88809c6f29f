"""The `ollama` package: the native API."""

import json
import os

import ollama
from gate import (
    CITY, CITY_SCHEMA, IMAGE, Remark, check_image, check_leaves, check_retry, check_stream, check_vector,
    error_tests, gate, not_offered,
)


def connect(key=gate.keys.user):
    return ollama.Client(host=gate.url, headers={"Authorization": f"Bearer {key}"})


client = connect()
TOOLS = [{"type": "function",
          "function": {"name": "find_city", "description": "Finds it.", "parameters": CITY_SCHEMA}}]


def says(text):
    return [{"role": "user", "content": text}]


def ask(text, of=client, model=gate.model, **more):
    return of.chat(model=model, messages=says(text), **more)


def chat():
    answer = ask("py ollama plain")
    assert answer.message.content == gate.answer and answer.eval_count > 0
    assert client.generate(model=gate.model, prompt="py ollama plain").response == gate.answer
    # the way of programs that can send no header
    keyless = ollama.Client(host=f"{gate.url}/k/{gate.keys.user}")
    assert ask("py ollama path", keyless).message.content == gate.answer
    os.environ["OLLAMA_API_KEY"] = gate.keys.user
    assert ask("py ollama environment", ollama.Client(host=gate.url)).message.content == gate.answer
    del os.environ["OLLAMA_API_KEY"]


def stream():
    check_stream(part.message.content for part in ask("py ollama stream", stream=True))
    check_stream(part.response for part in client.generate(model=gate.model, prompt="py ollama stream", stream=True))


def tools():
    asked = ask("Call find_city", tools=TOOLS).message
    assert asked.tool_calls[0].function.arguments == CITY
    messages = [*says("Call find_city"), asked, {"role": "tool", "tool_name": "find_city", "content": "Lisbon"},
                *says("And now?")]
    assert client.chat(model=gate.model, messages=messages, tools=TOOLS).message.content == gate.answer
    parts = ask("Call find_city", tools=TOOLS, stream=True)
    assert [call.function.arguments for part in parts for call in part.message.tool_calls or ()] == [CITY]


def structured():
    assert isinstance(json.loads(ask("py ollama json", format="json").message.content), dict)
    assert json.loads(ask("py ollama schema", format=CITY_SCHEMA).message.content) == CITY


def thinking():
    message = ask("py ollama think", think=True).message
    assert (message.thinking, message.content) == (gate.thought, gate.afterThought)
    parts = ask("py ollama think", think="high", stream=True)
    assert "".join(part.message.thinking or "" for part in parts) == gate.thought
    return Remark("thoughts come in `thinking`")


def images():
    messages = [{"role": "user", "content": "py ollama image", "images": [IMAGE]}]
    assert client.chat(model=gate.model, messages=messages).message.content == gate.answer
    return check_image()


def embeddings():
    check_vector(client.embed(model=gate.embedder, input=gate.embedded).embeddings[0])
    check_vector(client.embeddings(model=gate.embedder, prompt=gate.embedded).embedding)


def models():
    assert f"{gate.model}:latest" in [model.model for model in client.list().models]
    assert "completion" in client.show(gate.model).capabilities
    assert client.ps().models is not None


def abort():
    return check_leaves(ask("py ollama abort", model=gate.slow, stream=True), lambda pieces: pieces.close())


TESTS = {
    "chat": chat, "stream": stream, "tools": tools, "json": structured, "thinking": thinking, "images": images,
    "embeddings": embeddings,
    "responses": lambda: not_offered(not hasattr(client, "responses"), "another API"),
    "models": models, "abort": abort,
    **error_tests(lambda key, model: ask("py ollama error", connect(key), model),
                  dict.fromkeys((400, 401, 403, 404, 429), ollama.ResponseError)),
    "retry": lambda: check_retry(lambda key: ask("py ollama retry", connect(key)), retries=False),
}
