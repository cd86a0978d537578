"""What was paid for is given once, to whom it belongs; what a machine cannot give is left to a person."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from payments.checking.by_staff import clear_attention
from payments.checking.sync import sync_payment
from payments.errors import ProviderMismatch
from payments.models import (
    Appointment,
    AppointmentType,
    Checkout,
    Fulfilment,
    Package,
    PackagePurchase,
    Payment,
    PaymentEvent,
    Profile,
    User,
)
from payments.provider import provider
from payments.states import Attention, Door, EventKind, PaymentStatus
from sandbox.yookassa import YooKassaServer
from tests.support.checkouts import make_customer
from tests.support.paying import PRICE, book_for_other, in_days, mails, make_type, pay, start

pytestmark = pytest.mark.usefixtures("database", "yookassa")


def test_a_paid_consultation_is_booked_and_the_row_says_completed(yookassa: YooKassaServer) -> None:
    checkout = start()
    payment = pay(yookassa, checkout)
    booked = Appointment.objects.get(payment=payment)
    assert payment.status == PaymentStatus.COMPLETED
    assert (booked.user_id, booked.scheduled_at) == (checkout.user_id, checkout.scheduled_at)
    assert Fulfilment.objects.get(pk=payment.pk).how == Fulfilment.How.MADE
    kinds = list(PaymentEvent.objects.filter(payment=payment).order_by("id").values_list("kind", flat=True))
    assert kinds == ["provider_created", "status_changed", "status_changed", "fulfilled"]


def test_a_paid_package_is_sold_with_all_its_sessions(yookassa: YooKassaServer) -> None:
    package = Package.objects.create(name="Пакет", session_count=4, appointment_type=make_type(), price=PRICE)
    payment = pay(yookassa, start(package_id=package.pk))
    bought = PackagePurchase.objects.get(payment=payment)
    assert (bought.package_id, bought.sessions_remaining, bought.user_id) == (package.pk, 4, payment.user_id)


def test_a_booking_that_the_front_end_made_is_linked_and_not_made_again(yookassa: YooKassaServer) -> None:
    customer, kind, when = make_customer(), make_type(), in_days(2)
    own = Appointment.objects.create(user=customer, appointment_type=kind, scheduled_at=when)
    payment = pay(yookassa, start(customer, appointment_type_id=kind.pk, scheduled_at=when))
    assert list(Appointment.objects.values_list("pk", "payment_id")) == [(own.pk, payment.pk)]


def test_an_existing_booking_gets_its_payment(yookassa: YooKassaServer) -> None:
    customer, kind = make_customer(), make_type()
    own = Appointment.objects.create(user=customer, appointment_type=kind, scheduled_at=in_days(2))
    payment = pay(yookassa, start(customer, appointment_type_id=kind.pk, appointment_id=own.pk))
    own.refresh_from_db()
    assert own.payment_id == payment.pk


def test_the_childs_profile_is_kept_only_if_it_is_the_payers(yookassa: YooKassaServer) -> None:
    customer, stranger = make_customer(), make_customer()
    mine, other = (_profile(user) for user in (customer, stranger))
    kinds = make_type(), make_type()
    pay(yookassa, start(customer, appointment_type_id=kinds[0].pk, scheduled_at=in_days(1), profile_id=mine.pk))
    pay(yookassa, start(customer, appointment_type_id=kinds[1].pk, scheduled_at=in_days(1), profile_id=other.pk))
    booked = dict(Appointment.objects.values_list("appointment_type_id", "profile_id"))
    assert booked == {kinds[0].pk: mine.pk, kinds[1].pk: None}


@pytest.mark.parametrize(
    ("take_away", "attention"),
    [("give it to another", Attention.SLOT_TAKEN), ("let it pass", Attention.SLOT_PASSED)],
)
def test_money_that_comes_too_late_stays_and_asks_for_a_person(
    yookassa: YooKassaServer, take_away: str, attention: Attention
) -> None:
    checkout = start()
    if take_away == "let it pass":
        Checkout.objects.filter(pk=checkout.pk).update(scheduled_at=in_days(-0.1))
    else:
        book_for_other(checkout)
    payment = pay(yookassa, checkout)
    checkout.refresh_from_db()
    assert payment.status == PaymentStatus.COMPLETED
    assert checkout.attention == attention
    assert not Fulfilment.objects.exists()
    assert not Appointment.objects.filter(payment=payment).exists()


def test_a_time_that_was_freed_is_given_at_the_next_check(yookassa: YooKassaServer) -> None:
    checkout = start()
    book_for_other(checkout)
    pay(yookassa, checkout)
    Appointment.objects.update(status="cancelled")
    sync_payment(checkout.pk, door=Door.STAFF)
    checkout.refresh_from_db()
    assert checkout.attention == ""
    assert Appointment.objects.filter(payment_id=checkout.pk, status="scheduled").count() == 1


def test_a_row_of_ones_own_is_no_way_into_a_time_that_is_paid(yookassa: YooKassaServer) -> None:
    kind, when = make_type(), in_days(2)
    first = pay(yookassa, start(appointment_type_id=kind.pk, scheduled_at=when))
    intruder = make_customer()
    own = Appointment.objects.create(user=intruder, appointment_type=kind, scheduled_at=when)
    for order in ({"scheduled_at": when}, {"appointment_id": own.pk}):
        late = start(intruder, appointment_type_id=kind.pk, **order)
        pay(yookassa, late)
        late.refresh_from_db()
        assert late.attention == Attention.SLOT_TAKEN
    paid = Appointment.objects.filter(scheduled_at=when, payment__isnull=False)
    assert list(paid.values_list("payment_id", flat=True)) == [first.pk]


def test_a_consultation_that_was_paid_already_asks_for_a_person(yookassa: YooKassaServer) -> None:
    customer, kind = make_customer(), make_type()
    own = Appointment.objects.create(user=customer, appointment_type=kind, scheduled_at=in_days(2))
    first, second = (start(customer, appointment_type_id=kind.pk, appointment_id=own.pk) for _ in range(2))
    pay(yookassa, first)
    pay(yookassa, second)
    own.refresh_from_db()
    second.refresh_from_db()
    assert own.payment_id == first.pk
    assert second.attention == Attention.NOT_FULFILLED


def test_doors_that_open_at_once_fulfil_once(yookassa: YooKassaServer) -> None:
    checkout = start()
    sync_payment(checkout.pk, door=Door.API)
    checkout.refresh_from_db()
    yookassa.succeed(str(checkout.external_id))

    def open_door(door: Door) -> str:
        try:
            return sync_payment(checkout.pk, door=door).status
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        assert set(pool.map(open_door, [*Door, *Door])) == {PaymentStatus.COMPLETED}
    assert Appointment.objects.count() == 1
    assert sorted(mails()) == ["appointment_confirmation", "payment_confirmation"]


def test_staff_can_say_that_a_payment_needs_no_attention_any_more(yookassa: YooKassaServer) -> None:
    checkout = start()
    book_for_other(checkout)
    pay(yookassa, checkout)
    clear_attention(payment_id=checkout.pk, actor_id=7, note="перенесли на вторник")
    checkout.refresh_from_db()
    cleared = PaymentEvent.objects.get(kind=EventKind.ATTENTION_CLEARED)
    assert (checkout.attention, checkout.attention_since, cleared.actor_id) == ("", None, 7)


class TestPaymentsFromBeforeOurTime:
    """Rows that the Node worker started: no checkout, and metadata that their payer may have edited."""

    def test_one_that_yookassa_names_is_fulfilled(self, yookassa: YooKassaServer) -> None:
        payment = self._older(metadata_at_provider=True)
        yookassa.succeed(str(payment.external_payment_id))
        sync_payment(payment.pk, door=Door.RECONCILIATION)
        assert Appointment.objects.filter(payment=payment).count() == 1

    def test_one_that_nobody_vouches_for_is_left_to_staff(self, yookassa: YooKassaServer) -> None:
        payment = self._older(metadata_at_provider=False)
        yookassa.succeed(str(payment.external_payment_id))
        assert sync_payment(payment.pk, door=Door.API).status == PaymentStatus.COMPLETED
        assert Checkout.objects.get(pk=payment.pk).attention == Attention.NOT_FULFILLED
        assert not Appointment.objects.exists()

    def test_one_whose_price_is_not_the_catalogues_is_left_to_staff(self, yookassa: YooKassaServer) -> None:
        payment = self._older(metadata_at_provider=True)
        AppointmentType.objects.update(price=9000)
        yookassa.succeed(str(payment.external_payment_id))
        sync_payment(payment.pk, door=Door.API)
        assert Checkout.objects.get(pk=payment.pk).attention == Attention.NOT_FULFILLED

    def test_what_was_given_then_is_only_noted(self, yookassa: YooKassaServer) -> None:
        payment = self._older(metadata_at_provider=False)
        Appointment.objects.create(
            user=payment.user, appointment_type=AppointmentType.objects.get(), scheduled_at=in_days(1), payment=payment
        )
        yookassa.succeed(str(payment.external_payment_id))
        sync_payment(payment.pk, door=Door.RECONCILIATION)
        assert Fulfilment.objects.get(pk=payment.pk).how == Fulfilment.How.FOUND
        assert Appointment.objects.count() == 1

    def test_the_id_of_somebody_elses_payment_is_worth_nothing(self, yookassa: YooKassaServer) -> None:
        paid = start()
        pay(yookassa, paid)
        paid.refresh_from_db()
        thief = Payment.objects.create(user=make_customer(), amount=PRICE, external_payment_id=paid.external_id)
        with pytest.raises(ProviderMismatch, match="was made for"):
            sync_payment(thief.pk, door=Door.API)
        assert not Checkout.objects.filter(pk=thief.pk).exists()

    def test_the_id_of_an_old_payment_is_worth_nothing(self, yookassa: YooKassaServer) -> None:
        old = self._older(metadata_at_provider=True)
        yookassa.succeed(str(old.external_payment_id))
        thief = Payment.objects.create(
            user=old.user, amount=PRICE, external_payment_id=old.external_payment_id, metadata=old.metadata
        )
        with pytest.raises(ProviderMismatch, match="was made for"):
            sync_payment(thief.pk, door=Door.API)
        assert sync_payment(old.pk, door=Door.API).status == PaymentStatus.COMPLETED
        assert list(Appointment.objects.values_list("payment_id", flat=True)) == [old.pk]

    def _older(self, *, metadata_at_provider: bool) -> Payment:
        order = {
            "type": "appointment",
            "appointment_type_id": str(make_type().pk),
            "scheduled_at": in_days(2).isoformat(),
        }
        payment = Payment.objects.create(user=make_customer(), amount=PRICE, status="processing", metadata=order)
        body = {
            "amount": {"value": str(PRICE), "currency": "RUB"},
            "capture": True,
            "confirmation": {"type": "embedded"},
            "metadata": {"payment_id": str(payment.pk)} if metadata_at_provider else {"order": "7"},
        }
        payment.external_payment_id = provider().create_payment(body, key=uuid.uuid4().hex).id
        payment.save(update_fields=["external_payment_id"])
        return payment


def _profile(user: User) -> Profile:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO public.profiles (user_id, type, first_name) VALUES (%s, 'child', 'Лев') RETURNING id",
            [user.pk],
        )
        return Profile.objects.get(pk=cursor.fetchone()[0])
