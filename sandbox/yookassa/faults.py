"""What goes wrong with requests of the API, on demand: the next ones that match, before or after they took effect."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Self

from sandbox.yookassa.errors import ApiError
from sandbox.yookassa.exchange import Reply, json_reply

_PAGE = (
    b"<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
)


class FaultKind(StrEnum):
    # The right answer, `seconds` late; the request takes effect even when the client does not wait for that.
    SLOW = "slow"
    # No answer: the connection stays open for `seconds` (0: until the client gives up).
    SILENT = "silent"
    ERROR_500 = "500"
    TOO_MANY_REQUESTS = "429"
    PROCESSING = "202"
    BROKEN_JSON = "broken_json"
    HTML_502 = "html_502"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Fault:
    """`times` requests go wrong, of one `method` or path (without `/v3`) that begins with `path`, or of any.

    `after` lets the request take effect first: the payment exists, and nobody is told. `seconds` is how long to be slow
    or silent, or what 429, 500 and 202 ask the client to wait (0: they do not say).
    """

    kind: FaultKind
    times: int = 1
    after: bool = False
    seconds: float = 0.0
    method: str = ""
    path: str = ""

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Raises `ValueError` or `TypeError`."""
        return cls(**(dict(raw) | {"kind": FaultKind(raw.get("kind", ""))}))

    def concerns(self, method: str, path: str) -> bool:
        return self.method in ("", method) and path.startswith(self.path)

    def reply(self) -> Reply:
        """What is answered; not for `SLOW`, `SILENT` and `RESET`."""
        pause = {"Retry-After": f"{self.seconds:g}"} if self.seconds else {}
        match self.kind:
            case FaultKind.ERROR_500:
                error = ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal server error")
                return json_reply(error.to_json(), error.status, pause)
            case FaultKind.TOO_MANY_REQUESTS:
                error = ApiError(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests")
                return json_reply(error.to_json(), error.status, pause)
            case FaultKind.PROCESSING:
                busy = {"type": "processing", "description": "Request accepted, but not processed yet"}
                wait = {"retry_after": int(self.seconds * 1000)} if self.seconds else {}
                return json_reply(busy | wait, HTTPStatus.ACCEPTED)
            case FaultKind.BROKEN_JSON:
                return Reply(HTTPStatus.OK, b'{"id": "2d1f', "application/json")
            case FaultKind.HTML_502:
                return Reply(HTTPStatus.BAD_GATEWAY, _PAGE, "text/html")
            case FaultKind.SLOW | FaultKind.SILENT | FaultKind.RESET:
                raise ValueError(f"{self.kind} has no answer of its own")


class Faults:
    """The faults to come. The oldest that matches a request is used up first."""

    def __init__(self) -> None:
        self._pending: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._pending.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._pending.clear()

    @property
    def are_to_come(self) -> bool:
        with self._lock:
            return bool(self._pending)

    def take(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for number, fault in enumerate(self._pending):
                if fault.concerns(method, path):
                    left = replace(fault, times=fault.times - 1)
                    self._pending[number : number + 1] = [left] if left.times > 0 else []
                    return fault
        return None


def wait_while(seconds: float, ended: threading.Event, client_waits: Callable[[], bool]) -> None:
    """Do nothing for `seconds` (0: without end), until the server stops, or until the client has gone."""
    deadline = time.monotonic() + seconds if seconds else float("inf")
    while (left := deadline - time.monotonic()) > 0 and client_waits() and not ended.wait(min(left, 0.02)):
        continue
