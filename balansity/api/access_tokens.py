"""Which access tokens count: those that Supabase signed for a person who is signed in, and nothing like them.

The header of a token is read only to choose the kind of key, and the key decides which algorithm may have been used:
HS256 goes with the shared secret and nothing else, ES256 and RS256 with the published keys and nothing else.
"""

import re
from typing import Any
from uuid import UUID

import jwt
from django.conf import settings

from balansity.api.signing_keys import PublicKey, signing_keys
from balansity.api.user import SupabaseUser

# Supabase's role and audience of a person. The anon and the service key carry the same signature and other roles.
AUTHENTICATED = "authenticated"
LARGEST_TOKEN = 8192
LEEWAY_SECONDS = 10

_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class TokenRefused(Exception):
    """The token does not count. Its text names the reason for the log, never a part of the token."""


class NotConfigured(Exception):
    """Neither a secret nor an address of Supabase is set: nobody can be recognised."""


def read_access_token(token: str) -> SupabaseUser:
    """Return the user that `token` was issued to.

    Raises `TokenRefused`; `KeysUnavailable` when Supabase must be asked for the key and does not answer; and
    `NotConfigured`. A token without `session_id` (or with a strange one) gives a user without a session.
    """
    if len(token) > LARGEST_TOKEN or not _FORM.fullmatch(token):
        raise TokenRefused("not in the form of a token")
    try:
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(
            token,
            _key_for(header),
            algorithms=[header["alg"]],
            audience=AUTHENTICATED,
            issuer=settings.SUPABASE_JWT_ISSUERS or None,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "sub", "aud"]},
        )
    # The last four: numbers and nesting that the library does not expect.
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise TokenRefused(type(error).__name__) from error
    return _read_user(claims)


def _key_for(header: dict[str, Any]) -> str | PublicKey:
    secret, url = settings.SUPABASE_JWT_SECRET, settings.SUPABASE_URL
    if not secret and not url:
        raise NotConfigured
    algorithm, key_id = header.get("alg"), header.get("kid")
    if algorithm == "HS256" and secret:
        return str(secret)
    if algorithm in {"ES256", "RS256"} and url and isinstance(key_id, str):
        key = signing_keys(url).find(key_id, algorithm)
        if key is None:
            raise TokenRefused("signed with a key that Supabase does not publish")
        return key
    raise TokenRefused("signed in a way that is not accepted here")


def _read_user(claims: dict[str, Any]) -> SupabaseUser:
    if claims.get("role") != AUTHENTICATED:
        raise TokenRefused("the role is not that of a user")
    # Signed in without an address or a phone: nobody whom a receipt or a mail could reach.
    if claims.get("is_anonymous", False) is not False:
        raise TokenRefused("the user is anonymous")
    try:
        user_id = UUID(claims["sub"])
    except ValueError as error:
        raise TokenRefused("the subject is no uuid") from error
    return SupabaseUser(id=user_id, email=_text(claims.get("email")), session_id=_text(claims.get("session_id")))


def _text(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= 320 else ""
