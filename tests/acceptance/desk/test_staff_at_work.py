"""What staff come for, done in a browser: no error, nothing from elsewhere, and no more clicks than promised."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser

from tests.support.browsing import serving, sitting_at
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


def test_what_the_menu_asks_for_fits_into_its_field(browser: Browser, address: str, boss: User) -> None:
    with sitting_at(browser, address, boss) as desk:
        desk.open("/admin/payments/payment/")
        hint = desk.page.locator("#nav-filter")
        asked = hint.get_attribute("placeholder") or ""
        hint.fill(asked)
        assert asked
        assert hint.evaluate("field => field.scrollWidth <= field.clientWidth")


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
