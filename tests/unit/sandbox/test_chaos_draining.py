"""How long a chaos run waits for its queues to be empty: as long as they empty."""

from collections.abc import Callable

import pytest

from sandbox.chaos import draining

PATIENCE = 180.0


class Clock:
    """Goes on by sleeping alone."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(draining, "time", clock)
    return clock


def wait(clock: Clock, left: Callable[[float], float]) -> float:
    began = clock.now
    return draining.await_nothing(lambda: int(left(clock.now - began)), patience=PATIENCE, told=lambda left: None)


def test_a_backlog_that_gets_less_is_waited_for_however_slow_the_machine_is(clock: Clock) -> None:
    assert 1700 < wait(clock, lambda seconds: max(0, 1700 - seconds)) < 1710


def test_what_does_not_move_is_left_after_the_patience(clock: Clock) -> None:
    assert PATIENCE <= wait(clock, lambda seconds: 3) < PATIENCE + 1


def test_what_comes_and_goes_without_getting_less_is_left_too(clock: Clock) -> None:
    assert PATIENCE <= wait(clock, lambda seconds: 3 + seconds % 7) < PATIENCE + 10


def test_one_empty_look_is_no_end(clock: Clock) -> None:
    assert wait(clock, lambda seconds: 0 if seconds != 1.0 else 1) > draining.LOOK_SECONDS * (draining.QUIET_LOOKS + 1)
