"""A client who telephones is found by whatever they say; from each thing of theirs the others are one click away."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client

from notifications.clients import digits_of_number, words_of_name
from notifications.models import EmailMessage
from notifications.writing.request import mailbox_of
from payments.admin.finding import search_payments
from payments.models import Checkout, Payment
from payments.states import ProviderStatus
from reports.models import Kind, Report
from tests.support.checkouts import make_checkout
from tests.support.report_deliveries import ANNA, MARIA_CHECKUP
from wording.typed import read_amount

PAYMENTS, MAILS = "/admin/payments/payment/", "/admin/notifications/emailmessage/"
REPORTS, REFUNDS = "/admin/reports/report/", "/admin/payments/refund/"


@pytest.fixture
def boss(seeded_database: Any) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.fixture
def anna(seeded_database: Any) -> Checkout:
    """Anna's payment, mail and report; she has a number, and a child called Мария."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE public.users SET phone = '8 (900) 000-00-02' WHERE id = %s", [ANNA])
        cursor.execute("UPDATE public.users SET phone = '+7 911 555 44 33' WHERE id <> %s", [ANNA])
        cursor.execute(
            "INSERT INTO public.profiles (user_id, type, first_name, last_name) VALUES (%s, 'child', 'Алёна', %s)",
            [ANNA, "Соколова-Ли\N{COMBINING BREVE}"],
        )
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    Payment.objects.filter(pk=checkout.pk).update(user_id=ANNA, amount=Decimal("4321.50"))
    Checkout.objects.filter(pk=checkout.pk).update(
        user_id=ANNA, amount=Decimal("4321.50"), method_title="Bank card *4477"
    )
    other = make_checkout(ProviderStatus.SUCCEEDED)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM public.users WHERE id <> %s LIMIT 1", [ANNA])
        (stranger,) = cursor.fetchone()
    Payment.objects.filter(pk=other.pk).update(user_id=stranger, amount=Decimal(77))
    Checkout.objects.filter(pk=other.pk).update(user_id=stranger, amount=Decimal(77))
    return checkout


def found(client: Client, address: str, text: str) -> set[Any]:
    answer = client.get(address, {"q": text})
    assert answer.status_code == 200
    return {row.pk for row in answer.context["cl"].result_list}


SPELLINGS = (
    *("+7 900 000-00-02", "89000000002", "8 (900) 000 00 02", "9000000002", "7-900-000-00-02", "000-00-02"),
    *("Алёна", "алена соколова", "Соколова Алена", "СОКОЛОВА"),
)


def email_of(user_id: UUID) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT email FROM public.users WHERE id = %s", [user_id])
        return str(cursor.fetchone()[0])


def test_a_client_is_found_by_number_and_name_in_all_lists(boss: Client, anna: Checkout) -> None:
    address = email_of(ANNA).upper()
    mail = EmailMessage.objects.create(
        queue="email_queue",
        msg_id=1,
        enqueued_at="2026-11-24T09:00Z",
        recipient=address,
        # As it is written by whatever sends.
        mailbox=mailbox_of(address),
    )
    EmailMessage.objects.create(
        queue="email_queue", msg_id=2, enqueued_at="2026-11-24T09:00Z", recipient="x@example.org"
    )
    report = Report.objects.create(assessment_id=uuid4(), user_id=ANNA, kind=Kind.PDF, queue="q", msg_id=3)
    Report.objects.create(assessment_id=uuid4(), user_id=uuid4(), kind=Kind.PDF, queue="q", msg_id=4)
    hers = set(Payment.objects.filter(user_id=ANNA).values_list("pk", flat=True))
    for text in SPELLINGS:
        assert found(boss, PAYMENTS, text) == hers >= {anna.pk}, text
        assert found(boss, MAILS, text) == {mail.pk}, text
        assert found(boss, REPORTS, text) == {report.pk}, text


AMOUNTS = ("4321,50", "4 321.5", "4\N{NO-BREAK SPACE}321,50\N{NO-BREAK SPACE}₽", "4321,5 руб.", "4477", "*4477")


