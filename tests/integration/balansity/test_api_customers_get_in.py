"""Tokens as the servers of Supabase write them, hosted and self-hosted: none is minted by what we assume of them."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import jwt
import pytest
from django.test import Client
from pytest_django import Settings

from balansity.api import asked_tokens as asked
from balansity.api import authentication, supabase_http
from balansity.api.claims import server_address
from balansity.api.refusals import MOST_LINES, PERIOD_SECONDS, Cause, RefusalLog, TokenRefused
from balansity.api.signing_keys import signing_keys
from tests.support.loaded_settings import MAIL, load_settings
from tests.support.supabase_tokens import AuthServer, Fault, ec_key, rsa_key, serving_auth

pytestmark = [pytest.mark.urls("tests.support.api_views"), pytest.mark.usefixtures("broker_url")]

USER = UUID("a0000000-0000-4000-8000-000000000001")
# As `JWT_SECRET` of Supabase's own `.env.example` looks.
SECRET = "your-super-secret-jwt-token-with-at-least-32-characters-long"
PUBLIC = "https://kongbalansity.beget.example"


def claims(**others: Any) -> dict[str, Any]:
    """What supabase/auth writes into a token of somebody who signed in with a password; `None` leaves one out."""
    now = int(time.time())
    usual = {
        "aud": "authenticated",
        "exp": now + 3600,
        "iat": now,
        "sub": str(USER),
        "email": "anna@example.org",
        "phone": "",
        "app_metadata": {"provider": "email", "providers": ["email"]},
        "user_metadata": {"email_verified": True, "sub": str(USER)},
        "role": "authenticated",
        "aal": "aal1",
        "amr": [{"method": "password", "timestamp": now}],
        "session_id": "5b1e1bcc-2f3c-4a1b-9a54-0d9c8f6d8d11",
        "is_anonymous": False,
    }
    return {name: value for name, value in {**usual, **others}.items() if value is not None}


def signed(secret: str = SECRET, **others: Any) -> str:
    # Not by the library that reads it, which refuses to write some of what others do.
    return jwt.api_jws.encode(json.dumps(claims(**others)).encode(), secret, algorithm="HS256")


def api_key(role: str) -> str:
    """The anon or the service key, as Supabase's page for self-hosting makes them."""
    return jwt.encode(
        {"role": role, "iss": "supabase", "iat": 1704056400, "exp": 2019589200}, SECRET, algorithm="HS256"
    )


def use_env(settings: Settings, **variables: str) -> None:
    """Take the settings that production would have with these variables."""
    for name, value in load_settings({**MAIL, **variables}).items():
        if name.startswith("SUPABASE_"):
            setattr(settings, name, value)


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(authentication, "refusal_log", RefusalLog())
    signing_keys.cache_clear()
    asked.asked_tokens.forget()
    yield
    signing_keys.cache_clear()
    asked.asked_tokens.forget()


@pytest.fixture
def auth() -> Iterator[AuthServer]:
    with serving_auth(ec_key(), rsa_key()) as server:
        yield server


@pytest.fixture
def old_env(settings: Settings, auth: AuthServer) -> AuthServer:
    """What the Node worker knew: the address and the service key, and no secret."""
    auth.gateway_key = "sb_secret_N7UND0UgjKTVK-Uodkm0Hg_xSvEMPvz"
    use_env(settings, SUPABASE_URL=auth.url, SUPABASE_SERVICE_ROLE_KEY=auth.gateway_key)
    return auth


def call(client: Client, token: str) -> Any:
    return client.get("/api/echo", headers={"Authorization": f"Bearer {token}"})


def status(client: Client, token: str) -> int:
    return int(call(client, token).status_code)


@pytest.mark.parametrize(
    "issuer",
    [None, "", PUBLIC, f"{PUBLIC}/", f"{PUBLIC}/auth/v1", f"{PUBLIC}/auth/v1/", f"{PUBLIC.upper()}:443/auth/v1"],
)
@pytest.mark.parametrize("written", [PUBLIC, f"{PUBLIC}/"])
def test_a_customer_of_a_self_hosted_supabase_gets_in(
    client: Client, settings: Settings, issuer: str | None, written: str
) -> None:
    use_env(settings, SUPABASE_URL=written, SUPABASE_JWT_SECRET=SECRET)
    answer = call(client, signed(iss=issuer))
    assert (answer.status_code, answer.json()) == (200, {"user": str(USER), "email": "anna@example.org"})


def test_a_cyrillic_domain_is_the_same_in_both_spellings(client: Client, settings: Settings) -> None:
    use_env(settings, SUPABASE_URL="https://выдра.рф", SUPABASE_JWT_SECRET=SECRET)
    assert status(client, signed(iss="https://xn--80adg2cxc.xn--p1ai/auth/v1")) == 200
    assert status(client, signed(iss="https://ВЫДРА.рф")) == 200


