"""Deliveries whose work is nothing but rows: one transaction for all, and whatever goes wrong leaves no trace."""

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
from celery import current_app
from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection, transaction
from django.utils import timezone

from bridge import holds
from bridge.errors import InvalidMessage, NotYet
from bridge.holds import PAUSE
from bridge.message import Delivery, Message
from bridge.pgmq import PgmqQueue, pgmq_queue
from bridge.queues import BUNDLE_SECONDS
from bridge.tries import tries_of
from bridge.worker import together
from sandbox.probe.apps import QUEUE
from sandbox.probe.models import ProbeRun
from tests.integration.bridge.conftest import RunBundle, archived
from tests.integration.bridge.deliveries import claim, make_due
from tests.integration.bridge.test_tries import BOTH_CARRIERS, here, send_with_history
from tests.support.databases import ClonedDatabase

Handle = Callable[[Message], Any]


@pytest.fixture(autouse=True)
def task(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The probe's task, as that of a queue whose handler has no effect but rows."""
    current_app.loader.import_default_modules()
    probe_task: Any = current_app.tasks["probe.run"]
    monkeypatch.setattr(type(probe_task), "transactional", True)
    return probe_task


@pytest.fixture
def handle(task: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[Handle], None]:
    """Let the probe do, in a bundle alone, what no message can ask for."""

    def replace(act: Handle) -> None:
        monkeypatch.setattr(type(task), "handler", staticmethod(act))

    return replace


def transactions() -> int:
    """How many have written what is archived; others have theirs on the same server meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(DISTINCT xmin::text)::int FROM pgmq.a_{QUEUE}")
        return int(cursor.fetchone()[0])


def send(queue: PgmqQueue, *bodies: Any) -> list[int]:
    return [queue.send(body) for body in bodies]


def read(queue: PgmqQueue, number: int) -> list[Delivery]:
    deliveries = queue.read(limit=number, lease=60)
    assert len(deliveries) == number
    return deliveries


def outcomes(queue: PgmqQueue, ids: Sequence[int]) -> list[tuple[str, int]]:
    histories = [archived(queue, msg_id) for msg_id in ids]
    return [(history["outcome"], history["attempts"]) for history in histories]


def recorded(*ids: int) -> list[bool]:
    return [ProbeRun.objects.filter(msg_id=msg_id, recorded=True).count() == 1 for msg_id in ids]


@BOTH_CARRIERS
def test_all_are_done_by_one_transaction_and_each_has_its_outcome_its_rows_and_its_line(
    probe: PgmqQueue, run_bundle: RunBundle, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ids = send(probe, {"note": True}, {}, {"note": True})
    deliveries = read(probe, 3)
    before = timezone.now()
    run_bundle(deliveries)
    assert transactions() == 1
    assert outcomes(probe, ids) == [("succeeded", 1)] * 3
    assert recorded(ids[0], ids[2]) == [True, True]
    for msg_id in ids:
        history = archived(probe, msg_id)
        assert history["trace_id"] == f"trace-{msg_id}"
        assert history.keys() == {
            *("attempts", "trace_id", "first_attempt_at", "last_attempt_at", "outcome", "finished_at", "tries")
        }
        (only,) = tries_of(history, now=timezone.now())
        assert (only.number, only.worker, only.is_lost, only.error) == (1, here(), False, None)
        assert only.started_at is not None
        assert before < only.started_at < timezone.now()
        assert only.seconds is not None
        assert 0 <= only.seconds < 10
        assert f"{QUEUE} {msg_id}: done at attempt 1" in caplog.messages


@BOTH_CARRIERS
@pytest.mark.parametrize("text", ['{"attempts": 1}', '{"attempts": 0}', '{"attempts": "x"}'])
def test_what_says_that_it_was_begun_before_goes_the_ordinary_way(
    probe: PgmqQueue, run_bundle: RunBundle, handle: Callable[[Handle], None], text: str
) -> None:
    seen: list[int] = []
    handle(lambda message: seen.append(message.msg_id))
    begun, fresh = send_with_history(probe, text), probe.send({})
    run_bundle(read(probe, 2))
    assert [ended for ended, _ in outcomes(probe, [begun, fresh])] == ["succeeded"] * 2
    # What is no count counts as nothing.
    assert seen == ([begun, fresh] if '"x"' in text else [fresh])


def test_what_was_read_before_is_never_bundled(
    probe: PgmqQueue, run_bundle: RunBundle, handle: Callable[[Handle], None]
) -> None:
    seen: list[int] = []
    handle(lambda message: seen.append(message.msg_id))
    (suspect,) = send(probe, {})
    read(probe, 1)
    make_due(probe)
    (fresh,) = send(probe, {})
    run_bundle(read(probe, 2))
    assert seen == [fresh]
    assert outcomes(probe, [suspect, fresh]) == [("succeeded", 1)] * 2


def test_a_stale_token_runs_nothing_and_leaves_the_message_to_its_owner(
    probe: PgmqQueue, run_bundle: RunBundle
) -> None:
    stale, fresh = send(probe, {"note": True}, {"note": True})
    deliveries = read(probe, 2)
    owner = claim(probe, deliveries[0])
    run_bundle(deliveries)
    assert (probe.is_queued(stale), recorded(stale, fresh)) == (True, [False, True])
    assert probe.load(owner.token) is not None


def test_a_bundle_of_before_does_nothing_to_messages_that_were_given_back_and_read_anew(
    probe: PgmqQueue, run_bundle: RunBundle, handle: Callable[[Handle], None]
) -> None:
    handle(lambda message: pytest.fail("it ran for somebody who had lost it"))
    ids = send(probe, {}, {})
    late = read(probe, 2)
    probe.release([one.token for one in late])
    owners = {one.token for one in read(probe, 2)}
    run_bundle(late)
    assert [probe.is_queued(msg_id) for msg_id in ids] == [True, True]
    assert {token for token in owners if probe.load(token)} == owners


def write_in_vain(message: Message) -> Callable[[], None] | None:
    """Write a row of its own; `fails` says where an error comes, after a row that must not stay."""
    body: Any = message.body
    run = ProbeRun(msg_id=message.msg_id, attempt=1, pid=0, started_at=timezone.now())
    match body.get("fails"):
        case "in the handler":
            run.save()
            raise InvalidMessage("no")
        case "without a statement":
            raise NotYet("not now", seconds=5)
        case "in record":
            return lambda: write_twice(run)
        case "and hides it":
            run.save()
            swallow(lambda: connection.cursor().execute("SELECT 1 / 0"))
            return None
        case "and hides it within":
            run.save()
            swallow(spoil_block)
            return None
        case "before it is read":
            run.save()
            connection.cursor().execute("SELEC 1")
        case "at its first statement":
            connection.cursor().execute("SELEC 1")
        case "past Django":
            with connection.connection.cursor() as cursor:
                cursor.execute("INSERT INTO probe_proberun SELECT 1000, %s, 1, 0, now(), NULL, true", [message.msg_id])
            raise ValueError("no")
    return run.save


def write_twice(run: ProbeRun) -> None:
    run.save()
    ProbeRun.objects.create(pk=run.pk)


def swallow(act: Callable[[], object]) -> None:
    try:
        act()
    except Exception:  # noqa: BLE001 - the mistake that is tried.
        return


def spoil_block() -> None:
    with transaction.atomic(savepoint=False):
        raise ValueError("no")


@pytest.mark.parametrize(
    "fails",
    [
        *("in the handler", "without a statement", "in record", "and hides it", "and hides it within"),
        *("before it is read", "at its first statement", "past Django"),
    ],
)
def test_whoever_fails_leaves_no_row_and_takes_nobody_along(
    probe: PgmqQueue, run_bundle: RunBundle, handle: Callable[[Handle], None], fails: str
) -> None:
    handle(write_in_vain)
    first, _failing, last, quiet = ids = send(probe, {"n": 1}, {"fails": fails}, {"n": 3}, {"n": 4})
    run_bundle(read(probe, 4))
    # The one that failed ran once more, alone, where the probe finds nothing to do in it.
    assert outcomes(probe, ids) == [("succeeded", 1)] * 4
    rows = [*ProbeRun.objects.order_by("msg_id").values_list("msg_id", flat=True)]
    if fails == "at its first statement":
        # Nothing of that statement was read, its savepoint not either: then all are undone, and run alone.
        assert rows == []
    else:
        assert rows == [first, last, quiet]


def test_hooks_of_a_message_that_failed_are_not_called(
    probe: PgmqQueue, run_bundle: RunBundle, handle: Callable[[Handle], None]
) -> None:
    called: list[int] = []

    def act(message: Message) -> None:
        transaction.on_commit(lambda: called.append(message.msg_id))
        if message.body:
            raise ValueError("no")

    handle(act)
    good, _bad, other = send(probe, {}, {"bad": True}, {})
    run_bundle(read(probe, 3))
    assert called == [good, other]


def test_a_hook_that_fails_keeps_none_of_others_from_being_called(
    probe: PgmqQueue, run_bundle: RunBundle, handle: Callable[[Handle], None], caplog: pytest.LogCaptureFixture
) -> None:
    called: list[int] = []

    def act(message: Message) -> None:
        def hook() -> None:
            called.append(message.msg_id)
            if message.body:
                raise ValueError("the commit is long done")

        transaction.on_commit(hook)

    handle(act)
    ids = send(probe, {}, {"bad": True}, {})
    run_bundle(read(probe, 3))
    assert called == ids
    assert outcomes(probe, ids) == [("succeeded", 1)] * 3
    assert any("the commit is long done" in line for line in caplog.messages)


@pytest.mark.parametrize(
    ("said", "shown", "usual"),
    [
        ("SET LOCAL statement_timeout TO '77s'", "SHOW statement_timeout", "0"),
        ("set  local\nlock_timeout TO '77s'", "SHOW lock_timeout", "0"),
        (
            "SELECT set_config('request.jwt.claims', '{}', true)",
            "SELECT nullif(current_setting('request.jwt.claims', true), '')",
            None,
        ),
    ],
)
def test_what_a_message_sets_until_the_end_of_its_transaction_does_not_hold_for_the_next_ones(
    probe: PgmqQueue, run_bundle: RunBundle, handle: Callable[[Handle], None], said: str, shown: str, usual: Any
) -> None:
    seen: list[Any] = []

    def act(message: Message) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(shown)
            seen.extend(cursor.fetchone())
            if message.body:
                cursor.execute(said)

    handle(act)
    ids = send(probe, {}, {"sets": True}, {}, {})
    run_bundle(read(probe, 4))
    assert seen == [usual] * 4
    assert outcomes(probe, ids) == [("succeeded", 1)] * 4


def test_a_failing_message_is_repeated_by_its_own_rules_and_counted_from_its_own_attempt(
    probe: PgmqQueue, run_bundle: RunBundle
) -> None:
    good, failing, hopeless = send(probe, {"note": True}, {"note": True, "fail_first": 1}, {"permanent": True})
    run_bundle(read(probe, 3))
    assert recorded(good, failing) == [True, False]
    assert archived(probe, hopeless)["reason"] == "permanent_error"
    assert probe.counts().retrying == 1
    # Of the two runs the one that was undone has left nothing.
    assert [run.attempt for run in ProbeRun.objects.filter(msg_id=failing)] == [1]


def test_an_error_that_waits_for_the_commit_undoes_all_and_each_goes_its_own_way(
    probe: PgmqQueue, run_bundle: RunBundle, handle: Callable[[Handle], None], caplog: pytest.LogCaptureFixture
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE parent (id int PRIMARY KEY);"
            "CREATE TABLE child (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)"
        )

    def act(message: Message) -> None:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO child VALUES (7)")

    handle(act)
    ids = send(probe, {}, {}, {"note": True})
    run_bundle(read(probe, 3))
    assert outcomes(probe, ids) == [("succeeded", 1)] * 3
    assert any("are run one by one" in line and "IntegrityError" in line for line in caplog.messages)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM child")
        assert cursor.fetchone() == (0,)


def test_nothing_is_started_in_a_held_queue(probe: PgmqQueue, run_bundle: RunBundle) -> None:
    ids = send(probe, {"note": True}, {"note": True})
    deliveries = read(probe, 2)
    holds.place(QUEUE, PAUSE, by="staff", why="x")
    run_bundle(deliveries)
    assert recorded(*ids) == [False, False]
    holds.lift(QUEUE, PAUSE)
    assert [(one.read_ct, one.history.attempts) for one in read(probe, 2)] == [(1, 0)] * 2


def test_a_hold_that_comes_in_the_middle_lets_the_begun_ones_end_and_gives_the_others_back(
    probe: PgmqQueue,
    run_bundle: RunBundle,
    handle: Callable[[Handle], None],
    database: ClonedDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(together, "LOOK_SECONDS", 0.0)
    failing, second, third = ids = send(probe, {}, {}, {})

    def act(message: Message) -> None:
        if message.msg_id == failing:
            raise ValueError("it goes alone, and does not get so far")
        with closing(psycopg2.connect(database.url)) as other, other.cursor() as cursor:
            cursor.execute(
                "INSERT INTO balansity.bridge_queuehold (queue, cause, since, by, why) VALUES (%s, %s, now(), 's', '')",
                [QUEUE, PAUSE],
            )
            other.commit()

    handle(act)
    run_bundle(read(probe, 3))
    assert outcomes(probe, [second]) == [("succeeded", 1)]
    assert [probe.is_queued(msg_id) for msg_id in ids] == [True, False, True]
    holds.lift(QUEUE, PAUSE)
    # What began and failed counts as read, so that no bundle begins with it once more.
    assert [(one.msg_id, one.read_ct) for one in read(probe, 2)] == [(failing, 2), (third, 1)]


def test_what_slow_work_leaves_goes_back(
    probe: PgmqQueue, run_bundle: RunBundle, handle: Callable[[Handle], None], clock: Any
) -> None:
    def act(message: Message) -> None:
        clock.tick(timedelta(seconds=BUNDLE_SECONDS + 1))

    handle(act)
    first, *rest = send(probe, {}, {}, {})
    run_bundle(read(probe, 3))
    assert outcomes(probe, [first]) == [("succeeded", 1)]
    assert [(one.msg_id, one.read_ct) for one in read(probe, 2)] == [(msg_id, 1) for msg_id in rest]


def test_a_message_that_takes_all_the_time_keeps_none_from_its_outcome_and_is_not_bundled_again(
    probe: PgmqQueue, run_bundle: RunBundle, handle: Callable[[Handle], None]
) -> None:
    def act(message: Message) -> None:
        if message.body:
            raise SoftTimeLimitExceeded

    handle(act)
    done, slow, rest = send(probe, {}, {"slow": True}, {})
    run_bundle(read(probe, 3))
    assert outcomes(probe, [done]) == [("succeeded", 1)]
    make_due(probe)
    assert [(one.msg_id, one.read_ct) for one in read(probe, 2)] == [(slow, 2), (rest, 1)]


def test_while_a_bundle_is_at_work_nobody_reads_or_claims_its_messages_though_their_lease_is_over(
    probe: PgmqQueue, run_bundle: RunBundle, handle: Callable[[Handle], None], database: ClonedDatabase
) -> None:
    ids = send(probe, {"note": True}, {"note": True})
    deliveries = probe.read(limit=2, lease=0)
    seen: list[Any] = []

    def act(message: Message) -> None:
        with closing(psycopg2.connect(database.url)) as other, other.cursor() as cursor:
            cursor.execute(f"SELECT clock_timestamp() > vt FROM pgmq.q_{QUEUE} WHERE msg_id = %s", [message.msg_id])
            seen.extend(cursor.fetchall())
            cursor.execute(f"SELECT msg_id FROM pgmq.q_{QUEUE} WHERE vt <= now() FOR UPDATE SKIP LOCKED")
            seen.extend(cursor.fetchall())

    handle(act)
    run_bundle(deliveries)
    assert seen == [(True,), (True,)]
    assert outcomes(probe, ids) == [("succeeded", 1)] * 2


def test_the_second_copy_of_a_bundle_finds_nothing_to_do_while_the_first_is_at_work_and_after(
    probe: PgmqQueue, run_bundle: RunBundle, handle: Callable[[Handle], None], database: ClonedDatabase
) -> None:
    ids = send(probe, {}, {})
    deliveries = read(probe, 2)
    ran: list[int] = []
    taken: list[Any] = []

    def act(message: Message) -> None:
        ran.append(message.msg_id)
        query = pgmq_queue(QUEUE)._statement("take_together")
        values: dict[str, Any] = {"name": QUEUE, "msg_ids": [one.msg_id for one in deliveries]}
        values |= {"vts": [one.token.vt for one in deliveries]}
        with closing(psycopg2.connect(database.url)) as other, other.cursor() as cursor:
            cursor.execute("SET search_path TO balansity, public; SET lock_timeout TO '1s'")
            cursor.execute(query, values)
            taken.extend(cursor.fetchall())

    handle(act)
    run_bundle(deliveries)
    run_bundle(deliveries)
    assert (ran, taken) == (ids, [])
    assert outcomes(probe, ids) == [("succeeded", 1)] * 2


def test_a_queue_that_is_dropped_in_the_middle_ends_the_bundle_without_an_error(
    probe: PgmqQueue, run_bundle: RunBundle, handle: Callable[[Handle], None]
) -> None:
    def act(message: Message) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE pgmq.a_{QUEUE}")

    handle(act)
    ids = send(probe, {}, {})
    run_bundle(read(probe, 2))
    # What the handler did is undone, so that there is a queue again.
    assert outcomes(probe, ids) == [("succeeded", 1)] * 2
    send(probe, {}, {})
    deliveries = read(probe, 2)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.drop_queue(%s)", [QUEUE])
    run_bundle(deliveries)


def test_a_connection_that_breaks_in_the_middle_leaves_all_to_the_ordinary_way(
    probe: PgmqQueue, run_bundle: RunBundle, handle: Callable[[Handle], None], admin_of_database: str
) -> None:
    def act(message: Message) -> None:
        with closing(psycopg2.connect(admin_of_database)) as other, other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid])

    handle(act)
    ids = send(probe, {"note": True}, {"note": True})
    run_bundle(read(probe, 2))
    assert outcomes(probe, ids) == [("succeeded", 1)] * 2
    assert recorded(*ids) == [True, True]


def test_a_handler_that_asks_a_service_outside_is_never_bundled(
    probe: PgmqQueue, run_bundle: RunBundle, handle: Callable[[Handle], None]
) -> None:
    from tests.support.outages import laboratory  # noqa: PLC0415 - it knows models.

    handle(lambda message: pytest.fail("it ran in a bundle"))
    with laboratory():
        ids = send(probe, {}, {})
        run_bundle(read(probe, 2))
    assert outcomes(probe, ids) == [("succeeded", 1)] * 2
