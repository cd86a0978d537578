"""The loop of `bridge_queues`: looks at each queue when there is reason to, and sleeps in between.

Reasons: a notification, a message that turns due, a full batch before, or `WORKER_INTERVAL_MS` gone by.
"""

import logging
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, ProgrammingError, connection

from bridge.breaker.prober import Prober
from bridge.daemon.drain import Drain, Look
from bridge.daemon.glance import LEAST_SLEEP, glance_at, has_work, until_due
from bridge.daemon.heartbeat import INTERVAL_SECONDS, THE_BROKER, THE_DATABASE, Heartbeat, Others
from bridge.daemon.held import HeldQueues, next_look
from bridge.daemon.listener import Listener
from bridge.daemon.outage import Outage
from bridge.daemon.publisher import Publisher
from bridge.errors import AddressRefused, BrokerAway
from bridge.pgmq import Outlook, QueueMissing
from bridge.postgres import first_line, is_outage
from bridge.queues import Queue, creation
from bridge.rights import Trouble, find_troubles, waiting_queues

logger = logging.getLogger(__name__)

# How long a queue is left alone that Postgres refuses for a reason of its own.
TROUBLE_PAUSE = 30
# How long after something was published the rest is asked: how long the line is, and when the next message is due.
SETTLE_SECONDS = 0.05


@dataclass(slots=True)
class Totals:
    """What this process did since its start."""

    published: int = 0
    archived: int = 0

    def add(self, look: Look) -> None:
        self.published += look.published
        self.archived += look.archived


