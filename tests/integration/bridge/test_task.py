"""A delivery in the worker's child: what it leaves on the message, whatever the handler does."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from celery import current_app
from celery.exceptions import Ignore, Retry
from django.db import IntegrityError, OperationalError, connection

from bridge import outcome
from bridge.errors import DuplicateMessage, InvalidMessage, NotYet, PermanentError, Refused
from bridge.message import Delivery, LastError, Message, Reason
from bridge.pgmq import PgmqQueue
from bridge.queues import Queue, registry
from bridge.trace import current_trace_id
from sandbox.probe import tasks as probe_tasks
from sandbox.probe.models import ProbeRun
from tests.integration.bridge.conftest import archived
from tests.support.deliveries import TRACE_ID

Read = Callable[[], Delivery]
Run = Callable[[Delivery], None]


def handler_that(monkeypatch: pytest.MonkeyPatch, act: Callable[[Message], Any]) -> None:
    """Let the probe do something that no message can ask for."""
    task: Any = current_app.tasks["probe.run"]

    def run(message: Message) -> None:
        record = act(message)
        task._write(lambda: outcome.succeed(task.spec, message, record))

    monkeypatch.setattr(task, "_orig_run", run)


def test_work_that_succeeds_is_archived_as_succeeded_with_its_rows(
    probe: PgmqQueue, read_one: Read, run_delivery: Run
) -> None:
    msg_id = probe.send({"note": True})
    run_delivery(read_one())
    assert archived(probe, msg_id)["outcome"] == "succeeded"
    run = ProbeRun.objects.get()
    assert (run.msg_id, run.attempt, run.recorded) == (msg_id, 1, True)


def test_an_error_hides_the_message_and_reports_a_retry(probe: PgmqQueue, read_one: Read, run_delivery: Run) -> None:
    msg_id = probe.send({"fail_first": 1})
    with pytest.raises(Retry) as caught:
        run_delivery(read_one())
    assert caught.value.when == 1
    assert probe.is_queued(msg_id)
    due = probe.next_due()
    assert due is not None
    assert 0 < due <= 1
    again = read_one()
    assert again.history.attempts == 1
    assert again.history.last_error == LastError("RuntimeError", "attempt 1 was told to fail")
    run_delivery(again)
    assert archived(probe, msg_id)["attempts"] == 2


def not_yet(message: Message) -> None:
    raise NotYet("others go first", seconds=7)


@pytest.mark.parametrize("pgmq_version", ["1.13", "1.4"], indirect=True)
def test_a_message_whose_turn_comes_later_is_hidden_and_no_attempt_is_counted(
    probe: PgmqQueue, read_one: Read, run_delivery: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    msg_id = probe.send({"note": True})
    with monkeypatch.context() as patched:
        handler_that(patched, not_yet)
        for _ in range(10):
            with pytest.raises(Ignore, match="others go first"):
                run_delivery(read_one())
            due = probe.next_due()
            assert due is not None
            assert 6 < due <= 7
    later = read_one()
    assert (later.history.attempts, later.history.last_error, later.kind) == (0, None, "object")
    run_delivery(later)
    assert archived(probe, msg_id)["attempts"] == 1
    assert ProbeRun.objects.get().attempt == 1


def test_the_attempts_before_a_message_was_put_back_stay_counted(
    probe: PgmqQueue, read_one: Read, run_delivery: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    msg_id = probe.send({"fail_first": 1})
    with pytest.raises(Retry):
        run_delivery(read_one())
    with monkeypatch.context() as patched:
        handler_that(patched, not_yet)
        with pytest.raises(Ignore):
            run_delivery(read_one())
    assert read_one().history.attempts == 1
    run_delivery(read_one())
    assert archived(probe, msg_id)["attempts"] == 2


def test_a_message_that_somebody_else_owns_by_now_is_not_put_back(
    probe: PgmqQueue, read_one: Read, run_delivery: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    msg_id = probe.send({})

    def lose(message: Message) -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE pgmq.q_probe_queue SET vt = now() + interval '1 hour'")
        not_yet(message)

    handler_that(monkeypatch, lose)
    with pytest.raises(Ignore, match="belongs to somebody else"):
        run_delivery(read_one())
    due = probe.next_due()
    assert due is not None
    assert due > 3000
    assert probe.is_queued(msg_id)


def test_where_putting_back_is_refused_the_message_comes_again_after_its_lease(
    probe: PgmqQueue, read_one: Read, run_delivery: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    msg_id = probe.send({})

    def refuse(message: Message) -> None:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE pgmq.q_probe_queue ADD CHECK (vt < enqueued_at) NOT VALID")
        not_yet(message)

    handler_that(monkeypatch, refuse)
    with pytest.raises(Ignore, match="others go first"):
        run_delivery(read_one())
    assert probe.is_queued(msg_id)


@pytest.mark.parametrize(("throw", "ends"), [(True, Retry), (False, Ignore)])
def test_a_repeat_is_asked_for_without_an_error_and_without_leaving_as_celery_allows_it(
    probe: PgmqQueue,
    read_one: Read,
    run_delivery: Run,
    monkeypatch: pytest.MonkeyPatch,
    throw: bool,
    ends: type[Exception],
) -> None:
    asked: list[Retry] = []

    def ask(message: Message) -> None:
        asked.append(current_app.tasks["probe.run"].retry(throw=throw, countdown=5))

    handler_that(monkeypatch, ask)
    probe.send({})
    with pytest.raises(ends):
        # Whoever stays does not own the message any more.
        run_delivery(read_one())
    assert [repeat.when for repeat in asked] == ([] if throw else [5])
    assert read_one().history.last_error == LastError("RuntimeError", "the handler asked for a repeat")


def test_the_waits_are_those_of_the_contract_and_the_end_is_failed(
    probe: PgmqQueue, read_one: Read, run_delivery: Run
) -> None:
    msg_id = probe.send({"fail_first": 99})
    waits = []
    for _ in range(5):
        with pytest.raises(Retry) as caught:
            run_delivery(read_one())
        waits.append(caught.value.when)
    with pytest.raises(RuntimeError, match="attempt 6"):
        run_delivery(read_one())
    assert waits == [1, 2, 4, 8, 16]
    history = archived(probe, msg_id)
    assert (history["outcome"], history["reason"], history["attempts"]) == ("failed", "retries_exhausted", 6)
    assert history["last_error"]["message"] == "attempt 6 was told to fail"


def test_a_permanent_error_is_not_repeated(probe: PgmqQueue, read_one: Read, run_delivery: Run) -> None:
    msg_id = probe.send({"permanent": True})
    with pytest.raises(PermanentError):
        run_delivery(read_one())
    history = archived(probe, msg_id)
    assert (history["reason"], history["attempts"]) == ("permanent_error", 1)


def test_an_unusable_message_has_a_reason_of_its_own(
    probe: PgmqQueue, read_one: Read, run_delivery: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(message: Message) -> None:
        raise InvalidMessage("the key 'to' is missing")

    handler_that(monkeypatch, refuse)
    msg_id = probe.send({})
    with pytest.raises(InvalidMessage):
        run_delivery(read_one())
    history = archived(probe, msg_id)
    assert history["reason"] == "invalid_message"
    assert history["last_error"]["message"] == "the key 'to' is missing"


def test_what_our_rules_forbid_has_a_reason_of_its_own_and_is_not_repeated(
    probe: PgmqQueue, read_one: Read, run_delivery: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(message: Message) -> None:
        raise Refused("the address is no customer's")

    handler_that(monkeypatch, refuse)
    msg_id = probe.send({})
    with pytest.raises(Refused):
        run_delivery(read_one())
    history = archived(probe, msg_id)
    assert (history["outcome"], history["reason"], history["attempts"]) == ("failed", "refused", 1)
    assert history["last_error"] == {"type": "Refused", "message": "the address is no customer's"}


def test_a_body_that_python_cannot_hold_is_an_unusable_message(
    probe: PgmqQueue, read_one: Read, run_delivery: Run
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.send('probe_queue', %s::jsonb)", ['{"a":' * 3000 + "1" + "}" * 3000])
    delivery = read_one()
    with pytest.raises(InvalidMessage, match="cannot be read"):
        run_delivery(delivery)
    assert archived(probe, delivery.msg_id)["reason"] == "invalid_message"


def test_a_duplicate_is_archived_with_a_link_to_the_original(
    probe: PgmqQueue, read_one: Read, run_delivery: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(message: Message) -> None:
        raise DuplicateMessage("this reminder was sent", original=41)

    handler_that(monkeypatch, refuse)
    msg_id = probe.send({})
    run_delivery(read_one())
    history = archived(probe, msg_id)
    assert (history["outcome"], history["original"]) == ("duplicate", 41)


def test_a_second_copy_of_a_task_is_ignored(probe: PgmqQueue, read_one: Read, run_delivery: Run) -> None:
    probe.send({"note": True})
    message = read_one()
    run_delivery(message)
    with pytest.raises(Ignore):
        run_delivery(message)
    assert ProbeRun.objects.count() == 1


def test_a_task_for_another_queue_is_refused_before_it_claims_anything(probe: PgmqQueue) -> None:
    task = current_app.tasks["probe.run"]
    with pytest.raises(Ignore, match="handles probe_queue, not email_queue"):
        task("email_queue", 1, datetime.now(UTC).isoformat(), "trace")


def test_the_trace_id_is_current_while_the_handler_runs(
    probe: PgmqQueue, read_one: Read, run_delivery: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    handler_that(monkeypatch, lambda message: seen.append(current_trace_id()))
    probe.send({})
    run_delivery(read_one())
    assert seen == [TRACE_ID]
    assert current_trace_id() == ""


def test_rows_that_cannot_be_written_undo_the_success_and_the_work_is_repeated(
    probe: PgmqQueue, read_one: Read, run_delivery: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def record() -> None:
        raise IntegrityError("a row of mine is in the way")

    handler_that(monkeypatch, lambda message: record)
    msg_id = probe.send({})
    with pytest.raises(Retry):
        run_delivery(read_one())
    assert probe.is_queued(msg_id)
    assert probe.archived_history(msg_id) is None


def test_a_row_that_postgres_refuses_is_a_reason_to_repeat_and_no_outage_to_wait_for(
    probe: PgmqQueue, read_one: Read, run_delivery: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []

    def record() -> None:
        written.append(1)
        with connection.cursor() as cursor:
            cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'a trigger of mine is in the way'; END $$")

    handler_that(monkeypatch, lambda message: record)
    monkeypatch.setattr(outcome, "_PAUSES", (0.0,))
    probe.send({})
    with pytest.raises(Retry):
        run_delivery(read_one())
    assert written == [1]
    error = read_one().history.last_error
    assert error is not None
    assert error.message.startswith("a trigger of mine is in the way")


def test_an_attempt_that_lost_its_lease_leaves_nothing_behind(
    probe: PgmqQueue, read_one: Read, run_delivery: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(message: Message) -> Callable[[], None]:
        read_one()  # The lease ran out and somebody else has the message.
        return record

    def record() -> None:
        ProbeRun.objects.create(msg_id=1, attempt=1, pid=1, started_at=datetime.now(UTC), recorded=True)

    handler_that(monkeypatch, overtaken)
    msg_id = probe.send({})
    with pytest.raises(Ignore):
        run_delivery(read_one())
    assert probe.is_queued(msg_id)
    assert not ProbeRun.objects.exists()


@pytest.mark.parametrize("breaks", [1, 3])
def test_an_outcome_is_written_when_postgres_is_back(
    probe: PgmqQueue, read_one: Read, run_delivery: Run, monkeypatch: pytest.MonkeyPatch, breaks: int
) -> None:
    left = [breaks]
    runs: list[ProbeRun] = []
    succeed = outcome.succeed

    def breaking(*args: Any) -> None:
        if left[0]:
            left[0] -= 1
            connection.close()
            raise OperationalError("server closed the connection unexpectedly")
        succeed(*args)

    monkeypatch.setattr(outcome, "succeed", breaking)
    monkeypatch.setattr(outcome, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=lambda seconds: None))
    monkeypatch.setattr(probe_tasks, "_record", runs.append)
    msg_id = probe.send({"note": True})
    run_delivery(read_one())
    assert archived(probe, msg_id)["outcome"] == "succeeded"
    assert len(runs) == 1


class ClumsyJournal:
    def retry_scheduled(self, message: Message, error: LastError, next_retry_at: datetime) -> None:
        raise ValueError("a mistake of the journal")

    def failed(self, message: Message, reason: Reason, error: LastError) -> None:
        raise IntegrityError("a row of mine is in the way")

    def discarded(self, queue: str, sent_at: object) -> None:
        raise NotImplementedError


@pytest.mark.parametrize(("body", "expected"), [({"fail_first": 1}, Retry), ({"permanent": True}, PermanentError)])
def test_a_journal_that_fails_does_not_keep_a_message_from_its_outcome(
    probe: PgmqQueue,
    read_one: Read,
    run_delivery: Run,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    body: dict[str, object],
    expected: type[Exception],
) -> None:
    spec = registry.get("probe_queue")
    clumsy = Queue(spec.name, spec.task, spec.celery_queue, spec.max_retries, spec.time_limit, ClumsyJournal())
    monkeypatch.setitem(registry._queues, "probe_queue", clumsy)
    msg_id = probe.send(body)
    with pytest.raises(expected):
        run_delivery(read_one())
    assert "the journal could not note the outcome" in caplog.text
    history = probe.archived_history(msg_id) or {}
    assert probe.is_queued(msg_id) is (expected is Retry)
    assert history.get("reason") == (None if expected is Retry else "permanent_error")


def test_an_error_text_is_bounded_and_printable() -> None:
    described = outcome.describe_error(ValueError("a\x00b\nc" + "x" * 5000))
    assert described.message.startswith("a b c")
    assert len(described.message) == outcome.MOST_ERROR_CHARACTERS
    assert outcome.describe_error(ValueError()).message == "no message"
