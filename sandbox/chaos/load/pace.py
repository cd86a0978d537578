"""How often each kind of client comes, and threads that go on until the load is over."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """In a second. `slow` is the share of mails whose server takes its time, so that faults hit attempts half-way."""

    mails: float = 3.0
    slow: float = 0.25
    purchases: float = 0.4
    reports: float = 0.2


def repeat(work: Callable[[int], None], rate: float, *, draw: random.Random, over: threading.Event) -> None:
    """Call `work` with 0, 1, 2 … about `rate` times a second, until the load is over; what is late is made up for."""
    number, due = 0, time.monotonic()
    while not over.wait(max(0.0, due - time.monotonic())):
        work(number)
        number += 1
        due = max(due + draw.expovariate(rate), time.monotonic() - 1.0)
