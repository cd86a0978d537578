"""Gives the customer what was paid for, once. Runs inside the transaction that notes the payment as paid."""

import logging
import uuid
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from payments.consultations.booking import (
    NotFulfillable,
    check_place,
    give_consultation,
    link,
    of_appointment,
    release,
    try_again_later,
)
from payments.consultations.twins import merge_twins
from payments.foreign import ForeignRefusal, foreign_write
from payments.ledger.book import Book
from payments.ledger.marks import was_dealt_with
from payments.minutes import same_minute
from payments.models import Appointment, AppointmentType, Checkout, Fulfilment, Package, PackagePurchase, Payment
from payments.states import NOTHING_GIVEN, Attention, EventKind, OrderKind

logger = logging.getLogger(__name__)

HELD = "completed"
# How old a payment of the system before us may be for a machine to give something for it: that one gave it long ago.
OLD_PAYMENTS_WITHIN = timedelta(days=1)


def fulfil(book: Book, *, vouched: bool) -> None:
    """Link or make the consultation or package of a paid payment; marks it for staff where that cannot be.

    A new consultation may keep its place first and wait for the payer's own row. `vouched` says that the provider
    itself names this payment as its own. Without that, only what is linked already counts: rows from before our time
    were written by the payer's browser.
    """
    checkout = book.checkout
    given = Fulfilment.objects.filter(pk=checkout.pk).first()
    if given is not None:
        merge_twins(book, given)
        return
    try:
        fulfilment = _found(book)
        if fulfilment is None and was_dealt_with(checkout.pk, *NOTHING_GIVEN):
            # A person has given it in another way: a machine would give it a second time.
            release(checkout)
            return
        fulfilment = fulfilment or _give_whole(book, vouched=vouched)
        if fulfilment is not None:
            _note(fulfilment)
    except NotFulfillable as why:
        book.flag(why.attention, str(why))
        if why.again:
            try_again_later(checkout)
        else:
            release(checkout)
        return
    if fulfilment is None:
        book.settle(Attention.SLOT_TAKEN, Attention.SLOT_PASSED)
        return
    book.note(
        EventKind.FULFILLED,
        what=fulfilment.kind,
        how=fulfilment.how,
        id=str(fulfilment.appointment_id or fulfilment.purchase_id),
    )
    release(checkout)
    book.settle(Attention.NOT_FULFILLED, Attention.SLOT_TAKEN, Attention.SLOT_PASSED)
    # A page that inserted its row twice did so before the payment, or while it waited.
    merge_twins(book, fulfilment)


def flag_deleted(book: Book) -> bool:
    """Mark a paid payment whose row is gone; returns whether that is news."""
    checkout = book.checkout
    given = Fulfilment.objects.filter(pk=checkout.pk).first()
    what = "nothing was given for it" if given is None else f"its {given.kind} had been given"
    news = book.flag(Attention.ROW_DELETED, f"the row in public.payments is gone; {what}")
    if news:
        logger.error("payment %s (%s %s) is paid and its row is gone", checkout.pk, checkout.amount, checkout.currency)
    return news


def _note(fulfilment: Fulfilment) -> None:
    try:
        with transaction.atomic():
            fulfilment.save(force_insert=True)
    except IntegrityError as error:
        # Another payment got the very same thing in this moment.
        why = f"the {fulfilment.kind} was given for another payment already"
        raise NotFulfillable(Attention.NOT_FULFILLED, why) from error


def _found(book: Book) -> Fulfilment | None:
    """What carries this payment's id already: given by the front end, or before our time.

    The payer's browser can write such rows, so for an order of ours one must be the very thing that was ordered.
    """
    payment, checkout = book.payment, book.checkout
    ours = checkout.request_body is not None
    appointments = list(Appointment.objects.filter(payment_id=payment.pk).order_by("created_at", "pk"))
    if appointments:
        others = _given([one.pk for one in appointments])
        own = [one for one in appointments if one.user_id == payment.user_id and one.pk not in others]
        right = next((one for one in own if not ours or _is_ordered(one, checkout)), None)
        if right is None:
            why = f"the consultation {appointments[0].pk} carries this payment and is not what was ordered"
            raise NotFulfillable(Attention.NOT_FULFILLED, why)
        if ours and right.status != HELD:
            check_place(right, checkout)
        return of_appointment(payment, right.pk, Fulfilment.How.FOUND)
    purchase = PackagePurchase.objects.filter(payment_id=payment.pk, user_id=payment.user_id).first()
    if purchase is None:
        return None
    if Fulfilment.objects.filter(purchase_id=purchase.pk).exists():
        why = f"the package {purchase.pk} carries this payment and was given for another one"
        raise NotFulfillable(Attention.NOT_FULFILLED, why)
    if ours and not _is_whole(purchase, checkout):
        why = f"the package {purchase.pk} carries this payment and is not what was ordered"
        raise NotFulfillable(Attention.NOT_FULFILLED, why)
    return _purchase(payment, purchase.pk, Fulfilment.How.FOUND)


