"""What is composed here is, to the byte, what Django makes of it; the rest is left to Django."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from notifications.sending.composing import compose
from notifications.writing.catalogue import CATALOGUE
from notifications.writing.rendering import render_email
from notifications.writing.request import EmailRequest
from tests.support.email_samples import message_body

AT = datetime(2026, 11, 23, 11, 30, tzinfo=UTC)
HEADERS = {
    "Message-ID": "<email_queue.1.0123456789abcdef@littleotter.example>",
    "Date": "Mon, 23 Nov 2026 11:30:00 +0000",
    "Auto-Submitted": "auto-generated",
}


def mail(**changed: Any) -> EmailMultiAlternatives:
    html = changed.pop("html", "<p>Здравствуйте!</p>\n")
    values = {"subject": "Отчёт готов", "body": "Здравствуйте!\n", "to": ["parent@example.org"], "headers": HEADERS}
    made = EmailMultiAlternatives(**{**values, **changed})
    made.attach_alternative(html, "text/html")
    return made


def without_boundary(data: bytes) -> bytes:
    return re.sub(rb"={15}\d{19}==", b"BOUNDARY", data)


def by_django(mail: EmailMultiAlternatives) -> bytes:
    message: Any = mail.message()
    data: bytes = message.as_bytes(linesep="\r\n")
    return data


@pytest.fixture
def report_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "notifications.writing.rendering.make_report_link", lambda *_, **__: "https://api.example.org/r"
    )


@pytest.mark.usefixtures("report_links")
@pytest.mark.parametrize("name", CATALOGUE)
def test_every_mail_of_the_catalogue_is_composed_here(name: str) -> None:
    request = EmailRequest.parse(message_body(name))
    rendered = render_email(request, at=AT)
    one = mail(subject=request.subject, body=rendered.text, to=[request.recipient], html=rendered.html)
    composed = compose(one)
    assert composed is not None
    assert without_boundary(composed) == without_boundary(by_django(one))


@pytest.mark.parametrize(
    "changed",
    [
        {"subject": "A subject in ASCII"},
        {"subject": "Очень длинная тема письма о том, что отчёт о развитии ребёнка готов и ждёт вас " * 2},
        {"subject": "A long subject in ASCII that has to be folded " * 4},
        {"subject": ""},
        {"reply_to": ["help@littleotter.example"]},
        {"reply_to": ["Помощь <help@xn--80aab4aapp6ak.xn--p1ai>"]},
        {"to": [f"{'a' * 60}@{'b' * 60}.example.org"]},
        {"to": ["parent@балансити.рф"]},
        {"to": ["Мама <parent@example.org>"]},
        {"from_email": "Выдра и друзья <hello@littleotter.example>"},
        {"body": "нет конца строки", "html": "и здесь"},
        {"body": "From the start\n.\n..\n€\n\n"},
        {"body": "€" * 332},
        {"headers": {**HEADERS, "X-Long": "word " * 40}},
    ],
)
def test_odd_mails_are_composed_as_django_does(changed: dict[str, Any], settings: Settings) -> None:
    settings.DEFAULT_FROM_EMAIL = "Balansity <hello@littleotter.example>"
    one = mail(**changed)
    composed = compose(one)
    assert composed is not None
    assert without_boundary(composed) == without_boundary(by_django(one))


@given(
    subject=st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])),
    body=st.text(),
    html=st.text(),
)
def test_any_text_is_composed_as_django_does_or_left_to_it(subject: str, body: str, html: str) -> None:
    one = mail(subject=subject, body=body, html=html)
    composed = compose(one)
    if composed is not None:
        assert without_boundary(composed) == without_boundary(by_django(one))


@pytest.mark.parametrize(
    "change", ["attachment", "copy", "second", "no date", "long line", "carriage return", "ASCII", "surrogate"]
)
def test_other_mails_are_left_to_django(change: str) -> None:
    one = mail(
        cc=["other@example.org"] if change == "copy" else [],
        headers={"Message-ID": "<a@b>"} if change == "no date" else HEADERS,
        body={"long line": "€" * 333, "carriage return": "я\rb", "ASCII": "text", "surrogate": "я\ud800"}.get(
            change, "я"
        ),
    )
    if change == "attachment":
        one.attach("visit.ics", "BEGIN:VCALENDAR", "text/calendar")
    if change == "second":
        one.attach_alternative("{}", "application/json")
    assert compose(one) is None


@pytest.mark.parametrize("header", ["Subject", "X-Note", "To"])
def test_a_line_break_in_a_header_is_refused_as_django_refuses_it(header: str) -> None:
    broken = "one\nBcc: other@example.org"
    one = mail(
        subject=broken if header == "Subject" else "s",
        to=[broken if header == "To" else "a@example.org"],
        headers={**HEADERS, **({"X-Note": broken} if header == "X-Note" else {})},
    )
    with pytest.raises(ValueError, match="newlines"):
        compose(one)
