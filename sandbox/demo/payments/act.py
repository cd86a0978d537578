"""Plays the scenes one after the other, waits until all of it has settled, and judges it."""

from collections.abc import Sequence

import requests

from sandbox.demo.mail.expectation import Expected
from sandbox.demo.payments.expectation import ExpectedPayment
from sandbox.demo.payments.observation import PaymentObserver
from sandbox.demo.payments.scene import Scene
from sandbox.demo.payments.stage import PATIENCE_SECONDS, SceneBroken, Stage
from sandbox.demo.payments.till import ADDRESS
from sandbox.demo.payments.verdict import PaymentFindings, judge_payments
from sandbox.demo.watch import Watch

PAYMENT_QUEUE = "payment_processing_queue"
# How the till notifies unless a scene wants it otherwise.
_MANNER = {"hold": False, "copies": 1, "forwarded_for": ADDRESS}


class PaymentsAct:
    def __init__(self, scenes: Sequence[Scene], stage: Stage, observer: PaymentObserver, watch: Watch) -> None:
        self._scenes = scenes
        self._stage = stage
        self._observer = observer
        self._watch = watch
        self._disorder: list[str] = []

    @property
    def expected(self) -> list[ExpectedPayment]:
        return [payment for scene in self._scenes for payment in scene.expects]

    @property
    def mails(self) -> list[Expected]:
        """The mail messages that Supabase's triggers and our own services send because of the payments."""
        return [message for payment in self.expected for message in payment.messages]

    def play(self, *, pause: float) -> None:
        """Play every scene. What breaks one of them is noted, and the next one begins."""
        self._stage.till.notify(**_MANNER)
        for scene in self._scenes:
            self._watch.say(f"payments: {scene.title}", "bold")
            try:
                scene.play(self._stage)
            except (SceneBroken, requests.RequestException) as error:
                self._disorder.append(f"{scene.title}: {error}")
            finally:
                # A scene that broke leaves no fault for the next one.
                self._stage.till.mend()
                self._stage.till.notify(**_MANNER)
            self._disorder += [f"{scene.title}: {line}" for line in self._stage.take_disorder()]
            self._watch.pause(pause)

    def judge(self) -> PaymentFindings:
        """Wait for what is still on its way, then compare."""
        self._watch.until(self._is_settled, seconds=PATIENCE_SECONDS)
        queue = self._watch.queue(PAYMENT_QUEUE)
        left, failed = queue.waiting(), queue.endings().failed
        disorder = [*self._disorder]
        disorder += [f"{len(left)} messages wait in {PAYMENT_QUEUE}"] if left else []
        disorder += [f"{failed} messages of {PAYMENT_QUEUE} failed"] if failed else []
        return judge_payments(self.expected, self._observer.observe(self._stage.browsers), disorder)

    def _is_settled(self) -> bool:
        wanted = {payment.customer.id: payment.state.status for payment in self.expected if payment.state}
        return not self._watch.queue(PAYMENT_QUEUE).waiting() and self._observer.statuses() == wanted
