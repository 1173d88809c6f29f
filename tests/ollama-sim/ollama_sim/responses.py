"""POST /v1/responses: the event stream of OpenAI's Responses as Ollama writes it."""

import random
import time

from . import gojson
from .generate import ApiError, Dialect, Job, run
from .native import find_model
from .openai import bind, image, read

REQUEST = {"model": "str", "input": "any", "instructions": "str", "stream": "bool?", "max_output_tokens": "int?",
           "tools": "list", "reasoning": "struct", "text": "struct", "temperature": "any", "top_p": "any",
           "truncation": "any", "background": "bool"}
ITEM = {"type": "str", "role": "str", "content": "any", "call_id": "str", "output": "any", "arguments": "str"}


class Responses(Dialect):
    """Numbered events; an error in the stream adds nothing, the stream just ends."""

    headers = (("Cache-Control", "no-cache"), ("Connection", "keep-alive"))

    def __init__(self, model, request):
        self.model = model
        self.request = request
        self.id = f"resp_{random.randrange(999_999)}"
        self.item = f"msg_{random.randrange(999_999)}"
        self.reasoning = f"rs_{random.randrange(999_999)}"
        self.sequence = 0
        self.index = 0
        self.thoughts = ""
        self.thinking = False       # a reasoning item is open
        self.text = ""
        self.texting = False
        self.output = []

    def event(self, kind, **fields):
        data = gojson.dump({"type": kind, "sequence_number": self.sequence, **fields})
        self.sequence += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)

    def response(self, status, output, usage=None):
        return {
            "id": self.id, "object": "response", "created_at": int(time.time()),
            "completed_at": int(time.time()) if status == "completed" else None, "status": status,
            "incomplete_details": None, "model": self.model, "previous_response_id": None,
            "instructions": self.request.get("instructions") or None, "output": output, "error": None,
            "tools": self.request.get("tools") or [], "tool_choice": "auto", "truncation": "disabled",
            "parallel_tool_calls": True, "text": {"format": {"type": "text"}}, "top_p": 1.0,
            "presence_penalty": 0, "frequency_penalty": 0, "top_logprobs": 0, "temperature": 1.0,
            "reasoning": None, "usage": usage, "max_output_tokens": self.request.get("max_output_tokens"),
            "max_tool_calls": None, "store": False, "background": False, "service_tier": "default",
            "metadata": {}, "safety_identifier": None, "prompt_cache_key": None}

    def begin(self):
        if self.sequence:
            return []
        body = self.response("in_progress", [])
        return [self.event("response.created", response=body), self.event("response.in_progress", response=body)]

    def reasoning_item(self):
        return {"id": self.reasoning, "type": "reasoning",
                "summary": [{"type": "summary_text", "text": self.thoughts}], "encrypted_content": self.thoughts}

    def end_reasoning(self):
        if not self.thinking:
            return []
        self.thinking = False
        self.output.append(self.reasoning_item())
        events = [self.event("response.reasoning_summary_text.done", item_id=self.reasoning,
                             output_index=self.index, summary_index=0, text=self.thoughts),
                  self.event("response.output_item.done", output_index=self.index, item=self.output[-1])]
        self.index += 1
        return events

    def think(self, text):
        events = self.begin()
        if not self.thinking:
            self.thinking = True
            events.append(self.event("response.output_item.added", output_index=self.index,
                                     item={"id": self.reasoning, "type": "reasoning", "summary": []}))
        self.thoughts += text
        events.append(self.event("response.reasoning_summary_text.delta", item_id=self.reasoning,
                                 output_index=self.index, summary_index=0, delta=text))
        return events

    def part(self, text):
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}

    def message(self, status, content):
        return {"id": self.item, "type": "message", "status": status, "role": "assistant", "content": content}

    def piece(self, kind, text):
        if kind == "think":
            return self.think(text)
        events = self.begin() + self.end_reasoning()
        where = {"item_id": self.item, "output_index": self.index, "content_index": 0}
        if not self.texting:
            self.texting = True
            events += [self.event("response.output_item.added", output_index=self.index,
                                  item=self.message("in_progress", [])),
                       self.event("response.content_part.added", **where, part=self.part(""))]
        self.text += text
        events.append(self.event("response.output_text.delta", **where, delta=text, logprobs=[]))
        return events

    def call_item(self, call, status, arguments):
        return {"id": f"fc_{call['id']}", "type": "function_call", "status": status, "call_id": call["id"],
                "name": call["name"], "arguments": arguments}

    def tool(self, calls):
        events = self.begin() + self.end_reasoning()
        for call in calls:
            arguments = gojson.dump(call["arguments"]).decode()
            where = {"item_id": f"fc_{call['id']}", "output_index": self.index}
            done = self.call_item(call, "completed", arguments)
            events += [
                self.event("response.output_item.added", output_index=self.index,
                           item=self.call_item(call, "in_progress", "")),
                self.event("response.function_call_arguments.delta", **where, delta=arguments),
                self.event("response.function_call_arguments.done", **where, arguments=arguments),
                self.event("response.output_item.done", output_index=self.index, item=done)]
            self.output.append(done)
            self.index += 1
        return events

    def done(self, result):
        events = self.begin() + self.end_reasoning()
        if self.texting:
            where = {"item_id": self.item, "output_index": self.index, "content_index": 0}
            item = self.message("completed", [self.part(self.text)])
            self.output.append(item)
            events += [self.event("response.output_text.done", **where, text=self.text, logprobs=[]),
                       self.event("response.content_part.done", **where, part=self.part(self.text)),
                       self.event("response.output_item.done", output_index=self.index, item=item)]
        body = self.response("completed", self.output, usage_of(result))
        return [*events, self.event("response.completed", response=body)]

    def stream_error(self, message):
        return ()

    def whole(self, result):
        output = []
        if result.thinking:
            self.thoughts = result.thinking
            output.append(self.reasoning_item())
        for call in result.calls:
            output.append(self.call_item(call, "completed", gojson.dump(call["arguments"]).decode()))
        if not result.calls:
            output.append(self.message("completed", [self.part(result.text)]))
        return gojson.dump(self.response("completed", output, usage_of(result))) + b"\n"


