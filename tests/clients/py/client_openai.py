"""The `openai` package: Chat Completions, Responses, embeddings and models."""

import base64
import json

import openai
import pydantic
from gate import (
    CITY, CITY_SCHEMA, IMAGE, Remark, check_image, check_leaves, check_retry, check_stream, check_vector,
    error_tests, gate,
)


def connect(key=gate.keys.user, **more):
    return openai.OpenAI(base_url=f"{gate.url}/v1", api_key=key, **more)


client = connect()
TOOL = {"name": "find_city", "description": "Finds it.", "parameters": CITY_SCHEMA}
TOOLS = [{"type": "function", "function": TOOL}]


def says(text):
    return [{"role": "user", "content": text}]


class City(pydantic.BaseModel):
    city: str
    people: int


def ask(text, of=client, model=gate.model, **more):
    return of.chat.completions.create(messages=says(text), model=model, **more)


def chat():
    answer = ask("py openai plain")
    assert answer.choices[0].message.content == gate.answer
    assert answer.usage.completion_tokens > 0


def stream():
    chunks = list(ask("py openai stream", stream=True, stream_options={"include_usage": True}))
    check_stream(chunk.choices[0].delta.content for chunk in chunks if chunk.choices)
    assert chunks[-1].usage.completion_tokens > 0


def tools():
    asked = ask("Call find_city", tools=TOOLS).choices[0].message
    call = asked.tool_calls[0]
    assert json.loads(call.function.arguments) == CITY
    messages = [*says("Call find_city"), asked, {"role": "tool", "tool_call_id": call.id, "content": "Lisbon"},
                *says("And now?")]
    answer = client.chat.completions.create(messages=messages, model=gate.model, tools=TOOLS)
    assert answer.choices[0].message.content == gate.answer
    with client.chat.completions.stream(messages=says("Call find_city"), model=gate.model, tools=TOOLS) as events:
        streamed = events.get_final_completion().choices[0].message.tool_calls[0]
    assert streamed.function.name == "find_city"


def structured():
    loose = ask("py openai json", response_format={"type": "json_object"})
    assert isinstance(json.loads(loose.choices[0].message.content), dict)
    strict = client.chat.completions.parse(messages=says("py openai schema"), model=gate.model, response_format=City)
    assert strict.choices[0].message.parsed.model_dump() == CITY


def thinking():
    assert ask("py openai think", reasoning_effort="high").choices[0].message.reasoning == gate.thought
    chunks = ask("py openai think", reasoning_effort="high", stream=True)
    assert "".join(getattr(chunk.choices[0].delta, "reasoning", "") for chunk in chunks) == gate.thought
    return Remark("thoughts come in `reasoning`")


def images():
    url = f"data:image/png;base64,{base64.b64encode(IMAGE).decode()}"
    answer = ask([{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": url}}])
    assert answer.choices[0].message.content == gate.answer
    return check_image()


def embeddings():
    check_vector(client.embeddings.create(input=[gate.embedded], model=gate.embedder).data[0].embedding)


def responses():
    assert client.responses.create(input="py openai response", model=gate.model).output_text == gate.answer
    events = client.responses.create(input="py openai response", model=gate.model, stream=True)
    check_stream(event.delta for event in events if event.type == "response.output_text.delta")
    called = client.responses.create(
        input="Call find_city", model=gate.model, tools=[{"type": "function", "strict": True, **TOOL}])
    assert json.loads(next(item for item in called.output if item.type == "function_call").arguments) == CITY


def models():
    assert f"{gate.model}:latest" in [model.id for model in client.models.list()]
    assert client.models.retrieve(gate.model).object == "model"


def abort():
    return check_leaves(slow := ask("py openai abort", model=gate.slow, stream=True), lambda _pieces: slow.close())


TESTS = {
    "chat": chat, "stream": stream, "tools": tools, "json": structured, "thinking": thinking, "images": images,
    "embeddings": embeddings, "responses": responses, "models": models, "abort": abort,
    **error_tests(lambda key, model: ask("py openai error", connect(key, max_retries=0), model), {
        400: openai.BadRequestError, 401: openai.AuthenticationError, 403: openai.PermissionDeniedError,
        404: openai.NotFoundError, 429: openai.RateLimitError}),
    "retry": lambda: check_retry(lambda key: ask("py openai retry", connect(key))),
}
