"""Options and the life of the process."""

import argparse
import asyncio
import json
import os
import signal
import sys
import time

from .app import App
from .control import Control
from .faults import Faults
from .gojson import DecodeError, keep_alive
from .http import Listener
from .node import Node, model_from_option


def address(text):
    """host:port, with brackets round an IPv6 host."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not host:port")
    return host.strip("[]") or "127.0.0.1", int(port)


def seconds(text):
    value = float(text)
    if not 0 <= value <= 86_400:
        raise argparse.ArgumentTypeError("0 to 86400 seconds")
    return value


def whole(low):
    def parse(text):
        value = int(text)
        if value < low:
            raise argparse.ArgumentTypeError(f"at least {low}")
        return value
    return parse


def model_list(text):
    try:
        return [model_from_option(name) and name for name in text.split(",") if name]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def duration(text):
    try:
        return keep_alive(float(text) if text.lstrip("-").isdigit() else text)
    except DecodeError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def options(arguments):
    parser = argparse.ArgumentParser(prog="ollama-sim", description="A simulated Ollama node. Times are seconds.")
    add = parser.add_argument
    add("--listen", type=address, default="127.0.0.1:0", metavar="HOST:PORT", help="node; port 0 takes a free one")
    add("--control", type=address, default="127.0.0.1:0", metavar="HOST:PORT", help="state and faults")
    add("--name", default="sim", help="shown in /state")
    add("--models", type=model_list, default="llama3.2,qwen3,nomic-embed-text", metavar="NAME[,NAME]",
        help="NAME@SEED gives the name another digest; names with 'embed' only embed")
    add("--slots", type=whole(1), default=1, metavar="N", help="OLLAMA_NUM_PARALLEL (default %(default)s)")
    add("--max-queue", type=whole(0), default=512, metavar="N", help="OLLAMA_MAX_QUEUE (default %(default)s)")
    add("--max-loaded", type=whole(1), default=3, metavar="N", help="OLLAMA_MAX_LOADED_MODELS (default %(default)s)")
    add("--keep-alive", type=duration, default="5m", metavar="DURATION", help="OLLAMA_KEEP_ALIVE (default 5m)")
    add("--load-time", type=seconds, default=0.0, metavar="S", help="to load a model")
    add("--first-token-time", type=seconds, default=0.0, metavar="S", help="to evaluate a prompt")
    add("--token-time", type=seconds, default=0.0, metavar="S", help="between tokens")
    add("--tokens", type=whole(1), default=16, metavar="N", help="tokens of an answer (default %(default)s)")
    add("--version", default="0.33.0", metavar="TEXT", help="what /api/version says (default %(default)s)")
    add("--check-host", action="store_true", help="refuse foreign Host headers, as Ollama on loopback does")
    add("--ready-file", metavar="PATH", help="written as JSON when both listeners serve")
    return parser.parse_args(arguments)


def announce(chosen, app, control):
    """Write the addresses to the ready file in one step, then print them."""
    facts = {"name": chosen.name, "pid": os.getpid(), "listen": str(app.listener), "control": str(control),
             "url": f"http://{app.listener}", "control_url": f"http://{control}"}
    if chosen.ready_file:
        partial = f"{chosen.ready_file}.{os.getpid()}"
        with open(partial, "w", encoding="utf-8") as out:
            json.dump(facts, out)
        os.replace(partial, chosen.ready_file)
    print(json.dumps(facts), flush=True)


async def serve(chosen):
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    app = App(chosen, Node(chosen))
    app.listener = Listener(app, *chosen.listen)
    app.faults = Faults(app.listener)
    control = Listener(Control(app, time.monotonic()), *chosen.control)
    app.listener.open()
    control.open()
    announce(chosen, app, control)
    await stop.wait()
    for connection in list(app.listener.connections.values()):
        connection.reset()


def main():
    chosen = options(sys.argv[1:])
    try:
        asyncio.run(serve(chosen))
    except OSError as error:
        print(f"ollama-sim: {error}", file=sys.stderr)
        return 1
    return 0
