import multiprocessing
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime

import pytest
import yookassa

from payments.yookassa.client import MOST_ITEMS, YooKassaClient
from payments.yookassa.errors import Rejected
from sandbox.yookassa import Status, YooKassaServer
from tests.support.yookassa_shop import SECRET_KEY, SHOP_ID, call, client_of, payment_body, receipt, refund_body


@pytest.fixture
def server() -> Iterator[YooKassaServer]:
    with YooKassaServer(shop_id=SHOP_ID, secret_key=SECRET_KEY) as running:
        yield running


@pytest.fixture
def client(server: YooKassaServer) -> Iterator[YooKassaClient]:
    made = client_of(server)
    yield made
    made.close()


@pytest.mark.parametrize(("secret_key", "test"), [("test_Of-A-Test-Shop", True), ("live_Of-A-Real-Shop", False)])
def test_the_account_says_which_shop_it_is_and_what_time(secret_key: str, test: bool) -> None:
    with YooKassaServer(shop_id=SHOP_ID, secret_key=secret_key) as server:
        asking = YooKassaClient(shop_id=SHOP_ID, secret_key=secret_key, api_url=server.api_url)
        account = asking.get_account()
        asking.close()
        assert (account.id, account.status, account.test, account.fiscalization) == (SHOP_ID, "enabled", test, True)
        assert parsedate_to_datetime(account.date)
        wrong = YooKassaClient(shop_id=SHOP_ID, secret_key="live_another", api_url=server.api_url)
        with pytest.raises(Rejected) as refused:
            wrong.get_account()
        wrong.close()
        assert refused.value.http_status == 401


@pytest.mark.parametrize("value", ["19.99", "4.35", "0.29", "1000000.00"])
def test_an_amount_arrives_and_returns_to_the_kopeck(client: YooKassaClient, value: str) -> None:
    created = client.create_payment(payment_body(value), key="1")
    assert (created.amount, created.currency, created.status) == (Decimal(value), "RUB", "pending")
    assert client.get_payment(created.id).amount == Decimal(value)


def test_an_embedded_payment_has_a_token_until_it_is_paid(server: YooKassaServer, client: YooKassaClient) -> None:
    created = client.create_payment(payment_body(receipt=receipt("19.99")), key="1")
    assert created.confirmation_token
    assert created.confirmation_token.startswith("ct-")
    assert (created.description, created.metadata) == (payment_body()["description"], {"payment_id": "0b7f0c0a"})
    assert created.test
    server.succeed(created.id, method="sbp")
    paid = client.get_payment(created.id)
    assert (paid.status, paid.confirmation_token) == ("succeeded", None)
    assert (paid.method_type, paid.method_title, paid.receipt_registration) == ("sbp", "СБП", "pending")
    server.register_receipt(created.id)
    assert client.get_payment(created.id).receipt_registration == "succeeded"
    assert paid.captured_at is not None
    assert paid.income_amount is not None
    assert paid.income_amount < paid.amount


def test_a_redirect_payment_has_no_token(client: YooKassaClient) -> None:
    confirmation = {"type": "redirect", "return_url": "http://127.0.0.1/back"}
    created = client.create_payment(payment_body(confirmation=confirmation), key="1")
    assert (created.status, created.confirmation_token) == ("pending", None)


def test_a_decline_that_nobody_has_heard_of_is_passed_on(server: YooKassaServer, client: YooKassaClient) -> None:
    created = client.create_payment(payment_body(), key="1")
    server.decline(created.id, reason="mercury_retrograde", party="stars")
    found = client.get_payment(created.id)
    assert (found.status, found.cancellation_party, found.cancellation_reason) == (
        "canceled",
        "stars",
        "mercury_retrograde",
    )


def test_reserved_money_is_given_free_and_unpaid_payments_cannot_be_cancelled(
    server: YooKassaServer, client: YooKassaClient
) -> None:
    created = client.create_payment(payment_body(capture=False), key="1")
    # As the shop's office does: we never cancel.
    cancellation = f"{server.api_url}/payments/{created.id}/cancel"
    status, refusal = call(cancellation, {}, key="2")
    assert (status, refusal["code"]) == (400, "invalid_request")
    server.wait_for_capture(created.id)
    assert client.get_payment(created.id).expires_at is not None
    assert call(cancellation, {}, key="3")[0] == 200
    assert client.get_payment(created.id).cancellation_reason == "canceled_by_merchant"


def test_refunds_are_made_found_and_listed(server: YooKassaServer, client: YooKassaClient) -> None:
    payment_id = client.create_payment(payment_body("19.99"), key="1").id
    server.succeed(payment_id)
    first = client.create_refund(refund_body(payment_id, "4.35"), key="2")
    server.shop.refund_status = Status.PENDING
    second = client.create_refund(refund_body(payment_id, "15.64"), key="3")
    assert (first.status, second.status, second.payment_id) == ("succeeded", "pending", payment_id)
    assert client.get_payment(payment_id).refunded_amount == Decimal("4.35")
    server.cancel_refund(second.id)
    failed = client.list_refunds(payment_id=payment_id).items[0]
    assert (failed.id, failed.status, failed.cancellation_party, failed.cancellation_reason) == (
        second.id,
        "canceled",
        "yoo_money",
        "insufficient_funds",
    )
    assert [one.id for one in client.list_refunds(payment_id=payment_id).items] == [second.id, first.id]


