"""A worker that comes too late changes nothing: another has the message by then, and every write asks for that."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg2
import pytest
from celery.exceptions import Ignore
from django.db import connection, transaction

from bridge.errors import DuplicateMessage, PermanentError
from bridge.message import Delivery, Ending, Message, Outcome, Reason, Token
from bridge.pgmq import PgmqQueue
from bridge.sql.statements import compose
from tests.integration.bridge.conftest import archived
from tests.integration.bridge.deliveries import ERROR, claim, make_due
from tests.integration.bridge.deliveries import read_one as load_one
from tests.integration.bridge.test_task import Read, Run, handler_that
from tests.support.databases import ClonedDatabase

Write = Callable[[PgmqQueue, Delivery | Message], object]

WRITES: dict[str, Write] = {
    "succeed": lambda queue, late: queue.finish(late, Outcome.SUCCEEDED),
    "fail": lambda queue, late: queue.finish(late, Outcome.FAILED, reason=Reason.PERMANENT_ERROR, error=ERROR),
    "retry": lambda queue, late: queue.retry(late.token, delay=3600, error=ERROR),
    "claim": lambda queue, late: queue.claim(late.token, lease=3600, attempts=7, trace_id="late"),
    "note a try of the bridge": lambda queue, late: queue.note_own_try(late.token, tries=7),
    "release": lambda queue, late: queue.release([late.token]),
    "refuse": lambda queue, late: queue.refuse([(late.token, Ending(Outcome.FAILED, Reason.REFUSED, ERROR))]),
    "postpone": lambda queue, late: queue.postpone([(late.token, 3600.0)]),
    "load": lambda queue, late: queue.load(late.token),
    "load without the body": lambda queue, late: queue.load_unread(late.token),
    "hold": lambda queue, late: queue.holds(late.token),
}


def rows_of(queue: PgmqQueue) -> list[Any]:
    """All that stands in the queue and in its archive."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT to_jsonb(q)::text FROM pgmq.q_{queue.name} AS q"
            f" UNION ALL SELECT to_jsonb(a)::text FROM pgmq.a_{queue.name} AS a ORDER BY 1"
        )
        return list(cursor.fetchall())


@pytest.mark.parametrize("pgmq_version", ["1.13", "1.4"], indirect=True)
@pytest.mark.parametrize("name", WRITES)
def test_what_has_lost_its_token_leaves_the_message_as_its_owner_has_it(probe: PgmqQueue, name: str) -> None:
    probe.send({"x": 1})
    late = claim(probe, load_one(probe))
    make_due(probe)
    owner = claim(probe, load_one(probe), attempts=2)
    before = rows_of(probe)
    with transaction.atomic():
        assert not WRITES[name](probe, late)
    assert rows_of(probe) == before
    assert probe.finish(owner, Outcome.SUCCEEDED)
    history = archived(probe, owner.msg_id)
    assert (history["outcome"], history["attempts"], history["trace_id"]) == ("succeeded", 2, "trace")


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("name", WRITES)
def test_what_is_done_to_one_message_is_not_done_to_another_with_the_same_lease(
    probe: PgmqQueue, name: str, place: int
) -> None:
    for number in range(2):
        probe.send({"n": number})
    both = [claim(probe, delivery) for delivery in probe.read(limit=2, lease=60)]
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE pgmq.q_{probe.name} SET vt = %s", [both[0].token.vt])
    one, other = both[place], both[1 - place]
    before = row_of(probe, other)
    with transaction.atomic():
        done = WRITES[name](probe, replace(one, token=Token(one.msg_id, both[0].token.vt)))
    assert done
    assert row_of(probe, other) == before
    if isinstance(done, Message):
        assert done.msg_id == one.msg_id
    if name == "hold":
        assert done == one.enqueued_at


def row_of(queue: PgmqQueue, message: Message) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT to_jsonb(q)::text FROM pgmq.q_{queue.name} AS q WHERE msg_id = %s", [message.msg_id])
        return cursor.fetchone()


