"""The mails as staff see them, through the pages of the admin."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from bridge.reasons import FailureReason
from notifications.mail_log import ASKED_BEFORE
from notifications.models import Arrival, EmailMessage, Status, Tracking, Why
from notifications.queue import QUEUE
from notifications.writing.catalogue import CATALOGUE
from tests.support.email_deliveries import attempt, email_queue, enqueue, outcome_of

pytestmark = pytest.mark.usefixtures("database")

LIST = "/admin/notifications/emailmessage/"
MOST_QUERIES = 10
# Within a transaction it looks into the queue as well.
MOST_FOR_A_SEARCH = MOST_QUERIES + 3


@pytest.fixture
def support() -> Client:
    """Somebody who may look and send again, and is no superuser."""
    return client_with("view_emailmessage", "resend_emailmessage")


def client_with(*permissions: str) -> Client:
    user = User.objects.create(username="support", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def row(msg_id: int, status: Status = Status.SENT, **fields: object) -> EmailMessage:
    now = timezone.now()
    usual: dict[Status, dict[str, object]] = {
        Status.SENT: {"sent_at": now, "html_body": "<h1>Письмо</h1>", "text_body": "ПИСЬМО"},
        Status.FAILED: {"reason": FailureReason.PERMANENT_ERROR, "error": "550 <No such user>"},
        Status.RETRYING: {"next_retry_at": now, "error": "451 later"},
        Status.DUPLICATE: {"error": "the same mail"},
        Status.SENDING: {},
    }
    common = {
        "recipient": "parent@example.org",
        "subject": "Тема",
        "message_id": "<1@example.org>",
        "template": "report_ready",
    }
    values = {**common, **usual[status], **fields}
    return EmailMessage.objects.create(queue=QUEUE, msg_id=msg_id, enqueued_at=now, status=status, **values)


def page_of(email: EmailMessage) -> str:
    return reverse("admin:notifications_emailmessage_change", args=[email.pk])


def text(response: Any) -> str:
    """The page as people read it."""
    assert response.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", response.content.decode().replace("<wbr>", "")))


def test_the_list_shows_each_mail_in_russian(support: Client) -> None:
    for number, status in enumerate(Status, 1):
        row(number, status)
    shown = text(support.get(LIST))
    for piece in (
        "Письма",
        "отправлено",
        "не отправлено",
        "ждёт повтора",
        "отправляется",
        "дубликат",
        "Отчёт готов",
        "Тема",
    ):
        assert piece in shown
    assert "parent@example.org" in shown


def test_an_address_breaks_at_its_joints_and_nowhere_else(support: Client) -> None:
    row(1, recipient="anna.k<b>@demo.example.")
    assert ">anna.<wbr>k&lt;b&gt;@<wbr>demo.<wbr>example.</a>" in support.get(LIST).content.decode()


def test_the_list_says_how_many_mails_there_are(support: Client) -> None:
    row(1)
    row(2)
    assert "Всего: 2" in text(support.get(LIST))
    assert "2 письма" not in text(support.get(LIST))


def test_a_day_above_the_list_is_written_as_people_say_it(support: Client) -> None:
    for day in (25, 26):
        email = row(day)
        EmailMessage.objects.filter(pk=email.pk).update(created_at=datetime(2026, 11, day, 12, tzinfo=UTC))
    shown = text(support.get(LIST))
    assert "26 ноября" in shown
    assert "26 Ноябрь" not in shown


def test_the_list_costs_the_same_number_of_queries_however_long_it_is(support: Client) -> None:
    row(7, Status.FAILED)
    # A process looks once which columns a queue has.
    support.get(f"{LIST}?q=parent")
    few = queries_by_page(support)
    original = EmailMessage.objects.get()
    for number in range(100, 140):
        row(number, duplicate_of=original)
    assert queries_by_page(support) == few
    for query, number in few.items():
        assert number <= (MOST_FOR_A_SEARCH if "?q=" in query else MOST_QUERIES)


def queries_by_page(client: Client) -> dict[str, int]:
    counts = {}
    for query in ("", "?status__exact=failed", "?template=report_ready", "?q=parent", "?q=7"):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(LIST + query).status_code == 200
        counts[query] = len(queries)
    return counts


def test_the_list_does_not_load_the_texts(support: Client) -> None:
    row(1)
    with CaptureQueriesContext(connection) as queries:
        support.get(LIST)
    assert all('"html_body"' not in query["sql"].split(" FROM ")[0] for query in queries)


def test_mails_are_found_by_what_people_know_of_them(support: Client) -> None:
    row(1, recipient="anna@example.org")
    row(2, subject="Напоминание о консультации")
    row(3, Status.FAILED)
    row(4, template="payment_failed", trace_id="deadbeefdeadbeef")
    row(5, template="newsletter")
    expected = {
        "?q=anna@example": [1],
        "?q=Напоминание": [2],
        "?q=3": [3],
        "?q=deadbeefdeadbeef": [4],
        "?status__exact=failed": [3],
        "?template=payment_failed": [4],
        "?template=-": [5],
        "?q=nothing": [],
    }
    pages = {query: support.get(LIST + query).context["cl"].queryset for query in expected}
    assert {query: [email.msg_id for email in found] for query, found in pages.items()} == expected


def test_old_mails_are_found_by_date(support: Client) -> None:
    old = row(1)
    EmailMessage.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=800))
    row(2)
    year = (timezone.now() - timedelta(days=800)).year
    response = support.get(f"{LIST}?created_at__year={year}")
    assert [email.msg_id for email in response.context["cl"].queryset] == [1]


def test_every_page_opens_and_changes_nothing(support: Client) -> None:
    for number, status in enumerate(Status, 1):
        email = row(number, status)
        with CaptureQueriesContext(connection) as queries:
            shown = text(support.get(page_of(email)))
        assert len(queries) <= MOST_QUERIES
        assert str(Status(status).label) in shown
        assert support.post(page_of(email), {"recipient": "evil@example.org"}).status_code == 403
        assert support.post(f"{LIST}{email.pk}/delete/").status_code == 403
    assert support.get(f"{LIST}add/").status_code == 403


def test_a_failed_mail_says_what_is_wrong_and_what_to_do(support: Client) -> None:
    response = support.get(page_of(row(1, Status.FAILED)))
    assert "550 &lt;No such user&gt;" in response.content.decode()
    assert "Уточните адрес у клиента" in text(response)
    assert "Отправить ещё раз" in text(response)


def test_no_field_of_a_mail_is_left_blank(support: Client) -> None:
    for number, status in enumerate(Status, 1):
        page = support.get(page_of(row(number, status, template="", subject="")))
        assert re.findall(r'<div class="readonly">\s*</div>', page.content.decode()) == []


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (f"{ASKED_BEFORE} 29", "Почему: такое письмо уже запрошено сообщением № 29"),
        (f"{ASKED_BEFORE} None", f"Технические сведения: {ASKED_BEFORE} None"),
        ("of a form of 2024", "Технические сведения: of a form of 2024"),
    ],
)
def test_a_duplicate_says_why_nothing_was_sent(support: Client, error: str, says: str) -> None:
    shown = text(support.get(page_of(row(1, Status.DUPLICATE, error=error))))
    assert f"{says} " in shown
    assert ("Почему:" in shown) != ("Технические сведения:" in shown)


def test_there_is_advice_for_every_reason(support: Client) -> None:
    for number, reason in enumerate(FailureReason):
        shown = text(support.get(page_of(row(number, Status.FAILED, reason=reason))))
        advice = shown.split("Что делать:")[1].split("Технические сведения:")[0]
        assert re.search(r"[а-я]{4}", advice)


def test_a_link_in_a_mail_opens_nothing_for_whoever_reads_it_here(support: Client) -> None:
    link = "https://api.example.org/api/reports/1/file?token=1vN:s3-cr_et"
    email = row(1, html_body=f'<a href="{link}">Отчёт</a> <a href="/?a=1&amp;token=s3-cr_et">.</a>', text_body=link)
    pages = [support.get(page_of(email)), support.get(f"/admin/notifications/emailmessage/{email.pk}/preview/")]
    for page in pages:
        assert "s3-cr_et" not in page.content.decode()
        assert "/api/reports/1/file?token=***" in page.content.decode()


def test_a_mail_is_shown_as_it_went_out_and_can_do_nothing(support: Client) -> None:
    email = row(1, html_body="<h1>Письмо</h1><script>alert(1)</script>")
    page = support.get(page_of(email)).content.decode()
    address = f"/admin/notifications/emailmessage/{email.pk}/preview/"
    assert re.search(rf'<iframe [^>]*sandbox="allow-same-origin" src="{address}"', page)
    assert "alert(1)" not in page
    preview = support.get(address)
    assert preview.content.decode() == email.html_body
    policy = preview["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; ")
    assert policy.endswith("; sandbox allow-same-origin")
    # What makes the frame as high as the mail is outside of it.
    assert re.search(r'<script src="/static/notifications/email_preview\.js" defer>', page)
    assert (preview["X-Frame-Options"], preview["Referrer-Policy"]) == ("SAMEORIGIN", "no-referrer")
    assert support.post(address)["Location"] == page_of(email)


def test_the_page_of_a_mail_names_the_files_that_came_with_it(support: Client) -> None:
    with_file, without = row(1, attachments="vstrecha.ics"), row(2)
    assert "Вложения: vstrecha.ics" in text(support.get(page_of(with_file)))
    assert "Вложения: —" in text(support.get(page_of(without)))


def test_a_mail_whose_text_was_forgotten_says_so(support: Client) -> None:
    email = row(1, html_body="", text_body="")
    assert "удалён по истечении срока хранения" in text(support.get(page_of(email)))
    assert support.get(f"/admin/notifications/emailmessage/{email.pk}/preview/").status_code == 404


def test_a_failed_mail_is_sent_again_from_its_page(support: Client) -> None:
    failed = attempt(enqueue("payment_failed", to="nobody"))
    response = support.post(f"/admin/notifications/emailmessage/{failed.pk}/send-again/", follow=True)
    (new_id,) = new_messages()
    assert f"1 письмо снова в очереди: № {new_id}" in text(response)
    assert f'href="{LIST}?q={new_id}"' in response.content.decode()
    history = email_queue().archived_history(failed.msg_id or 0)
    assert history is not None
    assert history["requeued_as"] == new_id

    again = attempt(new_id)
    assert outcome_of(new_id) == ("failed", "permanent_error")
    old_page, new_page = support.get(page_of(failed)), support.get(page_of(again))
    assert f"Отправлено ещё раз как: № {new_id}" in text(old_page)
    assert f"Повтор письма: № {failed.msg_id}" in text(new_page)
    assert "Отправить ещё раз" not in text(old_page)


def test_a_mail_is_not_sent_again_twice(support: Client) -> None:
    failed = attempt(enqueue("payment_failed", to="nobody"))
    address = f"/admin/notifications/emailmessage/{failed.pk}/send-again/"
    support.post(address)
    response = support.post(address, follow=True)
    assert f"Сообщение № {failed.msg_id} уже отправляли ещё раз" in text(response)
    assert len(new_messages()) == 1


def test_selected_mails_are_sent_again_and_those_that_cannot_be_are_named(support: Client) -> None:
    failed = [attempt(enqueue("payment_failed", to="nobody")) for _ in range(2)]
    others = [row(900), row(901, Status.RETRYING)]
    chosen = [str(email.pk) for email in [*failed, *others]]
    data = {"action": "send_selected_again", "_selected_action": chosen}
    shown = text(support.post(LIST, data, follow=True))
    assert "2 письма снова в очереди:" in shown
    assert shown.count("Ещё раз можно отправить только неудачное письмо.") == 2
    assert len(new_messages()) == 2


def test_many_at_once_are_told_in_few_words_and_have_an_end(support: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = [str(row(number).pk) for number in range(1, 9)]
    data = {"action": "send_selected_again", "_selected_action": chosen}
    shown = text(support.post(LIST, data, follow=True))
    assert shown.count("Ещё раз можно отправить только неудачное письмо.") == 5
    assert "И ещё 3." in shown
    monkeypatch.setattr("notifications.admin.MOST_AT_ONCE", 7)
    assert "Выберите не больше 7 писем" in text(support.post(LIST, data, follow=True))


def test_a_mail_whose_message_is_gone_cannot_be_sent_again(support: Client) -> None:
    email = row(5, Status.FAILED)
    EmailMessage.objects.filter(pk=email.pk).update(msg_id=None)
    response = support.post(f"/admin/notifications/emailmessage/{email.pk}/send-again/", follow=True)
    assert "Сообщения этого письма больше нет" in text(response)


def test_who_may_only_look_cannot_send() -> None:
    viewer = client_with("view_emailmessage")
    failed = attempt(enqueue("payment_failed", to="nobody"))
    assert "Отправить ещё раз" not in text(viewer.get(page_of(failed)))
    assert viewer.post(f"/admin/notifications/emailmessage/{failed.pk}/send-again/").status_code == 403
    data = {"action": "send_selected_again", "_selected_action": [str(failed.pk)]}
    viewer.post(LIST, data)
    assert new_messages() == []


def test_who_may_not_look_sees_nothing() -> None:
    email = row(1)
    nobody = client_with()
    for address in (LIST, page_of(email), f"{LIST}{email.pk}/preview/"):
        assert Client().get(address).status_code == 302
        assert nobody.get(address).status_code == 403
    send_again = f"{LIST}{email.pk}/send-again/"
    assert Client().post(send_again).status_code == 302
    assert nobody.post(send_again).status_code == 403


def test_a_mail_that_does_not_exist_has_no_preview(support: Client) -> None:
    assert support.get(f"{LIST}999/preview/")["Location"] == LIST
    assert support.post(f"{LIST}999/send-again/")["Location"] == LIST
    assert support.get(f"{LIST}1/send-again/")["Location"] == LIST


def test_pages_load_nothing_from_elsewhere(support: Client) -> None:
    for address in (LIST, page_of(row(1))):
        html = support.get(address).content.decode()
        assert not re.search(r'(?:src|href)="(?:https?:)?//', html)


def test_every_template_can_be_filtered_by_its_russian_name(support: Client) -> None:
    row(1)
    shown = text(support.get(LIST))
    labels = {str(template.label) for template in CATALOGUE.values()}
    assert len(labels) == len(CATALOGUE)
    assert all(label in shown and re.search("[а-я]", label) for label in labels)


def new_messages() -> list[int]:
    """Ids of the messages in the queue."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT msg_id FROM pgmq.q_{QUEUE} ORDER BY msg_id")
        return [msg_id for (msg_id,) in cursor.fetchall()]


