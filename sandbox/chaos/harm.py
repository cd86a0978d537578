"""How each fault is done and undone. Each act is a context: what is broken within it is whole again when it ends."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psutil
import psycopg2
import redis
import requests

from sandbox.chaos.doubling import double_what_is_in_line
from sandbox.chaos.fleet import Fleet, Supervised, stop, wake
from sandbox.chaos.pausing import paused
from sandbox.chaos.surroundings import PROVIDER_SECONDS, STORAGE_SECONDS
from sandbox.demo.payments.till import Till
from sandbox.services.sandbox import Sandbox

# More than any fault sees while it lasts.
MANY = 1_000_000
PULSE_SECONDS = (0.45, 0.05)
# A parent sleeps on for a while when its children are awake: their word then finds nobody who could correct it.
PARENT_SLEEPS_ON_SECONDS = 1.0
SIGTERM_SECONDS = 45.0
SLOW_MAIL_WITHIN_SECONDS, LOOK_SECONDS = 4.0, 0.1
CONTROL_TIMEOUT = (3, 5)

# Begun so long ago that the mail server has it, and not so long that it has answered: a slow one takes two seconds.
_HALF_WAY = (0.6, 1.6)
_AT_WORK = """
SELECT msg_id, split_part(headers -> 'bridge' ->> 'worker', ':', 2)::int,
       message ->> 'to' LIKE '%%+slow2%%' AND begun BETWEEN %(least)s AND %(most)s
