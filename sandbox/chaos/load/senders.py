"""Whoever commits messages: mails and reports, by the database's own functions."""

import json
import random
import threading
import time
import uuid
from contextlib import closing
from typing import Any

import psycopg2

from sandbox.chaos.known import Known, SentMessage
from sandbox.chaos.load.pace import Pace, repeat
from sandbox.chaos.surroundings import DOMAIN

MAILS, REPORTS = "email_queue", "report_generation_queue"
AWAY_SECONDS = 0.3
# How the mail server treats whom: `sandbox.mailbox.faults`.
_ODD = ("+refuse1", "+drop1", "+reject550", "+refuse2")
_ODD_SHARE = 0.04
# Whose commit is likely to meet a fault.
_THOUGHTFUL_SHARE = 0.3
_KINDS = ("pdf", "csv", "json", "json")

_SEND_MAIL = "SELECT public.queue_email_task(%s, 'Оплата не прошла', 'payment_failed', %s)"
_ASK_REPORT = "SELECT public.queue_report_generation(%s, %s, %s)"


class Sender:
    """Commits one message at a time over a connection of its own, and opens a new one when that breaks."""

    def __init__(self, url: str, known: Known) -> None:
        self._url, self._known = url, known
        self._connection: Any = None

    def send(self, queue: str, statement: str, values: list[Any], *, recipient: str = "", thinks: float = 0.0) -> None:
        """What cannot even be sent is not noted; what was sent and not confirmed is noted as unknown.

        `thinks` seconds pass between the message and the commit, as in a transaction that has more to do.
        """
        msg_id, asked = None, False
        try:
            if self._connection is None:
                self._connection = psycopg2.connect(self._url, connect_timeout=3)
            with self._connection.cursor() as cursor:
                cursor.execute(statement, values)
                row = cursor.fetchone()
            time.sleep(thinks)
            asked = True
            self._connection.commit()
            msg_id = row[0]
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            self.close()
            time.sleep(AWAY_SECONDS)
        if asked:
            self._known.note(SentMessage(queue, msg_id, recipient))

    def close(self) -> None:
        if self._connection is not None:
            with closing(self._connection):
                self._connection = None


def send_mails(url: str, known: Known, pace: Pace, *, seed: int, over: threading.Event) -> None:
    """Mails to people of whom each gets one, so that nothing can hide behind another mail."""
    draw, sender = random.Random(f"mails {seed}"), Sender(url, known)  # noqa: S311

    def send(number: int) -> None:
        share = draw.random()
        tag = draw.choice(_ODD) if share < _ODD_SHARE else "+slow2" if share < _ODD_SHARE + pace.slow else ""
        recipient = f"mail.{seed}.{number}{tag}@{DOMAIN}"
        variables = {"payment_id": str(uuid.uuid4()), "amount": 5000}
        thinks = draw.uniform(0.1, 0.4) if draw.random() < _THOUGHTFUL_SHARE else 0.0
        sender.send(MAILS, _SEND_MAIL, [recipient, json.dumps(variables)], recipient=recipient, thinks=thinks)

    repeat(send, pace.mails, draw=draw, over=over)
    sender.close()


def ask_for_reports(
    url: str, known: Known, pace: Pace, *, seed: int, over: threading.Event, about: list[tuple[str, str]]
) -> None:
    """Reports about the same few assessments again and again, so that documents replace each other."""
    draw, sender = random.Random(f"reports {seed}"), Sender(url, known)  # noqa: S311

    def ask(_: int) -> None:
        assessment, user = draw.choice(about)
        sender.send(REPORTS, _ASK_REPORT, [assessment, user, draw.choice(_KINDS)])

    repeat(ask, pace.reports, draw=draw, over=over)
    sender.close()
