"""A refused login is named at once and tried once a minute, whoever in a process wants a connection."""

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from celery import current_app
from celery.exceptions import Ignore
from django.db import OperationalError, connection, connections
from pytest_django import Settings

from balansity import counting
from balansity.api import throttles
from balansity.api.breaker import Breaker
from balansity.postgres import refusals as refusals_module
from balansity.start import look_around
from bridge.daemon.listener import Listener
from bridge.daemon.publisher import Publisher
from bridge.daemon.runner import Runner
from bridge.errors import BrokerAway
from bridge.message import Delivery
from bridge.pgmq import pgmq_queue
from bridge.queues import registry
from bridge.trouble.explanation import MISTAKE_SECONDS
from bridge.worker import place
from sandbox.probe.apps import QUEUE
from tests.support import deliveries
from tests.support.counting_relay import Relay, before_postgres
from tests.support.databases import ClonedDatabase, DatabaseServer
from tests.support.guests import Guest, django_as
from tests.support.looping import run_until

NAMED = "Postgres refuses the user or the password of DATABASE_URL"
REFUSED = "Redis refuses the user or the password of REDIS_URL"
# Whoever does not wait knocks a second time by then.
FOR_MORE = 0.5


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time at which a refusal is remembered, and looked at: `value` is moved by the test."""
    clock = SimpleNamespace(value=1000.0)
    monkeypatch.setattr(refusals_module, "time", SimpleNamespace(monotonic=lambda: clock.value))
    return clock


@pytest.fixture
def door(database: ClonedDatabase, now: SimpleNamespace) -> Iterator[Relay]:
    """Django reaches Postgres through a listener that counts, and has the wrong password."""
    with before_postgres(PASSWORD="wrong") as relay:
        yield relay


def knock() -> None:
    with pytest.raises(OperationalError, match="password authentication failed"):
        connection.ensure_connection()


def test_a_process_knocks_once_a_minute_with_a_wrong_password(door: Relay, now: SimpleNamespace) -> None:
    for minute in (1, 2, 3):
        for _ in range(5):
            knock()
            now.value += (MISTAKE_SECONDS - 0.1) / 5
        assert door.connections == minute
        now.value += 0.2


def test_threads_for_which_the_minute_ends_together_knock_once(door: Relay, now: SimpleNamespace) -> None:
    knock()
    now.value += MISTAKE_SECONDS

    def ask() -> None:
        try:
            knock()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert door.connections == 2


def test_an_outage_is_tried_again_at_once(door: Relay) -> None:
    settings = connection.settings_dict
    settings["PORT"] = "1"
    with pytest.raises(OperationalError, match="Connection refused"):
        connection.ensure_connection()
    settings["PORT"] = str(door.port)
    knock()
    assert door.connections == 1


def test_what_was_mended_works_within_the_minute_and_stays_so(
    database: ClonedDatabase, database_server: DatabaseServer, now: SimpleNamespace
) -> None:
    guest = Guest(database, database_server)
    guest.arrive()
    try:
        with django_as(guest):
            guest.admin("ALTER ROLE {role} PASSWORD 'another'")
            knock()
            guest.admin("ALTER ROLE {role} PASSWORD 'guest'")
            now.value += MISTAKE_SECONDS
            for _ in range(2):
                connection.ensure_connection()
                connection.close()
    finally:
        guest.leave()


@pytest.fixture
def publisher(broker_url: str) -> Iterator[Publisher]:
    with Publisher(current_app) as publisher:
        yield publisher


def test_the_bridge_names_it_in_one_line_and_waits(
    door: Relay, publisher: Publisher, caplog: pytest.LogCaptureFixture
) -> None:
    runner = Runner([registry.get(QUEUE), registry.get("email_queue")], publisher)
    run_until(runner, lambda: NAMED in caplog.text, and_on=FOR_MORE)
    assert caplog.text.count(NAMED) == 1
    assert "does not answer" not in caplog.text
    assert door.connections == 1


def test_a_broker_that_refuses_the_password_is_named_and_left_alone_as_well(
    database: ClonedDatabase, publisher: Publisher, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def refuse(_: Publisher, line: str) -> int:
        asked.append(line)
        raise BrokerAway("AuthenticationError: invalid username-password pair or user is disabled.")

    monkeypatch.setattr(Publisher, "line_length", refuse)
    run_until(Runner([registry.get(QUEUE)], publisher), lambda: REFUSED in caplog.text, and_on=FOR_MORE)
    assert len(asked) == 1
    assert caplog.text.count(REFUSED) == 1


def test_wake_ups_are_asked_for_once_a_minute_too(door: Relay) -> None:
    listener = Listener([QUEUE])
    assert not listener.connect()
    listener._connect_at -= MISTAKE_SECONDS / 2
    assert not listener.connect()
    assert door.connections == 1


@pytest.fixture
def read(database: ClonedDatabase) -> list[Delivery]:
    """Two deliveries that came before anything went wrong."""
    current_app.loader.import_default_modules()
    probe = pgmq_queue(QUEUE)
    probe.send({}), probe.send({})
    return probe.read(limit=2, lease=60)


def test_a_worker_gives_a_delivery_back_at_once_and_says_what_to_mend(
    broker_url: str,
    read: list[Delivery],
    door: Relay,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(place, "_stand_by", lambda seconds: None)
    monkeypatch.setattr(place, "_is_without", False)
    for delivery in read:
        with pytest.raises(Ignore, match="no connection to Postgres"):
            deliveries.run(current_app.tasks["probe.run"], delivery)
    assert caplog.text.count(NAMED) == 1
    assert "trying again" not in caplog.text
    assert door.connections == 1


def test_web_and_worker_name_it_when_they_start(door: Relay, caplog: pytest.LogCaptureFixture) -> None:
    look_around()
    (line,) = [record for record in caplog.records if NAMED in record.getMessage()]
    assert line.levelname == "ERROR"
    assert "Copy the address once more" in line.getMessage()


@pytest.fixture
def wrong_redis(broker_url: str, settings: Settings) -> str:
    """The broker with another password than its own."""
    parts = urlsplit(broker_url)
    url = f"redis://:wrong@127.0.0.1:{parts.port}{parts.path}"
    settings.REDIS_URL = url
    return url


def test_a_wrong_password_of_redis_is_named_when_they_start(
    database: ClonedDatabase, wrong_redis: str, caplog: pytest.LogCaptureFixture
) -> None:
    look_around()
    assert caplog.text.count("ERROR    balansity.start:start.py") == 1
    assert "Redis refuses the user or the password of REDIS_URL" in caplog.text


def test_the_counters_of_requests_and_logins_try_it_once_a_minute(
    wrong_redis: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = SimpleNamespace(value=1000.0)
    monkeypatch.setattr(counting, "time", SimpleNamespace(monotonic=lambda: clock.value))
    client, _ = throttles._redis(wrong_redis)
    breaker = Breaker(throttles.LEFT_ALONE_SECONDS, lambda: clock.value)
    monkeypatch.setattr(throttles, "_redis", lambda url: (client, breaker))
    counter = counting.MistakeCounter()
    for _ in range(6):
        throttles.count_request("default", "user:x")
        counter.count(counting.Limit("address", 10, 60), "a")
        clock.value += MISTAKE_SECONDS / 6 - 0.1
    assert caplog.text.count(REFUSED) == 2
    clock.value += 1
    throttles.count_request("default", "user:x")
    counter.count(counting.Limit("address", 10, 60), "a")
    assert caplog.text.count(REFUSED) == 4
