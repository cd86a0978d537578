"""What is found in YooKassa's lists without a notification."""

import logging
import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from payments import tasks
from payments.checking import ask, reconcile
from payments.checking.by_staff import clear_attention
from payments.checking.lost_money import NOBODY
from payments.checking.reconcile import Lost, compare_recent
from payments.checking.sync import sync_payment
from payments.ledger.marks import open_marks
from payments.models import Checkout, Payment, PaymentAttention, Refund
from payments.provider import provider
from payments.refunds.request import request_refund
from payments.states import Attention, Door, PaymentStatus, ProviderStatus, RefundStatus
from payments.yookassa.errors import Unavailable
from sandbox.yookassa import YooKassaServer
from tests.support.checkouts import delete_row, make_checkout, make_customer, make_payment, queued_checks
from tests.support.databases import ClonedDatabase
from tests.support.payment_deliveries import create_at_yookassa, start_payment, work_off
from tests.support.yookassa_shop import payment_body, refund_body


def checks_of(*payments: Checkout | Payment) -> list[dict[str, str]]:
    return [{"payment_id": str(payment.pk), "action": "update_status"} for payment in payments]


def external_id_of(checkout: Checkout) -> str:
    assert checkout.external_id is not None
    return checkout.external_id


def test_a_payment_whose_notification_never_came_is_found_and_finished(shop: YooKassaServer) -> None:
    paid, declined, open_one = start_payment(), start_payment(), start_payment()
    shop.succeed(external_id_of(paid))
    shop.decline(external_id_of(declined))
    tasks.compare_recent(hours=3)
    assert sorted(check["payment_id"] for check in queued_checks()) == sorted([str(paid.pk), str(declined.pk)])
    work_off()
    statuses = {row.pk: row.status for row in Payment.objects.all()}
    assert statuses == {
        paid.pk: PaymentStatus.COMPLETED,
        declined.pk: PaymentStatus.FAILED,
        open_one.pk: PaymentStatus.PROCESSING,
    }
    tasks.compare_recent(hours=3)
    assert queued_checks() == []


def test_a_payment_whose_creation_got_no_answer_is_found_by_its_metadata(shop: YooKassaServer) -> None:
    checkout = make_checkout(external_id=None, request_body={"stored": True})
    created = create_at_yookassa({"payment_id": str(checkout.pk)})
    tasks.compare_recent(hours=3)
    assert queued_checks() == checks_of(checkout)
    work_off()
    checkout.refresh_from_db()
    assert (checkout.external_id, checkout.provider_status) == (created.id, ProviderStatus.PENDING)


def test_a_payment_of_the_system_before_us_is_found_by_supabases_row(shop: YooKassaServer) -> None:
    created = create_at_yookassa({"shop": "old"})
    row = make_payment(external_payment_id=created.id, status=PaymentStatus.PROCESSING)
    compare_recent(hours=3)
    assert queued_checks() == []
    shop.succeed(created.id)
    compare_recent(hours=3)
    assert queued_checks() == checks_of(row)


def test_a_refund_made_in_yookassas_office_is_found_and_booked(shop: YooKassaServer) -> None:
    checkout = start_payment()
    shop.succeed(external_id_of(checkout))
    compare_recent(hours=3)
    work_off()
    made = provider().create_refund(refund_body(external_id_of(checkout), "1500.00"), key="office-1")
    compare_recent(hours=3)
    assert queued_checks() == checks_of(checkout)
    work_off()
    refund = Refund.objects.get()
    assert (refund.external_id, refund.amount, refund.status) == (made.id, Decimal("1500.00"), RefundStatus.SUCCEEDED)
    assert compare_recent(hours=3).to_check == set()


def test_a_refund_that_was_through_later_is_found_once_it_is(shop: YooKassaServer) -> None:
    checkout = start_payment()
    shop.succeed(external_id_of(checkout))
    compare_recent(hours=3)
    work_off()
    shop.shop.refund_status = type(shop.shop.refund_status)("pending")
    made = provider().create_refund(refund_body(external_id_of(checkout), "1500.00"), key="office-1")
    refund = Refund.objects.create(
        payment_id=checkout.pk, external_id=made.id, amount=1500, status=RefundStatus.PENDING
    )
    assert compare_recent(hours=3).to_check == set()
    shop.cancel_refund(made.id)
    assert compare_recent(hours=3).to_check == {checkout.pk}
    work_off()
    refund.refresh_from_db()
    assert refund.status == RefundStatus.CANCELED


