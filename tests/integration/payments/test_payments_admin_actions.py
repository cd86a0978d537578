"""What staff do with payments: check, clear a mark, process a notification again."""

import json

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from bridge.rights import RowsHidden
from payments.models import Checkout, Payment, PaymentEvent, ProviderNotification
from payments.states import Attention, Door, EventKind, NotificationStatus, PaymentStatus, ProviderStatus
from sandbox.yookassa import FaultKind, YooKassaServer
from tests.support.checkouts import make_checkout, make_payment, queued_checks
from tests.support.payment_deliveries import start_payment, work_off
from tests.support.payment_pages import CHECK, LIST, LOOK, NOTIFICATIONS, REPLAY, messages_of, page_of, staff_with, text

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def support() -> Client:
    return staff_with(*LOOK, CHECK, REPLAY)


@pytest.fixture
def viewer() -> Client:
    return staff_with(*LOOK, username="viewer")


def actor(client: Client) -> int:
    return int(client.session["_auth_user_id"])


def log_of(checkout: Checkout) -> list[str]:
    return [entry.get_change_message() for entry in LogEntry.objects.filter(object_id=str(checkout.pk))]


def notification(checkout: Checkout | None, **fields: object) -> ProviderNotification:
    external_id = "unknown" if checkout is None else checkout.external_id
    body = {"type": "notification", "event": "payment.succeeded", "object": {"id": external_id, "x": "<script>"}}
    values = {"address": "185.71.76.1", "trusted": True, "event": "payment.succeeded", "object_id": external_id}
    return ProviderNotification.objects.create(**{**values, "body": json.dumps(body), **fields})


def test_a_check_brings_the_payment_to_what_yookassa_says(support: Client, shop: YooKassaServer) -> None:
    checkout = start_payment()
    shop.succeed(str(checkout.external_id))
    response = support.post(page_of(checkout.pk, "check"), follow=True)
    assert messages_of(response) == ["Проверено в ЮKassa: оплачен."]
    assert Payment.objects.get().status == PaymentStatus.COMPLETED
    event = PaymentEvent.objects.get(kind=EventKind.CHECKED)
    assert (event.door, event.actor_id) == (Door.STAFF, actor(support))
    assert log_of(checkout) == ["Проверка в ЮKassa."]


def test_a_check_while_yookassa_is_away_changes_nothing_and_says_so(support: Client, shop: YooKassaServer) -> None:
    checkout = start_payment()
    shop.fail(FaultKind.ERROR_500)
    response = support.post(page_of(checkout.pk, "check"), follow=True)
    assert messages_of(response)[0].startswith("ЮKassa сейчас не отвечает.")
    assert Payment.objects.get().status == PaymentStatus.PROCESSING
    event = PaymentEvent.objects.get()
    assert (event.kind, event.actor_id) == (EventKind.PROVIDER_AWAY, actor(support))


def test_a_payment_that_was_never_started_cannot_be_checked(support: Client, shop: YooKassaServer) -> None:
    response = support.post(page_of(make_payment().pk, "check"), follow=True)
    assert messages_of(response) == ["В ЮKassa этот платёж не создавали: спрашивать не о чем."]
    assert shop.requests == []


def test_a_check_that_row_security_keeps_from_its_rows_says_so(
    support: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hidden(**_: object) -> Payment:
        raise RowsHidden("row security hides public.payments")

    monkeypatch.setattr("payments.admin.payments.check_now", hidden)
    response = support.post(page_of(make_checkout().pk, "check"), follow=True)
    assert messages_of(response)[0].startswith("База данных скрывает от сервиса часть строк")


def test_selected_payments_are_checked_through_the_queue(support: Client) -> None:
    started = [make_checkout(), make_checkout()]
    older, untouched = make_payment(external_payment_id="2f8e-of-before"), make_payment()
    # Somebody has struck the id out of the row, and ours has it still.
    Payment.objects.filter(pk=started[1].pk).update(external_payment_id=None)
    make_checkout()
    chosen = [str(row.pk) for row in (*started, older, untouched)]
    response = support.post(LIST, {"action": "check_selected", "_selected_action": chosen}, follow=True)
    assert messages_of(response) == [
        "3 проверки в очереди.",
        "Не проверено, так как в ЮKassa их не создавали: 1.",
    ]
    assert sorted(check["payment_id"] for check in queued_checks()) == sorted(chosen[:3])
    assert {event.actor_id for event in PaymentEvent.objects.all()} == {actor(support)}


def test_too_many_at_once_are_refused(support: Client) -> None:
    chosen = [str(make_payment(external_payment_id=f"2f8e-{number}").pk) for number in range(21)]
    response = support.post(LIST, {"action": "check_selected", "_selected_action": chosen}, follow=True)
    assert messages_of(response)[0].startswith("Выберите не больше 20 платежей")
    assert queued_checks() == []


def test_a_mark_is_cleared_with_a_note_and_not_without(support: Client) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED, attention=Attention.SLOT_TAKEN, attention_since=timezone.now())
    address = page_of(checkout.pk, "clear-attention")
    assert messages_of(support.post(address, {"note": "  "}, follow=True))[0].startswith("Напишите, что сделано")
    checkout.refresh_from_db()
    assert checkout.attention == Attention.SLOT_TAKEN

    assert messages_of(support.post(address, {"note": "Записали на среду"}, follow=True)) == ["Отметка снята."]
    checkout.refresh_from_db()
    assert checkout.attention == ""
    event = PaymentEvent.objects.get(kind=EventKind.ATTENTION_CLEARED)
    assert (event.actor_id, event.data["note"]) == (actor(support), "Записали на среду")
    assert log_of(checkout) == ["Отметка снята: Записали на среду"]


