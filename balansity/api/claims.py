"""What an access token says, once its signature is proven or Supabase was asked: whose it is, and since when."""

import math
import time
from typing import Any
from uuid import UUID

import jwt
from django.conf import settings

from balansity.api.refusals import Cause, TokenRefused
from balansity.api.user import SupabaseUser
from wording.web_address import NotAnAddress, WebAddress

# Supabase's role and audience of a person. The anon and the service key carry the same signature and other roles.
AUTHENTICATED = "authenticated"
# How far the clock of the server that issued a token may be ahead of ours. There is no such grace for its end: a
# token that is over for us is over, and the front end gets a new one.
CLOCKS_DIFFER_SECONDS = 60
_AUTH_PATH = "/auth/v1"

DECODING: Any = {"require": ["exp", "sub", "aud"], "verify_iat": False, "verify_nbf": False, "verify_iss": False}


def decode(token: str, key: Any, algorithm: str) -> dict[str, Any]:
    """Return the claims of a token with that signature, or raise `TokenRefused`."""
    try:
        claims = jwt.decode(token, key, algorithms=[algorithm], audience=AUTHENTICATED, options=DECODING)
    except jwt.InvalidSignatureError as error:
        raise TokenRefused(type(error).__name__, Cause.SIGNATURE if algorithm == "HS256" else None) from error
    # The last four: numbers and nesting that the library does not expect.
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise TokenRefused(type(error).__name__) from error
    _check_times(claims)
    return claims


def decode_unproven(token: str) -> dict[str, Any]:
    """Return the claims of a token whose signature nobody has looked at yet, or raise `TokenRefused`."""
    options: Any = {**DECODING, "verify_signature": False, "verify_exp": True, "verify_aud": True}
    try:
        claims = jwt.decode(token, options=options, audience=AUTHENTICATED)
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise TokenRefused(type(error).__name__) from error
    _check_times(claims)
    return claims


def read_user(claims: dict[str, Any]) -> SupabaseUser:
    """Return the person that the claims are about; raise `TokenRefused` when it is none who signed in."""
    if claims.get("role") != AUTHENTICATED:
        raise TokenRefused("the role is not that of a user")
    # Signed in without an address or a phone: nobody whom a receipt or a mail could reach.
    if claims.get("is_anonymous", False) is not False:
        raise TokenRefused("the user is anonymous")
    try:
        # Anything may stand there as long as no signature is proven.
        user_id = UUID(str(claims["sub"]))
    except ValueError as error:
        raise TokenRefused("the subject is no uuid") from error
    return SupabaseUser(id=user_id, email=text(claims.get("email")), session_id=text(claims.get("session_id")))


def check_issuer(claims: dict[str, Any], *, needed: bool) -> None:
    """Refuse another issuer than those of the settings, and none where one is `needed`.

    A self-hosted Supabase names none, or its public address without the path of its Auth server; a hosted one names
    the path as well. So addresses are compared without that path, and as a browser would compare them.
    """
    issuer = claims.get("iss")
    if issuer is None or issuer == "":
        if needed:
            raise TokenRefused("no issuer is named", Cause.ISSUER, "they name none")
        return
    accepted = {server_address(each) for each in settings.SUPABASE_JWT_ISSUERS}
    if not isinstance(issuer, str) or (accepted and server_address(issuer) not in accepted):
        # The signature is proven by now, so Supabase wrote this and no stranger.
        raise TokenRefused("another issuer is named", Cause.ISSUER, f"they name {repr(issuer)[:200]}")


def server_address(issuer: str) -> str:
    """Return the address of the server that an issuer is: `https://a.example:443/auth/v1/` is `https://a.example`."""
    try:
        return str(WebAddress.parse(issuer)).removesuffix(_AUTH_PATH)
    except NotAnAddress:
        return issuer


def text(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= 320 else ""


def _check_times(claims: dict[str, Any]) -> None:
    """The library has looked whether it is over, and at nothing else."""
    if not _is_finite(claims["exp"]):
        raise TokenRefused("exp is no time")
    now = time.time()
    for name in ("iat", "nbf"):
        moment = claims.get(name)
        if moment is None:
            continue
        if isinstance(moment, bool) or not isinstance(moment, int | float) or not _is_finite(moment):
            raise TokenRefused(f"{name} is no time")
        if moment > now + CLOCKS_DIFFER_SECONDS:
            ahead = f"{name} is {min(moment - now, 1e9):.0f} seconds ahead"
            raise TokenRefused(f"{name} lies in the future", Cause.CLOCK, ahead)


def _is_finite(number: Any) -> bool:
    """Whether one can reckon with it: Python reads numbers of hundreds of digits, and fails at the next step."""
    try:
        return math.isfinite(float(number))
    except OverflowError:
        return False