FROM (
    SELECT *, extract(epoch FROM clock_timestamp() - (headers -> 'bridge' ->> 'last_attempt_at')::timestamptz) AS begun
    FROM pgmq.q_email_queue WHERE headers -> 'bridge' ? 'leased_until' AND vt > clock_timestamp() + interval '1 second'
) AS running
ORDER BY 3 DESC, vt DESC
"""


@dataclass
class Scene:
    """What faults can reach. None begins when it is `over`; what began lasts as long as it was planned."""

    sandbox: Sandbox
    fleet: Fleet
    till: Till
    draw: random.Random
    over: threading.Event

    def process(self, name: str) -> Supervised:
        return self.fleet.named(name)


@dataclass
class Hit:
    """The processes that a fault has hit, if it is about any, and what it did, which may be said at its end.

    `early` ends it before its time.
    """

    pids: frozenset[int] = frozenset()
    note: str = ""
    early: threading.Event = field(default_factory=threading.Event)


Act = Callable[[Scene, str], AbstractContextManager[Hit]]


@contextmanager
def _kill(scene: Scene, target: str) -> Iterator[Hit]:
    yield Hit(scene.process(target).kill())


@contextmanager
def _restart(scene: Scene, target: str) -> Iterator[Hit]:
    """In good order: what runs is finished, and nothing of it is repeated."""
    process = scene.process(target)
    pid = process.pid
    process.end()
    deadline = time.monotonic() + SIGTERM_SECONDS
    while time.monotonic() < deadline and process.pid == pid:
        time.sleep(0.1)
    yield Hit()


@contextmanager
def _oversleep(scene: Scene, target: str) -> Iterator[Hit]:
    """A worker asleep with all its children, which wake up when somebody else runs what one of them has in hand.

    That is the moment that the token of an outcome is for; a nap of any length hardly ever meets it.
    """
    tree, msg_id = _await_slow_mail(scene, target)
    stop(tree)
    pids, ended = frozenset(process.pid for process in tree), threading.Event()
    hit = Hit(pids, f"it was at mail {msg_id}" if msg_id else "it was at no mail")
    watching = threading.Thread(target=_watch, args=(scene, msg_id, hit, ended), name="watch", daemon=True)
    watching.start()
    try:
        yield hit
    finally:
        ended.set()
        watching.join()
        wake(tree[:-1])
        time.sleep(PARENT_SLEEPS_ON_SECONDS)
        wake(tree[-1:])


def _await_slow_mail(scene: Scene, target: str) -> tuple[list[psutil.Process], int | None]:
    """The processes of a worker, as soon as one of them waits for the answer to a mail, and the number of that."""
    deadline = time.monotonic() + SLOW_MAIL_WITHIN_SECONDS
    while True:
        tree = scene.process(target).tree()
        own = {process.pid for process in tree}
        msg_id = next((mail.msg_id for mail in _at_work(scene) if mail.is_half_way and mail.pid in own), None)
        if msg_id is not None or time.monotonic() > deadline:
            return tree, msg_id
        time.sleep(LOOK_SECONDS)


def _watch(scene: Scene, msg_id: int | None, hit: Hit, ended: threading.Event) -> None:
    while msg_id is not None and not ended.wait(LOOK_SECONDS):
        others = [mail.pid for mail in _at_work(scene) if mail.msg_id == msg_id and mail.pid not in hit.pids]
        if others:
            hit.note += f", which process {others[0]} ran when it woke up"
            hit.early.set()
            return


@contextmanager
def _stop(scene: Scene, target: str) -> Iterator[Hit]:
    """Asleep with all its children, as on a machine that is paused; the children wake up first."""
    tree = scene.process(target).tree()
    stop(tree)
    try:
        yield Hit(frozenset(process.pid for process in tree))
    finally:
        wake(tree[:-1])
        time.sleep(PARENT_SLEEPS_ON_SECONDS if len(tree) > 1 else 0)
        wake(tree[-1:])


@contextmanager
def _starve(scene: Scene, target: str) -> Iterator[Hit]:
    """A tenth of the time that it wants."""
    tree = scene.process(target).tree()
    ended = threading.Event()

    def pulse() -> None:
        asleep, awake = PULSE_SECONDS
        while not ended.wait(awake):
            stop(tree)
            ended.wait(asleep)
            wake(tree)

    pulses = threading.Thread(target=pulse, name="pulses", daemon=True)
    pulses.start()
    try:
        yield Hit(frozenset(process.pid for process in tree))
    finally:
        ended.set()
        pulses.join()


@contextmanager
def _kill_parent(scene: Scene, target: str) -> Iterator[Hit]:
    """Only the parent: its children are orphans, and end when they have done what they are at."""
    process = scene.process(target)
    process.kill_parent()
    yield Hit()


@contextmanager
def _kill_child(scene: Scene, target: str) -> Iterator[Hit]:
    child = _child_at_work(scene, target)
    if child is not None:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    yield Hit(frozenset() if child is None else frozenset({child.pid}))


@contextmanager
def _stop_child(scene: Scene, target: str) -> Iterator[Hit]:
    child = _child_at_work(scene, target)
    asleep = [] if child is None else [child]
    stop(asleep)
    try:
        yield Hit(frozenset(process.pid for process in asleep))
    finally:
        wake(asleep)


def _child_at_work(scene: Scene, target: str) -> psutil.Process | None:
    """A child of this process; of a worker one that sends a mail just now, and a slow one rather than others."""
    children = {child.pid: child for child in scene.process(target).children()}
    if target.startswith("worker"):
        for mail in _at_work(scene):
            if mail.pid in children:
                return children[mail.pid]
    return scene.draw.choice(list(children.values())) if children else None


@dataclass(frozen=True, slots=True)
class _MailInHand:
    msg_id: int
    pid: int
    is_half_way: bool


def _at_work(scene: Scene) -> list[_MailInHand]:
    """The mails that are sent just now, those first whose server takes its time at this moment."""
    try:
        with _database(scene) as connection, connection.cursor() as cursor:
            cursor.execute(_AT_WORK, dict(zip(("least", "most"), _HALF_WAY, strict=True)))
            return [_MailInHand(*row) for row in cursor.fetchall()]
    except psycopg2.OperationalError:
        # It is away at this moment, by another fault.
        return []


@contextmanager
def _database(scene: Scene) -> Iterator[Any]:
    connection = psycopg2.connect(scene.sandbox.environment["DATABASE_URL"], connect_timeout=3)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def _broker_killed(scene: Scene, _: str) -> Iterator[Hit]:
    scene.sandbox.broker.stop(signal.SIGKILL)
    try:
        yield Hit()
    finally:
        scene.sandbox.broker.start()


@contextmanager
def _broker_wiped(scene: Scene, _: str) -> Iterator[Hit]:
    """Killed, and nothing of it is left."""
    scene.sandbox.broker.stop(signal.SIGKILL)
    scene.sandbox.broker.forget()
    try:
        yield Hit()
    finally:
        scene.sandbox.broker.start()


@contextmanager
def _broker_flushed(scene: Scene, _: str) -> Iterator[Hit]:
    with _broker(scene) as client:
        client.flushall()
    yield Hit()


@contextmanager
def _broker_doubled(scene: Scene, _: str) -> Iterator[Hit]:
    """Each task that waits in line is there a second time, as after a delivery that the broker repeats."""
    ended, hit = threading.Event(), Hit()
    with ThreadPoolExecutor(1, "doubling") as hand:
        doubled = hand.submit(double_what_is_in_line, scene.sandbox.environment["REDIS_URL"], ended)
        try:
            yield hit
        finally:
            ended.set()
            hit.note = f"{doubled.result()} tasks doubled"


@contextmanager
def _broker(scene: Scene) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(scene.sandbox.environment["REDIS_URL"], socket_timeout=5) as client:
        yield client


@contextmanager
def _asleep(pid: int) -> Iterator[Hit]:
    """A service that does not answer, and whose connections stay."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield Hit()
    finally:
        os.kill(pid, signal.SIGCONT)


def _postgres(*, at_once: bool) -> Act:
    @contextmanager
    def act(scene: Scene, _: str) -> Iterator[Hit]:
        scene.sandbox.postgres.stop(at_once=at_once)
        try:
            yield Hit()
        finally:
            scene.sandbox.postgres.start()

    return act


