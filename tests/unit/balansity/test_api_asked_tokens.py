"""What Supabase said about a token: for how long it counts, which of it is kept, and that nobody is asked twice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest

from balansity.api import asked_tokens
from balansity.api.asked_tokens import ACCEPTED_FOR, REFUSED_FOR, AskedTokens
from balansity.api.refusals import TokenRefused
from sandbox.tokens import access_token

USER = UUID("a0000000-0000-4000-8000-000000000001")
A, B, C = (access_token(USER, session_id=name) for name in "abc")


class Supabase:
    """Knows the tokens that it is told to, and remembers what it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.known = {A, B, C}
        self.asked: list[str] = []
        # What happens in another thread while one waits for its turn to ask.
        self.meanwhile: Callable[[], object] = lambda: None
        self.now = 1000.0
        self.tokens = AskedTokens(clock=lambda: self.now)
        monkeypatch.setattr(asked_tokens, "ask_for_user", self._answer)
        monkeypatch.setattr(asked_tokens, "room_to_ask", self._room)
        monkeypatch.setattr(asked_tokens, "count_request", lambda scope, caller: None)

    def _answer(self, token: str) -> dict[str, Any] | None:
        self.asked.append(token)
        return {"id": str(USER)} if token in self.known else None

    @contextmanager
    def _room(self) -> Iterator[None]:
        happens, self.meanwhile = self.meanwhile, lambda: None
        happens()
        yield

    def counts(self, token: str) -> bool:
        try:
            return self.tokens.user_of(token, "address:x").id == USER
        except TokenRefused:
            return False


@pytest.fixture
def supabase(monkeypatch: pytest.MonkeyPatch) -> Supabase:
    return Supabase(monkeypatch)


@pytest.mark.parametrize(("is_known", "seconds"), [(True, ACCEPTED_FOR), (False, REFUSED_FOR)])
def test_what_was_said_counts_for_its_time_and_not_a_moment_longer(
    supabase: Supabase, is_known: bool, seconds: float
) -> None:
    supabase.known = {A} if is_known else set()
    for passed, asked in ((0.0, 1), (seconds - 1, 1), (1.0, 2)):
        supabase.now += passed
        assert supabase.counts(A) is is_known
        assert len(supabase.asked) == asked


def test_a_refusal_is_remembered_of_a_token_that_counted_before(supabase: Supabase) -> None:
    assert supabase.counts(A)
    supabase.known.clear()
    supabase.now += ACCEPTED_FOR
    assert not supabase.counts(A)
    assert not supabase.counts(A)
    assert supabase.asked == [A, A]


def test_what_was_said_longest_ago_is_forgotten_first(supabase: Supabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked_tokens, "MOST_REMEMBERED", 2)
    assert supabase.counts(A)
    supabase.now += ACCEPTED_FOR / 2
    assert supabase.counts(B)
    supabase.now += ACCEPTED_FOR / 2
    for token in (A, C):
        assert supabase.counts(token)
    supabase.asked.clear()
    assert supabase.counts(A)
    assert supabase.counts(C)
    assert supabase.asked == []
    assert supabase.counts(B)
    assert supabase.asked == [B]


def test_calls_of_a_page_that_come_together_ask_once(supabase: Supabase) -> None:
    supabase.meanwhile = lambda: supabase.counts(A)
    assert supabase.counts(A)
    assert supabase.asked == [A]
