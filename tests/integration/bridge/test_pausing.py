"""Pausing a queue and letting it go on: whoever comes second is told, and each act leaves a row."""

import io
import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection
from django.utils import timezone

from bridge import holds
from bridge.management.queue import verbs
from bridge.management.queue._times import at, span
from bridge.models import OperatorAction
from bridge.operations import audit
from bridge.operations.actor import Actor, Kind, cli_actor
from bridge.operations.pausing import EndRefused, NotHandled, change_pause, pause, paused, resume
from bridge.pgmq import PgmqQueue
from sandbox.probe.apps import QUEUE
from tests.support.databases import ClonedDatabase

ANNA, BORIS = Actor(Kind.STAFF, "anna"), Actor(Kind.CLI, "boris")


def actions() -> list[tuple[str, str, str, str]]:
    found = OperatorAction.objects.order_by("pk")
    return [(each.actor_kind, each.actor, each.action, each.reason) for each in found]


def run(*command: str) -> str:
    out = io.StringIO()
    call_command(*command, stdout=out, stderr=out)
    return out.getvalue()


def test_the_second_is_told_who_was_first(database: ClonedDatabase) -> None:
    before = timezone.now()
    first = pause(QUEUE, ANNA, " the server\nmoves ", until=timedelta(hours=1))
    assert (first.changed, dict(first.skipped)) == (1, {})
    second = pause(QUEUE, BORIS, "me too")
    assert (second.changed, dict(second.skipped)) == (0, {"paused_before": 1})
    assert second.hold == first.hold
    assert second.hold is not None
    assert (second.hold.by, second.hold.why) == ("anna", "the server moves")
    assert second.hold.until is not None
    for moment in (second.hold.since, second.hold.until - timedelta(hours=1)):
        assert before <= moment <= timezone.now()
    assert actions() == [("staff", "anna", "pause", "the server moves")]
    assert OperatorAction.objects.get().filters == {"until": second.hold.until.isoformat()}


