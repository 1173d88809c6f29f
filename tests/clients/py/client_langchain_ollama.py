"""`langchain-ollama`, which speaks the native API through the `ollama` package."""

import base64

import ollama
from gate import (
    CITY, CITY_SCHEMA, IMAGE, Remark, check_image, check_leaves, check_retry, check_stream, check_vector,
    error_tests, gate, not_offered,
)
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_ollama import ChatOllama, OllamaEmbeddings


def access(key):
    return {"base_url": gate.url, "client_kwargs": {"headers": {"Authorization": f"Bearer {key}"}}}


def connect(key=gate.keys.user, model=gate.model, **more):
    return ChatOllama(model=model, **access(key), **more)


own = connect()
TOOL = {"type": "function",
        "function": {"name": "find_city", "description": "Finds it.", "parameters": CITY_SCHEMA}}


def chat():
    answer = own.invoke("py langchain plain")
    assert answer.text == gate.answer and answer.usage_metadata["output_tokens"] > 0


def stream():
    check_stream(chunk.text for chunk in own.stream("py langchain stream"))


def tools():
    bound = own.bind_tools([TOOL])
    asked = bound.invoke("Call find_city")
    assert asked.tool_calls[0]["args"] == CITY
    result = ToolMessage("Lisbon", tool_call_id=asked.tool_calls[0]["id"])
    answer = bound.invoke([HumanMessage("Call find_city"), asked, result, HumanMessage("And now?")])
    assert answer.text == gate.answer


def structured():
    assert own.with_structured_output(CITY_SCHEMA, method="json_schema").invoke("py langchain json") == CITY
    assert isinstance(own.with_structured_output(None, method="json_mode").invoke("py langchain mode"), dict)


def thinking():
    answer = connect(reasoning=True).invoke("py langchain think")
    assert (answer.additional_kwargs["reasoning_content"], answer.text) == (gate.thought, gate.afterThought)
    return Remark("thoughts come in `additional_kwargs.reasoning_content`")


def images():
    url = f"data:image/png;base64,{base64.b64encode(IMAGE).decode()}"
    content = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": url}}]
    assert own.invoke([HumanMessage(content)]).text == gate.answer
    return check_image()


def embeddings():
    check_vector(OllamaEmbeddings(model=gate.embedder, **access(gate.keys.user)).embed_query(gate.embedded))


def abort():
    return check_leaves(connect(model=gate.slow).stream("py langchain abort"), lambda pieces: pieces.close())


TESTS = {
    "chat": chat, "stream": stream, "tools": tools, "json": structured, "thinking": thinking, "images": images,
    "embeddings": embeddings,
    "responses": lambda: not_offered(not hasattr(own, "use_responses_api"), "another API"),
    "models": lambda: not_offered(not hasattr(own, "list"), "LangChain lists no models"),
    "abort": abort,
    **error_tests(lambda key, model: connect(key, model).invoke("py langchain error"),
                  dict.fromkeys((400, 401, 403, 404, 429), ollama.ResponseError)),
    "retry": lambda: check_retry(lambda key: connect(key).invoke("py langchain retry"), retries=False),
}
