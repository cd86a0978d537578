"""Access tokens signed with the shared secret: the one kind that counts, and everything that looks like it."""

import base64
import json
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from pytest_django import Settings

from balansity.api.access_tokens import LARGEST_TOKEN, NotConfigured, TokenRefused, read_access_token
from sandbox.tokens import access_token, user_claims
from tests.support.supabase_tokens import rsa_key

USER = UUID("a0000000-0000-4000-8000-000000000001")
SECRET = "a-secret-of-the-self-hosted-kind-0123456789"


@pytest.fixture(autouse=True)
def _self_hosted(settings: Settings) -> None:
    settings.SUPABASE_URL = ""
    settings.SUPABASE_JWT_SECRET = SECRET


def token(**claims: Any) -> str:
    return access_token(USER, secret=SECRET, **claims)


def from_now(value: Any) -> Any:
    return int(time.time() + value.total_seconds()) if isinstance(value, timedelta) else value


def encoded(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_a_token_names_its_user() -> None:
    user = read_access_token(token(email="anna@example.org", session_id="s-1"))
    assert (user.id, user.pk, user.email, user.session_id) == (USER, USER, "anna@example.org", "s-1")
    assert user.is_authenticated
    assert (user.is_anonymous, user.is_staff, user.is_superuser) == (False, False, False)


def test_what_a_token_need_not_say_is_empty() -> None:
    user = read_access_token(token(email=None, session_id=["x"], is_anonymous=None))
    assert (user.email, user.session_id) == ("", "")


@pytest.mark.parametrize("ahead", [3, 15, 45, 58])
def test_the_clock_of_the_issuer_may_be_a_minute_ahead(ahead: int) -> None:
    now = int(time.time())
    assert read_access_token(token(iat=now + ahead, nbf=now + ahead)).id == USER


@pytest.mark.parametrize("claims", [{"iat": 90}, {"nbf": 90}])
def test_more_than_a_minute_is_no_clock(claims: dict[str, int]) -> None:
    with pytest.raises(TokenRefused, match="lies in the future"):
        read_access_token(token(**{name: int(time.time()) + ahead for name, ahead in claims.items()}))


def test_a_token_that_is_over_gets_no_grace() -> None:
    with pytest.raises(TokenRefused, match="ExpiredSignatureError"):
        read_access_token(token(exp=int(time.time()) - 1))


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": timedelta(minutes=-1)},
        {"exp": None},
        {"exp": "soon"},
        {"exp": float("inf")},
        {"nbf": timedelta(minutes=10)},
        {"iat": timedelta(minutes=10)},
        {"aud": "anon"},
        {"aud": None},
        {"aud": 5},
        {"role": "anon"},
        {"role": "service_role"},
        {"role": None},
        {"role": ["authenticated"]},
        {"sub": None},
        {"sub": "1 OR 1=1"},
        {"sub": ""},
        {"iss": "https://evil.example/auth/v1"},
        {"iat": "soon"},
        {"nbf": True},
        {"is_anonymous": True},
        {"is_anonymous": "yes"},
    ],
    ids=lambda claims: " ".join(
        f"{name} {'time' if isinstance(value, timedelta) else value}" for name, value in claims.items()
    ),
)
def test_a_well_signed_token_that_says_something_else_is_refused(claims: dict[str, Any]) -> None:
    # Reckoned from now, and not from when the tests were collected, which can be long ago.
    with pytest.raises(TokenRefused):
        read_access_token(token(**{name: from_now(value) for name, value in claims.items()}))


# Of hundreds of digits, which Python reads and then cannot reckon with; and what is no text where a text is due.
GIANT = 10**400
ODD = [{"exp": GIANT}, {"iat": GIANT}, {"nbf": GIANT}, {"sub": 5}, {"sub": ["x"]}, {"sub": {}}, {"sub": True}]


@pytest.mark.parametrize("is_asked_about", [False, True])
@pytest.mark.parametrize("claims", ODD, ids=lambda claims: " ".join(map(str, claims)))
def test_claims_of_a_kind_that_nobody_expects_are_refused_before_anybody_is_asked(
    settings: Settings, claims: dict[str, Any], is_asked_about: bool
) -> None:
    if is_asked_about:
        settings.SUPABASE_JWT_SECRET, settings.SUPABASE_SERVICE_ROLE_KEY = "", "service"
        settings.SUPABASE_URL = "https://supabase.example"
    payload = json.dumps({**user_claims(USER), **claims}).encode()
    with pytest.raises(TokenRefused):
        read_access_token(jwt.api_jws.encode(payload, SECRET, algorithm="HS256"))


def test_the_anon_and_the_service_key_are_no_users() -> None:
    for role in ("anon", "service_role"):
        key = jwt.encode({"iss": "supabase", "ref": "abc", "role": role, "exp": 2**33}, SECRET, algorithm="HS256")
        with pytest.raises(TokenRefused):
            read_access_token(key)


