"""Whether the broker answers, for a page that is read again every few seconds by everybody who has it open.

A process asks in a thread of its own, as neither DNS nor TLS keeps to the time of a socket, and not for each request:
while the broker is away nobody waits for it, and what is known is said.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import redis

from bridge.brief_redis import brief_redis
from bridge.trouble.explain import explain

# How long somebody waits for the first answer; how old an answer may be that nobody waits for.
PATIENCE_SECONDS = 0.4
FRESH_SECONDS = 2.0
# How often it is asked while it is away.
AWAY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """`why` is what a person can do about it, in English, where that is known."""

    is_there: bool
    why: str = ""


class BrokerWatch:
    """What one process knows of the broker."""

    def __init__(self, ask: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._ask, self._clock = ask, clock
        self._lock = threading.Lock()
        self._answer: Answer | None = None
        self._answered_at = 0.0
        self._asking: threading.Thread | None = None

    def look(self) -> Answer:
        """The newest answer. Waits for one only as long as the broker is not known to be away."""
        with self._lock:
            if self._answer is not None and self._clock() - self._answered_at < self._keeps(self._answer):
                return self._answer
            asking = self._begin()
            known = self._answer
        if known is None or known.is_there:
            asking.join(PATIENCE_SECONDS)
        with self._lock:
            if self._asking is asking and asking.is_alive() and (known is None or known.is_there):
                # It goes on to wait; the next to come will not.
                self._note(Answer(is_there=False, why="no answer in time"))
            return self._answer or Answer(is_there=False)

    def forget(self) -> None:
        with self._lock:
            self._answer = None

    def _begin(self) -> threading.Thread:
        if self._asking is None or not self._asking.is_alive():
            self._asking = threading.Thread(target=self._run, name="look at the broker", daemon=True)
            self._asking.start()
        return self._asking

    def _run(self) -> None:
        try:
            self._ask()
        except (redis.RedisError, OSError, ValueError) as error:
            answer = Answer(is_there=False, why=str(explain(error) or type(error).__name__))
        else:
            answer = Answer(is_there=True)
        with self._lock:
            self._note(answer)

    def _note(self, answer: Answer) -> None:
        self._answer, self._answered_at = answer, self._clock()

    def _keeps(self, answer: Answer) -> float:
        return FRESH_SECONDS if answer.is_there else AWAY_SECONDS


def _ping() -> None:
    # Whoever may not ask this has been answered, and may do the rest for all that is known.
    with brief_redis(PATIENCE_SECONDS) as client, suppress(redis.exceptions.NoPermissionError):
        client.ping()


broker = BrokerWatch(_ping)
