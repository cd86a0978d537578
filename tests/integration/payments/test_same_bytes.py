"""A request that is repeated is the same to the byte, also when it comes out of the database: keys promise no less."""

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from payments.models import Checkout, Refund
from payments.provider import provider
from payments.refunds.request import request_refund
from payments.states import Door, RefundStatus
from payments.yookassa.errors import Unavailable
from sandbox.yookassa import YooKassaServer
from sandbox.yookassa.api import KEY, Api
from sandbox.yookassa.exchange import Reply, Request
from tests.support.payment_calls import Catalogue, Customer, at_yookassa
from tests.support.payment_deliveries import start_payment, work_off
from tests.support.yookassa_shop import SECRET_KEY, SHOP_ID, call, payment_body, receipt

Sent = dict[str, list[bytes]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """The bodies that came in at YooKassa, by their keys."""
    found: Sent = {}
    answer = Api.answer

    def note(self: Api, request: Request) -> Reply:
        if request.method == "POST":
            found.setdefault(request.headers[KEY.lower()], []).append(request.content)
        return answer(self, request)

    monkeypatch.setattr(Api, "answer", note)
    return found


@pytest.mark.parametrize("after", [True, False], ids=["the answer is lost", "the request is lost"])
def test_a_creation_that_is_sent_again_from_the_database(
    after: bool, customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer, sent: Sent
) -> None:
    yookassa.fail("500", after=after)
    assert customer.create(catalogue.booking()).status == 503
    assert customer.create(catalogue.booking()).status == 200
    [bodies] = sent.values()
    assert len(bodies) == (2 if after else 1)
    assert len(set(bodies)) == 1
    assert len(at_yookassa(yookassa)) == 1


def test_a_creation_in_hand_is_the_same_as_the_one_that_was_stored(
    customer: Customer, catalogue: Catalogue, yookassa: YooKassaServer, sent: Sent
) -> None:
    customer.create(catalogue.bundle())
    [[first]] = sent.values()
    stored = Checkout.objects.get()
    provider().create_payment(stored.request_body or {}, key=str(stored.pk))
    [bodies] = sent.values()
    assert bodies == [first, first]


def test_a_refund_with_a_receipt_that_is_sent_again(shop: YooKassaServer, sent: Sent) -> None:
    checkout = start_payment(request_body=payment_body("4500.00", receipt=receipt("4500.00")))
    Checkout.objects.update(provider_status="succeeded", captured_at=timezone.now())
    shop.succeed(str(checkout.external_id))
    sent.clear()
    refund = request_refund(payment_id=checkout.pk, amount=Decimal(100), reason="", actor_id=None, door=Door.STAFF)
    # As it is before it ever was in the database.
    shop.fail("reset", after=True)
    with pytest.raises(Unavailable):
        provider().create_refund(refund.request_body or {}, key=str(refund.pk))
    work_off()
    assert len(sent[str(refund.pk)]) == 2
    assert len(set(sent[str(refund.pk)])) == 1
    assert Refund.objects.get().status == RefundStatus.SUCCEEDED


def test_the_order_of_members_makes_no_other_request(shop: YooKassaServer, sent: Sent) -> None:
    body = payment_body(receipt=receipt("19.99"))
    for order in (body, _reversed(body)):
        provider().create_payment(order, key="1")
    assert len(set(sent["1"])) == 1


def test_the_stand_in_takes_the_strictest_reading(shop: YooKassaServer) -> None:
    body = payment_body()
    assert call(f"{shop.api_url}/payments", body, key="1", login=f"{SHOP_ID}:{SECRET_KEY}")[0] == 200
    status, error = call(f"{shop.api_url}/payments", _reversed(body), key="1", login=f"{SHOP_ID}:{SECRET_KEY}")
    assert (status, error["parameter"]) == (400, KEY)


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _reversed(member) for name, member in reversed(value.items())}
    return [_reversed(item) for item in value] if isinstance(value, list) else value
