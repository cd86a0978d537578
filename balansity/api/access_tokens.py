"""Which access tokens count: those that Supabase signed for a person who is signed in, and nothing like them.

The header of a token is read only to choose the kind of key, and the key decides which algorithm may have been used:
HS256 goes with the shared secret and nothing else, ES256 and RS256 with the published keys and nothing else. Where
Supabase signs with a secret that we do not have, it is asked about each token, as the Node worker did.
"""

import re
from typing import Any

import jwt
from django.conf import settings

from balansity.api.asked_tokens import asked_tokens
from balansity.api.claims import check_issuer, decode, read_user
from balansity.api.refusals import Cause, TokenRefused
from balansity.api.signing_keys import PublicKey, signing_keys
from balansity.api.user import SupabaseUser

__all__ = ["NotConfigured", "TokenRefused", "read_access_token"]

LARGEST_TOKEN = 8192

_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class NotConfigured(Exception):
    """Neither a secret nor an address of Supabase is set: nobody can be recognised."""


def read_access_token(token: str, caller: str = "") -> SupabaseUser:
    """Return the user that `token` was issued to. `caller` is who sent it, for the limit of questions to Supabase.

    Raises `TokenRefused`; `KeysUnavailable` and `SupabaseUnreachable` when Supabase must be asked and does not answer;
    DRF's `Throttled` when that caller made us ask too often; and `NotConfigured`. A token without `session_id` (or
    with a strange one) gives a user without a session.
    """
    if len(token) > LARGEST_TOKEN or not _FORM.fullmatch(token):
        raise TokenRefused("not in the form of a token")
    secret, url = settings.SUPABASE_JWT_SECRET, settings.SUPABASE_URL
    if not secret and not url:
        raise NotConfigured
    header = _header(token)
    match header.get("alg"):
        case "HS256" if secret:
            return _user(decode(token, secret, "HS256"), issuer_needed=False)
        case "HS256" if url and settings.SUPABASE_SERVICE_ROLE_KEY:
            return asked_tokens.user_of(token, caller)
        case "HS256":
            raise TokenRefused("signed in a way that is not accepted here", Cause.UNPROVABLE)
        case ("ES256" | "RS256") as algorithm if isinstance(header.get("kid"), str):
            return _user(decode(token, _published_key(header["kid"], algorithm), algorithm), issuer_needed=True)
    raise TokenRefused("signed in a way that is not accepted here")


def _header(token: str) -> dict[str, Any]:
    try:
        return jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise TokenRefused(type(error).__name__) from error


def _published_key(key_id: str, algorithm: str) -> PublicKey:
    if not settings.SUPABASE_URL:
        raise TokenRefused("signed in a way that is not accepted here", Cause.NO_ADDRESS)
    key = signing_keys(settings.SUPABASE_URL).find(key_id, algorithm)
    if key is None:
        raise TokenRefused("signed with a key that Supabase does not publish", Cause.UNKNOWN_KEY)
    return key


def _user(claims: dict[str, Any], *, issuer_needed: bool) -> SupabaseUser:
    # First whose it is: the anon key has an issuer of its own, and says nothing about ours.
    user = read_user(claims)
    check_issuer(claims, needed=issuer_needed)
    return user
