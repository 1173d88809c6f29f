"""Routes a request the way Go's ServeMux and gin do, and answers errors in the route's dialect."""

import asyncio
import ipaddress
import os
import posixpath
import re

from . import anthropic, gojson, models, native, openai, responses
from .faults import FaultReset
from .generate import ApiError
from .node import BUSY
from .record import Recorder

ROUTES = {
    "/": {"GET": models.root, "HEAD": models.root},
    "/api/version": {"GET": models.version, "HEAD": models.version},
    "/api/status": {"GET": models.status},
    "/api/tags": {"GET": models.tags, "HEAD": models.tags},
    "/api/ps": {"GET": models.ps},
    "/api/show": {"POST": models.show},
    "/api/generate": {"POST": native.generate},
    "/api/chat": {"POST": native.chat},
    "/api/embed": {"POST": native.embed},
    "/api/embeddings": {"POST": native.embeddings},
    "/v1/chat/completions": {"POST": openai.chat},
    "/v1/completions": {"POST": openai.completions},
    "/v1/embeddings": {"POST": openai.embeddings},
    "/v1/responses": {"POST": responses.responses},
    "/v1/messages": {"POST": anthropic.messages},
    "/v1/audio/transcriptions": {"POST": openai.transcriptions},
    "/v1/models": {"GET": openai.models},
    "/v1/models/:model": {"GET": openai.model},
    "/api/pull": {"POST": models.pull},
    "/api/push": {"POST": models.push},
    "/api/create": {"POST": models.create},
    "/api/blobs/:digest": {"POST": models.blob_create, "HEAD": models.blob_head},
    "/api/copy": {"POST": models.copy},
    "/api/delete": {"DELETE": models.delete},
    "/api/me": {"POST": models.account},
    "/api/signout": {"POST": models.account},
    "/api/user/keys/:encodedKey": {"DELETE": models.account},
    "/api/experimental/web_search": {"POST": models.web_search},
    "/api/experimental/web_fetch": {"POST": models.web_fetch},
    "/api/experimental/model-recommendations": {"GET": models.recommendations},
}
PARAMETERS = {path.rsplit(":", 1)[0]: path for path in ROUTES if ":" in path}
GENERATIVE = {native.generate, native.chat, native.embed, native.embeddings, openai.chat, openai.completions,
              openai.embeddings, openai.transcriptions, responses.responses, anthropic.messages}
LOCAL_ORIGIN = re.compile(r"https?://(localhost|127\.0\.0\.1|0\.0\.0\.0)(:\d+)?\Z|"
                          r"(app|file|tauri|vscode-webview|vscode-file)://")
ALLOWED_HEADERS = "Authorization,Content-Type,User-Agent,Accept,X-Requested-With,OpenAI-Beta"
ANTHROPIC_TYPES = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error",
                   404: "not_found_error", 429: "rate_limit_error", 503: "overloaded_error",
                   529: "overloaded_error"}
OPENAI_TYPES = {400: "invalid_request_error", 404: "not_found_error"}


def route_of(path):
    """The route's pattern, or None. A parameter is one non-empty segment."""
    if path in ROUTES and ":" not in path:
        return path
    head, _, last = path.rpartition("/")
    return PARAMETERS.get(head + "/") if last else None


def clean(path):
    """net/http's cleanPath: what ServeMux redirects to when it differs."""
    tidy = posixpath.normpath("/" + path.lstrip("/"))
    return tidy + "/" if path.endswith("/") and tidy != "/" else tidy


def error_body(pattern, error):
    """Body and content type of an error in the dialect of the route."""
    text = str(error)
    kind = native.JSON_UTF8 if error.bound or pattern.startswith("/api/") else "application/json"
    line = b"" if kind == native.JSON_UTF8 else b"\n"
    if pattern == "/v1/messages":
        return gojson.dump({"type": "error", "error": {
            "type": ANTHROPIC_TYPES.get(error.status, "api_error"), "message": text},
            "request_id": f"req_{os.urandom(12).hex()}"}) + line, kind
    if pattern.startswith("/v1/"):
        return gojson.dump({"error": {"message": text, "type": OPENAI_TYPES.get(error.status, "api_error"),
                                      "param": None, "code": None}}) + line, kind
    return gojson.dump({"error": text}), kind


def host_allowed(header):
    """Ollama's Host check for a listener on loopback."""
    host = re.sub(r":\d+\Z", "", header).strip("[]").lower()
    try:
        address = ipaddress.ip_address(host)
        return address.is_loopback or address.is_private or address.is_unspecified
    except ValueError:
        return host in ("", "localhost", os.uname().nodename.lower()) or \
            host.endswith((".localhost", ".local", ".internal"))