def test_a_list_is_read_page_by_page_newest_first(server: YooKassaServer, client: YooKassaClient) -> None:
    ids = [str(server.shop.create_payment(payment_body())["id"]) for _ in range(MOST_ITEMS + 1)]
    first = client.list_payments()
    rest = client.list_payments(cursor=first.next_cursor)
    assert [one.id for one in (*first.items, *rest.items)] == ids[::-1]
    assert (len(first.items), rest.next_cursor) == (MOST_ITEMS, None)


def test_a_list_is_of_the_time_that_was_asked_for(client: YooKassaClient) -> None:
    made = client.create_payment(payment_body(), key="1")
    now = datetime.now(UTC)
    found = client.list_payments(created_from=now - timedelta(minutes=1), created_to=now)
    assert [one.id for one in found.items] == [made.id]
    assert client.list_payments(created_from=now + timedelta(minutes=1)).items == ()
    assert client.list_payments(created_to=now - timedelta(minutes=1)).items == ()


def test_the_same_key_and_body_has_one_effect(server: YooKassaServer, client: YooKassaClient) -> None:
    first = client.create_payment(payment_body(), key="order-7")
    assert client.create_payment(payment_body(), key="order-7") == first
    assert len(client.list_payments().items) == 1
    with pytest.raises(Rejected) as rejected:
        client.create_payment(payment_body("20.00"), key="order-7")
    assert (rejected.value.http_status, rejected.value.parameter) == (400, "Idempotence-Key")
    assert len(client.list_payments().items) == 1


@pytest.mark.parametrize("key", ["", "x" * 65, "ключ", "a\r\nX-Injected: 1", " "])
def test_a_key_that_cannot_be_one_sends_nothing(server: YooKassaServer, client: YooKassaClient, key: str) -> None:
    with pytest.raises(ValueError, match="Idempotence-Key"):
        client.create_payment(payment_body(), key=key)
    assert server.requests == []


@pytest.mark.parametrize("object_id", ["../me", "..%2fme", "x/../../me", "", "a?b", "a#b", "a\n", "a" * 65, "."])
def test_an_id_cannot_lead_to_another_address(server: YooKassaServer, client: YooKassaClient, object_id: str) -> None:
    with pytest.raises(Rejected) as rejected:
        client.get_payment(object_id)
    assert rejected.value.code == "not_found"
    assert server.requests == []


def test_an_unknown_payment_is_not_found(client: YooKassaClient) -> None:
    with pytest.raises(Rejected) as rejected:
        client.get_payment("23d93cac-000f-5000-8000-126628f15141")
    assert (rejected.value.http_status, rejected.value.code) == (404, "not_found")


def test_a_wrong_key_of_the_shop_is_refused(server: YooKassaServer, client: YooKassaClient) -> None:
    assert client.list_payments().items == ()
    with pytest.raises(Rejected) as rejected:
        client_of(server, secret_key="wrong").list_payments()
    assert (rejected.value.http_status, rejected.value.code) == (401, "invalid_credentials")


def test_a_refusal_names_the_parameter_and_makes_nothing(client: YooKassaClient) -> None:
    with pytest.raises(Rejected) as rejected:
        client.create_payment(payment_body(description="x" * 129), key="1")
    assert rejected.value.parameter == "description"
    assert client.list_payments().items == ()


def test_two_shops_live_in_one_process_and_ignore_the_global_configuration(
    server: YooKassaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("account_id", "secret_key", "auth_token", "api_url", "timeout", "max_attempts", "verify"):
        # Put back after the test.
        monkeypatch.setattr(yookassa.Configuration, name, getattr(yookassa.Configuration, name))
    with YooKassaServer(shop_id="200600", secret_key="other") as second:
        here, there = client_of(server), client_of(second, shop_id="200600", secret_key="other")
        made = here.create_payment(payment_body(), key="1")
        # Somebody else's use of the SDK; without an address it would lead to production.
        yookassa.Configuration.configure("300700", "third")
        other = there.create_payment(payment_body(), key="1")
        assert second.shop.payment(other.id)["recipient"]["account_id"] == "200600"
        assert here.get_payment(made.id).id == made.id
        with pytest.raises(Rejected):
            there.get_payment(made.id)
        here.close()
        there.close()


def test_threads_share_a_client(server: YooKassaServer, client: YooKassaClient) -> None:
    made: list[str] = []

    def create(number: int) -> None:
        made.extend(client.create_payment(payment_body(), key=f"{number}-{turn}").id for turn in range(5))

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 40


def _look_in_child(client: YooKassaClient, payment_id: str, results: "multiprocessing.SimpleQueue[bool]") -> None:
    inherited = client._transport._session
    found = client.get_payment(payment_id).id == payment_id
    results.put(found and inherited is not None and client._transport.get_session() is not inherited[1])


def test_a_forked_worker_opens_connections_of_its_own(server: YooKassaServer, client: YooKassaClient) -> None:
    payment_id = client.create_payment(payment_body(), key="1").id
    fork = multiprocessing.get_context("fork")
    results: multiprocessing.SimpleQueue[bool] = fork.SimpleQueue()
    child = fork.Process(target=_look_in_child, args=(client, payment_id, results))
    child.start()
    child.join(20)
    assert child.exitcode == 0
    assert results.get()
    assert client.get_payment(payment_id).id == payment_id
