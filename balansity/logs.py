"""Log lines of every process: one format, a trace id, no address and no secret.

`WatchedFileHandler` and not a rotating one: several processes write the same two files, and only reopening by whoever
rotates them (logrotate) loses no line.
"""

import logging
import re
from pathlib import Path
from typing import Any

from bridge.trace import current_trace_id

LEVELS = {"debug": "DEBUG", "info": "INFO", "warn": "WARNING", "error": "ERROR"}

# Senders choose addresses: quotes and odd characters are legal before the @. The look-behind keeps this linear in a
# long line: a match is only tried where a word starts.
_ADDRESS = re.compile(r"""(?<![\w.+%-])([\w.+%-])[\w.+%-]*(?:[!#$&'*/=?^`{|}~]+[\w.+%-]*){0,9}@([\w-]+(?:\.[\w-]+)+)""")
_QUOTED_ADDRESS = re.compile(r'"(?:[^"\\\n]|\\.){1,64}"@(?=[\w\[])')
_URL_PASSWORD = re.compile(r"((?<!\w)\w+://[^\s:/@]*):[^\s@/]+@")
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE)
_JWT = re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*")
# Keys of YooKassa and of Supabase, and tokens that open a payment form. Names in snake_case look like the first, but
# carry no digit and no capital.
_PROVIDER_KEY = re.compile(
    r"\b((?:live|test)_)(?=[\w-]*[A-Z0-9])[\w-]{16,}|\b(sb_(?:secret|publishable)_|ct-)[\w-]{8,}"
)
_KEY_VALUE = re.compile(
    r"""(?i)(?<![^\W_])(pass(?:word|wd)?|secret(?:_?key)?|token|api_?key|authorization)(["']?\s*[=:]\s*["']?)[^\s"',}]{3,}"""
)


def redact(text: str) -> str:
    """Return `text` with e-mail addresses shortened to their first letter, and passwords, tokens and keys masked."""
    if "@" in text:
        text = _QUOTED_ADDRESS.sub("***@", _URL_PASSWORD.sub(r"\1:***@", text))
        text = _ADDRESS.sub(r"\1***@\2", text)
    text = _JWT.sub("***", text)
    text = _BEARER.sub(r"\1 ***", text)
    text = _PROVIDER_KEY.sub(r"\1\2***", text)
    return _KEY_VALUE.sub(r"\1\2***", text)


class TraceFilter(logging.Filter):
    """Puts the trace id of the delivery at work on each record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.trace_id = current_trace_id() or "-"
        return True


class RedactingFormatter(logging.Formatter):
    """Masks the finished line, traceback included: whatever a library logs passes through here."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def logging_settings(level: str, directory: Path) -> dict[str, Any]:
    """Return Django's `LOGGING`: the console, `out.log` with everything at `level`, `error.log` with errors."""
    directory.mkdir(parents=True, exist_ok=True)
    files = {
        "out": {"class": "logging.handlers.WatchedFileHandler", "filename": str(directory / "out.log")},
        "error": {
            "class": "logging.handlers.WatchedFileHandler",
            "filename": str(directory / "error.log"),
            "level": "ERROR",
        },
    }
    handlers: dict[str, dict[str, Any]] = {"console": {"class": "logging.StreamHandler"}}
    handlers |= {name: {**handler, "delay": True, "encoding": "utf-8"} for name, handler in files.items()}
    for handler in handlers.values():
        handler.update(formatter="line", filters=["trace", "strangers"])
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "trace": {"()": "balansity.logs.TraceFilter"},
            "strangers": {"()": "balansity.stranger_lines.StrangerLines"},
        },
        "formatters": {
            "line": {
                "()": "balansity.logs.RedactingFormatter",
                "format": "%(asctime)s %(levelname)s %(name)s [%(trace_id)s] %(message)s",
            }
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
            # Seven lines a document.
            "weasyprint.progress": {"level": "WARNING"},
        },
    }
