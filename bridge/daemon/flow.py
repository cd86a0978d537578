"""How much may wait in front of the workers, decided from how fast they empty their line. Pure: give it the clock."""

from collections import deque

from bridge.sql.statements import FEW_MESSAGES

# Enough to bridge the milliseconds until the next look, whatever the work; more only for workers that prove quick.
LEAST_IN_LINE = 20
MOST_IN_LINE = 2000
WINDOW_SECONDS = 1.0
# Celery's own cost for a task (about 1 ms) only counts for quick work. At 10 deliveries a second and more, bundles are
# made that take about a tenth of a second of all workers together; at 100 they reach their full size.
SECONDS_IN_BUNDLE = 0.1
MOST_IN_BUNDLE = 50
# Free children take a task each at once, however long they need for it. Of so many messages nobody can tell whether
# they are done or only in hand, so each further one in a bundle wants as many that left the line within this burst;
# after ten times as many, those in hand make no difference.
IN_HAND = 40
LEAST_PAUSE, MOST_PAUSE = 0.01, 0.5
# In the first second of a burst nobody knows yet how quick it is. The line is looked at so often, and what was done
# within less than the span says little about a second: workers take some tasks at once that they do later.
UNSURE_PAUSE, LEAST_SPAN_SECONDS = 0.05, 0.2
# A full line that is found as short as a quarter was too short, and may be twice as long for the next second. Nor is it
# filled up before a quarter is free: a read costs about the same for one message and for many.
SHARE = 4
# How long a count of the broker's is good enough for `FEW_MESSAGES`. Workers only make the line shorter, and what is
# published here is counted here; another bridge may do as much at the same time.
KNOWN_SECONDS = 15.0


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
        self._rate = 0.0
        # Within this burst, and of that within the last second.
        self._done_in_burst = self._done_of_late = 0
        # Since when workers may have taken out what was counted, and since when there was something to take.
        self._since = self._filled_at = -WINDOW_SECONDS
        self._grown, self._grown_until = LEAST_IN_LINE, 0.0
        self._counted_at = -KNOWN_SECONDS

    def published(self, sizes: list[int], now: float) -> None:
        """Count tasks that were just put at the end of the line, by the number of deliveries each carries."""
        if self._in_line <= 0:
            self._filled_at = now
            if not self._done or now > self._done[-1][0] + WINDOW_SECONDS:
                self._since, self._done_in_burst = now, 0
        self._waiting.extend(sizes)
        self._in_line += sum(sizes)

    def observe(self, tasks_in_line: int, now: float) -> None:
        """Take in the broker's count at the monotonic time `now` (seconds)."""
        limit, was_full = self._limit, self.room <= 0
        done, self._counted_at = 0, now
        while len(self._waiting) > tasks_in_line:
            done += self._waiting.popleft()
        self._in_line -= done
        self._done_in_burst += done
        # Tasks that we know nothing of: another bridge's, or our own of an earlier run.
        self._strangers = tasks_in_line - len(self._waiting)
        while self._done and self._done[0][0] < now - WINDOW_SECONDS:
            self._done.popleft()
        if done:
            self._done.append((now, done))
        span = min(WINDOW_SECONDS, max(LEAST_SPAN_SECONDS, now - self._since))
        self._done_of_late = sum(count for _, count in self._done)
        self._rate = self._done_of_late / span
        if was_full and (self._in_line + self._strangers) * SHARE <= limit:
            self._grown, self._grown_until = min(MOST_IN_LINE, 2 * limit), now + WINDOW_SECONDS
        elif now > self._grown_until:
            self._grown = LEAST_IN_LINE

    def has_room_for_few(self, now: float) -> bool:
        """Whether `FEW_MESSAGES` more are welcome, by what the broker said some seconds ago: it need not be asked."""
        in_line = self._in_line + self._strangers
        return now < self._counted_at + KNOWN_SECONDS and in_line + FEW_MESSAGES <= LEAST_IN_LINE

    @property
    def rate(self) -> float:
        """Deliveries a second that workers took out of the line within the last second, or since a burst began."""
        return self._rate

    @property
    def room(self) -> int:
        """How many more messages may be read now; 0 or less means: wait."""
        limit = self._limit
        free = limit - self._in_line - self._strangers
        return free if free * SHARE >= limit else min(free, 0)

    @property
    def _limit(self) -> int:
        return min(MOST_IN_LINE, max(self._grown, int(self._rate)))

    @property
    def bundle_size(self) -> int:
        """By what was done within a whole second, and by how much was: see `IN_HAND`."""
        by_time = int(self._done_of_late / WINDOW_SECONDS * SECONDS_IN_BUNDLE)
        by_number = MOST_IN_BUNDLE if self._done_in_burst >= 10 * IN_HAND else self._done_in_burst // IN_HAND
        return max(1, min(MOST_IN_BUNDLE, by_time, by_number))

    @property
    def pause(self) -> float:
        """Seconds until about half of a full line is done."""
        if self._rate == 0:
            return UNSURE_PAUSE
        most = MOST_PAUSE if self._is_sure else UNSURE_PAUSE
        return min(most, max(LEAST_PAUSE, (self._in_line + self._strangers) / 2 / self._rate))

    @property
    def _is_sure(self) -> bool:
        """Whether the rate is that of a whole second in which the line was long enough for it, and never empty."""
        return self._counted_at - self._filled_at >= WINDOW_SECONDS and self._counted_at > self._grown_until
