"""What is read next, and how often the queue is looked at to know it: a look costs as much as thousands of reads."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from bridge.daemon import screening
from bridge.daemon.screening import LEAST_SECONDS, Order
from bridge.message import Token
from bridge.queues import NoJournal, Queue, Screen
from bridge.sql.rows import Due

PLANNED = 4
START = datetime(2026, 11, 26, tzinfo=UTC)


class Waiting:
    """A queue of which messages are taken, and whose clock stands still."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.priorities: dict[int, int] = {}
        self.looks = 0
        self.now = 100.0
        monkeypatch.setattr(screening, "PLANNED", PLANNED)
        monkeypatch.setattr(screening, "time", SimpleNamespace(monotonic=lambda: self.now))

    def ahead(self, *, limit: int, depth: int, octets: int = 0) -> list[Due]:
        self.looks += 1
        first = sorted(self.priorities, key=lambda msg_id: (-self.priorities[msg_id], msg_id))[:limit]
        return [
            Due(Token(msg_id, START + timedelta(seconds=msg_id)), self.priorities[msg_id], START, False, None)
            for msg_id in first
        ]

    def take(self, order: Order, limit: int) -> list[int] | None:
        ids = order.next_ids(limit, crowded=True)
        for msg_id in ids or ():
            del self.priorities[msg_id]
        return ids


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    return Waiting(monkeypatch)


def order_of(waiting: Any, screen: Screen | None = None) -> Order:
    return Order(Queue("probe_queue", "probe.run", "probe", 5, 60, NoJournal(), screen), waiting)


def test_what_was_planned_is_taken_without_another_look_and_the_rest_is_planned_at_once(waiting: Waiting) -> None:
    waiting.priorities = {number: number for number in range(1, 8)}
    order = order_of(waiting)
    assert [waiting.take(order, 2) for _ in range(2)] == [[7, 6], [5, 4]]
    assert waiting.looks == 1
    # Those that were left out by the plan do not wait until a look is due again.
    assert waiting.take(order, 2) == [3, 2]
    assert waiting.looks == 2


def test_where_the_plan_held_all_there_is_no_look_before_its_time(waiting: Waiting) -> None:
    waiting.priorities = {1: 1, 2: 2, 3: 3}
    order = order_of(waiting)
    assert waiting.take(order, 2) == [3, 2]
    waiting.priorities[4] = 9
    assert waiting.take(order, 2) == [1]
    assert waiting.looks == 1
    waiting.now += LEAST_SECONDS
    assert waiting.take(order, 2) is None
    assert waiting.looks == 2


@pytest.mark.parametrize("count", [0, 2, PLANNED])
def test_where_all_are_equal_time_alone_decides_and_nobody_looks_again_before_its_time(
    waiting: Waiting, count: int
) -> None:
    waiting.priorities = dict.fromkeys(range(count), 5)
    order = order_of(waiting)
    assert [waiting.take(order, 2) for _ in range(3)] == [None] * 3
    assert waiting.looks == 1


def test_what_comes_past_a_screen_is_not_read_as_whatever_waits_longest(waiting: Waiting) -> None:
    order = order_of(waiting, Screen(judge=lambda candidates: {}))
    assert order.next_ids(10, crowded=False) == []


def test_fewer_than_a_screen_judges_are_read_without_a_look_unless_they_are_the_rest_of_a_flood(
    waiting: Waiting,
) -> None:
    order = order_of(waiting, Screen(judge=lambda candidates: {}, least=11))
    waiting.priorities = {1: 0, 2: 0}
    assert order.next_ids(10, crowded=False) is None
    assert waiting.looks == 0
    # A read that may be cut off by its limit, one before which more wait, and one amid a flood.
    assert order.next_ids(11, crowded=False) == [1, 2]
    assert order.next_ids(10, crowded=True) == [1, 2]
    order._is_flooded = True
    assert order.next_ids(10, crowded=False) == [1, 2]
    assert waiting.looks == 3


def test_without_a_screen_and_without_a_crowd_nobody_looks(waiting: Waiting) -> None:
    waiting.priorities = {1: 1, 2: 2}
    assert order_of(waiting).next_ids(10, crowded=False) is None
    assert waiting.looks == 0
