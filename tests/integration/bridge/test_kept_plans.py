"""Plans of what every message asks are kept in the session, and nothing depends on their being there."""

from collections.abc import Callable

import pytest
from django.db import DatabaseError, ProgrammingError, connection, transaction

from bridge import holds
from bridge.message import Message, Next, Outcome
from bridge.pgmq import PgmqQueue
from bridge.record import Statement
from bridge.sql import prepared
from bridge.sql.prepared import Part, execute
from bridge.sql.statements import FEW_MESSAGES
from sandbox.probe.apps import QUEUE
from sandbox.probe.models import ProbeRun
from tests.integration.bridge.conftest import archived
from tests.integration.bridge.deliveries import claim, read_one

ADD = [Part("SELECT %(one)s::int + %(two)s::int, '100%%', %(one)s::int")]


@pytest.fixture(autouse=True)
def _slow_machines_have_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "SECONDS", 600.0)


def kept() -> list[str]:
    """What this session keeps."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements ORDER BY prepare_time")
        return [statement for (statement,) in cursor.fetchall()]


def names() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_prepared_statements")
        return [name for (name,) in cursor.fetchall()]


def added(one: int, two: int) -> tuple[int, str, int]:
    with connection.cursor() as cursor:
        execute(cursor, ADD, {"one": one, "two": two})
        row: tuple[int, str, int] = cursor.fetchone()
    return row


def do(queue: PgmqQueue, *, rows: Callable[[Message], Statement] | None = None) -> int:
    """One message from its claim to its archive."""
    msg_id = queue.send({})
    message = claim(queue, read_one(queue))
    ours, _ = queue.succeed(message, rows=rows(message) if rows is not None else None)
    assert ours
    assert archived(queue, msg_id)["outcome"] == "succeeded"
    return msg_id


def row_of(message: Message) -> Statement:
    return Statement(
        "INSERT INTO probe_proberun (msg_id, attempt, pid, started_at, recorded)"
        " SELECT %(msg_id)s::bigint, 1, 100, now(), true WHERE {ours} AND '100%%' <> %(vt)s::text",
        # Named as values of ours are.
        {"msg_id": message.msg_id, "vt": "50%"},
        planned=True,
    )


@pytest.mark.usefixtures("database")
def test_what_is_asked_twice_is_planned_once_and_answers_the_same() -> None:
    assert [added(number, 10) for number in range(4)] == [(number + 10, "100%", number) for number in range(4)]
    assert len(kept()) == 1


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("takes_away", ["DISCARD ALL", "DEALLOCATE ALL"])
def test_a_session_that_lost_its_plans_answers_all_the_same_and_keeps_none_from_then_on(takes_away: str) -> None:
    added(1, 1), added(1, 1)
    with connection.cursor() as cursor:
        cursor.execute(takes_away)
    assert [added(2, number)[0] for number in range(4)] == [2, 3, 4, 5]
    assert kept() == []
    connection.close()
    added(1, 1), added(1, 1)
    assert len(kept()) == 1


@pytest.mark.usefixtures("database")
def test_a_plan_is_used_for_a_few_seconds_and_the_one_after_it_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("bridge.sql.prepared.monotonic", lambda: now)
    # What comes seldom is not worth a plan.
    for _ in range(3):
        added(1, 1)
        now += prepared.SECONDS
    assert kept() == []
    added(1, 1)
    now += 1
    added(1, 1)
    first = names()
    now += prepared.SECONDS - 0.5
    added(1, 1)
    assert names() == first
    now += 1
    assert added(1, 2) == (3, "100%", 1)
    assert len(names()) == 1
    assert names() != first


@pytest.mark.usefixtures("database")
def test_within_a_transaction_of_somebody_elses_no_setting_is_left_behind() -> None:
    added(1, 1), added(1, 1)
    with transaction.atomic(), connection.cursor() as cursor:
        added(1, 1)
        cursor.execute("SHOW plan_cache_mode")
        assert cursor.fetchone() == ("auto",)
    with connection.cursor() as cursor:
        added(1, 1)
        cursor.execute("SHOW plan_cache_mode")
        assert cursor.fetchone() == ("auto",)


@pytest.mark.usefixtures("database")
def test_what_fails_leaves_plans_that_can_be_used_and_is_prepared_anew_under_a_name_of_its_own() -> None:
    divided = [*ADD, Part("SELECT 1 / %(two)s::int")]

    def one_over(two: int) -> int:
        with connection.cursor() as cursor:
            execute(cursor, divided, {"one": 1, "two": two})
            return int(cursor.fetchone()[0])

    one_over(1)
    for _ in range(2):
        with pytest.raises(Exception, match="division by zero"):
            one_over(0)
    assert [one_over(1), one_over(1), added(1, 1)[0]] == [1, 1, 2]


def test_messages_are_claimed_and_done_by_kept_plans_with_the_rows_of_their_handler(probe: PgmqQueue) -> None:
    done = [do(probe, rows=row_of) for _ in range(4)]
    assert sorted(ProbeRun.objects.values_list("msg_id", flat=True)) == done
    # The claim; the outcome, the rows, the archive.
    assert len(kept()) == 4


def test_a_kept_plan_lets_nobody_claim_or_finish_with_an_old_token(probe: PgmqQueue) -> None:
    for _ in range(3):
        do(probe, rows=row_of)
    before = ProbeRun.objects.count()
    msg_id = probe.send({})
    old = read_one(probe)
    message = claim(probe, old)
    assert probe.claim(old.token, lease=60, attempts=1, trace_id="late") is None
    assert probe.finish(old, Outcome.SUCCEEDED) is False
    assert probe.succeed(old, rows=row_of(old)) == (False, None)
    assert probe.is_queued(msg_id)
    assert ProbeRun.objects.count() == before
    assert probe.succeed(message, rows=row_of(message))[0]
    assert len(kept()) == 4


def test_the_next_message_of_a_bundle_is_claimed_by_a_kept_plan_unless_its_token_is_old(probe: PgmqQueue) -> None:
    for _ in range(5):
        probe.send({})
    message, *rest = (probe.load(one.token) for one in probe.read(limit=5, lease=60))
    assert message is not None
    held = claim(probe, message)
    for number, one in enumerate(rest):
        assert one is not None
        if number == len(rest) - 1:
            claim(probe, one)
        ours, following = probe.succeed(held, following=Next(one.token, 60, 1, "next", "host:1"))
        assert ours
        if number == len(rest) - 1:
            assert following is None
            continue
        assert following is not None
        assert following.msg_id == one.msg_id
        held = following


def test_a_queue_that_changes_under_kept_plans_is_looked_at_anew(probe: PgmqQueue) -> None:
    for _ in range(3):
        do(probe)
    with connection.cursor() as cursor:
        for table in ("q", "a"):
            cursor.execute(
                f"ALTER TABLE pgmq.{table}_{QUEUE} ADD COLUMN one_more text, ALTER COLUMN read_ct TYPE bigint"
            )
    for _ in range(3):
        do(probe)


def test_a_statement_that_tells_no_types_is_sent_as_it_is_unless_it_says_that_it_can_be_planned(
    probe: PgmqQueue,
) -> None:
    def untyped(message: Message) -> Statement:
        return Statement(
            "INSERT INTO probe_proberun (msg_id, attempt, pid, started_at, recorded)"
            " SELECT %(id)s, 1, 100, now(), true WHERE {ours} AND jsonb_build_array(%(id)s) IS NOT NULL",
            {"id": message.msg_id},
        )

    done = [do(probe, rows=untyped) for _ in range(3)]
    assert ProbeRun.objects.filter(msg_id__in=done).count() == 3
    with connection.cursor() as cursor:
        untold = [Part("SELECT jsonb_build_array(%(id)s)")]
        execute(cursor, untold, {"id": 1})
        with pytest.raises(ProgrammingError, match="data type"):
            execute(cursor, untold, {"id": 1})


def test_statements_that_fail_again_and_again_do_not_fill_the_session(probe: PgmqQueue) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$;"
            f"CREATE TRIGGER refuse BEFORE INSERT ON pgmq.a_{probe.name} FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    probe.send({})
    message = claim(probe, read_one(probe))
    numbers = []
    for _ in range(8):
        with pytest.raises(DatabaseError, match="not now"):
            probe.succeed(message)
        numbers.append(len(kept()))
    assert max(numbers) == numbers[2]
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER refuse ON pgmq.a_{probe.name}")
    assert probe.succeed(message) == (True, None)


def test_a_few_that_come_one_by_one_are_read_by_a_kept_plan_and_a_backlog_by_one_of_its_own(probe: PgmqQueue) -> None:
    for _ in range(3):
        low, high = probe.send({"priority": 1}), probe.send({"priority": 2})
        assert [delivery.msg_id for delivery in probe.read(limit=FEW_MESSAGES, lease=60)] == [high, low]
    assert len(kept()) == 1
    sent = [probe.send({}) for _ in range(FEW_MESSAGES + 2)]
    assert [delivery.msg_id for delivery in probe.read(limit=FEW_MESSAGES, lease=60)] == sent[:FEW_MESSAGES]
    for limit, ids, read in ((FEW_MESSAGES, [sent[-1]], sent[-1]), (1, None, sent[-2])):
        assert [delivery.msg_id for delivery in probe.read(limit=limit, lease=60, ids=ids)] == [read]
    assert len(kept()) == 1


def test_a_kept_plan_reads_nothing_of_a_queue_that_was_held_since(probe: PgmqQueue) -> None:
    for _ in range(2):
        probe.send({})
        assert len(probe.read(limit=FEW_MESSAGES, lease=60)) == 1
    assert len(kept()) == 1
    holds.place(QUEUE, "pause", by="anna", why="to look")
    probe.send({})
    assert probe.read(limit=FEW_MESSAGES, lease=60) == []
    holds.lift(QUEUE, "pause")
    assert len(probe.read(limit=FEW_MESSAGES, lease=60)) == 1
