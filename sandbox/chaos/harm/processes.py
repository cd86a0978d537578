"""Processes of ours: killed, restarted, stopped for longer than a lease, starved."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass

import psutil
import psycopg2

from sandbox.chaos.fleet import stop, wake
from sandbox.chaos.scene import Hit, Scene

PULSE_SECONDS = (0.45, 0.05)
# A parent sleeps on for a while when its children are awake: their word then finds nobody who could correct it.
PARENT_SLEEPS_ON_SECONDS = 1.0
SIGTERM_SECONDS = 45.0
SLOW_MAIL_WITHIN_SECONDS, LOOK_SECONDS = 4.0, 0.1
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


@contextmanager
def kill(scene: Scene, target: str) -> Iterator[Hit]:
    yield Hit(scene.process(target).kill())


@contextmanager
def restart(scene: Scene, target: str) -> Iterator[Hit]:
    """In good order: what runs is finished, and nothing of it is repeated."""
    process = scene.process(target)
    pid = process.pid
    process.end()
    deadline = time.monotonic() + SIGTERM_SECONDS
    while time.monotonic() < deadline and process.pid == pid:
        time.sleep(0.1)
    yield Hit()


@contextmanager
def oversleep(scene: Scene, target: str) -> Iterator[Hit]:
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
def nap(scene: Scene, target: str) -> Iterator[Hit]:
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
def starve(scene: Scene, target: str) -> Iterator[Hit]:
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
def kill_parent(scene: Scene, target: str) -> Iterator[Hit]:
    """Only the parent. Celery has asked Linux to kill its children then; elsewhere they end after what they are at."""
    process = scene.process(target)
    children = frozenset(child.pid for child in process.children())
    process.kill_parent()
    yield Hit(children)


@contextmanager
def kill_child(scene: Scene, target: str) -> Iterator[Hit]:
    child = _child_at_work(scene, target)
    if child is not None:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    yield Hit(frozenset() if child is None else frozenset({child.pid}))


@contextmanager
def stop_child(scene: Scene, target: str) -> Iterator[Hit]:
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
        url = scene.sandbox.environment["DATABASE_URL"]
        with closing(psycopg2.connect(url, connect_timeout=3)) as connection, connection.cursor() as cursor:
            cursor.execute(_AT_WORK, dict(zip(("least", "most"), _HALF_WAY, strict=True)))
            return [_MailInHand(*row) for row in cursor.fetchall()]
    except psycopg2.OperationalError:
        # It is away at this moment, by another fault.
        return []
