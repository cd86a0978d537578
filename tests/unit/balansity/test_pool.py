"""The threads of a web process share connections: as few as are needed, never more than allowed."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg2
import pytest

from balansity.postgres import pool as pooling
from balansity.postgres.pool import Kept, Pool
from tests.acceptance.waiting import wait_until

FULL = psycopg2.OperationalError('FATAL:  too many connections for role "postgres"')
DOWN = psycopg2.OperationalError("Connection refused")


class Raw:
    def __init__(self) -> None:
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


class Server:
    """Opens connections, `places` at most."""

    def __init__(self, places: int = 100) -> None:
        self.places, self.opened, self.asked = places, list[Raw](), 0

    @property
    def living(self) -> list[Raw]:
        return [raw for raw in self.opened if not raw.is_closed]

    def open(self) -> Raw:
        self.asked += 1
        if len(self.living) >= self.places:
            raise FULL
        self.opened.append(Raw())
        return self.opened[-1]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooling, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(pooling, "IDLE_SECONDS", 0.05)
    monkeypatch.setattr(pooling, "LOOK_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(pooling, "REFUSED_SECONDS", 0.05)


@pytest.fixture
def wanted() -> list[bool]:
    return [False]


@pytest.fixture
def make(wanted: list[bool]) -> Iterator[Callable[[int], Pool]]:
    made: list[Pool] = []

    def make_one(size: int) -> Pool:
        made.append(Pool(size, lambda: wanted[0], lambda: wanted.append(True)))
        return made[-1]

    yield make_one
    for pool in made:
        # With none left nobody looks after them.
        pool._open = 0


def good(_: Kept) -> bool:
    return True


def again(kept: Kept) -> Kept:
    return Kept(kept.raw, ("as it was",))


def test_one_that_was_given_back_is_used_again(make: Callable[[int], Pool]) -> None:
    pool, server = make(2), Server()
    first = pool.take(server.open, good)
    pool.give_back(again(first))
    second = pool.take(server.open, good)
    assert second.raw is first.raw
    assert (first.session, second.session) == (None, ("as it was",))


def test_there_are_never_more_than_allowed_and_who_waits_gets_the_next(
    make: Callable[[int], Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooling, "PATIENCE_SECONDS", 30.0)
    monkeypatch.setattr(pooling, "IDLE_SECONDS", 60.0)
    pool, server = make(3), Server()
    most: list[int] = []

    def work(_: int) -> Any:
        kept = pool.take(server.open, good)
        most.append(len(server.living))
        time.sleep(0.005)
        pool.give_back(again(kept))
        return kept.raw

    with ThreadPoolExecutor(8) as threads:
        used = {*threads.map(work, range(80))}
    assert max(most) <= 3
    assert len(used) <= 3


def test_who_finds_none_in_time_is_told_so(make: Callable[[int], Pool]) -> None:
    pool, server = make(1), Server()
    pool.take(server.open, good)
    with pytest.raises(psycopg2.OperationalError, match="free in time"):
        pool.take(server.open, good)


def test_one_that_broke_is_closed_and_another_opened(make: Callable[[int], Pool]) -> None:
    pool, server = make(1), Server()
    broken = pool.take(server.open, good)
    pool.give_back(again(broken))
    assert pool.take(server.open, lambda kept: False).raw is server.opened[1]
    assert broken.raw.is_closed


def test_one_that_its_thread_closed_leaves_its_place_to_another(make: Callable[[int], Pool]) -> None:
    pool, server = make(1), Server()
    pool.take(server.open, good).raw.close()
    pool.forget()
    assert pool.take(server.open, good).raw is server.opened[1]


def test_without_places_in_postgres_a_thread_waits_for_another_thread(
    make: Callable[[int], Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooling, "PATIENCE_SECONDS", 30.0)
    monkeypatch.setattr(pooling, "REFUSED_SECONDS", 0.3)
    pool, server = make(4), Server(places=1)
    only = pool.take(server.open, good)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(pool.take, server.open, good)
        wait_until(lambda: server.asked >= 2, "it has asked for one of its own")
        pool.give_back(again(only))
        assert waiting.result(30).raw is only.raw
    assert server.asked < 10


def test_a_process_without_any_asks_the_others_and_tries_again_for_a_while(
    make: Callable[[int], Pool], wanted: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooling, "PATIENCE_SECONDS", 1.2)
    monkeypatch.setattr(pooling, "REFUSED_SECONDS", 0.2)
    pool, server = make(4), Server(places=0)
    with pytest.raises(psycopg2.OperationalError):
        pool.take(server.open, good)
    assert 2 <= server.asked <= 8
    assert len(wanted) >= 2
    server.places = 1
    assert pool.take(server.open, good).raw is server.living[0]


def test_what_waiting_does_not_help_with_is_told_at_once(make: Callable[[int], Pool]) -> None:
    pool, server = make(4), Server()
    pool.take(server.open, good)

    def refuse() -> Raw:
        raise DOWN

    for _ in range(6):
        with pytest.raises(psycopg2.OperationalError, match="Connection refused"):
            pool.take(refuse, good)
    assert len(server.living) == 1


def test_what_nobody_needs_is_closed(make: Callable[[int], Pool]) -> None:
    pool, server = make(4), Server()
    for kept in [pool.take(server.open, good) for _ in range(4)]:
        pool.give_back(again(kept))
    wait_until(lambda: not server.living, "all are closed")
    wait_until(lambda: pool._keeper is None, "nobody looks any more")
    assert not pool.take(server.open, good).raw.is_closed


def test_a_worker_that_wants_a_place_gets_all_but_one(
    make: Callable[[int], Pool], wanted: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooling, "IDLE_SECONDS", 60.0)
    pool, server = make(4), Server()
    used = [pool.take(server.open, good) for _ in range(4)]
    pool.give_back(again(used.pop()))
    wanted[0] = True
    wait_until(lambda: len(server.living) == 3, "the free one is closed")
    for kept in used:
        pool.give_back(again(kept))
    assert len(server.living) == 1
    only = pool.take(server.open, good)
    with pytest.raises(psycopg2.OperationalError):
        pool.take(server.open, good)
    # When the worker has got one, there may be more again.
    wanted[0] = False
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(pool.take, server.open, good).result(30).raw is not only.raw
