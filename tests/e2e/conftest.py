"""Fixtures: one gateway for the tests that only look, and a fresh one for those that break things."""

import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness import Gateway  # noqa: E402

ORIGIN = "https://chat.example.org"


@pytest.fixture(scope="session")
def folders():
    """Short folders, because a unix socket's path holds 107 characters."""
    base = pathlib.Path(tempfile.mkdtemp(prefix="tg-"))
    yield base
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(scope="session")
def shared(folders):
    origins = folders / "origins.lst"
    origins.write_text(ORIGIN + "\n")
    gateway = Gateway(folders / "s", TOLLGATE_CORS_ORIGINS=str(origins))
    try:
        yield gateway.up()
    finally:
        gateway.down()


@pytest.fixture
def gate(shared):
    """The shared gateway with nodes that behave; whatever a test did, no node saw a secret."""
    shared.clear()
    shared.reset_nodes()
    yield shared
    shared.clear()
    shared.check_nodes_saw_no_secret()


@pytest.fixture(scope="session")
def roles(shared):
    """An unlimited key of every role."""
    return {role: shared.new_key(role=role, rpm=0)["key"] for role in ("user", "operator", "monitor")}


@pytest.fixture(scope="module")
def make_gateway(folders):
    """Starts gateways of the module's own; they are stopped with it."""
    made = []

    def make(**environment):
        gateway = Gateway(folders / f"g{len(list(folders.iterdir()))}", **environment)
        made.append(gateway)
        return gateway.up()

    yield make
    for gateway in reversed(made):
        gateway.down()
