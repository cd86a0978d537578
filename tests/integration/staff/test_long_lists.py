"""Lists of a million rows are shown, searched and filtered without looking at all of them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from freezegun import freeze_time

from notifications.finding import search_mails
from notifications.models import EmailMessage, Status
from payments.states import ProviderStatus
from staff import long_lists
from staff.read_only import ReadOnlyAdmin
from tests.support.checkouts import make_checkout
from tests.support.staff_pages import our_admins

MAILS = "/admin/notifications/emailmessage/"


@pytest.fixture
def boss(database: Any) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


def send(count: int, **values: Any) -> None:
    """Mails of the last `count` hours."""
    now = datetime.now(UTC)
    for number in range(count):
        given = {
            "recipient": f"client{number}@mail.example",
            "subject": f"Заказ № {number}",
            "template": "payment_confirmation",
            "message_id": f"<{number}@example.org>",
            **values,
        }
        mail = EmailMessage.objects.create(
            queue="email_queue",
            msg_id=EmailMessage.objects.count() + 1,
            enqueued_at=now,
            status=Status.SENT,
            sent_at=now,
            **given,
        )
        EmailMessage.objects.filter(pk=mail.pk).update(created_at=now - timedelta(hours=number))


@pytest.fixture
def shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no more than sixty rows were listed."""
    monkeypatch.setattr(long_lists, "MOST_LISTED", 60)


def test_rows_are_counted_no_further_than_they_are_listed(boss: Client, shortly: None) -> None:
    send(70)
    with CaptureQueriesContext(connection) as asked:
        answer = boss.get(MAILS)
    counts = [
        query["sql"] for query in asked if "COUNT(" in query["sql"] and "notifications_emailmessage" in query["sql"]
    ]
    assert counts
    assert all("LIMIT 61" in sql for sql in counts)
    html = answer.content.decode()
    assert "Всего: больше 60" in html
    assert "?p=2" in html
    assert "?p=3" not in html


def test_a_list_says_beside_its_search_how_many_rows_are_left_and_offers_all_only_where_some_are_not_shown(
    boss: Client, shortly: None
) -> None:
    send(70)

    def beside_search(query: str) -> str:
        form = boss.get(MAILS + query).content.decode().partition('role="search"')[2].partition("</form>")[0]
        return " ".join(re.sub("<[^>]*>", " ", form).split())

    everything = beside_search("")
    assert "результат" not in everything
    assert "Показать все" not in everything
    assert beside_search("?o=5") == beside_search("?p=2") == everything
    assert "больше 60 результатов ( Показать все )" in beside_search("?q=mail.example")
    assert "1 результат ( Показать все )" in beside_search("?q=client69@mail.example")
    assert "больше 60 результатов ( Показать все )" in beside_search("?status__exact=sent")
    assert "0 результатов ( Показать все )" in beside_search("?created_at__year=2020")


@pytest.mark.parametrize("address", [MAILS, "/admin/payments/payment/"])
def test_what_rows_are_shown_with_is_looked_up_for_those_of_the_page_alone(
    boss: Client, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReadOnlyAdmin, "list_per_page", 2)
    send(3)
    for _number in range(3):
        make_checkout(ProviderStatus.SUCCEEDED)
    with CaptureQueriesContext(connection) as asked:
        answer = boss.get(address)
    table = answer.context["cl"].model._meta.db_table.replace('"', "")
    asked_for = [query["sql"].replace('"', "").partition(" FROM ") for query in asked]
    # Those that ask for the first and the last day have one row each.
    pages = [
        sql for sql in asked_for if sql[2].startswith(table) and re.search(r" ORDER BY .* LIMIT (?!1$)\d+$", sql[2])
    ]
    assert [columns.count(",") for columns, _from, _rows in pages] == [0]


def test_each_page_has_its_own_rows_in_their_order(boss: Client) -> None:
    send(7)
    rows = EmailMessage.objects.order_by("-created_at", "-id")
    paginator = long_lists.BoundedPaginator(rows, 3)
    assert [[mail.msg_id for mail in page.object_list] for page in paginator] == [[1, 2, 3], [4, 5, 6], [7]]


