"""Whom a family can ask, as an operator may write it."""

import pytest

from wording.contact import Contact, Kind, read_contact


@pytest.mark.parametrize(
    ("written", "contact"),
    [
        (
            "help@littleotter.example",
            Contact(Kind.ADDRESS, "help@littleotter.example", "mailto:help@littleotter.example"),
        ),
        (" mailto:help@a.example ", Contact(Kind.ADDRESS, "help@a.example", "mailto:help@a.example")),
        (
            "help+otter@a.example",
            Contact(Kind.ADDRESS, "help+otter@a.example", "mailto:help+otter@a.example"),
        ),
        ("help@балансити.рф", Contact(Kind.ADDRESS, "help@балансити.рф", "mailto:help@xn--80aab4aapp6ak.xn--p1ai")),
        ("+7 (495) 123-45-67", Contact(Kind.TELEPHONE, "+7 (495) 123-45-67", "tel:+74951234567")),
        ("8 800 555-35-35", Contact(Kind.TELEPHONE, "8 800 555-35-35", "tel:+78005553535")),
        ("7 800 555 35 35", Contact(Kind.TELEPHONE, "7 800 555 35 35", "tel:+78005553535")),
        ("495 123 45 67", Contact(Kind.TELEPHONE, "495 123 45 67", "tel:+74951234567")),
        ("tel:+49 30 12345678", Contact(Kind.TELEPHONE, "+49 30 12345678", "tel:+493012345678")),
        (
            "8\u00a0800\u00a0555\u201135\u201135",
            Contact(Kind.TELEPHONE, "8 800 555\u201135\u201135", "tel:+78005553535"),
        ),
        ("https://t.me/littleotter", Contact(Kind.PAGE, "t.me/littleotter", "https://t.me/littleotter")),
        (
            "https://www.балансити.рф/помощь/",
            Contact(Kind.PAGE, "балансити.рф/помощь", "https://www.балансити.рф/помощь/"),
        ),
        (
            "HTTPS://a.example:8443/help?from=mail#chat",
            Contact(Kind.PAGE, "a.example:8443/help?from=mail#chat", "HTTPS://a.example:8443/help?from=mail#chat"),
        ),
    ],
)
def test_an_address_a_number_and_a_page_each_become_a_link(written: str, contact: Contact) -> None:
    assert read_contact(written) == contact


def test_nothing_is_no_contact() -> None:
    assert read_contact("") is read_contact("  ") is None


@pytest.mark.parametrize(
    "written",
    [
        *("help", "help@", "@a.example", "Помощь <help@a.example>", "help@a.example, two@a.example", "help@[10.0.0.1]"),
        *('"a b"@a.example', "a?subject=x@a.example", "a%0Abcc@a.example", "help@a.example?bcc=all@b.example"),
        *("112", "+7", "12345", "+7 495 123-45-67 доб. 2", "+7 495 1234567890123456", "٨٨٠٠٥٥٥٣٥٣٥", "7+4951234567"),
        *(
            "http://a.example/help",
            "https://",
            "https:a.example",
            "https://localhost",
            "https://user:pw@a.example",
            "ftp://a.example",
        ),
        *(
            "https://a.example/x y",
            "https://a.example/<b>",
            'https://a.example/"',
            "https://a.example:99999/",
            "https://a.example\\@b.example",
        ),
        *(
            "javascript:alert(1)",
            "data:text/html,x",
            "a@a.example\r\nBcc: b@b.example",
            "https://a.example/" + "x" * 300,
            "a.example/help",
        ),
        "https://a.example, https://b.example",
    ],
)
def test_what_is_none_of_the_three_is_refused(written: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the settings word it
        read_contact(written)


def test_in_plain_text_a_page_is_named_in_full() -> None:
    page, number = read_contact("https://www.a.example/help/"), read_contact("8 800 555-35-35")
    assert page is not None
    assert number is not None
    assert page.plain == "https://www.a.example/help/"
    assert number.plain == "8 800 555-35-35"
