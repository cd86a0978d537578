"""How much may wait in front of the workers, decided from how fast they empty their line. Pure: give it the clock."""

from collections import deque
from collections.abc import Callable

from bridge.sql.statements import FEW_MESSAGES

# Enough to bridge the milliseconds until the next look, whatever the work; more only for workers that prove quick.
LEAST_IN_LINE = 20
MOST_IN_LINE = 2000
WINDOW_SECONDS = 1.0
# Celery's own cost for a task (about 1 ms) only counts for quick work. A bundle is what one child of a worker does in a
# fifth of a second, by the whole last second; or what it has taken within the last tenth, which lets a burst begin
# quickly. Free children take a task each at once, however long they need for it: one for each is no bundle.
SECONDS_IN_BUNDLE, LATE_SECONDS = 0.2, 0.1
MOST_IN_BUNDLE = 100
# As long as nobody said how many children the workers have. Many, as bundles of slow work let children be idle.
UNKNOWN_CHILDREN = 40
LEAST_PAUSE, MOST_PAUSE = 0.01, 0.5
# In the first second of a burst nobody knows yet how quick it is. The line is looked at so often, and what was done
# within less than the span says little: workers take some tasks at once that they do later. It must be no less than
# `SECONDS_IN_BUNDLE`, or those would be bundles.
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
    `children` tells how many tasks all workers do at the same time, 0 where nobody knows. Of slow work it is not asked.
    The line holds about one second of work, so a burst does not fill the broker, and no lease runs out in it; or twenty
    messages, and where those take longer than a lease, they come again and their stale tasks do nothing.
    """

    def __init__(self) -> None:
        self.children: Callable[[], int] = lambda: 0
        self._waiting: deque[int] = deque()
        # When the line was looked at, and how many deliveries had left it by then.
        self._looks = deque([(-WINDOW_SECONDS, 0)])
        self._in_line = 0
        self._strangers = 0
        self._left, self._left_at = 0, -WINDOW_SECONDS
        # Of a second, and of its last tenth.
        self._rate = self._rate_of_late = 0.0
        self._filled_at = -WINDOW_SECONDS
        self._grown, self._grown_until = LEAST_IN_LINE, 0.0
        self._counted_at = -KNOWN_SECONDS

    def published(self, sizes: list[int], now: float) -> None:
        """Count tasks that were just put at the end of the line, by the number of deliveries each carries."""
        if self._in_line <= 0:
            self._filled_at = now
            if now > self._left_at + WINDOW_SECONDS:
                self._looks = deque([(now, self._left)])
        self._waiting.extend(sizes)
        self._in_line += sum(sizes)

    def observe(self, tasks_in_line: int, now: float) -> None:
        """Take in the broker's count at the monotonic time `now` (seconds)."""
        limit, was_full = self._limit, self.room <= 0
        done, self._counted_at = 0, now
        while len(self._waiting) > tasks_in_line:
            done += self._waiting.popleft()
        self._in_line -= done
        # Tasks that we know nothing of: another bridge's, or our own of an earlier run.
        self._strangers = tasks_in_line - len(self._waiting)
        if done:
            self._left, self._left_at = self._left + done, now
        self._looks.append((now, self._left))
        while self._looks[1][0] <= now - WINDOW_SECONDS:
            self._looks.popleft()
        self._rate = self._rate_within(WINDOW_SECONDS, least=LEAST_SPAN_SECONDS)
        self._rate_of_late = self._rate_within(LATE_SECONDS, least=LATE_SECONDS)
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

    def _rate_within(self, seconds: float, *, least: float) -> float:
        """Deliveries a second since the last look that is so long ago, or since the burst began; as if in `least`."""
        now = self._looks[-1][0]
        began, left = next((look for look in reversed(self._looks) if look[0] <= now - seconds), self._looks[0])
        return (self._left - left) / max(least, now - began)

    @property
    def _limit(self) -> int:
        return min(MOST_IN_LINE, max(self._grown, int(self._rate)))

    @property
    def bundle_size(self) -> int:
        taken = int(max(self._rate * SECONDS_IN_BUNDLE, self._rate_of_late * LATE_SECONDS))
        if taken < 2:
            return 1
        return max(1, min(MOST_IN_BUNDLE, taken // (self.children() or UNKNOWN_CHILDREN)))

    @property
    def pause(self) -> float:
        """Seconds until about half of a full line is done, or less."""
        most = MOST_PAUSE if self._is_sure else UNSURE_PAUSE
        quickest = max(self._rate, self._rate_of_late)
        if not quickest:
            return most
        return min(most, max(LEAST_PAUSE, (self._in_line + self._strangers) / 2 / quickest))

    @property
    def _is_sure(self) -> bool:
        """Whether the rate is that of a whole second in which the line was long enough for it, and never empty."""
        return self._counted_at - self._filled_at >= WINDOW_SECONDS and self._counted_at > self._grown_until
