"""Every page of the admin, whatever is registered, in every state that staff can bring it into: no word of English.

What machines noted for the developers stands apart, as code. Names, ids and addresses are what they are. What else is
the same on every page is looked for on the way.
"""

import json
import re
from collections.abc import Iterator
from html import unescape
from importlib import import_module
from itertools import chain
from typing import Any

import pytest
from django.contrib.admin import ModelAdmin, site
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from balansity.djangos_words import IN_SCRIPTS
from balansity.groups import make_groups
from balansity.second_factor import recovery
from bridge import holds
from bridge.daemon.heartbeat import THE_BROKER, Heartbeat
from bridge.errors import Away
from bridge.message import LastError, MessageState, Outcome, Reason
from bridge.models import OperatorAction, OutsideService
from notifications.models import EmailMessage, Status
from payments.models import PaymentAttention, ProviderNotification, Refund
from payments.states import Attention, NotificationStatus, ProviderStatus, RefundStatus
from staff.read_only import ReadOnlyAdmin
from tests.integration.notifications.test_notifications_admin import row as email_row
from tests.integration.reports.test_reports_admin import row as report_row
from tests.support.checkouts import make_checkout
from tests.support.databases import ClonedDatabase
from tests.support.email_deliveries import email_queue
from tests.support.second_factors import prove
from tests.support.staff_pages import is_page

# Finds the admins of every package.
import_module("balansity.urls")

# Ours, and what the world calls so; the alphabets of passwords and names.
NAMES = {
    *(
        "Balansity",
        "PDF",
        "CSV",
        "JSON",
        "SHA",
        "ID",
        "HTML",
        "Message",
        "SMTP",
        "IP",
        "Kassa",
        "URL",
        "REDIS",
        "Redis",
        "DATABASE",
    ),
    *(
        "TRUSTED",
        "TOTP",
        "PROXIES",
        "SBP",
        "SberPay",
        "boss",
        "elena",
        "other",
        "Supabase",
        "Single",
        "LDAP",
        "Ctrl",
        "Command",
        "Mac",
    ),
}
_APART = re.compile(r"<(code|pre|script|style|svg|template)\b.*?</\1>|<!--.*?-->", re.DOTALL)
_SAID = re.compile(r'\b(?:title|alt|placeholder|aria-label|aria-description)="([^"]*)"')
_BUTTON = re.compile(r'<input [^>]*type="submit"[^>]*value="([^"]*)"')
# A word that is no part of an id, an address, the name of a queue or a variable.
_WORD = re.compile(r"(?<![\w@./:%&=+-])[A-Za-z]{2,}(?![\w@/:=]|[.-]\w)")


# Between «» a Russian word stands well.
_FOREIGN_QUOTES = re.compile(r'["“”„][А-Яа-яЁё]+|[А-Яа-яЁё]+["“”„]')
# A quote that Django's catalogue has put there: the browser reads on as if another attribute began.
_ENDS_ITS_ATTRIBUTE = re.compile(r'\s[\w-]+="[^"<>]*("[А-Яа-яЁё]+)')


def english_in(html: str) -> set[str]:
    """The words of English, and those between quotes that are not Russian."""
    # An address may break at its joints.
    plain = _APART.sub(" ", html).replace("<wbr>", "")
    # Of inputs, buttons alone say their value.
    said = _SAID.findall(plain) + _BUTTON.findall(plain)
    shown = unescape(re.sub(r"<[^>]*>", " | ", plain) + " | ".join(said))
    quoted = _FOREIGN_QUOTES.findall(shown) + _ENDS_ITS_ATTRIBUTE.findall(plain)
    return {word for word in _WORD.findall(shown) if word not in NAMES} | set(quoted)


@pytest.fixture(autouse=True)
def world(seeded_database: ClonedDatabase, broker_url: str) -> None:
    """A row of each kind, in the states that have most to say."""
    make_groups()
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    Refund.objects.create(payment_id=checkout.pk, amount=100, status=RefundStatus.REJECTED, request_body={}, error="no")
    for status in NotificationStatus:
        ProviderNotification.objects.create(
            payment_id=checkout.pk,
            address="185.71.76.1",
            trusted=status != NotificationStatus.REFUSED,
            event="payment.succeeded",
            body="{}",
            status=status,
            error="" if status == NotificationStatus.STORED else "some text of a machine",
        )
    email_row(1, status=Status.FAILED)
    report_row()
    a_bridge_is_alive()
    PaymentAttention.objects.create(payment_id=checkout.pk, reason=Attention.SLOT_TAKEN, since=timezone.now())
    OutsideService.objects.create(
        name="yookassa", is_open=True, since=timezone.now(), kind=Away.REFUSED, why="401 says a machine"
    )
    holds.place("report_generation_queue", holds.PAUSE, by="elena", why="обед")
    queue = email_queue()
    queue.send({})
    (message,) = queue.read(limit=1, lease=60)
    queue.finish(message, Outcome.FAILED, reason=Reason.PERMANENT_ERROR, error=LastError("PermanentError", "it broke"))
    queue.send({})
    (message,) = queue.read(limit=1, lease=60)
    claimed = queue.claim(message.token, lease=60, attempts=1, trace_id="trace", worker="host:1")
    assert claimed is not None
    queue.retry(claimed.token, delay=600, error=LastError("TimeoutError", "no answer"), seconds=1)
    act = {
        "actor": "boss",
        "queue": queue.name,
        "msg_id": 1,
        "skipped": {"busy": 1},
        "filters": {"reason": "worker_lost"},
    }
    OperatorAction.objects.create(actor_kind="cli", action="requeue", **act)


def a_bridge_is_alive() -> None:
    """For a minute: a page that comes later says that none is, and by which command it is started."""
    Heartbeat().beat(published=1, archived=0, waits_for=THE_BROKER)


@pytest.fixture
def boss(world: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    LogEntry.objects.log_actions(
        User.objects.get(username="boss").pk,
        EmailMessage.objects.all(),
        CHANGE,
        "Отправлено ещё раз.",
        single_object=True,
    )
    return client


def address_of(admin: "ModelAdmin[Any]") -> str:
    return f"/admin/{admin.opts.app_label}/{admin.opts.model_name}/"


def lists_of(admin: "ModelAdmin[Any]", client: Client) -> Iterator[tuple[str, Any]]:
    """The list as it is, empty, searched, badly asked, and by a choice of each filter, with what is answered."""
    address = address_of(admin)
    plain = client.get(address, follow=True)
    yield address, plain
    badly_asked = f"{address}?e=1"
    yield badly_asked, client.get(badly_asked, follow=True)
    for query in ("?q=there-is-no-such-thing-7", "?p=77", "?o=1", *choices_of(plain.context.get("cl"))):
        answer = client.get(f"{address}{query}")
        if answer.status_code != 302:
            yield f"{address}{query}", answer
        elif answer["Location"] != badly_asked:
            yield f"{address}{query}", client.get(answer["Location"], follow=True)


def choices_of(shown: Any) -> Iterator[str]:
    """The names of all choices are on the list already; one of each filter shows what the list says then."""
    for spec in shown.filter_specs if shown else ():
        *_others, last = spec.choices(shown)
        yield last["query_string"]


def pages_of(admin: "ModelAdmin[Any]") -> Iterator[str]:
    """The pages about a row, and those that Django has for rows that may be changed."""
    address, row = address_of(admin), admin.model._default_manager.first() if admin.model._meta.managed else None
    if admin.opts.model_name == "payment":
        row = admin.model._default_manager.filter(checkout__isnull=False).first()
    if row is not None:
        yield from (f"{address}{row.pk}/{page}/" for page in ("change", "history"))
    yield f"{address}{'9' * 9}/change/"
    if not isinstance(admin, ReadOnlyAdmin):
        assert row is not None
        yield from (f"{address}add/", f"{address}{row.pk}/delete/")


def has_our_styles_once(html: str) -> bool:
    return re.findall(r'href="/static/staff/staff\.([^"]+)"', html) == ["css"]


def is_called_by_what_is_in_it(html: str) -> bool:
    """And not by Django's sentence about choosing."""
    return "Выберите" not in html.partition("<main")[2].partition("</h1>")[0]


def test_no_page_of_a_model_says_a_word_of_english_and_each_has_our_styles_and_name(boss: Client) -> None:
    for admin in site._registry.values():
        a_bridge_is_alive()
        pages = ((address, boss.get(address, follow=True)) for address in pages_of(admin))
        for address, answer in chain(lists_of(admin, boss), pages):
            assert is_page(answer), address
            html = answer.content.decode()
            assert english_in(html) == set(), address
            assert has_our_styles_once(html), address
            assert is_called_by_what_is_in_it(html), address
    EmailMessage.objects.all().delete()
    for admin in site._registry.values():
        assert english_in(boss.get(address_of(admin)).content.decode()) == set(), address_of(admin)


# Pages of every kind beside those of models.
STYLED = ("/admin/", "/admin/payments/", "/admin/nonsense/", "/admin/password_change/")


def test_no_other_page_does_either(boss: Client) -> None:
    payments, queues = "/admin/payments/payment/", "/admin/bridge/queueoverview/"
    act = f"{queues}email_queue/act/?what="
    payment = ProviderNotification.objects.first()
    assert payment is not None
    for address in (
        *(
            "/admin/",
            "/admin/now/",
            "/admin/payments/",
            "/admin/auth/",
            "/admin/password_change/",
            "/admin/password_change/done/",
        ),
        *("/admin/second-factor/", "/admin/second-factor/set-up/"),
        *("/admin/login/?next=/admin/", "/admin/nonsense/", "/nonsense", "/admin/logout/", "/admin/jsi18n/"),
        *(f"{payments}revenue/", f"{payments}deleted/", f"{payments}{payment.payment_id}/refund/"),
        *(queues, f"{queues}email_queue/", f"{queues}email_queue/failed/?reason=refused", f"{queues}no_such_queue/"),
        *(f"{queues}email_queue/?tab={tab}" for tab in (*MessageState, "failures", "archive")),
        *(f"{queues}email_queue/?tab=archive&outcome=duplicate", f"{queues}email_queue/?tab=failures&hours=24"),
        *(
            f"{queues}email_queue/1/",
            f"{queues}email_queue/2/",
            f"{queues}email_queue/77/",
            f"{queues}analytics_queue/",
        ),
        *(f"{act}requeue&which=all", f"{act}retry&which=all", f"{act}discard&msg_id=1", f"{act}requeue&msg_id=1"),
    ):
        answer = boss.get(address, follow=True)
        if address == "/admin/jsi18n/":
            # Chosen, available, filter: what the boxes of rights say is in there.
            catalogue = json.loads(answer.content.decode().partition("const newcatalog = ")[2].partition(";\n")[0])
            assert catalogue["Available %s"] == "Доступные %s"
            hints = (catalogue[hint] for hint in IN_SCRIPTS)
            assert all(re.match("[А-Я]", hint) and english_in(hint) == set() for hint in hints)
            continue
        html = answer.content.decode()
        assert english_in(html) == set(), address
        assert address not in STYLED or has_our_styles_once(html), address


def test_no_page_of_the_second_factor_does_either(boss: Client, settings: Settings) -> None:
    page, me = "/admin/second-factor/", User.objects.get(username="boss")
    device = TOTPDevice.objects.create(user=me)
    other = User.objects.create_user("other", is_staff=True)
    TOTPDevice.objects.create(user=other)
    prove(boss, device)
    answers = [boss.get(f"{page}{name}") for name in ("", "code/", "code/?recovery=1", "set-up/", "codes/", "off/")]
    answers += [boss.post(f"{page}{name}", {"code": "1"}) for name in ("code/", "set-up/", "codes/", "off/")]
    answers.append(boss.get(f"/admin/auth/user/{other.pk}/second-factor/"))
    answers.append(boss.post(f"{page}codes/", {"code": recovery.make(me)[0]}))
    settings.STAFF_2FA = "required"
    answers.append(boss.get(page))
    settings.STAFF_2FA = "off"
    answers.append(boss.get(page))
    assert [answer.status_code for answer in answers] == [200] * len(answers)
    for answer in answers:
        assert english_in(answer.content.decode()) == set()


def test_forms_that_are_filled_in_wrongly_say_so_in_russian(boss: Client) -> None:
    user = User.objects.create_user("other")
    act, payments = "/admin/bridge/queueoverview/email_queue/act/?what=", "/admin/payments/payment/"
    payment = ProviderNotification.objects.first()
    assert payment is not None
    for address, form in (
        (
            "/admin/auth/user/add/",
            {"username": "a b", "usable_password": "true", "password1": "12345", "password2": "1"},
        ),
        (
            "/admin/auth/user/add/",
            {"username": "fresh", "usable_password": "true", "password1": "12345", "password2": "12345"},
        ),
        (f"/admin/auth/user/{user.pk}/password/", {"usable_password": "true", "password1": "", "password2": ""}),
        (f"/admin/auth/user/{user.pk}/change/", {"username": ""}),
        ("/admin/auth/group/add/", {"name": ""}),
        ("/admin/auth/group/add/", {"name": "Новая"}),
        ("/admin/auth/user/", {"action": "delete_selected", "_selected_action": [user.pk]}),
        ("/admin/auth/user/", {"action": ""}),
        ("/admin/password_change/", {"old_password": "", "new_password1": "1", "new_password2": "2"}),
        ("/admin/login/", {"username": "nobody", "password": "wrong"}),
        (f"{act}requeue&which=all", {"rate": "x", "key": "x"}),
        (f"{act}discard&msg_id=1&msg_id=2", {"reason": "x" * 501}),
        (f"{act}retry", {}),
        (f"{act}requeue&msg_id=777", {"key": "7f4b1c1e-3a52-4c5e-9f57-3f5d6f3f1a11"}),
        (f"{payments}{payment.payment_id}/refund/", {"amount": "viele"}),
        (f"{payments}{payment.payment_id}/clear-attention/", {"note": ""}),
        (payments, {"action": "check_selected", "_selected_action": [str(payment.payment_id)]}),
    ):
        client = Client() if "login" in address else boss
        answer = client.post(address, form, follow=True)
        assert answer.status_code == 200, address
        assert english_in(answer.content.decode()) == set(), (address, form)


def test_the_walk_hears_english() -> None:
    assert english_in('<p title="Добавить &quot;группа&quot;">«группа»</p>') == {'"группа'}
    assert english_in('<p title="Добавить "группа"">') == {'"группа'}
    page = '<h1>Not Found</h1><p title="Nothing here">Платёж payment.succeeded 7f-ab user@example.org</p>'
    assert english_in(page) == {"Not", "Found", "Nothing", "here"}
    assert english_in('<code>it broke</code><input type="submit" value="Go away"><input value="data here">') == {
        "Go",
        "away",
    }
