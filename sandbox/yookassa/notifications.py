"""Notifications to the shop: at least once, repeated until they are answered 200, and worse than that on demand."""

import heapq
import http.client
import json
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

# YooKassa goes on for 24 hours; here a day lasts two minutes.
REPEATS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
_MOST_ATTEMPTS = 10_000
_SENDERS = 4


@dataclass(frozen=True, slots=True)
class NotificationAttempt:
    """One try. `status` is 0 where no answer came, and `error` says why; `number` counts from 1."""

    at: datetime
    event: str
    object_id: str
    url: str
    number: int
    status: int
    error: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"at": self.at.isoformat()}


@dataclass(frozen=True, slots=True)
class _Delivery:
    event: str
    object_id: str
    url: str
    content: bytes
    number: int = 1

    def again(self) -> "_Delivery":
        return replace(self, number=self.number + 1)


@dataclass(frozen=True, slots=True)
class _Manner:
    urls: tuple[str, ...]
    copies: int
    delay: float
    hold: bool
    repeats: tuple[float, ...]
    forwarded_for: str
    timeout: float

    def changed(self, changes: dict[str, Any]) -> "_Manner":
        lists: dict[str, Any] = {name: tuple(changes[name]) for name in ("urls", "repeats") if name in changes}
        return replace(self, **{**changes, **lists})


class Notifications:
    """Sends the events of a shop to `urls`, `copies` times each, `delay` seconds late.

    With `hold` they are kept until `release`. Anything but 200 is repeated after the pauses in `repeats`, in seconds.
    `forwarded_for` becomes X-Forwarded-For, as if a proxy stood in between. Each answer may take `timeout` seconds.
    """

    def __init__(
        self,
        *urls: str,
        copies: int = 1,
        delay: float = 0.0,
        hold: bool = False,
        repeats: Sequence[float] = REPEATS,
        forwarded_for: str = "",
        timeout: float = 5.0,
    ) -> None:
        self._manner = _Manner(urls, copies, delay, hold, tuple(repeats), forwarded_for, timeout)
        self._due: list[tuple[float, int, _Delivery]] = []
        self._held: list[_Delivery] = []
        self._attempts: list[NotificationAttempt] = []
        self._counter = self._in_flight = 0
        self._changed = threading.Condition()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def configure(self, **changes: Any) -> None:
        """Change what the initialiser was given (`urls` as a list), for the events to come. Raises `TypeError`."""
        with self._changed:
            self._manner = self._manner.changed(changes)

    @property
    def attempts(self) -> list[NotificationAttempt]:
        """Every try so far, oldest first."""
        with self._changed:
            return list(self._attempts)

    @property
    def held(self) -> int:
        """How many wait for `release`."""
        with self._changed:
            return len(self._held)

    @property
    def settled(self) -> bool:
        """Whether nothing is on its way or to be repeated. What is held does not count."""
        with self._changed:
            return not self._due and not self._in_flight

    def notify(self, event: str, shown: dict[str, Any]) -> None:
        """Send `event` about an object, in the background."""
        content = json.dumps({"type": "notification", "event": event, "object": shown}, ensure_ascii=False).encode()
        with self._changed:
            manner = self._manner
            for delivery in [_Delivery(event, shown["id"], url, content) for url in manner.urls] * manner.copies:
                if manner.hold:
                    self._held.append(delivery)
                else:
                    self._schedule(delivery, manner.delay)

    def release(self, order: str | Sequence[int] = "as_is") -> list[NotificationAttempt]:
        """Send what was held, one after the other, and return what came of it.

        `order` is `as_is`, `reversed`, or the positions to send (from 0; one may come twice, or not at all).
        """
        with self._changed:
            held, self._held = self._held, []
        if order == "reversed":
            held.reverse()
        elif not isinstance(order, str):
            held = [held[position] for position in order]
        return [self._send(delivery) for delivery in held]

    def stop(self) -> None:
        """Forget what was not sent yet; returns once nothing is on its way. Later events are sent again."""
        with self._changed:
            self._stopped = True
            self._due.clear()
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()
        with self._changed:
            self._stopped, self._thread = False, None

    def _schedule(self, delivery: _Delivery, seconds: float) -> None:
        if self._stopped:
            return
        self._counter += 1
        heapq.heappush(self._due, (time.monotonic() + seconds, self._counter, delivery))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="notifications", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _run(self) -> None:
        with ThreadPoolExecutor(_SENDERS, "notification") as senders:
            while (delivery := self._next()) is not None:
                senders.submit(self._send_counted, delivery)

    def _next(self) -> _Delivery | None:
        with self._changed:
            while not self._stopped:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    self._in_flight += 1
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait)
        return None

    def _send_counted(self, delivery: _Delivery) -> None:
        try:
            self._send(delivery)
        finally:
            with self._changed:
                self._in_flight -= 1

    def _send(self, delivery: _Delivery) -> NotificationAttempt:
        status, error = self._post(delivery)
        attempt = NotificationAttempt(
            datetime.now(UTC), delivery.event, delivery.object_id, delivery.url, delivery.number, status, error
        )
        with self._changed:
            self._attempts.append(attempt)
            del self._attempts[:-_MOST_ATTEMPTS]
            repeats = self._manner.repeats
            if status != http.client.OK and delivery.number <= len(repeats):
                self._schedule(delivery.again(), repeats[delivery.number - 1])
        return attempt

    def _post(self, delivery: _Delivery) -> tuple[int, str]:
        url, manner = urlsplit(delivery.url), self._manner
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        connection = kind(url.hostname or "", url.port, timeout=manner.timeout)
        headers = {"Content-Type": "application/json", "User-Agent": "AHC/2.1"}
        if manner.forwarded_for:
            headers["X-Forwarded-For"] = manner.forwarded_for
        try:
            connection.request("POST", url._replace(scheme="", netloc="").geturl() or "/", delivery.content, headers)
            response = connection.getresponse()
            response.read()
            return response.status, ""
        except (OSError, http.client.HTTPException) as error:
            return 0, type(error).__name__
        finally:
            connection.close()
