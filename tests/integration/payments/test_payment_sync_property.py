"""Whatever happens to a payment, in any order and any number of times, it ends as the provider has it, and once."""

import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payments.checking.apply import apply_observation
from payments.checking.ask import Observation
from payments.checking.creation import record_created
from payments.checking.sync import send_and_ask, sync_payment
from payments.errors import RefundRefused
from payments.models import Appointment, Checkout, Fulfilment, Payment, Refund
from payments.provider import provider
from payments.refunds.request import request_refund
from payments.states import HOLDING_MONEY, Door, OrderKind, PaymentStatus, ProviderStatus, RefundStatus
from sandbox.yookassa import YooKassaServer
from sandbox.yookassa.errors import ApiError
from sandbox.yookassa.records import Status
from tests.support.checkouts import make_customer
from tests.support.databases import ClonedDatabase

PRICE = Decimal("4500.00")
DOORS = (Door.API, Door.WEBHOOK, Door.QUEUE, Door.RECONCILIATION, Door.STAFF)
CENTS = st.integers(min_value=1, max_value=600_000).map(lambda cents: Decimal(cents) / 100)

STEP = st.one_of(
    # At the provider: the payer and its own office.
    st.just(("pay",)),
    st.just(("decline",)),
    st.just(("expire",)),
    st.tuples(st.just("office refund"), CENTS),
    st.tuples(st.just("refunds end as"), st.sampled_from(["succeeded", "pending", "canceled"])),
    st.just(("finish refunds",)),
    # Our doors, and an answer that is applied long after it was given.
    st.tuples(st.just("sync"), st.sampled_from(DOORS)),
    st.just(("observe",)),
    st.tuples(st.just("apply"), st.integers(0, 9), st.sampled_from(DOORS)),
    st.just(("answer of create",)),
    # People.
    st.tuples(st.just("staff refund"), CENTS),
    st.tuples(st.just("write by hand"), st.sampled_from(PaymentStatus.values)),
    st.just(("book by front end",)),
)

# In one look, as it is asked after every step. Without a row of the payment there is no answer.
_AT_EVERY_MOMENT = """
SELECT c.provider_status, c.refunded_amount, c.amount,
       (SELECT count(*) FROM public.appointments WHERE payment_id = p.id),
       (SELECT count(*) FROM public.package_purchases WHERE payment_id = p.id),
       (SELECT count(*) FROM payments_fulfilment WHERE payment_id = p.id),
       (SELECT coalesce(sum(amount), 0) FROM payments_refund WHERE status = ANY(%(holding)s))
FROM public.payments AS p JOIN payments_checkout AS c ON c.payment_id = p.id WHERE p.id = %(payment_id)s
"""


@dataclass
class World:
    """One payment, and everybody who does something to it."""

    server: YooKassaServer
    payment_id: uuid.UUID
    external_id: str
    created: Observation
    held: list[Observation] = field(default_factory=list)

    @property
    def checkout(self) -> Checkout:
        return Checkout.objects.get(pk=self.payment_id)

    def do(self, step: tuple[object, ...]) -> None:
        name, *values = step
        try:
            getattr(self, str(name).replace(" ", "_"))(*values)
        except (ApiError, RefundRefused):
            # The provider's own rules, and ours: a step that is not possible now happens to nobody.
            return

    def pay(self) -> None:
        self.server.shop.succeed(self.external_id)

    def decline(self) -> None:
        self.server.shop.decline(self.external_id)

    def expire(self) -> None:
        self.server.shop.expire(self.external_id)

    def office_refund(self, amount: Decimal) -> None:
        money = {"value": str(amount), "currency": "RUB"}
        self.server.shop.create_refund({"payment_id": self.external_id, "amount": money})

    def refunds_end_as(self, status: str) -> None:
        self.server.shop.refund_status = Status(status)

    def finish_refunds(self) -> None:
        for refund in self.server.shop.list_refunds({"payment_id": self.external_id})["items"]:
            if refund["status"] == "pending":
                self.server.shop.succeed_refund(refund["id"])

    def sync(self, door: Door) -> None:
        sync_payment(self.payment_id, door=door)

    def observe(self) -> None:
        self.held.append(send_and_ask(self.payment_id))

    def apply(self, which: int, door: Door) -> None:
        if which < len(self.held):
            apply_observation(self.held[which], door=door)

    def answer_of_create(self) -> None:
        assert self.created.payment is not None
        record_created(self.payment_id, self.created.payment, door=Door.API)

    def staff_refund(self, amount: Decimal) -> None:
        request_refund(payment_id=self.payment_id, amount=amount, reason="", actor_id=None, door=Door.STAFF)

    def write_by_hand(self, status: str) -> None:
        Payment.objects.filter(pk=self.payment_id).update(status=status)

    def book_by_front_end(self) -> None:
        checkout = self.checkout
        if checkout.kind == OrderKind.APPOINTMENT:
            assert checkout.appointment_type_id is not None
            assert checkout.scheduled_at is not None
            Appointment.objects.create(
                user_id=checkout.user_id,
                appointment_type_id=checkout.appointment_type_id,
                scheduled_at=checkout.scheduled_at,
            )

    def check(self) -> None:
        """What must be true at every moment."""
        with connection.cursor() as cursor:
            cursor.execute(_AT_EVERY_MOMENT, {"payment_id": self.payment_id, "holding": list(HOLDING_MONEY)})
            [(status, refunded, amount, appointments, packages, given, held)] = cursor.fetchall()
        assert appointments + packages == given <= 1
        assert given == 0 or status == ProviderStatus.SUCCEEDED
        assert refunded <= amount
        assert held <= PRICE

    def check_end(self) -> None:
        """What must be true once the provider rests and one more door was opened."""
        theirs = self.server.shop.payment(self.external_id)
        refunds = self.server.shop.list_refunds({"payment_id": self.external_id})["items"]
        refunded = sum((Decimal(r["amount"]["value"]) for r in refunds if r["status"] == "succeeded"), Decimal(0))
        payment, checkout = Payment.objects.get(pk=self.payment_id), self.checkout
        assert checkout.attention in ("", "refund_failed")
        assert checkout.provider_status == theirs["status"]
        assert checkout.refunded_amount == refunded == _sum(status=RefundStatus.SUCCEEDED)
        assert refunded <= PRICE
        expected = {"pending": "processing", "canceled": "failed", "succeeded": "completed"}[theirs["status"]]
        assert payment.status == ("refunded" if refunded == PRICE else expected)
        assert (payment.amount, payment.external_payment_id) == (PRICE, self.external_id)
        assert not Refund.objects.filter(status=RefundStatus.REQUESTED).exists()
        known = set(Refund.objects.exclude(external_id=None).values_list("external_id", flat=True))
        # One that the provider's office tried in vain moved no money, and nobody asks for it.
        assert {r["id"] for r in refunds if r["status"] != "canceled"} <= known <= {r["id"] for r in refunds}
        if payment.status == "completed":
            assert Fulfilment.objects.filter(pk=self.payment_id).exists()
        assert _mails("payment_refunded") == sum(r["status"] == "succeeded" for r in refunds)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, max_size=14), kind=st.sampled_from(OrderKind.values))