def test_money_that_names_a_payment_of_nobody_is_told_with_its_amount_and_shown_to_staff(
    shop: YooKassaServer, caplog: pytest.LogCaptureFixture
) -> None:
    named, payer = uuid.uuid4(), make_customer()
    lost = create_at_yookassa({"payment_id": str(named), "user_id": str(payer.pk)})
    unpaid = create_at_yookassa({"payment_id": str(uuid.uuid4())})
    foreign = create_at_yookassa({"order": "of another shop"})
    shop.succeed(lost.id)
    shop.succeed(foreign.id)
    found = compare_recent(hours=3)
    assert (found.lost, found.foreign) == ([Lost(lost.id, Decimal(4500), "RUB", str(named))], [foreign.id])
    (error,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert lost.id in error.getMessage()
    assert "4500.00 RUB" in error.getMessage()
    assert unpaid.id not in caplog.text
    work_off()
    checkout = Checkout.objects.get()
    assert (checkout.pk, checkout.user_id, checkout.external_id) == (named, payer.pk, lost.id)
    assert (checkout.provider_status, checkout.attention) == (ProviderStatus.SUCCEEDED, Attention.ROW_DELETED)
    # It is known now, and no message is made of it again.
    assert [one.id for one in compare_recent(hours=3).lost] == [lost.id]
    assert queued_checks() == []


def test_a_second_paid_payment_for_one_order_is_marked_until_the_money_goes_back(shop: YooKassaServer) -> None:
    checkout = start_payment()
    second = create_at_yookassa({"payment_id": str(checkout.pk)})
    shop.succeed(second.id)
    assert [one.id for one in compare_recent(hours=3).lost] == [second.id]
    assert queued_checks() == []
    (mark,) = open_marks(checkout.pk)
    assert mark.reason == Attention.PAID_TWICE
    assert second.id in mark.note
    provider().create_refund(refund_body(second.id, "4500.00"), key="office-1")
    assert compare_recent(hours=3).lost == []
    assert open_marks(checkout.pk) == []


def test_a_third_payment_that_holds_no_money_leaves_the_mark_of_the_second_one(shop: YooKassaServer) -> None:
    checkout = start_payment()
    second, third = (create_at_yookassa({"payment_id": str(checkout.pk)}) for _ in range(2))
    shop.succeed(second.id)
    shop.decline(third.id)
    for _ in range(2):
        compare_recent(hours=3)
        (mark,) = open_marks(checkout.pk)
        assert (mark.reason, second.id in mark.note) == (Attention.PAID_TWICE, True)
    assert not PaymentAttention.objects.filter(settled_at__isnull=False).exists()


def test_a_second_payment_that_a_person_has_dealt_with_is_told_no_more(shop: YooKassaServer) -> None:
    checkout = start_payment()
    second = create_at_yookassa({"payment_id": str(checkout.pk)})
    shop.succeed(second.id)
    compare_recent(hours=3)
    clear_attention(payment_id=checkout.pk, actor_id=7, note="вернули наличными")
    assert compare_recent(hours=3).lost == []
    assert (open_marks(checkout.pk), queued_checks()) == ([], [])


def test_a_deleted_row_that_a_person_has_dealt_with_is_neither_told_nor_checked_again(shop: YooKassaServer) -> None:
    checkout = start_payment()
    shop.succeed(external_id_of(checkout))
    sync_payment(checkout.pk, door=Door.QUEUE)
    delete_row(checkout)
    sync_payment(checkout.pk, door=Door.QUEUE)
    clear_attention(payment_id=checkout.pk, actor_id=7, note="вернули наличными")
    assert compare_recent(hours=3).lost == []
    assert (open_marks(checkout.pk), queued_checks()) == ([], [])


def test_money_that_names_no_payer_is_nobodys_whoever_else_has_payments(shop: YooKassaServer) -> None:
    start_payment()
    named = uuid.uuid4()
    shop.succeed(create_at_yookassa({"payment_id": str(named)}).id)
    compare_recent(hours=3)
    assert Checkout.objects.get(pk=named).user_id == NOBODY


ODD_PAYMENTS: list[Any] = [
    {"metadata": []},
    {"amount": {"value": 5.0, "currency": "RUB"}},
    {"amount": {"value": "5.000", "currency": "RUB"}},
    {"amount": {"currency": "RUB"}},
    {"amount": None},
    {"income_amount": {"value": "-1.00", "currency": "RUB"}},
    {"refunded_amount": {"value": "-1.00", "currency": "RUB"}},
    {"test": None},
    {"created_at": "2026-11-26T10:00:00"},
    {"payment_method": []},
    {"payment_method": {"type": "bank_card", "title": 4444}},
    {"recipient": []},
    {"recipient": {"account_id": 100500}},
    {"id": "x" * 65},
    {"id": None},
    {"status": 7},
    None,
    [],
    "payment",
]
READABLE = ("income_amount", "metadata", "test", "created_at", "payment_method", "recipient")


@pytest.mark.parametrize("odd", ODD_PAYMENTS, ids=repr)
def test_an_odd_payment_of_others_keeps_no_payment_of_ours_from_being_found(
    shop: YooKassaServer, odd: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    checkout, stranger = start_payment(), create_at_yookassa({})
    shop.succeed(external_id_of(checkout))
    spoil(monkeypatch, shop, "list_payments", stranger.id, odd)
    tasks.compare_recent(hours=3)
    assert queued_checks() == checks_of(checkout)
    errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    if isinstance(odd, dict) and next(iter(odd)) in READABLE:
        assert errors == []
    else:
        (told,) = errors
        assert ("x" * 64 if "x" * 65 in str(odd) else stranger.id) in told or "without an id" in told


@pytest.mark.parametrize("odd", [{"payment_id": None}, {"amount": {}}, {"status": None}, {"description": 5}, None])
def test_an_odd_refund_of_others_keeps_no_refund_of_ours_from_being_found(
    shop: YooKassaServer, odd: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    checkout, stranger = start_payment(), create_at_yookassa({})
    for payment_id in (external_id_of(checkout), stranger.id):
        shop.succeed(payment_id)
    compare_recent(hours=3)
    work_off()
    foreign = provider().create_refund(refund_body(stranger.id, "1.00"), key="office-1")
    provider().create_refund(refund_body(external_id_of(checkout), "1500.00"), key="office-2")
    spoil(monkeypatch, shop, "list_refunds", foreign.id, odd)
    spoil(monkeypatch, shop, "list_payments", external_id_of(checkout), {"refunded_amount": None})
    caplog.clear()
    compare_recent(hours=3)
    assert queued_checks() == checks_of(checkout)
    (told,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert foreign.id in told or odd is None


def test_a_payment_without_an_answer_is_found_beside_an_odd_one(
    shop: YooKassaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = make_checkout(external_id=None, request_body={"stored": True})
    created, stranger = create_at_yookassa({"payment_id": str(checkout.pk)}), create_at_yookassa({})
    spoil(monkeypatch, shop, "list_payments", stranger.id, {"amount": 5})
    sync_payment(checkout.pk, door=Door.QUEUE)
    checkout.refresh_from_db()
    assert checkout.external_id == created.id


def test_our_own_payment_that_cannot_be_read_is_not_given_up_as_never_made(
    shop: YooKassaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = make_checkout(external_id=None, request_body={"stored": True})
    created = create_at_yookassa({"payment_id": str(checkout.pk)})
    Checkout.objects.filter(pk=checkout.pk).update(created_at=timezone.now() - timedelta(minutes=61))
    spoil(monkeypatch, shop, "list_payments", created.id, {"amount": 5})
    monkeypatch.setattr(ask, "_SENT_AGAIN_WITHIN", timedelta(days=1))
    with pytest.raises(Unavailable, match=created.id):
        sync_payment(checkout.pk, door=Door.QUEUE)
    checkout.refresh_from_db()
    assert checkout.provider_status == ProviderStatus.UNKNOWN


def test_a_payment_of_ours_that_the_list_shows_unreadable_is_checked(
    shop: YooKassaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = start_payment()
    spoil(monkeypatch, shop, "list_payments", external_id_of(checkout), {"amount": 5})
    compare_recent(hours=3)
    assert queued_checks() == checks_of(checkout)


def test_a_refund_that_may_have_been_made_is_not_called_off_because_it_cannot_be_read(
    shop: YooKassaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = start_payment()
    shop.succeed(external_id_of(checkout))
    sync_payment(checkout.pk, door=Door.QUEUE)
    refund = request_refund(payment_id=checkout.pk, amount=None, reason="", actor_id=None, door=Door.STAFF)
    made = provider().create_refund(refund.request_body or {}, key=str(refund.pk))
    Refund.objects.filter(pk=refund.pk).update(created_at=timezone.now() - timedelta(hours=25))
    spoil(monkeypatch, shop, "list_refunds", made.id, {"amount": None})
    with pytest.raises(Unavailable):
        sync_payment(checkout.pk, door=Door.QUEUE)
    refund.refresh_from_db()
    assert refund.status == RefundStatus.REQUESTED


def spoil(monkeypatch: pytest.MonkeyPatch, shop: YooKassaServer, name: str, object_id: str, odd: Any) -> None:
    """Let a list of YooKassa's show one object with `odd` members, or as `odd` altogether."""
    honest = getattr(shop.shop, name)

    def listed(query: Any) -> Any:
        page = honest(query)
        page["items"] = [
            item if item["id"] != object_id else item | odd if isinstance(odd, dict) else odd for item in page["items"]
        ]
        return page

    monkeypatch.setattr(shop.shop, name, listed)


def test_a_step_back_is_no_difference(shop: YooKassaServer) -> None:
    checkout = start_payment()
    # The list was read before the payer paid, and we learned of it meanwhile.
    Checkout.objects.filter(pk=checkout.pk).update(provider_status=ProviderStatus.SUCCEEDED)
    assert compare_recent(hours=3).to_check == set()


def test_all_pages_are_read(shop: YooKassaServer) -> None:
    first = start_payment()
    for number in range(100):
        shop.shop.create_payment(payment_body("4500.00", metadata={"number": str(number)}))
    # The list begins with the newest.
    shop.succeed(external_id_of(first))
    assert compare_recent(hours=3).to_check == {first.pk}
    assert len([call for call in shop.requests if call.method == "GET" and call.path.startswith("/payments")]) == 2


def test_pages_that_were_not_read_are_an_error_in_the_log(
    shop: YooKassaServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("payments.yookassa.client.MOST_ITEMS", 1)
    for _ in range(3):
        create_at_yookassa({})
    for most, told in ((3, False), (2, True)):
        monkeypatch.setattr(reconcile, "MOST_PAGES", most)
        compare_recent(hours=3)
        assert ("has more than 2 pages; the rest was not compared" in caplog.text) == told


def test_what_is_older_than_the_window_is_left_to_the_wider_one(shop: YooKassaServer) -> None:
    checkout = start_payment()
    shop.succeed(external_id_of(checkout))
    assert compare_recent(hours=0).to_check == set()
    assert compare_recent(hours=3).to_check == {checkout.pk}


@pytest.mark.parametrize("path", ["/payments", "/refunds"])
@pytest.mark.parametrize("fault", ["500", "429", "silent", "broken_json", "html_502", "reset"])
def test_yookassa_away_is_a_warning_and_the_next_run_finds_it(
    shop: YooKassaServer, fault: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    checkout = start_payment()
    shop.succeed(external_id_of(checkout))
    shop.fail(fault, method="GET", path=path)
    tasks.compare_recent(hours=3)
    assert queued_checks() == []
    assert [record.levelname for record in caplog.records if record.name == tasks.__name__] == ["WARNING"]
    tasks.compare_recent(hours=3)
    assert queued_checks() == checks_of(checkout)


def test_a_wrong_key_is_an_error_that_names_the_settings(
    shop: YooKassaServer, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.YUKASSA_SECRET_KEY = "test_wrong"
    tasks.compare_recent(hours=3)
    assert "YUKASSA_SECRET_KEY" in caplog.text
    assert "test_wrong" not in caplog.text


def test_without_an_account_there_is_nothing_to_compare(
    database: ClonedDatabase, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.YUKASSA_SHOP_ID = settings.YUKASSA_SECRET_KEY = ""
    tasks.compare_recent(hours=3)
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []
