"""Looks whether services that are away are back: the bridge's part of the breaker.

The loop of the bridge takes turns and writes what came of them; only the look itself, which may be slow, has a thread.
So no look keeps a message waiting, and no further connection to Postgres is needed. Where no bridge lives, nothing is
read that could need a service.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from django.db import DatabaseError

from bridge.breaker.services import Service, Verdict, services
from bridge.breaker.watch import end_turn, lift_forgotten, open_services, renew_turn, take_turn
from bridge.errors import Away
from bridge.postgres import first_line, is_outage

logger = logging.getLogger(__name__)

# How often it is looked whether a service is away, and, while one is, whether it is its turn. Whoever finds one away
# holds its queues, and bridges hear of that: one that listens and hears nothing looks seldom.
CALM_SECONDS, BUSY_SECONDS = 1.0, 0.2
QUIET_SECONDS = 10.0
TROUBLE_SECONDS = 30.0
# Each step of a look has a limit and all together have none: who answers letter by letter keeps one for hours. Nobody
# can end its thread, so with each that hangs the next may take longer.
LONGEST_SECONDS = 120.0
# How often it is looked for holds whose service is not away.
FORGOTTEN_EVERY_SECONDS = 30.0


class Prober:
    """Call `turn` from the loop, at `look_at` (monotonic seconds) or sooner; `wake` is called when a look has ended."""

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._who = f"{socket.gethostname()}:{os.getpid()}:{id(self):x}"
        self._looking: dict[str, _Look] = {}
        self._given_up: list[_Look] = []
        self._seen: SimpleQueue[tuple[_Look, Verdict | None]] = SimpleQueue()
        self.look_at = self._looked_at = self._forgotten_at = 0.0

    def heard(self) -> None:
        """Something was said about a queue, which may be that it is held: look soon, but not after each word."""
        self.look_at = min(self.look_at, self._looked_at + CALM_SECONDS)

    def turn(self, *, listens: bool = False) -> None:
        """Write what was seen, and begin what is due. Raises Django's errors when Postgres is away.

        Whoever `listens` calls `heard`.
        """
        try:
            self._write_what_was_seen()
            if time.monotonic() >= self.look_at:
                self._look_around(QUIET_SECONDS if listens else CALM_SECONDS)
        except DatabaseError as error:
            if is_outage(error):
                raise
            logger.error("services are left alone for %g s, Postgres says: %s", TROUBLE_SECONDS, first_line(error))
            self.look_at = time.monotonic() + TROUBLE_SECONDS

    def _look_around(self, calm: float) -> None:
        self._looked_at = now = time.monotonic()
        # Also when the statements fail: the loop goes on meanwhile.
        self.look_at = now + calm
        if now >= self._forgotten_at:
            self._forgotten_at = now + FORGOTTEN_EVERY_SECONDS
            lift_forgotten()
        found = open_services()
        for name in found:
            look = self._looking.get(name)
            if look is None:
                if take_turn(name, self._who):
                    self._begin(name)
            elif now - look.began > self._longest():
                self._give_up(look)
            else:
                renew_turn(name, self._who)
        if found:
            self.look_at = now + BUSY_SECONDS

    def _longest(self) -> float:
        self._given_up = [look for look in self._given_up if look.thread.is_alive()]
        return LONGEST_SECONDS * (1 + len(self._given_up))

    def _give_up(self, look: "_Look") -> None:
        """What it sees after all, nobody reads."""
        del self._looking[look.service.name]
        self._given_up.append(look)
        why = f"a look at it was not over after {self._longest():g} s"
        end_turn(look.service.name, self._who, Verdict(Away.AWAY, why))

    def _begin(self, name: str) -> None:
        service = services.get(name)
        assert service is not None  # noqa: S101 # Nobody else's turn is taken.
        look = self._looking[name] = _Look(service, self._tell)
        look.thread.start()

    def _tell(self, look: "_Look", verdict: Verdict | None) -> None:
        self._seen.put((look, verdict))
        self._wake()

    def _write_what_was_seen(self) -> None:
        while True:
            try:
                look, verdict = self._seen.get_nowait()
            except Empty:
                return
            name = look.service.name
            if self._looking.get(name) is look:
                del self._looking[name]
                end_turn(name, self._who, verdict)


class _Look:
    """One look at a service, in a thread of its own."""

    def __init__(self, service: Service, tell: Callable[["_Look", Verdict | None], None]) -> None:
        self.service, self.began, self._tell = service, time.monotonic(), tell
        # A daemon: a bridge must be able to end while a look hangs in the network.
        self.thread = threading.Thread(target=self._run, name=f"look at {service.name}", daemon=True)

    def _run(self) -> None:
        verdict = None
        try:
            verdict = self.service.look()
        except Exception:
            # Then the message that is let through has to tell.
            logger.exception("the probe of %s is broken", self.service.name)
        self._tell(self, verdict)
