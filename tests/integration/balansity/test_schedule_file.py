"""Beat starts again, whatever its schedule file holds."""

import logging
import os
import shelve
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from celery import current_app
from celery.beat import ScheduleEntry

from balansity.celery.schedule_file import SturdyScheduler


def started(path: Path) -> dict[str, ScheduleEntry]:
    """Start and stop a scheduler on this file; returns what it would run."""
    scheduler = SturdyScheduler(app=current_app, schedule_filename=str(path))
    entries = dict(scheduler.schedule)
    scheduler.close()
    return entries


def files(path: Path) -> list[Path]:
    return [file for file in path.parent.iterdir() if file.name.startswith(path.name)]


def cut(size: int) -> Callable[[Path], None]:
    def act(path: Path) -> None:
        for file in files(path):
            os.truncate(file, min(size, file.stat().st_size))

    return act


def filled_with(content: bytes) -> Callable[[Path], None]:
    def act(path: Path) -> None:
        for file in files(path):
            file.write_bytes(content * (file.stat().st_size // len(content) + 1))

    return act


def data_filled_with(content: bytes) -> Callable[[Path], None]:
    """The values alone: the index still says where they stand."""

    def act(path: Path) -> None:
        largest = max(files(path), key=lambda file: file.stat().st_size)
        largest.write_bytes(content * (largest.stat().st_size // len(content) + 1))

    return act


def without(suffix: str) -> Callable[[Path], None]:
    def act(path: Path) -> None:
        path.with_name(path.name + suffix).unlink(missing_ok=True)

    return act


def holding(**values: object) -> Callable[[Path], None]:
    def act(path: Path) -> None:
        with shelve.open(str(path)) as store:  # noqa: S301 - our own file.
            store.update(values)

    return act


def half_of_the_largest(path: Path) -> None:
    largest = max(files(path), key=lambda file: file.stat().st_size)
    os.truncate(largest, largest.stat().st_size // 2)


def last_run(moment: object) -> Callable[[Path], None]:
    def act(path: Path) -> None:
        with shelve.open(str(path), writeback=True) as store:  # noqa: S301 - our own file.
            for entry in store["entries"].values():
                entry.last_run_at = moment

    return act


BROKEN = {
    "cut to nothing": cut(0),
    "cut to 100 bytes": cut(100),
    "half": half_of_the_largest,
    "all zeros": filled_with(b"\0"),
    "values of zeros": data_filled_with(b"\0"),
    "garbage": filled_with(b"\x80\x04\xff garbage"),
    "values of garbage": data_filled_with(b"\x80\x04\xff garbage"),
    "values that are other pickles": data_filled_with(b"cos\nnothing\n."),
    "lost data": without(".dat"),
    "lost index": without(".dir"),
    "entries of another kind": holding(entries=["payment-checks"]),
    "an entry of another kind": holding(entries={"payment-checks": "soon"}),
    "no entries": holding(entries=None),
    "tasks that ran in the future": last_run(datetime(2100, 1, 1, tzinfo=UTC)),
    "tasks that ran at no time": last_run("yesterday"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_it_begins_a_new_schedule_and_says_so_once(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "celerybeat-schedule"
    started(path)
    BROKEN[name](path)
    with caplog.at_level(logging.ERROR):
        entries = started(path)
    expected = {*current_app.conf.beat_schedule}
    assert expected <= {*entries}
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) <= 1
    assert all("a new schedule is begun" in record.getMessage() and not record.exc_info for record in errors)
    caplog.clear()
    assert expected <= {*started(path)}
    assert caplog.records == []


def test_when_a_task_ran_last_is_kept_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "celerybeat-schedule"
    started(path)
    ran = datetime.now(UTC) - timedelta(seconds=20)
    last_run(ran)(path)
    entries = started(path)
    assert {entries[name].last_run_at for name in current_app.conf.beat_schedule} == {ran}


def test_a_file_that_can_never_be_is_one_line_that_names_the_variable(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"CELERY_BEAT_SCHEDULE_FILE names .*: No such file or directory"):
        started(tmp_path / "missing" / "celerybeat-schedule")
