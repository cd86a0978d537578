"""One look at a queue: what goes to the broker, what goes to the archive, what stays."""

import base64
import json
import logging
import socket
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from celery import Celery
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from bridge.daemon import drain as drain_module
from bridge.daemon.drain import MOST_OWN_TRIES, UNHIDE_SECONDS, Drain
from bridge.daemon.flow import LEAST_IN_LINE
from bridge.daemon.publisher import BUNDLE_TASK, Publisher
from bridge.errors import BrokerAway
from bridge.message import LastError, Unreadable
from bridge.pgmq import TOO_LARGE, PgmqQueue
from bridge.queues import NoJournal, registry
from bridge.sql.statements import MOST_OCTETS
from sandbox.probe.apps import QUEUE
from sandbox.services.process import free_port
from tests.integration.bridge.conftest import archived
from tests.integration.bridge.deliveries import make_due
from tests.support.overlapping import overlap


def tasks(line: redis.Redis) -> list[dict[str, Any]]:
    """What waits for a worker, the first published first."""
    return [json.loads(text) for text in reversed(line.lrange("probe", 0, -1))]


def body_of(task: dict[str, Any]) -> Any:
    args, _kwargs, _embed = json.loads(base64.b64decode(task["body"]))
    return args


def test_a_due_message_becomes_a_task_that_carries_no_body(drain: Drain, probe: PgmqQueue, line: redis.Redis) -> None:
    msg_id = probe.send({"to": "mother@example.ru"})
    look = drain.look()
    assert (look.published, look.archived, look.full, look.blocked) == (1, 0, False, False)
    (task,) = tasks(line)
    queue, published_id, vt, trace_id = body_of(task)
    assert (queue, published_id) == (QUEUE, msg_id)
    assert task["headers"]["task"] == "probe.run"
    assert task["headers"]["retries"] == 0
    assert len(trace_id) == 16
    assert "mother" not in json.dumps(task) + str(vt)
    assert drain.flow.room == LEAST_IN_LINE - 1


def test_attempts_already_used_travel_as_retries(drain: Drain, probe: PgmqQueue, line: redis.Redis) -> None:
    probe.send({})
    (message,) = probe.read(limit=1, lease=60)
    claimed = probe.claim(message.token, lease=60, attempts=3, trace_id="kept")
    assert claimed is not None
    probe.retry(claimed.token, delay=0, error=LastError("X", "y"))
    drain.look()
    (task,) = tasks(line)
    assert task["headers"]["retries"] == 3
    assert body_of(task)[3] == "kept"


def test_what_is_no_object_is_archived_on_the_spot_and_the_rest_goes_on(
    drain: Drain, probe: PgmqQueue, line: redis.Redis
) -> None:
    bad = [probe.send(body) for body in ([1], "text", 5, None)]
    probe.send({})
    look = drain.look()
    assert (look.published, look.archived) == (1, 4)
    errors = [archived(probe, msg_id)["last_error"]["message"] for msg_id in bad]
    assert errors[0] == "the message must be a JSON object, not an array"
    assert errors[3] == "the message must be a JSON object, not null"
    assert line.llen("probe") == 1


def test_a_message_whose_worker_died_in_its_last_attempt_is_archived_as_lost(drain: Drain, probe: PgmqQueue) -> None:
    msg_id = probe.send({})
    (message,) = probe.read(limit=1, lease=60)
    probe.claim(message.token, lease=0, attempts=drain.queue.most_attempts, trace_id="x")
    assert drain.look().archived == 1
    history = archived(probe, msg_id)
    assert (history["outcome"], history["reason"]) == ("failed", "worker_lost")
    assert "attempt 6" in history["last_error"]["message"]


def test_a_repeat_that_nobody_says_the_reason_of_is_exhausted_all_the_same(drain: Drain, probe: PgmqQueue) -> None:
    history = {"attempts": drain.queue.most_attempts, "next_retry_at": "2026-11-26T00:00:00+00:00"}
    msg_id = probe.send({}, headers={"bridge": history})
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE pgmq.q_{QUEUE} SET read_ct = %s", [drain.queue.most_attempts])
    assert drain.look().archived == 1
    assert archived(probe, msg_id)["last_error"] == {"type": "RetriesExhausted", "message": "no attempt left"}


