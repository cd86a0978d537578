"""While Postgres or the broker is away everything is put off: no message is counted, failed, kept or let through."""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from celery.exceptions import Ignore, Retry
from django.db import OperationalError, connection

from bridge import outcome
from bridge.daemon.drain import Drain
from bridge.daemon.heartbeat import Heartbeat
from bridge.daemon.publisher import Publisher
from bridge.daemon.runner import Runner
from bridge.errors import BrokerAway, PermanentError
from bridge.kept import keep
from bridge.message import Delivery, Ending, LastError, Message, Outcome, Reason
from bridge.models import KeptOutcome
from bridge.pgmq import PgmqQueue
from bridge.queues import Candidate, NoJournal, Screen, registry
from bridge.tasks import prune_archives
from bridge.worker import task as bridge_task
from sandbox.probe.apps import QUEUE
from sandbox.probe.models import ProbeRun
from tests.integration.bridge.deliveries import ERROR, claim
from tests.integration.bridge.deliveries import read_one as load_one
from tests.integration.bridge.test_late_workers import rows_of
from tests.integration.bridge.test_task import Read, Run, handler_that
from tests.support.looping import run_until
from tests.support.requeueing import put_all_back

# Not one look a turn of the loop: between two of them lie these pauses at least.
PAUSES = (0.2, 0.5)


def lose_postgres(*_: Any, **__: Any) -> NoReturn:
    """End this session, as a restart of Postgres does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    raise AssertionError("the session went on")


def assert_seldom(tries: list[float]) -> None:
    between = [later - sooner for sooner, later in itertools.pairwise(tries)]
    assert len(between) >= len(PAUSES)
    assert all(found >= pause for found, pause in zip(between, PAUSES, strict=False))


@pytest.mark.parametrize("error", [OperationalError("the server closed the connection"), BrokerAway("refused")])
def test_no_queue_is_looked_at_before_the_pause_is_over_however_many_messages_come(
    probe: PgmqQueue, publisher: Publisher, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    looks: list[tuple[str, float]] = []
    runner = Runner([registry.get(QUEUE), registry.get("email_queue")], publisher)

    def away(drain: Drain) -> NoReturn:
        looks.append((drain.queue.name, time.monotonic()))
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify('balansity_bridge', %s)", [QUEUE])
        raise error

    monkeypatch.setattr(Drain, "look", away)
    run_until(runner, lambda: len(looks) > len(PAUSES))
    assert {name for name, _ in looks} == {QUEUE}
    assert_seldom([at for _, at in looks])


def test_what_the_heartbeat_finds_away_is_not_asked_by_the_queues_either(
    probe: PgmqQueue, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats: list[float] = []

    def away(*_: Any, **__: Any) -> NoReturn:
        beats.append(time.monotonic())
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(Heartbeat, "beat", away)
    probe.send({})
    runner = Runner([registry.get(QUEUE)], publisher)
    run_until(runner, lambda: len(beats) > len(PAUSES))
    assert runner.totals.published == 0
    assert_seldom(beats)


def test_a_delivery_that_cannot_be_claimed_is_put_off_and_counts_as_nothing(
    probe: PgmqQueue, read_one: Read, run_delivery: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge_task, "CLAIM_PATIENCE_SECONDS", 0)
    probe.send({"note": True})
    delivery = read_one()
    before = rows_of(probe)
    with monkeypatch.context() as patch:
        patch.setattr(PgmqQueue, "claim", lose_postgres)
        with pytest.raises(Ignore, match="Postgres is away"):
            run_delivery(delivery)
    connection.close()
    assert rows_of(probe) == before
    assert not ProbeRun.objects.exists()
    run_delivery(delivery)
    assert ProbeRun.objects.get().attempt == 1


def test_an_outcome_that_cannot_be_written_leaves_the_message_to_its_lease(
    probe: PgmqQueue, read_one: Read, run_delivery: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The time that a task may take is over with the next look at the clock.
    hours = itertools.count(step=3600)
    monkeypatch.setattr(outcome, "time", SimpleNamespace(monotonic=lambda: next(hours), sleep=lambda _: None))
    monkeypatch.setattr(outcome, "succeed", lose_postgres)
    handler_that(monkeypatch, lambda message: None)
    msg_id = probe.send({})
    with pytest.raises(Ignore, match="the outcome could not be written"):
        run_delivery(read_one())
    assert probe.is_queued(msg_id)
    assert not KeptOutcome.objects.exists()
    again = read_one()
    assert (again.history.attempts, again.history.last_error) == (1, None)


Write = Callable[[Message], object]
# What loses Postgres, and who must say so instead of taking it for trouble with this one message.
WRITES: dict[str, tuple[Any, str, Write]] = {
    "an end": (PgmqQueue, "succeed", lambda message: outcome.succeed(registry.get(QUEUE), message, None)),
    "an end with rows": (PgmqQueue, "finish", lambda message: outcome.succeed(registry.get(QUEUE), message, print)),
    "a repeat": (
        PgmqQueue,
        "retry",
        lambda message: outcome.schedule_retry(registry.get(QUEUE), message, ERROR, delay=1),
    ),
    "the look whether it is ours": (
        PgmqQueue,
        "holds",
        lambda message: keep(QUEUE, message, Ending(Outcome.SUCCEEDED), ValueError("no"), then=None),
    ),
    "a row of what is kept": (
        KeptOutcome.objects,
        "create",
        lambda message: keep(QUEUE, message, Ending(Outcome.SUCCEEDED), ValueError("no"), then=None),
    ),
    "the look at what was kept": (
        outcome,
        "take",
        lambda message: outcome.write_kept(
            registry.get(QUEUE), Delivery(QUEUE, message.token, 1, "object", message.history)
        ),
    ),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_write_that_loses_postgres_is_neither_kept_nor_given_up(
    probe: PgmqQueue, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    owner, lost, write = WRITES[name]
    probe.send({})
    message = claim(probe, load_one(probe))
    before = rows_of(probe)
    with monkeypatch.context() as patch:
        patch.setattr(owner, lost, lose_postgres)
        with pytest.raises(OperationalError):
            write(message)
    connection.close()
    assert rows_of(probe) == before
    assert not KeptOutcome.objects.exists()


class Journal(NoJournal):
    """Loses Postgres the first time, and keeps what it was told the next."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self._is_new = True

    def retry_scheduled(self, message: Message, error: LastError, next_retry_at: object) -> None:
        self._note("repeat")

    def failed(self, message: Message, reason: Reason, error: LastError) -> None:
        self._note(reason)

    def _note(self, what: str) -> None:
        if self._is_new:
            self._is_new = False
            lose_postgres()
        self.told.append(what)


