"""How families reach a person of ours: an address, a telephone number or a page, as `SUPPORT_CONTACT` names it."""

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

LONGEST = 254

_check_address = EmailValidator(allowlist=[])
# What people write into a telephone number besides digits, the spaces and dashes of typesetters included.
_PUNCTUATION = re.compile("[\\s().\u2010-\u2015-]")
_TELEPHONE = re.compile(r"\+?\d{10,15}")


class Kind(StrEnum):
    """What one does there: the words before it differ."""

    ADDRESS = "address"
    TELEPHONE = "telephone"
    PAGE = "page"


@dataclass(frozen=True, slots=True)
class Contact:
    """`text` is for people, `href` for what they press: `mailto:`, `tel:` or `https://`."""

    kind: Kind
    text: str
    href: str

    @property
    def words(self) -> str:
        """What stands before the link: «Напишите нам:»."""
        return _INVITATIONS[self.kind]

    @property
    def plain(self) -> str:
        """The link where nothing can be pressed: in plain text."""
        return self.href if self.kind is Kind.PAGE else self.text


_INVITATIONS = {
    Kind.ADDRESS: "Напишите нам:",
    Kind.TELEPHONE: "Позвоните нам:",
    Kind.PAGE: "Мы на связи:",
}


def read_contact(text: str) -> Contact | None:
    """The contact that the text names, or `None` for an empty one. Raises `ValueError` for what is none of the three.

    `mailto:` and `tel:` may stand in front. A number is dialled from anywhere: the 8 of Russia becomes +7.
    """
    text = " ".join(text.split())
    if not text:
        return None
    if len(text) > LONGEST or not text.isprintable():
        raise ValueError(text)
    scheme, colon, rest = text.partition(":")
    if scheme.lower() == "https":
        return _page(text)
    if colon and scheme.lower() in {"mailto", "tel"}:
        text = rest.strip()
    return _address(text) if "@" in text else _telephone(text)


def _address(text: str) -> Contact:
    try:
        _check_address(text)
        local, _, domain = text.rpartition("@")
        # Of what stands there letters and digits are certain to mean nothing else in an address of `mailto:`.
        if not re.fullmatch(r"[\w.+-]+", local, re.ASCII) or domain.endswith("]"):
            raise ValueError(text)
        return Contact(Kind.ADDRESS, text, f"mailto:{local}@{domain.encode('idna').decode('ascii')}")
    except (ValidationError, UnicodeError) as error:
        raise ValueError(text) from error


def _telephone(text: str) -> Contact:
    digits = _PUNCTUATION.sub("", text)
    if not _TELEPHONE.fullmatch(digits) or not digits.isascii():
        raise ValueError(text)
    if not digits.startswith("+"):
        if len(digits) == 11 and digits[0] in "78":
            digits = f"7{digits[1:]}"
        elif len(digits) == 10:
            digits = f"7{digits}"
        digits = f"+{digits}"
    return Contact(Kind.TELEPHONE, text, f"tel:{digits}")


def _page(text: str) -> Contact:
    parts = urlsplit(text)
    host = parts.hostname or ""
    # Reading the port checks it.
    is_plain = parts.port != 0 and parts.username is None and not re.search(r"[\s<>\"'\\,]", text)
    if not is_plain or not re.fullmatch(r"[^\W_](?:[\w-]*[^\W_])?(?:\.[^\W_](?:[\w-]*[^\W_])?)+", host):
        raise ValueError(text)
    # Without what nobody reads aloud.
    shown = text.partition("://")[2].rstrip("/").removeprefix("www.")
    return Contact(Kind.PAGE, shown, text)
