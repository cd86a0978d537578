"""The home page of staff: whose it is, what it says, what it costs, and what it says when it cannot know."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from html import unescape
from io import StringIO
from typing import Any

import psycopg2
import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from balansity.dashboard import bounds
from balansity.door.sessions import SEEN, SessionStore
from bridge import holds
from bridge.daemon.heartbeat import Heartbeat
from bridge.dashboard import reading
from bridge.dashboard.broker import broker
from bridge.errors import Away
from bridge.message import LastError, Outcome, Reason
from bridge.models import BridgeProcess, OutsideService
from bridge.pgmq import pgmq_queue
from bridge.wakeup import without_wakeup
from notifications.models import EmailMessage, Status
from notifications.queue import QUEUE
from payments.models import Refund
from payments.states import ProviderStatus, RefundStatus
from reports.models import Kind, Report
from tests.integration.notifications.test_notifications_admin import row as email_row
from tests.support.checkouts import make_checkout
from tests.support.databases import ClonedDatabase
from tests.support.far_below import far_below

pytestmark = pytest.mark.usefixtures("database", "broker_url")

HOME, NOW = "/admin/", "/admin/now/"
SECTIONS = ("queues", "services", "processes", "money", "mails")
# With a session, its user and their rights; whatever the tables hold.
MOST_QUERIES = 45


@pytest.fixture(autouse=True)
def _all_is_well(database: ClonedDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    broker.forget()
    Heartbeat().beat(published=0, archived=0, waits_for="")
    # As if each queue had its wake-up: to make and drop these would be most of what Postgres does here.
    monkeypatch.setattr(reading, "without_wakeup", lambda queues: set())


@pytest.fixture
def wakeups(_all_is_well: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each queue has its own, and Postgres is asked for them."""
    monkeypatch.setattr(reading, "without_wakeup", without_wakeup)
    call_command("install_wakeup", stdout=StringIO())


def client_with(*rights: str) -> Client:
    """Somebody of the staff with just these rights, `app.codename`."""
    user = User.objects.create(username=f"staff{User.objects.count()}", is_staff=True)
    for right in rights:
        app, _, codename = right.partition(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def boss() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


def text(answer: Any) -> str:
    """What people read, with ordinary spaces."""
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", unescape(answer.content.decode())))


def parts(client: Client) -> set[str]:
    return set(re.findall(r'<section [^>]*data-key="(\w+)"', client.get(NOW).content.decode()))


def line_with(client: Client, words: str) -> tuple[str, str]:
    """Where the line that says this leads, and all that it says."""
    found = re.findall(r'<li class="home-line.*?</li>', client.get(NOW).content.decode(), re.DOTALL)
    line = next(one for one in found if words in unescape(one))
    said = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", unescape(line))).strip()
    return unescape(re.findall(r'href="([^"]*)"', line)[0]), said


def send(queue: str, count: int, *, minutes_ago: int = 0) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO pgmq.q_{queue} (vt, enqueued_at, message) SELECT at, at, '{{}}'"
            " FROM generate_series(1, %s), (SELECT now() - make_interval(mins => %s) AS at) AS sent",
            [count, minutes_ago],
        )


def fail(queue: str, count: int, error: str = "550 no such user") -> None:
    pgmq = pgmq_queue(queue)
    send(queue, count)
    for message in pgmq.read(limit=count, lease=60):
        pgmq.finish(message, Outcome.FAILED, reason=Reason.RETRIES_EXHAUSTED, error=LastError("SMTPError", error))


OF_RIGHTS = {
    "bridge.view_queueoverview": {"attention", "queues", "services"},
    "bridge.view_bridgeprocess": {"attention", "processes"},
    "payments.view_revenue": {"money"},
    "payments.view_payment": {"attention"},
    "notifications.view_emailmessage": {"attention", "mails"},
    "reports.view_report": {"attention"},
    # It has a list, and nothing here: it reads that.
    "auth.view_group": {"attention"},
}


