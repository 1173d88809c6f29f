"""The control listener: what the node saw, and faults. JSON over HTTP.

GET /state[?events=N][&since=SEQ][&id=REQUEST-ID]   POST /reset   GET, POST, DELETE /faults
N also bounds the request ids listed for a route.
"""

import json
import time
from urllib.parse import parse_qs

from .record import EVENTS_MAX


class Control:
    """The application of the control listener."""

    def __init__(self, app, started):
        self.app = app
        self.started = started

    def opened(self, connection):
        pass

    def closed(self, connection):
        pass

    def finished(self, exchange):
        pass

    def handle(self, exchange):
        actions = {("GET", "/state"): self.state, ("POST", "/reset"): self.reset,
                   ("GET", "/faults"): self.faults, ("POST", "/faults"): self.set_faults,
                   ("DELETE", "/faults"): self.clear_faults}
        action = actions.get((exchange.method, exchange.path))
        try:
            if action is None:
                raise LookupError("routes: GET /state, POST /reset, GET|POST|DELETE /faults")
            status, body = 200, action(exchange)
        except LookupError as error:
            status, body = 404, {"error": str(error)}
        except ValueError as error:
            status, body = 400, {"error": str(error)}
        exchange.reply(status, json.dumps(body).encode(), "application/json")

    def state(self, exchange):
        query = parse_qs(exchange.target.partition("?")[2])
        last = max(0, int(query["events"][0])) if "events" in query else EVENTS_MAX
        since = int(query.get("since", ["0"])[0])
        app, recorder = self.app, self.app.recorder
        return {
            "name": app.node.name, "listen": str(app.listener), "version": app.node.version,
            "uptime": time.monotonic() - self.started,
            "now": {"mono": time.monotonic(), "unix": time.time()},
            "requests": recorder.total, "in_flight": len(recorder.active), "cancelled": recorder.cancelled,
            "outcomes": dict(recorder.outcomes),
            "connections": {"open": len(app.listener.connections), "accepted": app.listener.accepted},
            "routes": {route: {"count": count, "request_ids": list(ids)[max(0, len(ids) - last):]}
                       for route, (count, ids) in recorder.routes.items()},
            **app.node.as_dict(),
            "faults": app.faults.as_dict(),
            "events": recorder.select(since, last, query["id"][0] if "id" in query else None),
        }

    def reset(self, exchange):
        """Forget records and faults; with {"models": true} also loaded and changed models."""
        body = json.loads(exchange.body or b"{}")
        self.app.faults.clear()
        self.app.recorder.reset()
        if isinstance(body, dict) and body.get("models"):
            self.app.node.unload_idle()
            self.app.node.restore_models()
        return {"ok": True}

    def faults(self, _exchange):
        return self.app.faults.as_dict()

    def set_faults(self, exchange):
        self.app.faults.replace(json.loads(exchange.body or b"{}"))
        return self.app.faults.as_dict()

    def clear_faults(self, _exchange):
        self.app.faults.clear()
        return {}