def test_another_secret_or_a_changed_payload_is_refused() -> None:
    head, _, signature = token().split(".")
    forged = encoded(user_claims("a0000000-0000-4000-8000-000000000002"))
    for bad in (access_token(USER, secret="x" * 40), f"{head}.{forged}.{signature}"):
        with pytest.raises(TokenRefused, match="InvalidSignatureError"):
            read_access_token(bad)


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "", "HS384", "HS512", "PS256", "EdDSA", None, 5, ["HS256"]]
)
def test_the_header_cannot_choose_another_algorithm(algorithm: Any) -> None:
    body = encoded(user_claims(USER))
    for signature in ("", "AAAA", token().split(".")[2]):
        with pytest.raises(TokenRefused):
            read_access_token(f"{encoded({'alg': algorithm, 'typ': 'JWT'})}.{body}.{signature}")


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_the_right_secret_with_another_hash_is_refused(algorithm: str) -> None:
    with pytest.raises(TokenRefused):
        read_access_token(jwt.encode(user_claims(USER), SECRET * 2, algorithm=algorithm))


def test_a_published_kind_of_key_is_refused_where_only_a_secret_is_set() -> None:
    with pytest.raises(TokenRefused, match="not accepted here"):
        read_access_token(rsa_key().access_token(USER))


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "x",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "....",
        "eyJhbGciOiJIUzI1NiJ9.e30.",
        f"{encoded(b'[' * 5000)}.e30.AAAA",
        f"{encoded(b'[]')}.e30.AAAA",
        f"{encoded({'alg': 'HS256', 'crit': ['exp']})}.e30.AAAA",
        f"{encoded({'alg': 'HS256', 'b64': False, 'crit': ['b64']})}.e30.AAAA",
        f"{encoded({'alg': 'HS256', 'kid': 5})}.e30.AAAA",
        "тест.e30.AAAA",
        "a" * 100_000,
    ],
    ids=lambda garbage: garbage[:30],
)
def test_garbage_is_refused(garbage: str) -> None:
    with pytest.raises(TokenRefused):
        read_access_token(garbage)


def test_a_token_longer_than_any_of_supabases_is_not_even_decoded() -> None:
    assert read_access_token(token(app_metadata="x" * 2000)).id == USER
    with pytest.raises(TokenRefused, match="not in the form of a token"):
        read_access_token(token(app_metadata="x" * 8192))


def test_the_longest_token_is_as_long_as_it_may_be() -> None:
    for length, says_form in ((LARGEST_TOKEN, False), (LARGEST_TOKEN + 1, True)):
        with pytest.raises(TokenRefused) as caught:
            read_access_token("a" * (length - 4) + ".b.c")
        assert ("not in the form" in str(caught.value)) is says_form


@pytest.mark.parametrize("end", ["=", "==", "!", "\n", " "], ids=repr)
def test_one_token_has_one_spelling(end: str) -> None:
    # The library reads all of them as the token without it.
    with pytest.raises(TokenRefused, match="not in the form of a token"):
        read_access_token(token() + end)


def test_a_text_that_is_too_long_for_an_address_is_none() -> None:
    assert read_access_token(token(email="a" * 320)).email == "a" * 320
    assert read_access_token(token(email="a" * 321)).email == ""


def test_any_issuer_counts_where_none_is_named_in_the_settings(settings: Settings) -> None:
    elsewhere = token(iss="https://elsewhere.example/auth/v1")
    settings.SUPABASE_JWT_ISSUERS = ()
    assert read_access_token(elsewhere).id == USER
    settings.SUPABASE_JWT_ISSUERS = ("https://here.example",)
    with pytest.raises(TokenRefused, match="another issuer"):
        read_access_token(elsewhere)


@pytest.mark.parametrize("payload", [b"[" * 2500, b"1" * 4500, b"[]", b"\xff", b'"x"'], ids=repr)
def test_a_signed_payload_that_is_no_object_is_refused(payload: bytes) -> None:
    signed = jwt.api_jws.encode(payload, SECRET, algorithm="HS256")
    with pytest.raises(TokenRefused):
        read_access_token(signed)


def test_the_reason_never_quotes_the_token() -> None:
    bad = token(aud="anon", sub="secret-subject")
    with pytest.raises(TokenRefused) as caught:
        read_access_token(bad)
    assert not any(part in str(caught.value) for part in [*bad.split("."), "secret-subject"])


def test_nobody_is_recognised_without_a_secret_and_an_address(settings: Settings) -> None:
    settings.SUPABASE_JWT_SECRET = ""
    with pytest.raises(NotConfigured):
        read_access_token(token())
