"""Our public address is the one of the settings: no request says another, and no proxy needs to say any."""

import io
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as current
from django.contrib.auth.models import User
from django.core.wsgi import get_wsgi_application
from django.test import Client
from django.urls import get_script_prefix, set_script_prefix
from pytest_django import Settings

from balansity.behind_proxy import BehindProxy
from reports.storage.links import make_file_url
from tests.support.loaded_settings import MAIL, load_settings
from tests.support.supabase_tokens import access_token

pytestmark = pytest.mark.usefixtures("database", "broker_url")

USER = UUID("a0000000-0000-4000-8000-000000000001")
REPORT = UUID("b0000000-0000-4000-8000-000000000001")
PASSWORD = "a-good-password"
FOLLOWS = ("CSRF_", "SESSION_COOKIE_", "LANGUAGE_COOKIE_")
NAMES = {"API_BASE_URL", "ALLOWED_HOSTS", "FORCE_SCRIPT_NAME", "STATIC_URL", "SECURE_PROXY_SSL_HEADER"}


@pytest.fixture(autouse=True)
def _prefix() -> Iterator[None]:
    """A request leaves behind what paths began with."""
    before = get_script_prefix()
    yield
    set_script_prefix(before)


def at(settings: Settings, base: str) -> None:
    """Let this process have the address `base`, with all that follows from it."""
    for name, value in load_settings({**MAIL, "API_BASE_URL": base}).items():
        if name in NAMES or name.startswith(FOLLOWS):
            setattr(settings, name, value)


SPELLINGS = (
    *("https://api.example.ru", "https://api.example.ru/", "https://API.example.ru", "https://api.example.ru:443"),
    *("https://api.example.ru/back", "https://api.example.ru./", "http://api.example.ru"),
)


