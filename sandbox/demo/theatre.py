"""Plays the acts and waits until every message, report and payment has its outcome."""

from collections.abc import Iterable, Mapping

from sandbox.demo.ending import undisturbed
from sandbox.demo.mail.expectation import Expected, Step
from sandbox.demo.mail.messages import KEPT_QUEUES, REPORT_QUEUE, Sent, match, play
from sandbox.demo.mail.observation import Observer
from sandbox.demo.mail.verdict import MailFindings, judge
from sandbox.demo.operators.act import OperatorsAct
from sandbox.demo.operators.verdict import OperatorFindings
from sandbox.demo.payments.act import PaymentsAct
from sandbox.demo.payments.verdict import PaymentFindings
from sandbox.demo.processes import Process
from sandbox.demo.reports.act import ReportsAct
from sandbox.demo.reports.expectation import Asked
from sandbox.demo.reports.verdict import ReportFindings
from sandbox.demo.watch import Watch
from sandbox.errors import SandboxError

# From the moment when the mail log says so until the mail is on its way to the server.
INTO_THE_SENDING_SECONDS = 0.4


class Theatre:
    """Needs the watch over the started processes and, to start the worker again, that process and its environment."""

    def __init__(self, watch: Watch, observer: Observer, worker: Process, environment: Mapping[str, str]) -> None:
        self._watch = watch
        self._observer = observer
        self._worker = worker
        self._environment = environment
        self._sent: list[Sent] = []
        self._asked: list[Asked] = []
        self._kept: dict[str, list[int]] = {queue: [] for queue in KEPT_QUEUES}
        self._foreign: list[int] = []
        # Mails that our own processes ask for, as soon as whatever they tell of has happened.
        self._announced: list[Expected] = []

    def perform(
        self,
        scenario: tuple[Step, ...],
        payments: PaymentsAct,
        reports: ReportsAct,
        operators: OperatorsAct,
        *,
        pause: float,
        scale: float,
    ) -> tuple[MailFindings, ReportFindings, PaymentFindings, OperatorFindings]:
        """Play every step and scene and wait for all outcomes; what takes too long is judged as it stands.

        The scenes of the payments fill the time that the last mails need for their repeats. Operators come last, as
        they stop all mails. Raises `SandboxError` when a process ends by itself.
        """
        for step in scenario:
            if step.quiet:
                self._watch.until(self._is_quiet)
            self._play(step)
            self._watch.pause(pause)
        self._announced += payments.mails
        payments.play(pause=pause)
        self._watch.until(self._is_over)
        operated = operators.play(self._play)
        self._watch.until(self._is_over)
        self._watch.say("opens each report by the link in its mail")
        return self._judge_mail(scale), reports.judge(self._asked), payments.judge(), operated

    def _play(self, step: Step) -> tuple[Sent, ...]:
        played = play(step)
        self._watch.say(step.title, "bold")
        self._sent += played.sent
        self._asked += played.asked
        self._foreign += played.foreign
        self._announced += step.follows
        for queue, ids in played.kept.items():
            self._kept[queue] += ids
        if step.kills_worker:
            self._kill_worker(played.sent[0].msg_id)
        return played.sent

    def _kill_worker(self, msg_id: int) -> None:
        if not self._watch.until(lambda: self._observer.is_being_sent(msg_id)):
            raise SandboxError(f"message {msg_id} is not sent; the worker's log ends with:\n{self._worker.log_end()}")
        self._watch.pause(INTO_THE_SENDING_SECONDS)
        self._worker.kill()
        self._watch.say("the worker is dead, in the middle of the mail; a supervisor starts the next", "bold red")
        undisturbed(lambda: self._worker.start(self._environment))

    def _is_quiet(self) -> bool:
        """Whether all mails are through but the one whose worker was killed. Reports have a worker of their own."""
        return self._ended(sent for sent in self._sent if not sent.expected.worker_killed)

    def _is_over(self) -> bool:
        # In this order: a report that is stored has asked for its mail in the same transaction.
        if self._watch.queue(REPORT_QUEUE).still_queued(asked.msg_id for asked in self._asked):
            return False
        self._find_announced()
        return not self._announced and self._ended(self._sent)

    def _ended(self, mails: Iterable[Sent]) -> bool:
        return not self._observer.archive.still_queued([*(sent.msg_id for sent in mails), *self._foreign])

    def _find_announced(self) -> None:
        known = {*self._foreign, *(sent.msg_id for sent in self._sent)}
        new = [message for message in self._observer.messages() if message.msg_id not in known]
        found, _, self._announced = match(self._announced, new)
        self._sent += found

    def _judge_mail(self, scale: float) -> MailFindings:
        self._find_announced()
        seen = self._observer.observe({sent.msg_id: sent.expected.recipient for sent in self._sent})
        touched = [
            f"somebody took message {msg_id} out of {queue}, which nobody handles"
            for queue, ids in self._kept.items()
            for msg_id in sorted(set(ids) - self._watch.queue(queue).untouched(ids))
        ]
        missing = [f"no message came for {expected.template} to {expected.recipient}" for expected in self._announced]
        strangers = self._observer.strangers({*self._foreign, *(sent.msg_id for sent in self._sent)})
        return MailFindings(
            results=tuple(judge(sent, seen[sent.msg_id], scale=scale) for sent in self._sent),
            kept={queue: len(ids) for queue, ids in self._kept.items()},
            disorder=(*touched, *missing, *(f"nobody asked for {stranger}" for stranger in strangers)),
        )
