"""What staff come for, done in a browser: no error, nothing from elsewhere, and no more clicks than promised."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Browser

from balansity.models import LoginAttempt
from bridge.models import BridgeProcess
from notifications.models import Status
from payments.models import ProviderNotification, Refund
from payments.models import User as Customer
from payments.states import ProviderStatus
from reports.models import Status as ReportStatus
from tests.integration.notifications.test_notifications_admin import row as email_row
from tests.integration.reports.test_reports_admin import row as report_row
from tests.support.browsing import Desk, serving, sitting_at
from tests.support.checkouts import delete_row, make_checkout
from tests.support.databases import ClonedDatabase


@pytest.fixture
def address(seeded_database: ClonedDatabase) -> Iterator[str]:
    with serving() as there:
        yield there


@pytest.fixture
def boss(seeded_database: ClonedDatabase) -> User:
    return User.objects.create_superuser("boss", "boss@example.com", "correct horse battery")


@pytest.mark.parametrize("width", [390, 1280])
def test_a_payment_is_found_from_home_on_a_phone_and_on_a_desk(
    browser: Browser, address: str, boss: User, width: int
) -> None:
    with sitting_at(browser, address, boss, width=width, dark=width == 390) as desk:
        desk.open("/admin/")
        desk.click("Платежи", within=desk.page.locator("#payments-payment"))
        assert not desk.is_too_wide()
        desk.page.locator("#result_list tbody a").first.click()
        assert not desk.is_too_wide()
        assert "₽" in desk.text


# Longer than any window, as strangers, servers and machines write them.
WORD = "x" * 150
ADDRESS = f"konstantin.{'o' * 40}@{'p' * 40}.example.org"


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_nothing_that_others_wrote_is_cut_off(
    browser: Browser, address: str, boss: User, width: int, dark: bool
) -> None:
    now = timezone.now()
    paid, gone = make_checkout(ProviderStatus.SUCCEEDED), make_checkout(ProviderStatus.SUCCEEDED)
    Customer.objects.filter(pk__in=[paid.user_id, gone.user_id]).update(email=ADDRESS)
    failed = email_row(1, Status.FAILED, recipient=ADDRESS, subject=WORD, template=WORD[:100], error=f"550 {WORD}")
    Refund.objects.create(payment_id=paid.pk, amount=1, status="rejected", request_body={}, reason=WORD, error=WORD)
    process = BridgeProcess.objects.create(name=WORD, kind="worker", started_at=now, seen_at=now, waits_for=WORD)
    attempt = LoginAttempt.objects.create(
        username=WORD[:100], outcome="failed", address="2a02:5180:abcd:1234:5678::1234"
    )
    ProviderNotification.objects.create(
        address=attempt.address, trusted=False, event=WORD[:64], object_id=WORD[:64], body=WORD
    )
    delete_row(gone)
    report_row(kind="json", size=123_456_789)
    report_row(ReportStatus.RETRYING, kind="csv")
    payment, mail = "/admin/payments/payment/", "/admin/notifications/emailmessage/"
    with sitting_at(browser, address, boss, width=width, dark=dark) as desk:
        for path in (
            *(payment, f"{payment}?q=konstantin", f"{payment}{paid.pk}/change/", f"{payment}{paid.pk}/refund/"),
            *(f"{payment}deleted/", "/admin/payments/refund/", "/admin/payments/providernotification/"),
            *(mail, f"{mail}{failed.pk}/change/", "/admin/bridge/bridgeprocess/"),
            *(f"/admin/bridge/bridgeprocess/{process.pk}/change/", "/admin/balansity/loginattempt/"),
            *(f"/admin/balansity/loginattempt/{attempt.pk}/change/", "/admin/reports/report/"),
        ):
            desk.open(path)
            assert desk.cut_off() == [], path


def test_on_a_phone_what_was_searched_for_stays_in_sight_and_each_button_is_as_wide_as_the_page(
    browser: Browser, address: str, boss: User
) -> None:
    other = User.objects.create_user("other")
    with sitting_at(browser, address, boss, width=390) as desk:
        desk.open("/admin/payments/payment/?q=anna.sokolova@example.org")
        assert width_of(desk, "#searchbar") > 200
        desk.open(f"/admin/auth/user/{other.pk}/delete/")
        assert width_of(desk, "#content input[type=submit]") == width_of(desk, "#content .cancel-link")
        desk.open("/admin/auth/user/add/")
        assert width_of(desk, "#id_username") == width_of(desk, "#content .form-row")


def test_what_the_menu_asks_for_fits_into_its_field(browser: Browser, address: str, boss: User) -> None:
    with sitting_at(browser, address, boss) as desk:
        desk.open("/admin/payments/payment/")
        hint = desk.page.locator("#nav-filter")
        asked = hint.get_attribute("placeholder") or ""
        hint.fill(asked)
        assert asked
        assert hint.evaluate("field => field.scrollWidth <= field.clientWidth")


def width_of(desk: Desk, selector: str) -> float:
    box = desk.page.locator(selector).first.bounding_box()
    assert box is not None
    return box["width"]


# What neither a test client nor a reader of the page's text would notice.
FAULTS = """() => {
    document.body.insertAdjacentHTML('beforeend', '<img src="http://elsewhere.invalid/x.png">')
    const script = document.createElement('script')
    script.textContent = 'document.title = "inline"'
    document.body.append(script)
    console.error('broken')
}"""


def test_a_fault_that_only_a_browser_sees_is_seen(browser: Browser, address: str, boss: User) -> None:
    def break_a_page() -> None:
        with sitting_at(browser, address, boss) as desk:
            desk.open("/admin/")
            desk.page.evaluate(FAULTS)
            desk.page.wait_for_function("[...document.images].every(image => image.complete)")

    with pytest.raises(AssertionError) as found:
        break_a_page()
    assert all(text in str(found.value) for text in ("elsewhere.invalid", "Content Security Policy", "broken"))
