"""A member of the staff at a real browser: Debian's Chromium, led by Playwright, on pages of this very process.

What no test client sees is noted of every page: errors of the console, requests to somebody else's server, scripts and
styles that the Content-Security-Policy forbids, pages without one. Clicks are counted, as staff count them.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.wsgi import get_wsgi_application
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, Response

from sandbox.dev.pictures.site import serving as serving_it

WAIT_SECONDS = 20.0
# Parts that are wider inside than outside: their end is cut off, or seen by whoever moves it in there.
_CUT_OFF = """() => [...document.querySelectorAll('html, body, body *')].filter(part =>
    part.checkVisibility() && part.innerText?.trim() && part.clientWidth > 1 && part.scrollWidth > part.clientWidth + 1
    && (part.matches('html') || getComputedStyle(part).overflowX !== 'visible')
).map(part => `${part.tagName}.${part.className}: ${part.innerText.slice(0, 60)}`)"""


@dataclass
class Desk:
    """A page that is open in the browser. `clicks` counts what its user pressed; `faults` is what was wrong so far."""

    page: Page
    address: str
    clicks: int = 0
    faults: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        """Come to a page by its address, as from a bookmark."""
        self.page.goto(self.address + path)

    def click(self, name: str, *, role: Any = "link", within: Locator | None = None) -> None:
        """Press the one thing of this role that is called so, as people see or hear it."""
        (within or self.page).get_by_role(role, name=name, exact=True).click()
        self.clicks += 1
        self.page.wait_for_load_state()

    def press(self, name: str, *, within: Locator | None = None) -> None:
        self.click(name, role="button", within=within)

    @property
    def text(self) -> str:
        """What the page says, in words."""
        return self.page.locator("#content").inner_text()

    def is_too_wide(self) -> bool:
        """Whether the page must be moved sideways to be read."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))

    def cut_off(self) -> list[str]:
        """What of the page is cut off, or must be moved sideways by itself."""
        parts: list[str] = self.page.evaluate(_CUT_OFF)
        return parts

    def watch(self) -> None:
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.faults.append(f"{self.page.url}: {error}"))
        self.page.on("response", self._answered)
        self.page.on("requestfailed", self._failed)
        self.page.on("request", self._asked)

    def _heard(self, message: ConsoleMessage) -> None:
        # What the Content-Security-Policy forbids is said there as well.
        if message.type in ("error", "warning"):
            self.faults.append(f"{self.page.url}: the console says: {message.text}")

    def _answered(self, response: Response) -> None:
        is_page = response.headers.get("content-type", "").startswith("text/html")
        if is_page and "content-security-policy" not in response.headers:
            self.faults.append(f"{response.url} has no Content-Security-Policy")

    def _failed(self, request: Request) -> None:
        # Whoever goes on to another page leaves behind what was asked for.
        if "ERR_ABORTED" not in (request.failure or ""):
            self.faults.append(f"{request.url}: {request.failure}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:", "about:")):
            self.faults.append(f"a foreign request: {request.url}")


@contextmanager
def serving() -> Iterator[str]:
    """Serve the product from this process, on its database; yields the address."""
    handing_on = _HandingOn(get_wsgi_application())
    with serving_it(handing_on.answer) as address:
        yield address
    handing_on.close()


class _HandingOn:
    """Lets each request have the connection of one before it: each has a thread of its own, and they end with it.

    What is open at the end is closed: the database is the test's own, and goes with it.
    """

    def __init__(self, application: Any) -> None:
        self._application = application
        self._free: list[BaseDatabaseWrapper] = []

    def answer(self, environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        with suppress(IndexError):
            connections[DEFAULT_DB_ALIAS] = self._free.pop()
        try:
            body = self._application(environ, start_response)
            try:
                yield from body
            finally:
                if hasattr(body, "close"):
                    body.close()
        finally:
            used = connections[DEFAULT_DB_ALIAS]
            del connections[DEFAULT_DB_ALIAS]
            if not used.allow_thread_sharing:
                used.inc_thread_sharing()
            self._free.append(used)

    def close(self) -> None:
        for used in self._free:
            used.close()


@contextmanager
def sitting_at(
    browser: Browser, address: str, user: User, *, width: int = 1280, dark: bool = False, scripts: bool = True
) -> Iterator[Desk]:
    """Sit down as `user`, logged in. At the end no page may have had a fault."""
    client = Client()
    client.force_login(user)
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if dark else "light",
        locale="ru-RU",
        timezone_id="Europe/Moscow",
        java_script_enabled=scripts,
    )
    context.set_default_timeout(WAIT_SECONDS * 1000)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": address}])
    try:
        desk = Desk(context.new_page(), address)
        desk.watch()
        yield desk
    finally:
        context.close()
    assert not desk.faults, "\n".join(desk.faults)
