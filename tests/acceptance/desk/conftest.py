"""The browser that all of them share. Each test opens pages of its own in it, with a session and files of its own."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.chromium import browsing


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with browsing() as opened:
        yield opened
