"""The stand-in as a whole: one port, its threads, and the hands that play payer and bank."""

import socket
import sys
import threading
from datetime import datetime
from http.server import ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from sandbox.yookassa.api import KEY, Api
from sandbox.yookassa.control import Control
from sandbox.yookassa.exchange import Reply, Request
from sandbox.yookassa.faults import Fault, FaultKind, Faults
from sandbox.yookassa.handler import API, Handler
from sandbox.yookassa.journal import ApiCall, Journal
from sandbox.yookassa.notifications import Notifications
from sandbox.yookassa.pages import WIDGET, Pages
from sandbox.yookassa.shop import Shop

Json = dict[str, Any]

_LOOK_SECONDS = 0.2


class YooKassaServer:
    """YooKassa on 127.0.0.1 for one shop, for the length of a `with` block; `port` 0 takes a free one.

    Nothing is kept when it stops. `expire_after` is how many seconds a payment may stay unpaid. The methods that act on
    payments and refunds return what YooKassa would show afterwards, and raise `ApiError` when the state forbids it.
    """

    def __init__(
        self,
        *,
        shop_id: str,
        secret_key: str,
        port: int = 0,
        notifications: Notifications | None = None,
        expire_after: float = 3600.0,
    ) -> None:
        self.host = "127.0.0.1"
        self.port = port
        self.faults = Faults()
        self.shop = Shop(shop_id, self._notify, pay_within=expire_after)
        self._journal = Journal()
        self._notifications = notifications or Notifications()
        self._ended = threading.Event()
        self._server: _Server | None = None
        self._threads: list[threading.Thread] = []
        self._secret_key = secret_key

    @property
    def page_url(self) -> str:
        return f"http://{self.host}:{self.port}/"

    @property
    def api_url(self) -> str:
        return f"http://{self.host}:{self.port}{API}"

    @property
    def widget_url(self) -> str:
        """The script that a shop's page includes."""
        return f"http://{self.host}:{self.port}{WIDGET}"

    @property
    def notifications(self) -> Notifications:
        return self._notifications

    @notifications.setter
    def notifications(self, replacement: Notifications) -> None:
        self._notifications.stop()
        self._notifications = replacement

    @property
    def requests(self) -> list[ApiCall]:
        """The calls of the API so far, oldest first."""
        return self._journal.calls()

    def fail(self, kind: FaultKind | str, **options: Any) -> None:
        """Let the next requests go wrong; `options` are the other members of `Fault`."""
        self.faults.add(Fault(FaultKind(kind), **options))

    def succeed(self, payment_id: str, *, method: str = "bank_card", at: datetime | None = None) -> Json:
        return self.shop.succeed(payment_id, method=method, at=at)

    def wait_for_capture(self, payment_id: str, *, method: str = "bank_card", at: datetime | None = None) -> Json:
        return self.shop.wait_for_capture(payment_id, method=method, at=at)

    def decline(self, payment_id: str, *, reason: str = "insufficient_funds", party: str = "") -> Json:
        return self.shop.decline(payment_id, reason=reason, party=party)

    def expire(self, payment_id: str) -> Json:
        return self.shop.expire(payment_id)

    def succeed_refund(self, refund_id: str) -> Json:
        return self.shop.succeed_refund(refund_id)

    def cancel_refund(self, refund_id: str, *, reason: str = "insufficient_funds") -> Json:
        return self.shop.cancel_refund(refund_id, reason=reason)

    def register_receipt(self, object_id: str, *, state: str = "succeeded") -> Json:
        return self.shop.register_receipt(object_id, state=state)

    def answer(self, request: Request) -> Reply | None:
        """Answer a request of the API, whose path comes without `/v3`, to somebody in this process.

        `None` where that would not be what a socket brings: nobody listens, or a fault is to come.
        """
        if self._server is None or self.faults.are_to_come:
            return None
        reply = self._api.answer(request)
        self._journal.note(
            method=request.method,
            path=request.path,
            key=request.headers.get(KEY.lower(), ""),
            status=reply.status,
            fault="",
        )
        return reply

    def start(self) -> None:
        """Listen. Raises `OSError` when the port is taken."""
        self._api = Api(self.shop, self._secret_key)
        handler = type(
            "ShopHandler",
            (Handler,),
            {
                "api": self._api,
                "control": Control(self.shop, self.faults, self._journal, lambda: self._notifications),
                "pages": Pages(self.shop),
                "faults": self.faults,
                "journal": self._journal,
                "ended": self._ended,
            },
        )
        self._ended.clear()
        self._server = _Server((self.host, self.port), handler)
        self.port = self._server.server_address[1]
        self.shop.page_url = self.page_url
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(0.05,), name="yookassa", daemon=True),
            threading.Thread(target=self._expire, name="yookassa-expiry", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Close the port and every connection, and send no notification any more. Without effect when it is stopped."""
        if self._server is None:
            return
        self._ended.set()
        self._server.shutdown()
        self._server.break_connections()
        self._server.server_close()
        self._server = None
        for thread in self._threads:
            thread.join(timeout=30)
        self._notifications.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _notify(self, event: str, shown: Json) -> None:
        self._notifications.notify(event, shown)

    def _expire(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            self.shop.expire_due()


class _Server(ThreadingHTTPServer):
    # `server_close` waits for the threads, so that a stopped server does nothing any more.
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[Handler]) -> None:
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def close_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Clients that hang up in the middle of a sentence are what the faults are for.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def break_connections(self) -> None:
        with self._guard:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    # It was closed from the other side the moment before.
                    continue