@pytest.mark.parametrize("right", OF_RIGHTS)
def test_each_right_alone_shows_its_own_parts_and_no_other(right: str) -> None:
    assert parts(client_with(right)) == OF_RIGHTS[right]


def test_who_may_see_nothing_reads_what_to_do_about_it_and_gets_no_figure() -> None:
    email_row(1, status=Status.FAILED)
    nobody = client_with()
    for address in (HOME, NOW):
        page = text(nobody.get(address))
        assert "нет прав ни на один раздел обзора" in page
        assert "письм" not in page.partition("Все списки")[0].lower()


def test_lines_are_for_those_who_may_open_what_they_lead_to() -> None:
    email_row(1, status=Status.FAILED)
    fail("email_queue", 2)
    support, operator = client_with("notifications.view_emailmessage"), client_with("bridge.view_queueoverview")
    assert "1 письмо не отправлено" in text(support.get(NOW))
    assert "неудачных" not in text(support.get(NOW))
    assert "2 неудачных сообщения" in text(operator.get(NOW))
    assert "не отправлено" not in text(operator.get(NOW))


@pytest.mark.usefixtures("wakeups")
def test_all_is_well_is_said_to_who_sees_all_and_less_to_who_does_not(boss: Client) -> None:
    assert "Всё в порядке: внимания ничего не требует." in text(boss.get(HOME))
    one = client_with("notifications.view_emailmessage")
    assert "Всё в порядке: ничто из того, что вам видно, внимания не требует." in text(one.get(HOME))


def test_django_s_lists_and_what_one_did_oneself_are_still_there(boss: Client) -> None:
    page = boss.get(HOME).content.decode()
    assert 'id="notifications-emailmessage"' in page
    assert 'id="recent-actions-module"' in page


def test_failures_are_lines_by_their_kind_that_lead_to_just_these(boss: Client) -> None:
    fail("email_queue", 3, "421 mx1.example.org is away since 10:15")
    fail("email_queue", 2, "421 mx2.example.org is away since 11:20")
    fail("email_queue", 1, "550 no such user")
    address, said = line_with(boss, "5 неудачных сообщений")
    assert "email_queue" in said
    assert "SMTPError" in said
    assert "верните оттуда всю группу" in said
    assert address.startswith("/admin/bridge/")
    assert "pattern=" in address
    assert "Всего: 5" in text(boss.get(address))
    assert "Всего: 1" in text(boss.get(line_with(boss, "1 неудачное сообщение")[0]))


def test_a_pause_is_told_and_is_no_fault(boss: Client) -> None:
    holds.place("email_queue", holds.PAUSE, by="Елена", why="Переезд почты", until=timezone.now() + timedelta(hours=1))
    send("email_queue", 7, minutes_ago=60)
    _address, said = line_with(boss, "на паузе")
    assert "email_queue" in said
    assert "(Елена); ждут 7 сообщений" in said
    assert "Переезд почты" in said
    page = text(boss.get(NOW))
    assert "Всё в порядке" in page
    # What waits because somebody wants it to is not too old.
    assert "самое старое —" not in page


def test_what_waits_too_long_is_told_with_its_age(boss: Client) -> None:
    send("email_queue", 1340, minutes_ago=26)
    send("payment_processing_queue", 5, minutes_ago=1)
    _address, said = line_with(boss, "самое старое")
    assert "Очередь email_queue: ждут 1 340 сообщений, самое старое — 26 мин" in said
    assert "не хватает исполнителей" in said
    assert text(boss.get(NOW)).count("самое старое —") == 1


def test_a_service_that_is_away_is_told_with_what_waits_for_it(boss: Client) -> None:
    OutsideService.objects.create(
        name="yookassa", is_open=True, since=timezone.now(), kind=Away.REFUSED, why="401 invalid credentials"
    )
    send("payment_processing_queue", 3)
    _address, said = line_with(boss, "нам отказано")
    assert said.startswith("ЮKassa: нам отказано с ")
    assert "ждут 3 сообщения" in said
    assert "401 invalid credentials" in said
    assert "ЮKassa нам отказано" in text(boss.get(NOW)).partition("Внешние службы")[2]


