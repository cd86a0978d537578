"""Who follows a link of ours into the API reads a page in Russian; programs get the problem that they always got."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.utils import translation
from pytest_django import Settings

from balansity.api.boundary import ApiBoundaryMiddleware
from balansity.api.people import _BY_CODE
from balansity.api.problems import Problem
from reports.errors import FileUnavailable, LinkExpired, LinkInvalid, ReportNotReady
from wording.pages import Way, family_page

CHROMIUM = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
BROWSERS = [
    CHROMIUM,
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",  # Firefox and Safari.
    *(
        "text/html",
        "text/html, application/json;q=0.9",
        "TEXT/HTML",
        "text/*",
        "application/json;q=0.1, text/html;q=0.2",
    ),
]
PROGRAMS = [
    *(
        None,
        "*/*",
        "application/json",
        "application/json, text/plain, */*",
        "application/problem+json",
        "application/pdf",
    ),
    *("application/json, text/html;q=0.9", "text/html;q=0, */*", "text/html;q=0", "image/*,*/*;q=0.5", "", "nonsense"),
    *("text/html;q=0.3,application/json;q=0.4", "*/*;q=0.8,text/html;q=0.1"),
]
# What can happen to the link of a mail, and what the page says first.
HEADINGS = {
    (401, "not_authenticated"): "Нужно войти",
    (403, "link_invalid"): "Ссылка не открывается",
    (403, "permission_denied"): "Эта страница закрыта",
    (404, "not_found"): "Здесь ничего нет",
    (405, "method_not_allowed"): "Здесь ничего нет",
    (400, "bad_request"): "Здесь ничего нет",
    (409, "report_not_ready"): "Отчёт ещё не готов",
    (410, "link_expired"): "Ссылка больше не действует",
    (429, "throttled"): "Слишком много попыток",
    (500, "internal_error"): "Что-то сломалось у нас",
    (502, "provider_unavailable"): "Что-то сломалось у нас",
    (503, "storage_unavailable"): "Сейчас отчёт открыть не получается",
    (503, "service_unavailable"): "Сервис сейчас не отвечает",
}
PASSES = {409, 429, 500, 502, 503}


@pytest.fixture(autouse=True)
def _site(settings: Settings) -> None:
    settings.FRONTEND_URL, settings.SUPPORT_CONTACT = "https://littleotter.example/", "8 800 555-35-35"


class Read(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.links, self.tags = "", list[str](), list[str]()
        self.attributes = set[str]()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if tag == "a" and name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data


def answer(
    response: Any, accept: str | None, method: str = "GET", path: str = "/api/reports/1/file?token=s3cret"
) -> Any:
    request = RequestFactory().generic(method, path, headers={} if accept is None else {"accept": accept})
    return ApiBoundaryMiddleware(lambda _: response)(request)


def problem(status: int = 410, code: str = "link_expired", **headers: str) -> HttpResponse:
    return Problem(status, code, "An English sentence", headers=headers).response()


@pytest.mark.parametrize("accept", BROWSERS)
def test_a_browser_gets_a_page(accept: str) -> None:
    page = answer(problem(), accept)
    assert (page.status_code, page["Content-Type"]) == (410, "text/html; charset=utf-8")
    assert "Ссылка больше не действует" in page.content.decode()


@pytest.mark.parametrize("accept", PROGRAMS)
def test_a_program_gets_the_problem_that_it_always_got(accept: str | None) -> None:
    told = answer(problem(), accept)
    assert (told.status_code, told["Content-Type"]) == (410, "application/problem+json")
    assert json.loads(told.content)["code"] == "link_expired"


@pytest.mark.parametrize("accept", [CHROMIUM, "*/*"])
def test_a_cache_keeps_the_two_apart_and_keeps_neither(accept: str) -> None:
    told = answer(problem(), accept)
    assert told["Vary"] == "Accept"
    assert told["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("status", "code"), HEADINGS)
def test_the_page_says_what_is_the_matter_and_the_way_on(status: int, code: str) -> None:
    page = answer(problem(status, code, **({"Retry-After": "5"} if status in PASSES else {})), CHROMIUM)
    read = Read(page.content.decode())
    assert page.status_code == status
    assert read.text.count(HEADINGS[status, code]) == 2, "as the title and as the heading"
    again = [""] if status in PASSES else []
    assert read.links == [*again, "https://littleotter.example/checkup-history", "tel:+78005553535"]
    assert "Позвоните нам: 8 800 555-35-35" in read.text
    assert re.findall("[A-Za-z]+", read.text) == ["Little", "Otter"] * 2 + ["Little", "Otter", "Balansity"]
    assert read.tags.count("h1") == 1


def test_every_code_that_the_page_has_words_for_is_one_that_a_report_can_answer_with() -> None:
    assert set(_BY_CODE) <= {kind.code for kind in (LinkExpired, LinkInvalid, ReportNotReady, FileUnavailable)}


def test_a_report_that_is_not_on_its_way_is_not_promised() -> None:
    page = answer(problem(409, "report_not_ready"), CHROMIUM)
    assert "Отчёта пока нет" in page.content.decode()
    assert "Мы ещё готовим его" not in page.content.decode()


def test_the_page_keeps_what_the_answer_tells_programs() -> None:
    page = answer(problem(503, "storage_unavailable", **{"Retry-After": "30", "X-Request-ID": "abc"}), CHROMIUM)
    assert (page["Retry-After"], page["X-Request-ID"]) == ("30", "abc")
    assert page["Content-Length"] == str(len(page.content))


def test_the_page_runs_nothing_is_found_by_no_search_and_tells_nobody_the_address() -> None:
    page = answer(problem(), CHROMIUM)
    html = page.content.decode()
    read = Read(html)
    assert page["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self';")
    assert (page["X-Robots-Tag"], page["Referrer-Policy"]) == ("noindex", "no-referrer")
    assert "script" not in read.tags
    assert "style" not in read.tags
    assert "style" not in read.attributes
    assert not any(name.startswith("on") for name in read.attributes)
    assert "s3cret" not in html
    assert "English" not in html


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_only_who_looks_is_shown_a_page(method: str) -> None:
    assert answer(problem(), CHROMIUM, method)["Content-Type"] == "application/problem+json"


def test_looking_for_the_head_alone_finds_the_same_headers() -> None:
    head, whole = (answer(problem(), CHROMIUM, method) for method in ("HEAD", "GET"))
    assert dict(head.items()) == dict(whole.items())


def test_what_django_answered_with_a_page_of_its_own_becomes_ours() -> None:
    page = answer(HttpResponse(b"<h1>Not Found</h1>", status=404), CHROMIUM, path="/api/reports/cut")
    assert "Здесь ничего нет" in page.content.decode()


def test_what_went_well_stays_as_it_is() -> None:
    assert answer(HttpResponse(b"%PDF", status=200), CHROMIUM).content == b"%PDF"
    assert b"".join(answer(StreamingHttpResponse([b"%PDF"]), CHROMIUM)) == b"%PDF"
    assert not answer(HttpResponse(b"%PDF", status=200), CHROMIUM).has_header("Vary")


def test_pages_of_the_admin_are_not_ours_to_word() -> None:
    page = answer(HttpResponse(b"<h1>Admin</h1>", status=404), CHROMIUM, path="/admin/x/")
    assert page.content == b"<h1>Admin</h1>"


def test_without_a_contact_the_page_speaks_of_none(settings: Settings) -> None:
    settings.SUPPORT_CONTACT = ""
    html = answer(problem(), CHROMIUM).content.decode()
    assert "вопросы" not in html
    assert "tel:" not in html


def test_a_page_without_its_style_is_there_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: str) -> str:
        raise ValueError(f"Missing staticfiles manifest entry for {path!r}")

    assert '<link rel="stylesheet" href="/static/wording/page.css">' in family_page("Т", ["Л"], [])
    monkeypatch.setattr("wording.pages.static", missing)
    assert "stylesheet" not in family_page("Т", ["Л"], [Way("К", "https://a.example")])


def test_the_language_of_a_program_around_it_does_not_matter() -> None:
    with translation.override("en"):
        assert "Ссылка больше не действует" in answer(problem(), CHROMIUM).content.decode()
    assert render_to_string("wording/page.html", {"title": "<b>"}).count("&lt;b&gt;") == 2
