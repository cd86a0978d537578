"""Leaves a service alone for a moment after it failed."""

import threading
import time
from collections.abc import Callable


class Breaker:
    """Tells whether a service may be asked, for the threads of one process.

    After a failure nobody may for `pause` seconds, and then one caller may try: until it has succeeded, nobody else.
    """

    def __init__(self, pause: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._pause = pause
        self._clock = clock
        self._lock = threading.Lock()
        self._is_away = False
        self._not_before = 0.0

    def may_ask(self) -> bool:
        # Without the lock while all is well: this is on the way of every request.
        if not self._is_away:
            return True
        with self._lock:
            now = self._clock()
            if now < self._not_before:
                return False
            self._not_before = now + self._pause
            return True

    def failed(self, pause: float = 0.0) -> None:
        """Leave it alone for its pause, or for longer where `pause` says so."""
        with self._lock:
            self._is_away, self._not_before = True, self._clock() + max(self._pause, pause)

    def succeeded(self) -> None:
        if self._is_away:
            with self._lock:
                self._is_away = False
