"""What a page knows of the broker: nobody waits for it twice, and one that hangs holds nobody for long."""

import threading
from collections.abc import Iterator

import pytest
import redis

from bridge.dashboard import broker as module
from bridge.dashboard.broker import AWAY_SECONDS, FRESH_SECONDS, BrokerWatch
from tests.acceptance.waiting import wait_until
from tests.support.far_below import far_below


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Broker:
    """Answers, refuses, or hangs until it is let go."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None
        self.may_answer = threading.Event()
        self.may_answer.set()

    def __call__(self) -> None:
        self.asked += 1
        self.may_answer.wait(60)
        if self.error is not None:
            raise self.error


@pytest.fixture
def broker() -> Iterator[Broker]:
    broker = Broker()
    yield broker
    broker.may_answer.set()


def test_an_answer_is_that_of_all_who_ask_within_its_time(broker: Broker) -> None:
    clock = Clock()
    watch = BrokerWatch(broker, clock)
    assert [watch.look().is_there for _ in range(3)] == [True] * 3
    assert broker.asked == 1
    clock.now += FRESH_SECONDS
    assert watch.look().is_there
    assert broker.asked == 2


def test_one_that_is_away_is_asked_seldom_and_nobody_waits_for_it_again(broker: Broker) -> None:
    clock, broker.error = Clock(), redis.ConnectionError("Connection refused")
    watch = BrokerWatch(broker, clock)
    assert not watch.look().is_there
    clock.now += FRESH_SECONDS
    assert not watch.look().is_there
    assert broker.asked == 1
    clock.now += AWAY_SECONDS
    broker.error = None
    # Asked in the background: the first to come hears what was known.
    watch.look()
    wait_until(lambda: watch.look().is_there, "it is known to be there")
    assert broker.asked == 2


def test_one_that_hangs_costs_one_short_wait_and_one_thread(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    clock = Clock()
    watch = BrokerWatch(broker, clock)
    broker.may_answer.clear()
    with far_below(60):
        assert not watch.look().is_there
    for _ in range(3):
        clock.now += AWAY_SECONDS
        assert not watch.look().is_there
    assert broker.asked == 1
    broker.may_answer.set()
    wait_until(lambda: watch.look().is_there, "it is known to be there")


def test_what_is_no_trouble_of_the_broker_is_not_taken_for_one(broker: Broker) -> None:
    # Whatever the address is like, the page is shown.
    broker.error = ValueError("Redis URL must specify one of the following schemes")
    assert not BrokerWatch(broker, Clock()).look().is_there
