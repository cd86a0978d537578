"""Says once an hour what may happen a thousand times a second."""

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
