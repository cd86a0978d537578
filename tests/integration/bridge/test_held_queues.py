"""A queue that is held: nothing of it is read, screened or started, and nothing is lost or counted by that."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta

import psycopg2
import pytest
from celery import current_app
from celery.exceptions import Ignore, Retry
from django.db import connection
from pytest_django import Settings

from bridge import holds
from bridge.breaker import prober
from bridge.daemon import held
from bridge.daemon.drain import Drain, Look
from bridge.daemon.listener import Listener
from bridge.daemon.publisher import Publisher
from bridge.daemon.runner import Runner
from bridge.errors import QueueHeld, Refused
from bridge.holds import PAUSE
from bridge.pgmq import PgmqQueue
from bridge.queues import Candidate, Screen, Verdict, registry
from sandbox.probe.apps import QUEUE
from sandbox.probe.models import ProbeRun
from tests.acceptance.waiting import wait_until
from tests.integration.bridge.conftest import RunBundle, archived
from tests.integration.bridge.test_task import Run
from tests.support.far_below import far_below

MAIL = "service:smtp"
# How seldom one looks who is told nothing.
MINUTE = 60
both_carriers = pytest.mark.parametrize("pgmq_version", ["1.13", "1.4"], indirect=True)


def pause(queue: str = QUEUE, *, until: datetime | None = None) -> None:
    assert holds.place(queue, PAUSE, by="anna", why="the server moves", until=until)


def row(msg_id: int) -> tuple[int, bool, object]:
    """How often it was read, whether it is visible, and its history."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT read_ct, vt <= clock_timestamp(),"
            " coalesce(to_jsonb(q) -> 'headers' -> 'bridge', message -> '_bridge')"
            f" FROM pgmq.q_{QUEUE} AS q WHERE msg_id = %s",
            [msg_id],
        )
        found: tuple[int, bool, object] = cursor.fetchone()
        return found


def read(probe: PgmqQueue) -> list[int]:
    return [one.msg_id for one in probe.read(limit=10, lease=60)]


@both_carriers
def test_what_is_in_line_is_handed_back_as_if_nobody_had_read_it(probe: PgmqQueue, run_delivery: Run) -> None:
    msg_id = probe.send({})
    (delivery,) = probe.read(limit=1, lease=60)
    pause()
    with pytest.raises(Ignore, match="handed back"):
        run_delivery(delivery)
    assert row(msg_id) == (0, True, None)
    assert read(probe) == []
    assert not ProbeRun.objects.exists()
    holds.lift(QUEUE, PAUSE)
    (again,) = probe.read(limit=1, lease=60)
    assert (again.msg_id, again.read_ct, again.history.attempts) == (msg_id, 1, 0)
    run_delivery(again)
    assert (archived(probe, msg_id)["outcome"], archived(probe, msg_id)["attempts"]) == ("succeeded", 1)


def test_one_that_waits_for_its_repeat_keeps_the_attempts_that_it_used(probe: PgmqQueue, run_delivery: Run) -> None:
    msg_id = probe.send({"fail_first": 1})
    with pytest.raises(Retry):
        run_delivery(probe.read(limit=1, lease=60)[0])
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE pgmq.q_{QUEUE} SET vt = now()")
    (second,) = probe.read(limit=1, lease=60)
    before = row(msg_id)
    pause()
    with pytest.raises(Ignore):
        run_delivery(second)
    assert row(msg_id) == (before[0] - 1, True, before[2])
    assert second.history.attempts == 1