def test_who_may_only_look_can_do_nothing(viewer: Client, shop: YooKassaServer) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED, attention=Attention.SLOT_TAKEN, attention_since=timezone.now())
    told = notification(checkout)
    shown = text(viewer.get(page_of(checkout.pk)))
    for button in ("Проверить сейчас", "Сравнить с ЮKassa", "Вернуть…", "Снять отметку"):
        assert button not in shown
    assert viewer.get(page_of(checkout.pk, "compare")).status_code == 403
    assert viewer.get(page_of(checkout.pk, "refund")).status_code == 403
    for action in ("check", "refund", "clear-attention"):
        assert viewer.post(page_of(checkout.pk, action), {"note": "x"}).status_code == 403
    assert viewer.post(f"{NOTIFICATIONS}{told.pk}/replay/").status_code == 403
    viewer.post(LIST, {"action": "check_selected", "_selected_action": [str(checkout.pk)]})
    assert (queued_checks(), shop.requests, PaymentEvent.objects.count()) == ([], [], 0)


def test_nothing_is_done_by_following_a_link(support: Client) -> None:
    checkout = make_checkout()
    for action in ("check", "clear-attention"):
        assert support.get(page_of(checkout.pk, action))["Location"] == page_of(checkout.pk)
    told = f"{NOTIFICATIONS}{notification(checkout).pk}"
    assert support.get(f"{told}/replay/")["Location"] == f"{told}/change/"
    assert (queued_checks(), PaymentEvent.objects.count()) == ([], 0)


def test_a_form_of_another_site_is_refused() -> None:
    staff = staff_with(*LOOK, CHECK)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = staff.cookies
    assert strict.post(page_of(make_checkout().pk, "check")).status_code == 403


def test_a_notification_is_processed_again_and_then_checked(support: Client, shop: YooKassaServer) -> None:
    checkout = start_payment()
    shop.succeed(str(checkout.external_id))
    told = notification(checkout, status=NotificationStatus.FAILED, error="the worker died", payment_id=checkout.pk)
    response = support.post(f"{NOTIFICATIONS}{told.pk}/replay/", follow=True)
    told.refresh_from_db()
    assert messages_of(response) == [f"Проверка поставлена в очередь: сообщение № {told.msg_id}."]
    assert told.status == NotificationStatus.STORED

    again = support.post(f"{NOTIFICATIONS}{told.pk}/replay/", follow=True)
    assert messages_of(again) == ["Проверка по этому уведомлению уже в очереди."]
    assert len(queued_checks()) == 1
    work_off()
    told.refresh_from_db()
    assert (told.status, Payment.objects.get().status) == (NotificationStatus.PROCESSED, PaymentStatus.COMPLETED)


def test_a_notification_of_nobody_cannot_be_processed(support: Client) -> None:
    for told in (notification(None, status=NotificationStatus.IGNORED), notification(None, body="no JSON")):
        messages = messages_of(support.post(f"{NOTIFICATIONS}{told.pk}/replay/", follow=True))
        assert messages[0].startswith(("Это уведомление не относится", "Это уведомление не удаётся прочитать"))
    assert queued_checks() == []


def test_a_notification_shows_its_body_readable_and_harmless(support: Client) -> None:
    refused = notification(
        make_checkout(), trusted=False, status=NotificationStatus.REFUSED, address="203.0.113.9", error="not theirs"
    )
    response = support.get(f"{NOTIFICATIONS}{refused.pk}/change/")
    page = response.content.decode()
    assert "&quot;x&quot;: &quot;&lt;script&gt;&quot;" in page
    assert "неизвестный отправитель" in text(response)
    assert "неверно указаны прокси в TRUSTED_PROXIES" in text(response)
    broken = notification(None, body="no JSON <img>")
    assert "no JSON &lt;img&gt;" in support.get(f"{NOTIFICATIONS}{broken.pk}/change/").content.decode()


def test_actions_on_what_does_not_exist_say_so(support: Client) -> None:
    missing = "00000000-0000-4000-8000-000000000000"
    for address in (f"{LIST}{missing}/check/", f"{NOTIFICATIONS}999/replay/"):
        assert messages_of(support.post(address, follow=True))[0].startswith("Не найдено:")
