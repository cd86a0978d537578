"""What an authenticator app is given: an address, a picture of it, and the secret for people who type."""

from base64 import b32encode
from binascii import unhexlify
from typing import Any

import segno
from django.utils.safestring import SafeString, mark_safe
from django_otp.plugins.otp_totp.models import TOTPDevice


def address_of(user: Any, key: str) -> str:
    """What the picture says, in the form that apps know (`otpauth://`)."""
    address: str = TOTPDevice(user=user, key=key).config_url
    return address


def picture_of(address: str, title: str) -> SafeString:
    """A QR code within the page: black on white whatever the page is, as cameras want it, and without any style."""
    code = segno.make(address, micro=False)
    drawn = code.svg_inline(
        border=4,
        dark="#000",
        light="#fff",
        omitsize=True,
        title=title,
        svgclass="second-factor-picture",
        lineclass=None,
    )
    # Its text is made of numbers, and the title is escaped by it.
    return mark_safe(drawn)  # noqa: S308


def secret_of(key: str) -> str:
    text = b32encode(unhexlify(key)).decode()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))
