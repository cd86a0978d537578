"""Says once an hour, or some times, what may happen a thousand times a second."""

import threading
import time


class Seldom:
    """Counts what happens, for the threads of one process, and says when it is time for a line in the log."""

    SECONDS = 3600.0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._quiet_until: dict[str, float] = {}

    def tell(self, what: str) -> int:
        """How often this happened since it was told last, or 0 where nothing is to be told yet."""
        now = time.monotonic()
        with self._lock:
            self._counts[what] = self._counts.get(what, 0) + 1
            if now < self._quiet_until.get(what, 0.0):
                return 0
            self._quiet_until[what] = now + self.SECONDS
            return self._counts.pop(what)


class FewAnHour:
    """Numbers what happens within the hour, for the threads of one process, and says which of it is worth a line."""

    def __init__(self, most: int, then_every: int = 1000) -> None:
        self._most, self._then_every = most, then_every
        self._lock = threading.Lock()
        self._began = 0.0
        self._counts: dict[str, int] = {}

    def tell(self, what: str) -> str | None:
        """What to add to the line: nothing for the first ones, then its number; `None`: write no line."""
        now = time.monotonic()
        with self._lock:
            if not self._counts or now - self._began >= Seldom.SECONDS:
                self._began, self._counts = now, {}
            number = self._counts[what] = self._counts.get(what, 0) + 1
        if number <= self._most:
            return ""
        return None if number % self._then_every else f" (number {number} of this hour, the others have no line)"


class HourlyCount:
    """Counts within the hour, for the threads of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[int, int] = {}

    def next(self) -> int:
        """The number of this call within the current hour, from 1."""
        hour = int(time.time() // Seldom.SECONDS)
        with self._lock:
            self._counts = {hour: self._counts.get(hour, 0) + 1}
            return self._counts[hour]
