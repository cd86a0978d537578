"""Numbers in addresses, forms and on command lines: digits, and not what Python alone would take for a number."""

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from bridge.pgmq import pgmq_queue
from notifications.queue import QUEUE
from payments.ledger.marks import open_marks
from payments.models import ProviderNotification
from payments.states import Attention
from tests.support.checkouts import flag, make_checkout
from tests.support.payment_pages import CHECK, LOOK, NOTIFICATIONS, page_of, staff_with

pytestmark = pytest.mark.usefixtures("database")

# Each is ten, or one, for `int`.
ODD = ("1_0", "١", "+1", " 1", "1 ", "０１")


@pytest.fixture
def support() -> Client:
    return staff_with(*LOOK, CHECK)


def test_the_page_of_a_row_has_one_address(support: Client) -> None:
    for _ in range(10):
        row = ProviderNotification.objects.create(address="185.71.76.1", trusted=True, body="{}")
    ids = (f"{str(row.pk)[0]}_{str(row.pk)[1:]}", *ODD)
    assert support.get(f"{NOTIFICATIONS}{row.pk}/change/").status_code == 200
    assert {support.get(f"{NOTIFICATIONS}{odd}/change/").status_code for odd in ids} == {302}


def test_a_mark_is_named_by_its_number(support: Client) -> None:
    checkout = make_checkout()
    flag(checkout, Attention.CHECK_FAILED, "odd")
    mark = open_marks(checkout.pk)[0].pk
    for odd in ("1_0", "١", f"+{mark}"):
        support.post(page_of(checkout.pk, "clear-attention"), {"note": "ok", "mark": odd})
    assert open_marks(checkout.pk)
    support.post(page_of(checkout.pk, "clear-attention"), {"note": "ok", "mark": mark})
    assert not open_marks(checkout.pk)


@pytest.mark.parametrize("odd", ODD)
def test_a_message_is_put_back_by_its_number(odd: str) -> None:
    pgmq_queue(QUEUE).send({})
    with pytest.raises(CommandError, match="is not the id of a message"):
        call_command("requeue", QUEUE, odd)
