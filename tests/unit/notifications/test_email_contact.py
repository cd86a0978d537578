"""Whom a family can ask, and who writes to it: the same in every mail, in both of its parts."""

import re
from html import unescape
from pathlib import Path

import pytest
from pytest_django import Settings

from notifications.writing.catalogue import CATALOGUE
from sandbox.packages import CHECKOUT
from tests.support.email_samples import NBSP
from tests.unit.notifications.test_email_rendering import Page, link_of_report, render

CONTACTS = [
    ("help@littleotter.example", "mailto:help@littleotter.example", "Напишите нам: help@littleotter.example"),
    ("help@балансити.рф", "mailto:help@xn--80aab4aapp6ak.xn--p1ai", "Напишите нам: help@балансити.рф"),
    ("8 800 555-35-35", "tel:+78005553535", "Позвоните нам: 8 800 555-35-35"),
    ("https://t.me/littleotter?a=1&b=2", "https://t.me/littleotter?a=1&b=2", "Мы на связи: t.me/littleotter?a=1&b=2"),
]
WHOSE = "Little Otter — сервис Balansity"
# Where families read: what stands there in Russian is ours, not a customer's.
FOR_FAMILIES = (
    *("notifications/templates/**/*.*", "reports/templates/**/*.*", "reports/document/*.toml", "wording/**/*.*"),
    *("sandbox/shop/**/*.*", "sandbox/services/seed.sql", "balansity/locale/ru/LC_MESSAGES/django.po"),
)


@pytest.fixture(autouse=True)
def _links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifications.writing.links._makers", [link_of_report])


@pytest.mark.parametrize("template", CATALOGUE)
@pytest.mark.parametrize(("contact", "link", "words"), CONTACTS)
def test_every_mail_says_whom_to_ask(template: str, contact: str, link: str, words: str, settings: Settings) -> None:
    settings.SUPPORT_CONTACT = contact
    rendered = render(template)
    page = Page(rendered.html)
    assert page.links.count(link) == 1
    assert words in page.text.replace(NBSP, " ")
    assert words.replace("t.me/", "https://t.me/") in rendered.text


@pytest.mark.parametrize("template", CATALOGUE)
def test_without_a_contact_no_mail_speaks_of_one(template: str, settings: Settings) -> None:
    settings.SUPPORT_CONTACT = ""
    rendered = render(template)
    assert "mailto:" not in rendered.html
    for part in (Page(rendered.html).text.replace(NBSP, " "), rendered.text):
        assert not re.search("вопросы|нам:|сообщите нам|связи:", part)
    assert not re.search(r"\n{3}", rendered.text)


@pytest.mark.parametrize("template", CATALOGUE)
def test_every_mail_says_at_its_head_and_foot_whose_it_is(template: str) -> None:
    rendered = render(template)
    text = Page(rendered.html).text.replace(NBSP, " ")
    assert text.index(WHOSE) < text.index("Здравствуйте")
    assert text.count(WHOSE) == 2
    assert f"--\n{WHOSE}\n" in rendered.text


def test_one_thing_has_one_name_wherever_a_family_reads_it() -> None:
    files = {path for pattern in FOR_FAMILIES for path in CHECKOUT.glob(pattern) if _is_text(path)}
    assert len(files) > 40, "the search finds too little"
    said = {str(path.relative_to(CHECKOUT)) for path in files if "чекап" in unescape(path.read_text("utf-8")).lower()}
    assert said == set()


def _is_text(path: Path) -> bool:
    return path.is_file() and path.suffix in {".html", ".txt", ".toml", ".py", ".js", ".sql", ".po", ".css"}
