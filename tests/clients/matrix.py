"""Runs every client's tests against one gateway and makes the table of what works of their results alone.

    matrix.py --modules DIR [--python PROGRAM] [--table FILE] [CLIENT ...]

tests/clients/run installs what this needs and calls it.
"""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from harness import EMBEDDER, MODEL, Gateway  # noqa: E402

SLOW = "slow"       # a model whose streams take minutes
EMBEDDED = "a quiet word"
PART_SECONDS = 300

Client = collections.namedtuple("Client", "name packages")
CLIENTS = [
    Client("openai", ("openai",)),
    Client("ollama", ("ollama",)),
    Client("anthropic", ("@anthropic-ai/sdk",)),
    Client("ai-ollama", ("ai", "ollama-ai-provider-v2")),
    Client("ai-openai-compatible", ("ai", "@ai-sdk/openai-compatible")),
    Client("langchain-ollama", ("@langchain/ollama",)),
    Client("langchain-openai", ("@langchain/openai",)),
    Client("py-openai", ("openai",)),
    Client("py-ollama", ("ollama",)),
    Client("py-anthropic", ("anthropic",)),
    Client("py-langchain-ollama", ("langchain-ollama",)),
]

# The table's columns and the tests behind each: a column is "yes" when all of them are.
COLUMNS = {
    "chat": ["chat"],
    "streamed": ["stream"],
    "tools": ["tools"],
    "JSON": ["json"],
    "thinking": ["thinking"],
    "4 MB image": ["images"],
    "embeddings": ["embeddings"],
    "Responses": ["responses"],
    "models": ["models"],
    "errors": ["error_400", "error_401", "error_403", "error_404", "error_429"],
    "retry": ["retry"],
    "abort": ["abort"],
}

Result = collections.namedtuple("Result", "result note remark")


def is_python(client):
    return client.name.startswith("py-")


# ---- the gateway --------------------------------------------------------------------------------------


def ask_node(gateway, path, body):
    """What a node answers without a gate before it."""
    url = f"http://{gateway.sims[0].state()['listen']}{path}"
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode()), timeout=10) as answer:
        return json.load(answer)


def add_slow_model(gateway):
    """A model on every node, as an operator adds one, that answers a word every 50 ms for minutes."""
    operator = gateway.new_key(role="operator", rpm=0)["key"]
    for number, sim in enumerate(gateway.sims, 1):
        headers = {"X-Tollgate-Node": f"node{number}"}
        reply = gateway.post("/api/pull", {"model": SLOW, "stream": False}, operator, headers=headers)
        assert reply.status == 200, reply.body
        sim.fault(model=SLOW, tokens=6000, chunk_delay=0.05)


def write_config(gateway, path, clients):
    """The file that every client's process reads."""
    question = {"model": MODEL, "messages": [{"role": "user", "content": "x"}], "stream": False}
    thoughtful = ask_node(gateway, "/api/chat", {**question, "think": True})["message"]
    config = {
        "url": gateway.env["TOLLGATE_URL"],
        "sims": [sim.url for sim in gateway.sims],
        "audit": gateway.env["TOLLGATE_AUDIT_DIR"],
        "keys": {
            "user": gateway.key,
            "forbidden": gateway.new_key(rpm=0, models="qwen3")["key"],
            "limited": {
                f"{client.name}-{part}": gateway.new_key(rpm=1)["key"]
                for client in clients for part in ("main", "retry")
            },
        },
        "model": MODEL, "slow": SLOW, "embedder": EMBEDDER, "embedded": EMBEDDED,
        "answer": ask_node(gateway, "/api/chat", question)["message"]["content"],
        "thought": thoughtful["thinking"], "afterThought": thoughtful["content"],
        "vector": ask_node(gateway, "/api/embed", {"model": EMBEDDER, "input": EMBEDDED})["embeddings"][0],
    }
    path.write_text(json.dumps(config))


# ---- the clients --------------------------------------------------------------------------------------


