"""Which processes live: what each notes in Redis becomes a row, and a watcher outside hears of it as long as all do."""

import io
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import redis
from celery import current_app
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from balansity.celery.schedule_file import SturdyScheduler
from balansity.doctor.beat import look_at_beat
from bridge.daemon.heartbeat import Heartbeat, Others, living_bridges
from bridge.daemon.publisher import Publisher
from bridge.daemon.runner import Runner
from bridge.models import BridgeProcess
from bridge.pgmq import PgmqQueue
from bridge.processes import dead_man, pulse
from bridge.processes.beating import keep_beating
from bridge.processes.dead_man import DeadManSwitch
from bridge.processes.pulse import DEAD_AFTER, KEY, Heard, Kind, Pulse, listen
from bridge.processes.rows import living, processes, write_heard
from bridge.queues import registry
from sandbox.probe.apps import QUEUE
from tests.support.databases import ClonedDatabase
from tests.support.looping import run_until


@pytest.fixture
def client(broker_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(broker_url, socket_timeout=5) as client:
        yield client


def heard(kind: Kind, *, age: float = 1.0, name: str = "", stopped: bool = False) -> Heard:
    return Heard(name or f"host:{kind}", kind, datetime.now(UTC) - timedelta(hours=1), age, "", stopped)


ALL = [heard(Kind.WORKER), heard(Kind.BEAT)]


def test_what_a_process_notes_becomes_its_row(database: ClonedDatabase, client: "redis.Redis") -> None:
    before = timezone.now()
    worker, beat = Pulse(Kind.WORKER), Pulse(Kind.BEAT)
    worker.beat(waits_for="something")
    beat.beat()
    Others().note()
    (row,) = living(Kind.WORKER)
    assert (row.name, row.kind, row.waits_for, row.published) == (worker.name, "worker", "something", 0)
    # It is told how old a beat is.
    assert before - timedelta(seconds=1) <= row.seen_at <= timezone.now()
    assert [one.is_alive for one in processes()] == [True, True]
    beat.stop()
    Others().note()
    assert living(Kind.BEAT) == []
    assert [(one.kind, one.is_missed) for one in processes()] == [("beat", False), ("worker", False)]


def test_that_it_ends_in_order_is_its_last_word_though_its_timers_go_on(client: "redis.Redis") -> None:
    worker = Pulse(Kind.WORKER)
    worker.beat()
    worker.stop()
    worker.beat()
    assert [one.has_stopped for one in listen()] == [True]


def test_a_word_that_is_said_amid_a_beat_is_the_last_one_all_the_same(
    client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, read_clock = Pulse(Kind.WORKER), pulse._now

    def signalled(client: "redis.Redis") -> float:
        monkeypatch.setattr(pulse, "_now", read_clock)
        # As Celery does: its handler runs wherever the main thread is, and that goes on afterwards.
        worker.stop()
        return read_clock(client)

    monkeypatch.setattr(pulse, "_now", signalled)
    worker.beat()
    assert [one.has_stopped for one in listen()] == [True]


def test_a_last_word_that_redis_did_not_take_is_said_again(broker_url: str, settings: Settings) -> None:
    worker = Pulse(Kind.WORKER)
    worker.beat()
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    worker.stop()
    settings.REDIS_URL = broker_url
    assert [one.has_stopped for one in listen()] == [False]
    worker.beat()
    assert [one.has_stopped for one in listen()] == [True]


def test_a_beat_of_the_web_that_is_under_way_is_not_its_last_word(
    client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    read_clock, begun, beating = pulse._now, threading.Event(), []

    def slow(client: "redis.Redis") -> float:
        now = read_clock(client)
        if threading.current_thread() is not threading.main_thread():
            beating.append(threading.current_thread())
            begun.set()
            time.sleep(0.1)
        return now

    monkeypatch.setattr(pulse, "_now", slow)
    stop = keep_beating()
    assert begun.wait(5)
    stop()
    # The process ends now, and its threads with it.
    assert not beating[0].is_alive()
    assert [one.has_stopped for one in listen()] == [True]


def test_its_age_counts_and_no_clock_of_a_machine(database: ClonedDatabase, client: "redis.Redis") -> None:
    Pulse(Kind.WORKER).beat()
    (name,) = client.hkeys(KEY)
    note = json.loads(client.hget(KEY, name) or "")
    client.hset(KEY, name, json.dumps({**note, "at": note["at"] - 40, "started": note["started"] + 86_400}))
    Others().note()
    assert living(Kind.WORKER) == []
    (process,) = processes()
    assert (process.is_alive, process.is_missed) == (False, True)


def test_silence_of_a_while_is_a_death_and_what_came_in_its_place_ends_the_grief(database: ClonedDatabase) -> None:
    write_heard([heard(Kind.WORKER, age=34), heard(Kind.WEB, age=36), heard(Kind.BEAT, age=36, stopped=True)])
    assert {one.kind: (one.is_alive, one.is_missed) for one in processes()} == {
        "worker": (True, False),
        "web": (False, True),
        "beat": (False, False),
    }
    now = timezone.now()
    BridgeProcess.objects.create(name="other:1", kind="web", started_at=now, seen_at=now)
    assert [one.is_missed for one in processes() if one.name == "host:web"] == [True], "that is another host's"
    BridgeProcess.objects.create(name="host:2", kind="web", started_at=now, seen_at=now)
    assert not any(one.is_missed for one in processes())


def test_who_heard_something_older_takes_nothing_back(database: ClonedDatabase) -> None:
    write_heard([heard(Kind.WORKER, age=1)])
    write_heard([heard(Kind.WORKER, age=300)])
    assert len(living(Kind.WORKER)) == 1
    write_heard([heard(Kind.WORKER, age=0, stopped=True)])
    write_heard([heard(Kind.WORKER, age=2)])
    assert living(Kind.WORKER) == []


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        b'{"kind": "worker"}',
        b'{"kind": "spy", "started": 1, "at": 1}',
        b'{"kind": "web", "started": 1e99, "at": 1}',
        b'{"kind": "web", "started": 1, "at": "x"}',
    ],
)
def test_what_is_no_note_is_forgotten(database: ClonedDatabase, client: "redis.Redis", note: bytes) -> None:
    client.hset(KEY, "strange", note)
    Pulse(Kind.WEB).beat()
    Others().note()
    assert len(processes()) == client.hlen(KEY) == 1


def test_notes_of_yesterday_are_forgotten(client: "redis.Redis") -> None:
    client.hset(KEY, "old", json.dumps({"kind": "web", "started": 1, "at": time.time() - 90_000}))
    assert listen() == []
    assert client.hlen(KEY) == 0


def test_a_process_goes_on_while_redis_is_away_and_says_so_once(
    broker_url: str, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    pulse = Pulse(Kind.WORKER)
    settings.REDIS_URL = "redis://:not-for-the-log@127.0.0.1:1/0"
    pulse.beat()
    pulse.beat()
    assert caplog.text.count("nobody can tell that this process lives") == 1
    assert "not-for-the-log" not in caplog.text
    Others().note()
    settings.REDIS_URL = broker_url
    pulse.beat()
    assert len(listen()) == 1


def test_a_bridge_beats_before_migrate_knows_kinds(probe: PgmqQueue, publisher: Publisher) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE bridge_bridgeprocess DROP COLUMN kind")
    Pulse(Kind.WORKER).beat()
    probe.send({})
    runner = Runner([registry.get(QUEUE)], publisher)
    run_until(runner, lambda: runner.totals.published == 1)
    assert runner.totals.published == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT stopped_at IS NOT NULL FROM bridge_bridgeprocess")
        assert cursor.fetchall() == [(True,)]


def test_an_older_bridge_is_a_bridge(database: ClonedDatabase) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO bridge_bridgeprocess (name, started_at, seen_at, published, archived, waits_for)"
            " VALUES ('old', now(), now(), 0, 0, '')"
        )
    assert [process.name for process in living_bridges()] == ["old"]


def test_a_bridge_writes_down_the_others_as_often_as_it_beats(
    probe: PgmqQueue, publisher: Publisher, client: "redis.Redis"
) -> None:
    stop = keep_beating()
    while not listen():
        time.sleep(0.01)
    runner = Runner([registry.get(QUEUE)], publisher)
    run_until(runner, lambda: runner._beat_at > 0)
    assert len(living(Kind.WEB)) == 1
    stop()
    assert [one.has_stopped for one in listen()] == [True]


def test_beat_says_that_it_lives_when_it_has_asked_for_what_is_due(client: "redis.Redis", tmp_path: Path) -> None:
    scheduler = SturdyScheduler(app=current_app, schedule_filename=str(tmp_path / "schedule"))
    assert listen() == [], "to read the file is no life"
    assert scheduler.tick() <= 10
    assert [(one.kind, one.is_alive) for one in listen()] == [(Kind.BEAT, True)]
    scheduler.close()
    assert [one.has_stopped for one in listen()] == [True]


def test_the_doctor_hears_a_beat_of_another_machine(
    database: ClonedDatabase, settings: Settings, tmp_path: Path
) -> None:
    settings.CELERY_BEAT_SCHEDULE_FILENAME = str(tmp_path / "none")
    assert [finding.code for finding in look_at_beat()] == ["processes.no_beat"]
    write_heard([heard(Kind.BEAT)])
    assert list(look_at_beat()) == []


def test_the_status_names_who_lives_and_who_fell_silent(probe: PgmqQueue, broker_url: str) -> None:
    def run(*command: str) -> str:
        out = io.StringIO()
        call_command(*command, stdout=out)
        return out.getvalue()

    Heartbeat().beat(published=0, archived=0, waits_for="")
    write_heard([heard(Kind.WORKER), heard(Kind.BEAT, age=40), heard(Kind.WEB, stopped=True)])
    told = run("queue", "status")
    assert "workers alive: host:worker" in told
    assert "beat host:beat fell silent at" in told
    assert "host:web" not in told
    described = {one["kind"]: one for one in json.loads(run("queue", "status", "--json"))["processes"]}
    assert described.keys() == {"bridge", "worker", "beat", "web"}
    assert (described["beat"]["is_missed"], described["worker"]["is_alive"]) == (True, True)


# The dead man's switch.


class Watcher:
    """Somebody outside who raises an alarm when nobody calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.status = 200
        watcher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                watcher.calls.append(self.path)
                self.send_response(watcher.status)
                if watcher.status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """The log is what is looked at."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/ping/secret-of-the-watcher"


@pytest.fixture
def watcher(settings: Settings, client: "redis.Redis") -> Iterator[Watcher]:
    watcher = Watcher()
    threading.Thread(target=watcher.server.serve_forever, daemon=True).start()
    settings.HEARTBEAT_URL = watcher.url
    yield watcher
    watcher.server.shutdown()
    watcher.server.server_close()


Hold = Callable[..., DeadManSwitch]


def hold(switch: DeadManSwitch, told: list[Heard]) -> None:
    switch.hold(told)
    if switch._caller is not None:
        switch._caller.join(20)


def test_it_is_called_once_a_minute_while_all_live(watcher: Watcher, client: "redis.Redis") -> None:
    switch = DeadManSwitch()
    hold(switch, ALL)
    hold(switch, ALL)
    assert watcher.calls == ["/ping/secret-of-the-watcher"]
    hold(DeadManSwitch(), ALL)
    assert len(watcher.calls) == 1, "another bridge has called"
    assert 40 < client.ttl(dead_man._TURN) <= 50
    client.delete(dead_man._TURN)
    switch._due -= dead_man.EVERY_SECONDS
    hold(switch, ALL)
    assert len(watcher.calls) == 2


@pytest.mark.parametrize(
    ("told", "missing"),
    [
        ([], "no worker and no beat lives"),
        ([heard(Kind.WORKER)], "no beat lives"),
        ([heard(Kind.BEAT), heard(Kind.WEB)], "no worker lives"),
        ([heard(Kind.WORKER), heard(Kind.BEAT, age=DEAD_AFTER.total_seconds())], "no beat lives"),
        ([heard(Kind.WORKER, stopped=True), heard(Kind.BEAT)], "no worker lives"),
    ],
)
def test_it_is_not_called_while_one_is_missing(
    watcher: Watcher, caplog: pytest.LogCaptureFixture, told: list[Heard], missing: str
) -> None:
    switch = DeadManSwitch()
    hold(switch, told)
    hold(switch, told)
    assert watcher.calls == []
    assert caplog.text.count(f"HEARTBEAT_URL is not called: {missing}") == 1
    hold(switch, ALL)
    assert len(watcher.calls) == 1, "it is called as soon as all live"


@pytest.mark.parametrize(
    ("status", "said"), [(302, "answers 302, leads elsewhere"), (404, "answers 404"), (500, "answers 500")]
)
def test_a_wrong_answer_is_said_once_and_without_the_address(
    watcher: Watcher, client: "redis.Redis", caplog: pytest.LogCaptureFixture, status: int, said: str
) -> None:
    caplog.set_level(logging.DEBUG)
    watcher.status = status
    switch = DeadManSwitch()
    for _ in range(2):
        hold(switch, ALL)
        switch._due = 0.0
        client.delete(dead_man._TURN)
    assert watcher.calls == ["/ping/secret-of-the-watcher"] * 2, "no redirect was followed"
    assert caplog.text.count(f"HEARTBEAT_URL {said}") == 1
    watcher.status = 204
    hold(switch, ALL)
    assert "HEARTBEAT_URL answers again" in caplog.text
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("bridge")]
    assert not any("secret-of" in message for message in ours)


def test_who_does_not_answer_keeps_nobody_waiting(
    settings: Settings, broker_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings.HEARTBEAT_URL = "http://127.0.0.1:1/secret-of-the-watcher"
    hold(DeadManSwitch(), ALL)
    assert "HEARTBEAT_URL does not answer: ConnectionError" in caplog.text
    assert "secret-of" not in caplog.text


def test_without_an_address_nobody_is_missed(
    settings: Settings, broker_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings.HEARTBEAT_URL = ""
    hold(DeadManSwitch(), [])
    assert caplog.text == ""


def test_a_bridge_that_waits_calls_nobody(watcher: Watcher, probe: PgmqQueue, publisher: Publisher) -> None:
    Pulse(Kind.WORKER).beat()
    Pulse(Kind.BEAT).beat()
    runner = Runner([registry.get(QUEUE)], publisher)
    runner.outage.what = "The broker (REDIS_URL)"
    runner._beat()
    assert watcher.calls == []
    runner.outage.what = ""
    runner._beat_at = 0.0
    runner._beat()
    caller = runner._others._switch._caller
    assert caller is not None
    caller.join(20)
    assert len(watcher.calls) == 1
