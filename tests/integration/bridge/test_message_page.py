"""The page of one message: whatever state it is in, whatever it says, and for whom."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from bridge.admin.addresses import queue_address
from bridge.message import LastError, Outcome, Reason
from bridge.models import KeptOutcome, OperatorAction
from bridge.operations.actor import Actor, Kind
from bridge.operations.discard import discard
from bridge.operations.requeue import requeue
from bridge.pgmq import PgmqQueue, pgmq_queue
from notifications.models import EmailMessage
from payments.models import ProviderNotification
from payments.queue import queue_check
from payments.states import NotificationStatus, ProviderStatus
from tests.integration.bridge.deliveries import claim, make_due, read_one
from tests.integration.bridge.test_admin import client_with
from tests.integration.reports.test_reports_admin import row as report_row
from tests.support.checkouts import make_checkout
from tests.support.email_deliveries import email_queue
from tests.support.requeueing import put_back

QUEUES, REPORTS = "/admin/bridge/queueoverview/", "report_generation_queue"
LOOK, READ, ACT = "view_queueoverview", "view_message_body", "requeue_message"
BOTH_CARRIERS = pytest.mark.parametrize("pgmq_version", ["1.13", "1.4"], indirect=True)


def page_of(queue: PgmqQueue, msg_id: int) -> str:
    return f"{QUEUES}{queue.name}/{msg_id}/"


def text_of(client: Client, address: str, status: int = 200) -> str:
    """The page as people read it."""
    answer = client.get(address)
    assert answer.status_code == status
    html = answer.content.decode().partition('<main id="content-start"')[2]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html.replace("<wbr>", "")))


def fail(queue: PgmqQueue, body: object = None, **how: Any) -> int:
    msg_id = queue.send({} if body is None else body)
    make_due(queue)
    claimed = claim(queue, read_one(queue))
    error = LastError("OurFault", "554 sender refused, see https://x.example/?a=1&token=s3cret")
    assert queue.finish(claimed, Outcome.FAILED, reason=Reason.PERMANENT_ERROR, error=error, seconds=0.25, **how)
    return msg_id


@pytest.fixture
def looker(probe: PgmqQueue) -> Client:
    return client_with(LOOK, READ)


@BOTH_CARRIERS
def test_it_says_how_the_message_stands_in_every_state(probe: PgmqQueue, looker: Client) -> None:
    msg_id = probe.send({})
    there = page_of(probe, msg_id)
    assert "готово к выдаче Его срок наступил" in text_of(looker, there)
    delivery = read_one(probe)
    assert "у брокера Ждёт исполнителя. Если до" in text_of(looker, there)
    claimed = claim(probe, delivery)
    assert "выполняется Оно у исполнителя, самое позднее до" in text_of(looker, there)
    probe.retry(claimed.token, delay=600, error=LastError("TimeoutError", "no answer"), seconds=2)
    assert "ждёт повтора Ждёт повтора до" in text_of(looker, there)
    make_due(probe)
    probe.finish(claim(probe, read_one(probe), attempts=2), Outcome.SUCCEEDED, seconds=0.5)
    page = text_of(looker, there)
    assert "выполнено В архиве с" in page
    assert "ошибка TimeoutError: no answer" in page
    later = probe.send({}, delay=600)
    assert "отложено Отправлено с отсрочкой" in text_of(looker, page_of(probe, later))


@BOTH_CARRIERS
def test_each_attempt_is_a_row_and_one_whose_worker_died_says_so(probe: PgmqQueue, looker: Client) -> None:
    msg_id = probe.send({})
    assert probe.claim(read_one(probe).token, lease=0, attempts=1, trace_id="trace", worker="host:41") is not None
    make_due(probe)
    claimed = probe.claim(read_one(probe).token, lease=60, attempts=2, trace_id="trace", worker="host:42")
    assert claimed is not None
    probe.retry(claimed.token, delay=600, error=LastError("TimeoutError", "no <b>answer</b>"), seconds=1.5)
    html = looker.get(page_of(probe, msg_id)).content.decode()
    rows = re.findall(r"<tr>\s*<th scope=\"row\" data-label=\"№\">(\d+)</th>(.*?)</tr>", html, re.DOTALL)
    # The newest first.
    assert [number for number, _cells in rows] == ["2", "1"]
    assert "1,50" in rows[0][1]
    assert "TimeoutError: no &lt;b&gt;answer&lt;/b&gt;" in rows[0][1]
    assert "<code>host:42</code>" in rows[0][1]
    assert "исполнитель погиб" in rows[1][1]
    assert "<code>host:41</code>" in rows[1][1]


def test_attempts_of_an_older_version_are_counted_and_not_made_up(probe: PgmqQueue, looker: Client) -> None:
    msg_id = probe.send({}, headers={"bridge": {"attempts": 3, "trace_id": "t"}})
    assert "О 3 попытках до этих подробностей нет" in text_of(looker, page_of(probe, msg_id))


def test_an_act_that_came_to_nothing_is_not_told_as_done(probe: PgmqQueue) -> None:
    msg_id = fail(probe, {})
    discard(probe.name, [msg_id], actor=Actor(Kind.STAFF, "olga"))
    requeue(probe.name, [msg_id], actor=Actor(Kind.STAFF, "olga"))
    page = text_of(client_with(LOOK, "view_operatoraction"), page_of(probe, msg_id))
    assert "возвращено в очередь: ничего не сделано (1: уже снимали)" in page


def test_an_outcome_that_waits_to_be_written_is_told(probe: PgmqQueue, looker: Client) -> None:
    msg_id = probe.send({})
    enqueued = read_one(probe).enqueued_at
    KeptOutcome.objects.create(queue=probe.name, msg_id=msg_id, enqueued_at=enqueued, outcome="succeeded", why="x")
    assert "Работа сделана и не повторится" in text_of(looker, page_of(probe, msg_id))


def test_what_it_says_has_its_links_masked_and_is_for_those_who_may_read_it(probe: PgmqQueue) -> None:
    msg_id = fail(probe, {"to": "anna@example.org", "url": "https://x.example/?a=1&token=s3cret", "x": "<script>"})
    seeing, blind = client_with(LOOK, READ), client_with(LOOK)
    shown, hidden = (client.get(page_of(probe, msg_id)).content.decode() for client in (seeing, blind))
    assert "anna@example.org" in shown
    assert "token=***" in shown
    assert "&lt;script&gt;" in shown
    assert "anna@example.org" not in hidden
    assert "с отдельным правом" in hidden
    # Of an error as well.
    assert "s3cret" not in shown + hidden


LARGE = {
    "too large": "jsonb_build_object('to', repeat('x', 2000000))",
    "long": "jsonb_build_object('to', repeat('x', 900000))",
    "deep": f"('{'[' * 3000}{']' * 3000}')::jsonb",
    "a giant number": "'{\"a\": 1e131071}'::jsonb",
    "an array": "'[1, 2, {\"a\": null}]'::jsonb",
    "a text": "'\"<b>text</b>\"'::jsonb",
    "null": "'null'::jsonb",
}


@BOTH_CARRIERS
def test_a_message_of_any_size_and_shape_has_a_page(probe: PgmqQueue, looker: Client) -> None:
    for name, body in LARGE.items():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT pgmq.send('{probe.name}', {body})")
            answer = looker.get(page_of(probe, cursor.fetchone()[0]))
        assert (answer.status_code, len(answer.content) < 100_000) == (200, True), name
        is_too_large = "слишком велико, чтобы показать" in answer.content.decode()
        assert is_too_large == (name == "too large"), name


FORGED = '{"attempts": "<b>", "outcome": "done<b>", "reason": "<i>", "trace_id": "<u>", "requeued_as": -1, "tries": 1}'


def test_what_a_sender_wrote_in_our_name_breaks_no_page(probe: PgmqQueue, looker: Client) -> None:
    for moment in ("infinity", "-infinity", "4000-01-01 BC"):
        with connection.cursor() as cursor:
            cursor.execute(f"""SELECT pgmq.send('{probe.name}', '{{}}', '{{"bridge": {FORGED}}}'::jsonb)""")
            (msg_id,) = cursor.fetchone()
            cursor.execute("SELECT pgmq.archive(%s, %s::bigint)", [probe.name, msg_id])
            cursor.execute(
                f"UPDATE pgmq.a_{probe.name} SET archived_at = %s, enqueued_at = %s WHERE msg_id = %s",
                [moment, moment, msg_id],
            )
        html = looker.get(page_of(probe, msg_id)).content.decode()
        assert "в архиве не от нас" in html
        assert not {"<b>", "<i>", "<u>"} & {*re.findall(r"<.>", html.partition("<main")[2])}
        for tab in ("archive", "failures"):
            assert looker.get(f"{QUEUES}{probe.name}/?tab={tab}&since=2026-01-01T00:00").status_code == 200


def test_a_message_that_is_gone_has_a_page_in_our_words(probe: PgmqQueue, looker: Client) -> None:
    for number in (424242, 2**63 - 1, 2**63, 10**30):
        page = text_of(looker, page_of(probe, number), 404)
        assert f"Сообщения № {number} нет ни в очереди probe_queue, ни в её архиве" in page.replace("\xa0", "")


def test_a_queue_that_is_not_there_leads_back_and_says_so(probe: PgmqQueue, looker: Client, broker_url: str) -> None:
    answer = looker.get(f"{QUEUES}no_such_queue/17/", follow=True)
    assert answer.redirect_chain == [(QUEUES, 302)]
    assert "Очереди no_such_queue нет в базе данных." in answer.content.decode()


def test_messages_of_queues_that_nobody_handles_can_be_looked_at_and_no_more(probe: PgmqQueue) -> None:
    names = ("my queue", "100%", "a/b", "Очередь", "list[1]")
    client = client_with(LOOK, READ, ACT)
    for name in names:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pgmq.create(%s)", [name])
        queue = pgmq_queue(name)
        msg_id = queue.send({"n": 1})
        html = client.get(queue_address(name)).content.decode()
        assert "Эту очередь здесь никто не обрабатывает" in html
        assert 'name="msg_id" value' not in html
        (link,) = re.findall(r'<th scope="row"><a href="([^"]+)">', html)
        assert "/act/" not in client.get(link).content.decode()
        assert f"Сообщение № {msg_id}" in text_of(client, link)


def test_it_leads_to_the_message_that_it_was_put_back_as_and_from_there_back(probe: PgmqQueue, looker: Client) -> None:
    old = fail(probe)
    new = put_back(probe.name, old)
    assert f'<a href="{page_of(probe, new)}">№ {new}</a>' in looker.get(page_of(probe, old)).content.decode()
    assert f'<a href="{page_of(probe, old)}">№ {old}</a>' in looker.get(page_of(probe, new)).content.decode()
    assert "не удалось, возвращено" in text_of(looker, page_of(probe, old))


def test_who_did_what_to_it_is_told_to_those_who_may_see_actions(probe: PgmqQueue, looker: Client) -> None:
    msg_id = fail(probe)
    act = OperatorAction.objects.create(actor_kind="cli", actor="root", action="discard", queue=probe.name, count=7)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE pgmq.a_{probe.name} SET headers = jsonb_set(headers, '{{bridge,acted_by}}', to_jsonb(%s::bigint))",
            [act.pk],
        )
    OperatorAction.objects.create(
        actor_kind="staff",
        actor="olga",
        action="retry",
        queue=probe.name,
        msg_id=msg_id,
        reason="<b>почта работает</b>",
    )
    OperatorAction.objects.create(actor_kind="staff", actor="nobody", action="retry", queue="other", msg_id=msg_id)
    page = text_of(client_with(LOOK, "view_operatoraction"), page_of(probe, msg_id))
    assert "olga повторено сразу &lt;b&gt;почта работает&lt;/b&gt;" in page
    assert "root (командная строка) снято" in page
    assert "nobody" not in page
    assert "olga" not in text_of(looker, page_of(probe, msg_id))


def test_a_mail_a_payment_and_a_report_lead_to_their_messages_and_back(seeded_database: object) -> None:
    mails, payments, reports = email_queue(), pgmq_queue("payment_processing_queue"), pgmq_queue(REPORTS)
    for queue in (mails, payments, reports):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pgmq.purge_queue(%s)", [queue.name])
    mail = EmailMessage.objects.create(
        queue=mails.name,
        msg_id=mails.send({"to": "anna@example.org"}),
        enqueued_at="2026-11-24T09:00Z",
        recipient="anna@example.org",
        template="payment_confirmation",
    )
    checkout, report = make_checkout(ProviderStatus.SUCCEEDED), report_row()
    noticed, asked = queue_check(checkout.pk, "verify"), queue_check(checkout.pk, "verify")
    payments.finish(read_one(payments), Outcome.SUCCEEDED)
    ProviderNotification.objects.create(
        payment_id=checkout.pk, address="185.71.76.1", trusted=True, event="x", body="{}", msg_id=noticed,
        status=NotificationStatus.PROCESSED,
    )  # fmt: skip
    body = {"assessment_id": str(report.assessment_id), "user_id": str(report.user_id), "report_type": report.kind}
    report.msg_id = reports.send(body)
    report.save(update_fields=["msg_id"])
    rights = ("view_emailmessage", "view_payment", "view_report")
    blind, seeing = client_with(*rights), client_with(LOOK, *rights)
    lone = client_with(LOOK)
    for queue, ids, row, name in (
        (mails, [mail.msg_id], f"/admin/notifications/emailmessage/{mail.pk}/change/", "anna@example.org"),
        (payments, [noticed, asked], f"/admin/payments/payment/{checkout.pk}/change/", f"№ {str(checkout.pk)[:8]}"),
        (reports, [report.msg_id], f"/admin/reports/report/{report.pk}/change/", str(report.assessment_id)[:8]),
    ):
        shown = seeing.get(row).content.decode()
        for msg_id in ids:
            there = page_of(queue, int(msg_id or 0))
            assert f'<a href="{there}">№ {msg_id}</a>' in shown, row
            back = seeing.get(there).content.decode()
            assert f'href="{row}"' in back, row
            assert name in back
            # Whoever may not open the row is led nowhere, and reads no address of a family.
            without = lone.get(there).content.decode()
            assert row not in without
            assert "anna@example.org" not in without
        assert QUEUES not in blind.get(row).content.decode().partition("<main")[2], row


def test_staff_without_the_right_to_look_see_no_message(probe: PgmqQueue) -> None:
    assert client_with(READ, ACT).get(page_of(probe, probe.send({}))).status_code == 403
