"""`create` while YooKassa is slow, away, or says no: what the caller is told, and what the next call makes of it."""

import logging
from typing import Any

import pytest
from pytest_django import Settings

from payments.models import Checkout, Payment, PaymentEvent
from payments.states import Attention, EventKind, PaymentStatus, ProviderStatus
from sandbox.yookassa import FaultKind, YooKassaServer
from tests.support.payment_calls import Answer, Catalogue, Customer, at_once, at_yookassa
from tests.support.yookassa_shop import IMPATIENT

pytestmark = pytest.mark.usefixtures("database", "yookassa")


def begin_in_vain(customer: Customer, catalogue: Catalogue, settings: Settings) -> Answer:
    """Ask a provider that stays silent, and wait no longer than a test may; the next call has time again."""
    before, settings.YUKASSA_READ_TIMEOUT = settings.YUKASSA_READ_TIMEOUT, IMPATIENT
    answer = customer.create(catalogue.bundle())
    settings.YUKASSA_READ_TIMEOUT = before
    return answer


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": FaultKind.SILENT, "after": True},
        {"kind": FaultKind.SILENT},
        {"kind": FaultKind.RESET, "after": True},
        {"kind": FaultKind.ERROR_500},
        {"kind": FaultKind.ERROR_500, "after": True},
        {"kind": FaultKind.HTML_502},
        {"kind": FaultKind.BROKEN_JSON, "after": True},
        {"kind": FaultKind.TOO_MANY_REQUESTS},
        {"kind": FaultKind.PROCESSING},
    ],
    ids=lambda fault: f"{fault['kind']}{'-after' if 'after' in fault else ''}",
)
def test_without_an_answer_the_same_call_finishes_what_was_begun(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer, settings: Settings, fault: dict[str, Any]
) -> None:
    yookassa.fail(**fault)
    lost = begin_in_vain(customer, catalogue, settings)
    assert (lost.status, lost.code) == (503, "provider_unavailable")
    assert int(lost.headers["retry-after"]) >= 1
    row = Payment.objects.get()
    assert (row.status, row.external_payment_id) == (PaymentStatus.PENDING, None)
    event = PaymentEvent.objects.get(kind=EventKind.PROVIDER_AWAY)
    assert event.payment_id == row.pk

    found = customer.create(catalogue.bundle())
    assert (found.status, found.body["payment_id"]) == (200, str(row.pk))
    [made] = at_yookassa(yookassa)
    assert found.body["confirmation_token"] == made["confirmation"]["confirmation_token"]
    assert {call.key for call in yookassa.requests} == {str(row.pk)}
    assert Checkout.objects.get().external_id == made["id"]


def test_how_long_to_wait_is_passed_on(customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer) -> None:
    yookassa.fail(FaultKind.TOO_MANY_REQUESTS, seconds=17)
    assert customer.create(catalogue.bundle()).headers["retry-after"] == "17"


def test_the_repeated_call_sends_the_order_that_was_written_down(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer, settings: Settings
) -> None:
    yookassa.fail(FaultKind.SILENT, after=True)
    begin_in_vain(customer, catalogue, settings)
    # YooKassa refuses a known key with another body.
    settings.YUKASSA_VAT_CODE = 11
    customer.user.email = "new@example.org"
    customer.user.save(update_fields=["email"])
    assert customer.create(catalogue.bundle()).status == 200
    assert len(at_yookassa(yookassa)) == 1


def test_clicks_while_yookassa_is_slow_are_one_payment(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    yookassa.fail(FaultKind.SLOW, seconds=0.3, times=3)
    answers = at_once(3, lambda: customer.create(catalogue.bundle()))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body["confirmation_token"] for answer in answers}) == len(at_yookassa(yookassa)) == 1


def test_a_refusal_ends_the_payment_and_tells_staff(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer, settings: Settings
) -> None:
    settings.YUKASSA_TAX_SYSTEM_CODE = 9
    refused = customer.create(catalogue.bundle())
    assert (refused.status, refused.code) == (502, "provider_rejected")
    assert "tax" not in refused.body["error"]
    row, checkout = Payment.objects.get(), Checkout.objects.get()
    assert row.status == PaymentStatus.CANCELLED
    assert (checkout.provider_status, checkout.attention) == (ProviderStatus.REJECTED, Attention.NOT_CREATED)
    assert at_yookassa(yookassa) == []

    settings.YUKASSA_TAX_SYSTEM_CODE = None
    again = customer.create(catalogue.bundle())
    assert again.status == 200
    assert again.body["payment_id"] != str(row.pk)


def test_wrong_credentials_are_our_fault_and_not_the_callers(
    customer: Customer, catalogue: Catalogue, settings: Settings
) -> None:
    settings.YUKASSA_SECRET_KEY = "test_of-nobody"
    answer = customer.create(catalogue.bundle())
    assert (answer.status, answer.code) == (502, "provider_rejected")


def test_without_an_account_nothing_is_written(customer: Customer, catalogue: Catalogue, settings: Settings) -> None:
    settings.YUKASSA_SHOP_ID = ""
    answer = customer.create(catalogue.bundle())
    assert (answer.status, answer.code) == (503, "payments_not_configured")
    assert "retry-after" in answer.headers
    assert not Payment.objects.exists()


def test_a_payment_of_another_amount_is_not_offered_to_the_payer(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer, settings: Settings
) -> None:
    yookassa.fail(FaultKind.SILENT, after=True)
    begin_in_vain(customer, catalogue, settings)
    [made] = at_yookassa(yookassa)
    # As if the answer to our request were about something else.
    Checkout.objects.update(amount=1)
    Payment.objects.update(amount=1)
    catalogue.package.price = 1
    catalogue.package.save(update_fields=["price"])
    answer = customer.create(catalogue.bundle(), 1)
    assert (answer.status, answer.code) == (409, "payment_mismatch")
    checkout = Checkout.objects.get()
    assert (checkout.attention, checkout.external_id) == (Attention.MISMATCH, None)
    assert made["confirmation"]["confirmation_token"] not in str(answer.body)


def test_a_payment_that_was_paid_behind_our_back_is_found_and_not_started_again(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer, settings: Settings
) -> None:
    yookassa.fail(FaultKind.SILENT, after=True)
    begin_in_vain(customer, catalogue, settings)
    row = Payment.objects.get()
    yookassa.succeed(at_yookassa(yookassa)[0]["id"])
    assert customer.verify(row.pk).body["status"] == "completed"
    assert Checkout.objects.get().provider_status == ProviderStatus.SUCCEEDED


def test_neither_tokens_nor_addresses_are_logged(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    yookassa.fail(FaultKind.ERROR_500)
    customer.create(catalogue.bundle())
    answer = customer.create(catalogue.bundle())
    text = "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith(("payments", "balansity"))
    )
    assert text
    for secret in (answer.body["confirmation_token"], "parent@example.org", "token@example.org", "Bearer", "test_of"):
        assert secret not in text