@contextmanager
def _backend_killed(scene: Scene, _: str) -> Iterator[Hit]:
    """One server process of Postgres dies, so that it ends all others and recovers."""
    server = psutil.Process(scene.sandbox.postgres.pid)
    backends = [child for child in server.children(recursive=True) if "balansity" in " ".join(child.cmdline())]
    if backends:
        with suppress(psutil.NoSuchProcess):
            scene.draw.choice(sorted(backends, key=lambda child: child.pid)).kill()
    yield Hit()


@contextmanager
def _mail_killed(scene: Scene, _: str) -> Iterator[Hit]:
    scene.sandbox.mail.stop(signal.SIGKILL)
    try:
        yield Hit()
    finally:
        scene.sandbox.mail.start()


def _yookassa(kind: str, **options: Any) -> Act:
    @contextmanager
    def act(scene: Scene, _: str) -> Iterator[Hit]:
        scene.till.fail(kind, times=MANY, **options)
        try:
            yield Hit()
        finally:
            scene.till.mend()

    return act


def _notifications(**manner: Any) -> Act:
    usual = {"copies": 1, "delay": 0.0, "hold": False}

    @contextmanager
    def act(scene: Scene, _: str) -> Iterator[Hit]:
        scene.till.notify(**manner)
        try:
            yield Hit()
        finally:
            scene.till.notify(**usual)
            if manner.get("hold"):
                # The last one first, and none of them repeated: beat has to find those that were not taken.
                scene.till.release("reversed")

    return act


def _storage(kind: str, **options: Any) -> Act:
    @contextmanager
    def act(scene: Scene, _: str) -> Iterator[Hit]:
        address = f"{scene.sandbox.environment['SUPABASE_URL']}/sandbox/faults"
        fault = {"kind": kind, "times": MANY, **options}
        requests.post(address, json=fault, timeout=CONTROL_TIMEOUT).raise_for_status()
        try:
            yield Hit()
        finally:
            requests.delete(address, timeout=CONTROL_TIMEOUT).raise_for_status()

    return act


@contextmanager
def _queue_paused(scene: Scene, target: str) -> Iterator[Hit]:
    with paused(target, over=scene.over):
        yield Hit()


def _of(name: str, act: Act) -> Act:
    """The act on the one process of this name."""
    return lambda scene, _: act(scene, name)


def _service_asleep(pid_of: Callable[[Scene], int]) -> Act:
    return lambda scene, _: _asleep(pid_of(scene))


ACTS: dict[str, Act] = {
    "web_kill": _of("web", _kill),
    "web_child_kill": _of("web", _kill_child),
    "web_stop": _of("web", _stop),
    "web_restart": _of("web", _restart),
    "web_starve": _of("web", _starve),
    "bridge_kill": _kill,
    "bridge_stop": _stop,
    "bridge_restart": _restart,
    "bridge_starve": _starve,
    "worker_kill": _kill,
    "worker_stop": _oversleep,
    "worker_restart": _restart,
    "worker_starve": _starve,
    "parent_kill": _kill_parent,
    "child_kill": _kill_child,
    "child_stop": _stop_child,
    "beat_kill": _of("beat", _kill),
    "beat_stop": _of("beat", _stop),
    "beat_restart": _of("beat", _restart),
    "broker_kill": _broker_killed,
    "broker_wipe": _broker_wiped,
    "broker_flush": _broker_flushed,
    "broker_stop": _service_asleep(lambda scene: scene.sandbox.broker.pid),
    "broker_double": _broker_doubled,
    "postgres_fast": _postgres(at_once=False),
    "postgres_immediate": _postgres(at_once=True),
    "postgres_backend": _backend_killed,
    "mail_kill": _mail_killed,
    "mail_outage": _mail_killed,
    "mail_stop": _service_asleep(lambda scene: scene.sandbox.mail.pid),
    "yookassa_slow": _yookassa("slow", seconds=PROVIDER_SECONDS * 0.7),
    "yookassa_silent": _yookassa("silent"),
    "yookassa_500": _yookassa("500"),
    "yookassa_broken": _yookassa("broken_json"),
    "yookassa_reset": _yookassa("reset"),
    # It takes effect, and nobody hears of it.
    "yookassa_unheard": _yookassa("reset", after=True),
    "yookassa_outage": _yookassa("html_502"),
    "notifications_copied": _notifications(copies=5),
    "notifications_reversed": _notifications(hold=True, copies=2),
    "notifications_late": _notifications(delay=4.0),
    "storage_slow": _storage("slow", seconds=STORAGE_SECONDS * 0.7),
    "storage_silent": _storage("silent"),
    "storage_500": _storage("status", status=500),
    "storage_broken": _storage("broken_json"),
    "storage_reset": _storage("reset", after=True),
    "storage_truncated": _storage("truncate"),
    "storage_outage": _storage("html"),
    "queue_paused": _queue_paused,
}
