"""An effect is never repeated because its outcome has no place: refused before, or kept and written later, once."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from celery import current_app
from celery.exceptions import Ignore, Retry
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.utils import timezone
from psycopg2.extensions import parse_dsn

from bridge.daemon.drain import Drain
from bridge.daemon.publisher import Publisher
from bridge.errors import DuplicateMessage, PermanentError
from bridge.message import Delivery, Message
from bridge.models import BridgeProcess, KeptOutcome
from bridge.outcome import write_kept
from bridge.pgmq import PgmqQueue
from bridge.queues import registry
from bridge.tasks import forget_dead_bridges
from sandbox.probe.apps import QUEUE
from sandbox.probe.models import ProbeRun
from sandbox.services.postgres import OWNER
from tests.integration.bridge.conftest import archived
from tests.integration.bridge.test_task import Read, Run, handler_that
from tests.support.databases import ClonedDatabase

ARCHIVE, TABLE = f"pgmq.a_{QUEUE}", f"pgmq.q_{QUEUE}"

RAISE = """
CREATE FUNCTION pgmq.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'no, not here';
END
$$;
"""
# How the archive comes to refuse a message between its claim and its end, and what mends it.
HIDES_THE_QUEUE = "row security lets nothing be deleted"
BREAKS = {
    "a trigger raises": (
        f"{RAISE} CREATE TRIGGER refuse BEFORE INSERT ON {ARCHIVE} FOR EACH ROW EXECUTE FUNCTION pgmq.refuse()",
        f"DROP TRIGGER refuse ON {ARCHIVE}",
    ),
    "a trigger raises at the commit": (
        (
            f"{RAISE} CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON {ARCHIVE} DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION pgmq.refuse()"
        ),
        f"DROP TRIGGER refuse ON {ARCHIVE}",
    ),
    "a constraint": (
        f"ALTER TABLE {ARCHIVE} ADD CONSTRAINT refuse CHECK (read_ct < 1)",
        f"ALTER TABLE {ARCHIVE} DROP CONSTRAINT refuse",
    ),
    "the archive is dropped": (f"ALTER TABLE {ARCHIVE} RENAME TO gone", f"ALTER TABLE pgmq.gone RENAME TO a_{QUEUE}"),
    "no right to delete": (f"REVOKE DELETE ON {TABLE} FROM current_user", f"GRANT DELETE ON {TABLE} TO current_user"),
    "no right to insert": (
        f"REVOKE INSERT ON {ARCHIVE} FROM current_user",
        f"GRANT INSERT ON {ARCHIVE} TO current_user",
    ),
    "row security on the archive": (
        f"ALTER TABLE {ARCHIVE} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        f"ALTER TABLE {ARCHIVE} NO FORCE ROW LEVEL SECURITY",
    ),
    HIDES_THE_QUEUE: (
        (
            f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
            f" CREATE POLICY see ON {TABLE} FOR SELECT USING (true);"
            f" CREATE POLICY up ON {TABLE} FOR UPDATE USING (true)"
        ),
        f"ALTER TABLE {TABLE} NO FORCE ROW LEVEL SECURITY",
    ),
    "a trigger lets nothing be deleted": (
        (
            "CREATE FUNCTION pgmq.stay() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
            f" CREATE TRIGGER stay BEFORE DELETE ON {TABLE} FOR EACH ROW EXECUTE FUNCTION pgmq.stay()"
        ),
        f"DROP TRIGGER stay ON {TABLE}",
    ),
    "pgmq's function is gone": (
        "ALTER FUNCTION pgmq.archive(text, bigint) RENAME TO gone",
        "ALTER FUNCTION pgmq.gone(text, bigint) RENAME TO archive",
    ),
}
# What rights and row security tell before a worker starts.
KNOWN_BEFORE = [name for name in BREAKS if name.startswith(("no right", "row security"))]


pytestmark = pytest.mark.usefixtures("plain_role")


def execute(statements: str) -> None:
    """As the owner of the tables."""
    owner = {"user": OWNER, "password": parse_dsn(os.environ["DATABASE_URL"])["password"]}
    with closing(psycopg2.connect(**connection.get_connection_params() | owner | {"cursor_factory": None})) as opened:
        opened.autocommit = True
        with opened.cursor() as cursor:
            cursor.execute(statements)


@pytest.fixture
def drain(probe: PgmqQueue, broker_url: str) -> Iterator[Drain]:
    with Publisher(current_app) as publisher:
        yield Drain(registry.get(QUEUE), publisher)


@pytest.fixture
def look_again(drain: Drain) -> Callable[[], int]:
    """Let the lease run out and the bridge look; returns how many messages went to workers."""

    def look() -> int:
        execute(f"UPDATE {TABLE} SET vt = now() - interval '1 second'")
        return drain.look().published

    return look


def effect(monkeypatch: pytest.MonkeyPatch, statements: str, *, ends_with: Exception | None = None) -> list[int]:
    """A handler whose effect happens, after which the archive is broken; returns the list of its effects."""
    effects: list[int] = []

    def act(message: Message) -> Callable[[], None]:
        effects.append(message.msg_id)
        execute(statements)
        if ends_with is not None:
            raise ends_with
        return record

    def record() -> None:
        ProbeRun.objects.create(msg_id=1, attempt=1, pid=1, started_at=datetime.now(UTC), recorded=True)

    handler_that(monkeypatch, act)
    return effects


@pytest.mark.parametrize("pgmq_version", ["1.13", "1.4"], indirect=True)
@pytest.mark.parametrize("name", BREAKS)
def test_a_done_work_is_not_repeated_and_its_outcome_is_written_once_that_is_possible(
    probe: PgmqQueue,
    read_one: Read,
    run_delivery: Run,
    look_again: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    breaks, mends = BREAKS[name]
    effects = effect(monkeypatch, breaks)
    msg_id = probe.send({"x": 1})
    run_delivery(read_one())
    assert ProbeRun.objects.filter(recorded=True).count() == 1
    assert KeptOutcome.objects.get().outcome == "succeeded"
    for _ in range(2):
        if name == HIDES_THE_QUEUE:
            # The bridge leaves such a queue alone; who looks all the same gets an error, and no wrong answer.
            with pytest.raises(DatabaseError, match="row-level security"):
                look_again()
            continue
        assert look_again() == 0
        assert probe.is_queued(msg_id)
    execute(mends)
    assert look_again() == 0
    history = archived(probe, msg_id)
    assert (history["outcome"], history["attempts"]) == ("succeeded", 1)
    assert not KeptOutcome.objects.exists()
    assert effects == [msg_id]
    assert ProbeRun.objects.filter(recorded=True).count() == 1


@pytest.mark.parametrize(
    ("ends_with", "raises", "expected"),
    [
        (PermanentError("no such address"), PermanentError, ("failed", "permanent_error", "no such address")),
        (DuplicateMessage("sent before", original=7), None, ("duplicate", None, "sent before")),
    ],
)
def test_failed_and_duplicate_are_kept_as_well(
    probe: PgmqQueue,
    read_one: Read,
    run_delivery: Run,
    look_again: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    ends_with: Exception,
    raises: type[Exception] | None,
    expected: tuple[str, str | None, str],
) -> None:
    breaks, mends = BREAKS["a trigger raises"]
    effects = effect(monkeypatch, breaks, ends_with=ends_with)
    msg_id = probe.send({"x": 1})
    if raises is None:
        run_delivery(read_one())
    else:
        with pytest.raises(raises):
            run_delivery(read_one())
    execute(mends)
    assert look_again() == 0
    history = archived(probe, msg_id)
    assert (history["outcome"], history.get("reason"), history["last_error"]["message"]) == expected
    assert history.get("original") == (7 if expected[0] == "duplicate" else None)
    assert effects == [msg_id]


def test_a_repeat_that_cannot_be_written_is_kept_and_comes_when_it_is_due(
    probe: PgmqQueue,
    read_one: Read,
    run_delivery: Run,
    drain: Drain,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    breaks = (
        f"{RAISE} CREATE TRIGGER refuse BEFORE UPDATE ON {TABLE} FOR EACH ROW"
        " WHEN (NEW.headers -> 'bridge' ? 'next_retry_at') EXECUTE FUNCTION pgmq.refuse()"
    )
    effects = effect(monkeypatch, breaks, ends_with=TimeoutError("no answer"))
    msg_id = probe.send({"x": 1})
    with pytest.raises(Retry):
        run_delivery(read_one())
    kept = KeptOutcome.objects.get()
    assert (kept.outcome, kept.error) == ("retrying", "no answer")
    execute(f"DROP TRIGGER refuse ON {TABLE}; UPDATE {TABLE} SET vt = now() - interval '1 second'")
    assert drain.look().published == 0
    assert not KeptOutcome.objects.exists()
    again = read_one()
    assert (again.history.attempts, again.history.last_error and again.history.last_error.message) == (1, "no answer")
    assert effects == [msg_id]


@pytest.mark.parametrize("name", KNOWN_BEFORE)
def test_without_the_right_to_archive_nothing_is_started_and_no_attempt_is_counted(
    probe: PgmqQueue, read_one: Read, run_delivery: Run, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    breaks, mends = BREAKS[name]
    effects = effect(monkeypatch, "SELECT 1")
    msg_id = probe.send({"x": 1})
    delivery = read_one()
    execute(breaks)
    for _ in range(6):
        with pytest.raises(Ignore, match=r"no outcome could be written|Postgres refuses it"):
            run_delivery(delivery)
    assert effects == []
    execute(mends)
    run_delivery(delivery)
    assert archived(probe, msg_id)["attempts"] == 1
    assert effects == [msg_id]


def test_row_security_whose_policies_let_us_see_everything_today_starts_nothing(
    probe: PgmqQueue, read_one: Read, run_delivery: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    # That they let us see the rows of tomorrow cannot be proven.
    effects = effect(monkeypatch, "SELECT 1")
    msg_id = probe.send({"note": True})
    delivery = read_one()
    for table in (TABLE, ARCHIVE):
        execute(
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
            f" CREATE POLICY ours ON {table} USING (true) WITH CHECK (true)"
        )
    with pytest.raises(Ignore, match="Postgres refuses it"):
        run_delivery(delivery)
    for table in (TABLE, ARCHIVE):
        execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    assert (effects, probe.is_queued(msg_id)) == ([], True)


def test_an_outcome_whose_lease_ran_out_is_not_kept_for_a_row_that_nobody_can_look_at(
    probe: PgmqQueue, read_one: Read, run_delivery: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks, mends = BREAKS[HIDES_THE_QUEUE]
    effects = effect(monkeypatch, breaks)
    probe.send({"x": 1})
    delivery = read_one()
    monkeypatch.setattr(registry.get(QUEUE).__class__, "run_lease", 0)
    with pytest.raises(Ignore):
        run_delivery(delivery)
    execute(mends)
    assert len(effects) == 1
    assert not KeptOutcome.objects.exists()


def test_an_archive_that_somebody_locks_does_not_hold_the_outcome_until_the_worker_is_killed(
    probe: PgmqQueue, database: ClonedDatabase, read_one: Read, run_delivery: Run, look_again: Callable[[], int]
) -> None:
    msg_id = probe.send({"note": True})
    delivery = read_one()
    with closing(psycopg2.connect(database.url)) as other, other.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {ARCHIVE} IN SHARE MODE")
        run_delivery(delivery)
        assert KeptOutcome.objects.get().outcome == "succeeded"
    assert look_again() == 0
    assert archived(probe, msg_id)["outcome"] == "succeeded"


def test_whoever_lost_the_message_keeps_nothing(
    probe: PgmqQueue, read_one: Read, run_delivery: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks, _ = BREAKS["a trigger raises"]
    effect(monkeypatch, f"{breaks}; UPDATE {TABLE} SET vt = now() + interval '1 hour'")
    probe.send({"x": 1})
    with pytest.raises(Ignore):
        run_delivery(read_one())
    assert not KeptOutcome.objects.exists()
    assert not ProbeRun.objects.exists()


@pytest.mark.parametrize("ends_with", [None, TimeoutError("no answer")])
def test_a_queue_that_is_dropped_under_a_running_attempt_is_no_reason_to_repeat_it(
    probe: PgmqQueue,
    read_one: Read,
    run_delivery: Run,
    monkeypatch: pytest.MonkeyPatch,
    ends_with: Exception | None,
) -> None:
    effects = effect(monkeypatch, f"DROP TABLE {TABLE}", ends_with=ends_with)
    msg_id = probe.send({"x": 1})
    with pytest.raises(Ignore):
        run_delivery(read_one())
    assert effects == [msg_id]


def test_the_status_shows_what_is_kept_and_why(
    probe: PgmqQueue, read_one: Read, run_delivery: Run, monkeypatch: pytest.MonkeyPatch, broker_url: str
) -> None:
    effect(monkeypatch, BREAKS["a trigger raises"][0])
    probe.send({"x": 1})
    run_delivery(read_one())
    text = io.StringIO()
    call_command("queue_status", stdout=text)
    assert f"{QUEUE}: 1 outcomes wait until they can be written: no, not here" in " ".join(text.getvalue().split())


@pytest.mark.parametrize(
    "whose", [{"queue": "email_queue"}, {"msg_id": 10**6}, {"enqueued_at": datetime(2026, 11, 23, tzinfo=UTC)}, None]
)
def test_only_what_is_kept_for_this_very_message_is_written_on_it(
    probe: PgmqQueue, read_one: Read, whose: dict[str, Any] | None
) -> None:
    msg_id = probe.send({})
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT enqueued_at FROM {TABLE}")
        its = {"queue": QUEUE, "msg_id": msg_id, "enqueued_at": cursor.fetchone()[0]}
    if whose is not None:
        KeptOutcome.objects.create(**its | whose, outcome="succeeded", why="x")
    delivery = read_one()
    assert not delivery.kept
    # As a bridge that comes second finds it.
    assert not write_kept(registry.get(QUEUE), delivery)
    assert probe.is_queued(msg_id)
    assert KeptOutcome.objects.count() == (0 if whose is None else 1)


def test_what_is_kept_for_a_message_that_somebody_took_away_is_dropped_as_are_bridges_that_are_dead(
    probe: PgmqQueue, read_one: Read
) -> None:
    kept: dict[str, Any] = {"queue": QUEUE, "enqueued_at": datetime.now(UTC), "outcome": "succeeded", "why": "x"}
    probe.send({})
    delivery: Delivery = read_one()
    KeptOutcome.objects.create(msg_id=delivery.msg_id, **kept)
    KeptOutcome.objects.create(msg_id=delivery.msg_id + 1, **kept)
    now = timezone.now()
    for name, silent in (("dead", timedelta(days=1)), ("silent", timedelta(hours=23))):
        BridgeProcess.objects.create(name=name, started_at=now - silent, seen_at=now - silent)
    forget_dead_bridges()
    assert [bridge.name for bridge in BridgeProcess.objects.all()] == ["silent"]
    assert [row.msg_id for row in KeptOutcome.objects.all()] == [delivery.msg_id]
