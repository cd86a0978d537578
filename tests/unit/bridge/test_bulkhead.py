"""How many threads of a web process may wait for services outside, and what becomes of the others."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from bridge import bulkhead as module
from bridge.bulkhead import (
    PATIENCE_SECONDS,
    Bulkhead,
    Crowded,
    called_by,
    limit_waiting,
    nobodys_request,
    waiting_for,
)
from tests.support.far_below import far_below

SLOW = 10.0
# A patience that nobody is to need.
LONG = 60.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def hung(bulkhead: Bulkhead, clock: Clock, *services: str) -> Iterator[None]:
    """Threads that have waited for these services for long."""
    with ExitStack() as stack:
        for service in services:
            stack.enter_context(bulkhead.waiting_for(service))
        clock.now += SLOW
        yield


def is_crowded(bulkhead: Bulkhead, service: str, *, brief: bool = False) -> bool:
    try:
        with bulkhead.waiting_for(service, brief=brief):
            return False
    except Crowded:
        return True


@pytest.mark.parametrize(("threads", "most"), [(1, 1), (2, 1), (3, 1), (4, 2), (8, 4)])
def test_one_service_holds_half_of_the_threads(threads: int, most: int) -> None:
    clock = Clock()
    bulkhead = Bulkhead(threads, clock)
    with hung(bulkhead, clock, *["YooKassa"] * (most - 1)):
        assert not is_crowded(bulkhead, "YooKassa")
    with hung(bulkhead, clock, *["YooKassa"] * most):
        assert is_crowded(bulkhead, "YooKassa")
    assert not is_crowded(bulkhead, "YooKassa")


def test_the_others_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", LONG)
    clock = Clock()
    bulkhead = Bulkhead(4, clock)
    with hung(bulkhead, clock, "YooKassa", "YooKassa"):
        clock.now += LONG
        with far_below(LONG):
            assert is_crowded(bulkhead, "YooKassa")


def test_a_slow_service_leaves_room_for_another() -> None:
    clock = Clock()
    bulkhead = Bulkhead(4, clock)
    with hung(bulkhead, clock, "YooKassa", "YooKassa"):
        assert not is_crowded(bulkhead, "Supabase Auth")
        assert not is_crowded(bulkhead, "Redis", brief=True)


def test_all_services_together_leave_one_thread_over() -> None:
    clock = Clock()
    bulkhead = Bulkhead(4, clock)
    with hung(bulkhead, clock, "YooKassa", "YooKassa", "Supabase Auth"):
        for service in ("Supabase Auth", "Supabase Storage", "Redis"):
            assert is_crowded(bulkhead, service)


def test_who_comes_while_others_have_just_begun_waits_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", LONG)
    bulkhead = Bulkhead(4)
    begun, go_on = threading.Barrier(3), threading.Event()

    def ask() -> None:
        with bulkhead.waiting_for("YooKassa"):
            begun.wait(30)
            go_on.wait(30)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    begun.wait(30)
    threading.Timer(0.02, go_on.set).start()
    assert not is_crowded(bulkhead, "YooKassa")
    for thread in threads:
        thread.join(30)


def test_that_moment_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, waits = Clock(), list[float]()
    bulkhead = Bulkhead(4, clock)
    wait = bulkhead._changed.wait_for

    def noted(condition: Callable[[], bool], seconds: float) -> bool:
        waits.append(seconds)
        try:
            return wait(condition, seconds)
        finally:
            clock.now += seconds

    monkeypatch.setattr(bulkhead._changed, "wait_for", noted)
    with bulkhead.waiting_for("YooKassa"), bulkhead.waiting_for("YooKassa"):
        waits.clear()
        started = time.monotonic()
        assert is_crowded(bulkhead, "YooKassa")
        assert is_crowded(bulkhead, "YooKassa")
        assert time.monotonic() - started > PATIENCE_SECONDS / 2
        assert waits == [PATIENCE_SECONDS, 0.0]


def test_a_place_is_given_back_after_a_failure() -> None:
    bulkhead = Bulkhead(2)
    for _ in range(3):
        with pytest.raises(ConnectionError), bulkhead.waiting_for("YooKassa"):
            raise ConnectionError
    assert not is_crowded(bulkhead, "YooKassa")


def ask_as(customer: str, bulkhead: Bulkhead, begun: threading.Semaphore, go_on: threading.Event) -> list[str]:
    """Start a thread of this customer's that waits for YooKassa; what became of it comes into the list."""
    ended: list[str] = []

    def ask() -> None:
        called_by(customer)
        try:
            with bulkhead.waiting_for("YooKassa"):
                begun.release()
                go_on.wait(LONG)
                ended.append("answered")
        except Crowded:
            ended.append("crowded")
            begun.release()

    threading.Thread(target=ask, daemon=True).start()
    return ended


def test_one_customer_takes_no_place_from_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OWN_PATIENCE_SECONDS", LONG)
    bulkhead, begun, go_on = Bulkhead(4), threading.Semaphore(0), threading.Event()
    # One asks, one waits for it, and the rest are told at once.
    with far_below(LONG):
        mallory = [ask_as("mallory", bulkhead, begun, go_on) for _ in range(6)]
        for _ in range(5):
            assert begun.acquire(timeout=LONG)
    assert sum(ended == ["crowded"] for ended in mallory) == 4
    anna = ask_as("anna", bulkhead, begun, go_on)
    assert begun.acquire(timeout=30)
    assert anna == []
    go_on.set()
    assert begun.acquire(timeout=30), "the second click never came in"


def test_whose_a_request_is_ends_with_it() -> None:
    limit_waiting(4)
    try:
        with nobodys_request():
            called_by("anna")
            with waiting_for("YooKassa"), nobodys_request(), waiting_for("YooKassa"):
                pass
        with waiting_for("YooKassa"), waiting_for("YooKassa"):
            pass
    finally:
        limit_waiting(None)


def test_only_a_web_process_limits_itself() -> None:
    with ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(waiting_for("YooKassa"))
    limit_waiting(2)
    try:
        with waiting_for("YooKassa"), pytest.raises(Crowded), waiting_for("YooKassa"):
            pass
    finally:
        limit_waiting(None)
