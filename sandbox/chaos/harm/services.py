"""What we rent: the broker, Postgres, the mail server, killed, wiped, asleep."""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import psutil
import redis

from sandbox.chaos.doubling import double_what_is_in_line
from sandbox.chaos.scene import Act, Hit, Scene


@contextmanager
def broker_killed(scene: Scene, _: str) -> Iterator[Hit]:
    scene.sandbox.broker.stop(signal.SIGKILL)
    try:
        yield Hit()
    finally:
        scene.sandbox.broker.start()


@contextmanager
def broker_wiped(scene: Scene, target: str) -> Iterator[Hit]:
    """Killed, and nothing of it is left."""
    with broker_killed(scene, target) as hit:
        scene.sandbox.broker.forget()
        yield hit


@contextmanager
def broker_flushed(scene: Scene, _: str) -> Iterator[Hit]:
    with redis.Redis.from_url(scene.sandbox.environment["REDIS_URL"], socket_timeout=5) as client:
        client.flushall()
    yield Hit()


@contextmanager
def broker_doubled(scene: Scene, _: str) -> Iterator[Hit]:
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
def asleep(pid: int) -> Iterator[Hit]:
    """A service that does not answer, and whose connections stay."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield Hit()
    finally:
        os.kill(pid, signal.SIGCONT)


def postgres(*, at_once: bool) -> Act:
    @contextmanager
    def act(scene: Scene, _: str) -> Iterator[Hit]:
        scene.sandbox.postgres.stop(at_once=at_once)
        try:
            yield Hit()
        finally:
            scene.sandbox.postgres.start()

    return act


@contextmanager
def backend_killed(scene: Scene, _: str) -> Iterator[Hit]:
    """One server process of Postgres dies, so that it ends all others and recovers."""
    server = psutil.Process(scene.sandbox.postgres.pid)
    backends = [child for child in server.children(recursive=True) if _serves_us(child)]
    if backends:
        with suppress(psutil.NoSuchProcess):
            scene.draw.choice(sorted(backends, key=lambda child: child.pid)).kill()
    yield Hit()


def _serves_us(backend: psutil.Process) -> bool:
    try:
        return "balansity" in " ".join(backend.cmdline())
    except psutil.NoSuchProcess:
        # Its session ended meanwhile; the others are still there.
        return False


@contextmanager
def mail_killed(scene: Scene, _: str) -> Iterator[Hit]:
    scene.sandbox.mail.stop(signal.SIGKILL)
    try:
        yield Hit()
    finally:
        scene.sandbox.mail.start()
