"""`/health/ready`: whether each part is there, in two seconds, told to everybody and asked once a second."""

import threading
import time
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from balansity.doctor import readiness
from balansity.doctor.postgres import migrations_of_code
from balansity.doctor.readiness import Readiness
from bridge.models import BridgeProcess, OutsideService
from tests.support.databases import ClonedDatabase
from tests.support.far_below import far_below

pytestmark = pytest.mark.usefixtures("database", "broker_url")

ALL = {"postgres", "migrations", "broker", "bridge", "worker"}


@pytest.fixture(autouse=True)
def anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "readiness", Readiness(readiness.readiness._looks))


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What answers has time, however busy the machine is."""
    for name in ("PATIENCE_SECONDS", "ANSWER_SECONDS", "KEPT_SECONDS"):
        monkeypatch.setattr(readiness, name, 60.0)


@pytest.fixture
def living(database: ClonedDatabase, unhurried: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bridge, and a worker that answers; that a real one does shows the doctor's test."""
    now = timezone.now()
    BridgeProcess.objects.create(name="x", started_at=now, seen_at=now)
    monkeypatch.setattr(readiness, "ask_workers", lambda *_, **__: {"worker@x": {"ok": "pong"}})


def ask() -> tuple[int, set[str], dict[str, Any]]:
    """The status, and the parts that are there."""
    answer = Client().get("/health/ready")
    body = answer.json()
    assert set(body["parts"]) == ALL
    return answer.status_code, {name for name, part in body["parts"].items() if part["ok"]}, body


@pytest.mark.usefixtures("living")
def test_all_parts_are_there_and_nothing_more_is_told() -> None:
    began = time.monotonic()
    status, there, body = ask()
    took = time.monotonic() - began
    assert (status, there, body["status"]) == (200, ALL, "ready")
    assert set(body) == {"status", "parts"}
    # They are rounded.
    assert all(
        set(part) == {"ok", "seconds"} and 0 <= part["seconds"] <= took + 0.001 for part in body["parts"].values()
    )


@pytest.mark.usefixtures("living")
def test_a_service_outside_that_is_away_is_named_and_is_no_503() -> None:
    OutsideService.objects.create(name="smtp", is_open=True, since=timezone.now(), why="535 noreply refused")
    OutsideService.objects.create(name="yookassa", is_open=False)
    status, there, body = ask()
    assert (status, there, body["away"]) == (200, ALL, ["smtp"])
    assert "535" not in str(body)


@pytest.mark.usefixtures("unhurried")
def test_without_bridge_and_worker_it_is_503() -> None:
    assert ask()[:2] == (503, {"postgres", "migrations", "broker"})


@pytest.mark.usefixtures("living")
def test_a_migration_that_waits_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    known = migrations_of_code()
    monkeypatch.setattr(readiness, "migrations_of_code", lambda: known | {("reports", "0099_of_this_test")})
    assert ask()[:2] == (503, ALL - {"migrations"})


@pytest.mark.usefixtures("living")
def test_a_broker_that_is_away_is_503_and_not_explained(settings: Settings) -> None:
    settings.REDIS_URL = settings.CELERY_BROKER_URL = "redis://:pw-Not-To-Be-Told@127.0.0.1:1/0"
    status, there, body = ask()
    assert (status, there) == (503, {"postgres", "migrations", "bridge"})
    assert "127.0.0.1" not in str(body)


def test_what_hangs_is_told_within_two_seconds_and_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, ended = [], threading.Event()

    def hang(_: object) -> None:
        asked.append(1)
        ended.wait(60)

    hanging = Readiness((hang,))
    assert readiness.PATIENCE_SECONDS < 2
    try:
        with far_below(60):
            assert not any(part.ok for part in hanging.ask().values())
        hanging._answered_at = 0.0
        assert not any(part.ok for part in hanging.ask().values())
    finally:
        ended.set()
    assert asked == [1]


@pytest.mark.usefixtures("unhurried")
def test_however_many_ask_the_parts_are_asked_once() -> None:
    asked: list[int] = []
    quick = Readiness((lambda notes: asked.append(1),))
    askers = [threading.Thread(target=quick.ask) for _ in range(20)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(30)
    assert asked == [1]


def test_who_comes_while_somebody_asks_gets_the_answer_before() -> None:
    begun, ended = threading.Event(), threading.Event()
    slow = Readiness((lambda notes: None,))
    first = slow.ask()

    def wait(_: object) -> None:
        begun.set()
        ended.wait(30)

    slow._looks, slow._answered_at = (wait,), 0.0
    asking = threading.Thread(target=slow.ask)
    asking.start()
    assert begun.wait(30)
    try:
        assert slow.ask() is first
    finally:
        ended.set()
        asking.join(30)


def test_only_looking_is_allowed() -> None:
    assert Client().post("/health/ready").status_code == 405
    assert Client().head("/health/ready").status_code == 503