def usage_of(result):
    return {"input_tokens": result.prompt_tokens, "output_tokens": result.eval_count,
            "total_tokens": result.prompt_tokens + result.eval_count,
            "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}


def _take_input(job, given):
    if isinstance(given, str):
        job.texts.append(given)
        job.last_user = given
        return
    if not isinstance(given, list):
        raise ApiError(400, "input must be a string or array", bound=True)
    for raw in given:
        item = bind(raw, ITEM, "ResponsesInputItem")
        content = item.get("content") if item.get("type", "message") == "message" else item.get("output")
        parts = [{"type": "input_text", "text": content}] if isinstance(content, str) else content or ()
        texts = []
        for part in parts:
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                texts.append(part["text"])
            elif isinstance(part, dict) and part.get("type") == "input_image":
                image(part.get("image_url"))
                job.images += 1
        job.texts += texts
        if item.get("role") == "user":
            job.last_user = " ".join(texts)


def responses(app, exchange):
    request = read(exchange, REQUEST, "ResponsesRequest")
    asked = request.get("model", "")
    job = Job(None, request.get("stream") is True)
    if request.get("instructions"):
        job.texts.append(request["instructions"])
    _take_input(job, request.get("input"))
    job.limit = request.get("max_output_tokens") or 0
    for tool in request.get("tools") or ():
        if isinstance(tool, dict) and isinstance(tool.get("name"), str):
            job.tools.append((tool["name"], tool.get("parameters")))
    job.think = (request.get("reasoning") or {}).get("effort") not in (None, "", "none")
    wanted = (request.get("text") or {}).get("format") or {}
    if wanted.get("type") in ("json_object", "json_schema"):
        job.schema = wanted.get("schema") or True
    job.model = find_model(app, asked, ApiError(400, "model is required"))
    if job.model.embedding_only:
        raise ApiError(400, f'"{asked}" does not support chat')
    return run(app, exchange, job, Responses(asked, request))
