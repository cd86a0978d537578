"""Triggers of Supabase's side may raise anything: that undoes no news about money, and heals when they are mended."""

from collections.abc import Callable
from datetime import timedelta
from unittest import mock

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from payments import tasks
from payments.checking.sync import sync_payment
from payments.foreign import ForeignRefusal, foreign_write
from payments.models import Appointment, Checkout, Fulfilment, PackagePurchase, Payment, PaymentEvent, Refund
from payments.refunds.request import request_refund
from payments.states import Attention, Door, EventKind, ProviderStatus, RefundStatus
from sandbox.frontend import Step
from sandbox.yookassa import YooKassaServer
from tests.support.bookings import PAID, Buyer, buyer
from tests.support.payment_calls import Catalogue, Customer, at_yookassa, tomorrow
from tests.support.payment_deliveries import work_off

# What a trigger may do: errors of every kind, an outage of something that it asks, or nothing at all with the row.
RAISES = {
    "an error of its own": "RAISE EXCEPTION 'no telegram for anna@example.org, +7 999 123-45-67'",
    "a missing function": "PERFORM net.http_post('x')",
    "a bad value": "PERFORM 'x'::int",
    "a constraint": "RAISE unique_violation USING MESSAGE = 'taken'",
    "a missing right": "RAISE insufficient_privilege USING MESSAGE = 'no'",
    "a timeout": "RAISE query_canceled USING MESSAGE = 'statement timeout'",
    "an outage of another server": "RAISE EXCEPTION 'dblink: no connection' USING ERRCODE = '08001'",
    "a deadlock": "RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'",
    "a full disk elsewhere": "RAISE disk_full USING MESSAGE = 'elsewhere'",
    "a shutdown elsewhere": "RAISE EXCEPTION 'elsewhere' USING ERRCODE = '57P01'",
    "a swallowed row": "RETURN NULL",
}
FEW = ("an error of its own", "an outage of another server", "a swallowed row")
TABLES = ("appointments", "package_purchases", "payments")


def break_table(table: str, doing: str, *, when: str = "BEFORE INSERT OR UPDATE", deferred: bool = False) -> None:
    trigger = "CREATE CONSTRAINT TRIGGER" if deferred else "CREATE TRIGGER"
    later = "DEFERRABLE INITIALLY DEFERRED" if deferred else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE OR REPLACE FUNCTION public.trouble() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN {doing}; RETURN NEW; END $$;"
            f" {trigger} trouble {when} ON public.{table} {later} FOR EACH ROW EXECUTE FUNCTION public.trouble()"
        )


