"""Mails that nobody began to send are found by whoever is asked after them, with what holds them."""

import json
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from bridge import holds
from bridge.breaker.rows import locked, open_breaker
from bridge.errors import ServiceAway
from notifications.models import Status
from notifications.queue import QUEUE
from payments.models import Payment
from sandbox.mailbox import Mailbox
from tests.integration.notifications.test_notifications_admin import LIST, client_with, page_of, row, text
from tests.support.databases import ClonedDatabase
from tests.support.email_deliveries import attempt, email_queue, enqueue
from tests.support.report_deliveries import ANNA

pytestmark = pytest.mark.usefixtures("seeded_database")

TO = "Anna.Sokolova@example.org"
WAITS = "ждёт в очереди"
PAID = UUID("d0000000-0000-4000-8000-000000000002")


@pytest.fixture
def support() -> Client:
    return client_with("view_emailmessage", "view_payment")


def found(client: Client, asked: str) -> str:
    """What the notice above the list says."""
    answer = client.get(LIST, {"q": asked})
    assert answer.status_code == 200
    return answer.content.decode().partition('id="waiting"')[2].partition("</section>")[0]


@pytest.mark.parametrize(
    "asked", ["8 900 000-00-01", "9000000001", "соколова анна", "Тимофей", "sokolova", "anna.sokolova@EXAMPLE.org"]
)
def test_it_is_found_by_whatever_the_client_says(support: Client, asked: str) -> None:
    enqueue("payment_confirmation", to=TO)
    enqueue("payment_failed", to="igor.kovalev@example.org")
    said = found(support, asked)
    assert f"1 письмо {WAITS}" in said
    assert TO in said
    assert "Оплата получена" in said
    assert "igor" not in said
    assert "скоро дойдёт и до них" in said


def test_what_is_not_meant_or_was_begun_is_not_shown(support: Client, mailbox: Mailbox) -> None:
    attempt(enqueue("payment_confirmation", to=TO))
    enqueue("payment_failed", to=TO)
    assert f"1 письмо {WAITS}" in found(support, TO)
    assert not found(support, "8 900 000-00-02")
    assert not found(support, " ")
    assert WAITS not in text(support.get(LIST))


ODD: list[Any] = [
    [],
    "anna.sokolova@example.org",
    None,
    {"to": ["anna.sokolova@example.org"]},
    {"to": {"anna": 1}, "template": 7, "variables": {"payment_id": {"x": 1}}},
    {"variables": "d0000000"},
    {"to": "<script>alert(1)</script>anna.sokolova@example.org", "subject": "<b>x</b>", "template": "none of ours"},
    {"to": TO, "filling": "x" * 30_000},
]


def test_messages_of_any_shape_break_no_page(support: Client) -> None:
    for body in ODD:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pgmq.send('email_queue', %s::jsonb)", [json.dumps(body)])
    for asked in ("anna", "anna.sokolova@example.org", "%", "_", "\\", "8 900 000-00-01"):
        said = found(support, asked)
        assert "<script" not in said
        assert "<b>x" not in said
    assert "&lt;script&gt;" in found(support, "anna")
    assert not found(support, "%")
    assert text(support.get(f"/admin/payments/payment/{PAID}/change/"))


def test_who_may_see_messages_is_led_there_and_nobody_else(support: Client) -> None:
    msg_id = enqueue("payment_confirmation", to=TO)
    assert "href" not in found(support, TO)
    boss = Client()
    boss.force_login(User.objects.create_superuser("boss"))
    assert f'href="/admin/bridge/queueoverview/{QUEUE}/{msg_id}/"' in found(boss, TO)
    # There, and in the list of the queue, stands whom it is for, though no row does.
    for page in (f"{QUEUE}/{msg_id}/", f"{QUEUE}/"):
        assert TO in boss.get(f"/admin/bridge/queueoverview/{page}").content.decode().partition("О чём")[2]
    queues = client_of_queues()
    page = queues.get(f"/admin/bridge/queueoverview/{QUEUE}/").content.decode()
    assert "Оплата получена" in page
    assert TO not in page


def client_of_queues() -> Client:
    User.objects.filter(username="support").delete()
    return client_with("view_queueoverview")


def test_it_says_what_holds_them_and_so_do_the_pages_of_mails_and_messages(support: Client) -> None:
    msg_id = enqueue("payment_confirmation", to=TO, payment_id=str(PAID))
    holds.place(QUEUE, holds.PAUSE, by="boris", why="переезд <почты>")
    with locked("smtp") as (service, now):
        open_breaker(service, ServiceAway("smtp", "no connection"), now)
        service.save()
    retrying = row(9000, Status.RETRYING)
    sent = row(9001, Status.SENT)
    payment = text(support.get(f"/admin/payments/payment/{PAID}/change/"))
    boss = Client()
    boss.force_login(User.objects.create_superuser("boss"))
    message = text(boss.get(f"/admin/bridge/queueoverview/{QUEUE}/{msg_id}/"))
    queue = text(boss.get(f"/admin/bridge/queueoverview/{QUEUE}/"))
    home = text(support.get("/admin/now/"))
    for shown in (found(support, TO), payment, message, queue, home, text(support.get(page_of(retrying)))):
        assert "(boris), пока паузу не снимут: переезд &lt;почты&gt;" in shown
        assert "очередь стоит, нужна служба: Почтовый сервер" in shown
    assert "Письма сейчас не отправляются." in home
    assert "мост возьмёт его" not in message
    assert "на паузе" not in text(support.get(page_of(sent)))


def test_a_queue_that_only_waits_for_a_service_has_no_pause_to_change() -> None:
    boss = Client()
    boss.force_login(User.objects.create_superuser("boss"))
    holds.place(QUEUE, "service:smtp", by="breaker", why="no connection")
    page = text(boss.get(f"/admin/bridge/queueoverview/{QUEUE}/"))
    assert "Изменить паузу" not in page
    assert "Приостановить…" in page
    assert "no connection" in page


@pytest.mark.parametrize(
    "broken",
    ["SELECT pgmq.drop_queue('email_queue')", "ALTER TABLE pgmq.q_email_queue RENAME COLUMN message TO other"],
)
def test_where_the_queue_cannot_be_looked_at_the_mails_are_shown_without_it(
    support: Client, seeded_database: ClonedDatabase, broken: str
) -> None:
    row(1, recipient=TO)
    with connection.cursor() as cursor:
        cursor.execute(broken)
    assert "Всего: 1" in text(support.get(LIST, {"q": TO}))
    assert not found(support, TO)
    assert text(support.get(f"/admin/payments/payment/{PAID}/change/"))


def test_no_more_are_shown_than_anybody_reads(support: Client) -> None:
    for _ in range(12):
        enqueue("payment_confirmation", to=TO)
    assert found(support, TO).count(TO) == 10
    assert Payment.objects.get(pk=PAID).user_id == ANNA
    assert email_queue().counts().ready == 12
