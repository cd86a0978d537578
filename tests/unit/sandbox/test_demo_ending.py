"""A signal ends the demo as a signal, whatever it interrupts."""

import signal
from collections.abc import Iterator

import pytest

from sandbox.demo import ending
from sandbox.demo.ending import exit_on_signals, signals_decide_the_end


@pytest.fixture(autouse=True)
def _signals_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(ending, "_received", [])
    before = {number: signal.getsignal(number) for number in ending._SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def fail_while_interrupted() -> None:
    try:
        signal.raise_signal(signal.SIGINT)
    finally:
        raise ValueError("a commit that was interrupted cannot be cleaned up")


def test_what_fails_because_a_signal_interrupted_it_is_the_end_by_that_signal() -> None:
    exit_on_signals()
    with pytest.raises(SystemExit) as ended, signals_decide_the_end():
        fail_while_interrupted()
    assert ended.value.code == 130


def test_what_fails_without_a_signal_fails_as_it_is() -> None:
    exit_on_signals()
    with pytest.raises(ValueError, match="a bug"), signals_decide_the_end():
        raise ValueError("a bug")
