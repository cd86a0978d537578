"""pgmq is updated between any two statements of a process that goes on running."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from celery.exceptions import Retry
from django.db import connection

from bridge.message import Done, Ending, Message, Next, Outcome, Reason, Token
from bridge.operations.discard import discard
from bridge.operations.retry import retry_now
from bridge.pgmq import PgmqQueue
from bridge.record import Statement
from bridge.status import read_status
from bridge.wakeup import Method, install, installed_method
from sandbox.probe.apps import QUEUE
from sandbox.probe.models import ProbeRun
from tests.integration.bridge.conftest import archived
from tests.integration.bridge.deliveries import ERROR, claim, make_due, read_one
from tests.integration.bridge.test_task import Read, Run
from tests.support.databases import ClonedDatabase
from tests.support.pgmq_upgrades import upgrade_pgmq
from tests.support.requeueing import SOMEBODY, put_all_back, put_back

pytestmark = pytest.mark.parametrize("pgmq_version", ["1.4"], indirect=True)

Step = Callable[[PgmqQueue], Any]


def columns(table: str, msg_id: int) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT to_jsonb(t) FROM pgmq.{table} AS t WHERE msg_id = %s", [msg_id])
        found: dict[str, Any] = json.loads(cursor.fetchone()[0])
        return found


def test_attempts_go_on_counting_and_the_history_moves_to_the_new_column(
    probe: PgmqQueue, database: ClonedDatabase
) -> None:
    msg_id = probe.send({"x": 1})
    probe.retry(claim(probe, read_one(probe)).token, delay=0, error=ERROR)
    upgrade_pgmq(database.url, "1.5")
    make_due(probe)
    again = read_one(probe)
    assert (again.history.attempts, again.history.last_error, again.body) == (1, ERROR, {"x": 1})
    claimed = claim(probe, again, attempts=2)
    assert (claimed.history.attempts, claimed.body) == (2, {"x": 1})
    row = columns(f"q_{QUEUE}", msg_id)
    assert row["message"] == {"x": 1}
    assert row["headers"]["bridge"]["attempts"] == 2
    assert row["headers"]["bridge"]["first_attempt_at"] == again.history.first_attempt_at


def succeed_with_rows(queue: PgmqQueue, held: Message) -> bool:
    """The rows are written once, though the statement is sent twice."""
    rows = Statement(
        "INSERT INTO probe_proberun (msg_id, attempt, pid, started_at, recorded)"
        " SELECT %(msg_id)s, 1, 1, now(), false WHERE {ours}",
        {"msg_id": held.msg_id},
    )
    ours, _ = queue.succeed(held, rows=rows, following=Next(Token(held.msg_id + 1, held.token.vt), 60, 1, "next", "w"))
    return ours and ProbeRun.objects.count() == 1


def finish_together(queue: PgmqQueue, held: Message) -> bool:
    return queue.finish_together([Done(held.token, "trace", held.enqueued_at, 0.1)], worker="w") == 1


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda queue, held: queue.finish(held, Outcome.SUCCEEDED), id="finish"),
        pytest.param(lambda queue, held: queue.succeed(held)[0], id="succeed"),
        pytest.param(succeed_with_rows, id="succeed with rows and a next"),
        pytest.param(finish_together, id="finish_together"),
        pytest.param(lambda queue, held: queue.retry(held.token, delay=9, error=ERROR), id="retry"),
        pytest.param(lambda queue, held: queue.note_own_try(held.token, tries=2), id="note_own_try"),
        pytest.param(lambda queue, held: claim(queue, held, attempts=2), id="claim"),
        pytest.param(
            lambda queue, held: queue.refuse([(held.token, Ending(Outcome.FAILED, Reason.REFUSED, ERROR))]), id="refuse"
        ),
    ],
)
def test_each_write_goes_to_the_column_that_has_come_since_the_last_statement(
    probe: PgmqQueue, database: ClonedDatabase, write: Callable[[PgmqQueue, Any], Any]
) -> None:
    msg_id = probe.send({"x": 1})
    held = claim(probe, read_one(probe))
    upgrade_pgmq(database.url, "1.5")
    assert write(probe, held)
    table = f"q_{QUEUE}" if probe.is_queued(msg_id) else f"a_{QUEUE}"
    row = columns(table, msg_id)
    assert row["message"] == {"x": 1}
    assert row["headers"]["bridge"]["trace_id"] == "trace"


def test_every_outcome_of_before_is_seen_and_can_be_put_back_afterwards(
    probe: PgmqQueue, database: ClonedDatabase, broker_url: str
) -> None:
    ids = [probe.send(body) for body in ({"n": 1}, [1, 2], {"n": 3})]
    for reason in (Reason.PERMANENT_ERROR, Reason.INVALID_MESSAGE):
        probe.finish(read_one(probe), Outcome.FAILED, reason=reason, error=ERROR)
    probe.finish(read_one(probe), Outcome.SUCCEEDED)
    upgrade_pgmq(database.url, "1.5")
    upgrade_pgmq(database.url, "1.13")
    status = next(queue for queue in read_status().queues if queue.name == QUEUE)
    assert (status.succeeded, status.failed, status.others) == (1, 2, 0)
    assert archived(probe, ids[0])["reason"] == "permanent_error"
    assert put_all_back(QUEUE) == 2
    assert put_all_back(QUEUE) == 0
    assert [read_one(probe).body for _ in range(2)] == [{"n": 1}, [1, 2]]
    assert columns(f"a_{QUEUE}", ids[1])["message"] == [1, 2]


def test_what_is_put_back_right_after_the_upgrade_is_linked_in_the_new_column(
    probe: PgmqQueue, database: ClonedDatabase
) -> None:
    old = probe.send({"x": 1})
    probe.finish(read_one(probe), Outcome.FAILED, reason=Reason.PERMANENT_ERROR, error=ERROR)
    upgrade_pgmq(database.url, "1.5")
    assert not probe.has_headers
    new = put_back(QUEUE, old)
    sent, kept = columns(f"q_{QUEUE}", new), columns(f"a_{QUEUE}", old)
    assert (sent["message"], sent["headers"]["bridge"]) == ({"x": 1}, {"requeued_from": old})
    assert (kept["message"], kept["headers"]["bridge"]["requeued_as"]) == ({"x": 1}, new)


def test_what_is_discarded_right_after_the_upgrade_has_its_mark_in_the_new_column(
    probe: PgmqQueue, database: ClonedDatabase
) -> None:
    failed, waiting = probe.send({"x": 1}), probe.send({"x": 1})
    probe.finish(read_one(probe), Outcome.FAILED, reason=Reason.PERMANENT_ERROR, error=ERROR)
    upgrade_pgmq(database.url, "1.5")
    assert discard(QUEUE, [failed, waiting], actor=SOMEBODY).changed == 2
    for msg_id in (failed, waiting):
        row = columns(f"a_{QUEUE}", msg_id)
        assert (row["message"], row["headers"]["bridge"]["outcome"]) == ({"x": 1}, "failed")
        assert row["headers"]["bridge"]["discarded_at"]


def test_what_is_hastened_right_after_the_upgrade_is_due_by_the_new_column(
    probe: PgmqQueue, database: ClonedDatabase
) -> None:
    msg_id = probe.send({"x": 1})
    probe.retry(claim(probe, read_one(probe)).token, delay=600, error=ERROR)
    upgrade_pgmq(database.url, "1.5")
    assert retry_now(QUEUE, [msg_id], actor=SOMEBODY).changed == 1
    assert columns(f"q_{QUEUE}", msg_id)["message"] == {"x": 1}
    assert probe.counts().ready == 1


def test_a_failing_message_ends_after_its_attempts_whatever_is_upgraded_in_between(
    probe: PgmqQueue, database: ClonedDatabase, read_one: Read, run_delivery: Run
) -> None:
    msg_id = probe.send({"fail_first": 99})
    for attempt in range(1, 6):
        with pytest.raises(Retry):
            run_delivery(read_one())
        if attempt in (2, 4):
            upgrade_pgmq(database.url, "1.5" if attempt == 2 else "1.13")
    with pytest.raises(RuntimeError, match="attempt 6"):
        run_delivery(read_one())
    history = archived(probe, msg_id)
    assert (history["reason"], history["attempts"]) == ("retries_exhausted", 6)


def test_a_message_that_is_running_while_pgmq_is_upgraded_gets_its_outcome(
    probe: PgmqQueue, database: ClonedDatabase, read_one: Read, run_delivery: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    msg_id = probe.send({"seconds": 0})
    monkeypatch.setattr("sandbox.probe.tasks.time.sleep", lambda seconds: upgrade_pgmq(database.url, "1.5"))
    run_delivery(read_one())
    assert archived(probe, msg_id)["outcome"] == "succeeded"
    assert columns(f"a_{QUEUE}", msg_id)["headers"]["bridge"]["outcome"] == "succeeded"


def test_a_column_that_only_one_of_the_tables_has_is_not_written_to(probe: PgmqQueue) -> None:
    msg_id = probe.send({"x": 1})
    held = claim(probe, read_one(probe))
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE pgmq.q_{QUEUE} ADD COLUMN headers jsonb")
    assert probe.finish(held, Outcome.SUCCEEDED)
    assert archived(probe, msg_id)["attempts"] == 1


def test_a_column_that_pgmq_does_not_carry_to_the_archive_yet_is_not_written_to(probe: PgmqQueue) -> None:
    msg_id = probe.send({"x": 1})
    held = claim(probe, read_one(probe))
    with connection.cursor() as cursor:
        for table in ("q", "a"):
            cursor.execute(f"ALTER TABLE pgmq.{table}_{QUEUE} ADD COLUMN headers jsonb")
    assert probe.finish(held, Outcome.SUCCEEDED)
    assert archived(probe, msg_id)["attempts"] == 1


def test_a_column_that_vanishes_is_noticed_as_well(probe: PgmqQueue, database: ClonedDatabase) -> None:
    upgrade_pgmq(database.url, "1.5")
    msg_id = probe.send({"x": 1})
    held = claim(probe, read_one(probe))
    assert probe.has_headers
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE pgmq.q_{QUEUE} DROP COLUMN headers")
    assert probe.read(limit=1, lease=1) == []
    assert probe.retry(held.token, delay=0, error=ERROR)
    assert columns(f"q_{QUEUE}", msg_id)["message"]["_bridge"]["last_error"]["type"] == "TimeoutError"


def test_what_carries_more_progress_is_believed(probe: PgmqQueue, database: ClonedDatabase) -> None:
    upgrade_pgmq(database.url, "1.5")
    for within, above in ((3, 1), (1, 3)):
        probe.send({"x": 1, "_bridge": {"attempts": within}}, headers={"bridge": {"attempts": above}, "mine": 1})
        message = read_one(probe)
        assert (message.history.attempts, message.body) == (3, {"x": 1})
        probe.finish(message, Outcome.SUCCEEDED)
        row = columns(f"a_{QUEUE}", message.msg_id)
        assert (row["message"], row["headers"]["mine"]) == ({"x": 1}, 1)
        assert row["headers"]["bridge"]["attempts"] == 3


def test_each_state_is_counted_before_and_after(probe: PgmqQueue, database: ClonedDatabase) -> None:
    for n in range(4):
        probe.send({"n": n})
    _in_line, running, retrying = probe.read(limit=3, lease=60)
    claim(probe, running)
    probe.retry(claim(probe, retrying).token, delay=60, error=ERROR)
    before = probe.counts()
    upgrade_pgmq(database.url, "1.5")
    after = probe.counts()
    assert (before.ready, before.in_line, before.running, before.retrying) == (1, 1, 1, 1)
    assert (after.ready, after.in_line, after.running, after.retrying) == (1, 1, 1, 1)


def test_the_wakeup_survives(probe: PgmqQueue, database: ClonedDatabase) -> None:
    assert not install(QUEUE, Method.TRIGGER).problem
    upgrade_pgmq(database.url, "1.5")
    upgrade_pgmq(database.url, "1.13")
    assert installed_method(QUEUE) is Method.TRIGGER
