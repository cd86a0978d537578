"""After a decline nobody is handed the form that says so: the browser learns of it before we do."""

import pytest
from django.utils import timezone
from freezegun import freeze_time

from payments.buying.create import DOUBLE_CLICK
from payments.checking.sync import sync_payment
from payments.models import Checkout, Payment
from payments.states import Door
from sandbox.yookassa import YooKassaServer
from tests.support.payment_calls import Answer, Catalogue, Customer, at_yookassa


def external_id(started: Answer) -> str:
    return str(Checkout.objects.get(pk=started.body["payment_id"]).external_id)


@pytest.mark.parametrize("end", ["decline", "expire"])
def test_a_second_click_right_after_the_form_ended_gets_a_new_form(
    end: str, customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    first = customer.create(catalogue.booking())
    getattr(yookassa, end)(external_id(first))
    # No notification, no check: only the browser knows.
    second = customer.create(catalogue.booking())
    assert second.status == 200
    assert second.body["payment_id"] != first.body["payment_id"]
    assert second.body["confirmation_token"] != first.body["confirmation_token"]
    assert [one["status"] for one in at_yookassa(yookassa)] == ["pending", "canceled"]
    assert customer.verify(first.body["payment_id"]).body["status"] == "failed"


def test_every_try_gets_a_form_of_its_own(customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer) -> None:
    tokens = set()
    for _ in range(3):
        started = customer.create(catalogue.bundle())
        tokens.add(started.body["confirmation_token"])
        yookassa.decline(external_id(started), reason="insufficient_funds")
    assert len(tokens) == 3


def test_several_forms_that_ended_are_all_passed_over(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    # Two tabs, each with a row of its own.
    for _ in range(2):
        customer.inserts_row(catalogue.bundle())
        yookassa.decline(external_id(customer.create(catalogue.bundle())))
    started = customer.create(catalogue.bundle())
    assert at_yookassa(yookassa)[0]["metadata"]["payment_id"] == started.body["payment_id"]
    assert len(at_yookassa(yookassa)) == 3


@pytest.mark.parametrize("what", ["booking", "bundle"])
def test_who_has_paid_a_moment_ago_is_not_asked_to_pay_again(
    what: str, customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    metadata = getattr(catalogue, what)()
    first = customer.create(metadata)
    yookassa.succeed(external_id(first))
    assert customer.create(metadata).code == "payment_finished"
    assert customer.verify(first.body["payment_id"]).body["status"] == "completed"


def test_a_double_click_gets_its_form_from_a_provider_that_does_not_answer_and_later_clicks_wait(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    first = customer.create(catalogue.bundle())
    yookassa.fail("500")
    assert customer.create(catalogue.bundle()).body == first.body
    yookassa.fail("500")
    with freeze_time(timezone.now() + DOUBLE_CLICK):
        assert customer.create(catalogue.bundle()).code == "provider_unavailable"


def test_an_idempotency_key_repeats_no_form_that_is_known_to_have_ended(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    first = customer.create(catalogue.bundle(), key="one")
    assert customer.create(catalogue.bundle(), key="one").body == first.body
    yookassa.decline(external_id(first))
    sync_payment(Checkout.objects.get().pk, door=Door.WEBHOOK)
    ended = customer.create(catalogue.bundle(), key="one")
    assert (ended.status, ended.code) == (409, "payment_finished")
    assert "Idempotency-Key" in ended.body["error"]
    assert customer.create(catalogue.bundle(), key="two").status == 200


@pytest.mark.parametrize("end", ["decline", "expire"])
def test_an_idempotency_key_repeats_no_form_of_which_only_the_browser_knows_that_it_ended(
    end: str, customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    first = customer.create(catalogue.bundle(), key="one")
    getattr(yookassa, end)(external_id(first))
    assert customer.create(catalogue.bundle(), key="one").code == "payment_finished"


def test_an_idempotency_key_repeats_no_form_of_a_payment_whose_row_was_deleted(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    first = customer.create(catalogue.bundle(), key="one")
    Payment.objects.filter(pk=first.body["payment_id"]).delete()
    assert customer.create(catalogue.bundle(), key="one").code == "payment_finished"
