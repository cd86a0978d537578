"""How long words without spaces look in a narrow column."""

import re

from django.utils.html import format_html_join
from django.utils.safestring import SafeString


def breakable(text: str, *, after: str) -> SafeString:
    """The text, escaped, which may break after each of these characters."""
    pieces = re.split(f"(?<=[{re.escape(after)}])(?=.)", text)
    return format_html_join(SafeString("<wbr>"), "{}", ((piece,) for piece in pieces))


def breakable_address(address: str) -> SafeString:
    """An email address, which breaks only where it has a joint: after its @ and its dots."""
    return breakable(address, after="@.")
