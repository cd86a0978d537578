"""The state machine: two bridges, three workers and an operator, whom chance lets go on, kills and cuts off."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, TypeVar

from django.conf import settings
from django.db import connection
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from bridge.models import OutsideService, QueueHold
from bridge.pgmq import pgmq_queue
from bridge.queues import registry
from sandbox.probe.apps import QUEUE
from tests.support.delivery_model.books import Books, Decision, Violation
from tests.support.delivery_model.clock import SCHEMA, Clock
from tests.support.delivery_model.company import PAUSE_SECONDS, Bridge, act, deliver, lock_messages
from tests.support.delivery_model.line import Task
from tests.support.delivery_model.page import look
from tests.support.delivery_model.stage import Fate, Process, clear
from tests.support.outages import AWAY, lab

T = TypeVar("T")

ALL = 1000
MOST_MESSAGES = 4
# How many rounds of reading and working at most everything takes to end once nothing fails any more.
MOST_ROUNDS = 15

_EMPTY = f"""
DELETE FROM pgmq.q_{QUEUE}; DELETE FROM pgmq.a_{QUEUE}; DELETE FROM {SCHEMA}.effect; DELETE FROM bridge_keptoutcome;
DELETE FROM bridge_queuehold; DELETE FROM bridge_outsideservice; DELETE FROM bridge_operatoraction;
DELETE FROM bridge_failedmessage; DELETE FROM bridge_rolledhour; DELETE FROM bridge_rolledqueue;
"""

# Those more often that give the message back, as more follows from them.
DECISIONS = [*Decision, Decision.FAIL, Decision.FAIL, Decision.NOT_YET, Decision.AWAY]
FATES = [Fate.CUT_BEFORE, Fate.CUT_AFTER, Fate.LOCKED, Fate.LOCKED]
# Mostly to the end of the job, or into a handler.
STEPS = [1, 1, 1, 2, 3, ALL, ALL, ALL, ALL, ALL]


@dataclass(frozen=True, slots=True)
class Chance:
    """What one step draws: which of several, how many statements it goes, and what else there is to choose."""

    which: int
    steps: int
    choice: int

    def of(self, several: Sequence[T]) -> T:
        return several[self.choice % len(several)]


class Delivery(RuleBasedStateMachine):
    """Set `cast` and `clock` before: processes are shared by all examples, as their sessions cost more than one.

    There is one rule, which draws the same numbers whatever is possible: so hypothesis switches nothing off for a whole
    example, which would leave most of them without anything to find, and what has weight comes often.
    """

    cast: ClassVar[list[Process]]
    clock: ClassVar[Clock]
    # What has happened in all examples together.
    met: ClassVar[Counter[str]] = Counter()
    sizes: ClassVar[list[int]] = [1, 1, 3]

    def __init__(self) -> None:
        super().__init__()
        with connection.cursor() as cursor:
            cursor.execute(_EMPTY)
        lab.finds = ()
        self.tasks: list[Task] = []
        self.bridges = {one: Bridge(one.name, self.tasks) for one in self.cast if one.name.startswith("bridge")}
        self.workers = [one for one in self.cast if one.name.startswith("worker")]
        self.operator, self.stranger = self.cast[-2:]
        self.books = Books(self.clock, met=self.met)

    @initialize(number=st.integers(1, 3))
    def begin(self, number: int) -> None:
        for _ in range(number):
            self._send({})

    @rule(
        event=st.sampled_from(range(1000)),
        which=st.integers(0, 7),
        steps=st.sampled_from(STEPS),
        choice=st.integers(0, 59),
    )
    def something_happens(self, event: int, which: int, steps: int, choice: int) -> None:
        possible = [*self._possible()]
        happens = possible[event % len(possible)]
        note(f"{happens.__name__}: {which}, {steps}, {choice}")
        self.met[happens.__name__] += 1
        happens(Chance(which, steps, choice))

    def _possible(self) -> Iterator[Callable[[Chance], None]]:
        """What may happen next, more often what more follows from."""
        yield from [self.a_bridge_looks] * 3 + [self.time_passes] * 2
        yield from (self.an_operator_pauses_or_resumes, self.a_stranger_locks_everything, self.the_service_changes)
        if len(self.books.page.queue) < MOST_MESSAGES:
            yield self.somebody_sends
        if self.books.outcomes:
            yield self.an_operator_acts
        if self.books.page.holds:
            yield from (self.a_bridge_probes, self.an_operator_pauses_or_resumes)
        if self.tasks:
            yield from [self.a_worker_takes_a_task] * 6 + [self.the_broker_loses]
        if self._in_handlers():
            yield from [self.a_handler_ends] * 6 + [self.a_worker_is_stopped_for_longer_than_its_lease] * 3
        if self._between_statements():
            yield from [self.a_process_goes_on] * 5 + [self.postgres_fails] * 2
        if self._busy():
            yield self.a_process_is_killed

    def somebody_sends(self, chance: Chance) -> None:
        self._send(chance.of([{}, {}, {}, {}, []]))

    # What bridges do.

    def a_bridge_looks(self, chance: Chance) -> None:
        size = self.sizes[chance.which % len(self.sizes)]
        breaks_after = chance.of([None, None, None, None, 0, 1])
        self._at_work(chance, [*self.bridges], lambda one: self._look(one, size, breaks_after), "look")

    def a_bridge_probes(self, chance: Chance) -> None:
        self._at_work(chance, [*self.bridges], lambda one: self.bridges[one].probe, "probe")

    # What workers do.

    def a_worker_takes_a_task(self, chance: Chance) -> None:
        """Any of them: the broker reorders and delays. One that stays is delivered again."""
        task, stays = chance.of(self.tasks), chance.which > 5
        if self._at_work(chance, self.workers, lambda _: partial(deliver, task), "deliver") and not stays:
            self.tasks.remove(task)

    def a_handler_ends(self, chance: Chance) -> None:
        working = self._in_handlers()
        process = working[chance.which % len(working)]
        self._move(process, lambda: process.go_on(chance.of(DECISIONS)))
        self._walk(process, chance.steps - 1)

    def a_worker_is_stopped_for_longer_than_its_lease(self, chance: Chance) -> None:
        """And a bridge finds its message."""
        self.clock.go_on(registry.get(QUEUE).run_lease + 1)
        self._at_work(chance, [*self.bridges], lambda one: self._look(one, 1, None), "look")

    # What people do.

    def an_operator_pauses_or_resumes(self, chance: Chance) -> None:
        name = chance.of(["pause", "pause for a while", "resume", "resume"])
        self._at_work(chance, [self.operator], lambda _: partial(act, name, 0), name)

    def an_operator_acts(self, chance: Chance) -> None:
        name = chance.of(["requeue", "requeue", "requeue", "retry now", "discard", "prune"])
        failed = [msg_id for msg_id, (outcome, _) in self.books.outcomes.items() if outcome == "failed"]
        ids = failed if name == "requeue" and failed else sorted([*self.books.page.queue, *self.books.page.archive])
        msg_id = ids[chance.which % len(ids)] if ids else 0
        self._at_work(chance, [self.operator], lambda _: partial(act, name, msg_id), name)

    # What nobody wants.

    def a_stranger_locks_everything(self, chance: Chance) -> None:
        """As somebody does in Supabase's Studio: whoever writes waits, several of them for one row."""
        if self.stranger.at == "idle":
            self._move(self.stranger, lambda: self.stranger.begin(lock_messages, "lock"))
            self._walk(self.stranger, 1)

    def a_process_goes_on(self, chance: Chance) -> None:
        standing = self._between_statements()
        self._walk(standing[chance.which % len(standing)], chance.steps)

    def a_process_is_killed(self, chance: Chance) -> None:
        busy = self._busy()
        process = busy[chance.which % len(busy)]
        self._move(process, lambda: process.go_on(Fate.KILL))
        if process in self.bridges:
            self.bridges[process] = Bridge(process.name, self.tasks)

    def postgres_fails(self, chance: Chance) -> None:
        standing = self._between_statements()
        process = standing[chance.which % len(standing)]
        self._move(process, lambda: process.go_on(chance.of(FATES)))
        self._walk(process, chance.steps - 1)

    def the_broker_loses(self, chance: Chance) -> None:
        """One, or all of them."""
        self.tasks[:] = [] if chance.which > 5 else [one for one in self.tasks if one is not chance.of(self.tasks)]

    def the_service_changes(self, chance: Chance) -> None:
        lab.finds = chance.of([(AWAY,), ()])

    def time_passes(self, chance: Chance) -> None:
        lease, run = settings.BRIDGE_DISPATCH_LEASE + 1, registry.get(QUEUE).run_lease + 1
        quarter = (settings.BRIDGE_ARCHIVE_DAYS + 1) * 86400
        self.clock.go_on(chance.of([2, 2, PAUSE_SECONDS, lease, lease, run, run, run, run, quarter]))
        self.books.check(())

    # In the end everything heals.

    def teardown(self) -> None:
        try:
            self._heal()
        finally:
            clear(self.cast)

    def _heal(self) -> None:
        lab.finds = ()
        while busy := self._busy(even_waiting=True):
            for process in busy:
                self._end(process)
        self._run(self.operator, partial(act, "resume", 0), "resume")
        for _ in range(MOST_ROUNDS):
            if not (self.books.page.queue or OutsideService.objects.filter(is_open=True).exists()):
                break
            self.clock.go_on(max(settings.BRIDGE_DISPATCH_LEASE, registry.get(QUEUE).run_lease) + 400)
            for process, bridge in self.bridges.items():
                self._run(process, bridge.probe, "probe")
                self._run(process, self._look(process, 3, None), "look")
            while self.tasks:
                self._run(self.workers[0], partial(deliver, self.tasks.pop(0)), "deliver")
        page = self.books.page
        if page.queue or page.kept or QueueHold.objects.exists():
            raise Violation(f"left after all has healed: {page}")

    def _end(self, process: Process) -> None:
        if process.waits:
            self._move(process, process.look_again)
        elif process.at == "handler":
            self._move(process, lambda: process.go_on(Decision.ANSWERED))
        else:
            self._walk(process, ALL)

    def _run(self, process: Process, job: Callable[[], object], name: str) -> None:
        self._move(process, lambda: process.begin(job, name))
        while process.at != "idle":
            self._end(process)

    # How it is done.

    def _send(self, body: Any) -> None:
        pgmq_queue(QUEUE).send(body)
        self.books.page = look()

    def _look(self, process: Process, size: int, breaks_after: int | None) -> Callable[[], object]:
        return partial(self.bridges[process].look, size, breaks_after)

    def _at_work(
        self, chance: Chance, crew: list[Process], job: Callable[[Process], Callable[[], object]], name: str
    ) -> bool:
        """Let an idle one begin, if there is one."""
        idle = [process for process in crew if process.at == "idle"]
        if not idle:
            return False
        process = idle[chance.which % len(idle)]
        self._move(process, lambda: process.begin(job(process), name))
        self._walk(process, chance.steps)
        return True

    def _walk(self, process: Process, steps: int) -> None:
        """So many statements, if its job has as many; no further than into a handler, or before a lock."""
        if steps <= 0 or process.at not in ("statement", "commit") or process.waits:
            return

        def walk() -> None:
            left = steps
            while left > 0 and process.at in ("statement", "commit") and not process.waits:
                process.go_on()
                left -= 1

        self._move(process, walk)

    def _move(self, process: Process, move: Callable[[], object]) -> None:
        """Let one move, and whoever waited for it; then look whether all of them were allowed to."""
        waited = [one for one in self.cast if one.waits]
        working = self._in_handlers()
        move()
        for one in waited:
            one.look_again()
        moved = {process, *waited}
        self.met["waited for a lock"] += process.waits
        self.books.check(moved, waited=waited)
        for one in moved:
            if one.at == "handler" and not (one in working and one is not process):
                self.books.check_start(one, self.cast)

    def _in_handlers(self) -> list[Process]:
        return [one for one in self.cast if one.at == "handler" and not one.waits]

    def _between_statements(self) -> list[Process]:
        return [one for one in self.cast if one.at in ("statement", "commit") and not one.waits]

    def _busy(self, *, even_waiting: bool = False) -> list[Process]:
        return [one for one in self.cast if one.at != "idle" and (even_waiting or not one.waits)]
