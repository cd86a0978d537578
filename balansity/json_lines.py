"""Log lines as JSON, one object a line, for whoever collects them: `LOG_FORMAT=json`.

Each has `time`, `level`, `logger`, `process` and `message`; those about a delivery also `event`, `queue`, `msg_id`,
`attempt`, `seconds` and `trace_id`; one about an error `exception`, its traceback. What a library adds comes along.
Nothing is written that the redactor has not seen: each value by itself, and by its name.
"""

import json
import logging
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from balansity.redaction import is_secret_name, redact

# Docker cuts a line after 16 KB, and half a JSON object is none.
MOST_MESSAGE, MOST_EXCEPTION, MOST_VALUE, MOST_KEYS, MOST_DEPTH = 2000, 4000, 300, 25, 4
MOST_BYTES = 16_000
# What is ours for a while, or says in Python's words what stands there already.
_NOT_SHOWN = {*RESERVED_ATTRS, "is_worth_a_line", "taskName", "color_message", "request", "data", "response"}
_OURS = ("time", "level", "logger", "process", "message")
_KNOWN = {*_OURS, "event", "queue", "msg_id", "attempt", "seconds", "trace_id", "exception"}
# A reader would take these for the end of the line.
_ENDS_OF_LINES = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}


class JsonLines(JsonFormatter):
    """`process` is the kind of the process that writes."""

    def __init__(self, process: str) -> None:
        super().__init__("%(message)s", reserved_attrs=sorted(_NOT_SHOWN))
        self._process = process

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        message, exception = str(log_data.pop("message", "")), log_data.pop("exc_info", None)
        stack = log_data.pop("stack_info", None)
        told = {
            **{name: log_data.pop(name) for name in ("time", "level", "logger")},
            "process": self._process,
            "message": _cut(redact(message), MOST_MESSAGE),
        }
        more = {name: value for name, value in log_data.items() if name not in _OURS and value not in (None, "-")}
        # Ours first: they are never those that are too many.
        names = sorted(more, key=lambda name: name not in _KNOWN)[:MOST_KEYS]
        told |= {_cut(redact(str(name)), MOST_VALUE): shown(more[name], str(name)) for name in names}
        if exception or stack:
            told["exception"] = _cut_before(redact(str(exception or stack)), MOST_EXCEPTION)
        return told

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        super().add_fields(log_data, record, message_dict)
        log_data["time"] = _utc(record.created)
        log_data["level"], log_data["logger"] = record.levelname.lower(), record.name

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        line, most = _line(log_data), MOST_EXCEPTION
        while len(line.encode()) > MOST_BYTES:
            # What others added goes first. Odd characters take six bytes each.
            log_data = {name: value for name, value in log_data.items() if name in _KNOWN} | {"cut": True}
            log_data["message"] = _cut(log_data["message"], most)
            if "exception" in log_data:
                log_data["exception"] = _cut_before(log_data["exception"], most)
            line, most = _line(log_data), most // 2
        return line


def shown(value: Any, name: str = "", depth: int = 0) -> Any:
    """A value as it may be written: without secrets, within bounds, and of JSON's own kinds."""
    if name and value not in (None, "") and is_secret_name(name):
        return "***"
    match value:
        case None | bool():
            return value
        case int():
            # A number may be somebody's telephone.
            return value if redact(str(value)) == str(value) else redact(str(value))
        case float():
            return value if math.isfinite(value) else str(value)
        case Mapping() if depth < MOST_DEPTH:
            pairs = list(value.items())[:MOST_KEYS]
            return {_cut(redact(str(key)), MOST_VALUE): shown(one, str(key), depth + 1) for key, one in pairs}
        case list() | tuple() | set() | frozenset() if depth < MOST_DEPTH:
            return [shown(one, name, depth + 1) for one in list(value)[:MOST_KEYS]]
    try:
        text = value if isinstance(value, str) else str(value)
    except Exception:  # noqa: BLE001 - Whatever a foreign class does in there, the line is worth more than this value.
        text = f"<{type(value).__name__}>"
    return _cut(redact(text), MOST_VALUE)


def _line(told: dict[str, Any]) -> str:
    text = json.dumps(told, ensure_ascii=False, default=str).translate(_ENDS_OF_LINES)
    # Half a character of a broken text can be written nowhere; as JSON spells it, it can.
    return text.encode("utf-8", "backslashreplace").decode()


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def _cut_before(text: str, most: int) -> str:
    """The end of a traceback says what went wrong."""
    return text if len(text) <= most else f"…{text[-most:]}"
