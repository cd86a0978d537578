"""The home page of staff, as whoever is logged in to the admin reads it: what needs somebody."""

import re
from html import unescape

# A sentence, and where it leads.
_LINE = re.compile(r'<li class="home-line[^>]*>\s*<a href="([^"]*)">([^<]*)</a>')


def sentence_about(queue: str, page: str) -> str:
    """What the page says of the queue as a whole: that it is paused, or what it waits for. Empty: nothing."""
    found = (unescape(text) for address, text in _LINE.findall(page) if address.rstrip("/").endswith(f"/{queue}"))
    return next(found, "")