def test_all_are_counted_where_they_are_few(boss: Client, shortly: None) -> None:
    send(60)
    assert "Всего: 60" in boss.get(MAILS).content.decode()


def test_a_row_of_an_odd_year_does_not_fill_a_page_with_years(boss: Client) -> None:
    with freeze_time("2026-03-02T10:00:00Z"):
        send(4)
        for msg_id, year in ((1, 20), (2, 9000), (3, 2019)):
            EmailMessage.objects.filter(msg_id=msg_id).update(created_at=datetime(year, 5, 1, tzinfo=UTC))
        boss.force_login(User.objects.get())
        page = boss.get(MAILS).content.decode()
    years = [int(year) for year in re.findall(r'\?created_at__year=(\d+)"', page)]
    assert years == [20, *range(2006, 2029), 9000]


def test_the_days_above_a_list_are_those_between_its_first_and_its_last_row(boss: Client) -> None:
    with freeze_time("2026-03-02T10:00:00Z"):
        send(30)
        EmailMessage.objects.filter(msg_id=30).update(created_at=datetime(2025, 12, 30, 22, 0, tzinfo=UTC))
        client = boss
        user = User.objects.get()
        client.force_login(user)
        with CaptureQueriesContext(connection) as asked:
            years = client.get(MAILS).content.decode()
        months = client.get(f"{MAILS}?created_at__year=2026").content.decode()
        days = client.get(f"{MAILS}?created_at__year=2026&created_at__month=3").content.decode()
    assert "DATE_TRUNC" not in " ".join(query["sql"] for query in asked)
    assert '?created_at__year=2025"' in years
    assert '?created_at__year=2026"' in years
    # In Moscow that night was the 31st already; the month that has no mail is there as well.
    assert [f"created_at__month={month}&" in months.replace("amp;", "") for month in (1, 2, 3, 4)] == [True] * 3 + [
        False
    ]
    assert [f"created_at__day={day}&" in days.replace("amp;", "") for day in (1, 2, 3)] == [True, True, False]


def test_no_list_counts_each_choice_of_its_filters_among_all_rows(boss: Client) -> None:
    for admin in (one for one in our_admins() if isinstance(one, ReadOnlyAdmin)):
        opts = admin.opts
        answer = boss.get(f"/admin/{opts.app_label}/{opts.model_name}/?_facets=True", follow=True)
        assert answer.status_code == 200
        changes = (answer.context or {}).get("cl")
        assert changes is None or not changes.add_facets


def test_a_list_is_put_into_no_order_that_has_no_index(boss: Client) -> None:
    send(3)
    columns = boss.get(MAILS).context["cl"].list_display
    by_recipient = boss.get(f"{MAILS}?o={columns.index('address')}").context["cl"].queryset
    assert by_recipient.query.order_by == ("-created_at", "-id")
    oldest = boss.get(f"{MAILS}?o={columns.index('created')}").context["cl"].queryset
    assert oldest.query.order_by[0] == "created_at"


@pytest.mark.parametrize("text", ["client17", "№ 1234", "zzzzz", "client17 заказ", "d41d8cd98f00b204e9800998ecf8427e"])
def test_mails_are_searched_by_indexes(database: Any, text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO notifications_emailmessage (queue, msg_id, enqueued_at, recipient, subject, template,
                html_body, text_body, status, attempts, reason, error, error_type, provider, provider_message_id,
                message_id, dedupe_key, trace_id, created_at, updated_at, sent_at)
            SELECT 'email_queue', n, now(), 'client' || n || '@mail.example', 'Заказ № ' || n, 'welcome', '', '',
                'sent', 1, '', '', '', 'smtp', '', n::text, '', md5(n::text), now(), now(), now()
            FROM generate_series(1, 2000) AS n"""
        )
        # Of so few rows Postgres would rather look at each. What is asked here is whether there is another way.
        cursor.execute("SET enable_seqscan TO off")
    plan = search_mails(EmailMessage.objects.all(), text).explain()
    assert "Seq Scan" not in plan, plan
    assert "email_lasting_words" in plan, plan
