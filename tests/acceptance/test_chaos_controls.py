"""The checker of `./dev chaos` is checked: without one of three protections it must find what is wrong, and with it
nothing. In small, on real processes, by a schedule that leaves nothing to chance.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import psycopg2
import pytest
import redis
from django.db import connections

from payments.checking.sync import sync_payment
from payments.errors import NothingToRefund
from payments.models import AppointmentType, Checkout, Package, Payment
from payments.refunds.request import request_refund
from payments.states import Door, OrderKind
from sandbox.chaos.doubles import take_away
from sandbox.chaos.doubling import double
from sandbox.chaos.fleet import stop, wake
from sandbox.chaos.happened import Happened
from sandbox.chaos.judging.found import Invariant
from sandbox.chaos.judging.verdict import Verdict, judge
from sandbox.chaos.known import Known, SentMessage, StartedPayment
from sandbox.chaos.reading import Sources, read_books
from sandbox.mailbox import Mailbox
from sandbox.yookassa import YooKassaServer
from tests.acceptance.ledger import Ledger
from tests.acceptance.mails import payment_failed
from tests.acceptance.processes import Child, Fleet
from tests.acceptance.waiting import wait_until
from tests.support.databases import ClonedDatabase
from tests.support.payment_deliveries import start_payment

SLOW, SLOWER = "anna+slow1@families.example", "igor+slow3@families.example"
LIMITS = {"email_queue": 6}
PRICE = Decimal("4500.00")
PROTECTED = ""
# What a worker writes of an attempt whose work is done.
ENDED = ("done at attempt", "belongs to somebody else")


class Checked:
    """A mail queue with its processes, and what the checker says of it."""

    def __init__(self, fleet: Fleet, mail: Ledger, mailbox: Mailbox, folder: Path) -> None:
        self.fleet, self.mail, self.mailbox = fleet, mail, mailbox
        self._sources = Sources(fleet.variables["DATABASE_URL"], mailbox.store.folder, logs=(folder / "logs/out.log",))
        self._known = Known()
        self.workers: list[Child] = []

    def send(self, recipient: str) -> int:
        msg_id = self.mail.send(payment_failed(recipient, variables={"payment_id": str(uuid4()), "amount": 5000}))
        self._known.note(SentMessage(self.mail.queue, msg_id, recipient))
        return msg_id

    def worker(self, **options: Any) -> Child:
        self.workers.append(self.fleet.worker(**options))
        return self.workers[-1]

    def await_words(self, words: tuple[str, ...], times: int) -> None:
        """Wait until the workers have written so many of these."""
        wait_until(lambda: sum(worker.text.count(word) for worker in self.workers for word in words) >= times, words[0])

    def judge(self, *faults: Happened) -> Verdict:
        return judge(read_books(self._sources, limits=LIMITS), self._known, faults)


@pytest.fixture
def checked(fleet: Fleet, mail: Ledger, mailbox: Mailbox, tmp_path: Path) -> Checked:
    fleet.variables |= {
        "DJANGO_SETTINGS_MODULE": "sandbox.chaos.settings",
        "EMAIL_EXTRA_RECIPIENTS": "families.example",
    }
    return Checked(fleet, mail, mailbox, tmp_path)


@pytest.mark.parametrize("without", [PROTECTED, "claim-token"])
def test_a_task_that_the_broker_doubles(checked: Checked, line: "redis.Redis", without: str) -> None:
    checked.fleet.variables |= {"CHAOS_WITHOUT": without, "BRIDGE_DISPATCH_LEASE": "60"}
    # A child is long at the first, and its sibling at the copy of that before it is done.
    checked.send(SLOWER)
    checked.send(SLOW)
    checked.fleet.bridge()
    wait_until(lambda: line.llen("email") == 2, "both tasks are in line")
    assert double(line, "email", set()) == 2
    checked.worker()
    checked.await_words((*ENDED, "this delivery is stale"), 4)
    found = [str(one) for one in checked.judge().violations]
    if without:
        assert any("no fault between them explains it" in one for one in found), found
    else:
        assert found == []


@pytest.mark.parametrize("without", [PROTECTED, "finish-token"])
def test_a_worker_that_wakes_up_while_another_is_at_its_message(checked: Checked, without: str) -> None:
    checked.fleet.variables |= {"CHAOS_WITHOUT": without}
    arrivals = counted_arrivals(checked.mailbox)
    first, began = checked.worker(concurrency=1), datetime.now(UTC)
    checked.fleet.bridge()
    msg_id = checked.send(SLOW)
    wait_until(lambda: len(arrivals) == 1, "the first attempt has handed its mail over")
    parent = psutil.Process(first.pid)
    tree = [*parent.children(recursive=True), parent]
    stop(tree)
    checked.worker(concurrency=1)
    checked.mail.let_lease_run_out(msg_id)
    # Its answer takes a second: the second attempt runs.
    wait_until(lambda: len(arrivals) == 2, "the second attempt has handed its mail over")
    # The parent would end an attempt that has taken too long, before it had said anything.
    wake(tree[:-1])
    checked.await_words(ENDED, 1)
    wake(tree[-1:])
    checked.await_words(ENDED, 2)
    stopped = Happened(1, "worker_stop", "", began, datetime.now(UTC), frozenset(process.pid for process in tree))
    verdict = checked.judge(stopped)
    found = [str(one) for one in verdict.violations]
    assert [(one.copy, one.fault) for one in verdict.copies] == [(2, 1)]
    if without:
        assert any("done at attempt 1, and the archive has 2" in one for one in found), found
    else:
        assert found == []


def counted_arrivals(mailbox: Mailbox) -> list[str]:
    """The Message-IDs of mails that have come in whole, whether they were answered or not."""
    arrived: list[str] = []
    begin = mailbox.store.begin

    def counted(recipient: str, message_id: str, subject: str) -> int:
        arrived.append(message_id)
        return begin(recipient, message_id, subject)

    mailbox.store.begin = counted  # type: ignore[method-assign]
    return arrived


class Books:
    """YooKassa's books of a stand-in in this process."""

    def __init__(self, shop: YooKassaServer) -> None:
        self._shop = shop.shop

    def list_of(self, what: str) -> list[dict[str, Any]]:
        listed = self._shop.list_payments if what == "payments" else self._shop.list_refunds
        found: list[dict[str, Any]] = listed({"limit": "100"})["items"]
        return found


