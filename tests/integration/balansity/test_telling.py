"""Staff are told by mail: a digest once a day, and at once what began and what ended, each once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from django.db import connection, connections
from django.utils import timezone
from freezegun import freeze_time
from pytest_django import Settings

from balansity.dashboard import reading
from balansity.models import Incident
from balansity.telling import incidents
from balansity.telling.digest import tell_digest
from bridge import holds
from bridge.breaker.record import note_answer, note_failure
from bridge.breaker.rows import database_now
from bridge.errors import Away, ServiceAway
from bridge.message import History, Message, Token
from bridge.models import BridgeProcess
from notifications import dashboard as mails_home
from notifications.models import EmailMessage, StaffNotice, Status
from notifications.queue import QUEUE
from notifications.sending.mailer import mailer
from notifications.staff_notices import NOTICE_LOCK, make_notice
from payments import dashboard as payments_home
from payments.models import PaymentAttention
from payments.states import Attention, ProviderStatus
from sandbox.mailbox import Mail, Mailbox
from staff.attention import Line, Watch
from staff.troubles import Detector, Trouble
from tests.support.checkouts import flag, make_checkout
from tests.support.databases import ClonedDatabase
from tests.support.email_deliveries import attempt

pytestmark = pytest.mark.usefixtures("database")

STAFF = ("duty@littleotter.example", "owner@littleotter.example")
# In Moscow it is eight.
EIGHT = datetime(2026, 11, 27, 5, 0, tzinfo=UTC)


class Clock:
    """The time of Python, which stands still at eight until a test moves it."""

    frozen: Any = None

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        self.frozen.move_to(moment)
        yield


clock = Clock()


@pytest.fixture(autouse=True)
def _told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # Of the service itself nothing needs anybody.
    monkeypatch.setattr(reading, "all_watches", lambda: [*payments_home.WATCHES, *mails_home.WATCHES])
    settings.STAFF_DIGEST_TO = STAFF
    settings.API_BASE_URL = "https://api.littleotter.example/worker"
    settings.EMAIL_EXTRA_RECIPIENTS = ()
    with freeze_time(EIGHT) as clock.frozen:
        yield
    mailer.close()


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> dict[str, Trouble]:
    """What a detector sees, by its key. Nothing else is looked at."""
    seen: dict[str, Trouble] = {}
    detector = Detector("test", lambda standing: list(seen.values()))
    monkeypatch.setattr(incidents, "all_detectors", lambda: [detector])
    return seen


def away(name: str = "smtp", **fields: Any) -> Trouble:
    usual: dict[str, Any] = {
        "kind": f"service:{name}",
        "key": name,
        "what": f"Служба «{name}» недоступна",
        "advice": "Проверьте его настройки.",
        "address": "/admin/bridge/queueoverview/",
    }
    return Trouble(**(usual | fields))


def queued() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT msg_id FROM pgmq.q_{QUEUE} ORDER BY msg_id")
        return [msg_id for (msg_id,) in cursor.fetchall()]


def send_all() -> list[EmailMessage]:
    """What a worker does with all that is queued now."""
    return [attempt(msg_id) for msg_id in queued()]


def to_duty(mailbox: Mailbox) -> list[Mail]:
    """The oldest first."""
    return sorted((mail for mail in mailbox.messages if mail.recipient == STAFF[0]), key=lambda mail: mail.file)


def subject_of(mail: Mail) -> str:
    # A long one begins on a line of its own; a day and its month stay together.
    return mail.subject.strip().replace("\N{NO-BREAK SPACE}", " ")


# --- The digest


def needs_somebody() -> None:
    flag(make_checkout(ProviderStatus.SUCCEEDED), Attention.SLOT_TAKEN)


def test_the_digest_says_at_eight_what_needs_somebody_with_numbers_and_links(mailbox: Mailbox) -> None:
    needs_somebody()
    needs_somebody()
    with clock.at(EIGHT):
        assert tell_digest()
        rows = send_all()
    assert [(row.status, row.recipient) for row in rows] == [(Status.SENT, address) for address in STAFF]
    assert sorted(mail.recipient for mail in mailbox.messages) == sorted(STAFF)
    (mail,) = to_duty(mailbox)
    assert subject_of(mail) == "Сводка на 27 ноября: что требует внимания"
    for shown in (mail.text, mail.html):
        assert "2 платежа: оплачено, но время занято" in shown
        assert "https://api.littleotter.example/worker/admin/payments/payment/?attention=slot_taken" in shown.replace(
            "&amp;", "&"
        )
    assert "По состоянию на 08:00." in mail.text


def test_the_digest_names_no_family_and_no_sum(mailbox: Mailbox) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    flag(checkout, Attention.MISMATCH, "anna@example.org платит 4500")
    with clock.at(EIGHT):
        tell_digest()
        send_all()
    for mail in mailbox.messages:
        for shown in (mail.text, mail.html, mail.subject):
            assert "anna@example.org" not in shown
            assert "4500" not in shown
            assert str(checkout.pk)[:8] not in shown


def test_a_look_that_fails_is_named_and_keeps_back_no_other_line(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> list[Line]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM no_such_table")
        return []

    needs_somebody()
    usual = [*payments_home.WATCHES]
    monkeypatch.setattr(reading, "all_watches", lambda: [Watch("очереди", "bridge.x", broken), *usual])
    with clock.at(EIGHT):
        assert tell_digest()
        send_all()
    (mail,) = to_duty(mailbox)
    assert "Не удалось посмотреть: очереди" in mail.text
    assert "оплачено, но время занято" in mail.text


@pytest.mark.parametrize(
    ("at", "is_told"),
    [
        (EIGHT - timedelta(seconds=1), False),
        (EIGHT, True),
        (EIGHT + timedelta(hours=1, minutes=30), True),
        (EIGHT + timedelta(hours=11, minutes=59), True),
        (EIGHT + timedelta(hours=12), False),
        # In July, when clocks elsewhere are an hour ahead and Moscow's are not.
        (datetime(2026, 7, 3, 4, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 7, 3, 5, 0, tzinfo=UTC), True),
    ],
)
def test_it_comes_at_eight_in_moscow_or_when_beat_is_back(at: datetime, is_told: bool) -> None:
    needs_somebody()
    with clock.at(at):
        assert tell_digest() == is_told
    assert len(queued()) == (len(STAFF) if is_told else 0)


def test_it_comes_once_a_day_however_often_beat_asks_and_again_on_the_next() -> None:
    needs_somebody()
    told = []
    for minutes in (0, 1, 90, 600, 24 * 60, 24 * 60 + 1):
        with clock.at(EIGHT + timedelta(minutes=minutes)):
            told.append(tell_digest())
    assert told == [True, False, False, False, True, False]
    assert len(queued()) == 2 * len(STAFF)


def test_a_day_on_which_nothing_needs_anybody_has_none_in_the_afternoon_either() -> None:
    with clock.at(EIGHT):
        assert not tell_digest()
    needs_somebody()
    with clock.at(EIGHT + timedelta(hours=5)):
        assert not tell_digest()
    assert queued() == []


def test_nobody_is_told_anything_where_nobody_is_named(settings: Settings, wrong: dict[str, Trouble]) -> None:
    settings.STAFF_DIGEST_TO = ()
    needs_somebody()
    wrong["smtp"] = away()
    with clock.at(EIGHT):
        assert not tell_digest()
        incidents.look()
    settings.STAFF_DIGEST_TO = STAFF
    with clock.at(EIGHT + timedelta(hours=1)):
        incidents.look()
    assert queued() == []
    assert not StaffNotice.objects.exists()


def at_once(*work: Callable[[], Any]) -> list[Any]:
    """Each in a thread of its own, begun together."""
    start, answers = threading.Barrier(len(work)), []

    def do(one: Callable[[], Any]) -> None:
        start.wait(timeout=30)
        answers.append(one())
        connections.close_all()

    threads = [threading.Thread(target=do, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return answers


def test_two_beats_at_once_send_one_digest() -> None:
    needs_somebody()
    with clock.at(EIGHT):
        assert sorted(at_once(*[tell_digest] * 4)) == [False, False, False, True]
    assert len(queued()) == len(STAFF)


def test_what_was_settled_before_the_mail_could_leave_is_said_to_be(mailbox: Mailbox) -> None:
    needs_somebody()
    with clock.at(EIGHT):
        tell_digest()
    PaymentAttention.objects.update(settled_at=timezone.now())
    with clock.at(EIGHT + timedelta(hours=2)):
        send_all()
    (mail,) = to_duty(mailbox)
    assert mail.subject.strip().startswith("Всё улажено")


def test_a_page_of_a_client_is_not_in_it_for_families_nor_a_way_to_ask(mailbox: Mailbox, settings: Settings) -> None:
    settings.SUPPORT_CONTACT = "+7 495 123-45-67"
    needs_somebody()
    with clock.at(EIGHT):
        tell_digest()
        send_all()
    (mail,) = to_duty(mailbox)
    for shown in (mail.text, mail.html):
        assert "Остались вопросы" not in shown
        assert "личном кабинете" not in shown
        assert "STAFF_DIGEST_TO" in shown


# --- At once


def minute(number: float) -> Any:
    return clock.at(EIGHT + timedelta(minutes=number))


def look_at(number: float) -> int:
    """Look in this minute; how many mails that queued."""
    before = len(queued())
    with minute(number):
        incidents.look()
    return (len(queued()) - before) // len(STAFF)


def test_what_begins_is_told_once_and_so_is_its_end(wrong: dict[str, Trouble], mailbox: Mailbox) -> None:
    wrong["smtp"] = away()
    assert [look_at(number) for number in (0, 1, 2)] == [1, 0, 0]
    with minute(2):
        send_all()
    (begin,) = to_duty(mailbox)
    assert subject_of(begin) == "Требует внимания: Служба «smtp» недоступна"
    assert "С 08:00. Проверьте его настройки." in begin.text
    assert "https://api.littleotter.example/worker/admin/bridge/queueoverview/" in begin.text
    wrong.clear()
    assert [look_at(number) for number in (12, 13, 14)] == [1, 0, 0]
    with minute(14):
        send_all()
    _, end = to_duty(mailbox)
    assert subject_of(end) == "Всё снова в порядке (было: Служба «smtp» недоступна)"
    assert "С 08:00 до 08:12, всего 12 мин." in end.text


def test_what_ended_before_its_mail_could_leave_is_told_in_one(wrong: dict[str, Trouble], mailbox: Mailbox) -> None:
    """As when the mail server itself was away: the mail about it waits for its end."""
    wrong["smtp"] = away()
    assert look_at(0) == 1
    wrong.clear()
    assert [look_at(number) for number in (10, 11)] == [0, 0]
    with minute(11):
        rows = send_all()
    assert len(rows) == len(STAFF)
    (mail,) = to_duty(mailbox)
    assert mail.subject.strip().startswith("Всё снова в порядке")
    assert "С 08:00 до 08:10, всего 10 мин." in mail.text
    assert [look_at(number) for number in (12, 30)] == [0, 0]


def test_a_mail_that_could_not_leave_at_its_first_attempt_says_the_same_at_the_next(
    wrong: dict[str, Trouble], mailbox: Mailbox, settings: Settings
) -> None:
    settings.STAFF_DIGEST_TO = ("duty+refuse1@littleotter.example",)
    wrong["smtp"] = away()
    with minute(0):
        incidents.look()
        (msg_id,) = queued()
        first = attempt(msg_id)
    assert first.status == Status.RETRYING
    said = first.text_body
    wrong.clear()
    with minute(5):
        incidents.look()
        again = attempt(msg_id)
        assert (again.status, again.text_body) == (Status.SENT, said)
        # What it could not say any more, another one does.
        assert [row.status for row in send_all()] == [Status.RETRYING]
    assert "Закончилось" not in said


def test_what_comes_and_goes_is_told_once_in_a_quarter_of_an_hour_and_then_together(
    wrong: dict[str, Trouble], mailbox: Mailbox
) -> None:
    mails = []
    for number in range(31):
        if number % 2 == 0:
            wrong["smtp"] = away()
        else:
            wrong.clear()
        mails.append(look_at(number))
        with minute(number):
            send_all()
    # The beginning and its end; a quarter of an hour later all that came in between, and so on.
    assert [number for number, count in enumerate(mails) if count] == [0, 1, 15, 30]
    together = to_duty(mailbox)[2]
    assert "Повторилось 7 раз." in together.text
    assert "С 08:02 до 08:15" in together.text


def test_one_service_is_told_of_while_another_one_comes_and_goes(wrong: dict[str, Trouble]) -> None:
    wrong["smtp"] = away()
    assert look_at(0) == 1
    wrong["yookassa"] = away("yookassa")
    assert look_at(1) == 1
    del wrong["smtp"]
    assert look_at(2) == 0  # Its beginning has not left yet and will say so.
    assert Incident.objects.filter(end_told_at__isnull=False).count() == 1


def test_what_begins_together_comes_in_one_mail_and_what_goes_on_stands_first(
    wrong: dict[str, Trouble], mailbox: Mailbox
) -> None:
    for name in ("smtp", "storage", "yookassa"):
        wrong[name] = away(name)
    assert look_at(0) == 1
    del wrong["smtp"]
    look_at(1)
    with minute(1):
        send_all()
    (mail,) = to_duty(mailbox)
    assert subject_of(mail) == "Требует внимания: Служба «storage» недоступна и ещё 2"
    lines = [line for line in mail.text.splitlines() if line.startswith("— ")]
    assert [line.removeprefix("— ").split(" ")[0] for line in lines] == ["Служба", "Служба", "Закончилось:"]


def test_two_beats_at_once_tell_it_once(wrong: dict[str, Trouble]) -> None:
    wrong["smtp"] = away()
    with minute(0):
        at_once(*[incidents.look] * 4)
    assert len(queued()) == len(STAFF)
    wrong.clear()
    with minute(1):
        send_all()
        at_once(*[incidents.look] * 4)
    assert Incident.objects.count() == 1
    assert len(queued()) == len(STAFF)


def test_who_looks_while_another_one_does_leaves_it_to_him(wrong: dict[str, Trouble], database: ClonedDatabase) -> None:
    wrong["smtp"] = away()
    with closing(psycopg2.connect(database.url)) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [NOTICE_LOCK])
        assert look_at(0) == 0
        assert not Incident.objects.exists()
    assert look_at(1) == 1


def test_a_detector_that_cannot_tell_ends_nothing_and_keeps_nobody_from_telling(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_broken = False

    def one(standing: frozenset[str]) -> list[Trouble]:
        if is_broken:
            with connection.cursor() as cursor:
                cursor.execute("SELECT of_a_version_to_come FROM nowhere")
        return [away("smtp")]

    seen: list[Trouble] = []
    detectors = [Detector("one", one), Detector("two", lambda standing: seen)]
    monkeypatch.setattr(incidents, "all_detectors", lambda: detectors)
    assert look_at(0) == 1
    is_broken, seen[:] = True, [away("yookassa")]
    assert look_at(1) == 1
    assert Incident.objects.filter(ended_at__isnull=True).count() == 2


# --- Money


def test_a_payment_that_needs_a_person_is_told_at_once_without_a_name_or_a_sum(mailbox: Mailbox) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    flag(checkout, Attention.SLOT_TAKEN, "4500 ₽ от anna@example.org")
    assert [look_at(number) for number in (0, 1)] == [1, 0]
    flag(make_checkout(ProviderStatus.SUCCEEDED), Attention.SLOT_TAKEN)
    # Others within a quarter of an hour come together.
    assert [look_at(number) for number in (2, 14, 16)] == [0, 0, 1]
    with minute(16):
        send_all()
    first, second = to_duty(mailbox)
    for mail in (first, second):
        assert "Платёж ждёт человека: оплачено, но время занято" in mail.text
        assert "attention=slot_taken" in mail.text
        assert "anna@example.org" not in mail.text + mail.html
        assert "4500" not in mail.text + mail.html


def test_that_money_is_in_order_is_told_when_the_last_mark_is_gone() -> None:
    for _ in range(3):
        flag(make_checkout(ProviderStatus.SUCCEEDED), Attention.SLOT_TAKEN)
    assert look_at(0) == 1
    with minute(0):
        StaffNotice.objects.get()
        send_mail_away()
    marks = list(PaymentAttention.objects.order_by("pk"))
    told = []
    for number, mark in enumerate(marks, 1):
        PaymentAttention.objects.filter(pk=mark.pk).update(settled_at=timezone.now())
        told.append(look_at(number))
    assert told == [0, 0, 1]


def send_mail_away() -> None:
    """The text is written, as at the first attempt; whether a server takes it is not what this is about."""
    StaffNotice.objects.update(text={"subject": "x", "heading": "x", "lead": "x", "lines": []})


def test_a_check_that_fails_while_yookassa_is_away_is_not_told_for_each_payment() -> None:
    checkout = make_checkout(ProviderStatus.PENDING)
    with minute(0):
        flag(checkout, Attention.CHECK_FAILED)
    assert [look_at(number) for number in (1, 29, 31)] == [0, 0, 1]


# --- Services and processes


def meets_an_outage(msg_id: int) -> None:
    now = database_now()
    history = History(attempts=1, last_attempt_at=now.isoformat())
    error = ServiceAway("smtp", "Connection refused", kind=Away.AWAY)
    note_failure(error, Message(QUEUE, Token(msg_id, now), 1, now, {}, history), put_back=lambda due: None)


def is_answered(msg_id: int) -> None:
    now = database_now()
    history = History(attempts=1, last_attempt_at=now.isoformat())
    note_answer("smtp", Message(QUEUE, Token(msg_id, now), 1, now, {}, history))


def test_a_mail_server_that_was_away_is_told_of_in_one_mail_which_waited_for_it(mailbox: Mailbox) -> None:
    for msg_id in (1001, 1002, 1003):
        assert look_at(0) == 0
        meets_an_outage(msg_id)
    assert look_at(1) == 1
    # The queue of the mails is held, so nobody has tried to send it.
    assert "service:smtp" in {hold.cause for hold in holds.in_force(QUEUE)[QUEUE]}
    is_answered(1004)
    assert [look_at(2), look_at(3)] == [0, 0]
    with minute(3):
        assert {row.status for row in send_all()} == {Status.SENT}
    (mail,) = to_duty(mailbox)
    assert subject_of(mail) == "Всё снова в порядке (было: Служба «Почтовый сервер» недоступна)"


def test_a_process_that_gave_no_sign_of_life_for_five_minutes_is_told_of_and_so_is_its_return(
    mailbox: Mailbox,
) -> None:
    process("bridge", "a", 0)
    assert [look_at(4), look_at(6), look_at(7)] == [0, 1, 0]
    with minute(7):
        send_all()
    process("bridge", "a", 8, began=8)
    assert look_at(8) == 1
    process("bridge", "a", 9, began=8)
    assert look_at(9) == 0
    with minute(9):
        send_all()
    begin, end = to_duty(mailbox)
    assert "Ни один процесс «мост» не подаёт признаков жизни" in begin.text
    assert "С 08:00." in begin.text
    assert "С 08:00 до 08:08, всего 8 мин." in end.text


def process(kind: str, host: str, seen: float, *, stopped: float | None = None, began: float = -60) -> None:
    at = EIGHT + timedelta(minutes=seen)
    BridgeProcess.objects.update_or_create(
        name=f"{host}:7@{began}/{kind}",
        defaults={
            "kind": kind,
            "started_at": EIGHT + timedelta(minutes=began),
            "seen_at": at,
            "stopped_at": None if stopped is None else EIGHT + timedelta(minutes=stopped),
        },
    )


def test_one_of_two_that_dies_is_told_of_until_another_one_comes_in_its_place(mailbox: Mailbox) -> None:
    for number in (0, 6, 7, 9):
        process("bridge", "a", number)
        process("worker", "a", number)
        process("worker", "b", 0 if number < 9 else 9, began=-60 if number < 9 else 8)
        if number < 9:
            assert look_at(number) == (1 if number == 6 else 0)
            with minute(number):
                send_all()
    assert [look_at(9), look_at(10)] == [1, 0]
    with minute(10):
        send_all()
    begin, end = to_duty(mailbox)
    assert "Процесс «исполнитель» не подаёт признаков жизни; остальные того же вида работают" in begin.text
    assert "Закончилось" in end.text


def test_a_restart_and_a_version_that_is_rolled_out_are_no_incidents() -> None:
    process("bridge", "a", 20)
    process("worker", "a", 0, stopped=0)
    process("worker", "a", 20, began=1)
    process("beat", "a", 1)
    process("beat", "a", 20, began=2)
    assert look_at(20) == 0


def test_while_no_bridge_lives_nothing_is_said_of_those_whose_signs_it_writes_down() -> None:
    for kind in ("bridge", "worker", "beat"):
        process(kind, "a", 0)
    assert [look_at(6), look_at(7)] == [1, 0]
    assert [incident.key for incident in Incident.objects.all()] == ["bridge"]


def test_what_stood_open_when_the_last_bridge_died_stays_so() -> None:
    process("bridge", "a", 6)
    process("beat", "a", 0)
    assert look_at(6) == 1
    assert look_at(20) == 1
    assert set(Incident.objects.filter(ended_at__isnull=True).values_list("key", flat=True)) == {"bridge", "beat"}


def test_a_row_that_is_forgotten_revives_nobody() -> None:
    process("bridge", "a", 0)
    assert look_at(6) == 1
    BridgeProcess.objects.all().delete()
    send_mail_away()
    assert look_at(24 * 60 + 1) == 0


def test_whoever_was_never_started_is_not_missed() -> None:
    assert look_at(60) == 0


# --- Strangers


def as_anon(to: str, template: str, variables: str, subject: str = "Купите слона") -> int:
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE anon")
        cursor.execute("SELECT public.queue_email_task(%s, %s, %s, %s::jsonb)", [to, subject, template, variables])
        cursor.execute("RESET ROLE")
    return queued()[-1]


def test_a_stranger_can_neither_write_to_staff_nor_choose_who_is_written_to(mailbox: Mailbox) -> None:
    with minute(0):
        known = make_notice("incidents", "x")
        assert known is not None
        invented = '{"notice_id": "3f2b8c1e-5d4a-4f6b-9c7d-8e9f0a1b2c3d", "text": {"heading": "Слон"}}'
        ours = f'{{"notice_id": "{known.pk}", "text": {{"heading": "Слон"}}, "lines": ["Слон"]}}'
        empty_queue()
        rows = [
            attempt(as_anon(STAFF[0], "staff_notice", invented)),
            attempt(as_anon("stranger@example.com", "staff_notice", ours)),
            attempt(as_anon(STAFF[0], "staff_notice", '{"notice_id": "x"}')),
            attempt(as_anon(STAFF[0], "staff_notice", "{}")),
            attempt(as_anon(STAFF[0], "payment_failed", '{"payment_id": "1", "amount": 1}')),
        ]
    assert [row.status for row in rows] == [Status.FAILED] * 5
    assert [row.reason for row in rows] == ["refused", "refused", "permanent_error", "permanent_error", "refused"]
    assert mailbox.messages == []


def empty_queue() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM pgmq.q_{QUEUE}")


def test_a_replayed_message_sends_a_note_no_second_time_and_says_nothing_of_its_own(
    wrong: dict[str, Trouble], mailbox: Mailbox
) -> None:
    wrong["smtp"] = away()
    look_at(0)
    (notice,) = StaffNotice.objects.all()
    with minute(1):
        replays = [as_anon(STAFF[0], "staff_notice", f'{{"notice_id": "{notice.pk}"}}') for _ in range(3)]
        rows = [attempt(msg_id) for msg_id in (*replays, *queued()[:2])]
    assert [row.status for row in rows] == [Status.SENT, *[Status.DUPLICATE] * 3, Status.SENT]
    assert len(to_duty(mailbox)) == 1
    assert subject_of(to_duty(mailbox)[0]) == "Требует внимания: Служба «smtp» недоступна"
    assert "слон" not in "".join(mail.text + mail.html for mail in mailbox.messages).lower()


def test_an_old_note_goes_to_nobody_who_is_named_later(settings: Settings, wrong: dict[str, Trouble]) -> None:
    wrong["smtp"] = away()
    look_at(0)
    (notice,) = StaffNotice.objects.all()
    settings.STAFF_DIGEST_TO = ("new@littleotter.example",)
    with clock.at(EIGHT + timedelta(days=8)):
        row = attempt(as_anon("new@littleotter.example", "staff_notice", f'{{"notice_id": "{notice.pk}"}}'))
    assert (row.status, row.reason) == (Status.FAILED, "refused")


def test_whoever_is_not_named_any_more_gets_nothing_that_still_waits(
    settings: Settings, wrong: dict[str, Trouble], mailbox: Mailbox
) -> None:
    wrong["smtp"] = away()
    look_at(0)
    settings.STAFF_DIGEST_TO = STAFF[:1]
    with minute(1):
        rows = send_all()
    assert [row.status for row in rows] == [Status.SENT, Status.FAILED]
    assert [mail.recipient for mail in mailbox.messages] == [STAFF[0]]
