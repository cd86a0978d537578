import json
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest

from sandbox.yookassa import YooKassaServer
from tests.support.yookassa_shop import SECRET_KEY, SHOP_ID, amount, call, client_of, payment_body, receipt


@pytest.fixture
def server() -> Iterator[YooKassaServer]:
    with YooKassaServer(shop_id=SHOP_ID, secret_key=SECRET_KEY) as running:
        yield running


def test_an_error_looks_like_yookassas(server: YooKassaServer) -> None:
    status, error = call(f"{server.api_url}/payments", payment_body("0"))
    assert status == 400
    assert set(error) == {"type", "id", "code", "description", "parameter"}
    assert (error["type"], error["code"], error["parameter"]) == ("error", "invalid_request", "amount.value")


@pytest.mark.parametrize("login", ["", "100500:wrong", "1:test_key-of-nobody", "100500"])
def test_without_the_right_login_nothing_is_told_or_done(server: YooKassaServer, login: str) -> None:
    status, error = call(f"{server.api_url}/payments", payment_body(), login=login)
    assert (status, error["code"]) == (401, "invalid_credentials")
    assert client_of(server).list_payments().items == ()


@pytest.mark.parametrize(
    ("change", "parameter"),
    [
        ({"amount": None}, "amount"),
        (amount(19.99), "amount.value"),
        (amount("-1.00"), "amount.value"),
        (amount("1.001"), "amount.value"),
        (amount("1,00"), "amount.value"),
        (amount("0.00"), "amount.value"),
        (amount("1.00", "USD"), "amount.currency"),
        ({"description": "x" * 129}, "description"),
        ({"metadata": {str(number): "" for number in range(17)}}, "metadata"),
        ({"metadata": {"x" * 33: ""}}, "metadata"),
        ({"metadata": {"a": "x" * 513}}, "metadata.a"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"capture": "yes"}, "capture"),
        ({"confirmation": {}}, "confirmation.type"),
        ({"confirmation": {"type": "carrier_pigeon"}}, "confirmation.type"),
        ({"confirmation": {"type": "mobile_application"}}, "confirmation.return_url"),
        ({"confirmation": {"type": "redirect", "return_url": "/back"}}, "confirmation.return_url"),
        ({"confirmation": {"type": "redirect", "return_url": f"https://{'x' * 2048}"}}, "confirmation.return_url"),
        ({"confirmation": {"type": "embedded", "returnUrl": "https://example.org"}}, "confirmation.returnUrl"),
        ({"confirmation": {"type": "embedded", "locale": "de_DE"}}, "confirmation.locale"),
        ({"merchant_customer_id": "x" * 201}, "merchant_customer_id"),
        ({"save_payment_method": 1}, "save_payment_method"),
        ({"transfers": {}}, "transfers"),
        ({"airline": []}, "airline"),
        ({"payment_method_data": {"type": "mobile_balance"}}, "payment_method_data.phone"),
        ({"confirmation": {"type": "redirect"}}, "confirmation.return_url"),
        ({"confirmation": {"type": "redirect", "return_url": "javascript:alert(1)"}}, "confirmation.return_url"),
        ({"payment_method_data": {"type": "barter"}}, "payment_method_data.type"),
        ({"desciption": "a typing error"}, "desciption"),
        ({"receipt": receipt("19.98")}, "receipt.items"),
        ({"receipt": receipt("19.99", quantity=2)}, "receipt.items"),
        ({"receipt": receipt("19.99", quantity=0)}, "receipt.items[0].quantity"),
        ({"receipt": receipt("19.99", vat_code=0)}, "receipt.items[0].vat_code"),
        ({"receipt": receipt("19.99", vat_code=13)}, "receipt.items[0].vat_code"),
        ({"receipt": receipt("19.99", vat_code="13")}, "receipt.items[0].vat_code"),
        ({"receipt": receipt("19.99", measure="pound")}, "receipt.items[0].measure"),
        ({"receipt": receipt("19.99", desciption="a typing error")}, "receipt.items[0].desciption"),
        ({"receipt": receipt("19.99") | {"tax_system": 1}}, "receipt.tax_system"),
        ({"receipt": receipt("19.99") | {"timezone": 12}}, "receipt.timezone"),
        ({"receipt": receipt("19.99") | {"customer": {"e-mail": "a@example.org"}}}, "receipt.customer.e-mail"),
        ({"receipt": receipt("19.99") | {"customer": {"phone": "+79000000000"}}}, "receipt.customer.phone"),
        ({"receipt": receipt("19.99") | {"customer": {"email": f"{'x' * 243}@example.org"}}}, "receipt.customer.email"),
        ({"receipt": receipt("19.99") | {"customer": {"email": "иван@почта.рф"}}}, "receipt.customer.email"),
        ({"receipt": receipt("19.99", description="x" * 129)}, "receipt.items[0].description"),
        ({"receipt": receipt("19.99", payment_mode="later")}, "receipt.items[0].payment_mode"),
        ({"receipt": receipt("19.99", payment_subject="magic")}, "receipt.items[0].payment_subject"),
        ({"receipt": receipt("19.99") | {"customer": {}}}, "receipt.customer"),
        ({"receipt": receipt("19.99") | {"customer": {"email": "anna"}}}, "receipt.customer.email"),
        ({"receipt": receipt("19.99") | {"tax_system_code": 7}}, "receipt.tax_system_code"),
        ({"receipt": receipt("19.99") | {"items": []}}, "receipt.items"),
    ],
)
def test_a_payment_that_breaks_a_rule_is_not_made(
    server: YooKassaServer, change: dict[str, Any], parameter: str
) -> None:
    status, error = call(f"{server.api_url}/payments", payment_body() | change)
    assert (status, error["parameter"]) == (400, parameter)
    assert client_of(server).list_payments().items == ()


