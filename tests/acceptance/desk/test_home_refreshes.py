"""The home page in a browser: it refreshes itself, leaves alone who reads it, and says when it cannot."""

from collections.abc import Iterator
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import call_command
from playwright.sync_api import Browser

from bridge.daemon.heartbeat import Heartbeat
from notifications.models import EmailMessage, Status
from tests.integration.notifications.test_notifications_admin import row as email_row
from tests.support.browsing import Desk, serving, sitting_at
from tests.support.databases import ClonedDatabase

# What the page's own script waits for between two looks, and more.
A_WHILE_MS = 3100
HIDE = """(hidden) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden })
    document.dispatchEvent(new Event('visibilitychange'))
}"""


@pytest.fixture
def address(seeded_database: ClonedDatabase, broker_url: str) -> Iterator[str]:
    Heartbeat().beat(published=0, archived=0, waits_for="")
    call_command("install_wakeup", stdout=StringIO())
    with serving() as there:
        yield there


@pytest.fixture
def desk(browser: Browser, address: str) -> Iterator[Desk]:
    boss = User.objects.create_superuser("boss")
    email_row(1, status=Status.FAILED)
    with sitting_at(browser, address, boss, width=390) as desk:
        desk.page.clock.install()
        desk.open("/admin/")
        yield desk


def let_time_pass(desk: Desk, milliseconds: int = A_WHILE_MS) -> None:
    desk.page.clock.run_for(milliseconds)


def test_it_shows_what_is_new_and_leaves_focus_and_place_alone(desk: Desk) -> None:
    page = desk.page
    page.evaluate("document.querySelector('#home-mails a').focus()")
    page.evaluate("scrollTo(0, 300)")
    before = page.evaluate("[scrollY, document.activeElement.href]")
    email_row(2, status=Status.FAILED)
    let_time_pass(desk)
    page.get_by_role("link", name="2 письма не отправлены", exact=True).wait_for()
    assert page.locator("#home-mails dd a").nth(1).inner_text() == "2"
    assert page.evaluate("[scrollY, document.activeElement.href]") == before
    assert page.evaluate("document.activeElement.isConnected")
    # What is settled goes, and what was said of it with it.
    EmailMessage.objects.all().delete()
    let_time_pass(desk)
    page.get_by_text("Всё в порядке: внимания ничего не требует.").wait_for()
    assert page.locator(".home-line").count() == 0


def test_a_page_that_nobody_looks_at_asks_for_nothing_until_it_is_shown(desk: Desk) -> None:
    asked: list[str] = []
    desk.page.on("request", lambda request: asked.append(request.url))
    desk.page.evaluate(HIDE, True)
    let_time_pass(desk, 60_000)
    assert asked == []
    email_row(2, status=Status.FAILED)
    desk.page.evaluate(HIDE, False)
    desk.page.get_by_role("link", name="2 письма не отправлены", exact=True).wait_for()
    assert asked == [f"{desk.address}/admin/now/"]


def test_it_says_that_it_could_not_be_refreshed_and_when_what_it_shows_was_so(desk: Desk) -> None:
    of = desk.page.locator("#home-of").inner_text()
    assert of.startswith("на ")
    desk.page.context.set_offline(True)
    let_time_pass(desk)
    bar = desk.page.locator("#home-bar.home-stale")
    bar.wait_for()
    assert f"Не удалось обновить, попробуем ещё раз. Показано {of}" in bar.inner_text()
    # It tries again by itself, ever more seldom.
    desk.page.context.set_offline(False)
    let_time_pass(desk, 31_000)
    desk.page.locator("#home-bar:not(.home-stale)").wait_for()
    assert "Не удалось" not in desk.page.locator("#home-bar").inner_text()
    # That there was no way is no fault of the page.
    assert all("ERR_INTERNET_DISCONNECTED" in fault for fault in desk.faults)
    desk.faults.clear()


def test_it_says_that_the_session_has_ended_and_offers_the_way_in(desk: Desk) -> None:
    asked: list[str] = []
    Session.objects.all().delete()
    let_time_pass(desk)
    desk.page.get_by_text("Сеанс закончился, данные больше не обновляются.").wait_for()
    desk.page.on("request", lambda request: asked.append(request.url))
    let_time_pass(desk, 60_000)
    assert asked == []
    desk.click("Войти снова")
    assert "/admin/login/?next=/admin/" in desk.page.url


def test_whoever_does_not_want_to_wait_refreshes_without_leaving_the_page(desk: Desk) -> None:
    desk.page.evaluate("window.stays = true")
    email_row(2, status=Status.FAILED)
    desk.click("Обновить")
    desk.page.get_by_role("link", name="2 письма не отправлены", exact=True).wait_for()
    assert desk.page.evaluate("window.stays")


@pytest.mark.parametrize(("width", "dark"), [(390, True), (768, False), (1280, True), (1600, False)])
def test_without_scripts_and_in_any_window_it_is_all_there(
    browser: Browser, address: str, width: int, dark: bool
) -> None:
    email_row(1, status=Status.FAILED)
    boss = User.objects.create_superuser("boss")
    with sitting_at(browser, address, boss, width=width, dark=dark, scripts=False) as desk:
        desk.open("/admin/")
        assert "1 письмо не отправлено" in desk.text
        assert "Очереди" in desk.text
        assert not desk.is_too_wide()
        email_row(2, status=Status.FAILED)
        desk.click("Обновить")
        assert "2 письма не отправлены" in desk.text
