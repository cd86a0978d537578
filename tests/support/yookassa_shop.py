"""A shop at the stand-in for YooKassa, and what it usually asks for."""

import base64
import json
import urllib.error
import urllib.request
from typing import Any

from payments.yookassa.client import YooKassaClient
from sandbox.yookassa import YooKassaServer

SHOP_ID, SECRET_KEY = "100500", "test_key-of-nobody"
# Only for those who are not answered: on a busy machine, an answer may take longer.
IMPATIENT = 0.4


def client_of(server: YooKassaServer, **options: Any) -> YooKassaClient:
    usual = {"shop_id": SHOP_ID, "secret_key": SECRET_KEY, "api_url": server.api_url}
    return YooKassaClient(**(usual | options))


def payment_body(value: str = "19.99", **members: Any) -> dict[str, Any]:
    usual = {
        "amount": {"value": value, "currency": "RUB"},
        "capture": True,
        "confirmation": {"type": "embedded"},
        "description": "Консультация «Первая встреча» № 1",
        "metadata": {"payment_id": "0b7f0c0a"},
    }
    return usual | members


def refund_body(payment_id: str, value: str) -> dict[str, Any]:
    return {"payment_id": payment_id, "amount": {"value": value, "currency": "RUB"}}


def receipt(value: str, **item: Any) -> dict[str, Any]:
    usual = {
        "description": "Консультация",
        "quantity": 1,
        "amount": {"value": value, "currency": "RUB"},
        "vat_code": 1,
        "payment_mode": "full_payment",
        "payment_subject": "service",
    }
    return {"customer": {"email": "anna@example.org"}, "items": [usual | item]}


def amount(value: Any, currency: str = "RUB") -> dict[str, Any]:
    return {"amount": {"value": value, "currency": currency}}


def call(
    url: str,
    body: Any = None,
    *,
    key: str | None = "1",
    method: str | None = None,
    login: str = f"{SHOP_ID}:{SECRET_KEY}",
) -> tuple[int, Any]:
    """Ask with plain HTTP; `body` None is GET, bytes are sent as they are."""
    content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, content, method=method)
    request.add_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
    request.add_header("Content-Type", "application/json")
    if key is not None:
        request.add_header("Idempotence-Key", key)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)
