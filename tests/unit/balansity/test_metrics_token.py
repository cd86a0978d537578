"""What may be a token of `/metrics`: long, random, and such that it fits into a header."""

import pytest

from tests.support.loaded_settings import MAIL, load_settings, problems_of

GOOD = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


@pytest.mark.parametrize(
    "token", ["short", "x" * 64, "change-me-change-me-change-me-change-me", "ключ" * 10, f"{GOOD} {GOOD}"]
)
def test_one_that_can_be_guessed_or_sent_by_nobody_is_refused(token: str) -> None:
    assert any("METRICS_TOKEN" in line for line in problems_of({**MAIL, "METRICS_TOKEN": token}))


@pytest.mark.parametrize("token", ["", GOOD])
def test_a_good_one_or_none_is_taken(token: str) -> None:
    assert load_settings({**MAIL, "METRICS_TOKEN": token})["METRICS_TOKEN"] == token
