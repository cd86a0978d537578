"""Debian's Chromium, led by Playwright. It knows nothing of Django, and may be loaded before there are settings."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright


@contextmanager
def browsing() -> Iterator[Browser]:
    """Chromium without a window, in Russian."""
    # Playwright keeps an event loop in this thread, which Django would take for a reason to refuse its database.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which(os.environ.get("CHROMIUM", "chromium")),
                # Nobody else is found. If requests were held up instead, Chromium would keep no file from page to page.
                args=[
                    *("--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--lang=ru"),
                    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                ],
            )
            try:
                yield browser
            finally:
                browser.close()
    finally:
        if before is None:
            del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
        else:
            os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before
