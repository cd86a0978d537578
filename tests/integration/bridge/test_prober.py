"""The bridge's looks at services: one that never ends stops no other. With real rows and threads, and no process."""

import threading
from collections.abc import Callable, Iterator

import pytest

from bridge import holds
from bridge.breaker import prober
from bridge.breaker.prober import Prober
from bridge.breaker.rows import cause_of
from bridge.breaker.watch import take_turn
from bridge.diagnosis import Finding
from bridge.models import OutsideService
from bridge.pgmq import PgmqQueue
from sandbox.probe.apps import QUEUE
from tests.acceptance.waiting import wait_until
from tests.integration.bridge.test_breaker import make_due, open_it, row
from tests.support.outages import AWAY, NAME, Lab, laboratory


class LetterByLetter:
    """What a server answers that never comes to an end, until the test lets it."""

    def __init__(self) -> None:
        self.may_end = threading.Event()

    def __iter__(self) -> Iterator[Finding]:
        self.may_end.wait(60)
        return iter(())


@pytest.fixture
def lab(probe: PgmqQueue) -> Iterator[Lab]:
    with laboratory() as made:
        yield made


def turns_until(prober: Prober, condition: Callable[[], bool], what: str) -> None:
    """Let the loop of a bridge go round."""

    def turn() -> bool:
        prober.look_at = 0.0
        prober.turn()
        return condition()

    wait_until(turn, what)


def test_a_look_that_does_not_end_is_given_up_and_another_follows(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prober, "LONGEST_SECONDS", 0.2)
    slow = LetterByLetter()
    lab.finds = slow
    me = Prober(wake=lambda: None)
    open_it()
    make_due()
    turns_until(me, lambda: lab.asked == 1, "it is asked")
    lab.finds = (AWAY,)
    turns_until(me, lambda: "was not over" in row().why, "it is given up")
    make_due()
    turns_until(me, lambda: lab.asked == 2, "it is asked again")
    slow.may_end.set()
    # What the first one sees at last, that all is well, closes nothing.
    turns_until(me, lambda: "cannot be reached" in row().why, "the second look is written down")
    assert row().is_open


def test_a_look_that_goes_on_keeps_its_turn_until_then(lab: Lab) -> None:
    slow = LetterByLetter()
    lab.finds = slow
    me = Prober(wake=lambda: None)
    open_it()
    make_due()
    turns_until(me, lambda: lab.asked == 1, "it is asked")
    OutsideService.objects.update(probing_until=None)
    me.look_at = 0.0
    me.turn()
    make_due()
    assert not take_turn(NAME, "another")
    slow.may_end.set()
    turns_until(me, lambda: not row().is_open, "it is closed")


def test_a_bridge_lifts_what_is_held_for_nothing(lab: Lab) -> None:
    holds.place(QUEUE, cause_of(NAME), by="breaker", why="no connection")
    Prober(wake=lambda: None).turn()
    assert QUEUE not in holds.in_force()


def test_a_bridge_that_listens_looks_seldom_until_it_hears_something(lab: Lab) -> None:
    me = Prober(wake=lambda: None)
    me.turn(listens=True)
    assert me.look_at - me._looked_at == prober.QUIET_SECONDS
    me.heard()
    assert me.look_at - me._looked_at == prober.CALM_SECONDS
    me.look_at = 0.0
    # Nobody would tell a deaf one.
    me.turn()
    assert me.look_at - me._looked_at == prober.CALM_SECONDS
