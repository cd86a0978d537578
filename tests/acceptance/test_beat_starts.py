"""Beat's own process starts on a schedule file that was cut, and ends in order."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from tests.acceptance.processes import Child, Fleet
from tests.acceptance.waiting import wait_until
from tests.support.databases import ClonedDatabase


def ports_of(child: Child) -> set[int]:
    """Where a process is connected to."""
    return {each.raddr.port for each in psutil.Process(child.pid).net_connections("tcp") if each.raddr}


def test_beat_starts_on_a_broken_schedule_file_with_one_line_about_it(
    fleet: Fleet, database: ClonedDatabase, broker_url: str, tmp_path: Path
) -> None:
    broker_port, database_port = urlsplit(broker_url).port, urlsplit(database.url).port
    schedule = tmp_path / "celerybeat-schedule"
    beat = fleet.beat(schedule)
    beat.await_text("beat: Starting")
    # It asks for tasks through the broker alone, and takes no place in Postgres from those who do them.
    wait_until(lambda: broker_port in ports_of(beat), "beat is connected to the broker")
    assert database_port not in ports_of(beat)
    assert beat.terminate() == 0
    for file in tmp_path.glob("celerybeat-schedule*"):
        if file.stat().st_size > 1000:
            os.truncate(file, 100)
    beat = fleet.beat(schedule)
    beat.await_text("a new schedule is begun")
    assert beat.text.count("a new schedule is begun") == 1
    assert "Traceback" not in beat.text
    assert beat.terminate() == 0
