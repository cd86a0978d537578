"""What no browser sends by itself, in every place of a request: nothing of it is an error of ours."""

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from django.contrib.admin import ModelAdmin, site
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.test.client import FakePayload
from django.urls import reverse

from balansity.readable import Utf8Handler
from tests.support.staff_pages import our_admins, own_pages
from tests.support.supabase_tokens import access_token

pytestmark = pytest.mark.usefixtures("database", "broker_url")

import_module("balansity.urls")

ANNA = UUID("a0000000-0000-4000-8000-000000000001")
# Larger than any id, longer than Python reads, days that no calendar has; as they stand in an address.
NUMBERS = ("99999999999999999999", "9" * 5000, "-1", "NaN", "%D9%A1")
DATES = ("0000-00-00", "99999-01-01", "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59.999999-14:00", "infinity")
BROKEN = ("%ED%A0%80", "%FF%FE", "%C0%80", "%25s", "%27%22%29--")
OURS = ("q", "p", "o", "e", "_changelist_filters", "days", "month", "after", "reason")
NUL = "a%00b"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(User.objects.create(username="boss", is_staff=True, is_superuser=True))
    client.raise_request_exception = False
    return client


def parameters(admin: "ModelAdmin[Any]") -> Iterator[tuple[str, tuple[str, ...]]]:
    """What a list takes from its address, with what may be wrong there."""
    yield from ((name, ("9" * 5000, "-1", "99999999999999999999")) for name in ("q", "p", "o"))
    for entry in admin.list_filter:
        name = str(getattr(entry, "parameter_name", "") or (entry[0] if isinstance(entry, tuple) else entry))
        if not isinstance(entry, type):
            yield f"{name}__gte", DATES
            yield f"{name}__isnull", ("2",)
        yield name, (NUMBERS[0], BROKEN[0])
    if admin.date_hierarchy:
        yield from ((f"{admin.date_hierarchy}__{part}", NUMBERS) for part in ("year", "day"))
        yield f"{admin.date_hierarchy}__lt", DATES


@pytest.mark.parametrize("admin", site._registry.values(), ids=lambda admin: str(admin.opts.label))
def test_no_list_breaks_by_its_address(admin: "ModelAdmin[Any]", boss: Client) -> None:
    address = reverse(f"admin:{admin.opts.app_label}_{admin.opts.model_name}_changelist")
    for name, values in parameters(admin):
        for value in values:
            assert boss.get(f"{address}?{name}={value}").status_code < 500, (name, value[:30])


def test_no_page_breaks_by_what_it_is_asked_about(boss: Client) -> None:
    for admin in site._registry.values():
        for pattern in admin.get_urls():
            if pattern.pattern.converters and pattern.name:
                route = f"/admin/{admin.opts.app_label}/{admin.opts.model_name}/{pattern.pattern}"
                for value in (*NUMBERS, BROKEN[0], "00000000-0000-0000-0000-00000000000"):
                    path = "".join(value if part[0] == "<" else part for part in re.split("(<[^>]*>)", route) if part)
                    assert boss.get(path).status_code < 500, path[:90]


def test_no_page_of_ours_breaks_by_its_query(boss: Client) -> None:
    for admin in our_admins():
        for pattern in own_pages(admin):
            if not pattern.pattern.converters:
                for name in OURS:
                    for value in (*NUMBERS[:3], DATES[1], BROKEN[0]):
                        answer = boss.get(f"{reverse(f'admin:{pattern.name}')}?{name}={value}")
                        assert answer.status_code < 500, (pattern.name, name, value[:30])


def test_no_call_breaks_by_its_address(client: Client, settings: Any) -> None:
    settings.API_THROTTLES = dict.fromkeys(settings.API_THROTTLES, 1_000_000)
    client.raise_request_exception = False
    headers = {"Authorization": f"Bearer {access_token(ANNA)}"}
    queries = [f"/api/payments?{name}=" for name in ("limit", "cursor")] + ["/api/schema?format=", "/api/docs?lang="]
    paths = ["/api/payments/", "/api/reports/", "/", "/static/", "/admin/", "/admin/r/1/", "/admin/login/?next="]
    link = ["/api/reports/a0000000-0000-4000-8000-000000000001/file?token="]
    for place in queries + paths + link:
        for value in (*NUMBERS, *DATES[:2], *BROKEN, NUL):
            answer = client.get(place + value, headers=headers)
            answer.close()
            assert answer.status_code < 500, (place, value[:30])