@pytest.fixture
def paid(database: ClonedDatabase, yookassa: YooKassaServer) -> Checkout:
    """A package that is paid at YooKassa, and nobody here has heard of it."""
    kind = AppointmentType.objects.create(name="Консультация", duration_minutes=50, price=PRICE)
    package = Package.objects.create(name="Четыре", session_count=4, appointment_type=kind, price=PRICE)
    checkout = start_payment(PRICE, kind=OrderKind.PACKAGE, package_id=package.pk)
    yookassa.succeed(str(checkout.external_id))
    return checkout


@pytest.fixture(params=[PROTECTED, "payment-lock"])
def without(request: pytest.FixtureRequest) -> Iterator[str]:
    what = str(request.param)
    if what:
        take_away(what)
    yield what
    if what:
        for manager in (Payment.objects, Checkout.objects):
            del manager.select_for_update


def money(database: ClonedDatabase, shop: YooKassaServer, checkout: Checkout, folder: Path) -> list[str]:
    """What is wrong with the money; that its mails wait in the queue is no matter here."""
    sources = Sources(database.url, folder / "no-mail", Books(shop))
    known = Known(payments=[StartedPayment(str(checkout.pk), PRICE, paid=True)])
    verdict = judge(read_books(sources, limits=LIMITS), known, ())
    return [str(one) for one in verdict.violations if one.invariant is Invariant.MONEY]


def test_two_doors_that_have_one_payment_in_hand(
    database: ClonedDatabase, yookassa: YooKassaServer, paid: Checkout, without: str, tmp_path: Path
) -> None:
    assert at_once(
        database, "public.package_purchases", lambda: sync_payment(paid.pk, door=Door.STAFF, at_once=True)
    ) == [None, None]
    found = money(database, yookassa, paid, tmp_path)
    if without:
        assert any("its payer has 2 things by it" in one for one in found), found
    else:
        assert found == []


def test_two_of_the_staff_who_give_the_same_money_back(
    database: ClonedDatabase, yookassa: YooKassaServer, paid: Checkout, without: str, tmp_path: Path
) -> None:
    sync_payment(paid.pk, door=Door.STAFF, at_once=True)

    def give_back() -> None:
        request_refund(payment_id=paid.pk, amount=None, reason="", actor_id=None, door=Door.STAFF)

    refusals = at_once(database, "balansity.payments_refund", give_back)
    assert [type(one) for one in refusals if one] == ([] if without else [NothingToRefund])
    sync_payment(paid.pk, door=Door.STAFF, at_once=True)
    found = money(database, yookassa, paid, tmp_path)
    if without:
        assert any("refunds of 9000.00 were accepted for 4500.00" in one for one in found), found
        assert any("we accepted it, and YooKassa refused it" in one for one in found), found
    else:
        assert found == []


def at_once(database: ClonedDatabase, table: str, work: Callable[[], object]) -> list[Exception | None]:
    """Do the work twice, and keep both from inserting into the table until both wait for something; returns what they
    raised.
    """

    def in_thread() -> Exception | None:
        try:
            work()
        except NothingToRefund as refusal:
            return refusal
        finally:
            connections.close_all()
        return None

    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with closing(psycopg2.connect(database.url)) as outside, outside.cursor() as cursor, ThreadPoolExecutor(2) as pool:
        cursor.execute(f"LOCK TABLE {table} IN SHARE MODE")
        doing = [pool.submit(in_thread) for _ in range(2)]
        looking = Ledger(database.url, "email_queue")
        try:
            wait_until(lambda: looking.rows(waiting) == [(2,)], "both wait")
        finally:
            outside.rollback()
        return [one.result(30) for one in doing]
