"""`./dev pictures` without a browser: what the album holds, what a fingerprint sees, how the browser is spoken to."""

import io
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from sandbox.dev.pictures.album import FOLDER, PICTURES, PagePicture, file_of
from sandbox.dev.pictures.browser import Browser, BrowserError
from sandbox.dev.pictures.fingerprint import PageMissing, fingerprint, kept_fingerprint, stale
from sandbox.dev.pictures.site import logged_in
from sandbox.dev.pictures.studio import keep
from sandbox.packages import CHECKOUT

PAGE = PagePicture("page", "/admin/page/")
FRAMED = PagePicture("framed", "/admin/page/", inside=("/admin/inside/",))


def served(html: str, inside: str = "", status: int = 200) -> Any:
    """A client to which the service answers with that."""
    pages = {"/admin/page/": html, "/admin/inside/": inside}
    return SimpleNamespace(
        get=lambda address: SimpleNamespace(status_code=status, content=pages[address].encode()),
    )


def png() -> bytes:
    drawn = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(drawn, "PNG")
    return drawn.getvalue()


def test_the_album_holds_all_pictures_of_the_documents() -> None:
    assert sorted(file_of(picture) for picture in PICTURES) == sorted(FOLDER.iterdir())


@pytest.mark.parametrize("name", ["README.md", "README.ru.md"])
def test_both_readmes_show_every_picture(name: str) -> None:
    shown = re.findall(r"\]\((docs/images/[\w-]+\.png)\)", (CHECKOUT / name).read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(str(file_of(picture).relative_to(CHECKOUT)) for picture in PICTURES)


def test_a_fingerprint_sees_words_and_neither_tokens_nor_white_space() -> None:
    def form(token: str, text: str) -> str:
        return f'<form><input type="hidden" name="csrfmiddlewaretoken" value="{token}">{text}</form>'

    shown = fingerprint(PAGE, served(form("aBc123", "<b>не  прошёл</b>\n сюда")))
    assert fingerprint(PAGE, served(form("xYz789", "<b>не прошёл</b> сюда"))) == shown
    assert fingerprint(PAGE, served(form("aBc123", "<b>прошёл</b> сюда"))) != shown


def test_a_fingerprint_sees_what_is_in_a_frame() -> None:
    shown = fingerprint(FRAMED, served("<iframe>", inside="Здравствуйте!"))
    assert fingerprint(FRAMED, served("<iframe>", inside="До свидания!")) != shown


def test_a_fingerprint_sees_our_own_style_and_not_djangos(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found: list[str] = []

    def find(name: str) -> str:
        found.append(name)
        return str(tmp_path / "style.css")

    monkeypatch.setattr("sandbox.dev.pictures.fingerprint.finders.find", find)
    page = served(
        '<link href="/static/admin/css/base.css"><link href="/static/payments/payment_admin.css">'
        '<script src="/static/admin/js/nav.js"></script>'
    )
    (tmp_path / "style.css").write_text("b { color: red }", encoding="utf-8")
    shown = fingerprint(PAGE, page)
    (tmp_path / "style.css").write_text("b { color: blue }", encoding="utf-8")
    assert fingerprint(PAGE, page) != shown
    assert set(found) == {"payments/payment_admin.css"}


def test_a_page_that_cannot_be_opened_has_no_fingerprint() -> None:
    with pytest.raises(PageMissing, match="/admin/page/ answers 403"):
        fingerprint(PAGE, served("<h1>403</h1>", status=403))
    with pytest.raises(PageMissing, match=r"names the file payments/gone\.css"):
        fingerprint(PAGE, served('<link href="/static/payments/gone.css">'))


def test_a_picture_keeps_the_fingerprint_of_what_it_shows(tmp_path: Path) -> None:
    page = served("<p>Очереди</p>")
    assert stale(page, (PAGE,), tmp_path) == [PAGE]
    keep(png(), file_of(PAGE, tmp_path), fingerprint(PAGE, page))
    assert stale(page, (PAGE,), tmp_path) == []
    assert stale(served("<p>Письма</p>"), (PAGE,), tmp_path) == [PAGE]
    with Image.open(file_of(PAGE, tmp_path)) as image:
        assert image.size == (40, 30)


def test_a_picture_from_elsewhere_shows_nothing_that_we_know(tmp_path: Path) -> None:
    (tmp_path / "page.png").write_bytes(png())
    assert kept_fingerprint(tmp_path / "page.png") == ""


def test_only_the_admin_gets_the_cookie_of_the_staff() -> None:
    site = logged_in(lambda environ, _: [environ.get("HTTP_COOKIE", "none").encode()], "key-of-the-session")
    seen = [[*site({"PATH_INFO": path}, lambda *_: None)] for path in ("/admin/payments/", "/api/payments", "/demo/")]
    assert seen == [[b"sessionid=key-of-the-session"], [b"none"], [b"none"]]


# Answers as the browser does: JSON that ends with a zero byte, commands on descriptor 3, answers on 4, events between.
FAKE = """#!{python}
import json, os
unread = b""
while True:
    read = os.read(3, 4096)
    if not read:
        break
    *commands, unread = (unread + read).split(b"\\0")
    for command in map(json.loads, commands):
        if command["method"] == "Browser.crash":
            print("it hurts", file=__import__("sys").stderr)
            raise SystemExit(1)
        answer = {{"result": {{"asked": command["method"], **command["params"]}}}}
        if command["method"] == "Page.unknown":
            answer = {{"error": {{"message": "'Page.unknown' wasn't found"}}}}
        event = json.dumps({{"method": "Target.created"}}).encode() + b"\\0"
        os.write(4, event + json.dumps({{"id": command["id"], **answer}}).encode() + b"\\0")
"""


@pytest.fixture
def program(tmp_path: Path) -> str:
    """Something to start in place of the browser."""
    file = tmp_path / "chromium"
    file.write_text(FAKE.format(python=sys.executable), encoding="utf-8")
    file.chmod(0o755)
    return str(file)


def test_the_browser_is_asked_over_pipes_and_its_events_are_passed_over(program: str, tmp_path: Path) -> None:
    with Browser(program, tmp_path / "folder") as browser:
        text = "ё" * 100_000
        assert browser.call("Page.navigate", url=text) == {"asked": "Page.navigate", "url": text}
        with pytest.raises(BrowserError, match=r"Page\.unknown: 'Page\.unknown' wasn't found"):
            browser.call("Page.unknown")
        assert browser.call("Page.enable") == {"asked": "Page.enable"}


def test_a_browser_that_dies_is_an_error_with_what_it_said(program: str, tmp_path: Path) -> None:
    with Browser(program, tmp_path / "folder") as browser, pytest.raises(BrowserError, match=r"(?s)ended.*it hurts"):
        browser.call("Browser.crash")


def test_a_browser_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(BrowserError, match=r"(?s)/no/chromium ended.*not found"), Browser("/no/chromium", tmp_path):
        pass
