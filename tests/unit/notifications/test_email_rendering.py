import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from notifications.writing.catalogue import CATALOGUE
from notifications.writing.rendering import RenderedEmail, render_email
from notifications.writing.request import EmailRequest
from tests.support.email_samples import EXPECTED, NBSP, SAMPLES, SITE, message_body
from wording.plain_text import linkless_line

AT = datetime(2026, 11, 23, 11, 30, tzinfo=UTC)

VOID = {"meta", "br", "img", "hr", "input", "link"}


class Page(HTMLParser):
    """What a mail client sees: the text, the links, and tags that are not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.problems: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src", "background", "action"}]
        self.problems += [name for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def render(template: str, **variables: Any) -> RenderedEmail:
    request = EmailRequest.parse(message_body(template, **variables))
    return render_email(request, at=AT)


def link_of_report(report_id: UUID, recipient: str, at: datetime) -> str:
    assert at == AT
    return f"https://api.example.org/reports/{report_id}?token=s3-cr_et&to={recipient.partition('@')[0]}"


@pytest.fixture(autouse=True)
def _site(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.FRONTEND_URL = f"{SITE}/"
    settings.SUPPORT_CONTACT = "help@littleotter.example"
    monkeypatch.setattr("notifications.writing.links._makers", [link_of_report])


def test_every_mail_of_the_catalogue_has_a_sample_and_what_it_must_say() -> None:
    assert SAMPLES.keys() == EXPECTED.keys() == CATALOGUE.keys()


@pytest.mark.parametrize("template", EXPECTED)
def test_the_html_says_what_it_must_and_leads_to_the_right_page(template: str) -> None:
    heading, pieces, link = EXPECTED[template]
    page = Page(render(template).html)
    assert heading in page.text.replace(NBSP, " ")
    for piece in pieces:
        assert piece in page.text
    assert link in page.links


@pytest.mark.parametrize("template", EXPECTED)
def test_the_text_alternative_says_the_same(template: str) -> None:
    heading, pieces, link = EXPECTED[template]
    text = render(template).text
    assert text.startswith(heading.upper())
    for piece in [*pieces, link]:
        assert piece in text
    assert not re.search(r"<[a-z/]|&[a-z]+;|{[{%]|\n{4}", text)


@pytest.mark.parametrize("template", EXPECTED)
def test_the_html_is_well_formed_loads_nothing_and_runs_nothing(template: str) -> None:
    html = render(template).html
    page = Page(html)
    assert page.problems == []
    assert page.open == []
    assert page.tags.isdisjoint({"img", "script", "link", "iframe", "form", "object", "svg"})
    assert "url(" not in html
    ours = (SITE, "https://api.example.org/", "mailto:help@littleotter.example")
    assert all(link.startswith(ours) for link in page.links)
    assert "{{" not in html
    assert "{%" not in html


@pytest.mark.parametrize("template", EXPECTED)
def test_the_layout_is_one_of_600_pixels_with_a_dark_side(template: str) -> None:
    html = render(template).html
    assert "max-width:600px" in html
    assert '<meta name="color-scheme" content="light dark">' in html
    assert "@media (prefers-color-scheme: dark)" in html
    assert html.startswith("<!doctype html>")


HOSTILE = """<script>alert(1)</script>"' onload=x {{ content }} {% now "Y" %} &amp; </td>"""


def test_html_in_a_name_is_shown_as_text() -> None:
    rendered = render("checkup_completed", profile_name=HOSTILE)
    page = Page(rendered.html)
    assert linkless_line(HOSTILE, 200) in page.text
    assert "script" not in page.tags
    assert page.problems == []
    assert linkless_line(HOSTILE, 200) in rendered.text


@given(name=st.text(min_size=1, max_size=300).filter(lambda name: bool(linkless_line(name, 200))))
def test_no_name_breaks_the_mail(name: str) -> None:
    rendered = render("report_ready", profile_name=name)
    page = Page(rendered.html)
    assert page.problems == []
    assert page.open == []
    assert linkless_line(name, 200) in page.text
    assert linkless_line(name, 200) in rendered.text.splitlines()[6].removeprefix("Профиль: ")


def test_what_is_null_in_the_database_has_no_line() -> None:
    assert "Завершён:" not in render("checkup_completed", completed_at=None).text
    confirmation = render("payment_confirmation", payment_method=None)
    assert "Способ оплаты" not in confirmation.html + confirmation.text


def test_an_unknown_payment_method_is_shown_as_it_is() -> None:
    assert "Способ оплаты: наличные" in render("payment_confirmation", payment_method="наличные").text
