"""The loop goes on, whatever one of its steps meets."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import Error, connection, transaction
from pytest_django import Settings

from bridge.breaker import prober
from bridge.daemon import runner as module
from bridge.daemon.drain import Drain
from bridge.daemon.publisher import Publisher
from bridge.daemon.runner import Runner
from bridge.models import BridgeProcess
from bridge.pgmq import PgmqQueue
from bridge.postgres import is_outage
from bridge.queues import registry
from sandbox.probe.apps import QUEUE
from tests.support.far_below import far_below
from tests.support.looping import run_until


def test_it_delivers_before_the_tables_of_the_heartbeat_exist(
    probe: PgmqQueue, publisher: Publisher, caplog: pytest.LogCaptureFixture
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE bridge_bridgeprocess")
    probe.send({})
    runner = Runner([registry.get(QUEUE)], publisher)
    run_until(runner, lambda: runner.totals.published == 1)
    assert runner.totals.published == 1
    assert "heartbeat (was `manage.py migrate` run?)" in caplog.text


def test_a_queue_that_postgres_refuses_does_not_stop_the_others(
    probe: PgmqQueue, publisher: Publisher, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    settings.WORKER_INTERVAL_MS = 50
    with connection.cursor() as cursor:
        # pgmq_queue learnt the columns before; now the statement itself fails, each time.
        cursor.execute("ALTER TABLE pgmq.q_email_queue RENAME COLUMN vt TO due")
    probe.send({})
    runner = Runner([registry.get("email_queue"), registry.get(QUEUE)], publisher)
    # Some looks more, with the one queue left alone.
    run_until(runner, lambda: runner.totals.published == 1 and "left alone" in caplog.text, and_on=0.3)
    assert runner.totals.published == 1
    assert "email_queue: left alone for 30 s" in caplog.text
    assert caplog.text.count("email_queue: left alone") == 1


@pytest.mark.parametrize(
    ("trouble", "outage"),
    [
        ("DO $$ BEGIN RAISE 'a trigger of somebody' USING ERRCODE = 'P0001'; END $$", False),
        ("SET LOCAL statement_timeout TO '1ms'; SELECT pg_sleep(1)", False),
        ("SELECT ('[' || repeat('1,', 10) || 'x')::jsonb", False),
        ("DO $$ BEGIN RAISE 'too much' USING ERRCODE = '54000'; END $$", False),
        ("DO $$ BEGIN RAISE 'no room' USING ERRCODE = '53100'; END $$", True),
        ("DO $$ BEGIN RAISE 'going down' USING ERRCODE = '57P01'; END $$", True),
        ("DO $$ BEGIN RAISE 'again, please' USING ERRCODE = '40P01'; END $$", True),
        ("SET TRANSACTION READ ONLY; CREATE TABLE x ()", True),
        ("SELECT pg_terminate_backend(pg_backend_pid())", True),
    ],
)
def test_an_error_of_one_statement_is_no_outage(probe: PgmqQueue, trouble: str, outage: bool) -> None:
    with pytest.raises(Error) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(trouble)
    assert is_outage(caught.value) is outage
    connection.close()


def test_a_trigger_that_raises_stops_one_queue_and_not_all(
    probe: PgmqQueue, publisher: Publisher, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    settings.WORKER_INTERVAL_MS = 50
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION pgmq.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not here'; END $$;"
            "CREATE TRIGGER refuse BEFORE UPDATE ON pgmq.q_email_queue FOR EACH ROW EXECUTE FUNCTION pgmq.refuse();"
            "SELECT pgmq.send('email_queue', '{}')"
        )
    probe.send({})
    runner = Runner([registry.get("email_queue"), registry.get(QUEUE)], publisher)
    run_until(runner, lambda: runner.totals.published == 1 and "left alone" in caplog.text)
    assert runner.totals.published == 1
    assert "email_queue: left alone for 30 s, Postgres says: not here" in caplog.text
    assert "does not answer" not in caplog.text


def test_it_says_in_the_table_that_it_stopped_in_order(probe: PgmqQueue, publisher: Publisher) -> None:
    runner = Runner([registry.get(QUEUE)], publisher)
    run_until(runner, lambda: runner._beat_at > 0)
    process = BridgeProcess.objects.get()
    assert process.stopped_at is not None
    assert process.waits_for == ""


def test_a_stop_ends_its_sleep(
    probe: PgmqQueue, publisher: Publisher, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WORKER_INTERVAL_MS = 60_000
    monkeypatch.setattr(module, "INTERVAL_SECONDS", 60)
    monkeypatch.setattr(prober, "QUIET_SECONDS", 60.0)
    runner, sleeps = Runner([registry.get(QUEUE)], publisher), list[float]()
    sleep = runner._wait_for_signals

    def noted(seconds: float) -> None:
        sleeps.append(seconds)
        sleep(seconds)

    monkeypatch.setattr(runner, "_wait_for_signals", noted)
    with far_below(50):
        run_until(runner, lambda: bool(sleeps) and sleeps[-1] > 50)


def test_when_the_next_message_is_due_is_asked_when_a_worker_has_begun_with_the_last(
    probe: PgmqQueue, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, order = Runner([registry.get(QUEUE)], publisher), list[str]()
    look, outlook, sleep = Drain.look, Drain.outlook, runner._sleep

    def told(word: str, act: Callable[[Drain], Any]) -> Callable[[Drain], Any]:
        def noted(drain: Drain) -> Any:
            order.append(word)
            return act(drain)

        return noted

    def sleep_or_stop() -> None:
        order.append("sleep")
        sleep() if order.count("sleep") < 2 else runner.stop()

    monkeypatch.setattr(Drain, "look", told("look", look))
    monkeypatch.setattr(Drain, "outlook", told("outlook", outlook))
    monkeypatch.setattr(runner, "_sleep", sleep_or_stop)
    probe.send({})
    began = time.monotonic()
    runner.run()
    assert order == ["look", "sleep", "outlook", "sleep"]
    assert runner._look_at[QUEUE] > began + 1


def test_what_wakes_the_bridge_is_read_before_services_are_looked_at(
    probe: PgmqQueue, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, order = Runner([registry.get(QUEUE)], publisher), list[str]()
    monkeypatch.setattr(runner, "_turn", order.append)
    monkeypatch.setattr(runner._prober, "turn", lambda **_: order.append("services"))
    monkeypatch.setattr(runner, "_sleep", runner.stop)
    runner.run()
    assert order == [QUEUE, "services"]
