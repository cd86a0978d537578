"""Waits for what other processes do, and keeps the view going meanwhile."""

import time
from collections.abc import Callable, Mapping

from bridge.queues import registry
from sandbox.demo.archive import Archive
from sandbox.demo.mail.messages import KEPT_QUEUES
from sandbox.demo.mail.observation import Observer
from sandbox.demo.processes import Process
from sandbox.demo.view import Progress, View
from sandbox.mailbox import Verdict

# As often as the live view is drawn.
LOOK_SECONDS = 0.2
# The longest chain of attempts takes 31 s, a lost lease 18 s; the rest is for a slow machine.
PATIENCE_SECONDS = 100.0


class Watch:
    """Looks at queues, mailbox and processes; `expected_mails` is how many mails are to arrive in all."""

    def __init__(
        self, view: View, observer: Observer, processes: Mapping[str, Process], *, expected_mails: int
    ) -> None:
        self._view = view
        self._mailbox = observer.mailbox
        self._processes = processes
        self._expected_mails = expected_mails
        handled = [observer.archive, *(Archive(q.name) for q in registry if q.name != observer.archive.queue)]
        self._handled = {archive.queue: archive for archive in handled}
        self._queues = {**self._handled, **{queue: Archive(queue) for queue in KEPT_QUEUES}}
        self._tries_told = 0

    def queue(self, name: str) -> Archive:
        return self._queues[name]

    def say(self, text: str, style: str = "") -> None:
        self._view.say(text, style)

    def until(self, condition: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS) -> bool:
        """Wait for `condition()`; returns whether it came true in time.

        Raises `SandboxError` when a process ends by itself.
        """
        deadline = time.monotonic() + seconds
        while True:
            self._look()
            if condition():
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(LOOK_SECONDS)

    def pause(self, seconds: float) -> None:
        self.until(lambda: False, seconds=seconds)

    def _look(self) -> None:
        for process in self._processes.values():
            process.insist_on_running()
        attempts = self._mailbox.attempts()
        for attempt in attempts[self._tries_told :]:
            if attempt.verdict is not Verdict.ACCEPTED:
                who = attempt.recipient.partition("@")[0]
                self._view.say(f"mail server: {attempt.verdict} {who}  {attempt.reply}".rstrip(), "yellow")
        self._tries_told = len(attempts)
        if not self._view.is_due:
            # It takes a dozen questions, many times of what is waited for.
            return
        self._view.show(
            Progress(
                queues={name: archive.counts() for name, archive in self._queues.items()},
                endings={name: archive.endings() for name, archive in self._handled.items()},
                mails=sum(attempt.verdict is Verdict.ACCEPTED for attempt in attempts),
                mails_expected=self._expected_mails,
            )
        )
