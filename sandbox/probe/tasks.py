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
from django.conf import settings
from django.core.mail import send_mail
from django.db import connection
from django.utils import timezone

from bridge.breaker import Verdict, asking
from bridge.errors import Away, PermanentError
from bridge.message import Message
from bridge.worker.task import queue_task
from notifications.models import EmailMessage, Status
from notifications.writing.rendering import render_email
from notifications.writing.request import EmailRequest, mailbox_of
from sandbox.probe.apps import QUEUE
from sandbox.probe.mails import FACTS
from sandbox.probe.models import ProbeRun


@queue_task("probe.run", queue=QUEUE, transactional=settings.PROBE_TRANSACTIONAL)
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


@shared_task(name="probe.bare_mail", acks_late=True)
def bare_mail(number: int, body: dict[str, Any]) -> None:
    """Render and send a mail as one writes it first, and insert its row: the baseline for mails."""
    request, now = EmailRequest.parse(body), timezone.now()
    rendered = render_email(request, FACTS, at=now)
    send_mail(request.subject, rendered.text, None, [request.recipient], html_message=rendered.html)
    EmailMessage.objects.create(
        queue="bare",
        msg_id=number,
        enqueued_at=now,
        recipient=request.recipient,
        mailbox=mailbox_of(request.recipient),
        about=request.content.about()[1],
        subject=request.subject,
        template=request.template,
        html_body=rendered.html,
        text_body=rendered.text,
        status=Status.SENT,
        attempts=1,
        provider="smtp",
        message_id=f"<{number}@bare.example>",
        sent_at=timezone.now(),
    )


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
