"""How an email address looks in a narrow column."""

import re

from django.utils.html import format_html_join
from django.utils.safestring import SafeString

_AFTER_A_JOINT = re.compile(r"(?<=[@.])(?=.)")


def breakable_address(address: str) -> SafeString:
    """The address, escaped, which breaks only where it has a joint: after its @ and its dots."""
    pieces = _AFTER_A_JOINT.split(address)
    return format_html_join(SafeString("<wbr>"), "{}", ((piece,) for piece in pieces))