def test_the_public_address_is_added_where_supabase_is_reached_at_an_inner_one(
    client: Client, settings: Settings
) -> None:
    inner = {"SUPABASE_URL": "http://kong:8000", "SUPABASE_JWT_SECRET": SECRET}
    use_env(settings, **inner)
    assert status(client, signed(iss=PUBLIC)) == 401
    use_env(settings, **inner, SUPABASE_JWT_ISSUER=f"{PUBLIC}/auth/v1")
    assert [status(client, signed(iss=issuer)) for issuer in (PUBLIC, "http://kong:8000", None)] == [200] * 3


@pytest.mark.parametrize(
    "issuer", ["https://evil.example/auth/v1", "supabase", f"{PUBLIC}.evil.example", "https://[", 5]
)
def test_the_secret_with_a_foreign_issuer_is_refused(client: Client, settings: Settings, issuer: object) -> None:
    use_env(settings, SUPABASE_URL=PUBLIC, SUPABASE_JWT_SECRET=SECRET)
    assert status(client, signed(iss=issuer)) == 401


@pytest.mark.parametrize("number", [0, 1], ids=["ES256", "RS256"])
def test_a_published_key_needs_an_issuer(client: Client, settings: Settings, auth: AuthServer, number: int) -> None:
    use_env(settings, SUPABASE_URL=auth.url, SUPABASE_JWT_SECRET=SECRET)
    key = auth.keys[number]

    def token(**others: Any) -> str:
        return jwt.encode(claims(**others), key.private, algorithm=key.algorithm, headers={"kid": key.key_id})

    assert [status(client, token(iss=f"{auth.url}/auth/v1")), status(client, token(iss=auth.url))] == [200, 200]
    assert [status(client, token()), status(client, token(iss="")), status(client, token(iss=PUBLIC))] == [401] * 3


def test_an_old_env_is_enough(client: Client, old_env: AuthServer) -> None:
    token = signed("a secret that only Supabase knows, of some length", email="old@example.org")
    old_env.sessions[token] = USER
    old_env.users[USER] = {"email": "new@example.org"}
    answer = call(client, token)
    assert (answer.status_code, answer.json()) == (200, {"user": str(USER), "email": "new@example.org"})
    ((path, headers),) = old_env.requests
    # A new secret key is no token: it stands in its own header alone.
    expected = ("/auth/v1/user", f"Bearer {token}", old_env.gateway_key)
    assert (path, headers["Authorization"], headers["apikey"]) == expected


def test_a_page_of_calls_costs_one_question(client: Client, old_env: AuthServer) -> None:
    token = signed()
    old_env.sessions[token] = USER
    assert [status(client, token) for _ in range(5)] == [200] * 5
    assert len(old_env.requests) == 1


def test_a_token_that_was_asked_about_just_now_costs_its_caller_no_question(
    client: Client, old_env: AuthServer, settings: Settings
) -> None:
    settings.API_THROTTLES = {**settings.API_THROTTLES, "token_check": 2}
    known, unknown = signed(), signed(session_id="other")
    old_env.sessions[known] = USER
    assert [status(client, token) for token in (known, unknown) * 3] == [200, 401] * 3


