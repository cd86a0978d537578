"""`verify`, the list and one payment: own rows only, and no word that the provider does not stand for."""

import base64
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from payments.models import Checkout, Fulfilment, PackagePurchase, Payment
from payments.states import PaymentStatus, ProviderStatus
from sandbox.tokens import access_token
from sandbox.yookassa import FaultKind, YooKassaServer
from tests.support.checkouts import make_checkout, make_payment
from tests.support.payment_calls import Catalogue, Customer, at_once, at_yookassa

pytestmark = pytest.mark.usefixtures("database", "yookassa")


def start(customer: Customer, catalogue: Catalogue) -> str:
    return str(customer.create(catalogue.bundle()).body["payment_id"])


def test_a_paid_payment_is_verified_and_fulfilled(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    payment_id = start(customer, catalogue)
    assert customer.verify(payment_id).body["status"] == "processing"
    yookassa.succeed(at_yookassa(yookassa)[0]["id"])
    answer = customer.verify(payment_id)
    row = Payment.objects.get()
    assert row.created_at is not None
    assert row.updated_at is not None
    assert (answer.status, answer.body["status"]) == (200, "completed")
    assert answer.body["payment"] == {
        "id": payment_id,
        "user_id": str(customer.id),
        "amount": 4500,
        "currency": "RUB",
        "status": "completed",
        "payment_method": "yookassa",
        "external_payment_id": at_yookassa(yookassa)[0]["id"],
        "metadata": catalogue.bundle(),
        "created_at": row.created_at.isoformat(),
        "updated_at": row.updated_at.isoformat(),
    }
    assert row.created_at.utcoffset() == timedelta(0)
    assert PackagePurchase.objects.get().payment_id == row.pk


def test_somebody_elses_payment_is_not_found(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    theirs = start(Customer(), catalogue)
    yookassa.succeed(at_yookassa(yookassa)[0]["id"])
    asked = len(yookassa.requests)
    for payment_id in (theirs, uuid.uuid4()):
        for answer in (customer.verify(payment_id), customer.get(f"/api/payments/{payment_id}")):
            assert (answer.status, answer.body["error"]) == (404, "Payment not found")
            assert answer.code == "payment_not_found"
    assert len(yookassa.requests) == asked
    assert Payment.objects.get().status == PaymentStatus.PROCESSING


@pytest.mark.parametrize("body", [{}, {"payment_id": None}, {"payment_id": "1"}, {"payment_id": ["x"]}, [], "{", '"x"'])
def test_a_payment_is_named_by_its_id(customer: Customer, body: object) -> None:
    assert customer.post("/api/payments/verify", body).status == 400


def test_a_row_that_nothing_was_started_for_is_pending(customer: Customer, catalogue: Catalogue) -> None:
    row = customer.inserts_row(catalogue.bundle())
    answer = customer.verify(row.pk)
    assert (answer.status, answer.body["status"], answer.body["payment"]["status"]) == (200, "pending", "pending")


@pytest.mark.parametrize("claimed", ["completed", "refunded", "processing"])
def test_what_the_front_end_wrote_is_no_proof(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer, claimed: str
) -> None:
    row = customer.inserts_row(catalogue.bundle(), status=claimed)
    answer = customer.verify(row.pk)
    assert (answer.body["status"], answer.body["payment"]["status"]) == ("pending", "pending")
    assert not Fulfilment.objects.exists()
    assert yookassa.requests == []


def test_a_forged_status_of_a_started_payment_is_shown_by_nobody_and_put_right(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    payment_id = start(customer, catalogue)
    Payment.objects.update(status="completed")
    assert customer.get(f"/api/payments/{payment_id}").body["status"] == "processing"
    assert customer.get("/api/payments").body["results"][0]["status"] == "processing"
    assert customer.verify(payment_id).body["status"] == "processing"
    assert Payment.objects.get().status == "processing"
    assert not PackagePurchase.objects.exists()


@pytest.mark.parametrize("end", ["succeed", "decline"])
def test_a_payment_that_is_over_is_answered_without_yookassa(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer, end: str
) -> None:
    payment_id = start(customer, catalogue)
    getattr(yookassa, end)(at_yookassa(yookassa)[0]["id"])
    known = customer.verify(payment_id).body
    yookassa.stop()
    assert customer.verify(payment_id).body == known
    # Even when somebody wrote into the row, and nobody can be asked.
    Payment.objects.update(status="pending")
    assert customer.verify(payment_id).body["status"] == known["status"]


def test_an_open_payment_cannot_be_verified_while_yookassa_is_away(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer, settings: Settings
) -> None:
    payment_id = start(customer, catalogue)
    yookassa.fail(FaultKind.ERROR_500)
    answer = customer.verify(payment_id)
    assert (answer.status, answer.code) == (503, "provider_unavailable")
    assert "retry-after" in answer.headers
    settings.YUKASSA_SECRET_KEY = "test_of-nobody"
    assert customer.verify(payment_id).code == "provider_rejected"
    settings.YUKASSA_SHOP_ID = ""
    assert customer.verify(payment_id).code == "payments_not_configured"
    assert Payment.objects.get().status == PaymentStatus.PROCESSING


def test_a_payment_that_another_shop_made_needs_support(customer: Customer) -> None:
    row = make_payment(user=customer.user, external_payment_id=str(uuid.uuid4()), status="completed")
    answer = customer.verify(row.pk)
    assert (answer.status, answer.code) == (409, "payment_mismatch")


def test_many_verifications_at_once_fulfil_once(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    payment_id = start(customer, catalogue)
    yookassa.succeed(at_yookassa(yookassa)[0]["id"])
    answers = at_once(6, lambda: customer.verify(payment_id))
    assert {(answer.status, answer.body["status"]) for answer in answers} == {(200, "completed")}
    assert PackagePurchase.objects.count() == Fulfilment.objects.count() == 1


def make_rows(customer: Customer, count: int, **fields: Any) -> list[str]:
    """Rows of the past, newest first, a minute apart."""
    now = timezone.now()
    rows = [make_payment(user=customer.user) for _ in range(count)]
    for number, row in enumerate(rows):
        Payment.objects.filter(pk=row.pk).update(**({"created_at": now - timedelta(minutes=number)} | fields))
    return [str(row.pk) for row in rows]


def read_pages(customer: Customer, limit: int) -> list[list[str]]:
    pages, address = [], f"/api/payments?limit={limit}"
    while address:
        answer = customer.get(address)
        assert answer.status == 200
        pages.append([row["id"] for row in answer.body["results"]])
        address = answer.body["next"]
    return pages


def test_the_list_has_the_callers_payments_newest_first(customer: Customer) -> None:
    make_rows(Customer(), 2)
    ids = make_rows(customer, 5)
    assert read_pages(customer, 2) == [ids[:2], ids[2:4], ids[4:]]
    assert read_pages(customer, 100) == [ids]


def test_payments_of_the_same_moment_are_all_listed_once(customer: Customer) -> None:
    ids = make_rows(customer, 7, created_at=timezone.now())
    pages = read_pages(customer, 3)
    assert sorted(one for page in pages for one in page) == sorted(ids)
    assert [len(page) for page in pages] == [3, 3, 1]


def test_a_page_stays_the_same_while_new_payments_come_in(customer: Customer) -> None:
    ids = make_rows(customer, 4)
    first = customer.get("/api/payments?limit=2").body
    make_payment(user=customer.user)
    second = customer.get(first["next"]).body
    assert [row["id"] for row in second["results"]] == ids[2:]
    assert [row["id"] for row in customer.get(second["previous"]).body["results"]] == ids[:2]


def test_a_page_has_at_most_a_hundred_payments(customer: Customer) -> None:
    Payment.objects.bulk_create(Payment(user=customer.user, amount=1) for _ in range(102))
    assert len(customer.get("/api/payments?limit=1000").body["results"]) == 100
    assert len(customer.get("/api/payments").body["results"]) == 20


@pytest.mark.parametrize("text", ["p=yesterday", "p=2026-11-24", "p=2026-99-99 00:00:00+00:00", "o=x", "p=%00", "r=x"])
def test_a_cursor_of_ones_own_is_not_found(customer: Customer, text: str) -> None:
    cursor = base64.b64encode(text.encode()).decode()
    assert customer.get(f"/api/payments?cursor={cursor}").status == 404
    # A NUL in the address itself is refused before anybody reads it.
    assert customer.get(f"/api/payments?cursor={text}").status == (400 if "%00" in text else 404)


def test_a_refunded_payment_says_so(customer: Customer) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    Payment.objects.filter(pk=checkout.pk).update(user_id=customer.id)
    Checkout.objects.filter(pk=checkout.pk).update(user_id=customer.id, refunded_amount=checkout.amount)
    assert customer.get(f"/api/payments/{checkout.pk}").body["status"] == "refunded"


def test_links_to_further_pages_lead_here_whatever_the_host_header_says(customer: Customer, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.API_BASE_URL = "https://balansity.example/worker/"
    settings.FORCE_SCRIPT_NAME = "/worker"
    make_rows(customer, 2)
    token = access_token(customer.user.pk, email=customer.token_email)
    client = Client(headers={"Host": "evil.example", "Authorization": f"Bearer {token}"})
    following = client.get("/api/payments?limit=1").json()["next"]
    assert following.startswith("https://balansity.example/worker/api/payments?")
