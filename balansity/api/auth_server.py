"""What Supabase's Auth server says about a token: `GET /auth/v1/user`, through the gateway in front of it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from balansity.api.supabase_http import AUTH_SERVER, Answer, SupabaseUnreachable, get_json
from bridge.bulkhead import Crowded, waiting_for

# A signed-out session, a banned user, a deleted one.
GONE = frozenset({401, 403, 404})
# Members that every error of the Auth server has one of, and no error of a gateway.
_AUTH_SERVERS = frozenset({"code", "error_code", "msg", "error"})
_OUR_KEY = re.compile(r"api ?key|authentication credentials", re.IGNORECASE)


class GatewayRefused(SupabaseUnreachable):
    """The gateway let us not through to the Auth server: that says nothing about the token."""

    def __init__(self, status: int) -> None:
        super().__init__(
            f"the gateway in front of Supabase answered {status} to our key: check SUPABASE_SERVICE_ROLE_KEY"
        )


@contextmanager
def room_to_ask() -> Iterator[None]:
    """Hold a place among the threads that wait for the Auth server, or raise `SupabaseUnreachable` at once."""
    try:
        with waiting_for(AUTH_SERVER):
            yield
    except Crowded as error:
        raise SupabaseUnreachable("as many threads as may wait for it do so already") from error


def ask_for_user(token: str) -> dict[str, Any] | None:
    """Return the user as Supabase shows them, or `None` for a token that does not count there (any more).

    Belongs inside `room_to_ask()`. Raises `SupabaseUnreachable`. The service key goes into `apikey` alone: a new one
    (`sb_secret_…`) is no token.
    """
    headers = {"Authorization": f"Bearer {token}", "apikey": settings.SUPABASE_SERVICE_ROLE_KEY}
    answer = get_json(f"{settings.SUPABASE_URL}/auth/v1/user", headers)
    if refuses_our_key(answer):
        raise GatewayRefused(answer.status)
    if answer.status in GONE:
        return None
    if answer.status != 200:
        raise SupabaseUnreachable(f"status {answer.status}")
    if not isinstance(answer.body, dict):
        raise SupabaseUnreachable("the answer is no user")
    return answer.body


def refuses_our_key(answer: Answer) -> bool:
    """Tell whether the gateway, and not the Auth server behind it, says no: Kong's errors have a `message` alone."""
    body = answer.body
    return (
        answer.status in {401, 403}
        and isinstance(body, dict)
        and not _AUTH_SERVERS & body.keys()
        and _OUR_KEY.search(str(body.get("message"))) is not None
    )