class Runner:
    """Starts the processes of clients and reads their results."""

    def __init__(self, arguments, folder):
        self.arguments = arguments
        self.folder = folder
        self.processes = []
        # what a developer has set must not send the tests elsewhere
        kept = {name: value for name, value in os.environ.items()
                if not name.upper().startswith(("OPENAI_", "ANTHROPIC_", "OLLAMA_", "LANGCHAIN_", "LANGSMITH_"))
                and not name.lower().endswith("_proxy")}
        self.environment = {**kept, "TOLLGATE_CLIENTS_CONFIG": str(folder / "config.json"),
                            "PYTHONDONTWRITEBYTECODE": "1"}

    def start(self, client, part):
        if is_python(client):
            command = [self.arguments.python, HERE / "py" / "main.py"]
        else:
            # a module is looked up from where it is, so the sources stand beside the packages
            command = ["node", *self.node_options(), self.folder / "js" / "main.mjs"]
        with open(self.folder / f"{client.name}-{part}.log", "w", encoding="utf-8") as log:
            self.processes.append(subprocess.Popen(
                [*map(str, command), client.name, part], stdout=subprocess.PIPE, stderr=log, env=self.environment,
                text=True))
        return self.processes[-1]

    def stop(self):
        """Whatever still runs when the tests are interrupted."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()

    def node_options(self):
        # Node 18 has WebCrypto, but not under its global name
        major = int(subprocess.check_output(["node", "-p", "process.versions.node.split('.')[0]"]))
        return ["--experimental-global-webcrypto"] if major < 20 else []

    def results(self, process, client, part):
        try:
            output, _ = process.communicate(timeout=PART_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
        found = {}
        for line in output.splitlines():
            with contextlib.suppress(ValueError):
                one = json.loads(line)
                found[one["feature"]] = Result(one["result"], one["note"], one["remark"])
        wanted = {test for tests in COLUMNS.values() for test in tests if (test == "retry") == (part == "retry")}
        for test in wanted - set(found):
            found[test] = Result("no", f"no result; the process ended with {process.returncode}", True)
        if any(result.result == "no" for result in found.values()):
            sys.stdout.write((self.folder / f"{client.name}-{part}.log").read_text(errors="replace"))
        for test, result in found.items():
            word = {"yes": "ok", "no": "FAILED"}.get(result.result, result.result)
            print(f"{word:7} {client.name} {test}{': ' + result.note if result.note else ''}", flush=True)
        return found

    def run(self, clients):
        """All results by client. The retries wait a minute side by side while the rest runs one by one."""
        retries = {client: self.start(client, "retry") for client in clients}
        all_results = {}
        for client in clients:
            all_results[client] = self.results(self.start(client, "main"), client, "main")
        for client, process in retries.items():
            all_results[client].update(self.results(process, client, "retry"))
        return all_results


def check_after(gateway):
    """What must be true when all clients are gone: name and note (None is good)."""
    def nothing_left():
        gateway.wait_idle(5)
        deadline = time.monotonic() + 5
        while gateway.slots_used():
            assert time.monotonic() < deadline, "a slot is taken"

    for name, check in (("no request is left at the gate or at a node", nothing_left),
                        ("no node saw a key or a header of a client's own", gateway.check_nodes_saw_no_secret)):
        try:
            check()
            yield name, None
        except AssertionError as error:
            yield name, str(error) or "assertion failed"


# ---- the table ----------------------------------------------------------------------------------------


def versions(client, arguments):
    if not is_python(client):
        read = [json.loads((arguments.modules / name / "package.json").read_text())["version"]
                for name in client.packages]
        return [f"`{name}` {version}" for name, version in zip(client.packages, read)]
    if not arguments.python:
        return [f"`{name}`" for name in client.packages]
    program = "import sys, importlib.metadata as m; print(*(m.version(p) for p in sys.argv[1:]))"
    output = subprocess.check_output([arguments.python, "-c", program, *client.packages], text=True)
    return [f"`{name}` {version}" for name, version in zip(client.packages, output.split())]


def cell(results, tests):
    """A column's word, and what its readers should know."""
    found = [results[test] for test in tests]
    failed = [result for result in found if result.result == "no"]
    if failed:
        return "**no**", failed[0].note.splitlines()[0]
    remarks = [result.note for result in found if result.remark]
    return found[0].result, remarks[0] if remarks else ""


def table(all_results, skipped, arguments):
    lines = ["| client | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    notes = []
    for client, results in all_results.items():
        cells = []
        for tests in COLUMNS.values():
            word, note = cell(results, tests)
            if note and note not in notes:
                notes.append(note)
            cells.append(f"{word}<sup>{notes.index(note) + 1}</sup>" if note else word)
        language = "Python" if is_python(client) else "npm"
        lines.append(f"| {', '.join(versions(client, arguments))} ({language}) | " + " | ".join(cells) + " |")
    for client in skipped:
        lines.append(f"| {', '.join(versions(client, arguments))} (Python) |" + " not run |" * len(COLUMNS))
    if notes:
        lines.append("")
        lines += [f"{number}. {note}" for number, note in enumerate(notes, 1)]
    return "\n".join(lines) + "\n"


# -------------------------------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--modules", type=pathlib.Path, required=True)
    parser.add_argument("--python")
    parser.add_argument("--table", type=pathlib.Path)
    parser.add_argument("clients", nargs="*")
    arguments = parser.parse_args()
    unknown = set(arguments.clients) - {client.name for client in CLIENTS}
    if unknown:
        parser.error(f"no such client: {', '.join(sorted(unknown))}; there are {', '.join(c.name for c in CLIENTS)}")
    chosen = [client for client in CLIENTS if not arguments.clients or client.name in arguments.clients]
    run = [client for client in chosen if arguments.python or not is_python(client)]

    # short, because a unix socket's path holds 107 characters
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tg-"))
    gateway = Gateway(folder / "g", TOLLGATE_INSTALL=os.environ.get("TOLLGATE_INSTALL", "yes"))
    runner = Runner(arguments, folder)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        gateway.up()
        add_slow_model(gateway)
        write_config(gateway, folder / "config.json", run)
        shutil.copytree(HERE / "js", folder / "js")
        (folder / "node_modules").symlink_to(arguments.modules.resolve())
        all_results = runner.run(run)
        after = list(check_after(gateway))
    finally:
        runner.stop()
        gateway.down()
        shutil.rmtree(folder, ignore_errors=True)

    for name, problem in after:
        print(f"{'FAILED' if problem else 'ok':7} {name}{': ' + problem if problem else ''}")
    text = table(all_results, [client for client in chosen if client not in run], arguments)
    if arguments.table:
        arguments.table.write_text(text)
    else:
        print(f"\n{text}")
    words = [result.result for results in all_results.values() for result in results.values()]
    words += ["no" if problem else "yes" for _, problem in after]
    failed = words.count("no")
    print(f"{words.count('n.a.')} not offered by the client or by Ollama (n.a.)")
    print(f"{words.count('yes')} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