def test_no_bridge_is_graver_than_one_that_fell_silent(boss: Client) -> None:
    now = timezone.now()
    BridgeProcess.objects.update(started_at=now - timedelta(days=1))
    # In the place of the first another was started, and nobody has to know.
    for name, minutes in (("host:0", 2000), ("host:1", 12)):
        seen = now - timedelta(minutes=minutes)
        BridgeProcess.objects.create(name=name, started_at=seen - timedelta(hours=1), seen_at=seen)
    assert "home-late" in boss.get(NOW).content.decode()
    assert "1 процесс молчит" in text(boss.get(NOW))
    BridgeProcess.objects.filter(stopped_at=None).exclude(name="host:1").delete()
    send("email_queue", 2)
    address, said = line_with(boss, "Ни один мост не работает")
    assert address == "/admin/bridge/bridgeprocess/"
    assert "ждут 2 сообщения" in said
    assert "никто не разбирает" in text(boss.get(NOW))


def test_a_kind_of_process_of_which_none_is_left_is_told_by_what_stands_still(boss: Client) -> None:
    now = timezone.now()
    # What a bridge has not heard yet, as it has only begun to listen, is no silence.
    for kind, minutes in (("worker", 12), ("beat", 70)):
        seen = now - timedelta(minutes=minutes)
        BridgeProcess.objects.create(name=f"{kind}:1", kind=kind, started_at=seen, seen_at=seen)
    send("email_queue", 2)
    assert "Ни один исполнитель" not in text(boss.get(NOW))
    BridgeProcess.objects.filter(kind="bridge").update(started_at=now - timedelta(hours=2))
    page = text(boss.get(NOW))
    assert "Ни один исполнитель не работает: ждут 2 сообщения" in page
    assert "По расписанию ничего не делается: планировщик молчит 1 ч" in page
    section = page.partition("Внешние службы")[2]
    assert "работает: 1" in section
    assert section.count("не запущен") == 2
    BridgeProcess.objects.filter(kind="worker").update(seen_at=now)
    assert "Ни один исполнитель" not in text(boss.get(NOW))


