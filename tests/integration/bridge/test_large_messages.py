"""One message cannot take the bridge down, nor a worker, nor the page of what failed: no large body leaves Postgres."""

import os
import resource
import signal
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from celery.exceptions import Ignore
from django.db import connection

from bridge.daemon.drain import MOST_OWN_TRIES, Drain
from bridge.daemon.publisher import Publisher
from bridge.errors import InvalidMessage
from bridge.message import Delivery, LastError, Message, Outcome, Reason, Unreadable
from bridge.pgmq import PgmqQueue
from bridge.queues import NoJournal, Queue, registry
from sandbox.probe.apps import QUEUE
from tests.integration.bridge.conftest import archived
from tests.integration.bridge.test_admin import FAILED, PAGE, client_with
from tests.support.requeueing import put_all_back

MEGABYTE = 1024 * 1024
BIG = "repeat('x', 1100000)"
TOO_LARGE = "the message was not read: it is larger than 1024 KiB"

# What a stranger may send, as Postgres builds it: small things that are large once they are text, too.
HOSTILE = {
    "a long text": f"jsonb_build_object('to', {BIG})",
    "an array of empty objects": "(SELECT jsonb_agg('{}'::jsonb) FROM generate_series(1, 270000))",
    "numbers with large exponents": "(SELECT jsonb_build_object('x', jsonb_agg('1e131071'::jsonb))"
    " FROM generate_series(1, 2000))",
    "numbers with small exponents": "(SELECT jsonb_build_object('x', jsonb_agg('1e-16383'::jsonb))"
    " FROM generate_series(1, 2000))",
    "what compresses well": "jsonb_build_object('to', repeat(' ', 5000000))",
}
both_carriers = pytest.mark.parametrize("pgmq_version", ["1.13", "1.4"], indirect=True)


def send(expression: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pgmq.send(%s, {expression.replace('%', '%%')})", [QUEUE])
        return int(cursor.fetchone()[0])


def send_behind_the_readers_back(probe: PgmqQueue, expression: str) -> Delivery:
    """A delivery whose message grew after it was read."""
    probe.send({})
    (delivery,) = probe.read(limit=1, lease=60)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE pgmq.q_{QUEUE} SET message = {expression} WHERE msg_id = %s", [delivery.msg_id])
    return delivery


@both_carriers
@pytest.mark.parametrize("name", HOSTILE)
def test_a_message_that_is_too_large_is_archived_unread_with_a_readable_reason(
    drain: Drain, probe: PgmqQueue, name: str
) -> None:
    msg_id = send(HOSTILE[name])
    fine = probe.send({"n": 1})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    look = drain.look()
    assert (look.published, look.archived) == (1, 1)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 5_000
    history = archived(probe, msg_id)
    assert (history["outcome"], history["reason"]) == ("failed", "invalid_message")
    assert history["last_error"]["message"] == TOO_LARGE
    assert probe.is_queued(fine)


@pytest.mark.parametrize("name", HOSTILE)
def test_neither_load_nor_claim_hands_out_what_is_too_large(probe: PgmqQueue, name: str) -> None:
    delivery = send_behind_the_readers_back(probe, HOSTILE[name])
    loaded = probe.load(delivery.token)
    claimed = probe.claim(delivery.token, lease=60, attempts=1, trace_id="x")
    assert loaded is not None
    assert claimed is not None
    assert isinstance(loaded.body, Unreadable)
    assert isinstance(claimed.body, Unreadable)


def test_a_worker_that_claims_one_archives_it_unread(
    probe: PgmqQueue, run_delivery: Callable[[Delivery], None]
) -> None:
    delivery = send_behind_the_readers_back(probe, HOSTILE["a long text"])
    with pytest.raises(InvalidMessage, match="larger than 1024 KiB"):
        run_delivery(delivery)
    assert archived(probe, delivery.msg_id)["reason"] == "invalid_message"


@both_carriers
def test_a_large_history_counts_as_none_and_the_message_goes_on(drain: Drain, probe: PgmqQueue) -> None:
    column, key = ("headers", "bridge") if probe.has_headers else ("message", "_bridge")
    probe.send({"x": 1})
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE pgmq.q_{QUEUE} SET {column} = coalesce({column}, '{{}}') || jsonb_build_object(%s,"
            f" jsonb_build_object('attempts', '1e131071'::jsonb, 'trace_id', {BIG}, 'x', {BIG}))",
            [key],
        )
    (delivery,) = probe.read(limit=1, lease=60)
    assert (delivery.kind, delivery.history.attempts, delivery.history.trace_id) == ("object", 0, "")
    claimed = probe.claim(delivery.token, lease=60, attempts=1, trace_id="x")
    assert claimed is not None
    assert claimed.body == {"x": 1}


def test_just_under_the_bound_a_message_is_read(probe: PgmqQueue) -> None:
    probe.send({"to": "x" * (MEGABYTE - 20)})
    (delivery,) = probe.read(limit=1, lease=60)
    loaded = probe.load(delivery.token)
    assert loaded is not None
    assert len(loaded.body["to"]) == MEGABYTE - 20


@both_carriers
def test_the_page_of_what_failed_and_requeue_need_no_bodies(probe: PgmqQueue, drain: Drain) -> None:
    ids = [send(HOSTILE[name]) for name in ("a long text", "numbers with large exponents")]
    drain.look()
    client = client_with("view_queueoverview", "view_message_body")
    client.get(f"{FAILED}&reason=refused")  # What the first page of a process loads is another matter.
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    listed = client.get(FAILED).content.decode()
    assert all(f">№ {msg_id}<" in listed for msg_id in ids)
    for msg_id in ids:
        page = client.get(f"{PAGE}probe_queue/{msg_id}/").content.decode()
        assert "слишком велико, чтобы показать" in page
    assert put_all_back(QUEUE) == len(ids)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("jsonb_build_object('to', repeat('x', 900000))", id="long"),
        pytest.param(f"('{'[' * 3000}{']' * 3000}')::jsonb", id="deep: pretty it would be some hundred times as long"),
        pytest.param("(SELECT jsonb_agg('[]'::jsonb) FROM generate_series(1, 50000))", id="many"),
    ],
)
def test_a_page_shows_the_beginning_of_a_body(probe: PgmqQueue, expression: str) -> None:
    for _ in range(3):
        send(expression)
    for delivery in probe.read(limit=3, lease=60):
        probe.finish(delivery, Outcome.FAILED, reason=Reason.WORKER_LOST, error=LastError("X", "y"))
    client = client_with("view_queueoverview", "view_message_body")
    assert len(client.get(FAILED).content) < 40_000
    assert 6_000 < len(client.get(f"{PAGE}probe_queue/1/").content) < 60_000