def _given(ids: list[uuid.UUID]) -> set[uuid.UUID | None]:
    """Those of some consultations that were given for a payment: whoever owns one can write another into it."""
    return set(Fulfilment.objects.filter(appointment_id__in=ids).values_list("appointment_id", flat=True))


def _is_ordered(appointment: Appointment, checkout: Checkout) -> bool:
    if appointment.appointment_type_id != checkout.appointment_type_id:
        return False
    if checkout.appointment_id is not None:
        return appointment.pk == checkout.appointment_id
    return checkout.scheduled_at is not None and same_minute(appointment.scheduled_at, checkout.scheduled_at)


def _is_whole(purchase: PackagePurchase, checkout: Checkout) -> bool:
    sessions = Package.objects.filter(pk=purchase.package_id).values_list("session_count", flat=True).first()
    # Fewer are left once some were used.
    return purchase.package_id == checkout.package_id and purchase.sessions_remaining <= (sessions or 0)


def _give_whole(book: Book, *, vouched: bool) -> Fulfilment | None:
    """Give it, or nothing of it. What Supabase's tables refuse must not undo the news that the money is there."""
    try:
        with foreign_write():
            return _give(book, vouched=vouched)
    except ForeignRefusal as refusal:
        why = f"the database refused the {book.checkout.kind}: {refusal}"
        raise NotFulfillable(Attention.NOT_FULFILLED, why, again=True) from refusal


def _give(book: Book, *, vouched: bool) -> Fulfilment | None:
    checkout = book.checkout
    if not checkout.kind:
        raise NotFulfillable(Attention.NOT_FULFILLED, "the payment does not say what it is for")
    if checkout.request_body is None:
        if not vouched:
            raise NotFulfillable(Attention.NOT_FULFILLED, "YooKassa does not name this payment; look what it paid for")
        _check_age(checkout)
        _check_price(checkout)
    if checkout.kind == OrderKind.PACKAGE:
        return _sell_package(book)
    if checkout.appointment_id is not None:
        return _pay_booked(book, checkout.appointment_id)
    return give_consultation(book)


def _check_age(checkout: Checkout) -> None:
    """The system before us fulfilled its payments without a trace that the payer could not remove, and ask again."""
    paid = checkout.captured_at
    if paid is None or timezone.now() - paid > OLD_PAYMENTS_WITHIN:
        raise NotFulfillable(Attention.NOT_FULFILLED, "it was paid before our time; look what was given for it then")


def _check_price(checkout: Checkout) -> None:
    """The order of a payment that was not started here comes from a row that its payer can edit."""
    catalogue = AppointmentType if checkout.kind == OrderKind.APPOINTMENT else Package
    ordered = [one for one in (checkout.appointment_type_id, checkout.package_id) if one is not None]
    price = catalogue.objects.filter(pk__in=ordered).values_list("price", flat=True).first()
    if price != checkout.amount:
        raise NotFulfillable(Attention.NOT_FULFILLED, f"{checkout.amount} was paid for something that costs {price}")


def _sell_package(book: Book) -> Fulfilment:
    payment, checkout = book.payment, book.checkout
    package = Package.objects.filter(pk__in=[checkout.package_id]).first()
    if package is None:
        raise NotFulfillable(Attention.NOT_FULFILLED, f"the package {checkout.package_id} does not exist any more")
    purchase = PackagePurchase.objects.create(
        user_id=payment.user_id,
        package=package,
        sessions_remaining=package.session_count,
        payment=payment,
        purchased_at=timezone.now(),
    )
    # A trigger may swallow a row without an error.
    if not PackagePurchase.objects.filter(pk=purchase.pk, payment=payment).exists():
        why = "the database kept no row of the package: a trigger of Supabase's swallowed it"
        raise NotFulfillable(Attention.NOT_FULFILLED, why, again=True)
    return _purchase(payment, purchase.pk, Fulfilment.How.MADE)


def _pay_booked(book: Book, appointment_id: uuid.UUID) -> Fulfilment:
    mine = Appointment.objects.filter(user_id=book.payment.user_id)
    booked = mine.select_for_update().filter(pk=appointment_id).first()
    if booked is None:
        raise NotFulfillable(Attention.NOT_FULFILLED, f"the consultation {appointment_id} does not exist any more")
    if booked.payment_id is not None:
        why = f"the consultation {appointment_id} was paid with {booked.payment_id} already"
        raise NotFulfillable(Attention.NOT_FULFILLED, why)
    if _given([booked.pk]):
        why = f"the consultation {appointment_id} was given for another payment already"
        raise NotFulfillable(Attention.NOT_FULFILLED, why)
    if booked.appointment_type_id != book.checkout.appointment_type_id:
        why = f"the consultation {appointment_id} is of another kind by now than the one that was paid"
        raise NotFulfillable(Attention.NOT_FULFILLED, why)
    return link(book, booked)


def _purchase(payment: Payment, purchase_id: uuid.UUID, how: Fulfilment.How) -> Fulfilment:
    return Fulfilment(payment=payment, kind=OrderKind.PACKAGE, how=how, purchase_id=purchase_id)
