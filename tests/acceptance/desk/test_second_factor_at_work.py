"""A phone in a hand and a second factor to set up, in a browser and without scripts."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django_otp.plugins.otp_totp.models import TOTPDevice
from playwright.sync_api import Browser

from balansity.door.limits import attempts
from tests.support.browsing import serving, sitting_at
from tests.support.databases import ClonedDatabase
from tests.support.second_factors import code_of

PASSWORD = "correct horse battery"


@pytest.fixture
def address(seeded_database: ClonedDatabase, broker_url: str) -> Iterator[str]:
    attempts.forget_all()
    with serving() as there:
        yield there
    attempts.forget_all()


def test_the_first_login_sets_one_up_and_the_next_asks_for_it(browser: Browser, address: str, settings: Any) -> None:
    settings.STAFF_2FA = "required"
    boss = User.objects.create_superuser("boss", "boss@example.com", PASSWORD)
    with sitting_at(browser, address, boss, width=390, dark=True, scripts=False) as desk:

        def log_in() -> None:
            desk.open("/admin/payments/payment/")
            desk.page.get_by_label("Имя пользователя").fill("boss")
            desk.page.get_by_label("Пароль").fill(PASSWORD)
            desk.press("Войти")

        log_in()
        picture = desk.page.locator("svg.second-factor-picture").bounding_box()
        assert picture is not None
        assert picture["width"] > 180
        assert not desk.is_too_wide()
        secret = desk.page.locator(".second-factor-secret").inner_text().replace(" ", "")
        app = TOTPDevice(key=base64.b32decode(secret).hex())
        desk.page.get_by_label("Код, который показывает приложение").fill(code_of(app, steps=-1))
        desk.press("Включить")
        assert desk.page.locator(".second-factor-codes li").count() == 10
        assert not desk.is_too_wide()
        desk.click("Коды сохранены, продолжить")
        assert desk.page.url == f"{address}/admin/payments/payment/"
        desk.press("Выйти")
        log_in()
        desk.page.get_by_label("Код из приложения").fill(code_of(app))
        desk.press("Продолжить")
        assert desk.page.url == f"{address}/admin/payments/payment/"
