"""Failed messages get another chance, once each."""

import json

import psycopg2
import pytest
from django.db import connection, transaction

from bridge.message import LastError, Message, Outcome, Reason
from bridge.operations.codes import Code
from bridge.operations.driving import Changed
from bridge.operations.requeue import requeue, requeue_matching
from bridge.pgmq import PgmqQueue, QueueMissing
from bridge.sql.wanted import Wanted
from tests.integration.bridge.conftest import archived
from tests.support.databases import ClonedDatabase
from tests.support.requeueing import SOMEBODY, put_all_back, put_back

pytestmark = pytest.mark.every_pgmq

QUEUE = "probe_queue"


def fail_one(probe: PgmqQueue, body: object, *, reason: Reason = Reason.PERMANENT_ERROR) -> int:
    msg_id = probe.send(body)
    probe.finish(read(probe), Outcome.FAILED, reason=reason, error=LastError("X", "y"))
    return msg_id


def read(probe: PgmqQueue) -> Message:
    (delivery,) = probe.read(limit=1, lease=60)
    message = probe.load(delivery.token)
    assert message is not None
    return message


def test_a_failed_message_comes_back_as_a_new_one_with_the_same_body_and_a_link(probe: PgmqQueue) -> None:
    fail_one(probe, {"n": 0})
    old = fail_one(probe, {"to": "a@example.ru", "n": 1})
    fail_one(probe, {"n": 2})
    new = put_back(QUEUE, old)
    assert probe.counts().total == 1
    message = read(probe)
    assert message.msg_id == new != old
    assert message.body == {"to": "a@example.ru", "n": 1}
    assert message.history.requeued_from == old
    assert message.history.attempts == 0
    assert archived(probe, old)["requeued_as"] == new


def test_a_failed_message_that_somebody_puts_back_is_locked_until_that_is_done(
    probe: PgmqQueue, database: ClonedDatabase
) -> None:
    old = fail_one(probe, {})
    with psycopg2.connect(database.url) as other, other.cursor() as cursor:
        with transaction.atomic():
            assert put_back(QUEUE, old)
            with pytest.raises(psycopg2.errors.LockNotAvailable):
                cursor.execute(f"SELECT FROM pgmq.a_{QUEUE} FOR UPDATE NOWAIT")
        other.rollback()
    other.close()


def test_the_link_stays_on_the_message_until_its_end(probe: PgmqQueue) -> None:
    old = fail_one(probe, {})
    new = put_back(QUEUE, old)
    message = read(probe)
    claimed = probe.claim(message.token, lease=60, attempts=1, trace_id="t")
    assert claimed is not None
    probe.finish(claimed, Outcome.SUCCEEDED)
    assert archived(probe, new)["requeued_from"] == old


def test_the_senders_headers_go_along(probe: PgmqQueue) -> None:
    if not probe.has_headers:
        return
    probe.send({}, headers={"x-tenant": "a"})
    message = read(probe)
    probe.finish(message, Outcome.FAILED, reason=Reason.PERMANENT_ERROR, error=LastError("X", "y"))
    put_back(QUEUE, message.msg_id)
    again = read(probe)
    probe.finish(again, Outcome.SUCCEEDED)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT headers - 'bridge' FROM pgmq.a_{QUEUE} WHERE msg_id = %s", [again.msg_id])
        assert json.loads(cursor.fetchone()[0]) == {"x-tenant": "a"}


def test_a_message_is_put_back_once_however_often_it_is_asked_for(probe: PgmqQueue) -> None:
    old = fail_one(probe, {})
    new = put_back(QUEUE, old)
    done = requeue(QUEUE, [old, old], actor=SOMEBODY)
    assert (done.changed, done.skipped) == (0, {"requeued_before": 1})
    assert done.refusals[0].values == {"requeued_as": str(new)}
    assert probe.counts().total == 1


