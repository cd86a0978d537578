"""What a paid order is given, row by row: only what is its payer's, was ordered, and was given for nothing else."""

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from payments.checking.fulfil import flag_deleted, fulfil
from payments.ledger.book import open_book
from payments.ledger.marks import open_marks
from payments.models import Appointment, Checkout, Fulfilment, Package, PackagePurchase, Payment, PaymentEvent
from payments.states import Attention, Door, EventKind, OrderKind, ProviderStatus
from tests.support.checkouts import flag, make_checkout, make_customer
from tests.support.payment_calls import Catalogue, make_catalogue, tomorrow

pytestmark = pytest.mark.usefixtures("database")


def order(catalogue: Catalogue, **fields: Any) -> Checkout:
    """Paid, by default for a consultation tomorrow."""
    kind: dict[str, Any] = {"kind": OrderKind.APPOINTMENT, "appointment_type_id": catalogue.consultation.pk}
    if not {"appointment_id", "scheduled_at"} & fields.keys():
        kind["scheduled_at"] = tomorrow()
    return make_checkout(ProviderStatus.SUCCEEDED, **(kind | fields))


def bundle(catalogue: Catalogue, **fields: Any) -> Checkout:
    return make_checkout(ProviderStatus.SUCCEEDED, kind=OrderKind.PACKAGE, package_id=catalogue.package.pk, **fields)


def row_of(checkout: Checkout, catalogue: Catalogue, **fields: Any) -> Appointment:
    """A consultation of the payer's tomorrow, by default with the payment in it."""
    usual = {
        "user_id": checkout.user_id,
        "appointment_type": catalogue.consultation,
        "scheduled_at": tomorrow(),
        "payment_id": checkout.pk,
    }
    return Appointment.objects.create(**(usual | fields))


def bought(checkout: Checkout, catalogue: Catalogue, **fields: Any) -> PackagePurchase:
    usual = {
        "user_id": checkout.user_id,
        "package": catalogue.package,
        "sessions_remaining": catalogue.package.session_count,
        "payment_id": checkout.pk,
        "purchased_at": timezone.now(),
    }
    return PackagePurchase.objects.create(**(usual | fields))


def told_as_given(checkout: Checkout) -> str:
    """The id that the timeline names."""
    return str(PaymentEvent.objects.get(payment_id=checkout.pk, kind=EventKind.FULFILLED).data["id"])


def give(checkout: Checkout, *, vouched: bool = True) -> Fulfilment | None:
    with open_book(checkout.pk, door=Door.QUEUE) as book:
        fulfil(book, vouched=vouched)
    checkout.refresh_from_db()
    return Fulfilment.objects.filter(pk=checkout.pk).first()


def keep_place(checkout: Checkout) -> None:
    now = timezone.now()
    Checkout.objects.filter(pk=checkout.pk).update(held_at=now, give_at=now)


def assert_left_to_a_person(checkout: Checkout, says: str, *, vouched: bool = True) -> None:
    bookings, packages = Appointment.objects.count(), PackagePurchase.objects.count()
    assert give(checkout, vouched=vouched) is None
    (mark,) = open_marks(checkout.pk)
    assert (mark.reason, says in mark.note) == (Attention.NOT_FULFILLED, True), mark.note
    assert (checkout.held_at, checkout.give_at) == (None, None)
    assert (Appointment.objects.count(), PackagePurchase.objects.count()) == (bookings, packages)


def test_what_others_were_given_stands_in_nobodys_way(catalogue: Catalogue) -> None:
    first, second = bundle(catalogue), bundle(catalogue)
    for checkout in (first, second, first):
        given = give(checkout)
        assert given is not None
        assert PackagePurchase.objects.get(payment_id=checkout.pk).pk == given.purchase_id
        assert open_marks(checkout.pk) == []
    assert PackagePurchase.objects.count() == 2