def test_of_two_at_once_one_pauses(database: ClonedDatabase) -> None:
    changed: list[int] = []
    start = threading.Barrier(4)

    def press(number: int) -> None:
        start.wait()
        changed.append(pause(QUEUE, Actor(Kind.STAFF, f"person {number}")).changed)
        connection.close()

    threads = [threading.Thread(target=press, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(changed) == [0, 0, 0, 1]
    assert len(actions()) == 1


def test_a_pause_is_changed_by_whoever_has_seen_it_as_it_is(database: ClonedDatabase) -> None:
    seen = pause(QUEUE, ANNA, "a", until=timedelta(hours=1)).hold
    assert seen is not None
    done = change_pause(seen, BORIS, "b", until=timedelta(hours=3))
    assert (done.changed, done.hold) == (1, paused(QUEUE))
    assert done.hold is not None
    assert (done.hold.since, done.hold.by, done.hold.why) == (seen.since, "boris (cli)", "b")
    late = change_pause(seen, ANNA, "c")
    assert (late.changed, dict(late.skipped), late.hold) == (0, {"changed_before": 1}, done.hold)
    resume(QUEUE, ANNA)
    assert dict(change_pause(done.hold, ANNA, "c").skipped) == {"not_paused": 1}
    assert [action for _, _, action, _ in actions()] == ["pause", "change_pause", "resume"]
    assert set(OperatorAction.objects.get(action="change_pause").filters) == {"until", "until_before"}


def test_nothing_is_noted_where_nothing_was_resumed(database: ClonedDatabase) -> None:
    assert dict(resume(QUEUE, ANNA).skipped) == {"not_paused": 1}
    holds.place(QUEUE, "service:smtp", by="breaker", why="away")
    assert dict(resume(QUEUE, ANNA).skipped) == {"not_paused": 1}, "what a service holds is no pause"
    assert holds.in_force().keys() == {QUEUE}
    assert actions() == []


def test_a_pause_and_its_row_exist_together(database: ClonedDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(audit, "record", fail)
        with pytest.raises(RuntimeError):
            pause(QUEUE, ANNA)
    assert paused(QUEUE) is None
    pause(QUEUE, ANNA)
    monkeypatch.setattr(audit, "record", fail)
    with pytest.raises(RuntimeError):
        resume(QUEUE, ANNA)
    assert paused(QUEUE) is not None


@pytest.mark.parametrize(
    "until", [timedelta(0), timedelta(seconds=-1), timedelta(days=367), datetime(2020, 1, 1, tzinfo=UTC)]
)
def test_an_end_that_makes_no_sense_is_refused(database: ClonedDatabase, until: timedelta | datetime) -> None:
    with pytest.raises(EndRefused):
        pause(QUEUE, ANNA, until=until)
    assert (paused(QUEUE), actions()) == (None, [])


@pytest.mark.parametrize("queue", ["no_such_queue", "", "probe_queue; --", "x" * 9000])
def test_a_queue_that_nobody_works_on_is_not_paused(database: ClonedDatabase, queue: str) -> None:
    with pytest.raises(NotHandled, match=r"there are: .*probe_queue"):
        pause(queue, ANNA)
    with pytest.raises(NotHandled):
        resume(queue, ANNA)


def test_a_foreign_queue_is_none_of_ours(probe: PgmqQueue) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.create('orders')")
    with pytest.raises(NotHandled):
        pause("orders", ANNA)


def test_capitals_and_spaces_are_no_other_queue(database: ClonedDatabase) -> None:
    assert pause(" Probe_Queue ", ANNA).changed == 1
    assert holds.in_force().keys() == {QUEUE}
    assert resume("PROBE_QUEUE", ANNA).changed == 1


def test_before_migrate_a_pause_is_an_error_and_says_which(database: ClonedDatabase) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE bridge_queuehold")
    with pytest.raises(ProgrammingError, match="bridge_queuehold"):
        pause(QUEUE, ANNA)


# The command line.


def test_it_is_paused_and_resumed_from_the_command_line(probe: PgmqQueue, broker_url: str) -> None:
    told = run("queue", "pause", QUEUE, "--for", "1h", "--why", "the server moves")
    assert told.startswith(f"{QUEUE} is paused until 20")
    assert told.rstrip().endswith("MSK")
    with pytest.raises(CommandError, match=r"is paused already, by .+ \(cli\), until .+: the server moves"):
        run("queue", "pause", QUEUE)
    run("queue", "pause", QUEUE, "--change", "--why", "it takes longer")
    hold = paused(QUEUE)
    assert hold is not None
    assert (hold.until, hold.why) == (None, "it takes longer")
    assert f"{QUEUE} goes on; it was paused by" in run("queue", "resume", QUEUE)
    for command in (["resume", QUEUE], ["pause", QUEUE, "--change"]):
        with pytest.raises(CommandError, match="is not paused"):
            run("queue", *command)
    assert [(kind, name, action) for kind, name, action, _ in actions()] == [
        ("cli", cli_actor().name, action) for action in ("pause", "change_pause", "resume")
    ]


def test_the_status_shows_a_pause_and_calls_it_no_fault(probe: PgmqQueue, broker_url: str) -> None:
    def check() -> str:
        try:
            run("queue", "status", "--check")
        except CommandError as error:
            return str(error)
        return ""

    before = check()
    pause(QUEUE, ANNA, "the [bold]server moves")
    holds.place(QUEUE, "service:smtp", by="breaker", why="no answer")
    assert check() == before
    for name in (["queue", "status"], ["queue_status"]):
        table, described = run(*name), json.loads(run(*name, "--json"))
        assert f"{QUEUE}: nothing is started, pause by anna: the [bold]server moves" in table
        assert f"{QUEUE}: nothing is started, service:smtp by breaker: no answer" in table
        assert [(hold["queue"], hold["cause"], hold["by"], hold["until"]) for hold in described["holds"]] == [
            (QUEUE, "pause", "anna", None),
            (QUEUE, "service:smtp", "breaker", None),
        ]
    resume(QUEUE, BORIS)
    assert "pause by" not in run("queue", "status")
    assert f"{QUEUE} is still held, service:smtp" in resumed_while_held()


def resumed_while_held() -> str:
    pause(QUEUE, ANNA)
    return run("queue", "resume", QUEUE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("1h30m", timedelta(minutes=90)),
        ("2 D", timedelta(days=2)),
        ("1d2h3m4s", timedelta(days=1, hours=2, minutes=3, seconds=4)),
    ],
)
def test_spans_are_read_as_people_write_them(text: str, expected: timedelta) -> None:
    assert span(text) == expected


@pytest.mark.parametrize("text", ["", "1", "h", "-1h", "1.5h", "1h!", "99999999h", "١h", "1m1h"])
def test_what_is_no_span_is_said(probe: PgmqQueue, text: str) -> None:
    with pytest.raises(CommandError, match=r"is no span|expected one argument"):
        run("queue", "pause", QUEUE, f"--for={text}")


def test_moments_are_moscows_and_a_clock_is_its_next_time() -> None:
    now = timezone.localtime()
    assert timedelta(0) < at(f"{now:%H:%M}") - now <= timedelta(days=1)
    assert timedelta(0) < at("8:00") - now <= timedelta(days=1)
    assert timezone.localtime(at("8:00")).strftime("%H:%M:%S") == "08:00:00"
    assert at("2026-11-27 08:00") == datetime(2026, 11, 27, 5, 0, tzinfo=UTC)
    assert at("2026-11-27T08:00:00Z") == datetime(2026, 11, 27, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "tomorrow", "25:00", "2026-13-01 08:00", "27.11.2026 08:00", "08:00:00:00"])
def test_what_is_no_moment_is_said(probe: PgmqQueue, text: str) -> None:
    with pytest.raises(CommandError, match="is no time"):
        run("queue", "pause", QUEUE, f"--until={text}")


def test_a_span_and_a_moment_at_once_are_too_much(probe: PgmqQueue) -> None:
    with pytest.raises(CommandError, match="not allowed with"):
        run("queue", "pause", QUEUE, "--for", "1h", "--until", "08:00")


def test_each_verb_says_what_it_does() -> None:
    assert verbs().keys() >= {"status", "pause", "resume"}
    for name, verb in verbs().items():
        assert verb.HELP.endswith("."), name
    with pytest.raises(CommandError, match="VERB"):
        run("queue")
