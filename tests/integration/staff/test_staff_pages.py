"""Every address of our own in the admin says what is the matter on a page of the admin, and never on a white one.

Over whatever is registered: a page that comes without the guard is found here.
"""

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import Permission, User
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import URLPattern, path
from pytest_django import Settings

from balansity.admin_site import BalansityAdminSite
from notifications.models import EmailMessage
from payments.models import Payment, ProviderNotification
from payments.states import NotificationStatus, ProviderStatus
from reports.models import Report
from staff.pages import staff_page
from staff.read_only import ReadOnlyAdmin
from staff.refusals import forbidden, not_found
from tests.integration.notifications.test_notifications_admin import row as email_row
from tests.integration.reports.test_reports_admin import row as report_row
from tests.support.checkouts import make_checkout
from tests.support.payment_pages import messages_of, staff_with
from tests.support.staff_pages import address_of, client_of, faults_of, is_page, our_admins, own_pages

pytestmark = pytest.mark.usefixtures("seeded_database", "broker_url")

# Finds the admins of every package.
import_module("balansity.urls")


def make_notification() -> ProviderNotification:
    return ProviderNotification.objects.create(
        address="185.71.76.1", trusted=True, event="x", object_id="x", status=NotificationStatus.IGNORED, body="{}"
    )


Register = Callable[[type[ReadOnlyAdmin]], "ModelAdmin[Any]"]

# A row for each model that has pages of our own about one.
ROWS: dict[type[Model], Callable[[], Any]] = {
    EmailMessage: lambda: email_row(1),
    Payment: lambda: make_checkout(ProviderStatus.SUCCEEDED).payment,
    ProviderNotification: make_notification,
    Report: report_row,
    User: lambda: User.objects.create_user("somebody"),
}


def all_pages() -> list[URLPattern]:
    return [pattern for admin in our_admins() for pattern in own_pages(admin)]


def test_there_are_pages_of_our_own_in_every_package() -> None:
    assert {
        *("bridge_queueoverview_changelist", "bridge_queueoverview_message", "notifications_emailmessage_send_again"),
        *("payments_payment_refund", "payments_providernotification_replay", "reports_report_file"),
    } <= {str(pattern.name) for pattern in all_pages()}


def test_no_page_is_white_and_none_stands_open() -> None:
    for admin in our_admins():
        row = ROWS[admin.model]() if admin.model in ROWS else None
        assert list(faults_of(admin, row)) == []


def test_who_may_only_look_gets_no_further() -> None:
    viewer = client_of("viewer")
    # The revenue is no list: it has a right of its own.
    looking = Permission.objects.filter(codename__startswith="view_").exclude(codename="view_revenue")
    User.objects.get().user_permissions.set(looking)
    for pattern in all_pages():
        page = pattern.callback.staff_page  # type: ignore[attr-defined] # The guard leaves it there.
        answer = viewer.post(address_of(pattern)) if "POST" in page.methods else viewer.get(address_of(pattern))
        assert (answer.status_code == 403) == (page.may != "view"), pattern.name
        assert answer.status_code != 403 or is_page(answer)


def test_who_may_not_look_may_not_act_either() -> None:
    blind = client_of("blind")
    # Django lets look whoever may change.
    User.objects.get().user_permissions.set(Permission.objects.exclude(codename__regex="^(view|change)_"))
    for pattern in all_pages():
        answers = [blind.get(address_of(pattern)), blind.post(address_of(pattern))]
        assert [answer.status_code for answer in answers] == [403, 403], pattern.name


class Careless(ReadOnlyAdmin):
    """Pages as somebody new may write them."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/open/", view(self.open_view), name="notifications_emailmessage_open"),
            path("gate/", self.open_view, name="notifications_emailmessage_gate"),
            *super().get_urls(),
        ]

    def open_view(self, request: HttpRequest, pk: int = 0) -> HttpResponse:
        return HttpResponse(status=404 if request.method == "GET" else 200)

    @staff_page("<int:pk>/guarded/", methods=("POST",))
    def guarded_view(self, request: HttpRequest, row: EmailMessage) -> HttpResponse:
        return self.back_to(row)


class Picky(Careless):
    """Shows the list to everybody of the staff, and no row to anybody."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None


