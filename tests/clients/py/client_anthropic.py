"""The `anthropic` package: Messages and models."""

import base64

import anthropic
from gate import (
    CITY, CITY_SCHEMA, IMAGE, Remark, check_image, check_intact, check_leaves, check_retry, check_stream,
    error_tests, gate, not_offered,
)


def connect(key=gate.keys.user, **more):
    return anthropic.Anthropic(base_url=gate.url, api_key=key, **more)


client = connect()
TOOLS = [{"name": "find_city", "description": "Finds it.", "input_schema": CITY_SCHEMA}]
THINK = {"type": "enabled", "budget_tokens": 2000}


def says(content):
    return [{"role": "user", "content": content}]


def ask(content, of=client, model=gate.model, **more):
    return of.messages.create(max_tokens=4000, messages=says(content), model=model, **more)


def streamed(content, **more):
    return client.messages.stream(max_tokens=4000, messages=says(content), model=gate.model, **more)


def text(message):
    return next((block.text for block in message.content if block.type == "text"), None)


def chat():
    message = ask("py anthropic plain")
    assert text(message) == gate.answer and message.stop_reason == "end_turn"
    assert message.usage.output_tokens > 0
    # the way of Claude Code: a bearer token, and a query that asks for beta features
    bearer = anthropic.Anthropic(base_url=gate.url, auth_token=gate.keys.user, api_key=None)
    asked = {"max_tokens": 4000, "messages": says("py anthropic bearer"), "model": gate.model}
    assert text(bearer.beta.messages.create(**asked)) == gate.answer


def stream():
    with streamed("py anthropic stream") as events:
        check_stream(events.text_stream)
        assert events.get_final_message().usage.output_tokens > 0


def tools():
    asked = ask("Call find_city", tools=TOOLS)
    call = next(block for block in asked.content if block.type == "tool_use")
    assert call.input == CITY and asked.stop_reason == "tool_use"
    messages = [*says("Call find_city"), {"role": "assistant", "content": asked.content},
                *says([{"type": "tool_result", "tool_use_id": call.id, "content": "Lisbon"}])]
    answer = client.messages.create(max_tokens=4000, messages=messages, model=gate.model, tools=TOOLS)
    assert text(answer) == gate.answer
    with streamed("Call find_city", tools=TOOLS) as events:
        final = events.get_final_message()
    assert next(block for block in final.content if block.type == "tool_use").input == CITY


def structured():
    schema = {"type": "json_schema", "schema": CITY_SCHEMA}
    message = ask("py anthropic json", output_config={"format": schema})
    check_intact()
    not_offered(text(message) == gate.answer, "Ollama's /v1/messages takes no schema; the request passes whole")


def thinking():
    message = ask("py anthropic think", thinking=THINK)
    assert message.content[0].thinking == gate.thought and text(message) == gate.afterThought
    with streamed("py anthropic think", thinking=THINK) as events:
        assert "".join(event.thinking for event in events if event.type == "thinking") == gate.thought
    return Remark("thoughts come in `thinking` blocks")


def images():
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(IMAGE).decode()}
    assert text(ask([{"type": "image", "source": source}, {"type": "text", "text": "what?"}])) == gate.answer
    return check_image()


def models():
    assert f"{gate.model}:latest" in [model.id for model in client.models.list()]
    assert client.models.retrieve(gate.model).id == gate.model


def abort():
    return check_leaves(slow := ask("py anthropic abort", model=gate.slow, stream=True), lambda _pieces: slow.close())


TESTS = {
    "chat": chat, "stream": stream, "tools": tools, "json": structured, "thinking": thinking, "images": images,
    "embeddings": lambda: not_offered(not hasattr(client, "embeddings"), "Anthropic's API has none"),
    "responses": lambda: not_offered(not hasattr(client, "responses"), "another API"),
    "models": models, "abort": abort,
    **error_tests(lambda key, model: ask("py anthropic error", connect(key, max_retries=0), model), {
        400: anthropic.BadRequestError, 401: anthropic.AuthenticationError, 403: anthropic.PermissionDeniedError,
        404: anthropic.NotFoundError, 429: anthropic.RateLimitError}),
    "retry": lambda: check_retry(lambda key: ask("py anthropic retry", connect(key))),
}
