"""Whatever customers write into their rows of payments, no page, no answer and no task breaks on it."""

import json
import uuid
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pytest_django import Settings

from payments.checking.due import flag_unfulfilled, queue_due_checks
from payments.checking.reconcile import compare_recent
from payments.models import Checkout, Payment
from payments.queue import queue_check
from payments.states import PaymentStatus
from tests.support.checkouts import make_customer, make_payment, purge_checks
from tests.support.databases import ClonedDatabase
from tests.support.front_ends import tab_of
from tests.support.odd_rows import PAYMENTS, USERS, change, insertion
from tests.support.payment_calls import Answer, Customer
from tests.support.payment_deliveries import create_at_yookassa, shop_at_yookassa, work_off
from tests.support.payment_pages import CHECK, LIST, LOOK, REFUND, looked_up, page_of, staff_with, text

# Many rows in few examples, and no search for the smallest: pages are slow. A row that breaks one stands in the log.
ODD = settings(
    max_examples=2,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
ROWS = st.lists(PAYMENTS, min_size=12, max_size=12)
PER_PAGE = 5
STATUSES = set(PaymentStatus.values)


@pytest.fixture
def staff(database: ClonedDatabase) -> Client:
    return staff_with(*LOOK, CHECK, REFUND)


def write(rows: list[dict[str, Any]], account: dict[str, Any] | None = None) -> Customer:
    """Somebody writes these rows and their own account, with no more rights than a browser has; others have none."""
    Checkout.objects.all().delete()
    Payment.objects.all().delete()
    purge_checks()
    customer = Customer(make_customer())
    tab = tab_of(customer)
    for row in rows:
        row["id"] = uuid.uuid4()
        statement, values = insertion("payments", {**row, "user_id": customer.id})
        tab.write(statement, *values)
    if account:
        statement, values = change("users", account, customer.id)
        tab.write(statement, *values)
    return customer


def unlike(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without those that another one is like but for its id: what is simplest is tried first, and that is all alike."""
    return list({str([(name, value) for name, value in row.items() if name != "id"]): row for row in rows}.values())


def read_strictly(answer: Answer) -> Any:
    """The body, as browsers read it: Python also takes NaN and Infinity."""
    json.dumps(answer.body, allow_nan=False)
    return answer.body


@ODD
@given(ROWS)
def test_their_owner_reads_all_of_them_page_by_page(
    database: ClonedDatabase, settings: Settings, rows: list[dict[str, Any]]
) -> None:
    settings.API_THROTTLE_DEFAULT = 100_000
    customer = write(rows)
    seen, address = [], f"/api/payments?limit={PER_PAGE}"
    while address:
        answer = customer.get(address)
        assert answer.status == 200, answer.body
        page = read_strictly(answer)
        seen += [row["id"] for row in page["results"]]
        assert {row["status"] for row in page["results"]} <= STATUSES
        address = page["next"]
    assert sorted(seen) == sorted(str(row["id"]) for row in rows)
    for payment_id in seen[:3]:
        assert read_strictly(customer.get(f"/api/payments/{payment_id}"))["id"] == payment_id


@ODD
@given(ROWS, USERS)
def test_staff_see_the_list_and_every_page(staff: Client, rows: list[dict[str, Any]], account: dict[str, Any]) -> None:
    write(rows, account)
    for query in ("", "?o=3", "?o=-5"):
        assert len(staff.get(LIST + query).context["cl"].result_list) == len(rows), query
    # These are drawn of the same rows by the same hand, so it is enough to look them up.
    for query in ("?q=example", "?stuck=yes", "?kind=package"):
        assert len(looked_up(staff, LIST + query).result_list) <= len(rows), query
    assert sum(len(looked_up(staff, f"{LIST}?status={one}").result_list) for one in STATUSES) == len(rows)
    for row in unlike(rows):
        assert str(row["id"]) in text(staff.get(page_of(row["id"])))


@ODD
@given(ROWS)
def test_checks_of_them_end_readably(
    database: ClonedDatabase, settings: Settings, staff: Client, rows: list[dict[str, Any]]
) -> None:
    with shop_at_yookassa(settings):
        customer = write(rows)
        for row in unlike(rows)[:8]:
            verified = customer.verify(row["id"])
            assert verified.status in (200, 404, 409, 502, 503), verified.body
            read_strictly(verified)
            assert staff.get(page_of(row["id"], "compare")).status_code == 200
            assert staff.post(page_of(row["id"], "check")).status_code == 302
            assert staff.get(page_of(row["id"], "refund")).status_code == 302
            queue_check(row["id"], "verify")
        work_off()
        compare_recent(hours=1)
        queue_due_checks()
        flag_unfulfilled()


def test_a_row_without_a_time_stands_below_all_others_in_the_list(staff: Client) -> None:
    ordinary, odd = make_payment(), make_payment()
    Payment.objects.filter(pk=odd.pk).update(created_at=None)
    assert [row.pk for row in staff.get(LIST).context["cl"].result_list] == [ordinary.pk, odd.pk]
    assert "—" in text(staff.get(page_of(odd.pk)))


@pytest.mark.parametrize(
    ("emptied", "attention"),
    [
        (
            "currency = NULL, status = NULL, created_at = NULL, updated_at = NULL, payment_method = NULL",
            "not_fulfilled",
        ),
        ("amount = 'NaN'", "mismatch"),
    ],
)
def test_a_payment_of_the_system_before_us_comes_to_staff_whatever_its_payer_made_of_its_row(
    database: ClonedDatabase, settings: Settings, emptied: str, attention: str
) -> None:
    with shop_at_yookassa(settings) as shop:
        customer = Customer(make_customer())
        row = make_payment(user=customer.user)
        theirs = create_at_yookassa({"payment_id": str(row.pk)})
        shop.succeed(theirs.id)
        Payment.objects.filter(pk=row.pk).update(external_payment_id=theirs.id)
        tab_of(customer).write(f"UPDATE public.payments SET {emptied}")
        assert customer.verify(row.pk).status in (200, 409)
    assert Checkout.objects.get(pk=row.pk).attention == attention
