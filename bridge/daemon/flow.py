"""How much may wait in front of the workers, decided from how fast they empty their line. Pure: give it the clock."""

from collections import deque

# Enough to bridge the milliseconds until the next look, whatever the work; more only for workers that prove quick.
LEAST_IN_LINE = 20
MOST_IN_LINE = 2000
WINDOW_SECONDS = 1.0
# Celery's own cost for a task (about 1 ms) only counts for quick work. At 10 deliveries a second and more, bundles are
# made that take about a tenth of a second of all workers together; at 100 they reach their full size.
SECONDS_IN_BUNDLE = 0.1
MOST_IN_BUNDLE = 50
LEAST_PAUSE, MOST_PAUSE = 0.01, 0.5
# How long a count of the broker's is good enough for a few messages. Workers only make the line shorter, and what is
# published here is counted here; another bridge may do as much at the same time.
KNOWN_SECONDS, FEW_MESSAGES = 15.0, LEAST_IN_LINE // 2


class Flow:
    """What one Celery line can take.

    Tell it each published task (`published`) and each look at the broker's count (`observe`, in tasks); ask for `room`
    (messages), `bundle_size` (messages a task) and `pause` (seconds until a full line is worth another look).
    The line holds about one second of work: leases never run out in it, and a burst does not fill the broker.
    """

    def __init__(self) -> None:
        self._waiting: deque[int] = deque()
        self._done: deque[tuple[float, int]] = deque()
        self._in_line = 0
        self._strangers = 0
        self._started: float | None = None
        self._counted_at = -KNOWN_SECONDS

    def published(self, sizes: list[int]) -> None:
        """Count tasks that were just put at the end of the line, by the number of deliveries each carries."""
        self._waiting.extend(sizes)
        self._in_line += sum(sizes)

    def observe(self, tasks_in_line: int, now: float) -> None:
        """Take in the broker's count at the monotonic time `now` (seconds)."""
        done, self._counted_at = 0, now
        while len(self._waiting) > tasks_in_line:
            done += self._waiting.popleft()
        self._in_line -= done
        # Tasks that we know nothing of: another bridge's, or our own of an earlier run.
        self._strangers = tasks_in_line - len(self._waiting)
        if self._started is None:
            self._started = now
        self._done.append((now, done))
        while self._done[0][0] < now - WINDOW_SECONDS:
            self._done.popleft()

    def has_room_for_few(self, now: float) -> bool:
        """Whether `FEW_MESSAGES` more are welcome, by what the broker said some seconds ago: it need not be asked."""
        in_line = self._in_line + self._strangers
        return now < self._counted_at + KNOWN_SECONDS and in_line + FEW_MESSAGES <= LEAST_IN_LINE

    @property
    def rate(self) -> float:
        """Deliveries a second that workers took out of the line within the last second."""
        return sum(count for _, count in self._done) / WINDOW_SECONDS

    @property
    def room(self) -> int:
        """How many more messages may be read now; 0 or less means: wait."""
        limit = min(MOST_IN_LINE, max(LEAST_IN_LINE, int(self.rate)))
        return limit - self._in_line - self._strangers

    @property
    def bundle_size(self) -> int:
        return max(1, min(MOST_IN_BUNDLE, int(self.rate * SECONDS_IN_BUNDLE)))

    @property
    def pause(self) -> float:
        """Seconds until about half of a full line is done."""
        if self.rate == 0:
            return 0.05
        return min(MOST_PAUSE, max(LEAST_PAUSE, (self._in_line + self._strangers) / 2 / self.rate))
