"""The public keys that Supabase signs access tokens with (JWKS), fetched rarely and kept through an outage."""

import logging
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.conf import settings
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from balansity.api.supabase_http import AUTH_SERVER, SupabaseUnreachable, get_json
from bridge.bulkhead import Crowded, waiting_for

logger = logging.getLogger(__name__)

REFRESH_AFTER = 600.0
# Anybody can send a made-up key id: it makes us ask once in this time and process, whatever the number of tokens.
ASK_AGAIN_AFTER = 10.0
RETRY_AFTER = 3.0

PublicKey = EllipticCurvePublicKey | RSAPublicKey

_JWKS_PATH = "/auth/v1/.well-known/jwks.json"
_REFUSED = frozenset({401, 403})
_KINDS = {"ES256": "EC", "RS256": "RSA"}


class KeysUnavailable(Exception):
    """The key is not known, and Supabase could not be asked."""


class SigningKeys:
    """The keys at one address, by key id and algorithm. Safe to use from several threads.

    A known key is used without waiting for anybody; once old, one of the threads asks whether it still stands, and it
    keeps working as long as there is no answer. An unknown key makes us ask, and then wait before we ask again.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[tuple[str, str], PublicKey] = {}
        self._asked_at = self._answered_at = float("-inf")
        self._answered = self._gateway_wants_key = False

    def find(self, key_id: str, algorithm: str) -> PublicKey | None:
        """Return the key, `None` when Supabase has no such key; raise `KeysUnavailable` when that is unknown."""
        wanted = (key_id, algorithm)
        if wanted not in self._keys:
            self._ask_for(wanted)
        elif self._clock() - self._answered_at >= REFRESH_AFTER and self._lock.acquire(blocking=False):
            try:
                if self._may_ask():
                    self._refresh()
            finally:
                self._lock.release()
        return self._keys.get(wanted)

    def _ask_for(self, wanted: tuple[str, str]) -> None:
        try:
            # Around the lock: whoever waits for another thread's answer waits for Supabase.
            with waiting_for(AUTH_SERVER), self._lock:
                if wanted not in self._keys and self._may_ask():
                    self._ask()
                if wanted not in self._keys and not self._answered:
                    raise KeysUnavailable
        except Crowded as error:
            raise KeysUnavailable from error

    def _refresh(self) -> None:
        try:
            with waiting_for(AUTH_SERVER):
                self._ask()
        except Crowded:
            logger.info("the signing keys of Supabase are not refreshed: other threads wait for it")

    def _may_ask(self) -> bool:
        pause = ASK_AGAIN_AFTER if self._answered else RETRY_AFTER
        return self._clock() - self._asked_at >= pause

    def _ask(self) -> None:
        try:
            self._keys = _read_keys(self._fetch())
        except SupabaseUnreachable as error:
            self._answered = False
            logger.warning("the signing keys of Supabase cannot be fetched: %s", error)
        else:
            self._answered = True
            self._answered_at = self._clock()
        self._asked_at = self._clock()

    def _fetch(self) -> Any:
        """Return the answer; a gateway that asks even for public keys who wants them gets the key of ours."""
        own_key = {"apikey": settings.SUPABASE_SERVICE_ROLE_KEY} if settings.SUPABASE_SERVICE_ROLE_KEY else None
        answer = get_json(self._url, own_key if self._gateway_wants_key else None)
        if answer.status in _REFUSED and own_key and not self._gateway_wants_key:
            answer = get_json(self._url, own_key)
            if answer.status == 200:
                logger.info("the gateway in front of Supabase wants an apikey for the signing keys, and gets ours")
                self._gateway_wants_key = True
        if answer.status in _REFUSED:
            raise SupabaseUnreachable(
                f"the gateway in front of it answers {answer.status} for {_JWKS_PATH}: "
                "check SUPABASE_SERVICE_ROLE_KEY, or let the gateway pass that path without a key"
            )
        if answer.status != 200:
            raise SupabaseUnreachable(f"status {answer.status}")
        return answer.body


@lru_cache(maxsize=4)
def signing_keys(supabase_url: str) -> SigningKeys:
    """Return the keys of that Supabase, the same object for the life of the process."""
    return SigningKeys(f"{supabase_url}{_JWKS_PATH}")


def _read_keys(body: Any) -> dict[tuple[str, str], PublicKey]:
    entries = body.get("keys") if isinstance(body, dict) else None
    if not isinstance(entries, list):
        raise SupabaseUnreachable("the answer is no set of keys")
    keys: dict[tuple[str, str], PublicKey] = {}
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("kid"), str) and entry.get("use", "sig") == "sig":
            for algorithm, kind in _KINDS.items():
                if entry.get("kty") == kind and entry.get("alg", algorithm) == algorithm:
                    key = _read_key(entry, algorithm)
                    if key is not None:
                        keys[entry["kid"], algorithm] = key
    return keys


def _read_key(entry: dict[str, Any], algorithm: str) -> PublicKey | None:
    try:
        key = PyJWK(entry, algorithm).key
    except (PyJWTError, ValueError, TypeError) as error:
        logger.warning("a signing key of Supabase cannot be read: %s", type(error).__name__)
        return None
    # A private key that somebody published by mistake is no key to trust.
    return key if isinstance(key, EllipticCurvePublicKey | RSAPublicKey) else None
