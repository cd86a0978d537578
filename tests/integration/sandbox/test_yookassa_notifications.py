import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sandbox.yookassa import Notifications, Status, YooKassaServer
from tests.acceptance.waiting import wait_until
from tests.support.yookassa_shop import SECRET_KEY, SHOP_ID, payment_body, refund_body


@dataclass(frozen=True)
class Received:
    body: dict[str, Any]
    forwarded_for: str | None
    at: float


class Receiver:
    """A shop's address for notifications; answers with `statuses` in turn, and then with 200."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.statuses: list[int] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.received.append(Received(body, self.headers["X-Forwarded-For"], time.monotonic()))
                self.send_response(outer.statuses.pop(0) if outer.statuses else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook?from=yookassa"

    @property
    def events(self) -> list[str]:
        return [one.body["event"] for one in self.received]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture
def server(receiver: Receiver) -> Iterator[YooKassaServer]:
    notifications = Notifications(receiver.url, repeats=(0.05, 0.05, 0.05))
    with YooKassaServer(shop_id=SHOP_ID, secret_key=SECRET_KEY, notifications=notifications) as running:
        yield running


def settle(server: YooKassaServer) -> None:
    wait_until(lambda: server.notifications.settled, "all notifications have arrived")


def make_payment(server: YooKassaServer, **members: Any) -> str:
    return str(server.shop.create_payment(payment_body(**members))["id"])


def test_each_event_is_told_with_a_picture_of_its_object(server: YooKassaServer, receiver: Receiver) -> None:
    payment_id = make_payment(server, capture=False)
    server.wait_for_capture(payment_id)
    settle(server)
    server.shop.capture(payment_id, {})
    settle(server)
    refund = server.shop.create_refund(refund_body(payment_id, "1.00"))
    settle(server)
    server.decline(make_payment(server))
    settle(server)
    assert receiver.events == [
        "payment.waiting_for_capture",
        "payment.succeeded",
        "refund.succeeded",
        "payment.canceled",
    ]
    assert {one.body["type"] for one in receiver.received} == {"notification"}
    objects = [one.body["object"] for one in receiver.received]
    assert [one["status"] for one in objects] == ["waiting_for_capture", "succeeded", "succeeded", "canceled"]
    assert objects[2] == refund


def test_a_failed_refund_is_not_told(server: YooKassaServer, receiver: Receiver) -> None:
    payment_id = make_payment(server)
    server.succeed(payment_id)
    server.shop.refund_status = Status.CANCELED
    server.shop.create_refund(refund_body(payment_id, "1.00"))
    settle(server)
    assert receiver.events == ["payment.succeeded"]


def test_anything_but_200_is_repeated_until_it_comes(server: YooKassaServer, receiver: Receiver) -> None:
    receiver.statuses = [500, 404, 201]
    payment_id = make_payment(server)
    server.succeed(payment_id)
    settle(server)
    assert [(one.number, one.status) for one in server.notifications.attempts] == [
        (1, 500),
        (2, 404),
        (3, 201),
        (4, 200),
    ]
    assert [one.body["object"]["id"] for one in receiver.received] == [payment_id] * 4


def test_it_is_given_up_when_the_repeats_are_used_up(server: YooKassaServer, receiver: Receiver) -> None:
    receiver.statuses = [500] * 10
    server.succeed(make_payment(server))
    settle(server)
    assert [one.number for one in server.notifications.attempts] == [1, 2, 3, 4]


def test_an_address_where_nobody_listens_is_tried_again(receiver: Receiver) -> None:
    with YooKassaServer(shop_id=SHOP_ID, secret_key=SECRET_KEY) as server:
        server.notifications = Notifications("http://127.0.0.1:9/", repeats=(0.01,))
        server.succeed(make_payment(server))
        settle(server)
        assert [(one.status, one.error) for one in server.notifications.attempts] == [(0, "ConnectionRefusedError")] * 2


def test_copies_delays_and_proxies_are_played_on_demand(server: YooKassaServer, receiver: Receiver) -> None:
    server.notifications = Notifications(receiver.url, copies=3, delay=0.2, forwarded_for="185.71.76.1")
    started = time.monotonic()
    server.succeed(make_payment(server))
    settle(server)
    assert receiver.events == ["payment.succeeded"] * 3
    assert {one.forwarded_for for one in receiver.received} == {"185.71.76.1"}
    assert min(one.at for one in receiver.received) - started >= 0.2


def test_what_is_held_comes_in_the_order_that_is_asked_for(server: YooKassaServer, receiver: Receiver) -> None:
    server.notifications.configure(hold=True)
    for order, expected in (
        ("as_is", ["payment.waiting_for_capture", "payment.succeeded"]),
        ("reversed", ["payment.succeeded", "payment.waiting_for_capture"]),
        ([1, 0, 1], ["payment.succeeded", "payment.waiting_for_capture", "payment.succeeded"]),
    ):
        receiver.received.clear()
        payment_id = make_payment(server, capture=False)
        server.wait_for_capture(payment_id)
        server.shop.capture(payment_id, {})
        assert (server.notifications.held, receiver.events) == (2, [])
        sent = server.notifications.release(order)
        assert receiver.events == [one.event for one in sent] == expected
        assert server.notifications.held == 0


def test_a_stopped_server_forgets_its_repeats(server: YooKassaServer, receiver: Receiver) -> None:
    server.notifications.configure(repeats=[30.0])
    receiver.statuses = [500]
    server.succeed(make_payment(server))
    wait_until(lambda: server.notifications.attempts, "the first try")
    server.stop()
    assert server.notifications.settled
    assert len(receiver.received) == 1
