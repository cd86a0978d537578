"""What people read instead of a page, in the admin and elsewhere: Russian, with a way on, whatever else is broken."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any, ClassVar

import pytest
from django.conf import settings as django_settings
from django.contrib.staticfiles import finders
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, OperationalError, ProgrammingError
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path, set_script_prefix
from pytest_django import Settings

from balansity import urls
from tests.support.staff_pages import client_of

pytestmark = pytest.mark.usefixtures("database")


def raising(error: Exception) -> Callable[[HttpRequest], HttpResponse]:
    def view(request: HttpRequest) -> HttpResponse:
        raise error

    return view


class Broken:
    """Production's addresses, and some that go wrong in the admin and beside it."""

    handler400, handler403 = staticmethod(urls.handler400), staticmethod(urls.handler403)
    handler404, handler500 = staticmethod(urls.handler404), staticmethod(urls.handler500)
    urlpatterns: ClassVar[Any] = [
        *(
            path(f"{where}{name}", raising(error))
            for where in ("", "admin/")
            for name, error in (
                ("bug", KeyError("x")),
                ("sql", ProgrammingError("no such table")),
                ("away", OperationalError("refused")),
                ("cut", InterfaceError("closed")),
                ("forged", SuspiciousOperation("x")),
                ("closed", PermissionDenied()),
            )
        ),
        path("empty", lambda request: HttpResponse(status=404)),
        path("api/empty", lambda request: HttpResponse(status=404)),
        *urls.urlpatterns,
    ]


@pytest.fixture(autouse=True)
def broken(settings: Settings) -> None:
    settings.ROOT_URLCONF = Broken
    settings.FRONTEND_URL = "https://littleotter.example"


def in_words(answer: Any) -> str:
    html = answer.content.decode()
    assert '<html lang="ru"' in html
    shown = re.sub(r"<(head|script|style|code|svg)\b.*?</\1>|<[^>]*>", " ", html, flags=re.DOTALL)
    assert set(re.findall(r"[A-Za-z]{2,}", unescape(shown))) <= {"Balansity"}
    return " ".join(shown.split())


@pytest.mark.parametrize("where", ["/", "/admin/"])
@pytest.mark.parametrize(
    ("name", "status", "says"),
    [
        ("bug", 500, "Не получилось"),
        ("sql", 500, "Не получилось"),
        ("away", 503, "База данных сейчас не отвечает"),
        ("cut", 503, "База данных сейчас не отвечает"),
        ("forged", 400, "Запрос непонятен"),
        ("closed", 403, "Нет доступа"),
        ("nothing-here", 404, "Страница не найдена"),
    ],
)
def test_each_refusal_is_russian_and_leads_on(where: str, name: str, status: int, says: str) -> None:
    answer = Client(raise_request_exception=False).get(f"{where}{name}", follow=True)
    if where == "/admin/" and name == "nothing-here":
        # Whoever is not logged in is asked to, also at an address that there is not.
        assert answer.redirect_chain[0][0].startswith("/admin/login/")
        return
    assert answer.status_code == status
    assert says in in_words(answer)
    assert f'href="{where if where != "/" else "https://littleotter.example"}"' in answer.content.decode()
    assert ("Retry-After" in answer.headers) == (status == 503)


def test_a_fault_has_a_number_that_is_the_requests() -> None:
    answer = Client(raise_request_exception=False, headers={"X-Request-ID": "abc-17"}).get("/bug")
    assert "<code>abc-17</code>" in answer.content.decode()


def test_a_fault_is_told_without_a_database(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Callable[[int], Any]
) -> None:
    staff = client_of("boss", is_superuser=True)
    staff.raise_request_exception = False
    with django_assert_num_queries(0):
        answer = staff.get("/admin/bug")
    assert answer.status_code == 500


def test_a_foreign_host_reads_that_too(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["balansity.example"]
    answer = Client(headers={"host": "evil.example"}).get("/nothing")
    assert (answer.status_code, "Запрос непонятен" in in_words(answer)) == (400, True)


def test_a_form_without_its_token_is_refused_in_russian_everywhere() -> None:
    strict = Client(enforce_csrf_checks=True)
    for address in ("/admin/login/", "/nothing"):
        answer = strict.post(address, {"username": "x"})
        assert answer.status_code in (403, 404)
        # A stranger has no menu, so nothing says that it is empty.
        assert "полномочий" not in in_words(answer)


@pytest.mark.parametrize("address", ["/empty", "/admin/logout/"])
def test_no_answer_is_empty_whoever_forgot_it(address: str) -> None:
    answer = client_of("boss", is_superuser=True).get(address)
    assert answer.status_code in (404, 405)
    assert "Не получилось" in in_words(answer)
    # A browser reads no further than this says.
    assert answer.get("Content-Length") in (None, str(len(answer.content)))


def test_programs_get_no_page_for_people() -> None:
    assert Client().get("/api/empty").json()["code"] == "not_found"
    assert Client(headers={"accept": "application/json"}).get("/empty").content == b""


def test_the_styles_of_these_pages_are_files_and_they_have_no_other() -> None:
    page = Client(raise_request_exception=False).get("/bug").content.decode()
    named = re.findall(r'<link rel="\w+" href="/static/([^"]+)"', page)
    assert named == ["staff/favicon.ico", "staff/refused.css"]
    assert all(finders.find(name) for name in named)
    assert re.findall(r"<style|<script|style=| on[a-z]+=", page) == []


def test_the_bare_name_leads_to_the_admin_and_in_the_sandbox_to_the_shop(settings: Settings) -> None:
    assert Client().get("/")["Location"] == "/admin/"
    settings.ROOT_URLCONF = "sandbox.urls"
    assert Client().get("/")["Location"] == "/demo/"


def test_under_a_prefix_it_leads_there_as_well() -> None:
    # As the handler of a real server does for `SCRIPT_NAME`.
    set_script_prefix("/worker/")
    try:
        assert Client().get("/")["Location"] == "/worker/admin/"
    finally:
        set_script_prefix("/")


def test_browsers_and_robots_get_what_they_ask_for() -> None:
    icon = Client().get("/favicon.ico")
    assert (icon["Content-Type"], icon.content[:4]) == ("image/x-icon", b"\0\0\1\0")
    robots = Client().get("/robots.txt")
    assert (robots["Content-Type"], robots.content) == ("text/plain", b"User-agent: *\nDisallow: /\n")
    login = Client().get("/admin/login/").content.decode()
    assert f'<link rel="icon" href="{django_settings.STATIC_URL}staff/favicon.ico">' in login
    assert "<h1" in login
