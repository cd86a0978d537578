"""One password at a time: a hash is made to be slow, and a flood of guesses would take every thread and both cores."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

# One at work and one who waits: the other threads of the process answer everybody else.
_PLACES = 2
WAIT_SECONDS = 2.0


class TooBusy(Exception):
    """Other passwords are being checked; worth trying again in some seconds."""


class HashingRoom:
    """Lets one caller in and one wait for it; whoever else comes is sent away at once."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(_PLACES)
        self._work = threading.Lock()

    @contextmanager
    def place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise TooBusy
        try:
            if not self._work.acquire(timeout=WAIT_SECONDS):
                raise TooBusy
            try:
                yield
            finally:
                self._work.release()
        finally:
            self._places.release()


room = HashingRoom()