# --- What became of a mail, as its provider told


def told(email: EmailMessage, arrival: Arrival, why: str = "", *, at: timedelta = timedelta(0)) -> None:
    now = timezone.now() - at
    Tracking.objects.create(
        provider="resend",
        provider_message_id=f"re-{email.pk}",
        email=email,
        arrival=arrival,
        why=why,
        detail="550 5.1.1 <parent@example.org>: user unknown" if why else "",
        at=now,
        received_at=now,
    )


def test_a_mail_that_did_not_arrive_says_so_and_why_and_what_to_do(support: Client) -> None:
    email = row(1)
    told(email, Arrival.BOUNCED, Why.NO_SUCH_MAILBOX)
    page = text(support.get(page_of(email)))
    for piece in ("не доставлено", "такого ящика нет", "пусть исправит адрес", "550 5.1.1 &lt;parent@example.org&gt;"):
        assert piece in page
    assert "не доставлено" in text(support.get(LIST))


def test_a_mail_that_was_called_spam_says_what_that_means(support: Client) -> None:
    email = row(1)
    told(email, Arrival.COMPLAINED)
    page = text(support.get(page_of(email)))
    assert "жалоба на спам" in page
    assert "больше не будет писать" in page


def test_a_mail_of_which_nobody_told_anything_looks_as_it_always_did(support: Client) -> None:
    page = text(support.get(page_of(row(1))))
    assert "отправлено" in page
    assert "слова провайдера" not in page.lower()


