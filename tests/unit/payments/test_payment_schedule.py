"""When an open payment is looked at again."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.checking.schedule import next_check_after, repeat_check_after
from payments.states import OPEN, ProviderStatus

MINUTE = timedelta(minutes=1)
AGES = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=400))
OPEN_STATUSES = st.sampled_from(sorted(OPEN))


@pytest.mark.parametrize("status", sorted(set(ProviderStatus) - OPEN))
def test_a_finished_payment_is_left_alone_once_refunds_and_receipts_are_through(status: ProviderStatus) -> None:
    assert next_check_after(3, status, unsettled=False, age=10 * MINUTE) is None
    assert next_check_after(3, status, unsettled=True, age=60 * MINUTE) == 10 * MINUTE


def test_an_abandoned_payment_is_asked_for_ever_more_rarely() -> None:
    age, waits = timedelta(0), []
    for checks in range(20):
        wait = next_check_after(checks, ProviderStatus.PENDING, unsettled=False, age=age)
        assert wait is not None
        waits.append(wait)
        age += wait
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (MINUTE, timedelta(hours=6))
    # Within the hour that an unpaid payment lives there are enough looks to end it in time.
    assert sum(waits[:7], timedelta(0)) < timedelta(hours=1)


@given(checks=st.integers(0, 10_000), status=OPEN_STATUSES, age=AGES)
def test_an_open_payment_is_always_asked_for_again(checks: int, status: ProviderStatus, age: timedelta) -> None:
    wait = next_check_after(checks, status, unsettled=False, age=age)
    assert wait is not None
    assert MINUTE <= wait <= timedelta(days=1)


def test_a_browser_that_asks_every_second_does_not_put_the_next_check_off() -> None:
    wait = next_check_after(60, ProviderStatus.PENDING, unsettled=False, age=2 * MINUTE)
    assert wait == MINUTE


def test_a_check_that_stands_in_a_stuck_line_is_queued_again_rarely() -> None:
    assert repeat_check_after(MINUTE) == 5 * MINUTE
    assert repeat_check_after(timedelta(hours=2)) == timedelta(hours=1)
    assert repeat_check_after(timedelta(days=30)) == timedelta(hours=6)