class App:
    """The application of the node's listener."""

    def __init__(self, options, node):
        self.node = node
        self.first_token_time = options.first_token_time
        self.token_time = options.token_time
        self.tokens = options.tokens
        self.check_host = options.check_host
        self.recorder = Recorder()
        self.listener = None
        self.faults = None

    def opened(self, connection):
        self.listener.connections[connection.number] = connection
        self.faults.on_accept(connection)

    def closed(self, connection):
        self.listener.connections.pop(connection.number, None)

    def finished(self, exchange):
        self.recorder.finish(exchange)

    def handle(self, exchange):
        """Answer at once and return None, or return a coroutine that answers."""
        pattern = route_of(exchange.path)
        record = self.recorder.begin(exchange, f"{exchange.method} {pattern or '-'}")
        try:
            if self._middleware(exchange, pattern):
                return None
            handler = ROUTES[pattern][exchange.method]
            if self.faults.active:
                fault = self.faults.pick(exchange.method, pattern, lambda: asked_model(exchange))
                if fault is not None:
                    exchange.fault, record.fault = fault, fault.spec
                    return self._guard(exchange, pattern, self._faulty(exchange, handler, fault))
            work = handler(self, exchange)
        except ApiError as error:
            exchange.reply(error.status, *error_body(pattern, error))
            return None
        return None if work is None else self._guard(exchange, pattern, work)

    async def _guard(self, exchange, pattern, work):
        try:
            await work
        except ApiError as error:
            exchange.reply(error.status, *error_body(pattern, error))
        except FaultReset:
            exchange.record.outcome = "reset"
        except asyncio.CancelledError:
            exchange.record.outcome = "cancelled"
            raise

    async def _faulty(self, exchange, handler, fault):
        if fault.busy:
            raise ApiError(503, BUSY)
        if handler not in GENERATIVE:
            await fault.before_headers(exchange)
            await fault.after_headers(exchange, native.JSON_UTF8)
        work = handler(self, exchange)
        if work is not None:
            await work
        if handler not in GENERATIVE:
            await fault.middle(exchange)

    async def prompt_time(self, exchange, content_type):
        """What a route that does not stream tokens waits before it answers, faults included."""
        if self.first_token_time:
            await asyncio.sleep(self.first_token_time)
        if exchange.fault is not None:
            await exchange.fault.before_headers(exchange)
            await exchange.fault.after_headers(exchange, content_type)

    def _middleware(self, exchange, pattern):
        """Redirects, CORS, the Host check, 404 and 405; True when the request is answered."""
        path, method = exchange.path, exchange.method
        tidy = clean(path)
        if tidy != path:
            body = f'<a href="{tidy}">Moved Permanently</a>.\n\n'.encode() if method in ("GET", "HEAD") else b""
            exchange.reply(301, body, "text/html; charset=utf-8" if body else None, [("Location", tidy)])
            return True
        methods = ROUTES.get(pattern, {})
        if method not in methods and self._other_slash(exchange):
            return True
        headers = exchange.headers
        origin = headers.get("origin")
        if origin and origin not in (f"http://{headers.get('host')}", f"https://{headers.get('host')}"):
            if not LOCAL_ORIGIN.match(origin):
                exchange.reply(403)
                return True
            if method == "OPTIONS":
                exchange.reply(204, headers=[
                    ("Access-Control-Allow-Origin", origin), ("Access-Control-Allow-Headers", ALLOWED_HEADERS),
                    ("Access-Control-Allow-Methods", "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"),
                    ("Access-Control-Max-Age", "43200"), ("Vary", "Origin")])
                return True
        if self.check_host and not host_allowed(headers.get("host", "")):
            exchange.reply(403)
            return True
        if not methods:
            exchange.reply(404, b"404 page not found", "text/plain")
            return True
        if method not in methods:
            exchange.reply(405, b"405 method not allowed", "text/plain", [("Allow", ", ".join(methods))])
            return True
        return False

    def _other_slash(self, exchange):
        """gin's redirect to the same path with or without its last slash."""
        path = exchange.path
        other = path[:-1] if path.endswith("/") else path + "/"
        pattern = route_of(other) if other else None
        if pattern is None or exchange.method not in ROUTES[pattern]:
            return False
        query = exchange.target.partition("?")[2]
        exchange.reply(301 if exchange.method == "GET" else 307,
                       headers=[("Location", f"{other}?{query}" if query else other)])
        return True


def asked_model(exchange):
    """The model a request names, for a fault that is limited to one."""
    if exchange.path.startswith("/v1/models/"):
        return exchange.path[len("/v1/models/"):]
    try:
        fields = gojson.bind(gojson.parse(exchange.body), {"model": "any", "name": "any"}, "Request")
    except gojson.DecodeError:
        return None
    asked = fields.get("model") or fields.get("name")
    return asked if isinstance(asked, str) else None
