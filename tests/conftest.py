"""What holds for every test: no network but loopback, UTC, no ambient credentials, repeatable properties."""

from __future__ import annotations

import os
import signal
import time

import hypothesis
import pytest

from tests.support import sockets

# The same examples in every run and no time limit on one: a red run on any machine is red on all.
# `pytest --hypothesis-profile explore` looks further, with new examples each time.
hypothesis.settings.register_profile("repeatable", max_examples=100, derandomize=True, deadline=None, database=None)
hypothesis.settings.register_profile("explore", max_examples=2000, deadline=None, print_blob=True)
hypothesis.settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    """Guard the process before a single test file is imported."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    # gRPC opens its own sockets, which the guard cannot see: give it no credentials, no proxy, no foreign emulator.
    os.environ.pop("GOOGLE_APPLICATION_CREDENTIALS", None)
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "localhost,127.0.0.1,::1"
    _check_emulator()
    config.add_cleanup(sockets.install())
    # A shell that starts the suite in the background has it ignore Ctrl-C, and all processes of tests inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _emulator_is_on_loopback() -> None:
    """A fixture may start the emulator later; it is held to the same rule."""
    _check_emulator()


def _check_emulator() -> None:
    emulator = os.environ.get("FIRESTORE_EMULATOR_HOST")
    if emulator and not sockets.is_loopback(emulator.rpartition(":")[0]):
        raise pytest.UsageError(f"FIRESTORE_EMULATOR_HOST={emulator}: tests may use only an emulator on loopback")
