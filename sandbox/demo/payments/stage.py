"""What a scene can use: browsers of customers, the till, staff, a stranger, and waiting for an effect."""

from collections.abc import Callable
from typing import Any

import requests
from django.db import connection

from sandbox.demo.payments.browser import Browser
from sandbox.demo.payments.customers import Customer
from sandbox.demo.payments.orders import Diary
from sandbox.demo.payments.staff import Staff
from sandbox.demo.payments.till import Till
from sandbox.demo.watch import Watch
from sandbox.frontend import TIMEOUT, Answer, Order
from sandbox.services.stand_ins import WEBHOOK

PATIENCE_SECONDS = 30.0


class SceneBroken(Exception):
    """Something that the rest of the scene builds on did not happen; the text says what."""


class Stage:
    """`api` is the address of our web server."""

    def __init__(self, watch: Watch, *, api: str, till: Till, staff: Staff) -> None:
        self.till = till
        self.staff = staff
        self.diary = Diary()
        # Ids of consultations that customers booked without a payment.
        self.booked: dict[Customer, str] = {}
        self._watch = watch
        self._api = api
        self._disorder: list[str] = []
        self._browsers: dict[Customer, Browser] = {}

    def browser(self, customer: Customer) -> Browser:
        return self._browsers.setdefault(customer, Browser(customer, self._api))

    @property
    def browsers(self) -> list[Browser]:
        """Those that were opened so far."""
        return list(self._browsers.values())

    def insist(self, truth: bool, text: str) -> None:
        """Note that something is not as it must be, and go on."""
        if not truth:
            self._disorder.append(text)

    def take_disorder(self) -> list[str]:
        """What a scene insisted on in vain; each line is returned once."""
        taken, self._disorder = self._disorder, []
        return taken

    def start(self, customer: Customer, order: Order) -> str:
        """Get the payment form; returns the payment's id. Raises `SceneBroken`."""
        answer = self.browser(customer).create(order)
        if answer.status != requests.codes.ok or not answer.payment_id:
            raise SceneBroken(f"a payment could not be started: {answer.status} {answer.error}")
        return answer.payment_id

    def buy(self, customer: Customer, order: Order) -> str:
        """Get the payment form and pay; returns the payment's id. Raises `SceneBroken`."""
        payment_id = self.start(customer, order)
        self.till.pay(self.external_id(payment_id))
        return payment_id

    def external_id(self, payment_id: str) -> str:
        """The payment's id at YooKassa. Raises `SceneBroken`."""
        found = _row("SELECT external_id FROM payments_checkout WHERE payment_id = %s", payment_id)
        if not found or not found[0]:
            raise SceneBroken(f"the payment {payment_id} has no id at YooKassa")
        return str(found[0])

    def await_status(self, payment_id: str, status: str) -> None:
        """Wait until Supabase's row has this status. Raises `SceneBroken`."""
        query = "SELECT status FROM public.payments WHERE id = %s"
        self._await(lambda: _row(query, payment_id) == (status,), f"the payment {payment_id} is {status}")

    def await_given(self, payment_id: str) -> None:
        """Wait until the payer has got what was paid for. Raises `SceneBroken`."""
        query = "SELECT kind FROM payments_fulfilment WHERE payment_id = %s"
        self._await(lambda: _row(query, payment_id) is not None, f"the payer of {payment_id} has got something")

    def await_refunds(self, payment_id: str, number: int) -> None:
        """Wait until so many refunds of a payment went through. Raises `SceneBroken`."""
        query = "SELECT count(*) FROM payments_refund WHERE payment_id = %s AND status = 'succeeded'"
        self._await(lambda: _row(query, payment_id) == (number,), f"{number} refunds of {payment_id} went through")

    def notify(self, *, external_id: str, payment_id: str, address: str) -> int:
        """Claim over our webhook that a payment was paid, as somebody at `address`; returns the answer's status."""
        claimed = {
            "id": external_id,
            "status": "succeeded",
            "paid": True,
            "amount": {"value": "4500.00", "currency": "RUB"},
            "metadata": {"payment_id": payment_id},
        }
        body = {"type": "notification", "event": "payment.succeeded", "object": claimed}
        headers = {"X-Forwarded-For": address}
        return requests.post(f"{self._api}{WEBHOOK}", json=body, headers=headers, timeout=TIMEOUT).status_code

    def expect(self, answer: Answer, status: int, code: str = "") -> None:
        """Insist on an answer's status and, if given, its code."""
        right = answer.status == status and code in ("", answer.code)
        self.insist(right, f"the answer was {answer.status} {answer.code} instead of {status} {code}".rstrip())

    def _await(self, condition: Callable[[], bool], what: str) -> None:
        if not self._watch.until(condition, seconds=PATIENCE_SECONDS):
            raise SceneBroken(f"waited {PATIENCE_SECONDS:g} s in vain until {what}")


def _row(query: str, value: str) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(query, [value])
        found: tuple[Any, ...] | None = cursor.fetchone()
        return found