def mend(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER trouble ON public.{table}")


def hours_later(work: Callable[[], object]) -> None:
    # Asked for by that name everywhere; freezing it for all modules takes longer than most of the work.
    later = timezone.now() + timedelta(hours=2)
    with mock.patch.object(timezone, "now", return_value=later):
        work()


def test_what_a_trigger_on_bookings_raises_ends_as_paid_and_not_given_until_it_is_mended(
    catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    for what, doing in RAISES.items():
        anna = buyer(catalogue, yookassa)
        break_table("appointments", doing)
        anna.play(*PAID)
        assert (anna.visit.answers[-1].status, anna.visit.answers[-1].body["status"]) == (200, "completed"), what
        checkout = anna.checkout
        assert (checkout.attention, checkout.provider_status) == (Attention.NOT_FULFILLED, ProviderStatus.SUCCEEDED)
        assert Payment.objects.get(pk=checkout.pk).status == "completed"
        # Its place is hers all the same.
        igor = buyer(catalogue, yookassa, anna.start).play(Step.CREATE)
        assert igor.visit.answers[-1].code == "slot_taken", what

        hours_later(tasks.give_held)
        assert anna.checkout.attention == Attention.NOT_FULFILLED
        mend("appointments")
        hours_later(lambda: hours_later(tasks.give_held))
        anna.only_booking()


def test_the_reason_names_what_is_broken_and_nobody(catalogue: Catalogue, yookassa: YooKassaServer) -> None:
    anna = buyer(catalogue, yookassa)
    break_table("appointments", RAISES["an error of its own"])
    note = anna.play(*PAID).checkout.attention_note
    assert note.endswith("RaiseException P0001: no telegram for *** ***")


def test_the_telegram_trigger_of_production_without_pg_net_is_named_as_the_reason(
    catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO public.telegram_config (name, bot_token, chat_id)"
            " VALUES ('manager_notifications', 'token', '1')"
        )
    anna = buyer(catalogue, yookassa).play(*PAID)
    assert anna.visit.answers[-1].body["status"] == "completed"
    assert 'schema "net" does not exist' in anna.checkout.attention_note


@pytest.mark.parametrize("table", TABLES)
def test_a_trigger_that_waits_for_the_end_of_the_transaction_undoes_no_money_either(
    table: str, catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    customer = Customer()
    metadata = catalogue.bundle() if table == "package_purchases" else catalogue.booking()
    payment_id = customer.create(metadata).body["payment_id"]
    yookassa.succeed(str(Checkout.objects.get(pk=payment_id).external_id))
    break_table(table, "RAISE EXCEPTION 'at the end'", when="AFTER INSERT OR UPDATE", deferred=True)
    assert customer.verify(payment_id).body["status"] == "completed"
    checkout = Checkout.objects.get(pk=payment_id)
    assert (checkout.provider_status, "at the end" in checkout.attention_note) == ("succeeded", True)


def test_a_package_is_given_when_the_trigger_is_mended(catalogue: Catalogue, yookassa: YooKassaServer) -> None:
    customer = Customer()
    payment_id = customer.create(catalogue.bundle()).body["payment_id"]
    yookassa.succeed(str(Checkout.objects.get(pk=payment_id).external_id))
    break_table("package_purchases", RAISES["an error of its own"])
    assert customer.verify(payment_id).body["status"] == "completed"
    mend("package_purchases")
    hours_later(tasks.give_held)
    assert str(PackagePurchase.objects.get().payment_id) == payment_id
    assert Checkout.objects.get().attention == ""


def test_a_booked_consultation_is_linked_when_the_trigger_is_mended_unless_it_was_called_off(
    catalogue: Catalogue, yookassa: YooKassaServer
) -> None:
    customer = Customer()
    booked = [customer.books(catalogue.consultation, tomorrow() + timedelta(hours=hour)) for hour in (0, 1)]
    started = [customer.create(catalogue.booked(row)).body["payment_id"] for row in booked]
    break_table("appointments", RAISES["an error of its own"])
    for payment_id in started:
        yookassa.succeed(str(Checkout.objects.get(pk=payment_id).external_id))
        assert customer.verify(payment_id).body["status"] == "completed"
    mend("appointments")
    Appointment.objects.filter(pk=booked[1].pk).update(status="cancelled")
    hours_later(tasks.give_held)
    assert [Fulfilment.objects.filter(pk=payment_id).count() for payment_id in started] == [1, 0]
    assert Checkout.objects.get(pk=started[1]).attention == Attention.NOT_FULFILLED


class TestTheRowOfThePayment:
    @pytest.mark.parametrize("doing", [RAISES[name] for name in FEW], ids=FEW)
    def test_news_that_the_row_does_not_take_is_kept_in_ours_and_written_once_it_does(
        self, doing: str, catalogue: Catalogue, yookassa: YooKassaServer
    ) -> None:
        customer = Customer()
        payment_id = customer.create(catalogue.bundle()).body["payment_id"]
        yookassa.succeed(str(Checkout.objects.get(pk=payment_id).external_id))
        break_table("payments", doing)
        assert customer.verify(payment_id).body["status"] == "completed"
        checkout = Checkout.objects.get()
        assert (checkout.provider_status, checkout.attention) == ("succeeded", Attention.ROW_REFUSED)
        assert Payment.objects.get().status == "processing"
        assert PackagePurchase.objects.count() == 1

        mend("payments")
        hours_later(lambda: (tasks.queue_due_checks(), work_off()))
        assert Payment.objects.get().status == "completed"
        assert Checkout.objects.get().attention == ""

    def test_a_payment_is_started_though_its_row_takes_no_change(
        self, catalogue: Catalogue, yookassa: YooKassaServer
    ) -> None:
        customer = Customer()
        row = customer.inserts_row(catalogue.bundle(), payment_method=None)
        break_table("payments", RAISES["an error of its own"])
        started = customer.create(catalogue.bundle())
        assert (started.status, started.body["payment_id"]) == (200, str(row.pk))
        assert Checkout.objects.get().external_id == at_yookassa(yookassa)[0]["id"]

    @pytest.mark.parametrize("doing", [RAISES[name] for name in FEW], ids=FEW)
    def test_no_payment_is_started_whose_row_is_refused(
        self, doing: str, catalogue: Catalogue, yookassa: YooKassaServer
    ) -> None:
        break_table("payments", doing)
        refused = Customer().create(catalogue.bundle())
        assert (refused.status, refused.code) == (503, "payment_not_stored")
        assert "retry-after" in refused.headers
        assert at_yookassa(yookassa) == []
        assert not Checkout.objects.exists()

    def test_a_refund_that_the_row_does_not_take_is_kept(self, catalogue: Catalogue, yookassa: YooKassaServer) -> None:
        anna = buyer(catalogue, yookassa).play(*PAID)
        request_refund(payment_id=anna.checkout.pk, amount=None, reason="", actor_id=None, door=Door.STAFF)
        break_table("payments", RAISES["an error of its own"])
        sync_payment(anna.checkout.pk, door=Door.QUEUE)
        assert (Refund.objects.get().status, anna.checkout.attention) == (RefundStatus.SUCCEEDED, "row_refused")
        mend("payments")
        sync_payment(anna.checkout.pk, door=Door.QUEUE)
        assert (Payment.objects.get().status, anna.checkout.attention) == ("refunded", "")


class TestATriggerThatSaysNothing:
    def test_and_keeps_a_second_booking_does_not_make_it_one_that_is_gone(
        self, catalogue: Catalogue, yookassa: YooKassaServer
    ) -> None:
        anna = buyer(catalogue, yookassa).play(*PAID)
        hours_later(tasks.give_held)
        break_table("appointments", "RETURN NULL", when="BEFORE DELETE")
        anna.play(Step.BOOK)
        tasks.give_held()
        assert not PaymentEvent.objects.filter(kind=EventKind.MERGED).exists()
        assert sorted(row.payment_id is None for row in anna.rows) == [False, True]
        mend("appointments")
        tasks.give_held()
        assert str(anna.only_booking().pk) == anna.visit.bookings[0]

    def test_and_keeps_the_payment_out_of_a_booking_is_seen(
        self, catalogue: Catalogue, yookassa: YooKassaServer
    ) -> None:
        break_table("appointments", "NEW.payment_id := OLD.payment_id", when="BEFORE UPDATE")
        anna = buyer(catalogue, yookassa).play(Step.BOOK, *PAID)
        assert anna.checkout.attention == Attention.NOT_FULFILLED
        mend("appointments")
        hours_later(tasks.give_held)
        anna.only_booking()

    def test_and_keeps_the_status_out_of_a_payment_is_seen(
        self, catalogue: Catalogue, yookassa: YooKassaServer
    ) -> None:
        anna = buyer(catalogue, yookassa).play(Step.ROW, Step.CREATE)
        break_table("payments", "NEW.status := OLD.status", when="BEFORE UPDATE")
        anna.play(Step.PAID, Step.VERIFY, Step.BOOK)
        assert anna.checkout.attention == Attention.ROW_REFUSED
        mend("payments")
        sync_payment(anna.checkout.pk, door=Door.QUEUE)
        anna.only_booking()


def test_a_refund_whose_mail_cannot_be_queued_is_kept(catalogue: Catalogue, yookassa: YooKassaServer) -> None:
    anna: Buyer = buyer(catalogue, yookassa).play(*PAID)
    request_refund(payment_id=anna.checkout.pk, amount=None, reason="", actor_id=None, door=Door.STAFF)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION public.trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
            "CREATE TRIGGER trouble BEFORE INSERT ON pgmq.q_email_queue EXECUTE FUNCTION public.trouble()"
        )
    sync_payment(anna.checkout.pk, door=Door.QUEUE)
    assert Refund.objects.get().status == RefundStatus.SUCCEEDED


@pytest.mark.usefixtures("database")
def test_a_lost_connection_is_no_refusal() -> None:
    with pytest.raises(OperationalError), transaction.atomic(), foreign_write(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    connection.close()
    with (
        pytest.raises(ForeignRefusal, match="22012"),
        transaction.atomic(),
        foreign_write(),
        connection.cursor() as one,
    ):
        one.execute("SELECT 1 / 0")
