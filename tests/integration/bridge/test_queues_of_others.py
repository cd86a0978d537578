"""Queues of others in Supabase's pgmq, whatever their names and tables: shown without a handler, and nothing breaks."""

import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from bridge.open_functions import find_open_functions
from bridge.pgmq import PgmqQueue, pgmq_queue
from bridge.status import read_status
from tests.integration.bridge.test_admin import client_with
from tests.support.databases import ClonedDatabase

NAMES = (
    *(
        "Orders",
        "my-queue",
        "my queue",
        "list[1]",
        'say "hi"',
        "dot.ted",
        "100%",
        "a/b",
        "{braces}",
        "очередь",
        "select",
    ),
    # As long as pgmq has it, and longer in octets than Postgres cuts names.
    *("x" * 47, "ж" * 47),
)


def run(*command: str) -> str:
    out = io.StringIO()
    call_command(*command, stdout=out, stderr=out)
    return out.getvalue()


def create(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.create(%s)", [name])
        cursor.execute("SELECT pgmq.send(%s, '{}')", [name])


@pytest.mark.every_pgmq
def test_any_name_is_shown_without_a_handler(probe: PgmqQueue, broker_url: str) -> None:
    for name in NAMES:
        create(name)
    found = {queue.name: queue for queue in read_status().queues}
    assert found.keys() >= {*NAMES}
    assert {(found[name].handler, found[name].counts.ready, found[name].wakeup) for name in NAMES} == {("", 1, None)}
    table, described = run("queue_status"), json.loads(run("queue_status", "--json"))
    assert described["missing"] == [] or not {*NAMES} & {*described["missing"]}
    assert described["unread"] == described["troubles"] == []
    assert all(name in table for name in NAMES)
    installed = run("install_wakeup")
    assert all(f"{name}: no handler, left as it is" in installed for name in NAMES)
    assert find_open_functions() is not None


def test_the_admin_shows_them(probe: PgmqQueue, broker_url: str) -> None:
    client = client_with("view_queueoverview")
    for name in NAMES:
        create(name)
    page = client.get("/admin/bridge/queueoverview/").content.decode()
    for name in ("Orders", "my queue", "list[1]", "очередь", "100%"):
        assert name in page
    assert client.get("/admin/bridge/queueoverview/my%20queue/").status_code == 200


UNLOGGED = "ALTER TABLE pgmq.q_events SET UNLOGGED"
# As pgmq.create_partitioned makes it with pg_partman.
PARTITIONED = """
DROP TABLE pgmq.q_events;
CREATE TABLE pgmq.q_events (msg_id bigint GENERATED ALWAYS AS IDENTITY, read_ct int DEFAULT 0, headers jsonb,
    enqueued_at timestamptz DEFAULT now(), last_read_at timestamptz, vt timestamptz, message jsonb)
    PARTITION BY RANGE (msg_id);
CREATE TABLE pgmq.q_events_default PARTITION OF pgmq.q_events DEFAULT
"""


@pytest.mark.parametrize("ddl", [UNLOGGED, PARTITIONED], ids=["unlogged", "partitioned"])
def test_any_table_is_counted(probe: PgmqQueue, broker_url: str, ddl: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.create('Events')")
        cursor.execute(ddl)
        cursor.execute("SELECT pgmq.send('Events', '{}')")
    (found,) = [queue for queue in read_status().queues if queue.name == "Events"]
    assert (found.handler, found.counts.ready) == ("", 1)


def test_one_whose_tables_are_gone_is_nobodys_to_make(probe: PgmqQueue, broker_url: str) -> None:
    create("Orders")
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE pgmq.q_orders")
    told = run("queue_status")
    assert "Orders: its messages cannot be counted" in told
    assert "Orders: registered" not in told


@pytest.mark.every_pgmq
def test_what_failed_there_can_be_put_back(database: ClonedDatabase) -> None:
    """Whoever runs their own bridge on it: the command works by the name that they know."""
    create("My-Queue 100%")
    queue = pgmq_queue("My-Queue 100%")
    (delivery,) = queue.read(limit=1, lease=60)
    assert queue.release([delivery.token]) == 1
    with pytest.raises(CommandError, match="could not be put back"):
        run("requeue", "My-Queue 100%", "1")


@pytest.mark.parametrize(
    ("typed", "meant"), [("email_queu", "email_queue"), ("email", "email_queue"), ("Email_Queue ", "email_queue")]
)
@pytest.mark.parametrize("what", [["1", "2"], ["--failed"]])
def test_a_mistyped_queue_is_not_to_be_made(probe: PgmqQueue, typed: str, meant: str, what: list[str]) -> None:
    with pytest.raises(CommandError) as refused:
        run("requeue", typed, *what)
    told = str(refused.value)
    assert told.startswith(f"there is no queue {typed}. Did you mean {meant}? There are: ")
    assert "pgmq.create" not in told


def test_nothing_like_it_is_no_reason_to_guess(probe: PgmqQueue) -> None:
    with pytest.raises(CommandError) as refused:
        run("requeue", "zzz", "--failed")
    assert "Did you mean" not in str(refused.value)
    assert "analytics_queue" in str(refused.value)


def test_one_of_ours_that_is_missing_is_to_be_made(probe: PgmqQueue) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.drop_queue('email_queue')")
    with pytest.raises(CommandError, match=r"Let the owner of pgmq run: select pgmq.create\('email_queue'\);"):
        run("requeue", "email_queue", "--failed")
