"""Strangers whose calls are refused all the time: fewer words for them, nothing taken from anybody else."""

import logging
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from balansity.api import boundary
from balansity.api.refused_calls import refused
from balansity.counting import Limit, MistakeCounter
from balansity.logs import RedactingFormatter, TraceFilter
from balansity.stranger_lines import StrangerLines
from bridge.seldom import FewAnHour
from tests.support.supabase_tokens import access_token

pytestmark = pytest.mark.usefixtures("database")

ANNA = UUID("a0000000-0000-4000-8000-000000000001")
MOST = 5
# Of lines, where production writes fifty of each kind.
AN_HOUR = 10
NOTHING = "/api/" + "x" * 3000
FORMAT = "%(asctime)s %(levelname)s %(name)s [%(trace_id)s] %(message)s"


@pytest.fixture(autouse=True)
def _few(settings: Settings, broker_url: str) -> Iterator[None]:
    settings.API_THROTTLE_REFUSED = MOST
    refused.forget_all()
    yield
    refused.forget_all()


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What `out.log` would hold, line by line, from the beginning of an hour."""
    monkeypatch.setattr(boundary, "_refusals", FewAnHour(AN_HOUR))
    monkeypatch.setattr(StrangerLines, "_lines", FewAnHour(AN_HOUR))
    written: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(self.format(record))

    handler = Keep(logging.INFO)
    handler.setFormatter(RedactingFormatter(FORMAT))
    handler.addFilter(TraceFilter())
    handler.addFilter(StrangerLines())
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)


def bearer(token: str) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer {token}"}}


def statuses(client: Client, path: str, times: int = MOST + 2, method: str = "GET", **options: Any) -> list[int]:
    return [client.generic(method, path, **options).status_code for _ in range(times)]


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("GET", "/api/payments", bearer("a.b.c"), 401),
        ("GET", "/api/payments", bearer("x" * 9000), 401),
        ("GET", "/api/payments", {}, 401),
        ("HEAD", "/api/payments", {}, 401),
        ("OPTIONS", "/api/payments", {}, 401),
        ("GET", NOTHING, {}, 404),
        ("POST", NOTHING, {}, 404),
        ("GET", "/wp-login.php", {}, 404),
        ("GET", "/static/nothing.css", {}, 404),
        ("DELETE", "/api/webhook/nothing", {}, 404),
        ("PUT", "/health", {}, 405),
        ("GET", "/admin/?q=%00", {}, 400),
        ("GET", "/admin/login/", {"headers": {"Host": "evil example"}}, 400),
    ],
)
def test_what_is_refused_too_often_is_429(
    client: Client, settings: Settings, method: str, path: str, options: dict[str, Any], status: int
) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    assert statuses(client, path, method=method, **options) == [status] * MOST + [429, 429]


def test_a_429_says_when_and_what_as_the_others_do(client: Client) -> None:
    statuses(client, NOTHING)
    answer = client.get(NOTHING)
    assert answer.json()["code"] == "throttled"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    page = client.get("/wp-login.php")
    assert page.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert len(page.content) < 200
    assert int(page.headers["Content-Length"]) == len(page.content)


def test_the_front_end_may_read_a_429(client: Client, settings: Settings) -> None:
    origin = settings.CORS_ALLOWED_ORIGINS[0]
    statuses(client, "/api/payments")
    answer = client.get("/api/payments", headers={"Origin": origin})
    assert answer.status_code == 429
    assert answer.headers["Access-Control-Allow-Origin"] == origin


def test_what_is_answered_well_is_never_refused(client: Client) -> None:
    statuses(client, NOTHING)
    assert client.get("/api/payments", **bearer(access_token(ANNA))).status_code == 200
    assert client.get("/health").status_code == 200
    assert client.get("/admin/login/").status_code == 200
    assert client.get("/admin").status_code == 301
    static = client.get("/static/admin/css/base.css")
    static.close()
    assert static.status_code == 200
    assert client.get("/api/schema").status_code == 200


def test_a_good_token_and_a_session_are_no_strangers(client: Client) -> None:
    token = bearer(access_token(ANNA))
    assert statuses(client, "/api/payments/a0000000-0000-4000-8000-000000000009", **token) == [404] * (MOST + 2)
    client.force_login(User.objects.create(username="boss", is_staff=True, is_superuser=True))
    assert statuses(client, "/admin/payments/nothing/") == [404] * (MOST + 2)
    # Nobody was counted so far.
    assert Client().get(NOTHING).status_code == 404


def test_each_address_has_its_own_number(client: Client, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = (ip_network("127.0.0.1/32"),)

    def ask(address: str) -> list[int]:
        return statuses(client, NOTHING, headers={"X-Forwarded-For": address})

    assert ask("203.0.113.5")[-1] == 429
    assert ask("203.0.113.6")[0] == 404
    assert ask("2001:db8:1:1::1")[0] == 404
    assert ask("2001:db8:1:1::2")[0] == 429


def test_yookassa_is_told_what_it_was_told(client: Client, settings: Settings) -> None:
    settings.YUKASSA_NOTIFICATION_NETWORKS = ()
    body: dict[str, Any] = {"content_type": "application/json", "data": b"{}"}
    statuses(client, NOTHING)
    assert statuses(client, "/api/webhook/yookassa", method="POST", **body) == [403] * (MOST + 2)


def test_processes_share_the_number_and_a_flood_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    limit, (one, other) = Limit("address", MOST, 60, "refused"), (MistakeCounter(), MistakeCounter())
    for _ in range(MOST + 1):
        one.count(limit, "address:203.0.113.5")
    assert other.left(limit, "address:203.0.113.5") is None
    assert other.count(limit, "address:203.0.113.5").number == MOST + 1
    # From now on this process knows.
    monkeypatch.setattr("balansity.counting._connect", lambda: pytest.fail("Redis was asked"))
    assert other.left(limit, "address:203.0.113.5") is not None
    assert other.count(limit, "address:203.0.113.5").number == MOST + 2


def test_without_redis_each_process_counts(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert statuses(client, NOTHING) == [404] * MOST + [429, 429]


@pytest.mark.parametrize(
    ("path", "options"),
    [(NOTHING, {}), ("/" + "y" * 3000, {}), ("/api/payments", bearer("a.b.c")), ("/api/payments", {})],
    ids=["unknown", "unknown page", "token", "no token"],
)
def test_a_flood_writes_next_to_nothing(
    client: Client, lines: list[str], settings: Settings, path: str, options: dict[str, Any]
) -> None:
    statuses(client, path, times=40, **options)
    # One of each call until then, of 234 to 3400 bytes.
    assert len(lines) <= MOST + AN_HOUR + 20
    assert max(map(len, lines)) < 400
    settings.API_THROTTLE_REFUSED = 1_000_000
    refused.forget_all()
    statuses(client, path, times=40, **options)
    told = len(lines)
    statuses(client, path, times=AN_HOUR, **options)
    assert len(lines) == told


@pytest.mark.parametrize("kind", ["host", "form"])
def test_what_django_holds_for_an_attack_is_a_few_warnings_of_one_line(
    lines: list[str], settings: Settings, kind: str
) -> None:
    settings.API_THROTTLE_REFUSED = 1_000_000
    settings.ALLOWED_HOSTS = ["testserver"]
    client = Client(enforce_csrf_checks=True)
    for _ in range(AN_HOUR + 5):
        if kind == "host":
            client.get("/admin/login/", headers={"Host": "evil.example" + "x" * 200})
        else:
            client.post("/admin/login/?next=" + "x" * 2000, {"username": "x"})
    said = [line for line in lines if "django.security" in line]
    assert AN_HOUR - 2 <= len(said) <= AN_HOUR
    assert all(" WARNING " in line and "\n" not in line and len(line) < 400 for line in said)
    assert len([line for line in lines if "django.request" in line]) <= AN_HOUR


def test_a_fault_of_ours_keeps_its_traceback(lines: list[str], settings: Settings) -> None:
    settings.ROOT_URLCONF = "tests.support.api_views"
    Client(raise_request_exception=False).get("/page/bug")
    (line,) = [line for line in lines if "django.request" in line]
    assert " ERROR " in line
    assert "Traceback" in line
