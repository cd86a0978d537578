"""The loop goes on, whatever one of its steps meets."""

import threading
from collections.abc import Iterator

import pytest
from celery import current_app
from django.db import connection
from pytest_django import Settings

from balansity.sandbox.probe.apps import QUEUE
from bridge.models import BridgeProcess
from bridge.pgmq import PgmqQueue
from bridge.publisher import Publisher
from bridge.queues import registry
from bridge.runner import Runner


@pytest.fixture
def publisher(broker_url: str) -> Iterator[Publisher]:
    with Publisher(current_app) as publisher:
        yield publisher


def run_until(runner: Runner, seconds: float) -> None:
    timer = threading.Timer(seconds, runner.stop)
    timer.start()
    runner.run()
    timer.cancel()


def test_it_delivers_before_the_tables_of_the_heartbeat_exist(
    probe: PgmqQueue, publisher: Publisher, caplog: pytest.LogCaptureFixture
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE bridge_bridgeprocess")
    probe.send({})
    runner = Runner([registry.get(QUEUE)], publisher)
    run_until(runner, 0.5)
    assert runner.totals.published == 1
    assert "heartbeat (was `manage.py migrate` run?)" in caplog.text


def test_a_queue_that_postgres_refuses_does_not_stop_the_others(
    probe: PgmqQueue, publisher: Publisher, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    settings.WORKER_INTERVAL_MS = 50
    with connection.cursor() as cursor:
        # pgmq_queue learnt the columns before; now the statement itself fails, each time.
        cursor.execute("ALTER TABLE pgmq.q_email_queue RENAME COLUMN read_ct TO reads")
    probe.send({})
    runner = Runner([registry.get("email_queue"), registry.get(QUEUE)], publisher)
    run_until(runner, 0.5)
    assert runner.totals.published == 1
    assert "email_queue: left alone for 30 s" in caplog.text
    assert caplog.text.count("email_queue: left alone") == 1


def test_it_says_in_the_table_that_it_stopped_in_order(probe: PgmqQueue, publisher: Publisher) -> None:
    run_until(Runner([registry.get(QUEUE)], publisher), 0.2)
    process = BridgeProcess.objects.get()
    assert process.stopped_at is not None
    assert process.waits_for == ""
