"""Celery computes the waits; these tests hold it, and what we configure, to the promised ones."""

import pytest
from celery.utils.time import get_exponential_backoff_interval

from bridge.worker.task import QueueTask


def wait_after(attempt: int) -> int:
    return get_exponential_backoff_interval(
        factor=int(QueueTask.retry_backoff),
        retries=attempt - 1,
        maximum=QueueTask.retry_backoff_max,
        full_jitter=QueueTask.retry_jitter,
    )


def test_the_waits_double_from_one_second_to_a_minute() -> None:
    assert [wait_after(attempt) for attempt in range(1, 10)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.parametrize("attempt", [1, 5, 50])
def test_the_waits_are_never_blurred(attempt: int) -> None:
    assert len({wait_after(attempt) for _ in range(20)}) == 1
