"""A customer's browser: our API with a token of Supabase, and Supabase's tables as far as the front end writes them."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests
from django.db import connection

from balansity.sandbox.demo.mail.families import CONSULTATION
from balansity.sandbox.demo.payments.customers import Customer
from balansity.sandbox.demo.payments.orders import Bill
from balansity.sandbox.tokens import access_token

TIMEOUT = (5, 20)

_INSERT_PAYMENT = """
INSERT INTO public.payments (user_id, amount, payment_method, metadata)
VALUES (%s, %s, 'yookassa', %s) RETURNING id::text
"""
_BOOK = """
INSERT INTO public.appointments (user_id, appointment_type_id, scheduled_at) VALUES (%s, %s, %s) RETURNING id::text
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is empty where the answer was no JSON object."""

    status: int
    body: dict[str, Any]

    @property
    def payment_id(self) -> str:
        return str(self.body.get("payment_id", ""))

    @property
    def error(self) -> str:
        return str(self.body.get("error", ""))

    @property
    def code(self) -> str:
        return str(self.body.get("code", ""))


class Browser:
    """One customer's. `answers` are the statuses that starting payments got so far, in order."""

    def __init__(self, customer: Customer, api: str) -> None:
        self.customer = customer
        self.answers: list[int] = []
        self.token = access_token(customer.id, email=customer.email)
        self._api = api

    def create(self, bill: Bill, *, key: str = "") -> Answer:
        """Ask for the payment form; `key` becomes the Idempotency-Key."""
        answer = self._post("payments/create", bill.to_json(), {"Idempotency-Key": key} if key else {})
        self.answers.append(answer.status)
        return answer

    def verify(self, payment_id: str) -> Answer:
        return self._post("payments/verify", {"payment_id": payment_id}, {})

    def insert_payment(self, bill: Bill) -> str:
        """Write a pending row, as the front end does just before it asks for the form."""
        return _one(_INSERT_PAYMENT, [self.customer.id, bill.amount, json.dumps(bill.metadata)])

    def book(self, at: datetime) -> str:
        """Write an unpaid consultation; returns its id."""
        return _one(_BOOK, [self.customer.id, CONSULTATION, at])

    def write_status(self, payment_id: str, status: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE public.payments SET status = %s WHERE id = %s", [status, payment_id])

    def _post(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> Answer:
        bearer = {"Authorization": f"Bearer {self.token}"}
        # A connection for each call: two clicks at once are two calls at once.
        answer = requests.post(f"{self._api}/api/{path}", json=body, headers=bearer | headers, timeout=TIMEOUT)
        return read(answer)


def read(answer: requests.Response) -> Answer:
    try:
        body = answer.json()
    except requests.JSONDecodeError:
        body = {}
    return Answer(answer.status_code, body if isinstance(body, dict) else {})


def _one(query: str, values: list[Any]) -> str:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return str(cursor.fetchone()[0])