@pytest.mark.parametrize(
    "change",
    [
        {"description": "я" * 128},
        {"metadata": {f"{number:032}": "x" * 512 for number in range(16)}},
        {"receipt": receipt("19.99", vat_code=12, quantity="1.000") | {"tax_system_code": 6}},
        {"confirmation": {"type": "redirect", "return_url": "https://example.org/back"}},
        {"confirmation": {"type": "redirect", "return_url": "littleotter://paid", "enforce": True}},
        {"confirmation": {"type": "mobile_application", "return_url": "littleotter://paid"}},
        {"confirmation": {"type": "qr", "locale": "en_US"}},
        {"confirmation": {"type": "external"}},
        {"confirmation": None},
        {"metadata": {"a": None}},
        {"merchant_customer_id": "x" * 200},
        {"payment_method_data": {"type": "alfa_pay"}},
        {"payment_method_data": {"type": "mobile_balance", "phone": "79000000000"}},
        {"payment_token": "eyJ0eXBl", "airline": {}, "transfers": [], "statements": [], "deal": None},
        # As the documentation's own example writes the code.
        {"receipt": receipt("19.99", vat_code="2", payment_subject="marked", measure="piece")},
        {"receipt": receipt("19.99") | {"customer": {"email": f"{'x' * 242}@example.org"}}},
    ],
)
def test_what_the_rules_just_allow_is_accepted(server: YooKassaServer, change: dict[str, Any]) -> None:
    assert call(f"{server.api_url}/payments", payment_body() | change)[0] == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(server: YooKassaServer, body: bytes) -> None:
    assert call(f"{server.api_url}/payments", body, method="POST")[0] == 400


@pytest.mark.parametrize("key", [None, "", "x" * 65, "a b", "a\tb"])
def test_a_change_needs_a_key(server: YooKassaServer, key: str | None) -> None:
    status, error = call(f"{server.api_url}/payments", payment_body(), key=key)
    assert (status, error["parameter"]) == (400, "Idempotence-Key")


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=101", "limit=x", "status=odd", "cursor=odd", "created_at.gte=x", "a=b"),
        *("payment_method=barter", "captured_at.gte=2026-11-23T10:00:00", "payment_id=1"),
    ],
)
def test_a_list_refuses_what_it_does_not_know(server: YooKassaServer, query: str) -> None:
    status, error = call(f"{server.api_url}/payments?{query}")
    assert (status, error["parameter"]) == (400, query.partition("=")[0])


def test_lists_tell_inclusive_bounds_from_exclusive_ones(server: YooKassaServer) -> None:
    created = call(f"{server.api_url}/payments", payment_body())[1]["created_at"]
    found = {
        bound: len(call(f"{server.api_url}/payments?created_at.{bound}={created}")[1]["items"])
        for bound in ("gte", "gt", "lte", "lt")
    }
    assert found == {"gte": 1, "gt": 0, "lte": 1, "lt": 0}


def test_refunds_are_chosen_by_their_own_states(server: YooKassaServer) -> None:
    status, error = call(f"{server.api_url}/refunds?status=waiting_for_capture")
    assert (status, error["parameter"]) == (400, "status")


def test_payments_are_chosen_by_method_and_by_the_time_of_capture(server: YooKassaServer) -> None:
    ids = [call(f"{server.api_url}/payments", payment_body(), key=f"{number}")[1]["id"] for number in range(3)]
    server.succeed(ids[0], method="sbp")
    captured = server.succeed(ids[1])["captured_at"]
    for query, expected in (
        ("payment_method=sbp", [ids[0]]),
        (f"captured_at.gte={captured}&payment_method=bank_card", [ids[1]]),
        (f"captured_at.gt={captured}", []),
    ):
        assert [one["id"] for one in call(f"{server.api_url}/payments?{query}")[1]["items"]] == expected


@pytest.mark.parametrize("method", ["PUT", "PATCH", "HEAD", "BREW"])
def test_an_unknown_method_is_refused_in_json(server: YooKassaServer, method: str) -> None:
    connection = HTTPConnection(server.host, server.port, timeout=10)
    connection.request(method, "/v3/payments", b"{}")
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Content-Type")) == (405, "application/json; charset=utf-8")
    if method != "HEAD":
        assert json.load(answer)["code"] == "not_supported"
    connection.close()
