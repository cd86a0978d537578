"""Keys that Supabase publishes, over HTTP: fetched rarely, kept through an outage, and never asked for in a flood."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import jwt
import pytest
from pytest_django import Settings

from balansity.api import supabase_http
from balansity.api.access_tokens import TokenRefused, read_access_token
from balansity.api.refusals import Cause
from balansity.api.signing_keys import (
    ASK_AGAIN_AFTER,
    REFRESH_AFTER,
    RETRY_AFTER,
    KeysUnavailable,
    SigningKeys,
    signing_keys,
)
from tests.support.far_below import far_below
from tests.support.supabase_tokens import (
    HANGS_SECONDS,
    AuthServer,
    Fault,
    KeyPair,
    ec_key,
    hosted_claims,
    rsa_key,
    serving_auth,
)

USER = UUID("a0000000-0000-4000-8000-000000000001")
SLOW = (Fault.SILENT, Fault.DRIP)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def auth(settings: Settings) -> Iterator[AuthServer]:
    """A hosted Supabase: it has no shared secret, and publishes one key of each kind."""
    signing_keys.cache_clear()
    with serving_auth(ec_key(), rsa_key()) as server:
        settings.SUPABASE_URL, settings.SUPABASE_JWT_SECRET = server.url, ""
        yield server
    signing_keys.cache_clear()


@pytest.fixture
def go_wrong(auth: AuthServer, monkeypatch: pytest.MonkeyPatch) -> Callable[[Fault | None], None]:
    """Let it misbehave from now on. Only for an answer that never comes nobody waits as long as in production."""

    def misbehave(fault: Fault | None) -> None:
        auth.fault = fault
        monkeypatch.setattr(supabase_http, "TIMEOUT_SECONDS", 0.3 if fault in SLOW else 20.0)

    return misbehave


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(auth: AuthServer, clock: Clock) -> SigningKeys:
    return SigningKeys(f"{auth.url}/auth/v1/.well-known/jwks.json", clock)


@pytest.mark.parametrize("number", [0, 1], ids=["ES256", "RS256"])
def test_a_token_signed_with_a_published_key_counts(auth: AuthServer, number: int) -> None:
    assert read_access_token(auth.keys[number].access_token(USER, email="anna@example.org")).id == USER


def test_the_keys_are_fetched_once(auth: AuthServer) -> None:
    for key in auth.keys * 5:
        read_access_token(key.access_token(USER))
    assert len(auth.requests) == 1


def test_many_first_requests_at_once_ask_once(auth: AuthServer) -> None:
    token = auth.keys[0].access_token(USER)
    with ThreadPoolExecutor(8) as pool:
        users = list(pool.map(read_access_token, [token] * 16))
    assert {user.id for user in users} == {USER}
    assert len(auth.requests) == 1


def attack_tokens(auth: AuthServer) -> dict[str, str]:
    published_ec, published_rsa = auth.keys
    other = KeyPair(published_ec.key_id, "ES256", ec_key().private)
    payload: dict[str, Any] = hosted_claims(USER)
    # PyJWT itself refuses to sign with a public key, so the secret is used through the layer below.
    public = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    head_and_body = jwt.encode(payload, "x" * 32, algorithm="HS256", headers={"kid": published_rsa.key_id})
    signed = head_and_body.rpartition(".")[0]
    confused = (
        f"{signed}.{jwt.utils.base64url_encode(public.sign(signed.encode(), published_rsa.public_pem())).decode()}"
    )
    return {
        "unknown key": ec_key("never-published").access_token(USER),
        "same id, other key": other.access_token(USER),
        "public key as secret": confused,
        "kind of another key": KeyPair(published_ec.key_id, "RS256", rsa_key("never-published").private).access_token(
            USER
        ),
        "PS256": jwt.encode(payload, published_rsa.private, algorithm="PS256", headers={"kid": published_rsa.key_id}),
        "no key id": jwt.encode(payload, published_rsa.private, algorithm="RS256"),
        "service role": published_ec.access_token(USER, role="service_role"),
        "expired": published_ec.access_token(USER, exp=int(time.time()) - 60),
        "other issuer": published_ec.access_token(USER, iss="https://evil.example/auth/v1"),
    }


@pytest.mark.parametrize(
    "attack",
    [
        "unknown key",
        "same id, other key",
        "public key as secret",
        "kind of another key",
        "PS256",
        "no key id",
        "service role",
        "expired",
        "other issuer",
    ],
)
def test_a_forged_token_is_refused(auth: AuthServer, attack: str) -> None:
    with pytest.raises(TokenRefused):
        read_access_token(attack_tokens(auth)[attack])


def test_a_secret_beside_the_address_does_not_make_a_public_key_one(auth: AuthServer, settings: Settings) -> None:
    settings.SUPABASE_JWT_SECRET = "a-secret-of-the-self-hosted-kind-0123456789"
    with pytest.raises(TokenRefused, match="InvalidSignatureError"):
        read_access_token(attack_tokens(auth)["public key as secret"])


def test_a_flood_of_unknown_keys_asks_once_in_a_while(auth: AuthServer, keys: SigningKeys, clock: Clock) -> None:
    for number in range(50):
        assert keys.find(f"made-up-{number}", "ES256") is None
    assert len(auth.requests) == 1
    clock.now += ASK_AGAIN_AFTER
    assert keys.find("made-up", "ES256") is None
    assert len(auth.requests) == 2


def test_a_new_key_is_found_without_a_restart(auth: AuthServer, keys: SigningKeys, clock: Clock) -> None:
    assert keys.find("ec-1", "ES256")
    auth.keys.append(ec_key("ec-2"))
    clock.now += ASK_AGAIN_AFTER
    assert keys.find("ec-2", "ES256")


def test_a_token_whose_key_is_not_published_is_refused_for_that(auth: AuthServer) -> None:
    with pytest.raises(TokenRefused, match="does not publish") as caught:
        read_access_token(attack_tokens(auth)["unknown key"])
    assert caught.value.cause is Cause.UNKNOWN_KEY


def test_a_known_key_is_not_asked_about_before_it_is_old(auth: AuthServer, keys: SigningKeys, clock: Clock) -> None:
    assert keys.find("ec-1", "ES256")
    clock.now += REFRESH_AFTER - 1
    assert keys.find("ec-1", "ES256")
    assert len(auth.requests) == 1
    clock.now += 1
    assert keys.find("ec-1", "ES256")
    assert len(auth.requests) == 2


def test_a_withdrawn_key_stops_working(auth: AuthServer, keys: SigningKeys, clock: Clock) -> None:
    assert keys.find("ec-1", "ES256")
    del auth.keys[0]
    clock.now += REFRESH_AFTER
    assert keys.find("ec-1", "ES256") is None


@pytest.mark.parametrize("fault", Fault)
def test_a_known_key_keeps_working_through_an_outage(
    auth: AuthServer, keys: SigningKeys, clock: Clock, fault: Fault, go_wrong: Callable[[Fault | None], None]
) -> None:
    assert keys.find("ec-1", "ES256")
    go_wrong(fault)
    for _ in range(3):
        clock.now += REFRESH_AFTER
        assert keys.find("ec-1", "ES256")
    assert len(auth.requests) == 4


@pytest.mark.parametrize("fault", Fault)
def test_an_unknown_key_cannot_be_judged_during_an_outage(
    auth: AuthServer, keys: SigningKeys, clock: Clock, fault: Fault, go_wrong: Callable[[Fault | None], None]
) -> None:
    go_wrong(fault)
    with far_below(HANGS_SECONDS):
        for _ in range(20):
            with pytest.raises(KeysUnavailable):
                keys.find("ec-1", "ES256")
    assert len(auth.requests) == 1
    go_wrong(None)
    clock.now += RETRY_AFTER
    assert keys.find("ec-1", "ES256")


def test_a_refused_connection_is_an_outage(clock: Clock) -> None:
    with serving_auth() as closed:
        url = closed.url
    with pytest.raises(KeysUnavailable):
        SigningKeys(f"{url}/auth/v1/.well-known/jwks.json", clock).find("ec-1", "ES256")


def test_what_cannot_be_used_in_a_set_of_keys_is_passed_over(
    auth: AuthServer, keys: SigningKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = auth.keys[0].published()
    entries = [
        None,
        {"kid": "oct", "kty": "oct", "k": "c2VjcmV0", "alg": "HS256"},
        {**good, "kid": "for-encryption", "use": "enc"},
        {**good, "kid": "broken", "x": "AAAA"},
        {**good, "kid": "other-curve", "crv": "P-521"},
        {**good, "kid": "other-algorithm", "alg": "ES512"},
        {**good, "kid": ["list"]},
        good,
    ]
    monkeypatch.setattr(AuthServer, "answer", lambda *_: (200, {"keys": entries}))
    assert keys.find("ec-1", "ES256")
    for name in ("oct", "for-encryption", "broken", "other-curve", "other-algorithm"):
        assert keys.find(name, "ES256") is None


def test_a_supabase_without_published_keys_refuses_and_is_no_outage(auth: AuthServer, keys: SigningKeys) -> None:
    auth.keys.clear()
    assert keys.find("ec-1", "ES256") is None
