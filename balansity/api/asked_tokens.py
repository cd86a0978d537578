"""Tokens that only Supabase can judge: signed with a secret that we were not given. It is asked about each of them.

What it said counts for a moment, by the hash of the token, so that a page of the front end costs one question.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from rest_framework.exceptions import Throttled

from balansity.api.auth_server import ask_for_user, room_to_ask
from balansity.api.claims import AUTHENTICATED, decode_unproven, read_user, text
from balansity.api.refusals import Cause, TokenRefused
from balansity.api.throttles import count_request
from balansity.api.user import SupabaseUser

# How long a sign-out may stay unnoticed, and how long a refusal may outlive its reason.
ACCEPTED_FOR = 60.0
REFUSED_FOR = 10.0
# Of each kind, so that a flood of refused tokens drives no customer out.
MOST_REMEMBERED = 4096
SCOPE = "token_check"


@dataclass(frozen=True, slots=True)
class _Said:
    """`user` is nobody where the token was refused."""

    user: SupabaseUser | None
    until: float


class AskedTokens:
    """Asks Supabase about tokens and remembers what it said, for the threads of one process."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._accepted: OrderedDict[bytes, _Said] = OrderedDict()
        self._refused: OrderedDict[bytes, _Said] = OrderedDict()

    def user_of(self, token: str, caller: str) -> SupabaseUser:
        """Return the user that Supabase knows behind the token.

        Raises `TokenRefused`, `SupabaseUnreachable`, and `Throttled` when `caller` made us ask too often.
        """
        # What says itself that it is none is not worth a question: keys of the API, tokens that are over.
        claims = decode_unproven(token)
        claimed = read_user(claims)
        digest = hashlib.sha256(token.encode()).digest()
        said = self._remembered(digest) or self._ask(token, digest, caller, claimed, float(claims["exp"]))
        if said.user is None:
            raise TokenRefused("Supabase does not know it", Cause.NOT_KNOWN_THERE)
        return said.user

    def forget(self) -> None:
        with self._lock:
            self._accepted.clear()
            self._refused.clear()

    def _remembered(self, digest: bytes) -> _Said | None:
        with self._lock:
            said = self._accepted.get(digest) or self._refused.get(digest)
        return said if said is not None and self._clock() < said.until else None

    def _ask(self, token: str, digest: bytes, caller: str, claimed: SupabaseUser, ends_at: float) -> _Said:
        wait = count_request(SCOPE, caller)
        if wait is not None:
            raise Throttled(wait=wait)
        with room_to_ask():
            # A page makes several calls at once: another of them may have been answered meanwhile.
            said = self._remembered(digest)
            if said is not None:
                return said
            user = _confirmed(token, claimed)
        now = self._clock()
        said = _Said(user, now + REFUSED_FOR if user is None else min(now + ACCEPTED_FOR, ends_at))
        self._remember(digest, said)
        return said

    def _remember(self, digest: bytes, said: _Said) -> None:
        with self._lock:
            kept, other = self._accepted, self._refused
            if said.user is None:
                kept, other = other, kept
            other.pop(digest, None)
            kept[digest] = said
            kept.move_to_end(digest)
            while len(kept) > MOST_REMEMBERED:
                kept.popitem(last=False)


def _confirmed(token: str, claimed: SupabaseUser) -> SupabaseUser | None:
    """Return the user whom both the token and Supabase name, if they are one and signed in as a person."""
    found = ask_for_user(token)
    if found is None or found.get("id") != str(claimed.id):
        return None
    if found.get("role", AUTHENTICATED) != AUTHENTICATED or found.get("is_anonymous", False) is not False:
        return None
    return SupabaseUser(id=claimed.id, email=text(found.get("email")), session_id=claimed.session_id)


asked_tokens = AskedTokens()