def test_a_payment_is_found_by_amount_and_card(boss: Client, anna: Checkout) -> None:
    for text in AMOUNTS:
        assert found(boss, PAYMENTS, text) == {anna.pk}, text


NO_AMOUNTS = (
    *("4_321", "4e3", "١٠٠", "NaN", "1 00", "4321,505", "-5", "1,000,00", "9" * 5000, "%", "_" * 3, "'", "5 ₽ ₽"),
)


def test_what_is_no_amount_finds_none_and_breaks_nothing(boss: Client, anna: Checkout) -> None:
    for text in NO_AMOUNTS:
        assert read_amount(text) is None, text
        for address in (PAYMENTS, MAILS, REPORTS, REFUNDS):
            assert found(boss, address, text) == set(), (address, text)


def test_what_is_a_number_and_what_is_a_name() -> None:
    assert {digits_of_number(text) for text in SPELLINGS[:5]} == {"9000000002"}
    assert [digits_of_number(text) for text in ("4477", "anna@x", "+49 30 901820", "5" * 30)] == [
        "",
        "",
        "4930901820",
        "",
    ]
    assert list(words_of_name("Йога Ё")) == ["йога", "е"]
    assert [list(words_of_name(text)) for text in ("a@b.ru", "x1", "ы", "%%", "а" * 200)] == [[], [], [], [], []]


def test_the_search_stays_a_walk_over_one_table(anna: Checkout) -> None:
    """A subquery that runs again for each row would take minutes where there are 100 000."""
    for text in ("9000000002", "Алёна", "4321,50", "4477", "12345678", "anna"):
        plan = search_payments(Payment.objects.all(), text).explain()
        lines = [
            line.strip() for line in plan.splitlines() if "SubPlan" in line and not line.strip().startswith("SubPlan")
        ]
        for line in lines:
            assert line.count("SubPlan") == line.count("hashed SubPlan"), line


def test_pages_lead_to_the_other_things_of_their_client(boss: Client, anna: Checkout) -> None:
    address = email_of(ANNA)
    mail = EmailMessage.objects.create(
        queue="email_queue",
        msg_id=1,
        enqueued_at="2026-11-24T09:00Z",
        recipient=address,
        about=str(anna.pk),
        subject="Мы получили ваш платёж",
    )
    payment_page = boss.get(f"{PAYMENTS}{anna.pk}/change/").content.decode()
    query = f"?q={address.replace('@', '%40')}"
    for place in (PAYMENTS, MAILS, REPORTS):
        assert f'href="{place}{query}"' in payment_page
    assert f'<a href="{MAILS}{mail.pk}/change/">Мы получили ваш платёж</a>' in payment_page
    mail_page = boss.get(f"{MAILS}{mail.pk}/change/").content.decode()
    assert f'href="{PAYMENTS}?q={anna.pk}"' in mail_page
    assert found(boss, PAYMENTS, str(anna.pk)) == {anna.pk}
    assert found(boss, MAILS, str(anna.pk)) == {mail.pk}
    # To what somebody may see, and no further.
    support = User.objects.create(username="support", is_staff=True)
    support.user_permissions.set(Permission.objects.filter(codename="view_payment"))
    client = Client()
    client.force_login(support)
    shown = client.get(f"{PAYMENTS}{anna.pk}/change/").content.decode()
    assert MAILS not in shown
    assert REPORTS not in shown
    assert f'href="{PAYMENTS}{query}"' in shown


def test_whose_check_up_it_was_is_said_to_those_who_may_open_it(boss: Client, seeded_database: Any) -> None:
    Report.objects.create(assessment_id=MARIA_CHECKUP, user_id=ANNA, kind=Kind.PDF, queue="q", msg_id=3)
    # A claim of somebody else's check-up names nobody.
    Report.objects.create(assessment_id=MARIA_CHECKUP, user_id=uuid4(), kind=Kind.PDF, queue="q", msg_id=4)
    assert boss.get(REPORTS).content.decode().count("Мария") == 1
    support = User.objects.create(username="support", is_staff=True)
    support.user_permissions.set(Permission.objects.filter(codename="view_report"))
    client = Client()
    client.force_login(support)
    assert "Мария" not in client.get(REPORTS).content.decode()
