"""Plays the scenario and watches until every message has its outcome."""

import time
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path

from balansity.sandbox.demo.expectation import Step
from balansity.sandbox.demo.messages import EMAIL_QUEUE, KEPT_QUEUES, Sent, play
from balansity.sandbox.demo.observation import Observer, count
from balansity.sandbox.demo.processes import Process
from balansity.sandbox.demo.verdict import Report, judge
from balansity.sandbox.demo.view import Progress, View
from balansity.sandbox.errors import SandboxError
from balansity.sandbox.mailbox import Verdict
from bridge.message import Outcome
from bridge.queues import registry

LOOK_SECONDS = 0.1
# The longest chain of attempts takes 31 s, a lost lease 18 s; the rest is for a slow machine.
PATIENCE_SECONDS = 100.0
# From the moment when the mail log says so until the mail is on its way to the server.
INTO_THE_SENDING_SECONDS = 0.4


class Theatre:
    """Needs the started processes and, to start the worker again, their environment."""

    def __init__(
        self, view: View, mail_folder: Path, processes: Mapping[str, Process], environment: Mapping[str, str]
    ) -> None:
        self._view = view
        self._observer = Observer(mail_folder)
        self._processes = processes
        self._environment = environment
        self._sent: list[Sent] = []
        self._kept: dict[str, list[int]] = {queue: [] for queue in KEPT_QUEUES}
        self._foreign: list[int] = []
        self._mails_expected = 0
        self._tries_told = 0

    def perform(self, scenario: tuple[Step, ...], *, pause: float, scale: float) -> Report:
        """Play every step and wait for all outcomes; what takes too long is reported as it stands.

        Raises `SandboxError` when a process ends by itself.
        """
        self._mails_expected = sum(expected.mails for step in scenario for expected in step.expects)
        for step in scenario:
            if step.quiet:
                self._await(lambda: not self._queued(but_killed=True))
            self._play(step)
            self._await(lambda: False, seconds=pause)
        self._await(lambda: not self._queued())
        return self._report(scale)

    def _play(self, step: Step) -> None:
        played = play(step)
        self._view.say(step.title, "bold")
        self._sent += played.sent
        self._foreign += played.foreign
        for queue, ids in played.kept.items():
            self._kept[queue] += ids
        if step.kills_worker:
            self._kill_worker(played.sent[0].msg_id)

    def _kill_worker(self, msg_id: int) -> None:
        if not self._await(lambda: self._observer.is_being_sent(msg_id)):
            raise SandboxError(f"message {msg_id} is not sent; the worker's log ends with:\n{self._worker.log_end()}")
        self._await(lambda: False, seconds=INTO_THE_SENDING_SECONDS)
        self._worker.kill()
        self._view.say("the worker is dead, in the middle of the mail; a supervisor starts the next", "bold red")
        self._worker.start(self._environment)

    @property
    def _worker(self) -> Process:
        return self._processes["worker"]

    def _queued(self, *, but_killed: bool = False) -> set[int]:
        ids = [sent.msg_id for sent in self._sent if not (but_killed and sent.expected.worker_killed)]
        return self._observer.still_queued([*ids, *self._foreign])

    def _await(self, condition: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS) -> bool:
        """Keep the view going until `condition()`; returns whether it came true in time."""
        deadline = time.monotonic() + seconds
        while True:
            self._look()
            if condition():
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(LOOK_SECONDS)

    def _look(self) -> None:
        for process in self._processes.values():
            process.insist_on_running()
        attempts = self._observer.mailbox.attempts()
        for attempt in attempts[self._tries_told :]:
            if attempt.verdict is not Verdict.ACCEPTED:
                who = attempt.recipient.partition("@")[0]
                self._view.say(f"mail server: {attempt.verdict} {who}  {attempt.reply}".rstrip(), "yellow")
        self._tries_told = len(attempts)
        archived = self._observer.archived(sent.msg_id for sent in self._sent).values()
        self._view.show(
            Progress(
                queues={queue: self._observer.counts(queue) for queue in (EMAIL_QUEUE, *KEPT_QUEUES)},
                handled=frozenset(queue.name for queue in registry),
                done=count(archived, Outcome.SUCCEEDED),
                failed=count(archived, Outcome.FAILED),
                duplicates=count(archived, Outcome.DUPLICATE),
                mails=sum(attempt.verdict is Verdict.ACCEPTED for attempt in attempts),
                mails_expected=self._mails_expected,
            )
        )

    def _report(self, scale: float) -> Report:
        seen = self._observer.observe({sent.msg_id: sent.expected.recipient for sent in self._sent})
        touched = tuple(
            f"somebody took message {msg_id} out of {queue}, which has no handler"
            for queue, ids in self._kept.items()
            for msg_id in sorted(set(ids) - self._observer.untouched(ids, queue))
        )
        known = chain((sent.msg_id for sent in self._sent), self._foreign)
        return Report(
            results=tuple(judge(sent, seen[sent.msg_id], scale=scale) for sent in self._sent),
            kept={queue: len(ids) for queue, ids in self._kept.items()},
            disorder=(*touched, *(f"nobody asked for {stranger}" for stranger in self._observer.strangers(known))),
        )
