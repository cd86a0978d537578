"""Access tokens as a self-hosted Supabase issues them to people who sign in, for the users of the sandbox."""

import time
import uuid
from typing import Any

import jwt

from balansity.sandbox_keys import SANDBOX_JWT_SECRET

LIFETIME_SECONDS = 3600


def access_token(user_id: uuid.UUID | str, *, email: str = "", secret: str = SANDBOX_JWT_SECRET, **claims: Any) -> str:
    """Return an HS256 token of that user, valid for an hour. `claims` add to the usual ones; `None` removes one."""
    return jwt.encode(user_claims(user_id, email=email, **claims), secret, algorithm="HS256")


def user_claims(user_id: uuid.UUID | str, *, email: str = "", **claims: Any) -> dict[str, Any]:
    """Return what such a token says: not who issued it, as its auth server is set up without a name."""
    now = int(time.time())
    usual = {
        "aud": "authenticated",
        "exp": now + LIFETIME_SECONDS,
        "iat": now,
        "sub": str(user_id),
        "email": email,
        "phone": "",
        "app_metadata": {"provider": "email", "providers": ["email"]},
        "user_metadata": {"email": email, "email_verified": True, "phone_verified": False, "sub": str(user_id)},
        "role": "authenticated",
        "aal": "aal1",
        "amr": [{"method": "password", "timestamp": now}],
        "session_id": str(uuid.uuid4()),
        "is_anonymous": False,
    }
    return {name: value for name, value in {**usual, **claims}.items() if value is not None}
