"""Who may call: over HTTP, from the header to the answer, with a real Auth server behind it."""

import logging
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from pytest_django import Settings

from balansity.api import supabase_http
from balansity.api.signing_keys import signing_keys
from tests.support.databases import ClonedDatabase
from tests.support.supabase_tokens import AuthServer, Fault, access_token, ec_key, serving_auth

pytestmark = [pytest.mark.urls("tests.support.api_views"), pytest.mark.usefixtures("broker_url")]

USER = UUID("a0000000-0000-4000-8000-000000000001")


@pytest.fixture
def auth(settings: Settings, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[AuthServer]:
    fault = request.getfixturevalue("fault") if "fault" in request.fixturenames else None
    if fault in (Fault.SILENT, Fault.DRIP):
        # Only for an answer that never comes.
        monkeypatch.setattr(supabase_http, "TIMEOUT_SECONDS", 0.3)
    signing_keys.cache_clear()
    with serving_auth(ec_key()) as server:
        settings.SUPABASE_URL, settings.SUPABASE_SERVICE_ROLE_KEY = server.url, "service-key"
        yield server
    signing_keys.cache_clear()


def call(client: Client, authorization: str | None, path: str = "/api/echo") -> Any:
    headers = {} if authorization is None else {"Authorization": authorization}
    return client.get(path, headers=headers)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_signed_in_user_is_recognised(client: Client, scheme: str) -> None:
    answer = call(client, f"{scheme} {access_token(USER, email='anna@example.org')}")
    assert (answer.status_code, answer.json()) == (200, {"user": str(USER), "email": "anna@example.org"})


def test_every_refusal_looks_the_same(client: Client) -> None:
    token = access_token(USER)
    refused: list[str | None] = [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {token} {token}",
        f"Bearer {token}, Bearer {token}",
        f"Basic {token}",
        token,
        f"Bearer {access_token(USER, exp=1)}",
        f"Bearer {access_token(USER, role='anon')}",
        f"Bearer {access_token(USER, aud='other')}",
        f"Bearer {access_token(USER, secret='x' * 40)}",
        f"Bearer {ec_key().access_token(USER)}",
        f"Bearer {'a' * 100_000}",
        "Bearer тест",
        "Bearer \udcff",
        "Bearer null",
    ]
    answers = [call(client, authorization) for authorization in refused]
    bodies = [{**answer.json(), "request_id": ""} for answer in answers]
    assert bodies == [
        {
            "type": "about:blank",
            "title": "Unauthorized",
            "status": 401,
            "detail": "Authentication required: send a valid access token",
            "error": "Authentication required: send a valid access token",
            "code": "not_authenticated",
            "request_id": "",
        }
    ] * len(refused)
    assert {(answer.status_code, answer.headers["WWW-Authenticate"]) for answer in answers} == {(401, "Bearer")}


def test_no_part_of_a_refused_token_is_logged(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    token = access_token(USER, email="anna@example.org", aud="other")
    with caplog.at_level(logging.DEBUG):
        assert call(client, f"Bearer {token}").status_code == 401
    assert "an access token was refused: InvalidAudienceError" in caplog.text
    assert not [part for part in [*token.split("."), "anna@"] if part in caplog.text]


def test_a_published_key_is_enough(client: Client, auth: AuthServer, settings: Settings) -> None:
    settings.SUPABASE_JWT_SECRET = ""
    assert call(client, f"Bearer {auth.keys[0].access_token(USER)}").status_code == 200


@pytest.mark.parametrize("fault", [Fault.DOWN, Fault.SILENT, Fault.GARBAGE])
def test_a_key_that_cannot_be_fetched_is_no_refusal(client: Client, auth: AuthServer, fault: Fault) -> None:
    auth.fault = fault
    answer = call(client, f"Bearer {auth.keys[0].access_token(USER)}")
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1


def test_without_a_configuration_nobody_gets_in(
    client: Client, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SUPABASE_URL = settings.SUPABASE_JWT_SECRET = ""
    answer = call(client, f"Bearer {access_token(USER)}")
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert "set SUPABASE_URL or SUPABASE_JWT_SECRET" in caplog.text


def move_money(client: Client, token: str) -> Any:
    return client.post("/api/money", headers={"Authorization": f"Bearer {token}"})


def test_the_session_is_not_asked_about_by_default(client: Client, auth: AuthServer) -> None:
    assert move_money(client, access_token(USER)).status_code == 200
    assert auth.requests == []


def test_a_live_session_may_move_money(client: Client, auth: AuthServer, settings: Settings) -> None:
    settings.SUPABASE_SESSION_CHECK = True
    token = access_token(USER)
    auth.sessions[token] = USER
    assert move_money(client, token).status_code == 200
    ((path, headers),) = auth.requests
    assert (path, headers["Authorization"], headers["apikey"]) == ("/auth/v1/user", f"Bearer {token}", "service-key")


def of_nobody(auth: AuthServer, token: str) -> None:
    auth.sessions.pop(token, None)


def of_somebody_else(auth: AuthServer, token: str) -> None:
    auth.sessions[token] = uuid.uuid4()


@pytest.mark.parametrize("session", [of_nobody, of_somebody_else])
def test_a_session_that_is_gone_may_not(
    client: Client, auth: AuthServer, settings: Settings, session: Callable[[AuthServer, str], None]
) -> None:
    settings.SUPABASE_SESSION_CHECK = True
    token = access_token(USER)
    session(auth, token)
    answer = move_money(client, token)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("fault", [Fault.DOWN, Fault.SILENT, Fault.DRIP, Fault.GARBAGE, Fault.REDIRECT])
def test_an_unanswered_question_about_the_session_is_a_503(
    client: Client, auth: AuthServer, settings: Settings, fault: Fault
) -> None:
    settings.SUPABASE_SESSION_CHECK = True
    token = access_token(USER)
    auth.sessions[token], auth.fault = USER, fault
    answer = move_money(client, token)
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert len(auth.requests) == 1


def test_a_gateway_that_refuses_our_own_key_ends_no_session(
    client: Client, auth: AuthServer, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SUPABASE_SESSION_CHECK = True
    token = access_token(USER)
    auth.sessions[token], auth.gateway_key = USER, "another key than ours"
    assert move_money(client, token).status_code == 503
    assert "check SUPABASE_SERVICE_ROLE_KEY" in caplog.text


def test_one_user_cannot_make_us_ask_without_end(client: Client, auth: AuthServer, settings: Settings) -> None:
    settings.SUPABASE_SESSION_CHECK = True
    settings.API_THROTTLES = {**settings.API_THROTTLES, "session_check": 3}
    token = access_token(USER)
    assert [move_money(client, token).status_code for _ in range(5)] == [401, 401, 401, 429, 429]
    assert len(auth.requests) == 3


def test_staff_come_with_djangos_session_and_a_csrf_token(database: ClonedDatabase) -> None:
    staff = get_user_model().objects.create(username="support", is_staff=True)
    client = Client(enforce_csrf_checks=True)
    assert client.post("/api/staff").status_code == 403
    client.force_login(staff)
    answer = client.post("/api/staff", {}, "application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    token = "a" * 32
    client.cookies["csrftoken"] = token
    answer = client.post("/api/staff", {}, "application/json", headers={"X-CSRFToken": token})
    assert (answer.status_code, answer.json()) == (200, {"staff": staff.pk})


def test_a_token_of_supabase_is_no_staff_session(client: Client, database: ClonedDatabase) -> None:
    answer = client.post("/api/staff", headers={"Authorization": f"Bearer {access_token(USER)}"})
    assert (answer.status_code, answer.json()["code"]) == (403, "not_authenticated")
