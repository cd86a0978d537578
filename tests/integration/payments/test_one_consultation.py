"""One consultation per payment, in whatever order the front end does its steps; its place is taken once it is paid."""

import itertools

import hypothesis
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from pytest_django import Settings

from payments import tasks
from payments.checking.sync import sync_payment
from payments.states import Attention, Door
from sandbox.frontend import Step, every_order
from sandbox.yookassa import YooKassaServer
from tests.support.bookings import PAID, WAIT, Buyer, Clock, again, buyer, let_wait_pass, now_in_database
from tests.support.payment_calls import Catalogue, Customer, tomorrow

pytestmark = pytest.mark.usefixtures("wait_as_in_production")

LATE = 59


def play_late(one: Buyer, steps: tuple[Step, ...], clock: Clock, seconds: int = 0) -> None:
    """The page's own booking comes so many seconds after what was before it, with beat at work meanwhile."""
    for step in steps:
        if step is Step.BOOK:
            clock.tick(seconds)
            tasks.give_held()
        one.play(step)
    # Should the last news have been lost.
    sync_payment(one.checkout.pk, door=Door.RECONCILIATION)
    let_wait_pass(clock)


def test_every_order_of_the_real_pages_steps_ends_in_one_linked_booking_and_one_mail(
    catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock
) -> None:
    for rest in every_order([step for step in Step if step is not Step.ROW]):
        clock.move_to(now_in_database())
        one = buyer(catalogue, yookassa)
        play_late(one, (Step.ROW, *rest), clock, seconds=LATE)
        assert [str(one.only_booking().pk)] == one.visit.bookings, f"not the page's own row after {rest}"
        assert one.confirmations() == 1, rest


@given(
    steps=st.sampled_from([*every_order()]),
    late=st.integers(0, LATE),
    once_more=st.one_of(st.none(), st.integers(0, 2 * WAIT), st.just(400)),
)
@hypothesis.settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_at_all_with_a_row_that_is_late_or_comes_twice_ends_in_one_booking(
    catalogue: Catalogue,
    yookassa: YooKassaServer,
    clock: Clock,
    steps: tuple[Step, ...],
    late: int,
    once_more: int | None,
) -> None:
    # The front end's rows have the time of the database, which no test moves.
    clock.move_to(now_in_database())
    one = buyer(catalogue, yookassa)
    play_late(one, steps, clock, seconds=late)
    if once_more is not None:
        clock.tick(once_more)
        one.play(Step.BOOK)
        let_wait_pass(clock)
    assert str(one.only_booking().pk) in one.visit.bookings


def test_a_tab_that_was_closed_gets_its_booking_all_the_same(
    catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock
) -> None:
    steps = (Step.ROW, Step.CREATE, Step.PAID)
    for end in ((), (Step.NOTIFIED,), (Step.VERIFY,), (Step.NOTIFIED, Step.VERIFY), (Step.VERIFY, Step.NOTIFIED)):
        one = buyer(catalogue, yookassa)
        play_late(one, (*steps, *end), clock)
        # Seconds are cut before they are stored.
        assert one.only_booking().scheduled_at == one.start
        assert one.confirmations() == 1, end


def test_a_page_that_inserts_its_row_twice_has_one_booking_in_the_end(
    catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock
) -> None:
    for first, pause in itertools.product(range(1, 5), (1, 100)):
        clock.move_to(now_in_database())
        one = buyer(catalogue, yookassa).play(*PAID[:first], Step.BOOK, *PAID[first:])
        clock.tick(pause)
        tasks.give_held()
        one.play(Step.BOOK)
        let_wait_pass(clock)
        assert str(one.only_booking().pk) in one.visit.bookings