def write_rows() -> None:
    """Nothing that matters."""


@pytest.mark.parametrize(
    "end",
    [None, write_rows, TimeoutError("no answer"), PermanentError("no"), DuplicateMessage("sent before")],
    ids=["done", "done with rows", "to be repeated", "failed", "duplicate"],
)
def test_a_late_worker_says_nothing_of_a_message_that_another_is_working_on(
    probe: PgmqQueue,
    read_one: Read,
    run_delivery: Run,
    monkeypatch: pytest.MonkeyPatch,
    end: Callable[[], None] | Exception | None,
) -> None:
    owners: list[Message] = []
    seen: list[Any] = []

    def overtaken(message: Message) -> Callable[[], None] | None:
        # Its lease ran out while it worked, and another worker has begun.
        owners.append(claim(probe, read_one(), attempts=2))
        seen.append(rows_of(probe))
        if isinstance(end, Exception):
            raise end
        return end

    handler_that(monkeypatch, overtaken)
    probe.send({"x": 1})
    with pytest.raises(Ignore):
        run_delivery(read_one())
    assert rows_of(probe) == seen[0]
    assert probe.finish(owners[0], Outcome.FAILED, reason=Reason.PERMANENT_ERROR, error=ERROR)
    assert archived(probe, owners[0].msg_id)["outcome"] == "failed"


@pytest.mark.parametrize("name", ["refuse", "postpone"])
def test_what_is_judged_in_bulk_does_not_wait_for_a_message_that_somebody_holds(
    probe: PgmqQueue, database: ClonedDatabase, name: str
) -> None:
    held, free = probe.send({}), probe.send({})
    tokens = {one.token.msg_id: one.token for one in probe.ahead(limit=10, depth=10)}
    with psycopg2.connect(database.url) as other, other.cursor() as holding, connection.cursor() as cursor:
        holding.execute("SELECT FROM pgmq.q_probe_queue WHERE msg_id = %s FOR UPDATE", [held])
        cursor.execute("SET lock_timeout TO '1s'")
        if name == "refuse":
            done = probe.refuse([(token, Ending(Outcome.FAILED, Reason.REFUSED, ERROR)) for token in tokens.values()])
        else:
            done = probe.postpone([(token, 3600.0) for token in tokens.values()])
        assert done == {free}
    other.close()


def test_a_message_that_is_held_is_locked_until_the_end_of_the_transaction(
    probe: PgmqQueue, database: ClonedDatabase
) -> None:
    probe.send({})
    owner = claim(probe, load_one(probe))
    with psycopg2.connect(database.url) as other, other.cursor() as cursor:
        with transaction.atomic():
            assert probe.holds(owner.token) is not None
            with pytest.raises(psycopg2.errors.LockNotAvailable):
                cursor.execute("SELECT FROM pgmq.q_probe_queue FOR UPDATE NOWAIT")
        other.rollback()
    other.close()


def test_a_claim_whose_new_token_would_be_the_old_one_fails(probe: PgmqQueue) -> None:
    # Then a second copy of the task could claim too. One message to Postgres is one moment there.
    msg_id = probe.send({})
    claim(probe, load_one(probe))
    statement = compose("claim", queue=probe.name, has_headers=probe.has_headers)
    statement = statement.replace("%(vt)s", f"(SELECT vt FROM pgmq.q_{probe.name})")
    values: dict[str, Any] = {"name": probe.name, "msg_id": msg_id, "lease": 60, "attempts": 1}
    values |= {"trace_id": "x", "worker": None}
    for lease, claimed in ((60, 0), (61, 1)):
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE pgmq.q_{probe.name} SET vt = statement_timestamp() + make_interval(secs => 60); {statement}",
                {**values, "lease": lease},
            )
            assert len(cursor.fetchall()) == claimed
