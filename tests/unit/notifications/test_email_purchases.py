"""What the mails about money say was bought, and what the payer does next."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_django import Settings

from notifications.writing.facts import NONE, Facts, Purchase
from notifications.writing.rendering import RenderedEmail, render_email
from notifications.writing.request import EmailRequest
from tests.support.email_samples import NBSP, ORDER, SITE, message_body
from tests.unit.notifications.test_email_rendering import AT, Page

TALK = Facts(purchase=Purchase("Семейная сессия", starts_at=datetime(2026, 12, 1, 12, 0, tzinfo=UTC)))
PACKAGE = Facts(purchase=Purchase("Восемь семейных сессий", sessions=8))
MONEY_MAILS = {"payment_confirmation": "Что оплачено", "payment_failed": "Что оплачивали", "payment_refunded": "За что"}


@pytest.fixture(autouse=True)
def _site(settings: Settings) -> None:
    settings.FRONTEND_URL = SITE


def render(template: str, facts: Facts, **variables: Any) -> RenderedEmail:
    return render_email(EmailRequest.parse(message_body(template, **variables)), facts, at=AT)


def words(rendered: RenderedEmail) -> tuple[str, str]:
    """Both parts, with the labels and values of the HTML on a line each, as the text has them."""
    return " ".join(Page(rendered.html).text.replace(NBSP, " ").split()), rendered.text.replace(NBSP, " ")


@pytest.mark.parametrize(("template", "label"), MONEY_MAILS.items())
def test_a_consultation_is_named_with_its_time_in_moscow(template: str, label: str) -> None:
    html, text = words(render(template, TALK))
    assert f"{label} Семейная сессия" in html
    assert "Выбранное время 1 декабря 2026, 15:00 МСК" in html
    assert f"\n\n{label}: Семейная сессия\nВыбранное время: 1 декабря 2026, 15:00 МСК\nСумма: " in text


@pytest.mark.parametrize(("template", "label"), MONEY_MAILS.items())
def test_a_package_is_named_with_its_sessions(template: str, label: str) -> None:
    html, text = words(render(template, PACKAGE))
    assert f"{label} Восемь семейных сессий" in html
    assert "Встреч в пакете 8" in html
    assert f"\n\n{label}: Восемь семейных сессий\nВстреч в пакете: 8\nСумма: " in text
    assert "Выбранное время" not in html + text


@pytest.mark.parametrize("template", MONEY_MAILS)
def test_what_is_not_known_is_not_spoken_of(template: str) -> None:
    html, text = words(render(template, NONE))
    for part in (html, text):
        assert not any(label in part for label in (*MONEY_MAILS.values(), "Выбранное время", "Встреч в пакете"))
    assert "\n\n\n" not in text


def test_who_bought_a_package_is_led_to_the_first_meeting() -> None:
    rendered = render("payment_confirmation", PACKAGE)
    assert f"{SITE}/appointments" in Page(rendered.html).links
    assert f"Записаться на встречу:\n{SITE}/appointments" in rendered.text
    for part in words(rendered):
        assert "выберите время первой в личном кабинете" in part


def test_who_paid_for_a_consultation_knows_that_its_mail_comes() -> None:
    rendered = render("payment_confirmation", TALK)
    assert f"{SITE}/cabinet" in Page(rendered.html).links
    for part in words(rendered):
        assert "О записи на консультацию мы сообщаем отдельным письмом." in part


@pytest.mark.parametrize("template", MONEY_MAILS)
def test_the_order_has_the_number_that_the_till_shows(template: str) -> None:
    upper = "3F2B8C1E-5D4A-4F6B-9C7D-8E9F0A1B2C3D"
    rendered = render(template, NONE, payment_id=upper)
    for part in (Page(rendered.html).text, rendered.text):
        assert ORDER in part
        assert upper.lower()[8:] not in part.lower()
