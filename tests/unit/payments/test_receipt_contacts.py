"""Where a fiscal receipt goes: YooKassa refuses a whole payment for a contact that it does not take."""

import pytest

from payments.contacts import ReceiptContact, receipt_contact

PHONE = ReceiptContact(phone="79000000001")
LONG = "x" * 64
# Makes 254 characters with that.
LONGEST = f"{'y' * 63}.{'y' * 63}.{'y' * 57}.org"


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("ivan@example.org", "ivan@example.org"),
        (" ivan@example.org \n", "ivan@example.org"),
        ("\u00a0ivan@example.org", "ivan@example.org"),
        ("Ivan.Petrov+otter@Example.ORG", "Ivan.Petrov+otter@Example.ORG"),
        ("ivan@почта.рф", "ivan@xn--80a1acny.xn--p1ai"),
        ("ivan@ПОЧТА.РФ", "ivan@xn--80a1acny.xn--p1ai"),
        ("ivan@xn--80a1acny.xn--p1ai", "ivan@xn--80a1acny.xn--p1ai"),
        ("ivan@bücher.example.org", "ivan@xn--bcher-kva.example.org"),
        (f"{LONG}@{LONGEST}", f"{LONG}@{LONGEST}"),
    ],
)
def test_an_address_is_sent_as_mail_servers_know_it(written: str, sent: str) -> None:
    assert receipt_contact(emails=(written,), phone="+79000000001") == ReceiptContact(email=sent)
    assert sent.isascii()


@pytest.mark.parametrize(
    "written",
    [
        *("", " ", "ivan", "@", "ivan@", "@example.org", "ivan@example", "ivan@exa mple.org", "ivan@example.org."),
        *("ivan@localhost", "ivan@LOCALHOST", "ivan@mail.localhost"),
        *("ivan@[127.0.0.1]", "ivan@127.0.0.1", "ivan@10.10.10.10", "ivan@[IPv6:::1]", "ivan@[example.org]"),
        *("иван@example.org", "ivаn@example.org", "Ivan\u212a@example.org", "iva\u017f@example.org"),
        *('"ivan ivanov"@example.org', "ivan..petrov@example.org", ".ivan@example.org", "Ivan <ivan@example.org>"),
        # It would go to strasse.example.org, which is somebody else's.
        "ivan@straße.example.org",
        f"{LONG}x@example.org",
        f"{LONG}@{'y' * 63}.{'y' * 63}.{'y' * 58}.org",
        f"ivan@{'y' * 64}.org",
        f"ivan@{'ы' * 60}.рф",
        "ivan@example.org\nbcc: x@example.org",
        "ivan@example.org\u202e",
    ],
)
def test_an_unusable_address_makes_room_for_the_next_contact(written: str) -> None:
    assert receipt_contact(emails=(written,), phone="+7 900 000-00-01") == PHONE
    assert receipt_contact(emails=(written, "second@example.org"), phone=None) == ReceiptContact(
        email="second@example.org"
    )
    assert receipt_contact(emails=(written, None), phone="") is None


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("+7 900 000-00-01", "79000000001"),
        ("8 (900) 000–00–01", "79000000001"),
        ("900 000 00 01", "79000000001"),
        ("9000000001", "79000000001"),
        ("+372 512 3456", "3725123456"),
        # With a plus it is a number of another country, and no Russian one without its code.
        ("+9005551234", "9005551234"),
        ("+86 138 0013 8000", "8613800138000"),
        ("+45 12 34 56 78", "4512345678"),
        ("+290 1234", "2901234"),
        ("1234", "1234"),
        ("123456789012345", "123456789012345"),
    ],
)
def test_a_number_is_sent_in_digits(written: str, sent: str) -> None:
    assert receipt_contact(emails=(None,), phone=written) == ReceiptContact(phone=sent)


@pytest.mark.parametrize(
    "written",
    ["123", "1234567890123456", "+7 900 000-00-01 доб. 2", "٧٩٠٠٠٠٠٠٠٠١", "７９０００００００１", "+", "нет", "12e4"],
)
def test_an_unusable_number_is_none(written: str) -> None:
    assert receipt_contact(emails=(None,), phone=written) is None
