"""How often a worker asks Postgres for one delivery: with 30 ms between them, that is how long a message takes."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest
from celery import current_app
from celery.exceptions import Retry, SoftTimeLimitExceeded
from django.db import DatabaseError, connection

from bridge import holds, outcome
from bridge.errors import TokenLost
from bridge.holds import PAUSE
from bridge.message import Delivery, Message, Next, Outcome
from bridge.models import KeptOutcome
from bridge.pgmq import PgmqQueue
from bridge.queues import registry
from bridge.record import Statement
from sandbox.probe.apps import QUEUE
from sandbox.probe.models import ProbeRun
from tests.integration.bridge.conftest import RunBundle, archived
from tests.integration.bridge.deliveries import claim, make_due
from tests.integration.bridge.test_task import Run
from tests.integration.bridge.test_tries import BOTH_CARRIERS
from tests.support.counting_relay import before_postgres
from tests.support.databases import ClonedDatabase

Count = Callable[[], int]


@pytest.fixture
def round_trips(probe: PgmqQueue) -> Iterator[Count]:
    """How often this process said something to Postgres since the last question."""
    seen = 0
    with before_postgres() as relay:

        def count() -> int:
            nonlocal seen
            number, seen = relay.said - seen, relay.said
            return number

        yield count


def row_of(message: Message) -> Statement:
    """A row of the handler's that names the message, as one statement."""
    return Statement(
        "INSERT INTO probe_proberun (msg_id, attempt, pid, started_at, recorded)"
        " SELECT %(msg_id)s, %(attempts)s, 100, '2026-01-01 10:00+03', true WHERE {ours} AND '100%%' <> %(name)s",
        {"msg_id": message.msg_id, "attempts": message.history.attempts, "name": "50%"},
    )


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Message], Any]], None]:
    """Let the probe do this, alone and in bundles."""
    current_app.loader.import_default_modules()
    task: Any = current_app.tasks["probe.run"]

    def replace(act: Callable[[Message], Any]) -> None:
        monkeypatch.setattr(task, "_orig_run", lambda message: task.end(message, act(message)))

    return replace


def nothing(message: Message) -> None:
    """No rows."""


def rows_by_code(message: Message) -> Callable[[], None]:
    return row_of(message).__call__


BUDGETS = {
    # Claim, outcome.
    "without rows": (nothing, 2, 1),
    # The same, with the rows amid the outcome.
    "with a statement": (row_of, 2, 1),
    # Claim, BEGIN, outcome, rows, COMMIT; in a bundle the claim goes with the outcome before it.
    "with code": (rows_by_code, 5, 4),
}


@pytest.mark.parametrize("kind", BUDGETS)
def test_a_delivery_costs_so_many_round_trips_and_one_less_in_a_bundle(
    probe: PgmqQueue, run_delivery: Run, run_bundle: RunBundle, round_trips: Count, handler: Any, kind: str
) -> None:
    act, alone, bundled = BUDGETS[kind]
    handler(act)
    ids = [probe.send({}) for _ in range(5)]
    # The statements are composed once.
    run_delivery(*probe.read(limit=1, lease=60))
    (delivery,) = probe.read(limit=1, lease=60)
    round_trips()
    run_delivery(delivery)
    assert round_trips() == alone
    deliveries = probe.read(limit=3, lease=60)
    round_trips()
    run_bundle(deliveries)
    assert round_trips() == 3 * bundled + 1
    assert {archived(probe, msg_id)["outcome"] for msg_id in ids} == {"succeeded"}
    assert ProbeRun.objects.filter(recorded=True).count() == (0 if act is nothing else 5)


@pytest.mark.usefixtures("transactional")
def test_messages_run_together_cost_four_whatever_their_number(
    probe: PgmqQueue, run_bundle: RunBundle, round_trips: Count
) -> None:
    for number in (2, 20):
        for _ in range(number):
            probe.send({})
        deliveries = probe.read(limit=number, lease=60)
        round_trips()
        run_bundle(deliveries)
        # BEGIN, the locks, the outcomes, COMMIT.
        assert round_trips() == 4


def following(delivery: Delivery) -> Next:
    return Next(delivery.token, 60, 1, "next", "host:1")


@BOTH_CARRIERS
@pytest.mark.parametrize("rows", ["none", "a statement"])
def test_the_next_attempt_begins_with_the_outcome_and_is_counted(probe: PgmqQueue, rows: str) -> None:
    for number in range(2):
        probe.send({"n": number})
    first, second = probe.read(limit=2, lease=60)
    done = claim(probe, first)
    ours, begun = probe.succeed(done, rows=row_of(done) if rows == "a statement" else None, following=following(second))
    assert ours
    assert begun is not None
    assert (begun.msg_id, begun.body, begun.history.attempts) == (second.msg_id, {"n": 1}, 1)
    assert begun.history.trace_id == "next"
    assert probe.claim(second.token, lease=60, attempts=1, trace_id="x") is None
    assert probe.finish(begun, Outcome.SUCCEEDED)
    assert archived(probe, first.msg_id)["attempts"] == archived(probe, second.msg_id)["attempts"] == 1
    assert ProbeRun.objects.count() == (rows == "a statement")