@pytest.mark.usefixtures("wakeups")
def test_a_queue_that_is_missing_or_wakes_nobody_is_told(boss: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER balansity_wakeup ON pgmq.q_report_generation_queue")
        cursor.execute("SELECT pgmq.drop_queue('email_queue')")
    assert "В базе нет 1 очереди: email_queue" in text(boss.get(NOW))
    assert "1 очередь не будит мост, когда приходит сообщение: report_generation_queue" in text(boss.get(NOW))


def test_reports_that_nobody_finishes_are_told_and_found(boss: Client) -> None:
    def report(number: int) -> Report:
        return Report.objects.create(
            assessment_id=f"{number:032}",
            user_id=f"{number:032}",
            kind=Kind.PDF,
            queue="q",
            msg_id=number,
        )

    late, _fresh = report(1), report(2)
    Report.objects.filter(pk=late.pk).update(updated_at=timezone.now() - timedelta(minutes=31))
    address, said = line_with(boss, "не готов больше получаса")
    assert said.startswith("1 отчёт")
    assert [row.pk for row in boss.get(address).context["cl"].result_list] == [late.pk]


def test_money_of_today_is_moscow_s_day_and_a_week_ago_stands_beside_it() -> None:
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    checkouts = [
        make_checkout(ProviderStatus.SUCCEEDED, captured_at=at)
        for at in (today, today + timedelta(minutes=1), today - timedelta(minutes=1), today - timedelta(days=7))
    ]
    Refund.objects.create(
        payment_id=checkouts[0].pk,
        amount=1000,
        status=RefundStatus.SUCCEEDED,
        external_id="r1",
        request_body={},
        finished_at=today,
    )
    page = text(client_with("payments.view_revenue").get(NOW))
    assert "Оплачено 9 000,00 ₽ 2 платежа" in page
    assert "Возвращено 1 000,00 ₽ 1 возврат" in page
    assert "Итог 8 000,00 ₽" in page
    assert "за весь день: 4 500,00 ₽" in page


def test_mails_of_today_lead_to_just_those(boss: Client) -> None:
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    sent, yesterday, failed, waits = (
        email_row(1),
        email_row(2),
        email_row(3, Status.FAILED),
        email_row(4, Status.SENDING),
    )
    EmailMessage.objects.filter(pk__in=(sent.pk, failed.pk)).update(created_at=today)
    EmailMessage.objects.filter(pk__in=(yesterday.pk, waits.pk)).update(created_at=today - timedelta(seconds=1))
    section = boss.get(NOW).content.decode().partition('id="home-mails"')[2]
    assert "Отправлено 1 Не отправлено 1 В пути 1" in re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", section))
    for address, row in zip(re.findall(r'href="([^"]*)"', section), (sent, failed), strict=False):
        assert [found.pk for found in boss.get(unescape(address)).context["cl"].result_list] == [row.pk]


@pytest.mark.usefixtures("wakeups")
def test_the_number_of_queries_is_bounded_whatever_there_is(boss: Client) -> None:
    boss.get(NOW)

    def count() -> int:
        # Something has to be committed, or nothing is read anew.
        Heartbeat().beat(published=0, archived=0, waits_for="")
        with CaptureQueriesContext(connection) as queries:
            assert boss.get(NOW).status_code == 200
        return len(queries)

    before = count()
    for number in range(1, 6):
        email_row(number, status=Status.FAILED)
        make_checkout(ProviderStatus.SUCCEEDED)
        BridgeProcess.objects.create(name=f"h{number}", started_at=timezone.now(), seen_at=timezone.now())
    fail("email_queue", 5)
    send("payment_processing_queue", 500, minutes_ago=30)
    assert count() == before <= MOST_QUERIES


def test_an_unchanged_page_is_a_304_with_its_time_and_a_changed_one_is_not(boss: Client) -> None:
    first = boss.get(NOW)
    assert re.fullmatch(r"\d\d:\d\d:\d\d", first["X-As-Of"])
    again = boss.get(NOW, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert re.fullmatch(r"\d\d:\d\d:\d\d", again["X-As-Of"])
    # The page itself names what it shows.
    assert f'data-etag="{first["ETag"].strip(chr(34))}"' in boss.get(HOME).content.decode()
    email_row(1, status=Status.FAILED)
    changed = boss.get(NOW, headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


def test_what_somebody_may_no_longer_see_is_gone_with_the_next_refresh() -> None:
    client = client_with("notifications.view_emailmessage", "payments.view_revenue")
    seen = client.get(NOW)
    User.objects.get(username__startswith="staff").user_permissions.clear()
    refreshed = client.get(NOW, headers={"If-None-Match": seen["ETag"]})
    assert refreshed.status_code == 200
    assert "home-section " not in refreshed.content.decode()


def test_a_stranger_gets_nothing_and_is_sent_to_the_login(client: Client) -> None:
    answer = client.get(NOW)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/")
    assert answer.content == b""
    family = Client()
    family.force_login(User.objects.create(username="no staff"))
    assert family.get(NOW).status_code == 302


def test_a_page_that_is_left_open_keeps_no_session_alive(boss: Client, settings: Settings) -> None:
    idle = settings.ADMIN_SESSION_IDLE_MINUTES * 60
    key = boss.session.session_key

    def seen_ago(seconds: int) -> None:
        store = SessionStore(key)
        store.load()
        store[SEEN] = int(time.time()) - seconds
        store.save()

    seen_ago(idle - 60)
    assert boss.get(NOW).status_code == 200
    assert int(time.time()) - Session.objects.get(pk=key).get_decoded()[SEEN] >= idle - 60
    seen_ago(idle + 1)
    assert boss.get(NOW).status_code == 302


def test_a_broker_that_is_away_is_a_line_and_costs_nobody_a_long_wait(
    boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def hang() -> None:
        asked.append(1)
        let_go.wait(60)

    let_go = threading.Event()
    monkeypatch.setattr(broker, "_ask", hang)
    broker.forget()
    send("email_queue", 4)
    with far_below(60):
        page = text(boss.get(NOW))
    assert "Брокер (Redis) не отвечает: ждут 4 сообщения" in page
    assert "Очереди" in page
    for _ in range(3):
        assert "не отвечает" in text(boss.get(NOW))
    let_go.set()
    broker.forget()
    assert len(asked) == 1


@contextmanager
def locked(url: str, table: str) -> Iterator[None]:
    holder = psycopg2.connect(url)
    try:
        with holder.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield
    finally:
        holder.close()


@pytest.mark.parametrize(
    ("table", "unread", "others"),
    [
        ("balansity.payments_refund", "возвраты", "Письма сегодня Отправлено"),
        ("pgmq.q_email_queue", "очереди", "Деньги сегодня Оплачено"),
        ("balansity.notifications_emailmessage", "письма", "Очереди Очередь"),
    ],
)
def test_what_postgres_does_not_answer_in_time_is_said_and_the_rest_is_there(
    boss: Client, database: ClonedDatabase, monkeypatch: pytest.MonkeyPatch, table: str, unread: str, others: str
) -> None:
    monkeypatch.setattr("balansity.dashboard.reading.bounded", lambda: bounds.bounded(seconds=60, statement=1.0))
    with locked(database.url, table):
        page = text(boss.get(HOME))
    assert "Не удалось проверить" in page
    assert unread in page.partition("Не проверено:")[2].partition(".")[0]
    assert "Не удалось прочитать" in page
    assert others in page
    assert "Всё в порядке" not in page
    # Whoever gets the session next is not cut.
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


def test_a_page_whose_time_is_up_asks_for_nothing_more(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("balansity.dashboard.reading.bounded", lambda: bounds.bounded(seconds=-1))
    page = text(boss.get(NOW))
    assert page.count("Не удалось прочитать") == len(SECTIONS)
    sent: list[str] = []

    def note(execute: Any, sql: str, *others: Any) -> Any:
        sent.append(sql)
        return execute(sql, *others)

    with bounds.bounded(seconds=-1), connection.execute_wrapper(note), pytest.raises(bounds.OutOfTime):
        User.objects.count()
    assert sent == []


def test_while_our_tables_are_not_there_yet_the_rest_is_shown(boss: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE bridge_queuehold, bridge_outsideservice, bridge_keptoutcome CASCADE")
    page = text(boss.get(HOME))
    assert "отложенные итоги" in page.partition("Не проверено:")[2]
    assert "email_queue" in page
    assert "Почтовый сервер" in page or "Брокер (Redis)" in page


def test_queues_are_shown_with_their_day(boss: Client) -> None:
    queue = pgmq_queue(QUEUE)
    send(QUEUE, 3)
    (first, *_others) = queue.read(limit=1, lease=60)
    claimed = queue.claim(first.token, lease=60, attempts=1, trace_id="t")
    assert claimed is not None
    queue.finish(claimed, Outcome.SUCCEEDED)
    html = boss.get(NOW).content.decode()
    row = re.search(r'<tr data-key="email_queue">.*?</tr>', html, re.DOTALL)
    assert row is not None
    cells = dict(re.findall(r'<td data-label="([^"]*)">(.*?)</td>', row[0], re.DOTALL))
    plain = {name: re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", cell)).strip() for name, cell in cells.items()}
    assert plain["Ждут"] == "2"
    assert plain["Выполняются"] == "0"
    assert plain["Ошибки за 24 ч"] == "0"
    assert "<svg" in cells["Готово за 24 ч"]
    assert 'role="img" aria-label="За 24 часа: 1;' in cells["Готово за 24 ч"]
    assert re.fullmatch(r"[\d,]+ с / [\d,]+ с", plain["Ожидание"].replace("\N{NO-BREAK SPACE}", " "))
