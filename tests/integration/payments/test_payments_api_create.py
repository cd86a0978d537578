"""`POST /api/payments/create`: what is started, adopted, reused and refused."""

import json
import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from payments.models import Appointment, Checkout, Payment, PaymentEvent, User
from payments.states import EventKind, OrderKind, PaymentStatus, ProviderStatus
from sandbox.yookassa import YooKassaServer
from tests.support.checkouts import make_customer, make_payment
from tests.support.payment_calls import (
    PRICE,
    Answer,
    Catalogue,
    Customer,
    at_once,
    at_yookassa,
    make_catalogue,
    tomorrow,
)
from tests.support.supabase_tokens import access_token

pytestmark = pytest.mark.usefixtures("database", "yookassa")


def assert_refused(answer: Answer, status: int, code: str, yookassa: YooKassaServer) -> None:
    """Refused, and nothing has happened anywhere."""
    assert (answer.status, answer.code) == (status, code), answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["error"]
    assert yookassa.requests == []
    assert not Checkout.objects.exists()
    assert not PaymentEvent.objects.exists()


def sent() -> Any:
    """The body of the only request to create a payment."""
    return Checkout.objects.get().request_body


def test_a_payment_is_started_and_answered_as_the_contract_says(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    start, child = tomorrow(), customer.child()
    metadata = catalogue.booking(start, profile_id=str(child.pk))
    answer = customer.create(metadata, 4500)
    [made] = at_yookassa(yookassa)
    row = Payment.objects.get()
    token = made["confirmation"]["confirmation_token"]
    assert (answer.status, answer.body) == (200, {"payment_id": str(row.pk), "confirmation_token": token})
    assert (row.user_id, row.amount, row.currency, row.metadata) == (customer.id, PRICE, "RUB", metadata)
    assert (row.status, row.external_payment_id) == (PaymentStatus.PROCESSING, made["id"])
    assert row.payment_method == "yookassa"
    checkout = Checkout.objects.get()
    assert (checkout.kind, checkout.appointment_type_id) == (OrderKind.APPOINTMENT, catalogue.consultation.pk)
    assert (checkout.scheduled_at, checkout.profile_id) == (start, child.pk)
    assert (checkout.provider_status, checkout.external_id) == (ProviderStatus.PENDING, made["id"])
    assert checkout.next_check_at is not None
    assert made["amount"] == {"value": "4500.00", "currency": "RUB"}
    assert made["metadata"] == {"payment_id": str(row.pk), "user_id": str(customer.id)}
    [call] = yookassa.requests
    assert (call.method, call.path, call.key) == ("POST", "/payments", str(row.pk))
    kinds = list(PaymentEvent.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds[:3] == [EventKind.CREATED, EventKind.PROVIDER_CREATED, EventKind.STATUS_CHANGED]


def test_a_package_and_a_booked_consultation_are_paid_as_well(customer: Customer, catalogue: Catalogue) -> None:
    booked = customer.books(catalogue.consultation, tomorrow())
    assert customer.create(catalogue.bundle()).status == 200
    assert customer.create(catalogue.booked(booked)).status == 200
    package, consultation = Checkout.objects.order_by("created_at")
    assert (package.kind, package.package_id) == (OrderKind.PACKAGE, catalogue.package.pk)
    assert (consultation.appointment_id, consultation.scheduled_at) == (booked.pk, None)


@pytest.mark.parametrize("raw", ["19.99", '"19.99"', "1999e-2"])
def test_the_amount_reaches_yookassa_to_the_kopeck(customer: Customer, yookassa: YooKassaServer, raw: str) -> None:
    catalogue = make_catalogue(Decimal("19.99"))
    body = f'{{"amount": {raw}, "currency": "RUB", "metadata": {json.dumps(catalogue.bundle())}}}'
    assert customer.post("/api/payments/create", body).status == 200
    assert at_yookassa(yookassa)[0]["amount"]["value"] == "19.99"
    assert sent()["receipt"]["items"][0]["amount"]["value"] == "19.99"


@pytest.mark.parametrize(
    "raw", ["0.29", "NaN", "true", "1e400", "1e99999999999999999999", "null", '"4500,00"', "4500.001"]
)
def test_what_is_no_amount_is_refused(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer, raw: str
) -> None:
    body = f'{{"amount": {raw}, "currency": "RUB", "metadata": {json.dumps(catalogue.bundle())}}}'
    answer = customer.post("/api/payments/create", body)
    assert_refused(
        answer, 400, "parse_error" if raw in ("NaN", "1e99999999999999999999") else "validation_error", yookassa
    )


@pytest.mark.parametrize(
    "changes", [{"currency": "USD"}, {"metadata": None}, {"metadata": "x"}, {"metadata": []}, {"amount": None}]
)
def test_a_request_of_another_shape_is_refused(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer, changes: dict[str, Any]
) -> None:
    body = {"amount": 4500, "currency": "RUB", "metadata": catalogue.bundle()} | changes
    assert_refused(customer.post("/api/payments/create", body), 400, "validation_error", yookassa)


@pytest.mark.parametrize("amount", ["4499.99", 1, 45])
def test_a_price_of_the_clients_own_is_refused(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer, amount: object
) -> None:
    answer = customer.create(catalogue.bundle(), amount)
    assert_refused(answer, 400, "amount_mismatch", yookassa)
    assert answer.body["errors"][0]["field"] == "amount"


def test_what_is_not_on_sale_cannot_be_paid(customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer) -> None:
    nowhere = {**catalogue.bundle(), "package_id": str(uuid.uuid4())}
    assert_refused(customer.create(nowhere), 400, "unknown_package", yookassa)
    catalogue.consultation.is_active = False
    catalogue.consultation.save(update_fields=["is_active"])
    assert_refused(customer.create(catalogue.booking()), 400, "unknown_appointment_type", yookassa)


def test_what_belongs_to_somebody_else_looks_like_what_does_not_exist(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    other = Customer()
    theirs, child = other.books(catalogue.consultation, tomorrow()), other.child()
    foreign = customer.create(catalogue.booked(theirs))
    missing = customer.create({**catalogue.booked(theirs), "appointment_id": str(uuid.uuid4())})
    assert_refused(foreign, 404, "appointment_not_found", yookassa)
    assert {**foreign.body, "request_id": ""} == {**missing.body, "request_id": ""}
    profile = catalogue.booking(profile_id=str(child.pk))
    assert_refused(customer.create(profile), 404, "profile_not_found", yookassa)
    assert Appointment.objects.get().payment_id is None


def test_a_paid_or_closed_consultation_cannot_be_paid_again(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    paid = customer.books(catalogue.consultation, tomorrow(), payment=make_payment(user=customer.user))
    closed = customer.books(catalogue.consultation, tomorrow(), status="cancelled")
    assert_refused(customer.create(catalogue.booked(paid)), 409, "already_paid", yookassa)
    assert_refused(customer.create(catalogue.booking(tomorrow())), 409, "already_paid", yookassa)
    assert_refused(customer.create(catalogue.booked(closed)), 409, "appointment_closed", yookassa)


def test_a_booked_consultation_cannot_be_paid_as_a_cheaper_kind(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    cheap = make_catalogue(Decimal(10))
    dear = customer.books(catalogue.consultation, tomorrow())
    metadata = {**catalogue.booked(dear), "appointment_type_id": str(cheap.consultation.pk)}
    assert_refused(customer.create(metadata, 10), 400, "appointment_type_mismatch", yookassa)


def test_a_time_that_is_over_or_taken_cannot_be_paid(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer, settings: Settings
) -> None:
    start = tomorrow()
    past = catalogue.booking(timezone.now() - timedelta(minutes=1))
    assert_refused(customer.create(past), 400, "scheduled_in_the_past", yookassa)
    Customer().books(catalogue.consultation, start)
    assert_refused(customer.create(catalogue.booking(start)), 409, "slot_taken", yookassa)
    settings.APPOINTMENT_SLOT_CAPACITY = 2
    assert customer.create(catalogue.booking(start)).status == 200


def test_the_customers_own_unpaid_booking_does_not_stand_in_the_way(customer: Customer, catalogue: Catalogue) -> None:
    start = tomorrow()
    customer.books(catalogue.consultation, start)
    assert customer.create(catalogue.booking(start)).status == 200


def test_a_cancelled_consultation_leaves_its_time_free(customer: Customer, catalogue: Catalogue) -> None:
    Customer().books(catalogue.consultation, tomorrow(), status="cancelled")
    assert customer.create(catalogue.booking(tomorrow())).status == 200


def test_the_clients_metadata_cannot_name_another_payment_or_user(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    victim = make_payment()
    forged = {"payment_id": str(victim.pk), "user_id": str(victim.user_id), "external_payment_id": "2f-old"}
    answer = customer.create({**catalogue.bundle(), **forged})
    assert answer.body["payment_id"] != str(victim.pk)
    assert at_yookassa(yookassa)[0]["metadata"] == {
        "payment_id": answer.body["payment_id"],
        "user_id": str(customer.id),
    }
    victim.refresh_from_db()
    assert (victim.status, victim.external_payment_id) == (PaymentStatus.PENDING, None)


def test_nothing_about_people_but_the_receipts_address_goes_to_yookassa(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    child = customer.child()
    note: dict[str, Any] = {"profile_name": "Мария", "specialist": "Ольга Смирнова", "worry": "Тревога"}
    answer = customer.create(catalogue.booking(profile_id=str(child.pk), **note))
    request = json.dumps(sent(), ensure_ascii=False)
    kept = json.dumps(at_yookassa(yookassa), ensure_ascii=False)
    for private in (*note.values(), str(child.pk), catalogue.consultation.name, str(catalogue.consultation.pk)):
        assert private not in request
        assert private not in kept
    assert "parent@example.org" in request
    assert at_yookassa(yookassa)[0]["description"] == f"Заказ № {answer.body['payment_id'][:8]}"


def test_the_receipt_needs_a_contact(catalogue: Catalogue, yookassa: YooKassaServer) -> None:
    nameless = Customer(make_customer(email=""), token_email="")
    assert_refused(nameless.create(catalogue.bundle()), 400, "receipt_contact_missing", yookassa)
    User.objects.filter(pk=nameless.id).update(phone="+7 900 000-00-01")
    assert nameless.create(catalogue.bundle()).status == 200
    assert sent()["receipt"]["customer"] == {"phone": "79000000001"}


@pytest.mark.parametrize(
    ("own", "contact"),
    [
        ("ivan@почта.рф", {"email": "ivan@xn--80a1acny.xn--p1ai"}),
        (" ivan@example.org ", {"email": "ivan@example.org"}),
        ("ivan@localhost", {"email": "token@example.org"}),
    ],
)
def test_the_receipt_goes_to_an_address_that_yookassa_takes(
    own: str, contact: dict[str, str], catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    assert Customer(make_customer(email=own)).create(catalogue.bundle()).status == 200
    assert sent()["receipt"]["customer"] == contact


def test_unusable_addresses_make_room_for_the_telephone_and_no_usable_contact_is_told(
    catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    customer = Customer(make_customer(email="ivan@[127.0.0.1]"), token_email="иван@example.org")
    refused = customer.create(catalogue.bundle())
    assert_refused(refused, 400, "receipt_contact_missing", yookassa)
    assert "that it can be sent to" in str(refused.body)
    User.objects.filter(pk=customer.id).update(phone="8 900 000-00-01")
    assert customer.create(catalogue.bundle()).status == 200
    assert sent()["receipt"]["customer"] == {"phone": "79000000001"}


def test_the_tokens_address_stands_in_for_a_missing_one(catalogue: Catalogue) -> None:
    assert Customer(make_customer(email=""), token_email="token@example.org").create(catalogue.bundle()).status == 200
    assert sent()["receipt"]["customer"] == {"email": "token@example.org"}


def test_a_user_without_a_customer_row_is_told_so(catalogue: Catalogue, yookassa: YooKassaServer) -> None:
    stranger = Customer(User(id=uuid.uuid4()))
    assert_refused(stranger.create(catalogue.bundle()), 403, "unknown_customer", yookassa)


def test_nobody_pays_without_a_valid_token(catalogue: Catalogue, yookassa: YooKassaServer) -> None:
    body = json.dumps({"amount": 4500, "currency": "RUB", "metadata": catalogue.bundle()})
    service_key = access_token(uuid.uuid4(), role="service_role")
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Bearer {service_key}"}):
        response = Client().post("/api/payments/create", body, content_type="application/json", headers=headers)
        assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")
    assert yookassa.requests == []


def test_two_customers_pay_two_payments(catalogue: Catalogue, yookassa: YooKassaServer) -> None:
    first, second = Customer(), Customer()
    ids = {each.create(catalogue.bundle()).body["payment_id"] for each in (first, second)}
    assert len(ids) == len(at_yookassa(yookassa)) == 2


def test_more_than_ten_starts_a_minute_are_refused(customer: Customer, catalogue: Catalogue) -> None:
    answers = [customer.create(catalogue.bundle(), 1) for _ in range(11)]
    assert [answer.status for answer in answers] == [400] * 10 + [429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60


def test_a_double_click_is_one_payment(customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer) -> None:
    metadata = catalogue.booking()
    answers = at_once(6, lambda: customer.create(metadata))
    assert {answer.status for answer in answers} == {200}
    assert len({(answer.body["payment_id"], answer.body["confirmation_token"]) for answer in answers}) == 1
    assert Payment.objects.count() == len(at_yookassa(yookassa)) == 1
    assert PaymentEvent.objects.filter(kind=EventKind.PROVIDER_CREATED).count() == 1
