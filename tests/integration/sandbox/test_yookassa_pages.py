import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.yookassa import YooKassaServer
from tests.support.yookassa_shop import SECRET_KEY, SHOP_ID, payment_body


@pytest.fixture
def server() -> Iterator[YooKassaServer]:
    with YooKassaServer(shop_id=SHOP_ID, secret_key=SECRET_KEY) as running:
        yield running


def page(server: YooKassaServer, path: str, form: dict[str, str] | None = None) -> tuple[int, str]:
    """Open a page, or send a form and follow to the page after it."""
    content = urllib.parse.urlencode(form).encode() if form is not None else None
    try:
        with urllib.request.urlopen(f"{server.page_url}{path}", content, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def make_payment(server: YooKassaServer, value: str = "5000.00", **members: Any) -> dict[str, Any]:
    return server.shop.create_payment(payment_body(value, **members))


def test_the_list_shows_every_payment_with_its_amount_in_russian(server: YooKassaServer) -> None:
    assert "Платежей ещё нет" in page(server, "")[1]
    payment = make_payment(server)
    text = page(server, "")[1]
    assert "5\N{NO-BREAK SPACE}000,00\N{NO-BREAK SPACE}₽" in text
    assert f"/pay/{payment['id']}" in text
    assert "ожидает оплаты" in text


def test_what_the_shop_sends_is_text_and_no_markup(server: YooKassaServer) -> None:
    hostile = "<script>alert(1)</script>'\""
    payment = make_payment(server, description=hostile, metadata={"<b>": hostile})
    server.decline(payment["id"], reason="<img>")
    for path in ("", f"pay/{payment['id']}", f"widget?token={payment['confirmation']['confirmation_token']}"):
        text = page(server, path)[1]
        assert "<script>alert" not in text
        assert "<img>" not in text
        assert "<b>" not in text


def test_a_person_pays_and_refunds_with_buttons(server: YooKassaServer) -> None:
    payment_id = make_payment(server)["id"]
    assert "Оплатить" in page(server, f"pay/{payment_id}")[1]
    status, paid = page(server, f"pay/{payment_id}/pay", {"method": "sbp"})
    assert (status, "оплачен" in paid, "СБП" in paid) == (200, True, True)
    assert "возвращён" in page(server, f"pay/{payment_id}/refund", {"amount": "1200,50"})[1]
    assert server.shop.payment(payment_id)["refunded_amount"]["value"] == "1200.50"
    status, text = page(server, f"pay/{payment_id}/refund", {"amount": "5000"})
    assert (status, "Не получилось" in text) == (400, True)
    assert server.shop.payment(payment_id)["refunded_amount"]["value"] == "1200.50"


@pytest.mark.parametrize(
    ("action", "form", "reason"),
    [
        ("decline", {"reason": "card_expired"}, "card_expired"),
        ("leave", {}, "expired_on_confirmation"),
    ],
)
def test_a_person_declines_or_leaves(server: YooKassaServer, action: str, form: dict[str, str], reason: str) -> None:
    payment_id = make_payment(server)["id"]
    assert "отменён" in page(server, f"pay/{payment_id}/{action}", form)[1]
    assert server.shop.payment(payment_id)["cancellation_details"]["reason"] == reason


def test_reserved_money_has_its_own_buttons(server: YooKassaServer) -> None:
    first, second = (make_payment(server, capture=False)["id"] for _ in range(2))
    for payment_id in (first, second):
        assert "деньги заблокированы" in page(server, f"pay/{payment_id}/pay", {})[1]
    assert "оплачен" in page(server, f"pay/{first}/capture", {})[1]
    assert "Отменён магазином" in page(server, f"pay/{second}/cancel", {})[1]


def test_the_payer_finds_the_way_back_to_the_shop(server: YooKassaServer) -> None:
    back = "http://127.0.0.1/back?a=1&b='2'"
    payment = make_payment(server, confirmation={"type": "redirect", "return_url": back})
    assert payment["confirmation"]["confirmation_url"] == f"{server.page_url}pay/{payment['id']}"
    text = page(server, f"pay/{payment['id']}/pay", {})[1]
    assert "href='http://127.0.0.1/back?a=1&amp;b=&#x27;2&#x27;'" in text


@pytest.mark.parametrize(("action", "outcome"), [("pay", "success"), ("decline", "fail"), ("leave", "token_expired")])
def test_the_embedded_form_tells_its_outcome(server: YooKassaServer, action: str, outcome: str) -> None:
    payment = make_payment(server)
    token = payment["confirmation"]["confirmation_token"]
    text = page(server, f"widget?token={token}")[1]
    assert "data-outcome=''" in text
    assert set(re.findall(r"action='(/[^']+)'", text)) == {"/widget/pay", "/widget/decline", "/widget/leave"}
    after = page(server, f"widget/{action}", {"token": token, "reason": "call_issuer"})[1]
    assert f"data-outcome='{outcome}'" in after


def test_a_payer_cannot_refund(server: YooKassaServer) -> None:
    payment = make_payment(server)
    server.succeed(payment["id"])
    token = payment["confirmation"]["confirmation_token"]
    assert page(server, "widget/refund", {"token": token, "amount": "1"})[0] == 404
    assert server.shop.payment(payment["id"])["refunded_amount"]["value"] == "0.00"


def test_an_unknown_token_is_told_to_the_shops_page(server: YooKassaServer) -> None:
    assert "data-outcome='invalid_token'" in page(server, "widget?token=ct-unknown")[1]


def test_only_the_embedded_form_may_be_framed(server: YooKassaServer) -> None:
    payment = make_payment(server)
    policies = {}
    for path in ("", f"pay/{payment['id']}", f"widget?token={payment['confirmation']['confirmation_token']}"):
        with urllib.request.urlopen(f"{server.page_url}{path}", timeout=10) as response:
            policies[path.partition("?")[0].partition("/")[0]] = response.headers["Content-Security-Policy"]
    assert {name: "frame-ancestors 'none'" in policy for name, policy in policies.items()} == {
        "": True,
        "pay": True,
        "widget": False,
    }


@pytest.mark.parametrize("path", ["checkout-widget/v1/checkout-widget.js", "frame.js", "page.css"])
def test_pages_have_their_files_here(server: YooKassaServer, path: str) -> None:
    assert page(server, path)[0] == 200


@pytest.mark.parametrize("path", ["static/../shop.py", "..%2fshop.py", "pay/unknown", "nothing"])
def test_there_is_nothing_else(server: YooKassaServer, path: str) -> None:
    assert page(server, path)[0] == 404
