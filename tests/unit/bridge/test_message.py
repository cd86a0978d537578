"""What stands on a message may have been written by anybody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.message import MOST_ATTEMPTS, History, LastError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
known_keys = st.sampled_from(
    ["attempts", "trace_id", "first_attempt_at", "last_attempt_at", "next_retry_at", "last_error", "requeued_from"]
)


def test_what_the_bridge_wrote_is_read_back() -> None:
    history = History.parse(
        {
            "attempts": 2,
            "trace_id": "abc",
            "next_retry_at": "2026-11-23T10:00:00+00:00",
            "last_error": {"type": "TimeoutError", "message": "no answer"},
            "requeued_from": 7,
        }
    )
    assert history.attempts == 2
    assert history.trace_id == "abc"
    assert history.next_retry_at == "2026-11-23T10:00:00+00:00"
    assert history.last_error == LastError("TimeoutError", "no answer")
    assert history.requeued_from == 7


@pytest.mark.parametrize("attempts", [True, -1, 1.5, "3", None, MOST_ATTEMPTS + 1, 10**400, [], {}])
def test_nonsense_for_attempts_counts_as_none(attempts: object) -> None:
    assert History.parse({"attempts": attempts}).attempts == 0


@given(st.one_of(json_values, st.dictionaries(known_keys, json_values)))
def test_any_json_makes_a_usable_history(raw: object) -> None:
    history = History.parse(raw)
    assert 0 <= history.attempts <= MOST_ATTEMPTS
    assert len(history.trace_id) <= 64
    assert history.last_error is None or len(history.last_error.message) <= 2000


def test_a_senders_trace_id_cannot_forge_lines_of_the_log() -> None:
    assert History.parse({"trace_id": "x] done\n2026-11-23 INFO forged"}).trace_id == ""
