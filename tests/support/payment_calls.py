"""Customers who call the payment API over HTTP, and what they can buy."""

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from django.db import connections
from django.test import Client
from django.utils import timezone

from payments.models import Appointment, AppointmentType, Package, Payment, Profile, User
from sandbox.yookassa import YooKassaServer
from tests.support.checkouts import make_customer
from tests.support.supabase_tokens import access_token

T = TypeVar("T")

PRICE = Decimal("4500.00")


@dataclass(frozen=True)
class Answer:
    """`body` is parsed; `headers` are by lower-case name."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def code(self) -> str:
        return str(self.body["code"])


@dataclass
class Customer:
    """Somebody with a row in Supabase's table of users, signed in to the front end."""

    user: User = field(default_factory=make_customer)
    token_email: str = "token@example.org"

    @property
    def id(self) -> uuid.UUID:
        return self.user.pk

    def post(self, path: str, body: object, **headers: str) -> Answer:
        """`body` is sent as it is when it is text."""
        content = body if isinstance(body, str) else json.dumps(body)
        return read_answer(self._client().post(path, content, content_type="application/json", headers=headers))

    def get(self, path: str) -> Answer:
        return read_answer(self._client().get(path))

    def create(self, metadata: object, amount: object = 4500, *, key: str | None = None) -> Answer:
        body = {"amount": amount, "currency": "RUB", "metadata": metadata}
        return self.post("/api/payments/create", body, **({"Idempotency-Key": key} if key is not None else {}))

    def verify(self, payment_id: object) -> Answer:
        return self.post("/api/payments/verify", {"payment_id": str(payment_id)})

    def inserts_row(self, metadata: object, amount: Decimal = PRICE, **fields: Any) -> Payment:
        """As the front end does with its own hands, just before it calls `create`."""
        row = Payment.objects.create(user=self.user, amount=amount, metadata=metadata)
        if fields:
            Payment.objects.filter(pk=row.pk).update(**fields)
        return row

    def books(self, kind: AppointmentType, start: datetime, **fields: Any) -> Appointment:
        return Appointment.objects.create(user=self.user, appointment_type=kind, scheduled_at=start, **fields)

    def child(self) -> Profile:
        profile = Profile(user=self.user, first_name="Мария")
        with connections["default"].cursor() as cursor:
            cursor.execute(
                "INSERT INTO public.profiles (id, user_id, type, first_name) VALUES (%s, %s, 'child', %s)",
                [profile.pk, self.user.pk, profile.first_name],
            )
        return profile

    def _client(self) -> Client:
        # A client for each call: threads share nothing.
        token = access_token(self.user.pk, email=self.token_email)
        return Client(raise_request_exception=False, headers={"Authorization": f"Bearer {token}"})


@dataclass(frozen=True)
class Catalogue:
    """What is on sale: one kind of consultation and one package, both at `PRICE`."""

    consultation: AppointmentType
    package: Package

    def booking(self, start: datetime | None = None, **more: Any) -> dict[str, Any]:
        """The metadata of a new booking as the front end sends it."""
        return {
            "type": "appointment",
            "package_id": None,
            "appointment_type_id": str(self.consultation.pk),
            "scheduled_at": (start or tomorrow()).isoformat().replace("+00:00", "Z"),
            **more,
        }

    def booked(self, appointment: Appointment) -> dict[str, Any]:
        return {
            "type": "appointment",
            "package_id": None,
            "appointment_id": str(appointment.pk),
            "appointment_type_id": str(appointment.appointment_type_id),
        }

    def bundle(self) -> dict[str, Any]:
        return {"type": "package", "package_id": str(self.package.pk)}


def make_catalogue(price: Decimal = PRICE) -> Catalogue:
    consultation = AppointmentType.objects.create(name="Первичная консультация", duration_minutes=60, price=price)
    package = Package.objects.create(
        name="Четыре консультации", session_count=4, appointment_type=consultation, price=price
    )
    return Catalogue(consultation, package)


def tomorrow() -> datetime:
    return timezone.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=1)


def at_yookassa(server: YooKassaServer) -> list[dict[str, Any]]:
    """The payments that exist there, newest first."""
    found: list[dict[str, Any]] = server.shop.list_payments({})["items"]
    return found


def at_once(count: int, call: Callable[[], T]) -> list[T]:
    """Call it in that many threads at the same time."""

    def in_thread() -> T:
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(in_thread) for _ in range(count)]]


def read_answer(response: Any) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, json.loads(response.content), headers)
