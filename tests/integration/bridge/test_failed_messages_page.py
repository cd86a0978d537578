"""Putting failed messages back where they are shown: by reason, all at once, and not what would only fail again."""

import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.db import connection
from django.test import Client

from bridge.admin import acts, putting_back
from bridge.message import LastError, Outcome, Reason
from bridge.models import OperatorAction
from bridge.pgmq import PgmqQueue, pgmq_queue
from bridge.status import read_status
from bridge.tasks import carry_out_act
from notifications.models import EmailMessage
from payments.queue import queue_check
from payments.states import ProviderStatus
from tests.support.checkouts import make_checkout
from tests.support.email_deliveries import email_queue
from tests.support.report_deliveries import MARIA_CHECKUP
from tests.support.requeueing import put_back

QUEUES = "/admin/bridge/queueoverview/"
FAILED = f"{QUEUES}probe_queue/failed/"


@pytest.fixture
def operator(database: Any) -> Client:
    return client_with("view_queueoverview", "requeue_message")


def client_with(*permissions: str) -> Client:
    user = User.objects.create(username=" ".join(permissions)[:150] or "nobody", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def fail(queue: PgmqQueue, *reasons: Reason, body: object = None) -> list[int]:
    ids = []
    for reason in reasons:
        ids.append(queue.send({} if body is None else body))
        (message,) = queue.read(limit=1, lease=60)
        queue.finish(message, Outcome.FAILED, reason=reason, error=LastError("Error", "why"))
    return ids


def open_ids(queue: PgmqQueue) -> list[int]:
    return [msg_id for msg_id, _reason in queue.failures(limit=100)]


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


LOST, HOPELESS, INVALID, REFUSED = (
    *(Reason.WORKER_LOST, Reason.PERMANENT_ERROR),
    *(Reason.INVALID_MESSAGE, Reason.REFUSED),
)


def test_reasons_have_their_numbers_and_a_list_of_their_own(probe: PgmqQueue, operator: Client) -> None:
    lost, hopeless = fail(probe, LOST, LOST), fail(probe, HOPELESS)
    page = operator.get(FAILED).content.decode()
    assert "исполнитель каждый раз погибал: 2" in page
    assert "все причины: 3" in page
    one = operator.get(f"{FAILED}?reason=permanent_error").content.decode()
    assert "Всего: 1" in one
    assert f'value="{hopeless[0]}"' in one
    assert f'value="{lost[0]}"' not in one


def test_all_that_match_are_put_back_after_a_question_that_counts_them(probe: PgmqQueue, operator: Client) -> None:
    fail(probe, *[LOST] * 61)
    asked = operator.post(FAILED, {"which": "all"})
    assert "61 сообщение вернётся" in asked.content.decode()
    assert len(open_ids(probe)) == 61
    # What fails while the question stands on the screen was not asked about.
    later = fail(probe, LOST)
    done = operator.post(FAILED, {"which": "all", "until": asked.context["until"], "answer": "everything"}, follow=True)
    assert said(done) == ["61 сообщение возвращено в очередь."]
    assert open_ids(probe) == later


def test_more_than_somebody_waits_for_are_put_back_by_workers(
    probe: PgmqQueue,
    operator: Client,
    monkeypatch: pytest.MonkeyPatch,
    broker_url: str,
) -> None:
    monkeypatch.setattr(putting_back, "AT_ONCE", 3)
    fail(probe, *[LOST] * 5)
    assert "Вернуть все: 5…" in operator.get(FAILED).content.decode()
    asked = operator.post(FAILED, {"which": "all"})
    assert "5 сообщений вернутся" in asked.content.decode()
    done = operator.post(FAILED, {"which": "all", "until": asked.context["until"], "answer": "everything"}, follow=True)
    assert said(done) == [
        "Сообщения возвращают исполнители, это займёт некоторое время: список будет становиться короче."
    ]
    act = OperatorAction.objects.get()
    assert (act.state, act.count, act.actor, len(open_ids(probe))) == (
        "handed_over",
        0,
        "view_queueoverview requeue_message",
        5,
    )
    later = fail(probe, LOST)
    carry_out_act(act.pk)
    act.refresh_from_db()
    assert (act.state, act.count, open_ids(probe)) == ("done", 5, later)


def test_a_form_that_is_sent_twice_acts_once(probe: PgmqQueue, operator: Client) -> None:
    first, second = fail(probe, LOST, LOST)
    key = operator.get(FAILED).context["key"]
    for _ in range(2):
        done = operator.post(FAILED, {"msg_id": str(first), "key": key}, follow=True)
        assert said(done) == ["1 сообщение возвращено в очередь."]
    assert OperatorAction.objects.count() == 1
    assert open_ids(probe) == [second]
    asked = operator.post(FAILED, {"which": "all"})
    form = {"which": "all", "until": asked.context["until"], "answer": "everything", "key": asked.context["key"]}
    assert [said(operator.post(FAILED, form, follow=True)) for _ in range(2)] == [
        ["1 сообщение возвращено в очередь."]
    ] * 2
    assert probe.counts().ready == 2


@pytest.mark.parametrize(("answer", "left"), [("others", {HOPELESS, INVALID}), ("everything", set())])
@pytest.mark.parametrize("which", ["all", "marked"])
def test_what_a_repeat_does_not_help_is_asked_about(
    probe: PgmqQueue, operator: Client, which: str, answer: str, left: set[Reason]
) -> None:
    ids = fail(probe, LOST, HOPELESS, INVALID)
    form: dict[str, Any] = {"which": which, "msg_id": [str(one) for one in ids]}
    asked = operator.post(FAILED, form)
    assert "Для 2 из них повтор не поможет" in asked.content.decode()
    assert "Вернуть только остальное: 1" in asked.content.decode()
    assert len(open_ids(probe)) == 3
    operator.post(FAILED, {**form, "until": asked.context["until"], "answer": answer})
    assert {reason for _msg_id, reason in probe.failures(limit=9)} == {reason.value for reason in left}


def test_what_our_rules_refused_goes_back_only_when_it_is_meant(probe: PgmqQueue, operator: Client) -> None:
    (refused,) = fail(probe, REFUSED)
    assert open_ids(probe) == []
    page = f"{FAILED}?reason=refused"
    asked = operator.post(page, {"msg_id": str(refused)})
    assert "повтор не поможет" in asked.content.decode()
    assert said(operator.post(page, {"msg_id": str(refused), "answer": "everything"}, follow=True)) == [
        "1 сообщение возвращено в очередь."
    ]


def test_many_refusals_are_told_in_few_lines(probe: PgmqQueue, operator: Client) -> None:
    answer = operator.post(FAILED, {"msg_id": [str(number) for number in range(1001, 1061)]}, follow=True)
    assert len(said(answer)) == acts.MOST_TOLD + 2
    assert "И ещё 55." in said(answer)


def test_a_row_names_whom_it_is_about_and_links_where_somebody_may_go(database: Any) -> None:
    mails, payments = email_queue(), pgmq_queue("payment_processing_queue")
    reports = pgmq_queue("report_generation_queue")
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    (mail,) = fail(mails, LOST, body={"to": "anna@example.org"})
    row = EmailMessage.objects.create(
        queue=mails.name, msg_id=mail, enqueued_at="2026-11-24T09:00Z", recipient="anna@example.org"
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.purge_queue(%s), pgmq.purge_queue(%s)", [payments.name, reports.name])
    queue_check(checkout.pk, "verify")
    (message,) = payments.read(limit=1, lease=60)
    payments.finish(message, Outcome.FAILED, reason=LOST, error=LastError("Error", "why"))
    fail(reports, LOST, body={"assessment_id": str(MARIA_CHECKUP), "user_id": str(MARIA_CHECKUP), "report_type": "pdf"})
    fail(payments, LOST, body=["nothing that names one"])
    blind, seeing = (
        client_with("view_queueoverview"),
        client_with("view_queueoverview", "view_emailmessage", "view_payment"),
    )
    for queue, name, link in (
        (mails, "anna@example.org", f"/admin/notifications/emailmessage/{row.pk}/change/"),
        (payments, f"№ {str(checkout.pk)[:8]}", f"/admin/payments/payment/{checkout.pk}/change/"),
    ):
        address = f"{QUEUES}{queue.name}/failed/"
        assert f'<a href="{link}">{name}</a>' in seeing.get(address).content.decode()
        assert f">{name}</td>" in blind.get(address).content.decode()
        assert link not in blind.get(address).content.decode()
    assert f"PDF · {str(MARIA_CHECKUP)[:8]}…" in blind.get(f"{QUEUES}{reports.name}/failed/").content.decode()


def test_what_was_put_back_is_history_in_every_number(
    probe: PgmqQueue, operator: Client, broker_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = fail(probe, LOST, LOST, REFUSED, HOPELESS)
    for msg_id in (ids[0], ids[3]):
        put_back(probe.name, msg_id)
    (status,) = [one for one in read_status().queues if one.name == probe.name]
    assert (status.failed, status.refused, status.put_back, status.open_failures) == (2, 1, 2, 1)
    call_command("queue_status", "--json")
    told = json.loads(capsys.readouterr().out)
    assert [(one["failed"], one["put_back"]) for one in told["queues"] if one["name"] == probe.name] == [(2, 2)]
    overview = operator.get(QUEUES).content.decode()
    link = f'<a href="{FAILED}?hours=24">1</a>'
    assert link in overview
    assert "возвращено: 2" in overview
    # And the link leads to as many as it says.
    assert "Всего: 1" in operator.get(f"{FAILED}?hours=24").content.decode()


def test_the_button_without_a_mark_says_what_is_missing(probe: PgmqQueue, operator: Client) -> None:
    ids = fail(probe, LOST)
    assert said(operator.post(FAILED, {}, follow=True)) == ["Ничего не возвращено: сначала отметьте сообщения."]
    assert said(operator.post(FAILED, {"answer": "others", "msg_id": "x"}, follow=True)) == [
        "Ничего не возвращено: сначала отметьте сообщения."
    ]
    assert open_ids(probe) == ids


def test_a_failure_that_left_no_error_shows_a_dash(probe: PgmqQueue, operator: Client) -> None:
    probe.send({})
    (message,) = probe.read(limit=1, lease=60)
    probe.finish(message, Outcome.FAILED, reason=LOST)
    page = operator.get(FAILED).content.decode()
    assert re.findall(r'<td class="bridge-error">(.*?)</td>', page, re.DOTALL) == ["—"]
