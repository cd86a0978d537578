"""What staff come for, from the home page to the end, in a browser: by what can be seen, and with the rights they have.

Members of the ready groups do it with real rows and queues. Whoever lacks a right is offered nothing that would fail.
"""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice
from playwright.sync_api import Browser, expect
from pytest_django import Settings

from balansity.groups import make_groups
from balansity.models import ReadyGroup
from bridge.breaker.rows import locked, open_breaker
from bridge.daemon.heartbeat import Heartbeat
from bridge.errors import ServiceAway
from bridge.holds import in_force
from bridge.message import LastError, Outcome, Reason
from bridge.models import OperatorAction
from bridge.operations.actor import Actor, Kind
from bridge.operations.pausing import pause
from notifications.models import EmailMessage, Status
from notifications.queue import QUEUE
from payments.models import Payment, Refund
from payments.states import Attention, ProviderStatus
from sandbox.mailbox import Mailbox
from staff.second_factor import FRESH_SECONDS
from tests.support.browsing import Desk, serving, sitting_at
from tests.support.checkouts import flag, make_checkout
from tests.support.databases import ClonedDatabase
from tests.support.email_deliveries import attempt, email_queue, enqueue
from tests.support.provider_calls import set_up, tell
from tests.support.report_deliveries import ANNA, IGOR
from tests.support.second_factors import code_of, prove

SUPPORT, OPERATOR, FINANCE = "support", "operator", "finance"
ADDRESS = "igor.kovalev@example.org"
BORIS = Actor(Kind.STAFF, "boris")


@pytest.fixture
def address(seeded_database: ClonedDatabase, broker_url: str) -> Iterator[str]:
    make_groups()
    Heartbeat().beat(published=0, archived=0, waits_for="")
    call_command("install_wakeup", stdout=StringIO())
    with serving() as there:
        yield there


def member_of(group: str) -> User:
    """Somebody who is in this ready group and may nothing else."""
    user = User.objects.create_user(group, is_staff=True)
    made = ReadyGroup.objects.get(key=group).group
    assert made is not None
    user.groups.add(made)
    return user


def open_list(desk: Desk, of: str, name: str) -> None:
    """From the home page, where each list stands below the name of its part."""
    desk.click(name, within=desk.page.locator(f"#{of}"))


def search(desk: Desk, text: str) -> str:
    desk.page.get_by_role("search").get_by_role("textbox").fill(text)
    desk.press("Найти", within=desk.page.get_by_role("search"))
    assert not desk.is_too_wide()
    return desk.text


def fail(count: int, error: str) -> None:
    """Let so many mails run out of attempts."""
    queue = email_queue()
    for number in range(count):
        queue.send({"n": number})
    for message in queue.read(limit=count, lease=60):
        last = LastError("SMTPServerDisconnected", f"{error} {message.msg_id}")
        queue.finish(message, Outcome.FAILED, reason=Reason.RETRIES_EXHAUSTED, error=last)


def bounce(settings: Settings) -> None:
    """A mail that its provider took, and could not deliver."""
    set_up("resend", settings)
    now = timezone.now()
    known = {
        "provider": "resend",
        "provider_message_id": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "sent_at": now,
        "message_id": "<1@example.org>",
    }
    to = {"recipient": ADDRESS, "mailbox": ADDRESS, "subject": "Отчёт готов", "template": "report_ready"}
    mail = EmailMessage.objects.create(queue=QUEUE, msg_id=9000, enqueued_at=now, status=Status.SENT, **known, **to)
    said = {"message": "The recipient's inbox was full.", "subType": "MailboxFull", "type": "Transient"}
    assert tell("resend", "bounced", str(mail.provider_message_id), bounce=said).status_code == 200


def lose_mail_server() -> None:
    with locked("smtp") as (row, now):
        open_breaker(row, ServiceAway("smtp", "no connection"), now)
        row.save()


def test_what_needs_somebody_this_morning_is_seen_at_one_look_and_leads_to_just_that(
    browser: Browser, address: str, settings: Settings
) -> None:
    with sitting_at(browser, address, member_of(OPERATOR)) as desk:
        desk.open("/admin/")
        lines = desk.page.locator(".home-line")
        expect(
            desk.page.get_by_text("Всё в порядке: ничто из того, что вам видно, внимания не требует.")
        ).to_be_visible()
        expect(lines).to_have_count(0)

        flag(make_checkout(ProviderStatus.SUCCEEDED), Attention.NOT_FULFILLED)
        bounce(settings)
        fail(3, "connection lost after message")
        lose_mail_server()
        # Nobody presses anything: the page shows it by itself.
        expect(lines).to_have_count(4)
        assert desk.clicks == 0
        assert not desk.is_too_wide()
        for number in range(4):
            # What to do about it stands below each.
            expect(lines.nth(number).get_by_role("paragraph")).not_to_be_empty()
        for name, rows, said in (
            ("1 платёж: оплачено, но клиент ничего не получил", "#result_list tbody tr", "parent@example.org"),
            ("1 письмо не доставлено", "#result_list tbody tr", ADDRESS),
            (
                "Очередь email_queue: 3 неудачных сообщения, все попытки исчерпаны",
                ".bridge-failed tbody tr",
                "connection lost",
            ),
        ):
            desk.click(name)
            expect(desk.page.locator(rows)).to_have_count(3 if "3" in name else 1)
            assert said in desk.text
            desk.open("/admin/")
        lines.first.get_by_role("link", name="Почтовый сервер").click()
        assert "нужна служба: Почтовый сервер" in desk.text
        # A click for each line that was looked into, and none to see that there are any.
        assert desk.clicks == 3