@pytest.mark.parametrize(
    ("body", "error", "told"),
    [({"permanent": True}, PermanentError, "permanent_error"), ({"fail_first": 1}, Retry, "repeat")],
)
def test_a_journal_that_loses_postgres_is_told_again(
    probe: PgmqQueue,
    read_one: Read,
    run_delivery: Run,
    monkeypatch: pytest.MonkeyPatch,
    body: dict[str, object],
    error: type[Exception],
    told: str,
) -> None:
    journal = Journal()
    monkeypatch.setitem(registry._queues, QUEUE, replace(registry.get(QUEUE), journal=journal))
    monkeypatch.setattr(outcome, "_PAUSES", (0.0,))
    probe.send(body)
    with pytest.raises(error):
        run_delivery(read_one())
    assert journal.told == [told]


def test_what_cannot_run_is_not_archived_by_a_bridge_that_loses_postgres(
    probe: PgmqQueue, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    msg_id = probe.send([1])
    drain = Drain(registry.get(QUEUE), publisher)
    with monkeypatch.context() as patch:
        patch.setattr(PgmqQueue, "finish", lose_postgres)
        with pytest.raises(OperationalError):
            drain.look()
    connection.close()
    assert probe.is_queued(msg_id)
    assert not KeptOutcome.objects.exists()


def test_a_screen_that_loses_postgres_lets_nothing_pass(
    probe: PgmqQueue, publisher: Publisher, broker_url: str
) -> None:
    def judge(candidates: Sequence[Candidate]) -> NoReturn:
        lose_postgres()

    probe.send({})
    drain = Drain(replace(registry.get(QUEUE), screen=Screen(judge=judge)), publisher)
    with pytest.raises(OperationalError):
        drain.look()
    connection.close()
    assert (probe.counts().ready, publisher.line_length("probe")) == (1, 0)


def test_failed_messages_are_put_back_another_time(probe: PgmqQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        probe.send({})
        probe.finish(load_one(probe), Outcome.FAILED, reason=Reason.PERMANENT_ERROR, error=ERROR)
    asked: list[int] = []

    def away(queue: PgmqQueue, ids: list[int], *, wait: bool) -> NoReturn:
        asked.append(len(ids))
        lose_postgres()

    monkeypatch.setattr(PgmqQueue, "lock_archive", away)
    with pytest.raises(OperationalError):
        put_all_back(QUEUE)
    assert asked == [2]


def test_archives_are_pruned_another_time(probe: PgmqQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def away(queue: PgmqQueue, **_: Any) -> NoReturn:
        asked.append(queue.name)
        lose_postgres()

    monkeypatch.setattr(PgmqQueue, "prune", away)
    with pytest.raises(OperationalError):
        prune_archives()
    assert len(asked) == 1
