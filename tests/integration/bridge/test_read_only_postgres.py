"""Postgres that answers and writes nothing: after a failover, or when Supabase protects a full disk."""

from collections.abc import Callable, Iterator

import pytest
from celery import current_app
from django.db import InternalError, connection

import manage
from bridge.daemon.publisher import Publisher
from bridge.daemon.runner import Runner
from bridge.outcome import while_postgres_is_away
from bridge.pgmq import PgmqQueue
from bridge.queues import registry
from bridge.trouble.explanation import EXIT_CODE
from sandbox.probe.apps import QUEUE
from tests.support.looping import run_until


def refuse_writes(database_name: str, *, refused: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only TO off")
        cursor.execute(f'ALTER DATABASE "{database_name}" SET default_transaction_read_only TO {refused}')
    connection.close()


@pytest.fixture
def read_only(probe: PgmqQueue) -> Iterator[Callable[[bool], None]]:
    name = str(connection.settings_dict["NAME"])
    yield lambda refused: refuse_writes(name, refused=refused)
    refuse_writes(name, refused=False)


def test_the_bridge_waits_it_out(
    probe: PgmqQueue, broker_url: str, read_only: Callable[[bool], None], caplog: pytest.LogCaptureFixture
) -> None:
    probe.send({})
    read_only(True)
    with Publisher(current_app) as publisher:
        runner = Runner([registry.get(QUEUE)], publisher)
        run_until(runner, lambda: "does not answer" in caplog.text)
        assert "Postgres (DATABASE_URL) does not answer" in caplog.text
        assert runner.totals.published == 0
        read_only(False)
        Runner([registry.get(QUEUE)], publisher).run_once()
    assert probe.counts().in_line == 1


def test_an_outcome_is_written_once_postgres_takes_it(probe: PgmqQueue, read_only: Callable[[bool], None]) -> None:
    read_only(True)
    tries = []

    def write() -> int:
        tries.append(1)
        if len(tries) == 2:
            read_only(False)
        return probe.send({})

    assert while_postgres_is_away(write, seconds=60) > 0
    assert len(tries) == 2


def test_it_is_not_waited_for_longer_than_asked(probe: PgmqQueue, read_only: Callable[[bool], None]) -> None:
    read_only(True)
    with pytest.raises(InternalError, match="read-only"):
        while_postgres_is_away(lambda: probe.send({}), seconds=0.05)


def test_a_command_says_so_in_one_line(
    probe: PgmqQueue,
    read_only: Callable[[bool], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    read_only(True)
    monkeypatch.setattr(
        "sys.argv", ["manage.py", "shell", "-v", "0", "-c", "BridgeProcess.objects.update(waits_for='')"]
    )
    with pytest.raises(SystemExit) as ended:
        manage.main()
    read_only(False)
    assert ended.value.code == EXIT_CODE
    assert capsys.readouterr().err.startswith("Postgres takes no writes now: its disk is full, ")
