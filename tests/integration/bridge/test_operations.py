"""What operators do to messages: each act once, with what it left alone and why, and a row that says who did it."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from bridge.message import LastError, Message, Outcome, Reason
from bridge.models import FailedMessage, KeptOutcome, OperatorAction
from bridge.operations.actor import Actor, Kind
from bridge.operations.codes import Acted, Code
from bridge.operations.discard import Discard, discard, discard_matching
from bridge.operations.driving import rehearse
from bridge.operations.failures import count, open_ids
from bridge.operations.requeue import Requeue, requeue, requeue_matching
from bridge.operations.retry import Retry, retry_now, retry_waiting
from bridge.pgmq import PgmqQueue, QueueMissing
from bridge.queues import NoJournal, registry
from bridge.rollup.failures import count_failures
from bridge.rollup.passing import roll_up_all
from bridge.sql.wanted import Wanted
from notifications.models import EmailMessage
from notifications.unsettled import open_failures
from tests.integration.bridge.conftest import archived
from tests.integration.bridge.deliveries import ERROR, claim, read_one
from tests.support.email_deliveries import email_queue

QUEUE = "probe_queue"
ANNA = Actor(Kind.STAFF, "anna")


def fail(
    probe: PgmqQueue, count: int = 1, *, reason: Reason = Reason.WORKER_LOST, error: LastError = ERROR
) -> list[int]:
    ids = []
    for n in range(count):
        ids.append(probe.send({"n": n}))
        probe.finish(read_one(probe), Outcome.FAILED, reason=reason, error=error)
    return ids


def wait_for_repeat(probe: PgmqQueue, error: LastError = ERROR) -> int:
    msg_id = probe.send({})
    assert probe.retry(claim(probe, read_one(probe)).token, delay=600, error=error)
    return msg_id


def codes(done: Acted) -> dict[int, Code]:
    return {one.msg_id: one.code for one in done.refusals}


def row_of(done: Acted) -> OperatorAction:
    assert done.action_id is not None
    return OperatorAction.objects.get(pk=done.action_id)


def standing(probe: PgmqQueue) -> tuple[object, ...]:
    counts = replace(probe.counts(), oldest_seconds=None)
    return counts, count_failures(QUEUE), OperatorAction.objects.count()


def in_every_state(probe: PgmqQueue) -> dict[str, int]:
    """A message in each state that there is, by the name of the state."""
    states = {"retrying": wait_for_repeat(probe)}
    states["running"] = probe.send({})
    claim(probe, read_one(probe))
    states["in_line"] = probe.send({})
    read_one(probe)
    states["delayed"] = probe.send({}, delay=600)
    (states["failed"],) = fail(probe)
    states["succeeded"] = probe.send({})
    assert probe.finish(read_one(probe), Outcome.SUCCEEDED)
    (states["put back"],) = fail(probe)
    requeue(QUEUE, [states["put back"]], actor=ANNA)
    probe.finish(read_one(probe), Outcome.SUCCEEDED)
    (states["discarded"],) = fail(probe)
    discard(QUEUE, [states["discarded"]], actor=ANNA)
    states["ready"] = probe.send({})
    states["nowhere"] = 999
    return states


ENDED = {"failed", "succeeded", "put back", "discarded"}


@pytest.mark.every_pgmq
def test_each_act_does_what_it_can_and_says_why_not_of_the_rest(probe: PgmqQueue) -> None:
    states = in_every_state(probe)
    names = {msg_id: name for name, msg_id in states.items()}
    queued = {"retrying", "running", "in_line", "delayed", "ready"}
    not_put_back = dict.fromkeys(queued, Code.STILL_QUEUED) | {
        "succeeded": Code.DID_NOT_FAIL,
        "put back": Code.REQUEUED_BEFORE,
        "discarded": Code.DISCARDED_BEFORE,
        "nowhere": Code.NO_SUCH_MESSAGE,
    }
    not_hastened = dict.fromkeys(ENDED, Code.ENDED) | {
        "running": Code.RUNNING,
        "in_line": Code.IN_LINE,
        "delayed": Code.DELAYED,
        "ready": Code.DUE_ALREADY,
        "nowhere": Code.NO_SUCH_MESSAGE,
    }
    not_discarded = {
        "running": Code.RUNNING,
        "succeeded": Code.DID_NOT_FAIL,
        "put back": Code.REQUEUED_BEFORE,
        "discarded": Code.DISCARDED_BEFORE,
        "nowhere": Code.NO_SUCH_MESSAGE,
    }
    for work, expected in (
        (Requeue(QUEUE), not_put_back),
        (Retry(QUEUE), not_hastened),
        (Discard(QUEUE), not_discarded),
    ):
        before = standing(probe)
        told = rehearse(work, states.values())
        assert {names[msg_id]: code for msg_id, code in codes(told).items()} == expected
        assert told.changed == len(states) - len(expected)
        assert standing(probe) == before
    # What was rehearsed comes true.
    done = retry_now(QUEUE, states.values(), actor=ANNA)
    assert (done.changed, codes(done)) == (1, {states[name]: code for name, code in not_hastened.items()})
    done = discard(QUEUE, states.values(), actor=ANNA)
    assert (done.changed, codes(done)) == (5, {states[name]: code for name, code in not_discarded.items()})
    assert (probe.counts().total, probe.counts().running) == (1, 1)


@pytest.mark.every_pgmq
def test_an_act_leaves_a_row_that_says_who_did_what_and_why(probe: PgmqQueue) -> None:
    failed = fail(probe, 2)
    done = requeue(QUEUE, [*failed, 999], actor=ANNA, reason="the host is back")
    row = row_of(done)
    assert (row.actor, row.action, row.queue, row.msg_id, row.reason) == (
        *("anna", "requeue", QUEUE, None, "the host is back"),
    )
    assert (row.count, row.skipped, row.filters) == (2, {"no_such_message": 1}, {"ids": [*failed, 999]})
    assert (row.state, bool(row.finished_at)) == ("done", True)
    # What it was done to names it.
    assert archived(probe, failed[0])["acted_by"] == row.pk
    one = row_of(discard(QUEUE, fail(probe), actor=ANNA))
    assert (one.action, one.msg_id, one.count, one.filters) == ("discard", failed[-1] + 3, 1, {})


def test_an_act_that_fails_as_a_whole_leaves_no_row(probe: PgmqQueue) -> None:
    with pytest.raises(QueueMissing):
        requeue("no_such_queue", [1], actor=ANNA)
    with pytest.raises(QueueMissing):
        requeue_matching("no_such_queue", Wanted(), actor=ANNA)
    assert not OperatorAction.objects.exists()


def test_no_address_that_somebody_looked_for_is_kept(probe: PgmqQueue) -> None:
    fail(probe, error=LastError("Refused", "550 anna@example.org is unknown"))
    done = requeue_matching(QUEUE, Wanted(text="Anna@example.org"), actor=ANNA)
    assert done.changed == 1
    assert row_of(done).filters["text"] == "<address>"


FAILURES = {
    "lost": (Reason.WORKER_LOST, LastError("WorkerLost", "it died in attempt 6")),
    "lost too": (Reason.WORKER_LOST, LastError("WorkerLost", "it died in attempt 17")),
    "hopeless": (Reason.PERMANENT_ERROR, LastError("PermanentError", "no such template")),
    "invalid": (Reason.INVALID_MESSAGE, LastError("InvalidMessage", "it is no object")),
    "refused": (Reason.REFUSED, LastError("Refused", "Чужой адрес")),
}


# What is asked for, and who is meant; with `ids`, all of them are named.
ASKED: list[tuple[dict[str, Any], set[str]]] = [
    ({}, {"lost", "lost too", "hopeless", "invalid"}),
    ({"reason": "worker_lost"}, {"lost", "lost too"}),
    ({"reason": "refused"}, {"refused"}),
    ({"error_type": "PermanentError"}, {"hopeless"}),
    ({"pattern": "it died in attempt <n>"}, {"lost", "lost too"}),
    ({"text": "WORKERLOST: it"}, {"lost", "lost too"}),
    ({"text": "ЧУЖОЙ", "reason": "refused"}, {"refused"}),
    ({"only_hopeful": True}, {"lost", "lost too"}),
    ({"ids": "all"}, {*FAILURES}),
    ({"ids": "all", "reason": "worker_lost", "text": "17"}, {"lost too"}),
    ({"trace_id": "no such"}, set()),
]


@pytest.mark.parametrize("source", ["roll-up", "rest", "archive"])
def test_all_that_match_are_found_and_no_others_wherever_they_are_looked_for(
    probe: PgmqQueue, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    ids = {name: fail(probe, reason=reason, error=error)[0] for name, (reason, error) in FAILURES.items()}
    names = {msg_id: name for name, msg_id in ids.items()}
    if source == "roll-up":
        roll_up_all()
    if source == "archive":
        # The roll-up lags behind, and somebody else is at it.
        monkeypatch.setattr("bridge.operations.failures.MOST_OF_THE_REST", 1)
        monkeypatch.setattr("bridge.operations.failures.roll_up", lambda *_, **__: 0)
    for asked, expected in ASKED:
        wanted = Wanted(**{**asked, "ids": list(names)} if "ids" in asked else asked)
        found = [*open_ids(QUEUE, wanted)]
        assert ({names[msg_id] for msg_id in found}, found) == (expected, sorted(found)), asked
        assert count(QUEUE, wanted) == len(expected)
        # It is written down, and asks the same when somebody goes on with it.
        assert [*open_ids(QUEUE, Wanted.from_json(json.loads(json.dumps(wanted.as_json()))))] == found


def test_the_time_of_the_failure_is_asked_for_on_both_sides(probe: PgmqQueue) -> None:
    fail(probe)
    first = timezone.now()
    (middle,) = fail(probe)
    second = timezone.now()
    fail(probe)
    done = requeue_matching(QUEUE, Wanted(since=first, until=second), actor=ANNA)
    assert [old for old, _ in done.pairs] == [middle]


@pytest.mark.every_pgmq
def test_a_rate_spreads_what_is_put_back(probe: PgmqQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.operations.driving.BATCH", 4)
    fail(probe, 10)
    done = requeue_matching(QUEUE, Wanted(), actor=ANNA, rate=0.1)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT round(extract(epoch FROM vt - now()))::int / 10 FROM pgmq.q_{QUEUE} ORDER BY msg_id")
        delays = [delay for (delay,) in cursor.fetchall()]
    assert delays == [*range(10)]
    assert (done.changed, probe.counts().delayed) == (10, 9)


def test_what_is_hastened_is_read_at_once_and_only_that(probe: PgmqQueue) -> None:
    first = wait_for_repeat(probe)
    second = wait_for_repeat(probe, LastError("SMTPServerDisconnected", "the host is away"))
    done = retry_waiting(QUEUE, Wanted(error_type="SMTPServerDisconnected"), actor=ANNA)
    assert (done.changed, codes(done)) == (1, {})
    (delivery,) = probe.read(limit=9, lease=60)
    assert (delivery.msg_id, delivery.history.attempts) == (second, 1)
    assert delivery.history.last_error == LastError("SMTPServerDisconnected", "the host is away")
    assert retry_waiting(QUEUE, actor=ANNA).changed == 1
    assert [one.msg_id for one in probe.read(limit=9, lease=60)] == [first]


@pytest.mark.every_pgmq
def test_what_is_discarded_never_runs_and_its_claim_finds_nothing(probe: PgmqQueue) -> None:
    msg_id = probe.send({})
    in_line = read_one(probe)
    assert discard(QUEUE, [msg_id], actor=ANNA).changed == 1
    assert probe.claim(in_line.token, lease=60, attempts=1, trace_id="t") is None
    history = archived(probe, msg_id)
    assert (history["outcome"], history["reason"]) == ("failed", "discarded")
    assert history["last_error"]["type"] == "Discarded"
    # It needs nobody, and can be put back by whoever names it and means it.
    assert count_failures(QUEUE) == 0
    assert requeue_matching(QUEUE, Wanted(), actor=ANNA).changed == 0
    assert requeue(QUEUE, [msg_id], actor=ANNA).skipped == {"discarded_before": 1}
    assert requeue(QUEUE, [msg_id], actor=ANNA, even_discarded=True).changed == 1
    assert requeue(QUEUE, [msg_id], actor=ANNA, even_discarded=True).skipped == {"requeued_before": 1}


def test_a_message_whose_work_is_done_is_neither_discarded_nor_hastened(probe: PgmqQueue) -> None:
    """Only its outcome waits to be written."""
    msg_id = wait_for_repeat(probe)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT enqueued_at FROM pgmq.q_{QUEUE}")
        (sent_at,) = cursor.fetchone()
    KeptOutcome.objects.create(queue=QUEUE, msg_id=msg_id, enqueued_at=sent_at, outcome="succeeded", why="refused")
    assert discard(QUEUE, [msg_id], actor=ANNA).skipped == {"work_done": 1}
    assert retry_now(QUEUE, [msg_id], actor=ANNA).skipped == {"work_done": 1}
    assert probe.is_queued(msg_id)


@pytest.mark.parametrize("is_rolled_up", [True, False])
def test_failed_messages_that_are_discarded_leave_every_list(probe: PgmqQueue, is_rolled_up: bool) -> None:
    fail(probe, 3)
    if is_rolled_up:
        roll_up_all()
    done = discard_matching(QUEUE, Wanted(reason="worker_lost"), actor=ANNA)
    assert done.changed == 3
    assert (count_failures(QUEUE), probe.failures(limit=9), probe.failed()) == (0, [], [])
    roll_up_all()
    assert count_failures(QUEUE) == 0
    assert FailedMessage.objects.filter(discarded_at__isnull=False).count() == 3


def test_a_mail_that_is_discarded_needs_nobody(seeded_database: object) -> None:
    """Whether it waits still, or failed before; one of an earlier life of the queue keeps its reason."""
    queue = email_queue()
    waiting, failed = queue.send({"to": "a@example.org"}), queue.send({"to": "b@example.org"})
    old = queue.send({"to": "c@example.org"})
    fail_mail(queue, failed)
    fail_mail(queue, old)
    EmailMessage.objects.filter(msg_id=old).update(enqueued_at=timezone.now() - timedelta(days=1))
    assert open_failures(EmailMessage.objects.all()).count() == 2
    done = discard(queue.name, [waiting, failed, old], actor=ANNA)
    assert done.changed == 3
    rows = {row.msg_id: row for row in EmailMessage.objects.all()}
    assert (rows[waiting].status, rows[waiting].reason, rows[waiting].recipient) == (
        *("failed", "discarded", "a@example.org"),
    )
    assert (rows[failed].reason, rows[failed].error_type) == ("discarded", "TimeoutError")
    assert rows[old].reason == "worker_lost"
    assert [row.msg_id for row in open_failures(EmailMessage.objects.all())] == [old]


def fail_mail(queue: PgmqQueue, msg_id: int) -> None:
    (delivery,) = queue.read(limit=1, lease=60, ids=[msg_id])
    message = queue.load(delivery.token)
    assert message is not None
    with transaction.atomic():
        queue.finish(message, Outcome.FAILED, reason=Reason.WORKER_LOST, error=ERROR)
        registry.get(queue.name).journal.failed(message, Reason.WORKER_LOST, ERROR)


def test_a_journal_that_breaks_keeps_no_message_from_being_discarded(
    probe: PgmqQueue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(NoJournal):
        def failed(self, message: Message, reason: Reason, error: LastError) -> None:
            raise ValueError("a mistake of the journal")

        def discarded(self, queue: str, sent_at: object) -> None:
            raise ValueError("another one")

    monkeypatch.setitem(registry._queues, QUEUE, replace(registry.get(QUEUE), journal=Broken()))
    ids = [*fail(probe), probe.send({})]
    assert discard(QUEUE, ids, actor=ANNA).changed == 2
    assert caplog.text.count("the journal could not note the outcome") == 2
