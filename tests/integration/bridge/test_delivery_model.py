"""The delivery protocol in whatever order its processes take turns, die and are cut off.

Two bridges, three workers and an operator run the product's own functions over the real SQL, each in a session of its
own, and stop before every statement and every commit. Chance lets one of them go on, kills it there, breaks its
connection before or after, or lets time pass; the broker loses, doubles, delays and reorders. After each step it is
looked what changed in Postgres and whether whoever moved may change that (`tests/support/delivery_model/books.py`). In
the end everything heals, and every message must have had one outcome.

`./dev test tests/integration/bridge/test_delivery_model.py --hypothesis-profile thorough` goes through some thousand
histories more, by other chances each time.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import ClassVar

import hypothesis
import pytest
from celery import current_app
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from bridge.pgmq import PgmqQueue
from bridge.queues import registry
from bridge.rollup.ready import is_ready
from sandbox.probe.apps import QUEUE
from tests.support.delivery_model.books import Violation
from tests.support.delivery_model.clock import moved_clock
from tests.support.delivery_model.company import at_work, together
from tests.support.delivery_model.machine import Delivery
from tests.support.delivery_model.protections import without
from tests.support.delivery_model.stage import on_stage
from tests.support.outages import laboratory

THOROUGH = settings.get_current_profile_name() == "thorough"
pytestmark = pytest.mark.timeout(0 if THOROUGH else 600)

CAST = ("bridge-1", "bridge-2", "worker-1", "worker-2", "worker-3", "operator", "stranger")
SETTINGS = settings(
    stateful_step_count=35,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
# Of the histories that the suite goes through some must come to each of these, or they show little.
MET = {
    *("read", "handed back", "begun", "repeated", "not counted", "requeued", "deleted", "waited for a lock"),
    *("ended as succeeded", "ended as duplicate", "ended as retries_exhausted"),
    *("ended as permanent_error", "ended as refused", "ended as worker_lost", "ended as invalid_message"),
    *("a_bridge_probes", "a_process_is_killed", "postgres_fails", "the_broker_loses"),
}
# How often the rest of them is looked for, by a few histories more each time.
MORE = 32
MORE_CHANCES = settings(SETTINGS, derandomize=False, max_examples=10)
# What is found without a protection needs no shorter history.
UNTIL_FOUND = settings(SETTINGS, derandomize=False, max_examples=500, phases=[Phase.generate])


@pytest.fixture(autouse=True)
def stage(probe: PgmqQueue) -> Iterator[None]:
    current_app.loader.import_default_modules()
    # What is looked at once must not make the first history longer than the others.
    assert is_ready()
    queue = registry.get(QUEUE)
    with ExitStack() as stack:
        logging.disable(logging.CRITICAL)
        stack.callback(logging.disable, logging.NOTSET)
        stack.enter_context(laboratory())
        # The laboratory puts back the queue that it found.
        registry._queues[QUEUE] = replace(registry.get(QUEUE), max_retries=1)
        # How long somebody waits for a lock is for the driver to say, and not for a slow machine.
        for query in ("finish", "finish_together", "holds"):
            stack.enter_context(without(query, "lock_timeout TO '2s'", instead="lock_timeout TO '60s'"))
        Delivery.clock = stack.enter_context(moved_clock())
        stack.enter_context(at_work(current_app.tasks["probe.run"], Delivery.clock))
        Delivery.cast = stack.enter_context(on_stage(*CAST))
        Delivery.met.clear()
        yield
    assert registry.get(QUEUE) == queue


class Bundled(Delivery):
    """Bundles in one transaction."""

    sizes: ClassVar[list[int]] = [1, 3, 3, 3]


def go_through(machine: type[Delivery], examples: int) -> None:
    chances = settings(SETTINGS, max_examples=examples)
    if THOROUGH:
        most = settings.get_profile("thorough").max_examples
        chances = settings(SETTINGS, derandomize=False, max_examples=most)
    run_state_machine_as_test(machine, settings=chances)


def go_by(seed: int, machine: type[Delivery], chances: settings) -> None:
    """Go through the histories to which this seed leads."""
    run_state_machine_as_test(hypothesis.seed(seed)(type("Seeded", (machine,), {})), settings=chances)


def test_nothing_breaks_the_protocol() -> None:
    go_through(Delivery, 40)
    # What the same chances come to differs with the statements there are, and with the machine.
    for more in range(MORE):
        if all(Delivery.met[what] for what in MET):
            break
        go_by(more, Delivery, MORE_CHANCES)
    assert not [what for what in MET if not Delivery.met[what]]


def test_nothing_breaks_it_where_bundles_are_one_transaction() -> None:
    with together(current_app.tasks["probe.run"]):
        go_through(Bundled, 18)
    assert Delivery.met["begun in a bundle"]


def test_a_message_that_was_delivered_before_and_is_bundled_again_is_found() -> None:
    with (
        together(current_app.tasks["probe.run"]),
        without("take_together", " AND this.read_ct = 1"),
        pytest.raises(Violation, match="was delivered before"),
    ):
        go_by(0, Bundled, UNTIL_FOUND)


@pytest.mark.parametrize(
    ("query", "protection", "instead", "found", "seed"),
    [
        ("claim", "\n  AND q.vt = %(vt)s", "", "with a token that opens nothing", 0),
        ("claim", "\n  AND NOT {held}", "", "begun while it is held", 5),
        ("claim", "'attempts', %(attempts)s::int,", "", "attempts were counted", 0),
        ("finish", " AND q.vt = %(vt)s", "", "and may end as", 21),
        ("retry", " AND q.vt = %(vt)s", "", "with a token that opens nothing|and may end as", 2),
        ("put_back", " AND q.vt = %(vt)s", "", "with a token that opens nothing", 5),
        ("hand_back", " AND q.vt = %(vt)s", "", "with a token that opens nothing", 0),
        ("read", "vt <= now() AND ", "", "with a token that opens nothing", 0),
        ("read", "FROM {holds} WHERE NOT", "FROM {holds} WHERE false AND", "read while it is held", 0),
    ],
)
def test_a_protection_that_is_taken_away_is_missed(
    query: str, protection: str, instead: str, found: str, seed: int
) -> None:
    """Any seed finds it, most within a hundred histories; these find it soon.

    Where it shows first is up to chance: in who moved, as `found` says, or in how a message ends.
    """
    times = 2 if query == "finish" else 1
    with (
        without(query, protection, instead=instead, times=times),
        pytest.raises(Violation, match=found),
    ):
        go_by(seed, Delivery, UNTIL_FOUND)


def test_a_protection_that_has_another_name_by_now_is_not_taken_for_one_that_is_not_needed() -> None:
    with pytest.raises(AssertionError, match="adapt what is taken away"), without("claim", "AND q.token = %(token)s"):
        pytest.fail("it ran with nothing taken away")
