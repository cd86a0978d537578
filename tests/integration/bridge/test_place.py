"""What a child does with a task when it has no connection to Postgres: another child gets it, as it was."""

from collections.abc import Iterator
from typing import Any

import pytest
from celery import Task, current_app
from celery.exceptions import Ignore
from django.db import OperationalError, connection

from balansity.postgres.base import DatabaseWrapper
from bridge.message import Delivery
from bridge.pgmq import PgmqQueue
from bridge.worker import place
from bridge.worker.bundle import deliver_bundle
from sandbox.probe.models import ProbeRun
from sandbox.probe.tasks import run as probe_run
from tests.integration.bridge.test_task import Read
from tests.support.databases import ClonedDatabase

FULL = OperationalError('FATAL:  too many connections for role "postgres"')


@pytest.fixture
def no_place(database: ClonedDatabase, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Postgres refuses every new connection of this process."""
    connection.close()
    monkeypatch.setattr(place, "ASK_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(place, "STAND_BY_SECONDS", 0.01)
    monkeypatch.setattr(place, "_is_without", False)
    with monkeypatch.context() as patch:
        patch.setattr(DatabaseWrapper, "connect", refuse)
        yield


def refuse(*_: Any) -> None:
    raise FULL


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What would go to the broker."""
    found: list[dict[str, Any]] = []

    def send(task: Any, args: Any, kwargs: Any, **options: Any) -> None:
        found.append({"name": task.name, "args": [*args], "kwargs": kwargs, **options})

    monkeypatch.setattr(Task, "apply_async", send)
    return found


def in_a_worker(task: Any, *args: Any, **request: Any) -> None:
    """Call a task as a worker's child does."""
    task.push_request(
        called_directly=False, is_eager=False, args=args, delivery_info={"routing_key": "the-line"}, **request
    )
    try:
        task(*args)
    finally:
        task.pop_request()


@pytest.mark.usefixtures("no_place")
def test_a_delivery_goes_back_to_its_line_with_the_attempts_that_it_has_used(
    probe: PgmqQueue, sent: list[dict[str, Any]]
) -> None:
    args = ["probe_queue", 7, "2026-11-26T12:00:00+00:00", "0123456789abcdef"]
    with pytest.raises(Ignore, match="another child has the task"):
        in_a_worker(probe_run, *args, id="probe_queue-7-1", retries=3, timelimit=(60, 54))
    [task] = sent
    expires = task.pop("expires")
    assert 0 < expires <= 60
    assert task == {
        "name": "probe.run",
        "args": args,
        "kwargs": {},
        "queue": "the-line",
        "task_id": "probe_queue-7-1",
        "retries": 3,
        "time_limit": 60,
        "soft_time_limit": 54,
        "retry": False,
    }


@pytest.mark.usefixtures("no_place")
@pytest.mark.parametrize("name", ["bridge.deliver_bundle", "bridge.prune_archives", "payments.give_held"])
def test_so_does_a_bundle_and_what_beat_asks_for(sent: list[dict[str, Any]], name: str) -> None:
    current_app.loader.import_default_modules()
    args = ["probe_queue", [[1, "2026-11-26T12:00:00+00:00", "", 0]]] if name == deliver_bundle.name else []
    with pytest.raises(Ignore):
        in_a_worker(current_app.tasks[name], *args, id="x", retries=0)
    assert [(task["name"], task["args"]) for task in sent] == [(name, args)]


@pytest.mark.usefixtures("no_place")
def test_one_that_is_given_back_again_does_not_circle_for_ever(sent: list[dict[str, Any]]) -> None:
    until = "2026-11-26T12:01:00+00:00"
    with pytest.raises(Ignore):
        in_a_worker(probe_run, "probe_queue", 7, until, "", id="x", retries=0, expires=until)
    assert sent[0]["expires"] == until


def test_a_child_whose_connection_broke_gives_the_delivery_back_unstarted(
    probe: PgmqQueue, read_one: Read, sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    probe.send({"note": True})
    delivery: Delivery = read_one()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    monkeypatch.setattr(place, "STAND_BY_SECONDS", 0.01)
    monkeypatch.setattr(place, "ASK_EVERY_SECONDS", 0.0)
    args = ["probe_queue", delivery.msg_id, delivery.token.vt.isoformat(), "0123456789abcdef"]
    with monkeypatch.context() as patch:
        patch.setattr(DatabaseWrapper, "connect", refuse)
        # As a restart of Postgres does it to each session.
        connection.connection.close()
        with pytest.raises(Ignore, match="another child has the task"):
            in_a_worker(probe_run, *args, id="x", retries=0)
    connection.close()
    assert [task["args"] for task in sent] == [args]
    assert not ProbeRun.objects.exists()
    in_a_worker(probe_run, *args, id="x", retries=0)
    assert ProbeRun.objects.get().attempt == 1


def test_the_log_says_it_once_and_when_it_is_over(
    database: ClonedDatabase, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.close()
    monkeypatch.setattr(place, "_is_without", False)
    with monkeypatch.context() as patch:
        patch.setattr(DatabaseWrapper, "connect", refuse)
        assert [place.has_place() for _ in range(3)] == [False] * 3
    assert [place.has_place() for _ in range(2)] == [True] * 2
    said = [record.getMessage() for record in caplog.records if record.name == place.__name__]
    assert [text.split(":")[0] for text in said] == [
        "no connection to Postgres; no task is taken until there is one",
        "connected to Postgres; tasks are taken again",
    ]
