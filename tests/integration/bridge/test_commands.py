"""What the operator types."""

import io
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from bridge.daemon.heartbeat import Heartbeat
from bridge.message import LastError, Outcome, Reason
from bridge.pgmq import PgmqQueue

QUEUE = "probe_queue"


def run(*command: str) -> str:
    out = io.StringIO()
    call_command(*command, stdout=out, stderr=out)
    return out.getvalue()


def fail_one(probe: PgmqQueue, error: str = "y", *, kind: str = "X") -> int:
    msg_id = probe.send({})
    (message,) = probe.read(limit=1, lease=60)
    probe.finish(message, Outcome.FAILED, reason=Reason.WORKER_LOST, error=LastError(kind, error))
    return msg_id


@pytest.mark.every_pgmq
def test_the_status_shows_each_queue_and_those_without_a_handler(probe: PgmqQueue, broker_url: str) -> None:
    probe.send({})
    fail_one(probe)
    status = json.loads(run("queue_status", "--json"))
    queues = {queue["name"]: queue for queue in status["queues"]}
    assert queues[QUEUE]["failed"] == 1
    assert queues[QUEUE]["broker_line"] == 0
    assert queues["analytics_queue"]["handler"] == ""
    table = run("queue_status")
    assert "analytics_queue" in table
    assert "no handler" in table
    assert "bridges alive: none" in table


def test_the_status_says_what_somebody_else_took_out_of_a_queue(probe: PgmqQueue, broker_url: str) -> None:
    said = f"{QUEUE}: 1 messages were archived by somebody else in the last 24 h"
    msg_id = probe.send({})
    assert said not in run("queue_status")
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE anon")
        cursor.execute("SELECT public.pgmq_archive(%s, %s)", [QUEUE, msg_id])
        cursor.execute("RESET ROLE")
    assert said in run("queue_status")


def test_the_check_fails_without_a_bridge_and_passes_with_one(probe: PgmqQueue, broker_url: str) -> None:
    with pytest.raises(CommandError, match="No bridge process"):
        run("queue_status", "--check")
    Heartbeat().beat(published=0, archived=0, waits_for="")
    assert "bridges alive" in run("queue_status", "--check")


def test_a_stopped_bridge_is_no_living_one(probe: PgmqQueue, broker_url: str) -> None:
    heart = Heartbeat()
    heart.beat(published=1, archived=0, waits_for="")
    heart.stop(published=1, archived=0)
    with pytest.raises(CommandError, match="No bridge process"):
        run("queue_status", "--check")


def test_messages_are_put_back_by_id(probe: PgmqQueue) -> None:
    old = fail_one(probe)
    assert run("requeue", QUEUE, str(old)) == f"{old} -> {old + 1}\n"


def test_what_cannot_be_put_back_is_named_and_the_rest_is_done(probe: PgmqQueue) -> None:
    old = fail_one(probe)
    with pytest.raises(CommandError, match="1 of 2 could not be put back"):
        run("requeue", QUEUE, "999", str(old))
    assert probe.counts().ready == 1


def test_all_failed_messages_are_put_back_by_one_command(probe: PgmqQueue) -> None:
    fail_one(probe), fail_one(probe)
    assert run("requeue", QUEUE, "--failed", "--reason", "permanent_error") == f"0 put back into {QUEUE}\n"
    assert run("requeue", QUEUE, "--failed").endswith(f"2 put back into {QUEUE}\n")


def test_what_a_mistake_of_ours_ended_is_found_by_its_error_and_its_time(probe: PgmqQueue) -> None:
    """Also what a version that knew less archived as an error of the message's own."""
    before = fail_one(probe, "the mail server refused the recipient: 550 5.1.1 No such user")
    known = fail_one(probe, "quota", kind="OurFault")
    unknown = fail_one(
        probe, "the mail server refused the recipient: 553 5.7.1 Sender address rejected: not owned by u"
    )
    moment = (timezone.now() + timedelta(minutes=1)).isoformat()
    day = timezone.localdate().isoformat()
    assert run("requeue", QUEUE, "--failed", "--error", "ourfault").startswith(f"{known} -> ")
    assert run("requeue", QUEUE, "--failed", "--since", moment) == f"0 put back into {QUEUE}\n"
    assert run("requeue", QUEUE, "--failed", "--since", day, "--error", "sender Address").startswith(f"{unknown} -> ")
    assert run("requeue", QUEUE, "--failed", "--since", day).startswith(f"{before} -> ")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["requeue", QUEUE], "Name messages by their ids"),
        (["requeue", QUEUE, "1", "--failed"], "not both"),
        (["requeue", QUEUE, "1", "--reason", "worker_lost"], "goes with --failed"),
        (["requeue", QUEUE, "1", "--error", "quota"], "--error goes with --failed"),
        (["requeue", QUEUE, "--failed", "--since", "yesterday"], "'yesterday' is not a time like 2026-11-23T14:30"),
        (["requeue", "no_such_queue", "--failed"], "there is no queue no_such_queue"),
        (["bridge_queues", "--once", "--queue", "no_such_queue"], "no handler for the queue 'no_such_queue'"),
    ],
)
def test_a_wrong_command_line_says_what_to_do(probe: PgmqQueue, command: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run(*command)


def test_install_wakeup_says_what_it_runs_and_leaves_missing_queues_out(probe: PgmqQueue) -> None:
    out = run("install_wakeup")
    assert 'CREATE TRIGGER "balansity_wakeup" AFTER INSERT ON "pgmq"."q_probe_queue"' in out
    assert 'DROP TRIGGER IF EXISTS "balansity_wakeup"' in run("install_wakeup", "--remove")


def test_one_pass_reads_each_queue_once_and_tells_how_many(probe: PgmqQueue, broker_url: str) -> None:
    for _ in range(12):
        probe.send({})
    probe.send([])
    assert run("bridge_queues", "--once", "--queue", QUEUE) == "10 handed to workers, 0 archived as failed\n"
    assert run("bridge_queues", "--drain", "--queue", QUEUE) == "2 handed to workers, 1 archived as failed\n"