class Fatal(NoJournal):
    """Ends the process that calls it, after a note on the disk."""

    def __init__(self, notes: Path) -> None:
        self.notes = notes

    def failed(self, message: Message, reason: Reason, error: LastError) -> None:
        with self.notes.open("a") as file:
            file.write(f"{datetime.now()}\n")  # noqa: DTZ005
        os.kill(os.getpid(), signal.SIGKILL)


@both_carriers
def test_a_message_that_ends_the_bridge_is_given_up_after_some_tries(
    drain: Drain, probe: PgmqQueue, publisher: Publisher, tmp_path: Path
) -> None:
    plain = registry.get(QUEUE)
    journal = Fatal(tmp_path / "notes")
    drain.queue = Queue(plain.name, plain.task, plain.celery_queue, plain.max_retries, plain.time_limit, journal)
    msg_id = probe.send([1])
    for _ in range(MOST_OWN_TRIES + 2):
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE pgmq.q_{QUEUE} SET vt = now() - interval '1 second'")
        connection.close()
        publisher.close()
        child = os.fork()
        if child == 0:
            drain.look()
            os._exit(0)
        os.waitpid(child, 0)
    assert len((tmp_path / "notes").read_text().splitlines()) == MOST_OWN_TRIES
    history = archived(probe, msg_id)
    assert (history["outcome"], history["reason"]) == ("failed", "invalid_message")


def test_what_a_large_message_is_asked_for_stays_cheap_for_the_usual_ones(probe: PgmqQueue) -> None:
    body = {"to": "a@example.ru", "template": "payment_failed", "variables": {"amount": 5000, "payment_id": "x" * 36}}
    for _ in range(200):
        probe.send(body)
    with connection.cursor() as cursor:
        cursor.execute(
            f"EXPLAIN (ANALYZE, FORMAT JSON) SELECT bridge_too_large(bridge_sent(message), 1048576)"
            f" FROM pgmq.q_{QUEUE}, generate_series(1, 10)"
        )
        (plan,) = cursor.fetchone()[0]
    assert plan["Execution Time"] / 2000 < 0.2


def test_ignored_is_what_cannot_be_claimed(probe: PgmqQueue, run_delivery: Callable[[Delivery], None]) -> None:
    probe.send({})
    (delivery,) = probe.read(limit=1, lease=60)
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION bridge_history(jsonb, jsonb)")
    with pytest.raises(Ignore, match="Postgres refuses it"):
        run_delivery(delivery)
