import logging
import os
from pathlib import Path

import pytest

from balansity.celery import keep_django_logging
from balansity.logs import PrivateFileHandler, RedactingFormatter, TraceFilter, logging_settings
from bridge.trace import traced
from sandbox.packages import CHECKOUT


def test_a_traceback_is_masked_too() -> None:
    try:
        raise ValueError("cannot reach anna@example.ru")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "failed", None, info)
    line = RedactingFormatter("%(message)s").format(record)
    assert "anna@" not in line
    assert "a***@example.ru" in line


def test_a_line_carries_the_trace_id_of_its_delivery() -> None:
    inside, outside = (logging.LogRecord("x", logging.INFO, "f", 1, "hello", None, None) for _ in range(2))
    with traced("abc123"):
        TraceFilter().filter(inside)
    assert inside.__dict__["trace_id"] == "abc123"
    TraceFilter().filter(outside)
    assert outside.__dict__["trace_id"] == "-"


def test_nobody_else_of_the_machine_reads_the_log(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    kept = os.umask(0o022)
    try:
        chosen = logging_settings("info", folder)["handlers"]["out"]
        handler = PrivateFileHandler(chosen["filename"], delay=chosen["delay"], encoding=chosen["encoding"])
        handler.emit(logging.LogRecord("x", logging.INFO, "f", 1, "hello", None, None))
        first = handler.stream
        # As whoever rotates it does.
        Path(chosen["filename"]).rename(folder / "out.log.1")
        handler.emit(logging.LogRecord("x", logging.INFO, "f", 1, "again", None, None))
        assert first is not None
        assert first.closed
        handler.close()
    finally:
        os.umask(kept)
    assert folder.stat().st_mode & 0o777 == 0o750
    assert {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()} == {
        "out.log": 0o640,
        "out.log.1": 0o640,
    }
    assert chosen["class"] == "balansity.logs.PrivateFileHandler"


def test_a_log_that_root_begins_belongs_to_whoever_has_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that an administrator runs may write the first line; the service's user writes all others."""
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda _file, user, group: given.append((user, group)))
    for user in (1000, 0):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        handler = PrivateFileHandler(tmp_path / f"{user}.log")
        handler.close()
    folder = tmp_path.stat()
    assert given == [(folder.st_uid, folder.st_gid)]


def test_workers_beat_and_the_web_write_for_nobody_else() -> None:
    kept = os.umask(0o022)
    try:
        keep_django_logging()
        assert os.umask(0o022) == 0o027
    finally:
        os.umask(kept)
    assert "\nos.umask(0o027)\n" in (CHECKOUT / "gunicorn.conf.py").read_text(encoding="utf-8")