@pytest.fixture
def unsent(address: str, settings: Settings, mailbox: Mailbox) -> Payment:
    """A mail that the server refuses, one that bounced, and one that waits in a queue that is paused: its payment."""
    refused = ADDRESS.replace("@", "+reject550@")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE public.users SET email = %s WHERE id = %s", [refused, IGOR])
    attempt(enqueue("payment_failed", to=refused))
    bounce(settings)
    pause(QUEUE, BORIS, "переезжает почтовый сервер")
    payment = Payment.objects.filter(user_id=ANNA).latest("created_at")
    enqueue("payment_confirmation", to="anna.sokolova@example.org", payment_id=str(payment.pk))
    return payment


def test_a_parent_calls_as_a_mail_has_not_come_and_support_finds_why(
    browser: Browser, address: str, unsent: Payment
) -> None:
    with sitting_at(browser, address, member_of(SUPPORT), width=390, dark=True) as desk:
        desk.open("/admin/")
        # Whoever is asked why nothing comes may look at no queue, and reads it all the same.
        assert "(boris), пока паузу не снимут: переезжает почтовый сервер" in desk.text
        open_list(desk, "notifications-emailmessage", "Письма")
        assert "не отправлено" in search(desk, "8 (900) 000-00-02")
        desk.click("не отправлено", within=desk.page.locator("#result_list"))
        assert desk.clicks == 3
        assert "550" in desk.text
        assert "повтор тоже будет отвергнут" in desk.text
        expect(desk.page.get_by_role("button", name="Отправить ещё раз")).to_be_visible()
        # Their pages would refuse this member of the staff.
        expect(desk.page.get_by_text("Сообщение в очереди")).to_have_count(0)

        desk.open("/admin/notifications/emailmessage/")
        assert "не доставлено" in search(desk, ADDRESS)
        desk.click("не доставлено", within=desk.page.locator("#result_list"))
        assert "ящик переполнен" in desk.text
        assert "Позвоните клиенту" in desk.text

        desk.open("/admin/notifications/emailmessage/")
        found = search(desk, "Соколова Анна")
        assert "1 письмо ждёт в очереди" in found
        assert "anna.sokolova@example.org" in found
        assert "Очередь на паузе" in found
        expect(desk.page.locator("#waiting a")).to_have_count(0)
        desk.open(f"/admin/payments/payment/{unsent.pk}/change/")
        assert "1 письмо ждёт в очереди" in desk.page.locator("#mails").inner_text()
        assert not desk.is_too_wide()


def test_of_a_mail_that_has_not_come_an_operator_sees_the_message_with_its_attempts(
    browser: Browser, address: str, unsent: Payment
) -> None:
    lose_mail_server()
    with sitting_at(browser, address, member_of(OPERATOR)) as desk:
        desk.open("/admin/notifications/emailmessage/")
        assert "нужна служба: Почтовый сервер" in search(desk, "anna.sokolova")
        desk.page.locator("#waiting").get_by_role("link").click()
        assert "anna.sokolova@example.org" in desk.page.locator(".staff-facts").inner_text()
        assert "Попыток ещё не было." in desk.text
        assert "переезжает почтовый сервер" in desk.text
        assert "нужна служба: Почтовый сервер" in desk.text
        # And of the one that was refused: each attempt, and the way from the mail to its message.
        desk.open("/admin/notifications/emailmessage/")
        search(desk, "reject550")
        desk.click("не отправлено", within=desk.page.locator("#result_list"))
        desk.page.get_by_text("Сообщение в очереди").get_by_role("link").click()
        expect(desk.page.locator("#tries tbody tr")).to_have_count(1)
        assert "550" in desk.page.locator("#tries").inner_text()


