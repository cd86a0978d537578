"""Puts together who plays in the demo: observers, the acts, and the theatre that leads them through it."""

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.admin_login import ADMIN_NAME
from sandbox.demo.findings import Findings
from sandbox.demo.keepsakes import REPORTS
from sandbox.demo.mail.messages import REPORT_QUEUE
from sandbox.demo.mail.observation import Observer
from sandbox.demo.mail.scenario import SCENARIO
from sandbox.demo.mail.verdict import MailFindings
from sandbox.demo.operators.act import OperatorsAct
from sandbox.demo.operators.scenes import STEPS
from sandbox.demo.operators.verdict import OperatorFindings
from sandbox.demo.payments.act import PaymentsAct
from sandbox.demo.payments.observation import PaymentObserver
from sandbox.demo.payments.purchases import PURCHASES
from sandbox.demo.payments.staff import Staff
from sandbox.demo.payments.stage import Stage
from sandbox.demo.payments.till import Till
from sandbox.demo.payments.troubles import TROUBLES
from sandbox.demo.payments.verdict import PaymentFindings
from sandbox.demo.processes import Process
from sandbox.demo.reports.act import ReportsAct
from sandbox.demo.reports.observation import ReportObserver
from sandbox.demo.reports.verdict import ReportFindings
from sandbox.demo.theatre import Theatre
from sandbox.demo.view import View
from sandbox.demo.watch import Watch
from sandbox.services.sandbox import Sandbox
from sandbox.services.stand_ins import YOOKASSA_PAGE
from sandbox.storage.server import BUCKETS

SCENES = (*PURCHASES, *TROUBLES)


@dataclass(frozen=True, slots=True)
class Reviews:
    """What came of the acts."""

    mail: MailFindings
    reports: ReportFindings
    payments: PaymentFindings
    operators: OperatorFindings

    @property
    def acts(self) -> tuple[Findings, ...]:
        return (self.mail, self.reports, self.payments, self.operators)


def expected_mails() -> int:
    """How many mails arrive when everything goes as it should."""
    told = [expected for step in (*SCENARIO, *STEPS) for expected in (*step.expects, *step.follows)]
    paid = [message for scene in SCENES for payment in scene.expects for message in payment.messages]
    return sum(expected.mails for expected in (*told, *paid))


def perform(
    view: View,
    sandbox: Sandbox,
    started: Mapping[str, Process],
    environment: Mapping[str, str],
    *,
    staff_password: str,
    pause: float,
    scale: float,
) -> Reviews:
    """Play everything before `view` and judge it. Django is set up, and the people are registered."""
    observer = Observer(sandbox.mail.directory)
    watch = Watch(view, observer, started, expected_mails=expected_mails())
    till = Till(
        page=environment[YOOKASSA_PAGE],
        api=environment["YUKASSA_API_URL"],
        shop_id=environment["YUKASSA_SHOP_ID"],
        secret_key=environment["YUKASSA_SECRET_KEY"],
    )
    api = environment["API_BASE_URL"]
    staff = Staff(api, ADMIN_NAME, staff_password)
    try:
        payments = PaymentsAct(
            SCENES, Stage(watch, api=api, till=till, staff=staff), PaymentObserver(observer.mailbox, till), watch
        )
        reports = ReportsAct(
            ReportObserver(
                watch.queue(REPORT_QUEUE),
                observer.mailbox,
                storage=sandbox.folder / "storage" / BUCKETS[0],
                folder=sandbox.folder / REPORTS,
            )
        )
        operators = OperatorsAct(watch, observer, sandbox.mail, staff)
        theatre = Theatre(watch, observer, started["worker"], environment)
        return Reviews(*theatre.perform(SCENARIO, payments, reports, operators, pause=pause, scale=scale))
    finally:
        staff.close()