def test_what_a_person_has_given_otherwise_is_given_by_no_machine_but_found(catalogue: Catalogue) -> None:
    checkout = bundle(catalogue)
    flag(checkout, Attention.NOT_FULFILLED, "the database refused it")
    with open_book(checkout.pk, door=Door.STAFF, actor=7) as book:
        book.clear("given by hand")
    keep_place(checkout)
    assert give(checkout) is None
    assert (checkout.held_at, checkout.give_at) == (None, None)
    assert not PackagePurchase.objects.exists()
    own = bought(checkout, catalogue)
    found = give(checkout)
    assert found is not None
    assert found.purchase_id == own.pk


@pytest.mark.parametrize("body", [{}, None], ids=["ours", "before us"])
def test_each_payment_finds_the_consultation_that_carries_it(body: Any, catalogue: Catalogue) -> None:
    first, second = (order(catalogue, request_body=body) for _ in range(2))
    Payment.objects.filter(pk=second.pk).update(user_id=first.user_id)
    Checkout.objects.filter(pk=second.pk).update(user_id=first.user_id)
    second.refresh_from_db()
    rows = [row_of(checkout, catalogue, user_id=first.user_id) for checkout in (first, second)]
    # The second first: by then nothing is given, and the other row is older.
    Appointment.objects.filter(pk=rows[0].pk).update(scheduled_at=tomorrow() + timedelta(days=1))
    flag(second, Attention.SLOT_TAKEN, "as it seemed")
    keep_place(second)
    found = give(second)
    assert found is not None
    assert (found.appointment_id, found.how) == (rows[1].pk, Fulfilment.How.FOUND)
    assert (second.held_at, second.give_at, open_marks(second.pk)) == (None, None, [])
    assert told_as_given(second) == str(found.appointment_id)


@pytest.mark.parametrize("otherwise", ["a stranger's", "given for another", "of another kind", "at another time"])
def test_a_consultation_that_carries_the_payment_is_not_taken_if_it_is(otherwise: str, catalogue: Catalogue) -> None:
    checkout = order(catalogue)
    fields: dict[str, Any] = {}
    if otherwise == "a stranger's":
        fields = {"user_id": make_customer().pk}
    elif otherwise == "of another kind":
        fields = {"appointment_type": make_catalogue().consultation}
    elif otherwise == "at another time":
        fields = {"scheduled_at": tomorrow() + timedelta(minutes=1)}
    row = row_of(checkout, catalogue, **fields)
    if otherwise == "given for another":
        payment = order(catalogue).payment
        Fulfilment.objects.create(
            payment=payment, kind=OrderKind.APPOINTMENT, how=Fulfilment.How.MADE, appointment_id=row.pk
        )
    assert_left_to_a_person(checkout, f"the consultation {row.pk} carries this payment and is not what was ordered")


def test_of_several_rows_that_carry_a_payment_the_ordered_one_is_found(catalogue: Catalogue) -> None:
    own = uuid.uuid4()
    checkout = order(catalogue, appointment_id=own)
    row_of(checkout, catalogue)
    row_of(checkout, catalogue, pk=own, scheduled_at=tomorrow() + timedelta(days=1))
    found = give(checkout)
    assert found is not None
    assert found.appointment_id == own


@pytest.mark.parametrize(
    ("body", "fields", "is_found"),
    [
        ({}, {"status": "cancelled"}, False),
        (None, {"status": "cancelled"}, True),
        (None, {"scheduled_at": tomorrow() + timedelta(days=1)}, True),
        ({}, {"status": "completed"}, True),
    ],
    ids=["called off", "called off before us", "at another time before us", "held"],
)
def test_a_consultation_that_was_called_off_counts_as_given_only_before_our_time(
    body: Any, fields: dict[str, Any], is_found: bool, catalogue: Catalogue
) -> None:
    checkout = order(catalogue, request_body=body)
    row_of(checkout, catalogue, **fields)
    assert (give(checkout) is not None) == is_found


