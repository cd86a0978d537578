"""A worker is the one that we prove, whatever words it was started with."""

from typing import Any

import pytest
from pytest_django import Settings

from balansity.celery import app


@pytest.mark.parametrize("words", [{}, {"concurrency": 2}, {"without_gossip": False, "without_mingle": False}])
def test_a_worker_talks_to_no_other_worker(words: dict[str, Any]) -> None:
    worker: Any = app.WorkController(hostname="worker@here", pool_cls="solo", **words)
    steps = {type(step).__name__ for step in worker.consumer.steps}
    assert not steps & {"Gossip", "Mingle"}
    # Flower knows by its heart that it lives, and `inspect` needs the control.
    assert {"Heart", "Control", "Tasks"} <= steps


def test_it_has_as_many_children_as_its_variable_says_and_those_of_an_older_line(settings: Settings) -> None:
    by_variable: Any = app.WorkController(hostname="worker@here", pool_cls="solo")
    by_words: Any = app.WorkController(hostname="worker@here", pool_cls="solo", concurrency=5)
    assert (by_variable.concurrency, settings.WORKER_CONCURRENCY, by_words.concurrency) == (2, 2, 5)


@pytest.mark.parametrize(("words", "seconds"), [({}, 10.0), ({"heartbeat_interval": 3.0}, 3.0)])
def test_its_heart_beats_seldom_unless_its_line_says_otherwise(words: dict[str, Any], seconds: float) -> None:
    worker: Any = app.WorkController(hostname="worker@here", pool_cls="solo", **words)
    (heart,) = [step for step in worker.consumer.steps if type(step).__name__ == "Heart"]
    assert heart.heartbeat_interval == seconds