@pytest.mark.parametrize("place", ["/api/payments?cursor=", "/admin/?q=", "/admin/auth/user/?x%00=", "/demo/", "/x/"])
def test_a_nul_is_the_callers_mistake_wherever_it_stands(place: str, boss: Client) -> None:
    assert boss.get(place + NUL).status_code == 400


@pytest.mark.parametrize(
    "cookie", ['sessionid="abcdefghijkl\\000abcd"', 'messages="\\000"', 'csrftoken="a\\000"', 'balansity_known="\\000"']
)
def test_nor_may_it_come_as_a_cookie(cookie: str, client: Client) -> None:
    client.raise_request_exception = False
    for path in ("/admin/", "/admin/login/"):
        assert client.get(path, HTTP_COOKIE=cookie).status_code == 400
        assert client.post(path, HTTP_COOKIE=cookie).status_code == 400


@pytest.mark.parametrize("name", ["username", "password", "_selected_action", "search\0"])
def test_nor_in_a_form(name: str, boss: Client) -> None:
    for path in ("/admin/login/", "/admin/auth/user/add/", "/admin/auth/group/add/", "/admin/payments/payment/"):
        body = f"{quote(name)}={NUL}"
        assert boss.generic("POST", path, body, FORM).status_code == 400
        multipart = f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\na\0b\r\n--x--\r\n'
        assert boss.generic("POST", path, multipart, "multipart/form-data; boundary=x").status_code == 400


def served(request: HttpRequest, **meta: str) -> int:
    """The status that the server would see, which calls no client of Django's in between."""
    request.META.update(meta)
    request.META["wsgi.input"] = FakePayload(request.body)
    started: list[str] = []

    def start(status: str, headers: Any, error: Any = None, /) -> Any:
        started.append(status)

    Utf8Handler()(request.META, start).close()
    return int(started[0].split()[0])


@pytest.mark.parametrize("charset", ["unicode_escape", "utf-16", "utf-7", "rot13", "idna", "zlib", "undefined", "hex"])
@pytest.mark.parametrize("named", ["charset=", "charset*=utf-8''", 'CharSet = "'])
def test_everything_is_read_as_utf_8_whatever_codec_is_named(named: str, charset: str) -> None:
    form = '--x\r\nContent-Disposition: form-data; name="username"\r\n\r\n\\x00\\ud800\r\n--x--\r\n'
    asked = {
        "text/plain": RequestFactory().get("/api/payments?limit=\\ud800&cursor=\\x00&a=+2AA-"),
        "multipart/form-data; boundary=x": RequestFactory().generic("POST", "/admin/login/", form),
        FORM: RequestFactory().generic("POST", "/admin/login/", "username=a"),
    }
    for kind, request in asked.items():
        assert served(request, CONTENT_TYPE=f"{kind}; {named}{charset}") in {401, 403}, kind


@pytest.mark.parametrize("header", ["CONTENT_TYPE", "HTTP_ACCEPT"])
def test_a_header_in_an_encoding_that_there_is_not_is_the_callers_mistake(header: str) -> None:
    for path in ("/api/schema", "/api/payments", "/admin/login/"):
        assert served(RequestFactory().get(path), **{header: "text/plain; a*=nothing''b"}) == 400
        assert served(RequestFactory().get(path), **{header: "*/*; a*=utf-8''b"}) in {200, 401}


def test_a_form_that_ends_early_is_no_error_of_ours(boss: Client) -> None:
    body = "--x\r\nContent-Disposition: form-data; name="
    for content_type in ("multipart/form-data; boundary=x", "multipart/form-data", FORM):
        assert boss.generic("POST", "/admin/auth/group/add/", body, content_type).status_code < 500


def test_text_of_other_languages_is_text(boss: Client) -> None:
    for text in ("Анна", "💩", "\u202e", "a\tb"):
        assert boss.get(f"/admin/auth/user/?q={quote(text)}").status_code == 200
