"""Waiting for something that another thread or process does, and for no longer than that."""

import time
from collections.abc import Callable

import pytest


def wait_until(condition: Callable[[], bool], *, seconds: float = 20, what: str = "the condition") -> None:
    """Return as soon as `condition()` holds; fail the test when it still does not after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come true within {seconds:g} s")
        time.sleep(0.01)