def test_a_package_that_carries_the_payment_is_found_though_some_of_it_was_used(catalogue: Catalogue) -> None:
    checkout, other = bundle(catalogue), bundle(catalogue)
    Payment.objects.filter(pk=other.pk).update(user_id=checkout.user_id)
    Checkout.objects.filter(pk=other.pk).update(user_id=checkout.user_id)
    theirs = bought(other, catalogue, user_id=checkout.user_id)
    own = bought(checkout, catalogue, sessions_remaining=catalogue.package.session_count - 1)
    for payment, purchase in ((other, theirs), (checkout, own)):
        found = give(payment)
        assert found is not None
        assert (found.purchase_id, found.how) == (purchase.pk, Fulfilment.How.FOUND)
        assert told_as_given(payment) == str(purchase.pk)


@pytest.mark.parametrize("doing", ["RETURN NULL", "NEW.payment_id := NULL; RETURN NEW"], ids=["swallows", "empties"])
def test_a_package_that_a_trigger_keeps_from_its_payer_is_tried_again(doing: str, catalogue: Catalogue) -> None:
    checkout = bundle(catalogue)
    bought(checkout, catalogue, user_id=make_customer().pk)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {doing}; END $$")
        cursor.execute(
            "CREATE TRIGGER trouble BEFORE INSERT ON public.package_purchases FOR EACH ROW EXECUTE FUNCTION trouble()"
        )
    assert give(checkout) is None
    (mark,) = open_marks(checkout.pk)
    assert (mark.reason, "the database kept no row of the package" in mark.note) == (Attention.NOT_FULFILLED, True)
    assert checkout.held_at is not None
    assert checkout.give_at is not None
    assert checkout.give_at > timezone.now()


def test_a_place_that_was_taken_and_is_free_again_is_kept_for_the_payers_own_row(
    catalogue: Catalogue, settings: Settings
) -> None:
    settings.APPOINTMENT_WAIT_SECONDS = 90
    checkout = order(catalogue)
    flag(checkout, Attention.SLOT_TAKEN, "somebody else has the time")
    assert give(checkout) is None
    assert checkout.held_at is not None
    assert open_marks(checkout.pk) == []


def test_how_many_sessions_a_package_of_the_system_before_us_has_is_its_own_affair(catalogue: Catalogue) -> None:
    checkout = bundle(catalogue, request_body=None)
    own = bought(checkout, catalogue, sessions_remaining=catalogue.package.session_count + 1)
    found = give(checkout)
    assert found is not None
    assert found.purchase_id == own.pk


@pytest.mark.parametrize("otherwise", ["given for another", "another package", "more sessions"])
def test_a_package_that_carries_the_payment_is_not_taken_if_it_is(otherwise: str, catalogue: Catalogue) -> None:
    checkout = bundle(catalogue)
    fields: dict[str, Any] = {}
    if otherwise == "another package":
        fields = {"package": make_catalogue().package}
    elif otherwise == "more sessions":
        # Others have more.
        Package.objects.create(
            pk=uuid.UUID(int=1), name="", session_count=99, appointment_type=catalogue.consultation, price=1
        )
        fields = {"sessions_remaining": catalogue.package.session_count + 1}
    own = bought(checkout, catalogue, **fields)
    if otherwise == "given for another":
        payment = bundle(catalogue).payment
        Fulfilment.objects.create(payment=payment, kind=OrderKind.PACKAGE, how=Fulfilment.How.MADE, purchase_id=own.pk)
    assert_left_to_a_person(checkout, f"the package {own.pk} carries this payment and ")


def test_a_strangers_package_with_the_payment_in_it_does_not_count(catalogue: Catalogue) -> None:
    checkout = bundle(catalogue)
    theirs = bought(checkout, catalogue, user_id=make_customer().pk)
    given = give(checkout)
    assert given is not None
    assert (given.how, given.purchase_id != theirs.pk) == (Fulfilment.How.MADE, True)


