"""Does what the message says. `{}` does nothing at all, which is what a benchmark wants.

`{"note": true}` keeps a `ProbeRun`; `"seconds"` sleeps; `"fail_first": n` raises in the first n attempts;
`"permanent": true` raises for good; `"kill_first": n` kills the worker's child in the first n attempts (with
`"after": true` when the work is done and only the outcome is missing). `"service": name` asks that service
outside, which is away (or what `"kind"` says) in the first `"away_first": n` attempts.
"""

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from celery import shared_task
from django.db import connection
from django.utils import timezone

from bridge.breaker import Verdict, asking
from bridge.errors import Away, PermanentError
from bridge.message import Message
from bridge.worker.task import queue_task
from sandbox.probe.apps import QUEUE
from sandbox.probe.models import ProbeRun


@queue_task("probe.run", queue=QUEUE)
def run(message: Message) -> Callable[[], None] | None:
    body: dict[str, Any] = message.body
    if not body:
        return None
    attempt, note = message.history.attempts, bool(body.get("note"))
    started = _note_start(message) if note else None
    if attempt <= body.get("kill_first", 0) and not body.get("after"):
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(body.get("seconds", 0))
    if body.get("permanent"):
        raise PermanentError("this can never work")
    if attempt <= body.get("fail_first", 0):
        raise RuntimeError(f"attempt {attempt} was told to fail")
    if service := body.get("service"):
        kind = Away(body.get("kind", Away.AWAY))
        with asking(service, message, lambda error: Verdict(kind, str(error))):
            if attempt <= body.get("away_first", 0):
                raise ConnectionRefusedError(f"{service} was told to be away")
    if started is None:
        return None
    ProbeRun.objects.filter(pk=started.pk).update(ended_at=timezone.now())
    if attempt <= body.get("kill_first", 0):
        os.kill(os.getpid(), signal.SIGKILL)
    return partial(_record, started)


@shared_task(name="probe.bare")
def bare() -> None:
    """Do nothing as an ordinary Celery task: the baseline."""


def _note_start(message: Message) -> ProbeRun:
    attempt, pid = message.history.attempts, os.getpid()
    return ProbeRun.objects.create(msg_id=message.msg_id, attempt=attempt, pid=pid, started_at=timezone.now())


def _record(run: ProbeRun) -> None:
    ProbeRun.objects.filter(pk=run.pk).update(recorded=True)


@shared_task(name="probe.naive")
def naive(msg_id: int) -> None:
    """Do nothing and archive the message: the other baseline."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.archive(%s, %s)", [QUEUE, msg_id])


@shared_task(name="probe.stamp")
def stamp(number: int) -> None:
    """Note when this ordinary Celery task started: the baseline for delays."""
    ProbeRun.objects.create(msg_id=number, attempt=1, pid=os.getpid(), started_at=timezone.now(), recorded=True)