def test_staff_get_in_behind_a_proxy_that_says_little(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.ADMIN_LOGINS_PER_MINUTE = settings.ADMIN_LOGINS_PER_HOUR = 1000
    User.objects.create_superuser("olga", password=PASSWORD)
    for base in SPELLINGS:
        at(settings, base)
        scheme = base.partition("://")[0]
        # Neither the host nor the scheme that it was asked by, then one of both.
        said: list[dict[str, str]] = [{}, {"Host": "api.example.ru"}, {"X-Forwarded-Proto": scheme}]
        for more in said:
            assert logs_in(f"{scheme}://api.example.ru", more) == 302, (base, more)
        assert logs_in(f"{scheme}://api.example.ru.evil.example", {}) == 403


def logs_in(origin: str, more: dict[str, str]) -> int:
    headers = {"Host": "127.0.0.1:3001", "Origin": origin, "Referer": f"{origin}/admin/login/", **more}
    client = Client(enforce_csrf_checks=True, headers=headers)
    client.get("/admin/login/")
    token = client.cookies[current.CSRF_COOKIE_NAME].value
    form = {"username": "olga", "password": PASSWORD, "csrfmiddlewaretoken": token}
    return int(client.post("/admin/login/", form).status_code)


def test_a_foreign_host_is_refused_as_soon_as_ours_is_known(settings: Settings) -> None:
    at(settings, "https://Апи.балансити.рф/worker")
    ours = "xn--80aqu.xn--80aab4aapp6ak.xn--p1ai"
    for host, status in ((ours, 200), (f"{ours}:443", 200), (f"{ours.upper()}.", 200), ("localhost:3001", 200)):
        assert Client(headers={"Host": host}).get("/admin/login/").status_code == status
    for host in ("evil.example", f"{ours}.evil.example", f"evil.{ours}", "10.1.2.3:3001", "a/b"):
        assert Client(headers={"Host": host}).get("/admin/login/").status_code == 400
        # Load balancers know no name of ours.
        answer = Client(headers={"Host": host}).get("/health")
        assert answer.json() == {"status": "ok", "service": "balansity-api"}


def test_nothing_that_is_answered_repeats_the_host_of_a_request(settings: Settings) -> None:
    at(settings, "https://api.example.ru/worker")
    settings.ALLOWED_HOSTS = ["*"]
    client = Client(headers={"Host": "evil.example", "Authorization": f"Bearer {access_token(USER)}"})
    client.force_login(User.objects.create_superuser("olga"))
    paths = ["/", "/nothing", "/admin", "/admin/", "/admin/login/", "/admin/logout/", "/admin/r/1/1/", "/admin/jsi18n/"]
    paths += ["/api/docs", "/api/schema", "/api/payments?limit=1", "/api/reports?limit=1", "/api/nothing", "/health"]
    paths += ["/admin/auth/user/", "/admin/auth/user/999/change/", "/admin/auth/user/add/", "/static/nothing.css"]
    for path in paths:
        answer = client.get(path)
        content = b"" if answer.streaming else answer.content
        assert "evil" not in f"{dict(answer.headers)} {content.decode('utf-8', 'replace')}", path


def test_links_are_the_same_in_every_thread(settings: Settings) -> None:
    at(settings, "https://Апи.балансити.рф:443/services/worker/")
    made: list[str] = []

    def make() -> None:
        made.append(make_file_url(REPORT, at=datetime(2026, 11, 26, tzinfo=UTC)))

    # As after a request, as in a task, and as in a thread that has seen neither.
    set_script_prefix("/services/worker/")
    make()
    set_script_prefix("/")
    make()
    thread = threading.Thread(target=make)
    thread.start()
    thread.join(10)
    assert len(made) == 3
    assert len(set(made)) == 1
    base = "https://xn--80aqu.xn--80aab4aapp6ak.xn--p1ai/services/worker"
    assert made[0].startswith(f"{base}/api/reports/{REPORT}/file?token=")


def call(settings: Settings, path: str, body: bytes = b"", **environ: Any) -> tuple[str, dict[str, str], bytes]:
    """Ask as a proxy does that leaves the path of our address in."""
    application = BehindProxy(
        get_wsgi_application(), prefix=settings.FORCE_SCRIPT_NAME or "", keeps_path=True, most_bytes=1024 * 1024
    )
    said: list[Any] = []
    usual = {
        "REQUEST_METHOD": "POST" if body else "GET",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "HTTP_HOST": "api.example.ru",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_COOKIE": f"csrftoken={'c' * 32}",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
    }
    answer: Any = application(usual | environ, lambda status, headers: said.append((status, headers)))
    content = b"".join(answer)
    if hasattr(answer, "close"):
        answer.close()
    (status, headers) = said[0]
    return status[:3], dict(headers), content


@pytest.mark.parametrize("prefix", ["/worker", "/services/worker", "/api"])
def test_a_proxy_may_leave_the_path_in(settings: Settings, prefix: str) -> None:
    at(settings, f"https://api.example.ru{prefix}")
    status, headers, _ = call(settings, f"{prefix}/admin/")
    assert (status, headers["Location"]) == ("302", f"{prefix}/admin/login/?next={prefix}/admin/")
    status, headers, page = call(settings, f"{prefix}/admin/login/")
    assert status == "200"
    assert f'href="{prefix}/static/'.encode() in page
    assert call(settings, f"{prefix}/static/admin/css/base.css")[0] == "200"
    assert call(settings, f"{prefix}/api/docs")[0] == "200"
    assert call(settings, f"{prefix}/api/payments")[0] == "401"
    assert call(settings, f"{prefix}/health")[0] == call(settings, "/health")[0] == "200"
    assert call(settings, "/admin/login/")[0] == "404"


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("with_length", [True, False])
def test_a_form_that_is_too_large_is_told_so(settings: Settings, content_type: str, with_length: bool) -> None:
    at(settings, "https://api.example.ru/worker")
    body = b"username=" + b"x" * 1024 * 1024
    length = {"CONTENT_LENGTH": str(len(body))}
    announced = length if with_length else {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    assert call(settings, "/worker/admin/login/", body, CONTENT_TYPE=content_type, **announced)[0] == "413"