@pytest.mark.parametrize(
    "otherwise", ["a stranger's", "gone", "paid by another", "given for another", "of another kind"]
)
def test_a_booked_consultation_is_not_paid_if_it_is(otherwise: str, catalogue: Catalogue) -> None:
    own = uuid.uuid4()
    checkout, other = order(catalogue, appointment_id=own), order(catalogue)
    fields: dict[str, Any] = {"pk": own, "payment_id": None}
    if otherwise == "a stranger's":
        fields |= {"user_id": make_customer().pk}
    elif otherwise == "gone":
        fields |= {"pk": uuid.uuid4()}
    elif otherwise == "paid by another":
        fields |= {"payment_id": other.pk}
    elif otherwise == "of another kind":
        fields |= {"appointment_type": make_catalogue().consultation}
    row_of(checkout, catalogue, **fields)
    if otherwise == "given for another":
        Fulfilment.objects.create(
            payment=other.payment, kind=OrderKind.APPOINTMENT, how=Fulfilment.How.LINKED, appointment_id=own
        )
    assert_left_to_a_person(checkout, f"the consultation {own} ")
    assert not Appointment.objects.filter(payment_id=checkout.pk).exists()


def test_each_booked_consultation_is_linked_with_its_payment(catalogue: Catalogue) -> None:
    for day in range(2):
        own, start = uuid.uuid4(), tomorrow() + timedelta(days=day)
        checkout = order(catalogue, appointment_id=own)
        row_of(checkout, catalogue, pk=own, payment_id=None, scheduled_at=start)
        given = give(checkout)
        assert given is not None
        assert (given.appointment_id, given.how) == (own, Fulfilment.How.LINKED)


def test_an_order_that_says_not_what_it_is_for_is_left_to_a_person_and_keeps_no_place() -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    keep_place(checkout)
    assert_left_to_a_person(checkout, "does not say what it is for")


def test_of_a_deleted_row_it_is_told_what_was_given_for_it(catalogue: Catalogue) -> None:
    given, bare = bundle(catalogue), bundle(catalogue)
    assert give(given) is not None
    for checkout, says in ((given, "its package had been given"), (bare, "nothing was given for it")):
        with open_book(checkout.pk, door=Door.QUEUE) as book:
            assert flag_deleted(book)
            assert not flag_deleted(book)
        (mark,) = open_marks(checkout.pk)
        assert mark.note.endswith(says)


def test_a_package_that_is_not_sold_any_more_is_left_to_a_person(catalogue: Catalogue) -> None:
    checkout = bundle(catalogue)
    Checkout.objects.filter(pk=checkout.pk).update(package_id=uuid.uuid4())
    assert_left_to_a_person(checkout, "does not exist any more")


@pytest.mark.parametrize(
    ("fields", "vouched", "says"),
    [
        ({"amount": Decimal("4500.00")}, False, "does not name this payment"),
        ({"captured_at": None}, True, "before our time"),
        ({"captured_at": timedelta(days=1, minutes=1)}, True, "before our time"),
        ({"amount": Decimal("4499.99")}, True, "4499.99 was paid for something that costs 4500.00"),
        ({"package_id": uuid.UUID(int=7)}, True, "was paid for something that costs None"),
    ],
    ids=["not vouched for", "without a day", "old", "another price", "nothing on sale"],
)
def test_what_the_system_before_us_sold_is_not_given_if_it_is(
    fields: dict[str, Any], vouched: bool, says: str, catalogue: Catalogue
) -> None:
    age = fields.get("captured_at")
    checkout = bundle(catalogue, request_body=None)
    Checkout.objects.filter(pk=checkout.pk).update(
        **(fields | ({"captured_at": timezone.now() - age} if age is not None else {}))
    )
    assert_left_to_a_person(checkout, says, vouched=vouched)


def test_what_the_system_before_us_sold_today_is_given_at_its_own_price(catalogue: Catalogue) -> None:
    make_catalogue(price=Decimal("1.00"))
    assert give(bundle(catalogue, request_body=None)) is not None
    checkout = order(catalogue, request_body=None)
    assert give(checkout) is not None or checkout.held_at is not None