class Runner:
    """Drains queues until it is told to stop. One thread, one database connection and one for wake-ups."""

    def __init__(self, queues: list[Queue], publisher: Publisher) -> None:
        self._drains = {queue.name: Drain(queue, publisher) for queue in queues}
        self._look_at = dict.fromkeys(self._drains, 0.0)
        self._blocked: set[str] = set()
        # Those whose next look is due by the interval alone.
        self._calm: set[str] = set()
        # Those of which something was just published, and whose next time is not known yet.
        self._unsettled: set[str] = set()
        self._missing: set[str] = set()
        self._held = HeldQueues()
        # What keeps a queue from being touched: rows that are hidden from us would be lost, or worked on without end.
        self.left_alone: dict[str, list[Trouble]] = {}
        self._looked_around_at = -float(INTERVAL_SECONDS)
        self._listener = Listener(list(self._drains))
        self._stopping = False
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_writer, False)
        self.totals = Totals()
        self.outage = Outage()
        self._heartbeat = Heartbeat()
        self._others = Others()
        for drain in self._drains.values():
            drain.flow.children = self._others.children
        self._beat_at = 0.0
        self._prober = Prober(wake=self._wake)

    def stop(self) -> None:
        """End the loop after the read that is under way. Safe to call from a signal handler."""
        self._stopping = True
        self._wake()

    def _wake(self) -> None:
        """End the sleep. From any thread; a pipe that is full wakes as well."""
        with suppress(BlockingIOError):
            os.write(self._wake_writer, b"x")

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT for the length of the block."""
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

        def handle(number: int, _frame: object) -> None:
            logger.info("%s: finishing the read under way, then stopping", signal.Signals(number).name)
            self.stop()

        for number in before:
            signal.signal(number, handle)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def run(self) -> None:
        """Look and sleep until `stop`. Outages of Postgres and of the broker are waited out.

        Raises `AddressRefused`.
        """
        logger.info(
            "draining %s, a look every %s ms at the latest", ", ".join(self._drains), settings.WORKER_INTERVAL_MS
        )
        while not self._stopping:
            self._survive(self._beat, may_end_outage=False)
            self._survive(self._look_around, may_end_outage=False)
            listens = not self.outage.what and self._listener.connect()
            for name in self._worth_a_look(self._due()):
                if self._stopping or not self._survive(partial(self._turn, name), name):
                    break
            if not self.outage.what:
                # Behind the looks: a word that wakes the bridge is a message nearly always, and waits for no service.
                self._survive(partial(self._prober.turn, listens=listens), may_end_outage=False)
            self._sleep()
        self._survive(lambda: self._heartbeat.stop(published=self.totals.published, archived=self.totals.archived))
        self._listener.close()
        logger.info("stopped; %s handed to workers, %s archived", self.totals.published, self.totals.archived)

    def run_once(self) -> None:
        """Read each queue once, but for those `left_alone`. Raises what `Drain.look` raises."""
        self._look_around()
        for name in self._drains:
            if name not in self.left_alone:
                self._look(name)

    def run_until_empty(self, progress: Callable[[Totals], None]) -> None:
        """Go on until no queue has a visible message, but for those `left_alone`; tells `progress` after each look.

        Raises as `Drain.look` does.
        """
        self._look_around()
        busy = self._drains.keys() - self.left_alone.keys()
        while busy and not self._stopping:
            for name in sorted(busy):
                look = self._look(name)
                progress(self.totals)
                if not (look.full or look.blocked):
                    busy.discard(name)
            if busy and busy <= self._blocked:
                self._wait_for_signals(min(self._drains[name].flow.pause for name in busy))

    def _due(self, at: float | None = None) -> list[str]:
        """The queues that are to be looked at by that monotonic time; now, if none is given."""
        latest = time.monotonic() if at is None else at
        return [name for name, look_at in self._look_at.items() if look_at <= latest and name not in self.left_alone]

    def _worth_a_look(self, due: list[str]) -> list[str]:
        """Which of these are to be looked at now, after one glance at all if there is no other reason than the time."""
        if not due or not self._calm.issuperset(due):
            return due
        # Others whose time comes soon are looked at as well, and from then on all at the same time.
        soon = time.monotonic() + settings.WORKER_INTERVAL_MS / 2000
        calm = [name for name in self._due(soon) if name in self._calm]
        found: dict[str, Outlook] = {}
        if not self._survive(lambda: found.update(glance_at([self._drains[name] for name in calm]))):
            return []
        for name, outlook in found.items():
            if not has_work(outlook):
                self._held.note(name, is_held=False)
                self._rest(name, until_due(outlook))
        return [name for name in calm if name not in found or has_work(found[name])]

    def _rest(self, name: str, seconds: float) -> None:
        """Leave the queue alone for so long, unless something is heard of it."""
        self._look_at[name] = time.monotonic() + seconds
        is_calm = seconds >= settings.WORKER_INTERVAL_MS / 1000 and name not in self._blocked | self._missing
        (self._calm.add if is_calm else self._calm.discard)(name)

    def _look_around(self) -> None:
        """See, as often as the heart beats, which queues must not be touched; the log says what changed."""
        now = time.monotonic()
        if now < self._looked_around_at + INTERVAL_SECONDS:
            return
        self._looked_around_at = now
        found = {name: why for name, why in waiting_queues(find_troubles()).items() if name in self._drains}
        for name, why in found.items():
            if self.left_alone.get(name) != why:
                logger.error("%s: left alone until this is mended: %s", name, "; ".join(map(str, why)))
        for name in self.left_alone.keys() - found.keys():
            logger.info("%s: taken up again", name)
            self._look_at[name] = 0.0
        self.left_alone = found

    def _turn(self, name: str) -> None:
        self._look(name, settles=name in self._unsettled)

    def _look(self, name: str, *, settles: bool = False) -> Look:
        """One look at a queue; or, when one that found something is over, only at what comes next and when."""
        drain = self._drains[name]
        self._unsettled.discard(name)
        try:
            if settles:
                drain.observe(time.monotonic())
            look = Look() if settles else drain.look()
            wait = self._wait_after(look, drain)
        except QueueMissing as missing:
            if name not in self._missing:
                logger.error("%s; looking again from time to time. %s", missing, creation(name))
            self._missing.add(name)
            look, wait = Look(), settings.WORKER_INTERVAL_MS / 1000
        except ProgrammingError as error:
            logger.warning("%s: looked at anew, after: %s", name, first_line(error))
            # The table changed under us (pgmq upgraded, queue dropped). It is looked at anew, and then fails for real.
            look, wait = drain.look(), 0.0
        else:
            self._missing.discard(name)
        self.totals.add(look)
        (self._blocked.add if look.blocked else self._blocked.discard)(name)
        self._rest(name, wait)
        return look

    def _wait_after(self, look: Look, drain: Drain) -> float:
        is_let_go = bool(look.published) and look.asked_for is None
        if is_let_go:
            self._held.note(drain.queue.name, is_held=False)
        if look.full:
            return 0.0
        interval = settings.WORKER_INTERVAL_MS / 1000
        if look.blocked:
            return min(drain.flow.pause, interval)
        if is_let_go:
            # A worker begins with it now. What is left to be asked takes nothing from it a little later.
            self._unsettled.add(drain.queue.name)
            return SETTLE_SECONDS
        outlook = drain.outlook()
        self._held.note(drain.queue.name, is_held=outlook.is_held)
        if outlook.is_held:
            return min(interval, max(LEAST_SLEEP, next_look(outlook, asked_for=look.asked_for)))
        return until_due(outlook)

    def _survive(self, step: Callable[[], Any], queue: str = "", *, may_end_outage: bool = True) -> bool:
        """Run `step`, a look at `queue` or a beat. Returns whether it makes sense to go on with the other queues.

        When Postgres or the broker is away, all looks are put off for a while. A look proves that both are back.
        """
        try:
            step()
        except BrokerAway as error:
            if not self.outage.what:
                self._beat_at = 0.0  # The heartbeat tells of it now, and not with its next turn.
            pause = self.outage.begins(THE_BROKER, error)
        except AddressRefused:
            raise
        except (DatabaseError, InterfaceError) as error:
            if is_outage(error):
                pause = self._postgres_is_away(error)
            else:
                self._leave_alone(queue, error)
                return True
        else:
            if self.outage.what and may_end_outage:
                self.outage.ends()
                self._beat_at = 0.0
                self._looked_around_at = -float(INTERVAL_SECONDS)
            return True
        for name in self._look_at:
            self._put_off(name, pause)
        return False

    def _postgres_is_away(self, error: Exception) -> float:
        connection.close()
        pause = self.outage.begins(THE_DATABASE, error)
        self._put_off("", pause)
        self._looked_around_at = max(self._looked_around_at, time.monotonic() + pause - INTERVAL_SECONDS)
        return pause

    def _leave_alone(self, queue: str, error: Exception) -> None:
        """One queue's trouble (a permission, a missing table, a trigger that raises) must not stop the others."""
        what = queue or "heartbeat (was `manage.py migrate` run?)"
        logger.error("%s: left alone for %s s, Postgres says: %s", what, TROUBLE_PAUSE, first_line(error))
        self._put_off(queue, TROUBLE_PAUSE)

    def _put_off(self, queue: str, seconds: float) -> None:
        """Do not look at the queue (no name: do not beat) before that many seconds have passed."""
        until = time.monotonic() + seconds
        if queue:
            self._look_at[queue] = max(self._look_at[queue], until)
        else:
            self._beat_at = max(self._beat_at, until)

    def _beat(self) -> None:
        now = time.monotonic()
        if now < self._beat_at:
            return
        totals = self.totals
        self._heartbeat.beat(published=totals.published, archived=totals.archived, waits_for=self.outage.what)
        self._beat_at = now + INTERVAL_SECONDS
        if not self.outage.what:
            self._others.note()

    def _sleep(self) -> None:
        looks = [at for name, at in self._look_at.items() if name not in self.left_alone]
        probing_at = self._prober.look_at if not self.outage.what else self._beat_at
        until = min([*looks, self._beat_at, self._looked_around_at + INTERVAL_SECONDS, probing_at])
        self._wait_for_signals(until - time.monotonic())
        if self._listener.fileno() is None:
            return
        heard = self._listener.heard()
        if heard:
            self._prober.heard()
        for name in heard - self._blocked - self.left_alone.keys():
            # A full line is looked at when it has emptied, however many messages arrive behind it meanwhile.
            if name in self._look_at and not self.outage.what:
                self._look_at[name] = 0.0
                self._calm.discard(name)
                self._unsettled.discard(name)

    def _wait_for_signals(self, seconds: float) -> None:
        listening = self._listener.fileno()
        sources = [self._wake_reader] if listening is None else [self._wake_reader, listening]
        ready, _, _ = select.select(sources, [], [], max(0.0, seconds))
        if self._wake_reader in ready:
            os.read(self._wake_reader, 1024)
