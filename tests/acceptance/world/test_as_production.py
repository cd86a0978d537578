"""What customers do in production, in its surroundings: their money, their mails and their reports are right there."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from sandbox.frontend import HttpApi, Order, Step, Tab, Visit, as_the_clock_has_it, every_order
from tests.acceptance.mails import mails
from tests.acceptance.waiting import wait_until
from tests.acceptance.world.conftest import World

# Of the samples: two customers, what they buy, and a check-up that is not finished.
ANNA, IGOR = "a0000000-0000-4000-8000-000000000001", "a0000000-0000-4000-8000-000000000002"
LEYLA, AMINA_IN_PROGRESS = "a0000000-0000-4000-8000-000000000003", "c0000000-0000-4000-8000-000000000005"
CONSULTATION, PRICE = "e0000000-0000-4000-8000-000000000001", "5000.00"
NULLS = "currency = NULL, payment_method = NULL, metadata = NULL, created_at = NULL, updated_at = NULL, status = NULL"
ORDERS = 6

_STANDING = """
SELECT p.status, c.provider_status, c.attention, count(DISTINCT f.payment_id), count(DISTINCT a.id)
FROM public.payments AS p
JOIN balansity.payments_checkout AS c ON c.payment_id = p.id
LEFT JOIN balansity.payments_fulfilment AS f ON f.payment_id = p.id
LEFT JOIN public.appointments AS a ON a.payment_id = p.id
WHERE p.id = %s GROUP BY 1, 2, 3
"""


def tab(world: World, user_id: str) -> Tab:
    return Tab(user_id, HttpApi(world.api), database=world.supabase.owner_url)


def order(number: int) -> Order:
    """A consultation at a time of its own, with the seconds of the clock."""
    day = datetime.now(UTC).replace(hour=9, minute=0) + timedelta(days=4)
    return Order.new_consultation(CONSULTATION, as_the_clock_has_it(day + timedelta(minutes=30 * number)), PRICE)


def await_given(world: World, payment_id: str) -> None:
    paid = ("completed", "succeeded", "", 1, 1)
    wait_until(lambda: world.ledger.rows(_STANDING, [payment_id]) == [paid], f"{payment_id} is paid and given once")


def await_one_booking(world: World, visit: Visit) -> None:
    """The row that the tab inserted is the only one of this customer in this minute."""
    of_the_minute = (
        "SELECT id::text, payment_id::text FROM public.appointments"
        " WHERE user_id = %s AND date_trunc('minute', scheduled_at) = date_trunc('minute', %s::timestamptz)"
    )
    asked = [visit.tab.user_id, visit.order.metadata["scheduled_at"]]
    only = [(visit.bookings[0], visit.payments[0])]
    wait_until(lambda: world.ledger.rows(of_the_minute, asked) == only, f"{only} is the only booking")


def play(world: World, number: int, steps: Sequence[Step]) -> Visit:
    customer = tab(world, ANNA if number % 2 else IGOR)
    visit = Visit(customer, order(number), pay=world.pay).play(steps)
    assert {answer.status for answer in visit.answers} == {200}, (steps, visit.answers)
    return visit


@pytest.mark.timeout(120)
def test_customers_get_what_they_paid_for_and_their_mails_and_reports(world: World) -> None:
    _payments_end_well_whatever_the_order_of_steps(world)
    _a_payment_whose_row_was_emptied_ends_well(world)
    _a_family_gets_its_report(world)
    _nothing_failed(world)


def _payments_end_well_whatever_the_order_of_steps(world: World) -> None:
    possible = sorted(every_order(), key=str)
    chosen = [tuple(Step), *possible[:: len(possible) // ORDERS]][: ORDERS + 1]
    with ThreadPoolExecutor(4) as customers:
        visits = list(customers.map(lambda one: play(world, *one), enumerate(chosen)))
    for visit in visits:
        await_given(world, visit.payments[0])
        await_one_booking(world, visit)
    assert visits[0].rows == visits[0].payments, "the front end's own row became the payment"


def _a_payment_whose_row_was_emptied_ends_well(world: World) -> None:
    visit = play(world, ORDERS + 1, [Step.ROW, Step.CREATE])
    visit.tab.write(f"UPDATE public.payments SET {NULLS} WHERE id = %s", visit.own_id)
    visit.do(Step.PAID)
    await_given(world, visit.own_id)
    answer = visit.tab.verify(visit.own_id)
    assert (answer.status, answer.body["payment"]["created_at"]) == (200, None)


def _a_family_gets_its_report(world: World) -> None:
    results = '{"emotional": {"score": 13, "status": "concerning"}}'
    tab(world, LEYLA).write(
        "UPDATE public.assessments SET status = 'completed', results_summary = %s, completed_at = 'infinity',"
        " is_paid = NULL, current_step = NULL, created_at = NULL WHERE id = %s",
        results,
        AMINA_IN_PROGRESS,
    )
    wanted = {"Ваши результаты готовы", "Отчёт готов"}
    address = "leyla.guseynova@example.org"
    wait_until(
        lambda: {mail.subject for mail in world.mailbox.messages if mail.recipient == address} == wanted,
        "the family was told of its results and of its report",
    )


def _nothing_failed(world: World) -> None:
    """And every mail went out: also that of a payment without a currency."""
    queues = ("email_queue", "payment_processing_queue", "report_generation_queue")
    waiting = " UNION ALL ".join(f"SELECT msg_id FROM pgmq.q_{queue}" for queue in queues)
    wait_until(lambda: not world.ledger.rows(waiting), "all queues are empty")
    for queue in queues:
        failed = "coalesce(headers -> 'bridge' ->> 'outcome', '') NOT IN ('succeeded', 'duplicate')"
        assert world.ledger.rows(f"SELECT headers, message FROM pgmq.a_{queue} WHERE {failed}") == []
    confirmed = "SELECT count(*) FROM pgmq.a_email_queue WHERE message ->> 'template' = 'payment_confirmation'"
    assert world.ledger.rows(confirmed) == [(ORDERS + 2,)]
    # One for each payment, though the tab's row may have come beside ours.
    booked = [mail for mail in mails(world.mailbox) if mail.subject.strip() == "Вы записаны на консультацию"]
    assert len(booked) == ORDERS + 2
    assert world.ledger.rows(_OURS) == [("balansity",)] * 3
    assert world.fleet.command("queue_status", "--check").await_end() == 0


_OURS = "SELECT schemaname FROM pg_tables WHERE tablename IN ('django_migrations', 'auth_user', 'payments_checkout')"