def test_what_runs_already_is_finished(probe: PgmqQueue, run_delivery: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    msg_id = probe.send({})
    (delivery,) = probe.read(limit=1, lease=60)
    task = current_app.tasks["probe.run"]
    run = task.run

    def pause_and_run(message: object) -> None:
        pause()
        run(message)

    monkeypatch.setattr(task, "run", pause_and_run)
    run_delivery(delivery)
    assert archived(probe, msg_id)["outcome"] == "succeeded"


def test_a_stale_copy_of_the_task_takes_nothing_from_its_owner(probe: PgmqQueue) -> None:
    probe.send({})
    (delivery,) = probe.read(limit=1, lease=60)
    owner = probe.claim(delivery.token, lease=60, attempts=1, trace_id="x")
    assert owner is not None
    pause()
    assert probe.claim(delivery.token, lease=60, attempts=1, trace_id="x") is None
    assert probe.load(owner.token) is not None, "its lease is untouched"


def test_the_rest_of_a_bundle_goes_back_with_the_first(
    probe: PgmqQueue, run_bundle: RunBundle, django_assert_max_num_queries: Callable[..., object]
) -> None:
    ids = [probe.send({}) for _ in range(50)]
    deliveries = probe.read(limit=50, lease=60)
    pause()
    # One claim, one that hands its message back, one for the rest.
    with django_assert_max_num_queries(3):  # type: ignore[attr-defined]
        run_bundle(deliveries)
    assert {row(msg_id) for msg_id in ids} == {(0, True, None)}
    assert not ProbeRun.objects.exists()


def test_a_bundle_is_stopped_in_its_midst(
    probe: PgmqQueue, run_bundle: RunBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [probe.send({}) for _ in range(4)]
    task = current_app.tasks["probe.run"]
    run = task.run

    def pause_at_second(message: object) -> None:
        if getattr(message, "msg_id", None) == ids[1]:
            pause()
        run(message)

    monkeypatch.setattr(task, "run", pause_at_second)
    run_bundle(probe.read(limit=4, lease=60))
    assert [archived(probe, msg_id)["outcome"] for msg_id in ids[:2]] == ["succeeded"] * 2
    assert [row(msg_id) for msg_id in ids[2:]] == [(0, True, None)] * 2


@both_carriers
def test_it_holds_until_its_time_by_the_clock_of_the_database(probe: PgmqQueue) -> None:
    msg_id = probe.send({})
    now = probe.now()
    pause(until=now + timedelta(hours=1))
    outlook = probe.outlook()
    assert (outlook.is_held, read(probe), outlook.let_through) == (True, [], None)
    assert outlook.free_in is not None
    assert 3590 < outlook.free_in <= 3600
    with connection.cursor() as cursor:
        cursor.execute("UPDATE bridge_queuehold SET until = clock_timestamp()")
    assert probe.outlook().is_held is False
    assert read(probe) == [msg_id]


def test_one_cause_holds_when_another_has_ended(probe: PgmqQueue) -> None:
    msg_id = probe.send({})
    pause(until=probe.now())
    holds.place(QUEUE, MAIL, by="breaker", why="no answer")
    assert (read(probe), probe.outlook().free_in) == ([], None)
    holds.lift(QUEUE, MAIL)
    assert read(probe) == [msg_id]


def test_another_queue_goes_on(probe: PgmqQueue) -> None:
    msg_id = probe.send({})
    pause("email_queue")
    assert read(probe) == [msg_id]
    assert not probe.outlook().is_held


def test_one_message_is_let_through_and_no_other(probe: PgmqQueue, run_delivery: Run) -> None:
    others, chosen = [probe.send({}), probe.send({})], probe.send({})
    holds.place(QUEUE, MAIL, by="breaker", why="no answer")
    in_line = probe.read(limit=10, lease=60)
    assert in_line == []
    holds.let_through(QUEUE, MAIL, chosen)
    assert probe.outlook().let_through == chosen
    assert read(probe) == []
    assert probe.read(limit=10, lease=60, ids=[chosen, others[0]]) == []
    (delivery,) = probe.read(limit=10, lease=60, ids=[chosen])
    run_delivery(delivery)
    assert archived(probe, chosen)["outcome"] == "succeeded"
    assert [row(msg_id) for msg_id in others] == [(0, True, None)] * 2


def test_what_a_service_lets_through_a_pause_keeps(probe: PgmqQueue) -> None:
    chosen = probe.send({})
    holds.place(QUEUE, MAIL, by="breaker", why="no answer")
    holds.let_through(QUEUE, MAIL, chosen)
    (delivery,) = probe.read(limit=10, lease=60, ids=[chosen])
    pause()
    assert probe.outlook().let_through is None
    with pytest.raises(QueueHeld):
        probe.claim(delivery.token, lease=60, attempts=1, trace_id="x")
    assert probe.read(limit=10, lease=60, ids=[chosen]) == []


# Before and during `migrate`.


def forget_holds() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE bridge_queuehold RENAME TO later")


def remember_holds() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE later RENAME TO bridge_queuehold")


@pytest.fixture
def stranger(probe: PgmqQueue) -> PgmqQueue:
    """The queue as a process knows it that started before there was a table of holds."""
    forget_holds()
    return PgmqQueue(QUEUE)


@pytest.mark.every_pgmq
def test_a_process_that_is_older_than_the_table_works_and_obeys_from_then_on(stranger: PgmqQueue) -> None:
    ids = [stranger.send({}) for _ in range(4)]
    first, second = stranger.read(limit=2, lease=60)
    assert stranger.claim(first.token, lease=60, attempts=1, trace_id="x") is not None
    assert stranger.outlook().is_held is False
    assert len(stranger.ahead(limit=9, depth=9)) == 2
    remember_holds()
    pause()
    with pytest.raises(QueueHeld):
        stranger.claim(second.token, lease=60, attempts=1, trace_id="x")
    assert [row(msg_id)[1] for msg_id in ids] == [False, True, True, True]
    assert stranger.read(limit=9, lease=60) == []


@pytest.mark.parametrize("look", ["read", "ahead"])
def test_such_a_bridge_obeys_with_its_next_look(stranger: PgmqQueue, look: str) -> None:
    stranger.send({})
    assert len(stranger.ahead(limit=9, depth=9)) == 1
    remember_holds()
    found = stranger.read(limit=9, lease=60) if look == "read" else stranger.ahead(limit=9, depth=9)
    assert len(found) == 1, "nothing is held yet"
    pause()
    assert stranger.read(limit=9, lease=60) == []
    assert stranger.ahead(limit=9, depth=9) == []


def test_work_goes_on_when_the_table_goes_away(probe: PgmqQueue) -> None:
    ids = [probe.send({}) for _ in range(3)]
    first, second = probe.read(limit=2, lease=60)
    assert probe.claim(first.token, lease=60, attempts=1, trace_id="x") is not None
    forget_holds()
    assert probe.claim(second.token, lease=60, attempts=1, trace_id="x") is not None
    assert read(probe) == [ids[2]]
    assert probe.outlook().is_held is False


def test_a_claim_does_not_wait_for_a_table_that_is_being_made(stranger: PgmqQueue, admin_of_database: str) -> None:
    stranger.send({})
    (delivery,) = stranger.read(limit=1, lease=60)
    with closing(psycopg2.connect(admin_of_database)) as migrate, migrate.cursor() as cursor:
        cursor.execute("ALTER TABLE balansity.later RENAME TO bridge_queuehold")
        assert stranger.claim(delivery.token, lease=60, attempts=1, trace_id="x") is not None
        migrate.rollback()


# The bridge.


def test_a_held_queue_is_not_screened_and_what_is_hidden_by_others_comes_back(
    drain: Drain, probe: PgmqQueue, publisher: Publisher
) -> None:
    asked: list[Candidate] = []

    def refuse(candidates: Sequence[Candidate]) -> Mapping[int, Verdict]:
        asked.extend(candidates)
        return {one.msg_id: Refused("a stranger") for one in candidates}

    screened = Drain(replace(registry.get(QUEUE), screen=Screen(judge=refuse)), publisher)
    msg_id = probe.send({})
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.send(%s, '{}')", [QUEUE])
        cursor.execute(
            f"UPDATE pgmq.q_{QUEUE} SET vt = now() + interval '9 years', read_ct = 1 WHERE msg_id > %s", [msg_id]
        )
    pause()
    assert (screened.look().published, asked) == (0, [])
    assert row(msg_id) == (0, True, None)
    assert probe.counts().ready == 2, "made visible, and left there"
    holds.lift(QUEUE, PAUSE)
    screened.look()
    assert len(asked) == 2


def once_only(runner: Runner) -> None:
    runner.run_once()


def until_empty(runner: Runner) -> None:
    runner.run_until_empty(lambda totals: None)


@pytest.mark.parametrize("run", [once_only, until_empty])
def test_a_bridge_that_runs_once_says_why_it_did_nothing(
    probe: PgmqQueue, publisher: Publisher, caplog: pytest.LogCaptureFixture, run: Callable[[Runner], None]
) -> None:
    probe.send({})
    pause()
    runner = Runner([registry.get(QUEUE)], publisher)
    run(runner)
    assert runner.totals.published == 0
    assert f"{QUEUE}: held, nothing is read: pause by anna: the server moves" in caplog.text
    holds.lift(QUEUE, PAUSE)
    run(runner)
    assert runner.totals.published == 1
    assert f"{QUEUE}: goes on" in caplog.text


@pytest.fixture
def bridge(
    probe: PgmqQueue, publisher: Publisher, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Runner]:
    """A bridge at work in a thread of its own, which looks by itself only now and then."""
    settings.WORKER_INTERVAL_MS = MINUTE * 1000
    # Services are away here that nobody has written down: such holds are lifted now and then, and first as it starts.
    monkeypatch.setattr(prober, "lift_forgotten", lambda: None)
    runner = Runner([registry.get(QUEUE)], publisher)

    def run() -> None:
        try:
            runner.run()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    yield runner
    runner.stop()
    thread.join(30)


def listens(bridge: Runner) -> Callable[[], bool]:
    return lambda: bridge._listener.fileno() is not None


def holds_back(bridge: Runner) -> Callable[[], bool]:
    return lambda: bridge._held._names == {QUEUE}


def has_published(bridge: Runner, number: int) -> Callable[[], bool]:
    return lambda: bridge.totals.published == number


@pytest.fixture
def unheard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a bridge look at what is held as seldom as at the rest, so that one which comes soon was told."""
    monkeypatch.setattr(held, "LOOK_SECONDS", float(MINUTE))


@pytest.mark.usefixtures("unheard")
def test_a_bridge_goes_on_as_soon_as_it_is_told(bridge: Runner, probe: PgmqQueue) -> None:
    wait_until(listens(bridge), "it listens")
    pause()
    probe.send({})
    wait_until(holds_back(bridge), "the queue is held")
    assert bridge.totals.published == 0
    with far_below(MINUTE):
        holds.lift(QUEUE, PAUSE)
        wait_until(has_published(bridge, 1), "it goes on")


def test_a_bridge_that_hears_nothing_goes_on_soon_all_the_same(
    bridge: Runner, probe: PgmqQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_until(listens(bridge), "it listens")
    pause()
    probe.send({})
    wait_until(holds_back(bridge), "the queue is held")
    monkeypatch.setattr(Listener, "heard", lambda _self: set())
    monkeypatch.setattr(Listener, "fileno", lambda _self: None)
    with far_below(MINUTE):
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM bridge_queuehold")
        wait_until(has_published(bridge, 1), "it goes on")


@pytest.mark.usefixtures("unheard")
def test_a_hold_ends_at_its_time_and_nobody_has_to_say_so(bridge: Runner, probe: PgmqQueue) -> None:
    wait_until(listens(bridge), "it listens")
    probe_until = probe.now() + timedelta(seconds=1)
    with far_below(MINUTE):
        pause(until=probe_until)
        probe.send({})
        wait_until(has_published(bridge, 1), "it goes on")
    assert probe.now() >= probe_until


@pytest.mark.usefixtures("unheard")
def test_a_bridge_reads_the_one_that_is_let_through(bridge: Runner, probe: PgmqQueue) -> None:
    wait_until(listens(bridge), "it listens")
    holds.place(QUEUE, MAIL, by="breaker", why="no answer")
    other, chosen = probe.send({}), probe.send({})
    wait_until(holds_back(bridge), "the queue is held")
    with far_below(MINUTE):
        holds.let_through(QUEUE, MAIL, chosen)
        wait_until(has_published(bridge, 1), "the chosen one is read")
    assert (row(other)[:2], row(chosen)[:2]) == ((0, True), (1, False))
    holds.lift(QUEUE, MAIL)
    wait_until(has_published(bridge, 2), "it goes on")


def test_held_queues_are_no_busy_loop(bridge: Runner, probe: PgmqQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []
    look = Drain.look

    def noted(drain: Drain) -> Look:
        looks.append(time.monotonic())
        return look(drain)

    monkeypatch.setattr(Drain, "look", noted)
    wait_until(listens(bridge), "it listens")
    pause()
    probe.send({})
    wait_until(holds_back(bridge), "the queue is held")
    del looks[:]
    wait_until(lambda: len(looks) >= 4, "it looks again and again")
    # Two of these looks may be there because of what it was told, of the hold and of the message.
    assert max(later - sooner for sooner, later in itertools.pairwise(looks[:4])) > 0.8