@BOTH_CARRIERS
def test_who_lost_his_message_writes_no_row_and_begins_no_other(probe: PgmqQueue) -> None:
    for _ in range(2):
        probe.send({})
    first, second = probe.read(limit=2, lease=60)
    late = claim(probe, first)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE pgmq.q_{QUEUE} SET vt = now() - interval '1 second' WHERE msg_id = %s", [first.msg_id])
    owner = claim(probe, *probe.read(limit=1, lease=60), attempts=2)
    assert probe.succeed(late, rows=row_of(late), following=following(second)) == (False, None)
    with pytest.raises(TokenLost):
        outcome.succeed(registry.get(QUEUE), late, row_of(late), following(second))
    assert not ProbeRun.objects.exists()
    assert probe.load(owner.token) is not None
    assert claim(probe, second).history.attempts == 1


def test_a_next_one_that_is_gone_held_or_locked_is_not_waited_for(probe: PgmqQueue, database: ClonedDatabase) -> None:
    for _ in range(4):
        probe.send({})
    first, second, third, fourth = probe.read(limit=4, lease=60)
    done = claim(probe, first)
    claim(probe, second)
    assert probe.succeed(done, following=following(second)) == (True, None)
    done = claim(probe, third)
    other = psycopg2.connect(database.url)
    try:
        with other.cursor() as cursor:
            cursor.execute(f"SELECT FROM pgmq.q_{QUEUE} WHERE msg_id = %s FOR UPDATE", [fourth.msg_id])
        assert probe.succeed(done, following=following(fourth)) == (True, None)
    finally:
        other.close()
    done = claim(probe, fourth)
    probe.send({})
    (fifth,) = probe.read(limit=1, lease=60)
    holds.place(QUEUE, PAUSE, by="staff", why="x")
    assert probe.succeed(done, following=following(fifth)) == (True, None)


@pytest.mark.parametrize("kind", ["a statement", "code"])
def test_rows_that_cannot_be_written_are_a_reason_to_repeat_and_the_next_one_has_not_begun(
    probe: PgmqQueue, kind: str
) -> None:
    probe.send({})
    probe.send({})
    first, second = probe.read(limit=2, lease=60)
    done = claim(probe, first)
    broken = Statement("INSERT INTO probe_proberun (id) SELECT 1 WHERE {ours}")
    with pytest.raises(DatabaseError):
        outcome.succeed(
            registry.get(QUEUE), done, broken if kind == "a statement" else broken.__call__, following(second)
        )
    assert probe.load(done.token) is not None
    assert claim(probe, second).history.attempts == 1


@pytest.mark.parametrize("kind", ["a statement", "code"])
def test_rows_that_only_the_commit_refuses_are_a_reason_to_repeat_too(
    probe: PgmqQueue, run_delivery: Run, handler: Any, kind: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE parent (id int PRIMARY KEY);"
            "CREATE TABLE child (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)"
        )
    broken = Statement("INSERT INTO child SELECT 7 WHERE {ours}")
    handler(lambda message: broken if kind == "a statement" else broken.__call__)
    probe.send({})
    with pytest.raises(Retry):
        run_delivery(*probe.read(limit=1, lease=60))
    make_due(probe)
    (again,) = probe.read(limit=1, lease=60)
    assert again.history.last_error is not None
    assert (again.history.attempts, again.history.last_error.type) == (1, "IntegrityError")
    assert not KeptOutcome.objects.exists()


def test_what_is_not_archived_leaves_no_rows_of_a_statement_and_is_kept_with_them_once(probe: PgmqQueue) -> None:
    probe.send({})
    done = claim(probe, *probe.read(limit=1, lease=60))
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
            f"CREATE TRIGGER refuse BEFORE DELETE ON pgmq.q_{QUEUE} FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    outcome.succeed(registry.get(QUEUE), done, row_of(done))
    assert probe.is_queued(done.msg_id)
    assert ProbeRun.objects.filter(msg_id=done.msg_id).count() == KeptOutcome.objects.count() == 1


def test_a_claim_that_came_with_an_outcome_and_is_not_used_counts_as_nothing(
    probe: PgmqQueue, run_bundle: RunBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The time of the bundle is over between two of its messages.
    ended: list[int] = []

    def end(spec: Any, message: Message, record: Any, offer: Any = None) -> Any:
        begun = real(spec, message, record, offer)
        ended.append(message.msg_id)
        return begun

    real = outcome.succeed
    monkeypatch.setattr(outcome, "succeed", end)
    task: Any = current_app.tasks["probe.run"]
    pop = type(task).pop_request

    def time_is_over(self: Any) -> None:
        pop(self)
        if len(ended) == 1:
            raise SoftTimeLimitExceeded

    for _ in range(2):
        probe.send({})
    deliveries = probe.read(limit=2, lease=60)
    monkeypatch.setattr(type(task), "pop_request", time_is_over)
    with pytest.raises(SoftTimeLimitExceeded):
        run_bundle(deliveries)
    monkeypatch.undo()
    make_due(probe)
    (left,) = probe.read(limit=1, lease=60)
    assert (left.msg_id, left.history.attempts) == (deliveries[1].msg_id, 0)