def test_the_place_is_taken_from_the_moment_of_payment(
    anna: Buyer, catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock
) -> None:
    igor = buyer(catalogue, yookassa, anna.start)
    igor.play(Step.ROW, Step.CREATE)
    anna.play(*PAID)
    assert anna.rows == []
    olga = buyer(catalogue, yookassa, anna.start).play(Step.ROW, Step.CREATE)
    assert olga.visit.answers[-1].code == "slot_taken"
    igor.play(Step.PAID, Step.VERIFY, Step.BOOK)
    assert igor.visit.answers[-1].body["status"] == "completed"
    assert igor.checkout.attention == Attention.SLOT_TAKEN
    let_wait_pass(clock)
    assert anna.only_booking().payment_id == anna.checkout.pk
    assert [row.payment_id for row in igor.rows] == [None]


def test_a_strangers_row_in_the_meantime_takes_nothing_from_who_has_paid(
    anna: Buyer, catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock
) -> None:
    anna.play(*PAID)
    igor = buyer(catalogue, yookassa, anna.start).play(Step.BOOK)
    clock.tick(LATE)
    anna.play(Step.BOOK)
    let_wait_pass(clock)
    anna.only_booking()
    # Nor may he pay for what is hers.
    igor.play(Step.CREATE)
    assert igor.visit.answers[-1].code == "slot_taken"


def test_a_time_with_two_places_is_sold_twice_and_no_place_is_counted_twice(
    catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock, settings: Settings
) -> None:
    settings.APPOINTMENT_SLOT_CAPACITY = 2
    start = tomorrow()
    # One waits, one has inserted its row, which waits to be linked.
    first = buyer(catalogue, yookassa, start).play(*PAID, Step.BOOK)
    second = buyer(catalogue, yookassa, start).play(*PAID)
    third = buyer(catalogue, yookassa, start).play(Step.CREATE)
    assert second.visit.answers[-1].body["status"] == "completed"
    assert second.checkout.attention == ""
    assert third.visit.answers[-1].code == "slot_taken"
    let_wait_pass(clock)
    assert {first.only_booking().scheduled_at.minute, second.only_booking().scheduled_at.minute} == {0}


def test_who_pays_twice_for_two_children_gets_two(
    catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock, settings: Settings
) -> None:
    settings.APPOINTMENT_SLOT_CAPACITY = 2
    customer, start = Customer(), tomorrow()
    children = [str(customer.child().pk) for _ in range(2)]
    tabs = [again(customer, catalogue, yookassa, start, profile_id=child) for child in children]
    for tab in tabs:
        tab.play(*PAID)
    for tab in reversed(tabs):
        tab.play(Step.BOOK)
    let_wait_pass(clock)
    booked = {str(row.profile_id): row.payment_id for row in tabs[0].rows}
    assert booked == {child: tab.checkout.pk for child, tab in zip(children, tabs, strict=True)}


def test_a_row_for_another_child_is_another_booking(
    catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock, settings: Settings
) -> None:
    settings.APPOINTMENT_SLOT_CAPACITY = 2
    customer, start = Customer(), tomorrow()
    paid, unpaid = (again(customer, catalogue, yookassa, start, profile_id=str(customer.child().pk)) for _ in range(2))
    paid.play(*PAID)
    unpaid.play(Step.BOOK)
    let_wait_pass(clock)
    tasks.give_held()
    assert sorted(row.payment_id is None for row in paid.rows) == [False, True]
    assert str(next(row.pk for row in paid.rows if row.payment_id is None)) in unpaid.visit.bookings


def test_nobody_pays_a_second_time_for_what_waits_for_its_row(
    anna: Buyer, catalogue: Catalogue, yookassa: YooKassaServer, clock: Clock
) -> None:
    anna.play(*PAID)
    other_tab = again(anna.customer, catalogue, yookassa, anna.start)
    assert other_tab.play(Step.CREATE).visit.answers[-1].code == "already_paid"
    anna.play(Step.BOOK)
    assert other_tab.play(Step.CREATE).visit.answers[-1].code == "already_paid"
    assert anna.customer.create(catalogue.booked(anna.rows[0])).code == "already_paid"
    let_wait_pass(clock)
    anna.only_booking()