def test_any_order_of_events_and_doors_ends_as_the_provider_has_it(
    database: ClonedDatabase, yookassa: YooKassaServer, steps: list[tuple[object, ...]], kind: str
) -> None:
    _forget_everything()
    yookassa.shop.refund_status = Status.SUCCEEDED
    world = _begin(yookassa, kind)
    for step in steps:
        world.do(step)
        world.check()
    # The provider comes to rest, late answers arrive, and somebody opens a door once more.
    world.finish_refunds()
    world.sync(Door.RECONCILIATION)
    world.finish_refunds()
    world.sync(Door.RECONCILIATION)
    world.check_end()
    before = _picture(world)
    for number, _ in enumerate(world.held):
        world.apply(number, Door.WEBHOOK)
    world.answer_of_create()
    world.sync(Door.API)
    world.check()
    world.check_end()
    assert _picture(world) == before


def _begin(server: YooKassaServer, kind: str) -> World:
    customer = make_customer()
    payment = Payment.objects.create(user=customer, amount=PRICE, payment_method="yookassa")
    order = _order(kind)
    body = {
        "amount": {"value": str(PRICE), "currency": "RUB"},
        "capture": True,
        "confirmation": {"type": "embedded"},
        "metadata": {"payment_id": str(payment.pk)},
    }
    Checkout.objects.create(payment=payment, user_id=customer.pk, amount=PRICE, request_body=body, kind=kind, **order)
    created = provider().create_payment(body, key=str(payment.pk))
    return World(server, payment.pk, created.id, Observation(payment.pk, created))


def _order(kind: str) -> dict[str, object]:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO public.appointment_types (name, duration_minutes, price) VALUES ('К', 50, %s) RETURNING id",
            [PRICE],
        )
        appointment_type = cursor.fetchone()[0]
        if kind == OrderKind.APPOINTMENT:
            start = timezone.now() + timedelta(days=2)
            return {"appointment_type_id": appointment_type, "scheduled_at": start}
        cursor.execute(
            "INSERT INTO public.packages (name, session_count, appointment_type_id, price)"
            " VALUES ('П', 4, %s, %s) RETURNING id",
            [appointment_type, PRICE],
        )
        return {"package_id": cursor.fetchone()[0]}


def _forget_everything() -> None:
    """Examples share the database of the test: each counts only its own rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM payments_refund; DELETE FROM payments_fulfilment; DELETE FROM public.package_purchases;"
            " DELETE FROM public.appointments; DELETE FROM payments_checkout; DELETE FROM pgmq.q_email_queue"
        )


def _sum(**which: object) -> Decimal:
    return sum(Refund.objects.filter(**which).values_list("amount", flat=True), Decimal(0))


def _mails(template: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pgmq.q_email_queue WHERE message ->> 'template' = %s", [template])
        return int(cursor.fetchone()[0])


def _picture(world: World) -> tuple[object, ...]:
    checkout = world.checkout
    return (
        Payment.objects.values_list("status", "amount", "external_payment_id").get(pk=world.payment_id),
        (checkout.provider_status, checkout.refunded_amount, checkout.attention, checkout.method_type),
        sorted(Refund.objects.values_list("id", "status", "amount")),
        list(Fulfilment.objects.values_list("payment_id", "appointment_id", "purchase_id")),
        _mails("payment_refunded"),
    )
