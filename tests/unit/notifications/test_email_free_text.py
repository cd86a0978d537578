"""What strangers may write into our mails: text that people read, and nothing that a mail client makes a link of."""

import re
from functools import cache
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.writing.rendering import RenderedEmail, render_email
from notifications.writing.request import EmailRequest
from tests.support.email_samples import message_body
from tests.unit.notifications.test_email_rendering import AT as MOMENT
from wording.plain_text import linkless_line, one_line

# As generously as mail clients find them: with a scheme or a bare host, Unicode labels, addresses, numbers to call.
LINK = re.compile(
    r"\w+[:\ufe55]/|\bwww\b\.|[^\W_][\w-]*[.\u3002\uff0e\uff61\u2024\ufe52][\ufe0f\u0301\u034f]?[^\W_]|[\w.+-]+[@\uff20\ufe6b][\w-]"
    r"|\\\\\w|(?:\d[\s()./-]*){10,}|=\?|mailto:\w|tel:\S|\d\d\d-\d\d-\d\d|\d{7}"
)
HOSTILE = [
    "войдите на http://littleotter-pay.evil.example/login",
    "HTTPS://EVIL.EXAMPLE",
    "hxxp: http:evil.example//x",
    "ftp://evil.example и //evil.example/x",
    "срочно на www.evil.example",
    "evil.example/login",
    "балансити-оплата.рф",
    "оплата。рф и evil．example и evil｡example и evil․example",
    "xn--80ak6aa92e.com",
    "192.0.2.10/login и [2001:db8::1]",
    "пишите на help@evil.example или help＠evil.example",
    "mailto:help@evil.example tel:+79000000000",
    "звоните +7 (900) 000-00-00",
    "88005553535",
    r"\\evil.example\share",
    "t.me/evil",
    "http://localhost:8000/x",
    "evil\u200b.example и evil.\u00adexample",
    "=?utf-8?b?0JLQvtC50YLQuA==?=",
    # What shows as a dot or not at all, and joins all the same.
    "evil﹒example/login",
    "evil.\ufe0fexample, evil.\u034fexample, evil.\u0301example",
    "help﹫evil.example, http﹕//evil",
    "0300.0000.0002.0012/x",
    "192.0.522/login",
    "tel:+7900000",
    "555-35-35 и 5553535",
    "+7/900/000/00/00",
]


def seen(text: str) -> str:
    """The text without what takes its addresses apart."""
    return re.sub(r"[\s·]", "", text)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_address_is_left_whole_and_every_letter_is(text: str) -> None:
    assert LINK.search(one_line(text, 200))
    line = linkless_line(text, 200)
    assert LINK.search(line) is None
    assert seen(line) == seen(one_line(text, 200))
    assert line.isprintable()


def rendered(template: str, variable: str, value: str) -> RenderedEmail:
    return render_email(EmailRequest.parse(message_body(template, **{variable: value})), at=MOMENT)


# For what all tests compare theirs with, whose links are the same in each.
mail_with = cache(rendered)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    ("template", "variable"),
    [
        ("checkup_completed", "profile_name"),
        ("report_ready", "profile_name"),
        ("appointment_confirmation", "appointment_type"),
        ("payment_confirmation", "payment_method"),
    ],
)
def test_no_free_text_becomes_a_link_in_either_part_of_a_mail(
    text: str, template: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifications.writing.links._makers", [lambda *_: "https://api.littleotter.example/report"])
    usual, hostile = mail_with(template, variable, "Маша"), rendered(template, variable, text)
    strip = re.compile(r"<style>.*?</style>", re.DOTALL)
    for one, other in ((usual.text, hostile.text), (strip.sub("", usual.html), strip.sub("", hostile.html))):
        assert seen(one_line(text, 200))[:10] in seen(unescape(other))
        assert len(LINK.findall(unescape(other))) == len(LINK.findall(unescape(one)))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_subject_becomes_a_link(text: str) -> None:
    subject = EmailRequest.parse(message_body("payment_failed") | {"subject": text}).subject
    assert LINK.search(subject) is None


@pytest.mark.parametrize(
    "text",
    [
        "Маша",
        "Консультация психолога",
        "Анна-Мария О’Коннор",
        "ул. Ленина, д. 5",
        "25 000 ₽",
        "Семейная сессия (90 минут)",
        "1.5 часа, с 14:30 до 16:00, 23.11.2026 или 2026-11-23",
        "и/или... :)",
        "Консультация 23.11.2026 14:30",
        "100 000 ₽, 1 200.50 ₽ и 3-5 лет",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert linkless_line(text, 200) == text


def test_initials_and_labels_get_the_space_that_they_lack() -> None:
    assert linkless_line("А.С. Пушкин, возраст:7", 200) == "А. С. Пушкин, возраст: 7"


@given(text=st.text(max_size=300), most=st.integers(1, 255))
def test_whatever_the_text_is_it_stays_one_line_of_bounded_length(text: str, most: int) -> None:
    line = linkless_line(text, most)
    assert len(line) <= most
    assert "\n" not in line
    assert seen(line).rstrip("…") in seen(one_line(text, most)).rstrip("…")


def test_a_long_subject_of_many_dots_fits_its_column() -> None:
    assert len(EmailRequest.parse(message_body("payment_failed") | {"subject": "a.b" * 200}).subject) <= 255


def test_the_footer_says_who_gets_the_mail_and_why(settings: object) -> None:
    settings.EMAIL_EXTRA_RECIPIENTS = ()  # type: ignore[attr-defined]
    request = EmailRequest.parse(message_body("payment_failed", to="anna@example.org"))
    for part in (render_email(request, at=MOMENT).text, render_email(request, at=MOMENT).html.replace("&nbsp;", " ")):
        assert "на адрес anna@example.org, указанный в личном кабинете Little Otter" in part
        assert "проверочное" not in part
    settings.EMAIL_EXTRA_RECIPIENTS = ("example.org",)  # type: ignore[attr-defined]
    trial = render_email(request, at=MOMENT).text
    assert "Это проверочное письмо: адрес anna@example.org внесён в настройки нашей почты." in trial
    assert "указанный в личном кабинете" not in trial