@pytest.mark.parametrize(
    ("choice", "found"),
    [
        ("open", {"bounced", "complained"}),
        ("not_arrived", {"bounced", "rejected", "bounced-long-ago", "bounced-and-mended"}),
        ("complained", {"complained"}),
        ("deferred", {"deferred"}),
        ("delivered", set()),
        ("nonsense", set()),
    ],
)
def test_the_list_is_filtered_by_what_became_of_the_mails(choice: str, found: set[str], support: Client) -> None:
    told(row(1, subject="bounced", mailbox="a@example.org"), Arrival.BOUNCED, Why.MAILBOX_FULL)
    told(row(2, subject="rejected", mailbox="c@example.org"), Arrival.REJECTED, Why.UNKNOWN, at=timedelta(days=15))
    told(row(3, subject="complained"), Arrival.COMPLAINED)
    told(row(4, subject="deferred"), Arrival.DEFERRED)
    told(row(5, subject="delivered"), Arrival.DELIVERED)
    told(row(6, subject="bounced-long-ago"), Arrival.BOUNCED, Why.REFUSED, at=timedelta(days=15))
    told(row(7, subject="bounced-and-mended", mailbox="b@example.org"), Arrival.BOUNCED, Why.REFUSED)
    told(row(8, subject="mended", mailbox="b@example.org"), Arrival.DELIVERED)
    row(9, subject="untold")
    page = support.get(LIST, {"arrival": choice}).content.decode()
    words = r"bounced-long-ago|bounced-and-mended|bounced|rejected|complained|deferred|delivered|mended|untold"
    shown = set(re.findall(rf'class="field-subject[^"]*"[^>]*>({words})<', page))
    assert shown == found


def test_staff_read_on_their_home_page_how_many_mails_did_not_arrive(support: Client) -> None:
    assert "arrival=open" not in support.get("/admin/").content.decode()
    told(row(1), Arrival.BOUNCED, Why.MAILBOX_FULL)
    told(row(2), Arrival.DELIVERED)
    page = support.get("/admin/").content.decode()
    assert re.search(r'arrival=open"[^>]*>\s*1 письмо', page)


def test_the_list_with_what_became_of_each_mail_costs_no_query_more(support: Client) -> None:
    for number in range(30):
        told(row(number), Arrival.BOUNCED, Why.MAILBOX_FULL)
    with CaptureQueriesContext(connection) as queries:
        support.get(LIST)
    assert len(queries) <= MOST_QUERIES