def test_a_queue_is_paused_for_an_hour_and_resumed_without_scripts(browser: Browser, address: str) -> None:
    operator, support = member_of(OPERATOR), member_of(SUPPORT)
    with sitting_at(browser, address, operator, width=390, scripts=False) as desk:
        desk.open("/admin/")
        desk.click(QUEUE)
        desk.click("Приостановить…")
        assert desk.page.get_by_label("на час").is_checked()
        desk.page.get_by_label("Почему").fill("переезжает почтовый сервер")
        before = timezone.now()
        desk.press("Приостановить")
        assert desk.clicks == 3
        (hold,) = in_force(QUEUE)[QUEUE]
        assert hold.until is not None
        until = timezone.localtime(hold.until)
        assert before <= hold.until - timedelta(hours=1) <= timezone.now()
        shown = desk.page.locator(".staff-notice").inner_text()
        assert f"(operator) до {until:%d.%m.%Y %H:%M}: переезжает почтовый сервер" in shown
        assert not desk.is_too_wide()
        desk.open("/admin/")
        assert f"до {until:%H:%M} (operator)" in desk.page.locator(".home-line").inner_text()
        desk.click("email_queue", within=desk.page.locator("#home-queues"))
        desk.press("Снять паузу")
        assert "снова работает" in desk.page.locator(".messagelist").inner_text()
        assert in_force(QUEUE) == {}
        assert [act.action for act in OperatorAction.objects.order_by("pk")] == ["pause", "resume"]
    with sitting_at(browser, address, support) as desk:
        desk.open("/admin/")
        expect(desk.page.get_by_role("link", name=QUEUE)).to_have_count(0)


def test_sixty_failures_of_one_group_are_put_back_with_four_clicks_each_once(browser: Browser, address: str) -> None:
    fail(60, "connection lost after message")
    fail(2, "the greeting is none")
    with sitting_at(browser, address, member_of(OPERATOR)) as desk:
        desk.open("/admin/")
        desk.click("Очередь email_queue: 60 неудачных сообщений, все попытки исчерпаны")
        desk.click("Вернуть все: 60…", within=desk.page.locator(".bridge-buttons").first)
        desk.page.get_by_label("Сколько").fill("60")
        desk.press("Вернуть")
        assert "60 сообщений возвращено в очередь." in desk.page.locator(".messagelist").inner_text()
        assert desk.clicks <= 4
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*), count(DISTINCT message -> 'n') FROM pgmq.q_email_queue")
            assert cursor.fetchone() == (60, 60)
        # Once more, as from a second window: they are not among the failures any more.
        desk.open("/admin/")
        expect(desk.page.locator(".home-line")).to_have_count(1)
        assert "2 неудачных сообщения" in desk.text
        assert OperatorAction.objects.get().count == 60


def test_half_of_a_payment_is_refunded_and_a_code_is_asked_for_where_it_must(
    browser: Browser, address: str, settings: Settings
) -> None:
    paid = make_checkout(ProviderStatus.SUCCEEDED)
    cashier, support = member_of(FINANCE), member_of(SUPPORT)

    def refund_half(desk: Desk, half: str, *, code: str = "") -> str:
        desk.open("/admin/")
        open_list(desk, "payments-payment", "Платежи")
        search(desk, "parent@example.org")
        desk.page.locator("#result_list tbody").get_by_role("link").first.click()
        desk.click("Вернуть…")
        if code:
            desk.page.get_by_label("Код из приложения").fill(code)
            desk.press("Продолжить")
        desk.page.get_by_label("Сумма, ₽").fill(half)
        desk.page.get_by_label("Причина").fill("Ребёнок заболел")
        desk.press("Вернуть деньги")
        assert not desk.is_too_wide()
        return desk.page.locator(".messagelist").inner_text().replace("\N{NO-BREAK SPACE}", " ")

    with sitting_at(browser, address, cashier, width=390) as desk:
        assert "Возврат 2 250,00 ₽ отправляется" in refund_half(desk, "2250")
        assert "2 250,00 ₽" in desk.page.locator("#refunds").inner_text().replace("\N{NO-BREAK SPACE}", " ")
        settings.STAFF_2FA = "required"
        device = TOTPDevice.objects.create(user=cashier)
        client = Client()
        client.cookies["sessionid"] = next(one["value"] for one in desk.page.context.cookies())
        prove(client, device, seconds_ago=FRESH_SECONDS + 1)
        assert "Возврат 1 125,00 ₽ отправляется" in refund_half(desk, "1125,00", code=code_of(device))
    refunds = Refund.objects.order_by("created_at").values_list("payment_id", "amount", "requested_by_id")
    assert list(refunds) == [(paid.pk, Decimal(2250), cashier.pk), (paid.pk, Decimal(1125), cashier.pk)]
    settings.STAFF_2FA = "off"
    with sitting_at(browser, address, support, dark=True) as desk:
        desk.open(f"/admin/payments/payment/{paid.pk}/change/")
        expect(desk.page.get_by_role("link", name="Вернуть…")).to_have_count(0)