def test_what_was_said_is_forgotten_soon_and_never_outlives_the_token(
    client: Client, old_env: AuthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(asked.asked_tokens, "_clock", lambda: now)
    token, unknown, short = signed(), signed(session_id="other"), signed(exp=int(now) + 5)
    old_env.sessions.update({token: USER, short: USER})

    def questions(token: str) -> int:
        before = len(old_env.requests)
        call(client, token)
        return len(old_env.requests) - before

    assert [questions(each) for each in (token, unknown, short)] == [1, 1, 1]
    now += asked.REFUSED_FOR - 1
    assert [questions(each) for each in (token, unknown, short)] == [0, 0, 1]
    now += 2
    assert [questions(each) for each in (token, unknown)] == [0, 1]
    now += asked.ACCEPTED_FOR
    assert questions(token) == 1


def test_a_signed_out_session_does_not_count(client: Client, old_env: AuthServer) -> None:
    assert status(client, signed()) == 401


@pytest.mark.parametrize(
    "make_token",
    [
        lambda: api_key("anon"),
        lambda: api_key("service_role"),
        lambda: signed(role="service_role"),
        lambda: signed(role="anon"),
        lambda: signed(is_anonymous=True),
        lambda: signed(exp=int(time.time()) - 1),
        lambda: signed(aud="anon"),
        lambda: signed(sub="1"),
        lambda: signed(iat=int(time.time()) + 600),
        # Numbers that Python reads and cannot reckon with.
        lambda: signed(exp=10**400),
        lambda: signed(iat=10**400),
        lambda: signed(nbf=-(10**400)),
    ],
    ids=[
        *("anon key", "service key", "service role", "anon role", "anonymous", "over", "audience", "subject", "future"),
        *("endless", "never issued", "always"),
    ],
)
def test_what_is_no_customer_is_not_even_asked_about(
    client: Client, old_env: AuthServer, make_token: Callable[[], str]
) -> None:
    token = make_token()
    old_env.sessions[token] = USER
    assert status(client, token) == 401
    assert old_env.requests == []


@pytest.mark.parametrize(
    "said",
    [{"is_anonymous": True}, {"role": "service_role"}, {"role": ""}, {"id": "a0000000-0000-4000-8000-000000000002"}],
    ids=str,
)
def test_whom_supabase_does_not_call_a_customer_gets_no_further(
    client: Client, old_env: AuthServer, said: dict[str, Any]
) -> None:
    token = signed()
    old_env.sessions[token], old_env.users[USER] = USER, said
    assert status(client, token) == 401


@pytest.mark.parametrize("fault", [*Fault, "gateway"], ids=str)
def test_a_supabase_that_cannot_be_asked_refuses_nobody(
    client: Client,
    old_env: AuthServer,
    fault: Fault | str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if isinstance(fault, Fault):
        if fault in (Fault.SILENT, Fault.DRIP):
            monkeypatch.setattr(supabase_http, "TIMEOUT_SECONDS", 0.2)
        old_env.fault = fault
    else:
        old_env.gateway_key = "another key than ours"
    token = signed()
    old_env.sessions[token] = USER
    answer = call(client, token)
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert ("check SUPABASE_SERVICE_ROLE_KEY" in caplog.text) == (fault == "gateway")
    # And no refusal is remembered.
    monkeypatch.setattr(supabase_http, "TIMEOUT_SECONDS", 3.0)
    old_env.fault, old_env.gateway_key = None, "sb_secret_N7UND0UgjKTVK-Uodkm0Hg_xSvEMPvz"
    assert status(client, token) == 200


def test_one_address_cannot_make_us_ask_without_end(client: Client, old_env: AuthServer, settings: Settings) -> None:
    settings.API_THROTTLES = {**settings.API_THROTTLES, "token_check": 3}
    answers = [call(client, signed(session_id=str(number))) for number in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert int(answers[-1].headers["Retry-After"]) > 50
    assert len(old_env.requests) == 3


def test_many_made_up_tokens_drive_no_customer_out(
    client: Client, old_env: AuthServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "MOST_REMEMBERED", 4)
    token = signed()
    old_env.sessions[token] = USER
    for each in [token, *(signed(session_id=str(number)) for number in range(10))]:
        call(client, each)
    before = len(old_env.requests)
    assert status(client, token) == 200
    assert len(old_env.requests) == before


def test_tokens_themselves_are_not_kept(client: Client, old_env: AuthServer) -> None:
    token = signed()
    old_env.sessions[token] = USER
    assert status(client, token) == 200
    kept = json.dumps(repr((asked.asked_tokens._accepted, asked.asked_tokens._refused)))
    assert not [part for part in token.split(".") if part in kept]


def test_a_gateway_that_wants_a_key_for_public_keys_gets_ours(
    client: Client, old_env: AuthServer, caplog: pytest.LogCaptureFixture
) -> None:
    key = old_env.keys[0]
    token = jwt.encode(
        claims(iss=f"{old_env.url}/auth/v1"), key.private, algorithm=key.algorithm, headers={"kid": key.key_id}
    )
    with caplog.at_level(logging.INFO):
        assert status(client, token) == 200
    assert [headers.get("apikey") for _, headers in old_env.requests] == [None, old_env.gateway_key]
    assert "the gateway in front of Supabase wants an apikey" in caplog.text


def test_a_gateway_that_lets_nobody_through_is_named(
    client: Client, old_env: AuthServer, caplog: pytest.LogCaptureFixture
) -> None:
    old_env.gateway_key = "another key than ours"
    assert status(client, old_env.keys[0].access_token(USER)) == 503
    assert "the gateway in front of it answers 401" in caplog.text
    assert "SUPABASE_SERVICE_ROLE_KEY" in caplog.text


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    ours = [record for record in caplog.records if record.name == "balansity.api.refusals"]
    return [record.getMessage() for record in ours if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("variables", "make_token", "named"),
    [
        ({"SUPABASE_URL": PUBLIC, "SUPABASE_JWT_SECRET": "x" * 40}, signed, "SUPABASE_JWT_SECRET"),
        (
            {"SUPABASE_URL": PUBLIC, "SUPABASE_JWT_SECRET": SECRET},
            lambda: signed(iss="https://b.example"),
            "JWT_ISSUER",
        ),
        (
            {"SUPABASE_URL": PUBLIC, "SUPABASE_JWT_SECRET": SECRET},
            lambda: signed(iss="https://b.example"),
            "https://b.example",
        ),
        ({"SUPABASE_URL": PUBLIC}, signed, "SUPABASE_JWT_SECRET"),
        ({"SUPABASE_JWT_SECRET": SECRET}, lambda: ec_key().access_token(USER), "SUPABASE_URL"),
        ({"SUPABASE_JWT_SECRET": SECRET}, lambda: signed(iat=int(time.time()) + 600), "clock"),
    ],
    ids=["secret", "issuer", "which issuer", "no secret", "no address", "clock"],
)
def test_what_refuses_everybody_is_one_warning_that_names_the_variable(
    client: Client,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    variables: dict[str, str],
    make_token: Callable[[], str],
    named: str,
) -> None:
    use_env(settings, **variables)
    token = make_token()
    with caplog.at_level(logging.INFO):
        for _ in range(30):
            assert status(client, token) == 401
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert named in warning
    lines = [record for record in caplog.records if record.name == "balansity.api.refusals"]
    assert len(lines) <= 21
    assert not [part for part in token.split(".") if part in caplog.text]


def test_a_customer_whose_token_is_over_is_no_reason_to_warn(
    client: Client, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    use_env(settings, SUPABASE_URL=PUBLIC, SUPABASE_JWT_SECRET=SECRET)
    for token in (signed(exp=1), api_key("anon"), signed(is_anonymous=True)):
        assert {status(client, token) for _ in range(5)} == {401}
    assert warnings(caplog) == []


def test_one_strange_token_is_no_reason_either_and_the_next_hour_warns_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 0.0
    log = RefusalLog(lambda: now)
    log.accepted()
    log.refused(TokenRefused("x", Cause.SIGNATURE))
    assert warnings(caplog) == []
    log.accepted()
    for _ in range(5):
        log.refused(TokenRefused("x", Cause.SIGNATURE))
    assert len(warnings(caplog)) == 1
    assert "1 others were accepted meanwhile" in caplog.text
    now += PERIOD_SECONDS
    for _ in range(5):
        log.refused(TokenRefused("x", Cause.SIGNATURE))
    assert len(warnings(caplog)) == 2


def test_the_warning_says_how_many_got_in_meanwhile(
    client: Client, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    use_env(settings, SUPABASE_URL=PUBLIC, SUPABASE_JWT_SECRET=SECRET)
    assert [status(client, token) for token in (signed("x" * 40), signed(), signed("x" * 40))] == [401, 200, 401]
    assert "1 others were accepted meanwhile" in caplog.text


def test_what_a_customer_makes_us_wait_for_is_counted_as_theirs(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_env(settings, SUPABASE_URL=PUBLIC, SUPABASE_JWT_SECRET=SECRET)
    callers: list[str] = []
    monkeypatch.setattr(authentication, "called_by", callers.append)
    assert status(client, signed()) == 200
    assert callers == [str(USER)]


def test_a_reason_that_anybody_can_repeat_is_a_few_lines_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    log = RefusalLog(lambda: 0.0)
    with caplog.at_level(logging.INFO):
        for _ in range(MOST_LINES + 5):
            log.refused(TokenRefused("x"))
    assert [record.getMessage() for record in caplog.records] == ["an access token was refused: x"] * MOST_LINES


@pytest.mark.parametrize(
    ("issuer", "address"),
    [
        ("https://a.example/auth/v1/", "https://a.example"),
        ("HTTPS://A.example:443", "https://a.example"),
        ("http://kong:8000/auth/v1", "http://kong:8000"),
        ("https://a.example/worker/auth/v1", "https://a.example/worker"),
        ("supabase", "supabase"),
        ("https://a:b", "https://a:b"),
    ],
)
def test_an_issuer_is_an_address_of_a_server(issuer: str, address: str) -> None:
    assert server_address(issuer) == address


def test_many_first_calls_at_once_are_all_answered(old_env: AuthServer) -> None:
    token = signed()
    old_env.sessions[token] = USER
    with ThreadPoolExecutor(8) as pool:
        users = list(pool.map(lambda _: asked.asked_tokens.user_of(token, "address:x"), range(16)))
    assert {user.id for user in users} == {USER}
