"""`GET /health/ready`: what a monitor asks. Whether each part that the service cannot do without is there now.

Everybody may ask, so an answer names parts and nothing of them, and however many ask, the parts are asked once a second
at most in each process.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis
from django.conf import settings
from django.db import Error, connection, connections
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from balansity.doctor.postgres import migrations_of_code
from bridge.breaker.watch import open_services
from bridge.daemon.heartbeat import living_bridges
from bridge.doctor.processes import BROKER_AWAY, ask_workers, connection_of_workers

# How long an answer is that of all who ask, and how long a part may take for it.
KEPT_SECONDS, PATIENCE_SECONDS = 1.0, 1.8
# For one connection or answer.
ANSWER_SECONDS = 1.5
UNAVAILABLE = 503


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """200 when every part answers in time, else 503."""
    parts = readiness.ask()
    all_ready = all(part.ok for part in parts.values())
    body: dict[str, Any] = {
        "status": "ready" if all_ready else "not ready",
        "parts": {name: {"ok": part.ok, "seconds": round(part.seconds, 3)} for name, part in parts.items()},
    }
    if readiness.away:
        # Told, and no reason for 503: this service is ready, and what needs the other one waits for it.
        body["away"] = readiness.away
    return JsonResponse(body, status=200 if all_ready else UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class Part:
    ok: bool
    seconds: float


class Readiness:
    """The answer of a process. One thread asks; whoever comes meanwhile gets the answer before, if there is one."""

    def __init__(self, looks: tuple[Callable[["_Notes"], None], ...]) -> None:
        self._looks = looks
        self._asking = threading.Lock()
        self._answer: dict[str, Part] = {}
        self._answered_at = -KEPT_SECONDS
        # The services outside that were away when that was answered.
        self.away: list[str] = []
        self._busy: set[Callable[[_Notes], None]] = set()

    def ask(self) -> dict[str, Part]:
        if time.monotonic() - self._answered_at < KEPT_SECONDS:
            return self._answer
        if not self._asking.acquire(timeout=0 if self._answer else PATIENCE_SECONDS):
            return self._answer or dict.fromkeys(_PARTS, Part(ok=False, seconds=PATIENCE_SECONDS))
        try:
            if time.monotonic() - self._answered_at >= KEPT_SECONDS:
                self._answer = self._look()
                self._answered_at = time.monotonic()
            return self._answer
        finally:
            self._asking.release()

    def _look(self) -> dict[str, Part]:
        notes = _Notes()
        # One that still hangs from the time before is not asked once more.
        threads = [threading.Thread(target=self._run, args=(look, notes), daemon=True) for look in self._free()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, notes.began + PATIENCE_SECONDS - time.monotonic()))
        self.away = list(notes.away)
        return notes.parts()

    def _free(self) -> list[Callable[["_Notes"], None]]:
        free = [look for look in self._looks if look not in self._busy]
        self._busy.update(free)
        return free

    def _run(self, look: Callable[["_Notes"], None], notes: "_Notes") -> None:
        try:
            look(notes)
        finally:
            connections.close_all()
            self._busy.discard(look)


class _Notes:
    """What is known so far, by the name of the part; what is not known in time is not there."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self._known: dict[str, Part] = {}
        self.away: list[str] = []

    def note(self, name: str, *, ok: bool) -> None:
        self._known[name] = Part(ok, time.monotonic() - self.began)

    def parts(self) -> dict[str, Part]:
        late = Part(ok=False, seconds=time.monotonic() - self.began)
        return {name: self._known.get(name, late) for name in _PARTS}


_PARTS = ("postgres", "migrations", "broker", "bridge", "worker")


def _look_at_postgres(notes: _Notes) -> None:
    """In one session, one after another."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SET statement_timeout TO {round(ANSWER_SECONDS * 1000)}")
        notes.note("postgres", ok=True)
        with connection.cursor() as cursor:
            cursor.execute("SELECT app, name FROM django_migrations")
            notes.note("migrations", ok=migrations_of_code() <= set(cursor.fetchall()))
        notes.note("bridge", ok=bool(living_bridges()))
        notes.away = open_services()
    except Error:
        return


def _look_at_broker(notes: _Notes) -> None:
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS
        ) as client:
            client.ping()
    except (redis.RedisError, OSError):
        return
    notes.note("broker", ok=True)


def _look_at_worker(notes: _Notes) -> None:
    """The first that answers is enough; nobody waits for the others."""
    try:
        broker = connection_of_workers()
        try:
            answers = ask_workers(broker, "ping", most=1)
        finally:
            broker.release()
    except BROKER_AWAY:
        return
    if answers:
        notes.note("worker", ok=True)


readiness = Readiness((_look_at_postgres, _look_at_broker, _look_at_worker))
