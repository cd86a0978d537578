"""The roll-up: what it adds up equals a full count, whatever happens meanwhile, on each version of pgmq."""

import pytest

from bridge.message import Outcome, Reason
from bridge.models import FailedMessage, RolledHour, RolledTotal
from bridge.pgmq import PgmqQueue, pgmq_queue
from bridge.rollup.failures import Wanted, count_failures, failure_groups, open_failures
from bridge.rollup.passing import roll_up_all
from bridge.rollup.reading import day, ever
from tests.integration.bridge.deliveries import ERROR, claim, read_one
from tests.support.databases import ClonedDatabase

QUEUE = "email_queue"


@pytest.fixture
def queue(database: ClonedDatabase) -> PgmqQueue:
    return pgmq_queue(QUEUE)


def end(queue: PgmqQueue, outcome: Outcome = Outcome.SUCCEEDED, reason: Reason | None = None) -> int:
    queue.send({"x": 1})
    claimed = claim(queue, read_one(queue))
    assert queue.finish(claimed, outcome, reason=reason, error=ERROR if reason else None)
    return claimed.msg_id


@pytest.mark.every_pgmq
def test_what_ended_is_shown_before_it_is_rolled_up_and_after(queue: PgmqQueue) -> None:
    end(queue)
    end(queue)
    end(queue, Outcome.FAILED, Reason.PERMANENT_ERROR)
    end(queue, Outcome.FAILED, Reason.REFUSED)
    before = day(QUEUE)
    assert (before.succeeded, before.failed, before.refused, before.ended) == (2, 2, 1, 4)
    assert roll_up_all() == 4
    assert roll_up_all() == 0
    assert day(QUEUE) == before
    assert before.running.p95 is not None
    assert [(one.outcome, one.reason, one.count, one.attempts) for one in ever(QUEUE)] == [
        ("failed", "permanent_error", 1, 1),
        ("failed", "refused", 1, 1),
        ("succeeded", "", 2, 2),
    ]
    assert sum(hour.count for hour in RolledHour.objects.all()) == 4
    assert sum(total.count for total in RolledTotal.objects.all()) == 4
    failed = FailedMessage.objects.order_by("msg_id").first()
    assert failed is not None
    assert (failed.reason, failed.error_type, failed.pattern, failed.attempts) == (
        *("permanent_error", "TimeoutError", "no answer", 1),
    )


@pytest.mark.every_pgmq
def test_open_failures_are_found_before_they_are_rolled_up_and_after(queue: PgmqQueue) -> None:
    first = end(queue, Outcome.FAILED, Reason.PERMANENT_ERROR)
    second = end(queue, Outcome.FAILED, Reason.WORKER_LOST)
    end(queue, Outcome.FAILED, Reason.REFUSED)
    before = open_failures(QUEUE), failure_groups(QUEUE), count_failures(QUEUE)
    assert [failure.msg_id for failure in before[0]] == [second, first]
    assert [(group.reason, group.count, group.example) for group in before[1]] == [
        ("worker_lost", 1, second),
        ("permanent_error", 1, first),
    ]
    assert before[2] == 2
    roll_up_all()
    assert (open_failures(QUEUE), failure_groups(QUEUE), count_failures(QUEUE)) == before
    assert [failure.msg_id for failure in open_failures(QUEUE, before=second)] == [first]
    assert count_failures(QUEUE, Wanted(reason=Reason.REFUSED)) == 1
    assert count_failures(QUEUE, Wanted(pattern="no answer", ids=[first])) == 1
