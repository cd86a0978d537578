"""A service outside is away for a while: that costs no message, and hardly an attempt. A second stands for 100."""

import os
import signal
import socket
import time
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from pytest_django import Settings

from payments.models import AppointmentType
from payments.queue import QUEUE as PAYMENTS
from payments.states import OrderKind
from sandbox.mailbox import Mailbox
from sandbox.storage import StorageServer
from sandbox.yookassa import FaultKind, YooKassaServer
from tests.acceptance.ledger import Ledger
from tests.acceptance.processes import Fleet
from tests.acceptance.test_report_delivery import ANNA, ARTYOM_CHECKUP, IGOR, MARIA_CHECKUP, report, storage
from tests.acceptance.waiting import wait_until
from tests.support.databases import ClonedDatabase
from tests.support.payment_deliveries import shop_at_yookassa, start_payment

__all__ = ["storage"]

MAILS = int(os.environ.get("OUTAGE_MAILS", "800"))
# In so many probes six attempts of a message, which take 0.3 s, were over long ago.
MANY_PROBES = 10
# As few as may be, and so many that not all of them are the ones that open the breaker.
MOST_ATTEMPTS_SPENT = 3

_MANY_MAILS = """
INSERT INTO pgmq.q_email_queue (vt, message)
SELECT now(), jsonb_build_object(
    'to', 'parent' || number || '@families.example', 'subject', 'Оплата не прошла', 'template', 'payment_failed',
    'variables', jsonb_build_object('payment_id', gen_random_uuid(), 'amount', 5000),
    'priority', 0, 'created_at', '2026-11-23T11:30:00Z')
FROM generate_series(1, %s) AS number
"""


@pytest.fixture(autouse=True)
def pace(fleet: Fleet) -> None:
    fleet.variables |= {"BRIDGE_DELAY_SCALE": "0.01", "EMAIL_EXTRA_RECIPIENTS": "families.example"}


def is_open(ledger: Ledger, service: str) -> bool:
    return ledger.exists(f"balansity.bridge_outsideservice WHERE name = '{service}' AND is_open")


def await_open(ledger: Ledger, service: str, *, seconds: float = 60) -> None:
    wait_until(lambda: is_open(ledger, service), f"the breaker of {service} is open", seconds=seconds)


def await_probes(ledger: Ledger, service: str) -> None:
    """Let the outage last."""
    many = f"balansity.bridge_outsideservice WHERE name = '{service}' AND probes >= {MANY_PROBES}"
    wait_until(lambda: ledger.exists(many), f"{service} was probed many times")


def spent(ledger: Ledger) -> int:
    """How many attempts were counted that brought nothing, or not yet: one that is under way is among them."""
    waiting = sum(message.attempts for message in ledger.queued().values())
    return waiting + sum(ending.attempts - 1 for ending in ledger.endings().values())


def await_quiet(ledger: Ledger) -> None:
    """Wait until what was in line when the breaker opened is back in the queue."""
    wait_until(lambda: all(message.due_in <= 0 for message in ledger.queued().values()), "everything is visible again")


def failed(ledger: Ledger) -> list[str]:
    return [ending.reason for ending in ledger.endings().values() if ending.outcome != "succeeded"]


