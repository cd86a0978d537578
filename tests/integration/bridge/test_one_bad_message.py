"""One message, or one queue, that Postgres refuses keeps none of the others from their turn."""

import logging
from typing import Any

import pytest
from celery import current_app
from pytest_django import Settings

from bridge import outcome
from bridge import tasks as bridge_tasks
from bridge.daemon.drain import Drain
from bridge.daemon.publisher import Publisher
from bridge.message import LastError, Message, Outcome, Reason
from bridge.pgmq import PgmqQueue
from bridge.queues import Queue, registry
from bridge.tasks import prune_archives
from sandbox.probe.apps import QUEUE as PROBE
from tests.integration.bridge.deliveries import make_due
from tests.support.poison import poison
from tests.support.requeueing import put_all_back


def test_a_message_that_cannot_be_archived_keeps_no_other_from_it(
    probe: PgmqQueue, broker_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = probe.send([1]), probe.send([2])
    poison(f"pgmq.q_{PROBE}", "message", "[1]", when="DELETE")
    with Publisher(current_app) as publisher:
        Drain(registry.get(PROBE), publisher).look()
    assert (probe.is_queued(bad), probe.is_queued(good)) == (True, False)
    assert f"{PROBE} {bad}: the outcome (failed) is kept until it can be written" in caplog.text


def test_a_message_whose_outcome_cannot_even_be_kept_keeps_no_other_from_it(
    probe: PgmqQueue, broker_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = probe.send([1]), probe.send([2])
    real = outcome.fail

    def refuse_one(queue: Queue, message: Message, *details: Any, **options: Any) -> None:
        if message.msg_id == bad:
            raise ValueError("nobody expected this")
        real(queue, message, *details, **options)

    monkeypatch.setattr(outcome, "fail", refuse_one)
    with Publisher(current_app) as publisher:
        look = Drain(registry.get(PROBE), publisher).look()
    assert look.archived == 1
    assert (probe.is_queued(bad), probe.is_queued(good)) == (True, False)
    assert f"{PROBE} {bad} could not be archived" in caplog.text
    make_due(probe)
    (delivery,) = probe.read(limit=1, lease=60)
    # Should it end the bridge next time, it is known that it was worked on.
    assert (delivery.msg_id, delivery.history.own_tries) == (bad, 1)


def test_a_failed_message_that_cannot_be_put_back_keeps_no_other_from_it(probe: PgmqQueue) -> None:
    for number in (1, 2):
        probe.send({"n": number})
        (delivery,) = probe.read(limit=1, lease=60)
        probe.finish(delivery, Outcome.FAILED, reason=Reason.PERMANENT_ERROR, error=LastError("X", "y"))
    poison(f"pgmq.a_{PROBE}", "message ->> 'n'", "1", when="UPDATE")
    assert put_all_back(PROBE) == 1


def test_an_archive_is_pruned_to_the_end_in_short_transactions(
    probe: PgmqQueue, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        probe.send({})
        probe.finish(probe.read(limit=1, lease=60)[0], Outcome.SUCCEEDED)
    settings.BRIDGE_ARCHIVE_DAYS = 0
    monkeypatch.setattr(bridge_tasks, "BATCH", 2)
    batches: list[int] = []
    real = PgmqQueue.prune

    def count(self: PgmqQueue, *, days: int, limit: int) -> int:
        deleted = real(self, days=days, limit=limit)
        if self.name == PROBE:
            batches.append(deleted)
        return deleted

    monkeypatch.setattr(PgmqQueue, "prune", count)
    prune_archives()
    assert batches == [2, 2, 1]


def test_an_archive_that_cannot_be_pruned_keeps_no_other_from_it(
    probe: PgmqQueue, settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = next(iter(registry))
    probe.send({})
    (delivery,) = probe.read(limit=1, lease=60)
    probe.finish(delivery, Outcome.SUCCEEDED)
    settings.BRIDGE_ARCHIVE_DAYS = 0
    real = PgmqQueue._all

    def refuse_first(self: PgmqQueue, query: str, **values: Any) -> Any:
        if self.name == first.name and query == "prune":
            return real(self, "prune", **{**values, "days": "nonsense"})
        return real(self, query, **values)

    monkeypatch.setattr(PgmqQueue, "_all", refuse_first)
    prune_archives()
    assert f"{first.name}: its archive could not be pruned" in caplog.text
    assert probe.archived_history(delivery.msg_id) is None
    assert not [record for record in caplog.records if record.levelno > logging.ERROR]
