"""Fixtures: one simulator for a module, or one of the test's own."""

import pytest
from simulator import Sim


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    sim = Sim(tmp_path_factory.mktemp("sim"))
    yield sim
    sim.stop()


@pytest.fixture
def sim(shared):
    shared.call("POST", "/reset", {"models": True}, where="control")
    return shared


@pytest.fixture
def start(tmp_path):
    running = []

    def make(*arguments):
        running.append(Sim(tmp_path, *arguments))
        return running[-1]
    yield make
    for one in running:
        one.stop()