def test_a_mail_server_that_is_away_costs_no_mail_and_whoever_probes_may_be_killed(
    fleet: Fleet, mail: Ledger, mailbox: Mailbox
) -> None:
    # In the end it hangs, and nobody wants to wait as long as in production.
    fleet.variables["EMAIL_TIMEOUT"] = "3"
    mailbox.stop()
    mail.execute(_MANY_MAILS, [MAILS])
    bridges = [fleet.bridge(), fleet.bridge()]
    workers = [fleet.worker(), fleet.worker()]
    await_open(mail, "smtp")
    await_quiet(mail)
    await_probes(mail, "smtp")
    assert mail.endings() == {}
    assert spent(mail) <= MOST_ATTEMPTS_SPENT
    back = time.monotonic()
    mailbox.start()
    wait_until(lambda: mailbox.messages, "the first mail has come")
    print(
        f"{spent(mail)} attempts spent, the first mail came {time.monotonic() - back:.2f} s after the server was back"
    )
    wait_until(lambda: len(mail.endings()) > MAILS // 20, "mails flow")
    # It goes away again, and this time it accepts connections and says nothing.
    mailbox.stop()
    with socket.create_server((mailbox.host, mailbox.port), backlog=100):
        await_open(mail, "smtp", seconds=60)
        query = "SELECT split_part(prober, ':', 2) FROM balansity.bridge_outsideservice WHERE prober <> ''"
        prober = int(wait_until(lambda: mail.rows(query), "somebody probes")[0][0])
        assert prober in {bridge.pid for bridge in bridges}
        os.kill(prober, signal.SIGKILL)
    seen, back = len(mail.endings()), time.monotonic()
    mailbox.start()
    wait_until(lambda: len(mail.endings()) > seen, "the other bridge has found out", seconds=60)
    print(f"after the death of who probed, the first mail came in {time.monotonic() - back:.2f} s")
    wait_until(lambda: spent(mail) <= 2 * MOST_ATTEMPTS_SPENT, "hardly an attempt was spent on both", seconds=60)
    assert failed(mail) == []
    told = "".join(process.text for process in (*bridges, *workers))
    assert told.count("(smtp) does not do its part") == told.count("(smtp) does its part again") == 2


def test_a_yookassa_that_fails_costs_no_payment_its_check(
    fleet: Fleet, database: ClonedDatabase, settings: Settings
) -> None:
    payments = Ledger(database.url, PAYMENTS)
    with shop_at_yookassa(settings) as shop:
        fleet.variables |= {
            "YUKASSA_SHOP_ID": settings.YUKASSA_SHOP_ID,
            "YUKASSA_SECRET_KEY": settings.YUKASSA_SECRET_KEY,
            "YUKASSA_API_URL": shop.api_url,
        }
        checked = start_payments(shop, 20)
        shop.fail(FaultKind.ERROR_500, times=1_000_000)
        for payment_id in checked:
            payments.execute("SELECT public.queue_payment_processing(%s, 'verify')", [payment_id])
        fleet.bridge()
        fleet.worker()
        await_open(payments, "yookassa")
        await_quiet(payments)
        await_probes(payments, "yookassa")
        assert payments.endings() == {}
        assert spent(payments) <= MOST_ATTEMPTS_SPENT
        assert {call.path for call in shop.requests[-3:]} == {"/me"}, "what probes it asks about no payment"
        shop.faults.clear()
        wait_until(payments.endings, "the first payment is checked")
        payments.await_endings(payments.queued())
        assert failed(payments) == []
        paid = payments.rows("SELECT count(*) FROM public.payments WHERE status = 'completed'")
        assert paid == [(len(checked),)]
        assert spent(payments) <= MOST_ATTEMPTS_SPENT
        fleet.close()


def start_payments(shop: YooKassaServer, number: int) -> list[str]:
    """Payments that are paid by now, which nobody here has heard of."""
    kind = AppointmentType.objects.create(name="Консультация", duration_minutes=50, price=Decimal("4500.00"))
    start = timezone.now().replace(minute=0, second=0, microsecond=0) + timedelta(days=2)
    checkouts = [
        start_payment(kind=OrderKind.APPOINTMENT, appointment_type_id=kind.pk, scheduled_at=start + timedelta(hours=n))
        for n in range(number)
    ]
    for checkout in checkouts:
        shop.succeed(str(checkout.external_id))
    return [str(checkout.pk) for checkout in checkouts]


@pytest.fixture
def reports(seeded_database: ClonedDatabase) -> Ledger:
    return Ledger(seeded_database.url, "report_generation_queue")


def test_a_storage_that_is_away_costs_no_report(fleet: Fleet, reports: Ledger, storage: StorageServer) -> None:
    storage.stop()
    wanted = [
        report(assessment, user, kind)
        for assessment, user in ((MARIA_CHECKUP, ANNA), (ARTYOM_CHECKUP, IGOR))
        for kind in ("json", "csv")
    ]
    ids = reports.send_many(wanted * 3)
    fleet.bridge()
    fleet.worker()
    await_open(reports, "storage")
    await_quiet(reports)
    await_probes(reports, "storage")
    assert reports.endings() == {}
    assert spent(reports) <= MOST_ATTEMPTS_SPENT
    storage.start()
    wait_until(storage.object_keys, "the first report is stored")
    endings = reports.await_endings(ids)
    assert {ending.outcome for ending in endings.values()} <= {"succeeded", "duplicate"}
    assert len({key.split("/")[1] for key in storage.object_keys()}) == 2
    assert spent(reports) <= MOST_ATTEMPTS_SPENT
