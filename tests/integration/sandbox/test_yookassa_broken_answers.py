"""Answers that the stand-in for YooKassa never gives, however badly it behaves."""

import itertools
import json
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from payments.yookassa import transport
from payments.yookassa.client import YooKassaClient
from payments.yookassa.errors import Unavailable
from payments.yookassa.transport import MOST_BYTES
from tests.support.yookassa_shop import payment_body

PAYMENT_ID = "23d93cac-000f-5000-8000-126628f15141"
PAYMENT = {
    "id": PAYMENT_ID,
    "status": "pending",
    "amount": {"value": "19.99", "currency": "RUB"},
    "created_at": "2026-11-23T11:30:00.000Z",
}


class _Scripted(socketserver.ThreadingTCPServer):
    daemon_threads = True
    requests = 0


@contextmanager
def answering(*pieces: bytes, pause: float = 0.0) -> Iterator[tuple[YooKassaClient, _Scripted]]:
    """A client of a server that says `pieces` to every request, with a pause after each, and hangs up."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            server.requests += 1
            length = 0
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            self.rfile.read(length)
            try:
                for piece in pieces:
                    self.wfile.write(piece)
                    time.sleep(pause)
            except OSError:
                # The client has had enough.
                return

    with _Scripted(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        api_url = f"http://127.0.0.1:{server.server_address[1]}/v3"
        client = YooKassaClient(shop_id="1", secret_key="2", api_url=api_url)
        yield client, server
        client.close()
        server.shutdown()
        thread.join()


def head(status: str = "200 OK", **headers: object) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\nConnection: close\r\n{lines}\r\n".encode()


def json_answer(body: Any) -> bytes:
    content = json.dumps(body).encode()
    return head(Content_Length=len(content)) + content


@pytest.mark.parametrize("missing", sorted(PAYMENT.keys() - {"created_at"}))
def test_a_payment_without_a_main_member_is_a_broken_answer(missing: str) -> None:
    broken = {name: value for name, value in PAYMENT.items() if name != missing}
    with answering(json_answer(broken)) as (client, _):
        with pytest.raises(Unavailable, match=missing) as created:
            client.create_payment(payment_body(), key="1")
        with pytest.raises(Unavailable, match=missing) as looked:
            client.get_payment(PAYMENT_ID)
    assert (created.value.outcome_unknown, looked.value.outcome_unknown) == (True, False)


def test_a_number_that_python_refuses_does_not_hide_the_list_it_stands_in() -> None:
    content = json.dumps({"items": [PAYMENT | {"test": "HUGE"}]}).replace('"HUGE"', "1" * 5000).encode()
    with answering(head(Content_Length=len(content)) + content) as (client, _):
        assert [payment.id for payment in client.list_payments().items] == [PAYMENT_ID]


def test_an_answer_about_another_payment_is_not_believed() -> None:
    with (
        answering(json_answer(PAYMENT | {"id": "another"})) as (client, _),
        pytest.raises(Unavailable, match="another"),
    ):
        client.get_payment(PAYMENT_ID)


def test_a_404_of_a_proxy_does_not_mean_that_there_is_no_payment() -> None:
    page = b"<html>404 Not Found</html>"
    with answering(head("404 Not Found", Content_Length=len(page)) + page) as (client, _), pytest.raises(Unavailable):
        client.get_payment(PAYMENT_ID)


def test_the_key_does_not_follow_a_redirect() -> None:
    with answering(json_answer(PAYMENT)) as (_, elsewhere):
        location = f"http://127.0.0.1:{elsewhere.server_address[1]}/v3/payments"
        moved = head("307 Temporary Redirect", Location=location, Content_Length=0)
        with answering(moved) as (client, _), pytest.raises(Unavailable) as unavailable:
            client.create_payment(payment_body(), key="1")
        assert unavailable.value.outcome_unknown
        assert elsewhere.requests == 0


def test_an_answer_that_breaks_off_is_no_answer() -> None:
    with answering(head(Content_Length=500) + b'{"id": "') as (client, _), pytest.raises(Unavailable) as unavailable:
        client.create_payment(payment_body(), key="1")
    assert unavailable.value.outcome_unknown


def test_what_is_not_http_is_no_answer() -> None:
    with answering(b"220 mail.example.org ESMTP\r\n\r\n") as (client, _), pytest.raises(Unavailable):
        client.get_payment(PAYMENT_ID)


def test_an_answer_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    # Each byte comes well within the timeout of a read. On this clock a look at it takes a second, and on any other all
    # of them take a minute, and make another fault.
    seconds = itertools.count()
    monkeypatch.setattr(transport, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    drops = [b" "] * 3000
    with (
        answering(head(), *drops, pause=0.02) as (client, _),
        pytest.raises(Unavailable, match="the answer took too long"),
    ):
        client.get_payment(PAYMENT_ID)


def test_an_answer_without_end_is_given_up() -> None:
    with (
        answering(head(), *[b" " * 65536] * (MOST_BYTES // 65536 + 16)) as (client, _),
        pytest.raises(Unavailable, match="the answer is too long"),
    ):
        client.get_payment(PAYMENT_ID)


def test_a_cookie_is_not_kept() -> None:
    content = json.dumps(PAYMENT).encode()
    with answering(head(Set_Cookie="session=1; Path=/", Content_Length=len(content)) + content) as (client, _):
        client.get_payment(PAYMENT_ID)
        assert not client._transport.get_session().cookies
