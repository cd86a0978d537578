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
from bridge.breaker.watch import end_turn, open_services, renew_turn, take_turn
from bridge.postgres import first_line, is_outage

logger = logging.getLogger(__name__)

# How often it is looked whether a service is away, and, while one is, whether it is its turn.
CALM_SECONDS, BUSY_SECONDS = 1.0, 0.2
TROUBLE_SECONDS = 30.0


class Prober:
    """Call `turn` from the loop, at `look_at` (monotonic seconds) or sooner; `wake` is called when a look has ended."""

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._who = f"{socket.gethostname()}:{os.getpid()}:{id(self):x}"
        self._looking: set[str] = set()
        self._seen: SimpleQueue[tuple[str, Verdict | None]] = SimpleQueue()
        self.look_at = 0.0

    def turn(self) -> None:
        """Write what was seen, and begin what is due. Raises Django's errors when Postgres is away."""
        try:
            self._write_what_was_seen()
            if time.monotonic() >= self.look_at:
                self._look_around()
        except DatabaseError as error:
            if is_outage(error):
                raise
            logger.error("services are left alone for %g s, Postgres says: %s", TROUBLE_SECONDS, first_line(error))
            self.look_at = time.monotonic() + TROUBLE_SECONDS

    def _look_around(self) -> None:
        now = time.monotonic()
        # Also when the statements fail: the loop goes on meanwhile.
        self.look_at = now + CALM_SECONDS
        found = open_services()
        for name in found:
            if name in self._looking:
                renew_turn(name, self._who)
            elif take_turn(name, self._who):
                self._begin(name)
        if found:
            self.look_at = now + BUSY_SECONDS

    def _begin(self, name: str) -> None:
        service = services.get(name)
        assert service is not None  # noqa: S101 # Nobody else's turn is taken.
        self._looking.add(name)
        # A daemon: a bridge must be able to end while a look hangs in the network.
        threading.Thread(target=self._look, args=(service,), name=f"look at {name}", daemon=True).start()

    def _look(self, service: Service) -> None:
        verdict = None
        try:
            verdict = service.look()
        except Exception:
            # Then the message that is let through has to tell.
            logger.exception("the probe of %s is broken", service.name)
        self._seen.put((service.name, verdict))
        self._wake()

    def _write_what_was_seen(self) -> None:
        while True:
            try:
                name, verdict = self._seen.get_nowait()
            except Empty:
                return
            self._looking.discard(name)
            end_turn(name, self._who, verdict)
