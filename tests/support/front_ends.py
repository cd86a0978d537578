"""Customers of the payment tests at the front end that production has: its own rows under row security, our API."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from django.test import Client

from payments.models import Checkout
from sandbox.frontend import Answer, Order, Tab, Visit
from sandbox.yookassa import YooKassaServer
from tests.support.payment_calls import Customer


class ClientApi:
    """Our API without a socket between."""

    def post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        # A client for each call: threads share nothing.
        client = Client(raise_request_exception=False, headers=headers)
        answer = client.post(path, json.dumps(body), content_type="application/json")
        return Answer(answer.status_code, json.loads(answer.content))


def tab_of(customer: Customer) -> Tab:
    return Tab(customer.id, ClientApi(), email=customer.token_email)


def visit_of(customer: Customer, order: Order, yookassa: YooKassaServer, **doors: Any) -> Visit:
    """A visit of which the customer pays at that stand-in. `doors` may hold `notify`."""

    def pay(payment_id: str) -> None:
        yookassa.succeed(str(Checkout.objects.get(payment_id=uuid.UUID(payment_id)).external_id))

    return Visit(tab_of(customer), order, pay=pay, **doors)
