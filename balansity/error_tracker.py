"""Errors of ours, told to a tracker that speaks Sentry's protocol: `SENTRY_DSN`. Without it nothing of this is loaded.

What is logged as an error with its traceback is told, which is every error that nobody foresaw: of requests, tasks,
bridge and beat. Nothing is gathered for it: no request, no local variable, no argument of a task; and what is sent is
put together anew from what may leave (`told`), by the redactor of the log and more strictly: what a text holds that is
not of our alphabet, and what stands below its first line, is somebody's data.
"""

import atexit
import logging
import re
from collections.abc import Mapping
from typing import Any

import sentry_sdk
from django.conf import settings
from sentry_sdk.consts import CompressionAlgo
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.transport import HttpTransport

from balansity.logs import TraceFilter
from balansity.redaction import redact
from bridge.seldom import FewAnHour, Seldom
from wording.masking import mask_tokens

logger = logging.getLogger(__name__)

MOST_AN_HOUR = 30
MOST_CHARACTERS = 300
SECONDS = 5
# Of the frame of a traceback. No variables, no path of this machine, and no source: whoever mends it has that.
_OF_A_FRAME = ("filename", "module", "function", "lineno", "in_app")
_OF_AN_EVENT = ("event_id", "timestamp", "level", "platform", "logger", "release", "environment", "server_name", "sdk")
_OF_A_LINE = ("event", "queue", "msg_id", "attempt", "trace_id")
_FOREIGN = re.compile(r"[^\x00-\x7f]+")
# Whatever Django's own lines about it hold, it is about what anybody sends.
_OF_STRANGERS = "django.security"

_errors = FewAnHour(MOST_AN_HOUR)
_losses = Seldom()


class Tracker(HttpTransport):
    """Sends from a thread of its own, waits for no answer for long, and says once an hour that there is none."""

    TIMEOUT = SECONDS

    def _get_pool_options(self) -> dict[str, Any]:
        # A repeat would be a line of urllib3 each.
        return {**super()._get_pool_options(), "retries": False}

    def on_dropped_event(self, _reason: str) -> None:
        if number := _losses.tell(_reason):
            logger.warning("errors are not told to SENTRY_DSN (%s): %s more since this was said last", _reason, number)


def begin(process: str) -> None:
    """Tell the errors of this process, which is of this kind, from now on."""
    sentry_sdk.init(
        dsn=settings.SENTRY_DSN,
        environment=settings.SENTRY_ENVIRONMENT,
        # Never empty: the SDK would look for a program called git then.
        release=settings.SENTRY_RELEASE or "balansity",
        transport=Tracker,
        before_send=lambda event, hint: told(event, hint, process),
        before_send_transaction=_nothing,
        before_breadcrumb=_nothing,
        max_breadcrumbs=0,
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[LoggingIntegration(level=None, event_level=logging.ERROR), DedupeIntegration()],
        include_local_variables=False,
        include_source_context=False,
        max_request_body_size="never",
        propagate_traces=False,
        auto_session_tracking=False,
        send_client_reports=False,
        enable_backpressure_handling=False,
        enable_logs=False,
        enable_metrics=False,
        spotlight=False,
        debug=False,
        shutdown_timeout=1,
        # Trackers beside Sentry's own know no other.
        _experiments={"transport_compression_algo": CompressionAlgo.GZIP},
    )
    # Not by the SDK's own integration, which prints.
    atexit.register(sentry_sdk.flush, 1)


def told(event: Mapping[str, Any], hint: Mapping[str, Any], process: str) -> Any:
    """What may leave of an event; `None` for one that is not worth it. The `before_send`."""
    record: logging.LogRecord | None = hint.get("log_record")
    found = [_error(error) for error in dict(event.get("exception") or {}).get("values") or []]
    if not found or (record is not None and _is_of_strangers(record)):
        return None
    kind = f"{found[-1]['type']} {_place(found[-1])}"
    if _errors.tell(kind) is None:
        return None
    clean = {name: event[name] for name in _OF_AN_EVENT if name in event}
    clean |= {"exception": {"values": found}, "tags": {"process": process}}
    if record is not None:
        TraceFilter().filter(record)
        known = {name: record.__dict__.get(name) for name in _OF_A_LINE}
        clean["tags"] |= {name: plain(str(value)) for name, value in known.items() if value not in (None, "-")}
        clean["logentry"] = {"formatted": plain(record.getMessage())}
        request = getattr(record, "request", None)
        if request is not None and hasattr(request, "method"):
            # Piece by piece: a slash may stand in an address of mail.
            path = "/".join(map(plain, mask_tokens(request.path).split("/")))
            clean["request"] = {"method": str(request.method), "url": path}
    return clean


def plain(text: str) -> str:
    """The first line of a text, cut and redacted, without what is not of our alphabet."""
    first = redact(text.strip().partition("\n")[0][: 20 * MOST_CHARACTERS])
    return _FOREIGN.sub("…", first)[:MOST_CHARACTERS]


def _error(error: Mapping[str, Any]) -> dict[str, Any]:
    frames = dict(error.get("stacktrace") or {}).get("frames") or []
    kept = [{name: frame[name] for name in _OF_A_FRAME if name in frame} for frame in frames]
    return {
        "type": str(error.get("type") or "Error"),
        "module": error.get("module"),
        "value": plain(str(error.get("value") or "")),
        "stacktrace": {"frames": kept},
    }


def _place(error: Mapping[str, Any]) -> str:
    frames = error["stacktrace"]["frames"]
    return f"{frames[-1].get('filename')}:{frames[-1].get('lineno')}" if frames else ""


def _is_of_strangers(record: logging.LogRecord) -> bool:
    is_refusal = record.name == "django.request" and int(getattr(record, "status_code", 500)) < 500
    return is_refusal or record.name.startswith(_OF_STRANGERS)


def _nothing(_one: Any, _hint: Any) -> None:
    """No traces and no trail of what happened before: both carry what people do."""
