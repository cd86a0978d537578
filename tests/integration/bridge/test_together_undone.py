"""Deliveries that share a transaction: whatever goes wrong with one leaves no trace and takes nobody along."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from django.db import connection, transaction
from django.utils import timezone

from bridge.errors import InvalidMessage, NotYet
from bridge.message import Message
from bridge.pgmq import PgmqQueue
from sandbox.probe.apps import QUEUE
from sandbox.probe.models import ProbeRun
from tests.integration.bridge.bundles import outcomes, read, recorded, send
from tests.integration.bridge.conftest import Handle, RunBundle, archived

pytestmark = pytest.mark.usefixtures("transactional")


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
