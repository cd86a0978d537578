"""The bridge knows how many tasks all workers do at the same time: each worker says it with its heart."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from uuid import uuid4

import pytest
import redis
from pytest_django import Settings

from balansity.celery.heart import HeartStep
from bridge.daemon import heartbeat
from bridge.daemon.publisher import Publisher
from bridge.daemon.runner import Runner
from bridge.pgmq import PgmqQueue
from bridge.processes.pulse import KEY, Heard, Kind, Pulse, children_of, listen
from bridge.queues import registry
from sandbox.probe.apps import QUEUE


@pytest.fixture
def client(broker_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(broker_url, socket_timeout=5) as client:
        yield client


@pytest.fixture
def runner(probe: PgmqQueue, publisher: Publisher) -> Runner:
    return Runner([registry.get(QUEUE), registry.get("email_queue")], publisher)


def worker() -> Pulse:
    """One of several, which are processes of their own."""
    pulse = Pulse(Kind.WORKER)
    pulse.name = f"{uuid4()}/worker"
    return pulse


def known_to(runner: Runner) -> set[int]:
    """By now, and not by what was heard within the last second."""
    runner._others._ask_at = 0.0
    return {drain.flow.children() for drain in runner._drains.values()}


def test_the_bridge_knows_the_children_of_all_workers(client: "redis.Redis", runner: Runner) -> None:
    assert known_to(runner) == {0}
    worker().beat(children=3)
    worker().beat(children=8)
    Pulse(Kind.BEAT).beat()
    assert known_to(runner) == {11}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many children the bridge was told of, each time that it asked."""
    found = list[int]()

    def count(heard: list[Heard]) -> int:
        found.append(children_of(heard))
        return found[-1]

    monkeypatch.setattr(heartbeat, "children_of", count)
    return found


def test_who_works_is_asked_for_quick_work_alone_and_once_a_second(
    client: "redis.Redis", runner: Runner, asked: list[int]
) -> None:
    slow, quick = (drain.flow for drain in runner._drains.values())
    worker().beat(children=2)
    slow.published([1], 1.0)
    slow.observe(0, 1.01)
    assert (slow.bundle_size, asked) == (1, [])
    quick.published([1] * 20, 1.0)
    quick.observe(0, 1.01)
    assert (quick.bundle_size, quick.bundle_size, asked) == (10, 10, [2])
    # One that begins, as after a deployment, is known before its first tasks are taken for quick work.
    worker().beat(children=3)
    runner._others._ask_at = 0.0
    assert (quick.bundle_size, asked) == (4, [2, 5])


def test_a_worker_says_with_each_beat_how_many_tasks_it_takes_by_then(client: "redis.Redis") -> None:
    pool, controller = SimpleNamespace(num_processes=4), SimpleNamespace(max_concurrency=None)
    consumer = SimpleNamespace(pool=pool, controller=controller)
    step = HeartStep(consumer)
    # The last is of a worker whose children come with the tasks.
    for children, most, said in ((4, None, 4), (6, None, 6), (2, 8, 8)):
        pool.num_processes, controller.max_concurrency = children, most
        step._beat(consumer)
        assert [one.children for one in listen()] == [said]


def test_a_worker_that_ended_or_fell_silent_has_no_children(client: "redis.Redis") -> None:
    ended, silent, living = worker(), worker(), worker()
    for one in (ended, silent, living):
        one.beat(children=2)
    ended.stop()
    note = json.loads(client.hget(KEY, silent.name) or "")
    client.hset(KEY, silent.name, json.dumps({**note, "at": note["at"] - 60}))
    assert children_of(listen()) == 2


def test_nobody_knows_how_many_where_one_does_not_say(client: "redis.Redis", runner: Runner) -> None:
    # One of an older version beside one of this.
    worker().beat(children=2)
    worker().beat()
    assert known_to(runner) == {0}


def test_what_was_known_is_not_held_on_to_while_redis_does_not_answer(
    client: "redis.Redis", runner: Runner, settings: Settings
) -> None:
    worker().beat(children=2)
    assert known_to(runner) == {2}
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert known_to(runner) == {0}


@pytest.mark.parametrize("children", ["x", [], -5, None, 1e400])
def test_a_note_that_makes_no_sense_costs_nobody_anything(client: "redis.Redis", children: object) -> None:
    strange = worker()
    strange.beat(children=2)
    note = json.loads(client.hget(KEY, strange.name) or "")
    client.hset(KEY, strange.name, json.dumps({**note, "children": children}))
    assert children_of(listen()) == 0