def test_only_messages_that_failed_for_good_can_be_put_back(probe: PgmqQueue) -> None:
    done = probe.send({})
    probe.finish(read(probe), Outcome.SUCCEEDED)
    by_hand = probe.send({})
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.archive(%s, %s)", [QUEUE, by_hand])
    waiting, good = probe.send({}), fail_one(probe, {})
    refused = requeue(QUEUE, [waiting, done, by_hand, 999, good], actor=SOMEBODY)
    assert {one.msg_id: (one.code, one.values.get("outcome")) for one in refused.refusals} == {
        good: (Code.STILL_QUEUED, None),
        done: (Code.DID_NOT_FAIL, "succeeded"),
        by_hand: (Code.DID_NOT_FAIL, ""),
        999: (Code.NO_SUCH_MESSAGE, None),
    }
    # The oldest was read first.
    assert [old for old, _ in refused.pairs] == [waiting]
    with pytest.raises(QueueMissing):
        requeue("no_such_queue", [1], actor=SOMEBODY)


@pytest.mark.parametrize("body", [[1, 2], "text", None])
def test_a_body_that_is_no_object_comes_back_as_it_was(probe: PgmqQueue, body: object) -> None:
    put_back(QUEUE, fail_one(probe, body))
    assert read(probe).body == body


def test_all_failed_messages_are_put_back_oldest_first_and_only_those(probe: PgmqQueue) -> None:
    failed = [fail_one(probe, {"n": n}) for n in range(3)]
    lost = fail_one(probe, {}, reason=Reason.WORKER_LOST)
    probe.send({})
    probe.finish(read(probe), Outcome.SUCCEEDED)
    done = requeue_matching(QUEUE, Wanted(reason=Reason.PERMANENT_ERROR), actor=SOMEBODY)
    assert [old for old, _ in done.pairs] == failed
    assert [new for _, new in done.pairs] == sorted(new for _, new in done.pairs)
    assert put_all_back(QUEUE, most=5) == 1
    assert archived(probe, lost)["requeued_as"]
    assert put_all_back(QUEUE) == 0


def test_the_number_put_back_can_be_bounded(probe: PgmqQueue) -> None:
    for n in range(3):
        fail_one(probe, {"n": n})
    assert put_all_back(QUEUE, most=2) == 2
    assert len(probe.failed()) == 1


def test_what_fails_again_meanwhile_is_left_alone(probe: PgmqQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.operations.driving.BATCH", 2)
    monkeypatch.setattr("bridge.operations.failures.PAGE", 2)
    for _ in range(5):
        fail_one(probe, [1])

    def fail_again(done: Changed) -> None:
        for delivery in probe.read(limit=9, lease=60):
            probe.finish(delivery, Outcome.FAILED, reason=Reason.INVALID_MESSAGE, error=LastError("X", "y"))

    assert requeue_matching(QUEUE, Wanted(), actor=SOMEBODY, tell=fail_again).changed == 5
    assert len(probe.failed()) == 5


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"a": ' + "[" * 3000 + "]" * 3000 + "}", id="nested deeper than Python reads"),
        pytest.param('{"a": ' + "9" * 5000 + "}", id="more digits than Python reads"),
        pytest.param('{"a": ' + "9" * 400 + ".5}", id="infinite as a float"),
        pytest.param('{"a": 0.1000000000000000055511151231257827}', id="more decimals than a float holds"),
        pytest.param('["no object"]', id="no object"),
        pytest.param("null", id="null"),
    ],
)
def test_a_body_comes_back_as_it_was_whatever_python_makes_of_it(probe: PgmqQueue, text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.send(%s, %s::jsonb)", [QUEUE, text])
        (old,) = cursor.fetchone()
    probe.finish(read(probe), Outcome.FAILED, reason=Reason.INVALID_MESSAGE, error=LastError("X", "y"))
    new = put_back(QUEUE, old)
    with connection.cursor() as cursor:
        body = "message" if probe.has_headers or not text.startswith("{") else "message - '_bridge'"
        cursor.execute(f"SELECT {body} = %s::jsonb FROM pgmq.q_{QUEUE} WHERE msg_id = %s", [text, new])
        assert cursor.fetchone() == (True,)
