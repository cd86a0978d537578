"""Public addresses of our own pages: from `API_BASE_URL`, and never from what a request says that it came to."""

from typing import Any

from django.conf import settings
from django.urls import get_script_prefix, reverse


def our_address(view: str, *args: Any) -> str:
    """The address of a view of ours, the same in every process and thread."""
    return public_address(reverse(view, args=args))


def public_address(path: str) -> str:
    """The same for what `reverse` has given to this thread."""
    # What it puts in front depends on who asks: a thread that serves nobody has no prefix.
    return f"{settings.API_BASE_URL.rstrip('/')}/{path.removeprefix(get_script_prefix())}"
