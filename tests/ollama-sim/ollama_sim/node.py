"""The node behind the HTTP surface: models on disk, loaded runners with their slots, and the scheduler.

As in Ollama's sched.go: a request for a loaded model waits for a slot without any bound; only requests
that need a load (or a reload, when an option that shapes the runner differs) stand in the queue that
OLLAMA_MAX_QUEUE bounds, and one load is made at a time.
"""

import asyncio
import collections
import hashlib
import time

from . import gojson, names

BUSY = "server busy, please try again.  maximum pending requests exceeded"
RELOAD_OPTIONS = ("num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread")
MODELS_MAX = 10_000
BLOBS_MAX = 10_000


class Busy(Exception):
    """The queue of loads is full."""


class Model:
    """A model on disk. The digest depends on the name and the seed only, so nodes agree on it."""

    def __init__(self, name, seed=""):
        self.name = name
        self.key = name.key
        self.display = name.shortest()
        self.digest = hashlib.sha256(f"{seed}\0{self.key}".encode()).hexdigest()
        self.size = 1_000_000_000 + int(self.digest[:8], 16)
        self.modified = 1_760_000_000 + int(self.digest[8:13], 16)
        self.embedding_only = "embed" in name.model.lower()
        self.family = name.model.split(".")[0].split("-")[0].lower()
        self.system = ""

    def capabilities(self):
        return ["embedding"] if self.embedding_only else ["completion", "vision", "tools", "thinking"]

    def details(self):
        return {"parent_model": "", "format": "gguf", "family": self.family, "families": [self.family],
                "parameter_size": "1.2B", "quantization_level": "Q4_K_M"}


class Runner:
    """A loaded model: its slots, who waits for them, and when it goes."""

    def __init__(self, model, slots, options):
        self.model = model
        self.options = options
        self.slots = slots
        self.free = slots
        self.leaked = 0
        self.waiting = collections.deque()
        self.users = 0              # requests holding or waiting for a slot
        self.ready = asyncio.Event()
        self.gone = False
        self.keep = 0.0
        self.expires = time.time() + 300.0
        self.timer = None

    async def take_slot(self):
        if self.free > 0:
            self.free -= 1
            return
        waiter = asyncio.get_running_loop().create_future()
        self.waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.give_slot()
            else:
                self.waiting.remove(waiter)
            raise

    def give_slot(self):
        while self.waiting:
            waiter = self.waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.free += 1


