"""Waiting for what other processes do, with an end to it."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

EVERY_SECONDS = 0.05


def wait_until(condition: Callable[[], T], what: str, *, seconds: float = 60) -> T:
    """Return the first true value of `condition()`, or fail with `what` was waited for."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain until {what}; last seen: {value!r}")
        time.sleep(EVERY_SECONDS)
    return value
