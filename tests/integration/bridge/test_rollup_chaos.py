"""The roll-up among others who archive, put back, roll up and die meanwhile: it equals a full count after all."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import psycopg2
import pytest
from django.db import DatabaseError, connection, connections, transaction

from bridge.models import FailedMessage
from bridge.operations.requeue import requeue
from bridge.pgmq import PgmqQueue, pgmq_queue
from bridge.rollup import passing
from bridge.rollup.failures import open_failures
from bridge.rollup.passing import _add_chunk, roll_up, roll_up_all
from bridge.rollup.reading import day
from bridge.rollup.upkeep import tidy_queue
from bridge.seldom import Seldom
from bridge.status import read_status
from tests.acceptance.waiting import wait_until
from tests.support.archives import failed, failures_of, full_count, put, rolled_up, total
from tests.support.databases import ClonedDatabase, DatabaseServer
from tests.support.guests import Guest, django_as
from tests.support.overlapping import overlap
from tests.support.requeueing import SOMEBODY, put_back

QUEUE = "email_queue"


@pytest.fixture
def queue(database: ClonedDatabase) -> PgmqQueue:
    return pgmq_queue(QUEUE)


@contextmanager
def other_session(database: ClonedDatabase) -> Iterator["psycopg2.extensions.cursor"]:
    with closing(psycopg2.connect(database.url, connect_timeout=10)) as session, session.cursor() as cursor:
        cursor.execute("SET search_path TO balansity, public")
        session.commit()
        yield cursor


def test_what_is_committed_late_is_counted_then(queue: PgmqQueue, database: ClonedDatabase) -> None:
    insert = f"INSERT INTO pgmq.a_{QUEUE} (msg_id, vt, message) VALUES (%s, now(), '{{}}')"
    with other_session(database) as early:
        # Its time of archiving is the earliest, its id is in the middle, and it is seen last.
        early.execute(insert, [5])
        put(QUEUE, 4)
        put(QUEUE, 6)
        assert roll_up(QUEUE) == 2
        assert roll_up(QUEUE) == 0
        early.connection.commit()
        assert day(QUEUE).others == 3
        assert roll_up(QUEUE) == 1
    assert rolled_up(QUEUE) == full_count(QUEUE)


def test_a_second_pass_at_the_same_time_has_nothing_to_do(queue: PgmqQueue) -> None:
    roll_up(QUEUE)
    for number in range(1, 5):
        put(QUEUE, number)
    added: list[int] = []
    waited = overlap(lambda: added.append(_add_chunk(queue, 2) or 0), lambda: added.append(roll_up(QUEUE)))
    assert not waited
    assert added == [2, 0]
    assert roll_up(QUEUE) == 2
    assert rolled_up(QUEUE) == full_count(QUEUE)


def test_a_message_that_is_being_put_back_is_written_down_as_put_back(queue: PgmqQueue) -> None:
    put(QUEUE, 1, failed())
    queue.send({})
    waited = overlap(lambda: put_back(QUEUE, 1), lambda: roll_up(QUEUE))
    assert waited
    assert FailedMessage.objects.get().requeued_as is not None
    assert open_failures(QUEUE) == []


def test_a_pass_that_is_killed_has_added_nothing(queue: PgmqQueue, database: ClonedDatabase) -> None:
    for number in range(1, 4):
        put(QUEUE, number, failed())

    def killed() -> None:
        try:
            with pytest.raises(DatabaseError):
                roll_up(QUEUE)
        finally:
            connections.close_all()

    with other_session(database) as holding, ThreadPoolExecutor(1) as pool:
        holding.execute("LOCK TABLE bridge_rolledtotal IN EXCLUSIVE MODE")
        dying = pool.submit(killed)
        waits = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'bridge_rolledtotal'::regclass"
        pids: list[tuple[int]] = []

        def is_waiting() -> bool:
            holding.execute(waits)
            pids[:] = holding.fetchall()
            return bool(pids)

        wait_until(is_waiting, "the pass is in the middle of its work")
        holding.execute("SELECT pg_terminate_backend(%s)", [pids[0][0]])
        dying.result(timeout=30)
        holding.connection.rollback()
    assert (total(QUEUE), failures_of(QUEUE)) == (0, set())
    assert roll_up(QUEUE) == 3
    assert rolled_up(QUEUE) == full_count(QUEUE)


def test_one_queue_that_cannot_be_read_keeps_no_other_from_being_added_up(
    queue: PgmqQueue,
    admin_of_database: str,
    plain_role: None,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passing, "_left_alone", Seldom())
    put(QUEUE, 1)
    put("payment_processing_queue", 1)
    with closing(psycopg2.connect(admin_of_database)) as admin, admin.cursor() as cursor:
        admin.autocommit = True
        cursor.execute(f"ALTER TABLE pgmq.a_{QUEUE} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        assert roll_up_all() == 1
        assert "email_queue is left out of the roll-up: pgmq.a_email_queue: row security" in caplog.text
        cursor.execute(f"ALTER TABLE pgmq.a_{QUEUE} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY")
    assert roll_up_all() == 1


class Chaos:
    """Threads that archive, put back and roll up as they like, each as its own chance has it."""

    def __init__(self, queue: PgmqQueue, seed: int) -> None:
        self.queue, self.seed, self.done = queue, seed, threading.Event()

    def archive(self, chance: random.Random, ids: list[int]) -> None:
        """In transactions of any length, some of which are given up, out of order."""
        while ids:
            batch, undone = [ids.pop() for _ in range(min(len(ids), chance.randint(1, 9)))], chance.random() < 0.2
            with transaction.atomic():
                for msg_id in batch:
                    history = chance.choice([None, failed(), failed(), {"outcome": "succeeded", "attempts": 1}])
                    put(QUEUE, msg_id, history, archived_at=f"now() - interval '{chance.randint(0, 9)} hours'")
                transaction.set_rollback(undone)
            ids.extend(batch if undone else [])

    def put_back(self, chance: random.Random, _ids: list[int]) -> None:
        while not self.done.is_set():
            for failure in open_failures(QUEUE, limit=5):
                requeue(QUEUE, [failure.msg_id], actor=SOMEBODY)

    def roll_up(self, chance: random.Random, _ids: list[int]) -> None:
        while not self.done.is_set():
            roll_up(QUEUE, chunk=chance.choice([1, 7, 50]))
            if chance.random() < 0.3:
                # As a process does that is killed: its session ends in the middle of a transaction.
                with transaction.atomic():
                    _add_chunk(self.queue, 20)
                    transaction.set_rollback(True)

    def run(self, work: "Callable[[random.Random, list[int]], None]", number: int, ids: list[int]) -> None:
        try:
            work(random.Random(100 * self.seed + number), ids)  # noqa: S311 # It is to be the same again.
        finally:
            connections.close_all()


@pytest.mark.parametrize("seed", range(2))
def test_it_equals_a_full_count_after_chaos(queue: PgmqQueue, seed: int) -> None:
    chaos, ids = Chaos(queue, seed), list(range(1, 301))
    random.Random(seed).shuffle(ids)  # noqa: S311 # The same.
    with ThreadPoolExecutor(6) as pool:
        works = (chaos.put_back, chaos.roll_up, chaos.roll_up)
        others = [pool.submit(chaos.run, work, n, []) for n, work in enumerate(works)]
        archiving = [pool.submit(chaos.run, chaos.archive, 10 + n, ids[n::3]) for n in range(3)]
        for one in archiving:
            one.result(timeout=60)
        chaos.done.set()
        for one in others:
            one.result(timeout=60)
    roll_up(QUEUE)
    tidy_queue(QUEUE)
    assert rolled_up(QUEUE) == full_count(QUEUE)
    assert total(QUEUE) == 300
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT msg_id, (headers -> 'bridge' -> 'requeued_as')::bigint FROM pgmq.a_{QUEUE}"
            " WHERE headers -> 'bridge' ->> 'outcome' = 'failed'"
        )
        truth = set(cursor.fetchall())
    assert set(FailedMessage.objects.values_list("msg_id", "requeued_as")) == truth


@pytest.fixture
def guest(database: ClonedDatabase, database_server: DatabaseServer) -> Iterator[Guest]:
    guest = Guest(database, database_server)
    guest.arrive()
    try:
        with django_as(guest):
            yield guest
    finally:
        guest.leave()


@pytest.mark.parametrize(
    "taken", ["UPDATE ON pgmq.a_{queue}", "SELECT ON pgmq.a_{queue}", "ALL ON pgmq.a_{queue}", "ALL ON pgmq.q_{queue}"]
)
def test_a_right_that_is_lacking_is_named_and_the_queue_left_alone(
    guest: Guest, caplog: pytest.LogCaptureFixture, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passing, "_left_alone", Seldom())
    put(QUEUE, 1, failed())
    put("payment_processing_queue", 1)
    guest.admin(f"REVOKE {taken.format(queue=QUEUE)} FROM {{role}}")
    assert roll_up_all() == 1
    assert total("payment_processing_queue") == 1
    assert "email_queue is left out of the roll-up" in caplog.text
    guest.admin(f"GRANT {taken.format(queue=QUEUE)} TO {{role}}")
    roll_up_all()
    assert total(QUEUE) == 1


def test_without_rights_on_its_own_tables_the_archive_is_counted_as_before(guest: Guest, broker_url: str) -> None:
    put(QUEUE, 1, failed())
    guest.admin("REVOKE ALL ON balansity.bridge_rolledhour FROM {role}")
    (status,) = (one for one in read_status().queues if one.name == QUEUE)
    assert (status.failed, status.day) == (1, None)
    assert roll_up_all() == 0
