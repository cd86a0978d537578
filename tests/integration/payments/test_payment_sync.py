"""The one room: what the provider says becomes the state of a payment, and what it paid for is given once."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from freezegun import freeze_time

from bridge.errors import PermanentError
from payments.checking.ask import was_checked_since
from payments.checking.by_staff import clear_attention
from payments.checking.creation import record_refused
from payments.checking.sync import sync_payment
from payments.errors import NotPaid, PaymentMissing, ProviderMismatch, RefundRefused
from payments.minutes import minute_of
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
    Refund,
    User,
)
from payments.provider import provider
from payments.refunds.request import remaining_amount, request_refund
from payments.states import Attention, Door, EventKind, OrderKind, PaymentStatus, ProviderStatus, RefundStatus
from payments.yookassa.errors import Rejected, Unavailable
from sandbox.yookassa import YooKassaServer
from sandbox.yookassa.records import Status
from tests.support.checkouts import make_customer, queued_checks

PRICE = Decimal("4500.00")
pytestmark = pytest.mark.usefixtures("database", "yookassa")


def in_days(days: float) -> datetime:
    """To the minute, as times are stored."""
    return minute_of(timezone.now() + timedelta(days=days))


def make_type(price: Decimal = PRICE) -> AppointmentType:
    return AppointmentType.objects.create(name="Консультация", duration_minutes=50, price=price)


def start(customer: User | None = None, *, created: bool = True, **order: Any) -> Checkout:
    """Start a payment as the API does; by default for a new consultation in two days."""
    customer = customer or make_customer()
    if not order:
        order = {"appointment_type_id": make_type().pk, "scheduled_at": in_days(2)}
    kind = OrderKind.PACKAGE if "package_id" in order else OrderKind.APPOINTMENT
    payment = Payment.objects.create(user=customer, amount=PRICE, payment_method="yookassa")
    body = {
        "amount": {"value": str(PRICE), "currency": "RUB"},
        "capture": True,
        "confirmation": {"type": "embedded"},
        "metadata": {"payment_id": str(payment.pk)},
    }
    checkout = Checkout.objects.create(
        payment=payment, user_id=customer.pk, amount=PRICE, request_body=body, kind=kind, **order
    )
    if created:
        provider().create_payment(body, key=str(payment.pk))
    return checkout


def pay(yookassa: YooKassaServer, checkout: Checkout) -> Payment:
    """The payer pays, and a door is opened. The first look finds the payment by its metadata."""
    sync_payment(checkout.pk, door=Door.API)
    checkout.refresh_from_db()
    yookassa.succeed(str(checkout.external_id))
    return sync_payment(checkout.pk, door=Door.WEBHOOK)


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
        _book_for_other(checkout)
    payment = pay(yookassa, checkout)
    checkout.refresh_from_db()
    assert payment.status == PaymentStatus.COMPLETED
    assert checkout.attention == attention
    assert not Fulfilment.objects.exists()
    assert not Appointment.objects.filter(payment=payment).exists()


def test_a_time_that_was_freed_is_given_at_the_next_check(yookassa: YooKassaServer) -> None:
    checkout = start()
    _book_for_other(checkout)
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


def test_a_declined_payment_is_failed_with_its_reason(yookassa: YooKassaServer) -> None:
    checkout = start()
    sync_payment(checkout.pk, door=Door.API)
    checkout.refresh_from_db()
    yookassa.decline(str(checkout.external_id), reason="a_reason_of_tomorrow")
    payment = sync_payment(checkout.pk, door=Door.WEBHOOK)
    checkout.refresh_from_db()
    assert payment.status == PaymentStatus.FAILED
    assert checkout.cancellation_reason == "a_reason_of_tomorrow"
    assert checkout.next_check_at is None
    assert not Appointment.objects.exists()


@pytest.mark.parametrize("written", ["completed", "refunded", "failed"])
def test_a_status_written_by_hand_proves_nothing(yookassa: YooKassaServer, written: str) -> None:
    checkout = start()
    Payment.objects.filter(pk=checkout.pk).update(status=written)
    payment = sync_payment(checkout.pk, door=Door.API)
    assert payment.status == PaymentStatus.PROCESSING
    assert not Appointment.objects.exists()
    corrected = PaymentEvent.objects.get(payment=payment, kind=EventKind.STATUS_CORRECTED)
    assert corrected.data["status"] == {"found": written, "right": "processing"}


def test_a_status_that_the_front_end_wrote_in_time_is_no_news(yookassa: YooKassaServer) -> None:
    checkout = start()
    sync_payment(checkout.pk, door=Door.API)
    checkout.refresh_from_db()
    yookassa.succeed(str(checkout.external_id))
    Payment.objects.filter(pk=checkout.pk).update(status="completed")
    before = _mails()
    sync_payment(checkout.pk, door=Door.WEBHOOK)
    # Supabase mails about changes of the status: only the booking is one.
    assert _mails() == [*before, "appointment_confirmation"]
    assert Fulfilment.objects.filter(pk=checkout.pk).exists()


def test_an_amount_and_an_id_that_the_payer_edited_are_put_right(yookassa: YooKassaServer) -> None:
    checkout = start()
    sync_payment(checkout.pk, door=Door.API)
    checkout.refresh_from_db()
    Payment.objects.filter(pk=checkout.pk).update(amount=1, external_payment_id="another", metadata={"type": "package"})
    yookassa.succeed(str(checkout.external_id))
    payment = sync_payment(checkout.pk, door=Door.API)
    assert (payment.amount, payment.external_payment_id) == (PRICE, checkout.external_id)
    # What was ordered is what was frozen, and not what the row says by now.
    assert Appointment.objects.filter(payment=payment).count() == 1


def test_a_payment_of_another_amount_is_not_taken(yookassa: YooKassaServer) -> None:
    checkout = start(created=False)
    cheap = {**(checkout.request_body or {}), "amount": {"value": "1.00", "currency": "RUB"}}
    made = provider().create_payment(cheap, key="another")
    yookassa.succeed(made.id)
    payment = sync_payment(checkout.pk, door=Door.WEBHOOK)
    checkout.refresh_from_db()
    assert payment.status == PaymentStatus.PENDING
    assert (checkout.attention, checkout.external_id) == (Attention.MISMATCH, None)
    assert not Appointment.objects.exists()


def test_a_payment_that_the_provider_does_not_know_is_a_mismatch() -> None:
    checkout = start(created=False)
    Checkout.objects.filter(pk=checkout.pk).update(external_id=str(uuid.uuid4()), provider_status="pending")
    with pytest.raises(ProviderMismatch, match="another shop"):
        sync_payment(checkout.pk, door=Door.QUEUE)
    assert issubclass(ProviderMismatch, PermanentError)


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


class TestPaymentsWhoseCreationGotNoAnswer:
    def test_the_provider_is_searched_by_our_id(self, yookassa: YooKassaServer) -> None:
        checkout = start()
        sync_payment(checkout.pk, door=Door.RECONCILIATION)
        checkout.refresh_from_db()
        assert checkout.external_id is not None
        assert checkout.confirmation_token.startswith("ct-")

    def test_one_that_was_never_made_is_called_off_after_an_hour(self) -> None:
        checkout = start(created=False)
        assert sync_payment(checkout.pk, door=Door.RECONCILIATION).status == PaymentStatus.PENDING
        Checkout.objects.filter(pk=checkout.pk).update(created_at=in_days(-0.1))
        assert sync_payment(checkout.pk, door=Door.RECONCILIATION).status == PaymentStatus.CANCELLED
        assert _mails() == []

    def test_one_that_turns_up_after_that_goes_on(self, yookassa: YooKassaServer) -> None:
        checkout = start(created=False)
        Checkout.objects.filter(pk=checkout.pk).update(created_at=in_days(-0.05))
        sync_payment(checkout.pk, door=Door.RECONCILIATION)
        made = provider().create_payment(checkout.request_body or {}, key=str(checkout.pk))
        yookassa.succeed(made.id)
        Checkout.objects.filter(pk=checkout.pk).update(created_at=timezone.now())
        assert sync_payment(checkout.pk, door=Door.RECONCILIATION).status == PaymentStatus.COMPLETED

    def test_one_that_the_provider_refused_is_called_off_for_staff_to_see(self) -> None:
        checkout = start(created=False)
        refusal = Rejected(400, "invalid_request", "receipt", "bad receipt")
        assert record_refused(checkout.pk, refusal, door=Door.API).status == PaymentStatus.CANCELLED
        checkout.refresh_from_db()
        assert checkout.attention == Attention.NOT_CREATED


class TestRefunds:
    def test_a_part_then_the_rest_makes_a_refunded_payment_and_two_mails(self, yookassa: YooKassaServer) -> None:
        checkout = start()
        pay(yookassa, checkout)
        self._refund(checkout, Decimal("1000.50"))
        assert sync_payment(checkout.pk, door=Door.QUEUE).status == PaymentStatus.COMPLETED
        self._refund(checkout, None)
        assert sync_payment(checkout.pk, door=Door.QUEUE).status == PaymentStatus.REFUNDED
        amounts = Refund.objects.filter(status="succeeded").order_by("created_at").values_list("amount", flat=True)
        assert list(amounts) == [Decimal("1000.50"), Decimal("3499.50")]
        assert _mails().count("payment_refunded") == 2
        assert [check["action"] for check in queued_checks()] == ["refund", "refund"]

    @pytest.mark.parametrize("amount", ["4500.01", "0.00", "-1.00", "0.001"])
    def test_an_amount_that_cannot_be_is_refused(self, yookassa: YooKassaServer, amount: str) -> None:
        checkout = start()
        pay(yookassa, checkout)
        with pytest.raises(RefundRefused):
            self._refund(checkout, Decimal(amount))
        assert not Refund.objects.exists()
        assert queued_checks() == []

    def test_an_unpaid_payment_is_not_refunded(self) -> None:
        checkout = start()
        sync_payment(checkout.pk, door=Door.API)
        with pytest.raises(NotPaid):
            self._refund(checkout, None)

    def test_refunds_asked_for_at_once_never_exceed_what_was_paid(self, yookassa: YooKassaServer) -> None:
        checkout = start()
        pay(yookassa, checkout)

        def ask(_: int) -> bool:
            try:
                self._refund(checkout, Decimal("2000.00"))
            except RefundRefused:
                return False
            finally:
                connection.close()
            return True

        with ThreadPoolExecutor(6) as pool:
            assert sorted(pool.map(ask, range(6))) == [False] * 4 + [True] * 2
        checkout.refresh_from_db()
        assert remaining_amount(checkout) == Decimal("500.00")

    def test_a_lost_answer_is_repeated_and_makes_one_refund(self, yookassa: YooKassaServer) -> None:
        checkout = start()
        pay(yookassa, checkout)
        self._refund(checkout, Decimal("100.00"))
        yookassa.fail("500", method="POST", after=True)
        with pytest.raises(Unavailable):
            sync_payment(checkout.pk, door=Door.QUEUE)
        sync_payment(checkout.pk, door=Door.QUEUE)
        checkout.refresh_from_db()
        assert checkout.refunded_amount == Decimal("100.00")
        assert len(yookassa.shop.list_refunds({})["items"]) == 1

    def test_an_old_request_is_looked_for_and_not_sent_again(self, yookassa: YooKassaServer) -> None:
        checkout = start()
        pay(yookassa, checkout)
        made, lost = self._refund(checkout, Decimal("100.00")), self._refund(checkout, Decimal("200.00"))
        provider().create_refund(made.request_body or {}, key=str(made.pk))
        Refund.objects.update(created_at=in_days(-1.1))
        sync_payment(checkout.pk, door=Door.RECONCILIATION)
        made.refresh_from_db()
        lost.refresh_from_db()
        assert (made.status, lost.status) == (RefundStatus.SUCCEEDED, RefundStatus.REJECTED)
        assert len(yookassa.shop.list_refunds({})["items"]) == 1

    def test_a_refund_that_the_bank_refuses_frees_its_amount_and_asks_for_a_person(
        self, yookassa: YooKassaServer
    ) -> None:
        checkout = start()
        pay(yookassa, checkout)
        yookassa.shop.refund_status = Status.CANCELED
        refund = self._refund(checkout, None)
        sync_payment(checkout.pk, door=Door.QUEUE)
        refund.refresh_from_db()
        checkout.refresh_from_db()
        assert (refund.status, refund.cancellation_reason) == (RefundStatus.CANCELED, "insufficient_funds")
        assert checkout.attention == Attention.REFUND_FAILED
        assert remaining_amount(checkout) == PRICE
        assert "payment_refunded" not in _mails()

    def test_a_refund_of_yookassas_own_office_is_found(self, yookassa: YooKassaServer) -> None:
        checkout = start()
        pay(yookassa, checkout)
        checkout.refresh_from_db()
        money = {"value": "4500.00", "currency": "RUB"}
        yookassa.shop.create_refund({"payment_id": checkout.external_id, "amount": money})
        assert sync_payment(checkout.pk, door=Door.RECONCILIATION).status == PaymentStatus.REFUNDED
        assert Refund.objects.get().requested_by is None

    def test_a_payment_refunded_before_it_was_seen_gives_nothing(self, yookassa: YooKassaServer) -> None:
        checkout = start()
        sync_payment(checkout.pk, door=Door.API)
        checkout.refresh_from_db()
        yookassa.succeed(str(checkout.external_id))
        money = {"value": "4500.00", "currency": "RUB"}
        yookassa.shop.create_refund({"payment_id": checkout.external_id, "amount": money})
        assert sync_payment(checkout.pk, door=Door.WEBHOOK).status == PaymentStatus.REFUNDED
        assert not Appointment.objects.exists()

    def _refund(self, checkout: Checkout, amount: Decimal | None) -> Refund:
        return request_refund(payment_id=checkout.pk, amount=amount, reason="", actor_id=None, door=Door.STAFF)


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
    assert sorted(_mails()) == ["appointment_confirmation", "payment_confirmation"]


def test_a_message_from_before_the_last_check_has_its_answer_unless_a_refund_waits(yookassa: YooKassaServer) -> None:
    checkout = start()
    asked = timezone.now()
    assert not was_checked_since(asked, payment_id=checkout.pk)
    pay(yookassa, checkout)
    assert was_checked_since(asked, payment_id=checkout.pk)
    assert not was_checked_since(timezone.now(), payment_id=checkout.pk)
    request_refund(payment_id=checkout.pk, amount=None, reason="", actor_id=None, door=Door.STAFF)
    assert not was_checked_since(asked, payment_id=checkout.pk)


def test_a_payment_that_nobody_started_is_missing() -> None:
    row = Payment.objects.create(user=make_customer(), amount=PRICE)
    for payment_id in (row.pk, uuid.uuid4()):
        with pytest.raises(PaymentMissing):
            sync_payment(payment_id, door=Door.QUEUE)


def test_a_check_that_fails_changes_nothing(yookassa: YooKassaServer) -> None:
    checkout = start()
    sync_payment(checkout.pk, door=Door.API)
    before = Checkout.objects.values().get(pk=checkout.pk)
    yookassa.fail("500")
    with pytest.raises(Unavailable):
        sync_payment(checkout.pk, door=Door.API)
    assert Checkout.objects.values().get(pk=checkout.pk) == before


def test_the_timeline_can_only_be_added_to(yookassa: YooKassaServer) -> None:
    sync_payment(start().pk, door=Door.API)
    for change in (lambda: PaymentEvent.objects.update(kind="x"), PaymentEvent.objects.all().delete):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()


def test_staff_can_say_that_a_payment_needs_no_attention_any_more(yookassa: YooKassaServer) -> None:
    checkout = start()
    _book_for_other(checkout)
    pay(yookassa, checkout)
    clear_attention(payment_id=checkout.pk, actor_id=7, note="перенесли на вторник")
    checkout.refresh_from_db()
    cleared = PaymentEvent.objects.get(kind=EventKind.ATTENTION_CLEARED)
    assert (checkout.attention, checkout.attention_since, cleared.actor_id) == ("", None, 7)


def test_the_next_check_comes_later_and_later_until_the_payment_is_final(yookassa: YooKassaServer) -> None:
    checkout = start()
    waits = []
    with freeze_time(timezone.now()) as clock:
        for _ in range(4):
            sync_payment(checkout.pk, door=Door.RECONCILIATION)
            checkout.refresh_from_db()
            assert checkout.next_check_at is not None
            waits.append(checkout.next_check_at - timezone.now())
            clock.move_to(checkout.next_check_at)
    assert waits == sorted(waits)
    assert waits[-1] > waits[0] >= timedelta(minutes=1)
    yookassa.succeed(str(checkout.external_id))
    sync_payment(checkout.pk, door=Door.RECONCILIATION)
    checkout.refresh_from_db()
    assert (checkout.provider_status, checkout.next_check_at) == (ProviderStatus.SUCCEEDED, None)


def _profile(user: User) -> Profile:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO public.profiles (user_id, type, first_name) VALUES (%s, 'child', 'Лев') RETURNING id",
            [user.pk],
        )
        return Profile.objects.get(pk=cursor.fetchone()[0])


def _book_for_other(checkout: Checkout) -> None:
    assert checkout.appointment_type_id is not None
    assert checkout.scheduled_at is not None
    Appointment.objects.create(
        user=make_customer(), appointment_type_id=checkout.appointment_type_id, scheduled_at=checkout.scheduled_at
    )


def _mails() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT message ->> 'template' FROM pgmq.q_email_queue ORDER BY msg_id")
        return [template for (template,) in cursor.fetchall()]
