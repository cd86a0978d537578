"""Where a fiscal receipt can be sent: the first contact of a payer that YooKassa takes.

YooKassa's reference: `email` by RFC 5322, which is ASCII, of at most 254 characters; `phone` of 4 to 15 digits. What
breaks this is refused together with the whole payment, so an unusable contact makes room for the next one.
"""

import re
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

LONGEST_EMAIL = 254
# By RFC 5321, which mail servers hold.
_LONGEST_NAME = 64
# Without quotes: that form is allowed, and hardly any mail server takes it.
_NAME = re.compile(r"[0-9A-Za-z!#$%&'*+/=?^_`{|}~.-]+")
_check_email = EmailValidator(allowlist=[])
# What people write into a telephone number besides digits.
_PUNCTUATION = re.compile(r"[\s()+.\u2010-\u2015-]")
_PHONE = re.compile(r"[0-9]{4,15}")


@dataclass(frozen=True, slots=True)
class ReceiptContact:
    """Where the receipt goes: an e-mail address, or else a telephone number in digits with its country code."""

    email: str = ""
    phone: str = ""

    def to_json(self) -> dict[str, str]:
        return {"email": self.email} if self.email else {"phone": self.phone}


def receipt_contact(*, emails: tuple[str | None, ...], phone: str | None) -> ReceiptContact | None:
    """Return the first usable address, or else the number, or `None`."""
    for email in emails:
        if usable := _usable_email(email or ""):
            return ReceiptContact(email=usable)
    digits = _usable_phone(phone or "")
    return ReceiptContact(phone=digits) if digits else None


def _usable_email(text: str) -> str:
    """The address in ASCII; empty for one that no receipt can go to."""
    name, at, domain = text.strip().rpartition("@")
    domain = _ascii_domain(domain)
    address = f"{name}{at}{domain}"
    if not domain or not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME or len(address) > LONGEST_EMAIL:
        return ""
    try:
        _check_email(address)
    except ValidationError:
        return ""
    return address


def _ascii_domain(domain: str) -> str:
    """«почта.рф» as mail servers know it; empty for what leads to none: the address of a machine, localhost."""
    try:
        found = domain.encode("idna").decode("ascii")
        # Python's rules turn «ß» into "ss", which is the domain of somebody else.
        same = found.encode("ascii").decode("idna").lower() == domain.lower() or found.lower() == domain.lower()
    except UnicodeError:
        return ""
    last = found.rpartition(".")[2].lower()
    is_machine = domain.startswith("[") or last.isdigit() or last == "localhost"
    return "" if is_machine or not same else found


def _usable_phone(text: str) -> str:
    """The number in digits with the code of its country; empty for what is none."""
    written = text.strip()
    digits = _PUNCTUATION.sub("", written)
    if not _PHONE.fullmatch(digits):
        return ""
    if written.startswith("+"):
        return digits
    # As it is dialled within Russia: with an 8 in place of the code, or without any.
    if len(digits) == 11 and digits.startswith("8"):
        return f"7{digits[1:]}"
    return f"7{digits}" if len(digits) == 10 and digits.startswith("9") else digits
