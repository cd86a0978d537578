"""Plays the operators: pauses the mails and resumes them, takes the mail server away and brings it back."""

import io
import shlex
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import requests
from django.core.management import CommandError, call_command
from django.db import connection

from sandbox.demo.ending import undisturbed
from sandbox.demo.mail.expectation import Step
from sandbox.demo.mail.messages import EMAIL_QUEUE, Sent
from sandbox.demo.mail.observation import Observer
from sandbox.demo.operators.home import sentence_about
from sandbox.demo.operators.scenes import WHILE_AWAY, WHILE_PAUSED, WHY_PAUSED
from sandbox.demo.operators.verdict import OperatorFindings, Outage, Pause
from sandbox.demo.payments.staff import Staff
from sandbox.demo.watch import Watch
from sandbox.mailbox import Verdict
from sandbox.services.mail import MailService

PATIENCE_SECONDS = 30.0
# Long enough to see that nothing happens.
PAUSE_SECONDS = 1.5
# So often the service is looked at in vain before it comes back.
LOOKS = 2
_SERVICE = "smtp"
_LOOKS_IN_VAIN = "SELECT probes FROM bridge_outsideservice WHERE name = %s AND is_open"

Play = Callable[[Step], Iterable[Sent]]


class OperatorsAct:
    """Comes when all mails are through, as it stops them; `staff` is signed in to the admin."""

    def __init__(self, watch: Watch, observer: Observer, mail_server: MailService, staff: Staff) -> None:
        self._watch = watch
        self._observer = observer
        self._mail_server = mail_server
        self._staff = staff
        self._disorder: list[str] = []

    def play(self, play: Play) -> OperatorFindings:
        """Play both scenes and judge them; `play` commits a step and returns the messages that it has made."""
        pause, outage = self._pause(play), self._outage(play)
        return OperatorFindings(pause, outage, tuple(self._disorder))

    def _pause(self, play: Play) -> Pause:
        self._watch.say("operators: the mails are paused", "bold")
        self._command("pause", EMAIL_QUEUE, "--why", WHY_PAUSED)
        ids = _ids(play(WHILE_PAUSED))
        self._watch.pause(PAUSE_SECONDS)
        untouched = len(self._observer.archive.untouched(ids))
        self._status(f"{EMAIL_QUEUE}: ")
        home = self._home()
        began = time.monotonic()
        self._command("resume", EMAIL_QUEUE)
        left = self._await_end(ids)
        left_in = time.monotonic() - began if left else None
        return Pause(len(ids), untouched, left_in, home)

    def _outage(self, play: Play) -> Outage:
        self._watch.say("operators: the mail server is away", "bold red")
        self._mail_server.stop()
        gone = datetime.now(UTC)
        ids = _ids(play(WHILE_AWAY))
        self._watch.until(lambda: _looks_in_vain() >= LOOKS, seconds=PATIENCE_SECONDS)
        status, home = self._status(f"({_SERVICE})"), self._home()
        waiting = len(self._observer.archive.still_queued(ids))
        undisturbed(self._mail_server.start)
        back = datetime.now(UTC)
        self._watch.say("the mail server is back", "bold")
        self._await_end(ids)
        endings = self._observer.archive.outcomes(ids)
        return Outage(
            sent=len(ids),
            waiting=waiting,
            seconds=(back - gone).total_seconds(),
            first_in=self._first_mail_after(gone, since=back),
            endings=tuple(endings.values()),
            status=status,
            home=home,
        )

    def _await_end(self, ids: list[int]) -> bool:
        return self._watch.until(lambda: not self._observer.archive.still_queued(ids), seconds=PATIENCE_SECONDS)

    def _first_mail_after(self, gone: datetime, *, since: datetime) -> float | None:
        times = [
            attempt.at
            for attempt in self._observer.mailbox.attempts()
            if attempt.verdict is Verdict.ACCEPTED and attempt.at > gone
        ]
        # It may come before we have noticed that the server listens.
        return max(0.0, (min(times) - since).total_seconds()) if times else None

    def _status(self, about: str) -> str:
        """What `queue status` says on the line with that."""
        lines = [line for line in self._command("status", told=False).splitlines() if about in line]
        self._watch.say("$ manage.py queue status", "dim")
        for line in lines:
            self._watch.say(f"  {line.strip()}", "yellow")
        return " ".join(lines)

    def _home(self) -> str:
        """What the home page of staff says of the mails."""
        try:
            sentence = sentence_about(EMAIL_QUEUE, self._staff.home())
        except requests.RequestException as error:
            self._disorder.append(f"the home page of staff: {error}")
            return ""
        self._watch.say(f"  the home page of staff: «{sentence}»", "yellow")
        return sentence

    def _command(self, *words: str, told: bool = True) -> str:
        """What `manage.py queue …` says, run in this process."""
        if told:
            self._watch.say(f"$ manage.py queue {shlex.join(words)}", "dim")
        output = io.StringIO()
        try:
            call_command("queue", *words, stdout=output)
        except CommandError as error:
            self._disorder.append(f"manage.py queue {words[0]}: {error}")
        for line in output.getvalue().splitlines() if told else ():
            self._watch.say(f"  {line}")
        return output.getvalue()


def _ids(sent: Iterable[Sent]) -> list[int]:
    return [one.msg_id for one in sent]


def _looks_in_vain() -> int:
    """How often it was looked whether the mail server is back; 0 while the breaker is closed."""
    with connection.cursor() as cursor:
        cursor.execute(_LOOKS_IN_VAIN, [_SERVICE])
        found = cursor.fetchone()
        return int(found[0]) if found else 0
