"""What a system without work asks of Postgres within a minute: exactly, and without waiting for that minute."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from celery import current_app
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from balansity.postgres.base import DatabaseWrapper
from bridge.daemon.publisher import Publisher
from bridge.daemon.runner import Runner
from bridge.queues import registry
from tests.support.databases import ClonedDatabase

# Two a second (docs/adr/0071-what-waiting-costs.md).
MOST_TRANSACTIONS_A_MINUTE = 120
KINDS = {
    # It names all tables.
    "row_security_active": "rights on tables",
    "vt - clock_timestamp": "glance at a queue",
    "bridge_outsideservice": "is a service away",
    "INSERT INTO bridge_bridgeprocess (": "heart",
    "bridge_bridgeprocess AS known": "hearts of others",
    "nspname = 'auth'": "rights on a schema",
    "has_function_privilege": "rights on functions",
    "bridge_queuehold'": "are there holds",
    "FROM bridge_queuehold": "holds of nobody",
    "WITH hidden": "hidden by somebody",
}


class Clock:
    """Time that goes by when the bridge sleeps, and only then."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def sleep(self, seconds: float) -> None:
        self.now += max(0.0, seconds)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When a session was looked at: each is a transaction that Django knows nothing of."""
    seen: list[float] = []
    look: Callable[[Any], tuple[Any, ...]] = DatabaseWrapper._look

    def counted(self: Any) -> tuple[Any, ...]:
        seen.append(time.monotonic())
        return look(self)

    monkeypatch.setattr(DatabaseWrapper, "_look", counted)
    return seen


@pytest.fixture
def minute(
    database: ClonedDatabase, publisher: Publisher, looks: list[float], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """The statements of a bridge with all queues, in the second minute of its life."""
    clock = Clock(monkeypatch)
    runner = Runner([queue for queue in registry if queue.name != "probe_queue"], publisher)
    end = clock.now + 60.0

    def sleep(seconds: float) -> None:
        clock.sleep(min(seconds, end - clock.now))
        if clock.now >= end:
            runner.stop()

    monkeypatch.setattr(runner, "_wait_for_signals", sleep)
    runner.run()
    end += 60.0
    runner._stopping = False
    looks.clear()
    with CaptureQueriesContext(connection) as asked:
        runner.run()
    return [query["sql"] for query in asked.captured_queries]


def transactions(statements: list[str]) -> int:
    """How many they are: what stands between BEGIN and COMMIT is one."""
    count, inside = 0, False
    for statement in statements:
        inside = statement == "BEGIN" or (inside and statement not in ("COMMIT", "ROLLBACK"))
        count += not inside
    return count


def test_an_idle_minute_of_the_bridge_is_this_and_nothing_else(minute: list[str], looks: list[float]) -> None:
    kinds = Counter(
        next((kind for words, kind in KINDS.items() if words in sql), sql)
        for sql in minute
        if sql not in ("BEGIN", "COMMIT")
    )
    queues = len(registry) - 1

    assert kinds == {
        "glance at a queue": 12 * queues,
        "is a service away": 6,
        # One more says that it stops.
        "heart": 6 + 1,
        "rights on tables": 6,
        "rights on a schema": 6,
        "rights on functions": 6,
        "are there holds": 2,
        "holds of nobody": 2,
        "hidden by somebody": 2 * queues,
    }
    assert len(looks) <= 13


def test_bridge_and_beat_together_stay_below_two_transactions_a_second(
    minute: list[str], looks: list[float], database: ClonedDatabase
) -> None:
    current_app.loader.import_default_modules()
    together = transactions(minute) + float(len(looks))
    schedule: dict[str, dict[str, Any]] = settings.CELERY_BEAT_SCHEDULE
    for entry in schedule.values():
        task, seconds = current_app.tasks[entry["task"]], entry["schedule"]
        if not isinstance(seconds, float):
            # Once a day.
            continue
        # The first time it finds out, here and there, what it remembers.
        task.run(*entry.get("args", ()))
        with CaptureQueriesContext(connection) as asked:
            task.run(*entry.get("args", ()))
        # And one more by which its session is looked at.
        together += (transactions([query["sql"] for query in asked.captured_queries]) + 1) * 60.0 / seconds

    assert together <= MOST_TRANSACTIONS_A_MINUTE