@pytest.fixture
def in_a_site_of_its_own(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Register:
    return lambda admin_class: _in_a_site_of_its_own(admin_class, settings, monkeypatch)


def _in_a_site_of_its_own(
    admin_class: type[ReadOnlyAdmin], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> "ModelAdmin[Any]":
    own_site = BalansityAdminSite(name="admin")
    monkeypatch.setattr("staff.refusals.site", own_site)
    own_site.register(EmailMessage, admin_class)

    class Addresses:
        urlpatterns: ClassVar[Any] = [path("admin/", own_site.urls)]
        handler403, handler404 = staticmethod(forbidden), staticmethod(not_found)

    settings.ROOT_URLCONF = Addresses
    return own_site._registry[EmailMessage]


def test_a_page_without_the_guard_is_found(in_a_site_of_its_own: Register) -> None:
    found = list(faults_of(in_a_site_of_its_own(Careless), ROWS[EmailMessage]()))
    assert {fault.partition(":")[0] for fault in found} == {
        "notifications_emailmessage_open",
        "notifications_emailmessage_gate",
    }
    assert "notifications_emailmessage_gate: a stranger's get is not asked to log in" in found
    assert "notifications_emailmessage_open: get of a row is answered with a white page" in found
    assert "notifications_emailmessage_open: what does not exist is not said" in found


def test_a_row_that_somebody_may_not_see_has_no_pages_for_them(in_a_site_of_its_own: Register) -> None:
    in_a_site_of_its_own(Picky)
    answer = client_of("boss", is_superuser=True).post(f"/admin/notifications/emailmessage/{email_row(1).pk}/guarded/")
    assert (answer.status_code, is_page(answer)) == (403, True)


def test_what_does_not_exist_is_named_on_the_list() -> None:
    boss = client_of("boss", is_superuser=True)
    pk = uuid4()
    answer = boss.get(f"/admin/payments/payment/{pk}/refund/", follow=True)
    assert answer.redirect_chain == [("/admin/payments/payment/", 302)]
    assert messages_of(answer) == [f"Не найдено: платёж с ID «{pk}». Возможно, запись удалена."]
    # A number that no column can hold is one that does not exist.
    answer = boss.post(f"/admin/notifications/emailmessage/{'9' * 30}/send-again/", follow=True)
    assert messages_of(answer)[0].startswith("Не найдено: письмо с ID «999")
    # Django's own page of a row says it alike.
    answer = boss.get(f"/admin/payments/payment/{pk}/change/", follow=True)
    assert messages_of(answer) == [f"Не найдено: платёж с ID «{pk}». Возможно, запись удалена."]


def test_a_button_that_is_followed_as_a_link_leads_to_its_page() -> None:
    email = email_row(1)
    staff = client_of("boss", is_superuser=True)
    answer = staff.get(f"/admin/notifications/emailmessage/{email.pk}/send-again/")
    assert (answer.status_code, answer["Location"]) == (
        302,
        f"/admin/notifications/emailmessage/{email.pk}/change/",
    )
    # And nothing was done, which would be said there.
    assert messages_of(staff.get(answer["Location"])) == []


def test_an_unknown_address_and_an_old_form_have_pages_of_their_own() -> None:
    staff = staff_with("view_payment", "check_payment")
    unknown = staff.get("/admin/nonsense/")
    assert (unknown.status_code, is_page(unknown)) == (404, True)
    assert "По этому адресу ничего нет" in unknown.content.decode()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = staff.cookies
    old = strict.post(f"/admin/payments/payment/{uuid4()}/check/")
    assert (old.status_code, is_page(old)) == (403, True)
    assert "Форма устарела" in old.content.decode()
    # The menu is there: it is the way on.
    assert 'href="/admin/payments/payment/"' in old.content.decode()


def test_an_id_is_found_with_the_spaces_around_it_that_were_copied_too() -> None:
    boss = client_of("boss", is_superuser=True)
    payment, report, email = ROWS[Payment](), ROWS[Report](), ROWS[EmailMessage]()
    for address, number, row in (
        ("/admin/payments/payment/", payment.pk, payment),
        ("/admin/reports/report/", report.pk, report),
        ("/admin/notifications/emailmessage/", email.msg_id, email),
    ):
        for query, found in ((f"  {number} \n", [row.pk]), (f" {uuid4()} ", [])):
            changelist = boss.get(address, {"q": query}).context["cl"]
            assert [each.pk for each in changelist.result_list] == found


def test_each_cell_of_a_list_says_its_column_for_the_cards_of_a_phone() -> None:
    row = ROWS[EmailMessage]()
    page = client_of("boss", is_superuser=True).get("/admin/notifications/emailmessage/").content.decode()
    table = page.partition('<div class="results staff-cards">')[2].partition("</table>")[0]
    assert f"/{row.pk}/change/" in table
    cells = re.findall(r'<t[dh](?: data-label="([^"]*)")? class="(?:action|field)-', table)
    assert cells == ["", "Статус", "Получатель", "Шаблон", "Тема", "Попытки", "Создано"]


def test_tables_of_a_payment_are_cards_as_well() -> None:
    page = client_of("boss", is_superuser=True).get(f"/admin/payments/payment/{ROWS[Payment]().pk}/change/")
    assert page.content.decode().count("staff-cards") == 4