def test_the_journal_is_shown_what_is_given_up_unless_it_is_too_large(
    drain: Drain, probe: PgmqQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[object] = []
    monkeypatch.setattr(NoJournal, "failed", lambda journal, message, *_: shown.append(message.body))
    probe.send([1])
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.send(%s, jsonb_build_object('x', repeat('a', %s)))", [QUEUE, MOST_OCTETS])
    assert drain.look().archived == 2
    assert shown == [[1], Unreadable(TOO_LARGE)]


def test_a_message_that_ended_the_bridge_again_and_again_is_given_up_without_a_look_at_it(
    drain: Drain, probe: PgmqQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    msg_id = probe.send([1])
    (delivery,) = probe.read(limit=1, lease=60)
    assert probe.note_own_try(delivery.token, tries=MOST_OWN_TRIES)
    make_due(probe)
    looked_at: list[object] = []
    monkeypatch.setattr(PgmqQueue, "load", lambda queue, token: looked_at.append(token))
    monkeypatch.setattr(NoJournal, "failed", lambda journal, message, *_: looked_at.append(message))
    assert drain.look().archived == 1
    assert archived(probe, msg_id)["reason"] == "invalid_message"
    assert looked_at == []


def test_a_message_that_somebody_takes_before_it_is_given_up_is_theirs_and_no_error(
    drain: Drain, probe: PgmqQueue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    msg_id = probe.send([1])
    monkeypatch.setattr(PgmqQueue, "note_own_try", lambda queue, token, *, tries: make_due(queue))
    assert drain.look().archived == 0
    assert f"{QUEUE} {msg_id} belongs to somebody else by now" in caplog.text
    assert not [record for record in caplog.records if record.levelno > logging.WARNING]
    assert probe.counts().ready == 1


def test_a_repeat_that_a_lower_limit_no_longer_allows_counts_as_exhausted(drain: Drain, probe: PgmqQueue) -> None:
    msg_id = probe.send({})
    (message,) = probe.read(limit=1, lease=60)
    claimed = probe.claim(message.token, lease=60, attempts=drain.queue.most_attempts, trace_id="x")
    assert claimed is not None
    probe.retry(claimed.token, delay=0, error=LastError("Timeout", "no answer"))
    drain.look()
    history = archived(probe, msg_id)
    assert history["reason"] == "retries_exhausted"
    assert history["last_error"] == {"type": "Timeout", "message": "no answer"}


def test_a_read_takes_what_the_setting_allows_and_says_that_there_may_be_more(
    drain: Drain, probe: PgmqQueue, settings: Settings
) -> None:
    settings.MAX_TASKS_PER_CYCLE = 3
    for _ in range(4):
        probe.send({})
    assert drain.look().full
    assert not drain.look().full


def test_a_full_line_stops_the_reading(drain: Drain, probe: PgmqQueue, line: redis.Redis) -> None:
    line.lpush("probe", *["{}"] * LEAST_IN_LINE)
    probe.send({})
    look = drain.look()
    assert look.blocked
    assert probe.counts().ready == 1
    line.delete("probe")
    assert drain.look().published == 1


def test_a_quick_line_gets_bundles_and_each_delivery_is_in_exactly_one(
    drain: Drain, probe: PgmqQueue, line: redis.Redis, settings: Settings
) -> None:
    settings.MAX_TASKS_PER_CYCLE = 7
    ids = [probe.send({}) for _ in range(7)]
    # Twenty within a second, of one child.
    drain.flow.children = lambda: 1
    drain.flow.published([1] * 20, 1.0)
    drain.flow.observe(0, 2.0)
    assert drain.flow.bundle_size == 4
    drain._publish(probe.read(limit=7, lease=60), bundle_size=drain.flow.bundle_size)
    first, second = tasks(line)
    assert first["headers"]["task"] == BUNDLE_TASK
    assert first["headers"]["timelimit"][0] > drain.queue.time_limit
    carried = [delivery[0] for task in (first, second) for delivery in body_of(task)[1]]
    assert carried == ids


def test_while_the_broker_is_away_nothing_is_read(probe: PgmqQueue, settings: Settings) -> None:
    probe.send({})
    with Publisher(broker_nobody_runs()) as publisher, pytest.raises(BrokerAway):
        Drain(registry.get(QUEUE), publisher).look()
    (message,) = probe.read(limit=1, lease=60)
    assert message.read_ct == 1


def test_what_was_read_for_a_broker_that_has_just_gone_is_given_back_and_nothing_more_is_read(
    drain: Drain, probe: PgmqQueue, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    drain.look()
    msg_id = probe.send({})
    monkeypatch.setattr(publisher._app, "connection_for_write", broker_nobody_runs().connection_for_write)
    with monkeypatch.context() as gone:
        gone.setattr(publisher, "_send", lambda *_: refuse())
        with pytest.raises(BrokerAway):
            drain.look()
    with CaptureQueriesContext(connection) as statements, pytest.raises(BrokerAway):
        drain.look()
    assert not statements.captured_queries
    (message,) = probe.read(limit=1, lease=60)
    assert (message.msg_id, message.read_ct) == (msg_id, 1)


def refuse() -> None:
    raise ConnectionResetError("the broker has gone")


def test_a_broker_that_says_nothing_is_waited_for_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        app = Celery("silent", set_as_current=False)
        app.conf.update(broker_url=f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        app.conf.update(broker_transport_options={"socket_timeout": 0.1, "socket_connect_timeout": 0.1})
        with Publisher(app) as publisher, pytest.raises(BrokerAway):
            publisher.line_length("email")
        silent.settimeout(0.1)
        silent.accept()[0].close()
        # A command has 10 s for it, and whoever waits for it no patience for more.
        with pytest.raises(TimeoutError):
            silent.accept()


def test_messages_whose_publishing_fails_are_given_back_at_once(
    drain: Drain, probe: PgmqQueue, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> list[int]:
        raise BrokerAway("connection reset")

    probe.send({})
    monkeypatch.setattr(publisher, "publish", fail)
    with pytest.raises(BrokerAway):
        drain.look()
    (message,) = probe.read(limit=1, lease=60)
    assert message.read_ct == 1
    assert message.history.attempts == 0


def broker_nobody_runs() -> "Celery[Any]":
    app = Celery("nobody", set_as_current=False)
    app.conf.update(broker_url=f"redis://127.0.0.1:{free_port()}/0")
    app.conf.update(broker_transport_options={"socket_timeout": 1, "socket_connect_timeout": 1})
    return app


def test_the_table_may_change_under_a_running_bridge(drain: Drain, probe: PgmqQueue) -> None:
    probe.send({})
    assert drain.look().published == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.drop_queue(%s)", [QUEUE])
        cursor.execute("SELECT pgmq.create(%s)", [QUEUE])
    probe.send({})
    assert drain.look().published == 1


def test_what_somebody_hides_for_years_comes_back(
    drain: Drain, probe: PgmqQueue, line: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    msg_id = probe.send({"x": 1})
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE anon")
        cursor.execute("SELECT msg_id FROM public.pgmq_read(%s, 2000000000)", [QUEUE])
        assert cursor.fetchall() == [(msg_id,)]
        cursor.execute("RESET ROLE")
    assert drain.look().published == 1
    assert [body_of(task)[1] for task in tasks(line)] == [msg_id]
    assert f"{QUEUE}: somebody else had hidden 1 messages" in caplog.text


def test_what_waits_in_line_for_a_worker_is_not_taken_for_hidden(
    drain: Drain, probe: PgmqQueue, settings: Settings
) -> None:
    probe.send({})
    assert drain.look().published == 1
    assert drain.pgmq.unhide(longest=settings.BRIDGE_DISPATCH_LEASE) == 0
    assert probe.counts().in_line == 1


def test_what_waits_for_a_time_of_its_own_goes_on_waiting(drain: Drain, probe: PgmqQueue, settings: Settings) -> None:
    settings.BRIDGE_DISPATCH_LEASE = 2
    probe.send({"x": 1}, delay=86_400)
    probe.send({"x": 2})
    (delivery,) = probe.read(limit=1, lease=60)
    claimed = probe.claim(delivery.token, lease=7200, attempts=1, trace_id="x")
    assert claimed is not None
    assert drain.pgmq.unhide(longest=3600) == 0
    assert probe.retry(claimed.token, delay=7200, error=LastError("X", "y")) is not None
    assert drain.pgmq.unhide(longest=3600) == 0
    assert drain.look().published == 0


def test_what_another_bridge_took_meanwhile_is_not_made_visible_under_it(probe: PgmqQueue) -> None:
    probe.send({"x": 1})
    probe.read(limit=1, lease=2_000_000_000)

    def take() -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE pgmq.q_{QUEUE} SET vt = now() + interval '1 hour'")

    freed: list[int] = []
    assert overlap(take, lambda: freed.append(probe.unhide(longest=7200)))
    assert freed == [0]
    assert probe.counts().in_line == 1


def test_what_was_sent_for_the_very_time_until_which_another_is_hidden_goes_on_waiting(probe: PgmqQueue) -> None:
    hidden, delayed = probe.send({}), probe.send({}, delay=86_400)
    probe.read(limit=1, lease=86_400)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE pgmq.q_{QUEUE} SET vt = now() + interval '1 day'")
    assert probe.unhide(longest=7200) == 1
    assert [one.msg_id for one in probe.read(limit=2, lease=60)] == [hidden]
    assert probe.is_queued(delayed)


def test_hidden_messages_are_looked_for_once_in_a_while_and_not_at_every_look(
    drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, asked = [100.0], []
    monkeypatch.setattr(drain_module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(PgmqQueue, "unhide", lambda queue, *, longest: asked.append(longest))
    for passed in (0.0, UNHIDE_SECONDS - 1, 1.0):
        clock[0] += passed
        drain.look()
    assert len(asked) == 2


def test_what_was_hidden_by_the_thousands_comes_back_a_thousand_at_a_time(probe: PgmqQueue) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pgmq.send('{QUEUE}', '{{}}'::jsonb) FROM generate_series(1, 1001)")
        cursor.execute(f"UPDATE pgmq.q_{QUEUE} SET vt = now() + interval '1 year', read_ct = 1")
    assert [probe.unhide(longest=7200) for _ in range(3)] == [1000, 1, 0]