class Node:
    """Models by key, runners by key, and the queue of loads."""

    def __init__(self, options):
        self.name = options.name
        self.version = options.version
        self.slots = options.slots
        self.max_queue = options.max_queue
        self.max_loaded = options.max_loaded
        self.load_time = options.load_time
        self.keep_alive = options.keep_alive
        self.initial = [model_from_option(text) for text in options.models]
        self.blobs = set()
        self.runners = {}
        self.load_lock = asyncio.Lock()
        self.queued = 0
        self.loads = 0
        self.unloads = 0
        self.idle = asyncio.Event()     # set when a runner lost its last user
        self.restore_models()

    def restore_models(self):
        self.models = {model.key: model for model in self.initial}

    def find(self, text):
        name = names.parse(text) if text else None
        return self.models.get(name.key) if name else None

    def add(self, model):
        if len(self.models) < MODELS_MAX:
            self.models[model.key] = model

    async def acquire(self, model, options, keep_alive, slot=True):
        """Wait for a load and for a slot; returns the runner with a slot taken. Raises Busy.

        Requests that only load take no slot, so they return at once from a busy model.
        """
        shape = tuple((options or {}).get(option) for option in RELOAD_OPTIONS)
        while True:
            runner = self.runners.get(model.key)
            if runner is None or (runner.ready.is_set() and needs_reload(runner, shape)):
                runner = await self._load(model, shape)
            if not runner.ready.is_set():
                await runner.ready.wait()
            if not runner.gone:
                break
        runner.users += 1
        runner.keep = self.keep_alive if keep_alive is None else keep_alive
        if slot:
            try:
                await runner.take_slot()
            except BaseException:
                self._left(runner)
                raise
        return runner

    def release(self, runner, slot=True, leak=False):
        """Give the slot back; a leak loses it until the runner is unloaded (ollama #17131)."""
        if leak:
            runner.leaked += 1
        elif slot:
            runner.give_slot()
        self._left(runner)

    def _left(self, runner):
        runner.users -= 1
        if runner.users or runner.gone:
            return
        self.idle.set()
        if runner.keep <= 0:
            self._unload(runner)
        else:
            runner.expires = time.time() + runner.keep
            self._arm(runner)

    def _arm(self, runner):
        if runner.timer is None and runner.keep != gojson.FOREVER:
            delay = min(max(runner.expires - time.time(), 0.0), 86_400.0)
            runner.timer = asyncio.get_running_loop().call_later(delay, self._expire, runner)

    def _expire(self, runner):
        runner.timer = None
        if runner.gone or runner.users or runner.keep == gojson.FOREVER:
            return
        if runner.expires > time.time():
            self._arm(runner)
        else:
            self._unload(runner)

    def unload(self, model):
        """keep_alive 0 on an empty request: at once when nobody uses the runner, else after the last."""
        runner = self.runners.get(model.key)
        if runner is not None:
            runner.keep = 0.0
            runner.expires = time.time()
            if not runner.users and runner.ready.is_set():
                self._unload(runner)

    def unload_idle(self):
        for runner in list(self.runners.values()):
            self.unload(runner.model)

    def _unload(self, runner):
        runner.gone = True
        runner.ready.set()
        if runner.timer is not None:
            runner.timer.cancel()
        if self.runners.get(runner.model.key) is runner:
            del self.runners[runner.model.key]
            self.unloads += 1
        self.idle.set()

    async def _load(self, model, shape):
        if self.load_lock.locked() and self.queued >= self.max_queue:
            raise Busy
        self.queued += 1
        waiting = True
        try:
            async with self.load_lock:
                self.queued -= 1
                waiting = False
                runner = self.runners.get(model.key)
                if runner is not None and not needs_reload(runner, shape):
                    return runner
                await self._make_room(model, runner)
                return await self._start(model, shape)
        finally:
            if waiting:
                self.queued -= 1

    async def _make_room(self, model, old):
        """Unload what stands in the way, waiting for its users to finish."""
        while old is not None and not old.gone:
            if not old.users:
                self._unload(old)
                break
            self.idle.clear()
            await self.idle.wait()
        while len(self.runners) >= self.max_loaded:
            candidates = [runner for runner in self.runners.values() if not runner.users]
            if candidates:
                self._unload(min(candidates, key=lambda runner: runner.expires))
            else:
                self.idle.clear()
                await self.idle.wait()

    async def _start(self, model, shape):
        runner = Runner(model, 1 if model.embedding_only else self.slots, shape)
        runner.keep = self.keep_alive
        runner.expires = time.time() + min(self.keep_alive, 1e9)
        self.runners[model.key] = runner
        self.loads += 1
        try:
            if self.load_time:
                await asyncio.sleep(self.load_time)
        except asyncio.CancelledError:
            self._unload(runner)    # the load belongs to the request that asked for it
            raise
        runner.ready.set()
        return runner

    def as_dict(self):
        models = {}
        for runner in self.runners.values():
            models[runner.model.display] = {
                "state": "loaded" if runner.ready.is_set() else "loading", "slots": runner.slots,
                "used": runner.slots - runner.free - runner.leaked, "leaked": runner.leaked,
                "waiting": len(runner.waiting),
                "expires_unix": None if runner.keep == gojson.FOREVER else runner.expires}
        return {"models": sorted(model.display for model in self.models.values()), "loaded": models,
                "slots_used": sum(entry["used"] for entry in models.values()),
                "slots_waiting": sum(entry["waiting"] for entry in models.values()),
                "loads_queued": self.queued, "loads": self.loads, "unloads": self.unloads}


def needs_reload(runner, shape):
    """Only options that the request names can differ from the runner's."""
    return any(asked is not None and asked != has for asked, has in zip(shape, runner.options))


def model_from_option(text):
    """name, or name@seed for the same name with another digest; raises ValueError."""
    text, _, seed = text.partition("@")
    name = names.parse(text)
    if name is None:
        raise ValueError(f"not a model name: {text!r}")
    return Model(name, seed)
