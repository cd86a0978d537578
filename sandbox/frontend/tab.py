"""A tab of the front end, signed in as one customer: Supabase's tables under row security, and our API."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any
from uuid import UUID

import psycopg2
from django.db import connection
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from sandbox.frontend.answer import Answer, Api
from sandbox.frontend.order import Order
from sandbox.tokens import access_token, user_claims

# What Sentry and supabase-js add to the requests of the real one.
_ADDED = {
    "baggage": "sentry-environment=production,sentry-release=1.0.0",
    "sentry-trace": "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
    "x-client-info": "supabase-js-web/2.86.0",
}
# Row security hides rows from customers, as in production; where our own code runs, a row that is hidden is an error.
# Nor has anything else that our sessions are set up with to do with theirs.
_BECOME = """
SET LOCAL search_path TO DEFAULT; SET LOCAL TimeZone TO DEFAULT;
SELECT set_config('role', 'authenticated', true), set_config('request.jwt.claims', %s, true),
       set_config('row_security', 'on', true)
"""
_INSERT_PAYMENT = """
INSERT INTO public.payments (user_id, amount, currency, status, payment_method, metadata)
VALUES (%s, %s, 'RUB', 'pending', 'yookassa', %s) RETURNING id::text
"""
_BOOK = """
INSERT INTO public.appointments (user_id, appointment_type_id, scheduled_at, profile_id)
VALUES (%s, %s, %s, %s) RETURNING id::text
"""


class Tab:
    """`database` is an address of Postgres; without it, Supabase's tables are where Django's are.

    Whatever is written goes through Supabase's REST layer in production: a transaction of its own, as the role
    `authenticated`, with the claims of the customer's token. Refused is what row security refuses there.
    """

    def __init__(self, user_id: UUID | str, api: Api, *, email: str = "", database: str = "") -> None:
        self.user_id = str(user_id)
        self.token = access_token(self.user_id, email=email)
        self._claims = json.dumps(user_claims(self.user_id, email=email))
        self._api = api
        self._database = database

    def insert_payment(self, order: Order) -> str:
        """Write a pending row, as the front end does just before it asks for the form; returns its id."""
        return self._insert(_INSERT_PAYMENT, self.user_id, order.amount, json.dumps(order.metadata))

    def create(self, order: Order, *, key: str = "") -> Answer:
        """Ask for the payment form; `key` becomes the Idempotency-Key."""
        return self._post("create", order.to_json(), {"Idempotency-Key": key} if key else {})

    def verify(self, payment_id: str) -> Answer:
        return self._post("verify", {"payment_id": payment_id}, {})

    def book(self, order: Order) -> str:
        """Write the consultation of an order by itself, without a payment; returns its id."""
        asked = order.metadata
        values = (asked["appointment_type_id"], asked["scheduled_at"], asked.get("profile_id"))
        return self._insert(_BOOK, self.user_id, *values)

    def write(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Whatever else somebody with the customer's token may do to the tables; returns the rows it answers."""
        with self._supabase() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def _insert(self, statement: str, *values: Any) -> str:
        ((row_id,),) = self.write(statement, *values)
        return str(row_id)

    def _post(self, door: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        bearer = {"Authorization": f"Bearer {self.token}"}
        return self._api.post(f"/api/payments/{door}", body, {**bearer, **_ADDED, **headers})

    @contextmanager
    def _supabase(self) -> Iterator[Cursor]:
        with self._session() as session, session, session.cursor() as cursor:
            cursor.execute(_BECOME, [self._claims])
            yield cursor

    @contextmanager
    def _session(self) -> Iterator[Connection]:
        """One in which no transaction is open."""
        if not self._database and not connection.in_atomic_block:
            # A session of its own for each row would cost Postgres more than all that is done with it.
            connection.ensure_connection()
            yield connection.connection
            return
        where = {"dsn": self._database} if self._database else connection.get_connection_params()
        with closing(psycopg2.connect(**where)) as opened:
            yield opened
