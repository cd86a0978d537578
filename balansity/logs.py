"""Log lines of every process: one format, the keys of the delivery at work, no address and no secret.

`WatchedFileHandler` and not a rotating one: several processes write the same two files, and only reopening by whoever
rotates them (logrotate) loses no line.
"""

import logging
import os
import sys
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any

from balansity.processes import kind_of
from balansity.redaction import redact
from bridge.trace import current_trace_id, work_fields

LEVELS = {"debug": "DEBUG", "info": "INFO", "warn": "WARNING", "error": "ERROR"}


class TraceFilter(logging.Filter):
    """Puts on each record what this thread works on; what the line itself says of a delivery stays."""

    def filter(self, record: logging.LogRecord) -> bool:
        known = record.__dict__
        known.setdefault("trace_id", current_trace_id() or "-")
        for name, value in work_fields().items():
            known.setdefault(name, value)
        if "msg_id" in known:
            # A line of a handler, or of a library in it.
            known.setdefault("event", "note")
        return True


class RedactingFormatter(logging.Formatter):
    """Masks the finished line, traceback included: whatever a library logs passes through here.

    Console and file write the same line, which is made once.
    """

    def format(self, record: logging.LogRecord) -> str:
        made: tuple[object, str] = record.__dict__.get("_finished_line", (None, ""))
        if made[0] is not self:
            made = record.__dict__["_finished_line"] = (self, redact(super().format(record)))
        return made[1]


class PrivateFileHandler(WatchedFileHandler):
    """Makes a file that others of this machine cannot read, whatever the process was started with."""

    def _open(self) -> Any:
        return open(  # The handler closes it.
            self.baseFilename, self.mode, encoding=self.encoding, errors=self.errors, opener=_open_private
        )


def _open_private(path: str, flags: int) -> int:
    opened = os.open(path, flags, 0o640)
    if os.geteuid() == 0:
        # A command that root runs may be the first to write, and must not lock the service out of its own log.
        folder = Path(path).parent.stat()
        os.fchown(opened, folder.st_uid, folder.st_gid)
    return opened


def logging_settings(level: str, directory: Path, style: str = "text") -> dict[str, Any]:
    """Return Django's `LOGGING`: the console, `out.log` with everything at `level`, `error.log` with errors.

    `style` is `text`, for people, or `json` (`balansity.json_lines`).
    """
    directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    files = {
        "out": {"class": "balansity.logs.PrivateFileHandler", "filename": str(directory / "out.log")},
        "error": {
            "class": "balansity.logs.PrivateFileHandler",
            "filename": str(directory / "error.log"),
            "level": "ERROR",
        },
    }
    handlers: dict[str, dict[str, Any]] = {"console": {"class": "logging.StreamHandler"}}
    handlers |= {name: {**handler, "delay": True, "encoding": "utf-8"} for name, handler in files.items()}
    for handler in handlers.values():
        handler.update(formatter=style, filters=["trace", "strangers"])
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "trace": {"()": "balansity.logs.TraceFilter"},
            "strangers": {"()": "balansity.stranger_lines.StrangerLines"},
        },
        "formatters": {
            "text": {
                "()": "balansity.logs.RedactingFormatter",
                "format": "%(asctime)s %(levelname)s %(name)s [%(trace_id)s] %(message)s",
            },
            "json": {"()": "balansity.json_lines.JsonLines", "process": kind_of(sys.argv)},
        },
        "handlers": handlers,
        "root": {"handlers": list(handlers), "level": LEVELS[level]},
        "loggers": {
            # Both announce each of several thousand tasks; the bridge's own lines say the same with the trace id.
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            "django.db.backends": {"level": "INFO"},
            # One line a request, with the whole address in it.
            "httpx": {"level": "WARNING"},
            # Of a tracker that does not answer, which `balansity.error_tracker` says once, and with what it answers.
            "sentry_sdk.errors": {"level": "CRITICAL", "propagate": False},
            # Seven lines a document.
            "weasyprint.progress": {"level": "WARNING"},
        },
    }
