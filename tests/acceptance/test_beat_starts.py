"""Beat's own process starts on a schedule file that was cut, and ends in order."""

import os
from pathlib import Path

from tests.acceptance.processes import Fleet


def test_beat_starts_on_a_broken_schedule_file_with_one_line_about_it(fleet: Fleet, tmp_path: Path) -> None:
    schedule = tmp_path / "celerybeat-schedule"
    beat = fleet.beat(schedule)
    beat.await_text("beat: Starting")
    assert beat.terminate() == 0
    for file in tmp_path.glob("celerybeat-schedule*"):
        if file.stat().st_size > 1000:
            os.truncate(file, 100)
    beat = fleet.beat(schedule)
    beat.await_text("a new schedule is begun")
    assert beat.text.count("a new schedule is begun") == 1
    assert "Traceback" not in beat.text
    assert beat.terminate() == 0
