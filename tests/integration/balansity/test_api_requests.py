"""What every request gets on its way: an id, the client's address, a log line, and the browser's permission."""

import logging
import re
from ipaddress import ip_network
from uuid import UUID

import pytest
from django.test import Client
from pytest_django import Settings

from tests.support.supabase_tokens import access_token

pytestmark = [pytest.mark.urls("tests.support.api_views"), pytest.mark.usefixtures("broker_url")]

USER = UUID("a0000000-0000-4000-8000-000000000001")
FRONT_END = "http://localhost:5173"


@pytest.mark.parametrize("given", ["abc-123", "A.b_c-9", "x" * 64])
def test_a_well_formed_id_is_kept(client: Client, given: str) -> None:
    answer = client.get("/api/open", headers={"X-Request-ID": given})
    assert answer.headers["X-Request-ID"] == given
    assert answer.json()["trace"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\nb", "abc\n", "<script>", "идентификатор", "a;b"])
def test_any_other_id_is_replaced(client: Client, given: str) -> None:
    answer = client.get("/api/open", headers={"X-Request-ID": given})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"])
    assert answer.json()["trace"] == answer.headers["X-Request-ID"]


def test_two_requests_have_two_ids(client: Client) -> None:
    first, second = (client.get("/api/open").headers["X-Request-ID"] for _ in range(2))
    assert first != second


def test_a_view_sees_the_address_of_the_client(client: Client, settings: Settings) -> None:
    headers = {"X-Forwarded-For": "203.0.113.5", "Client-Address": "185.71.76.1"}
    assert client.get("/api/open", headers=headers).json()["address"] == "127.0.0.1"
    settings.TRUSTED_PROXIES = (ip_network("127.0.0.0/8"),)
    assert client.get("/api/open", headers=headers).json()["address"] == "203.0.113.5"


def log_line(caplog: pytest.LogCaptureFixture) -> str:
    (line,) = [record.getMessage() for record in caplog.records if record.name == "balansity.api.boundary"]
    return re.sub(r" \d+ ms ", " N ms ", line)


def test_a_request_is_logged_without_what_it_carries(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    token = access_token(USER, email="anna@example.org")
    with caplog.at_level(logging.INFO):
        client.get("/api/echo?token=geheim", headers={"Authorization": f"Bearer {token}"})
    assert log_line(caplog) == f"GET /api/echo 200 N ms user {USER}"


def test_a_path_cannot_forge_a_log_line(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        client.get("/api/a%0A2026-01-01 INFO forged" + "x" * 5000)
    line = log_line(caplog)
    assert line.startswith("GET /api/a%0A2026-01-01%20INFO%20forgedxx")
    assert line.endswith(" 404 N ms anonymous")
    assert len(line) < 250


@pytest.mark.parametrize(
    "asked",
    [
        "authorization,content-type,idempotency-key,x-request-id",
        # Sentry, with and without W3C's.
        "authorization,baggage,content-type,sentry-trace",
        "authorization,content-type,traceparent,tracestate",
        # supabase-js and its parts.
        "apikey,authorization,content-type,x-client-info,x-supabase-api-version",
        "accept-profile,apikey,authorization,content-profile,prefer,x-client-info,x-retry-count",
        # Other tracing, and what axios and a reload without the cache add.
        "b3,newrelic,x-datadog-origin,x-datadog-parent-id,x-datadog-sampling-priority,x-datadog-trace-id",
        "elastic-apm-traceparent,uber-trace-id,x-amzn-trace-id,x-cloud-trace-context,x-datadog-tags,x-newrelic-id",
        "dnt,x-highlight-request,x-openreplay-sessiontoken",
        "accept,cache-control,pragma,x-requested-with",
    ],
)
def test_the_front_end_may_call_from_the_browser(client: Client, asked: str) -> None:
    answer = client.options(
        "/api/echo",
        headers={
            "Origin": FRONT_END,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": asked,
        },
    )
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == FRONT_END
    assert set(asked.split(",")) <= set(answer.headers["Access-Control-Allow-Headers"].split(", "))
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("header", ["cookie", "x-forwarded-for", "x-csrftoken", "client-address"])
def test_what_could_give_a_right_may_not_be_sent(client: Client, header: str) -> None:
    headers = {"Origin": FRONT_END, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": header}
    answer = client.options("/api/echo", headers=headers)
    assert header not in answer.headers["Access-Control-Allow-Headers"].split(", ")


@pytest.mark.parametrize("path", ["/api/echo", "/api/nothing", "/api/open"])
def test_the_front_end_can_read_every_answer(client: Client, path: str) -> None:
    answer = client.get(path, headers={"Origin": FRONT_END})
    assert answer.headers["Access-Control-Allow-Origin"] == FRONT_END
    exposed = set(answer.headers["Access-Control-Expose-Headers"].split(", "))
    assert exposed == {"x-request-id", "retry-after", "idempotency-replayed"}


@pytest.mark.parametrize(
    ("path", "origin"),
    [
        ("/api/open", "https://evil.example"),
        ("/api/open", "http://localhost:5174"),
        ("/api/open", "null"),
        ("/page/json", FRONT_END),
    ],
)
def test_no_other_page_may(client: Client, path: str, origin: str) -> None:
    answer = client.get(path, headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers
