"""Whose refusal it is: the gateway's, that our key is wrong, or the Auth server's, that the token does not count."""

import time
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.views import APIView

from balansity.api import auth_server, live_session
from balansity.api.auth_server import GatewayRefused, ask_for_user
from balansity.api.supabase_http import LARGEST_BODY, Answer, SupabaseUnreachable, _read

INVALID, MISSING = {"message": "Invalid API key"}, {"message": "No API key found in request"}
KONGS = {"message": "Invalid authentication credentials"}
BAD_TOKEN = {"code": 403, "error_code": "bad_jwt", "msg": "invalid JWT: unable to parse or verify signature"}


@pytest.fixture(autouse=True)
def _address(settings: Settings) -> None:
    settings.SUPABASE_URL, settings.SUPABASE_SERVICE_ROLE_KEY = "https://supabase.example", "sb_secret_x"


def answered(monkeypatch: pytest.MonkeyPatch, status: int, body: Any) -> None:
    monkeypatch.setattr(auth_server, "get_json", lambda url, headers: Answer(status, body))


@pytest.mark.parametrize("body", [INVALID, MISSING, KONGS])
@pytest.mark.parametrize("status", [401, 403])
def test_a_gateway_that_refuses_our_key_says_nothing_about_the_token(
    monkeypatch: pytest.MonkeyPatch, status: int, body: Any
) -> None:
    answered(monkeypatch, status, body)
    with pytest.raises(GatewayRefused, match=f"answered {status} to our key"):
        ask_for_user("x")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, BAD_TOKEN),
        (401, {**BAD_TOKEN, "message": "Invalid API key"}),
        (401, {"message": "no such session"}),
        (401, {}),
        (401, None),
        (403, ["Invalid API key"]),
        (401, "Invalid API key"),
        (404, INVALID),
        (404, None),
    ],
)
def test_a_token_that_the_auth_server_does_not_know_is_nobodys(
    monkeypatch: pytest.MonkeyPatch, status: int, body: Any
) -> None:
    answered(monkeypatch, status, body)
    assert ask_for_user("x") is None


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, None), (302, None), (429, None), (201, {"id": "x"}), (200, None), (200, ["x"]), (200, "x")],
)
def test_whatever_else_it_says_nobody_can_be_told_from_it(
    monkeypatch: pytest.MonkeyPatch, status: int, body: Any
) -> None:
    answered(monkeypatch, status, body)
    with pytest.raises(SupabaseUnreachable) as caught:
        ask_for_user("x")
    assert not isinstance(caught.value, GatewayRefused)


def response_of(*chunks: bytes) -> Any:
    pieces = iter([*chunks, b""])
    return SimpleNamespace(raw=SimpleNamespace(read1=lambda size, *, decode_content: next(pieces)))


def test_an_answer_is_read_up_to_its_limit_and_no_further() -> None:
    half = b"x" * (LARGEST_BODY // 2)
    soon = time.monotonic() + 60
    assert _read(response_of(half, half), soon) == half * 2
    with pytest.raises(SupabaseUnreachable, match="too long"):
        _read(response_of(half, half, b"x"), soon)
    with pytest.raises(SupabaseUnreachable, match="takes too long"):
        _read(response_of(half, half), time.monotonic() - 1)


def test_a_user_is_what_it_says_about_them(monkeypatch: pytest.MonkeyPatch) -> None:
    user = {"id": "a0000000-0000-4000-8000-000000000001", "message": "Invalid API key"}
    answered(monkeypatch, 200, user)
    assert ask_for_user("x") == user


def test_staff_with_a_session_of_their_own_are_not_asked_about(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SUPABASE_SESSION_CHECK = True
    asked: list[object] = []
    monkeypatch.setattr(live_session, "count_request", lambda *call: asked.append(call))
    monkeypatch.setattr(live_session, "ask_for_user", asked.append)
    request: Any = SimpleNamespace(user=SimpleNamespace(pk=7), auth=None)
    assert live_session.RequiresLiveSession().has_permission(request, APIView())
    assert asked == []
