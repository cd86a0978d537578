"""The revenue by day: Moscow's days, real money, nothing lost between two of them."""

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from freezegun import freeze_time
from pytest_django import Settings

from payments.admin.revenue import Day, Revenue, revenue_by_day, total
from payments.admin.revenue_chart import draw_revenue
from payments.checking.sync import sync_payment
from payments.models import Checkout, Refund
from payments.provider import provider
from payments.states import Door, ProviderStatus, RefundStatus
from sandbox.yookassa import YooKassaServer
from tests.support.checkouts import make_checkout
from tests.support.payment_deliveries import start_payment
from tests.support.payment_pages import LIST, LOOK, REFUNDS, REVENUE, staff_with, text
from tests.support.yookassa_shop import refund_body

pytestmark = pytest.mark.usefixtures("database")

TODAY = "2026-11-24 09:00:00+00:00"


@pytest.fixture(autouse=True)
def _production(settings: Settings) -> None:
    settings.SANDBOX = False


def paid(time: datetime, amount: str = "4500.00", **fields: Any) -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED, captured_at=time, **fields)
    checkout.amount = Decimal(amount)
    checkout.save()


def refunded(
    time: datetime, amount: str, *, test: bool = False, status: RefundStatus = RefundStatus.SUCCEEDED
) -> Refund:
    checkout = make_checkout(ProviderStatus.SUCCEEDED, captured_at=datetime(2020, 1, 1, tzinfo=UTC), test=test)
    return Refund.objects.create(
        payment_id=checkout.pk,
        amount=Decimal(amount),
        status=status,
        external_id=f"r-{checkout.pk}",
        finished_at=time,
    )


def test_midnight_is_moscows() -> None:
    paid(datetime(2026, 11, 20, 20, 59, 59, tzinfo=UTC), "100.10")
    paid(datetime(2026, 11, 20, 21, 0, 0, tzinfo=UTC), "0.20")
    refunded(datetime(2026, 11, 21, 21, 0, 0, tzinfo=UTC), "50")
    days = revenue_by_day(date(2026, 11, 20), date(2026, 11, 22))
    assert [(day.date.day, day.revenue.paid, day.revenue.refunded) for day in days] == [
        (20, Decimal("100.10"), 0),
        (21, Decimal("0.20"), 0),
        (22, 0, Decimal(50)),
    ]
    assert total(days) == Revenue(Decimal("100.30"), 2, Decimal(50), 1)
    assert total(days).net == Decimal("50.30")


def test_the_books_of_a_month_do_not_move_when_its_last_refund_is_seen_in_the_next(shop: YooKassaServer) -> None:
    with freeze_time("2026-11-30 20:50:00+00:00"):
        # 23:50 in Moscow.
        checkout = start_payment()
        shop.succeed(str(checkout.external_id))
        sync_payment(checkout.pk, door=Door.QUEUE)
        provider().create_refund(refund_body(str(checkout.external_id), "1500.00"), key="office-1")
    with freeze_time("2026-12-03 09:00:00+00:00"):
        before = revenue_by_day(date(2026, 11, 1), date(2026, 11, 30))
        sync_payment(checkout.pk, door=Door.RECONCILIATION)
        # All money of the stand-in is for tests.
        Checkout.objects.update(test=False)
        november, december = (
            total(revenue_by_day(date(2026, month, 1), date(2026, month, day))) for month, day in ((11, 30), (12, 3))
        )
        assert [total(before).refunded, november.refunded, december.refunded] == [Decimal(0), Decimal(1500), Decimal(0)]
        client = staff_with(*LOOK, "view_revenue")
        # The list of refunds has it in the same month, and so has the page of the revenue.
        assert "1 500,00" in text(client.get(f"{REFUNDS}?created_at__year=2026&created_at__month=11"))
        assert "1 500,00" not in text(client.get(f"{REFUNDS}?created_at__year=2026&created_at__month=12"))
        assert "Возвращено 1 500,00 ₽ 1 возврат" in text(client.get(f"{REVENUE}?month=2026-11"))
        assert "Возвращено 0,00 ₽" in text(client.get(f"{REVENUE}?month=2026-12"))


def test_in_the_sandbox_where_all_money_is_play_money_it_counts(settings: Settings) -> None:
    settings.SANDBOX = True
    noon = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    paid(noon, "100", test=True)
    refunded(noon, "10", test=True)
    assert total(revenue_by_day(date(2026, 11, 20), date(2026, 11, 20))) == Revenue(Decimal(100), 1, Decimal(10), 1)
    with freeze_time(TODAY):
        client = staff_with(*LOOK, "view_revenue")
        page, lines = text(client.get(REVENUE)), table(client.get(f"{REVENUE}?days=7&table=csv"))
    assert len(lines) == 3, "its head, the payment and the refund"
    assert "в песочнице учтены и тестовые платежи" in page
    assert "тестовые платежи не учтены" not in page


def test_only_real_money_counts() -> None:
    noon = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    paid(noon, test=True)
    make_checkout(ProviderStatus.CANCELED, captured_at=noon)
    make_checkout(ProviderStatus.PENDING, captured_at=noon)
    refunded(noon, "10", test=True)
    refunded(noon, "10", status=RefundStatus.PENDING)
    refunded(noon, "10", status=RefundStatus.CANCELED)
    assert total(revenue_by_day(date(2026, 11, 20), date(2026, 11, 20))) == Revenue(Decimal(0), 0, Decimal(0), 0)


@freeze_time(TODAY)
def test_the_page_shows_sums_bars_and_a_table() -> None:
    paid(datetime(2026, 11, 23, 9, 0, tzinfo=UTC), "4500.00")
    paid(datetime(2026, 11, 23, 10, 0, tzinfo=UTC), "5000.00")
    refunded(datetime(2026, 11, 24, 8, 0, tzinfo=UTC), "1500.50")
    client = staff_with(*LOOK, "view_revenue")
    response = client.get(REVENUE)
    shown = text(response)
    for piece in (
        *("Оплачено 9 500,00 ₽ 2 платежа", "Возвращено 1 500,50 ₽ 1 возврат", "Итог 7 999,50 ₽"),
        *("23.11.2026, Пн 9 500,00 ₽ 2 0,00 ₽ 0 9 500,00 ₽", "24.11.2026, Вт 0,00 ₽ 0 1 500,50 ₽ 1 −1 500,50 ₽"),
    ):
        assert piece in shown
    html = response.content.decode()
    assert (html.count("payment-bar-paid"), html.count("payment-bar-refunded")) == (1, 1)
    assert "<script" not in html.split('id="content-main"')[1].split("</section>")[0]
    assert REVENUE in client.get(LIST).content.decode()


@freeze_time(TODAY)
def test_periods_and_months_can_be_chosen(subtests: pytest.Subtests) -> None:
    client = staff_with(*LOOK, "view_revenue")
    for query, days in (
        ("", 30),
        ("?days=7", 7),
        ("?days=90", 90),
        ("?days=8", 30),
        ("?days=²", 30),
        ("?month=2026-10", 31),
        ("?month=2026-11", 24),
        ("?month=2026-02", 28),
        ("?month=1999-01", 30),
    ):
        with subtests.test(query):
            response = client.get(REVENUE + query)
            assert "За это время оплат не было." in text(response)
            assert len(response.context["chart"].bars) == days


def test_the_chart_holds_every_bar_to_one_scale() -> None:
    days = [
        Day(date(2026, 11, 1), Revenue(Decimal(54000), 1, Decimal(0), 0)),
        Day(date(2026, 11, 2), Revenue(Decimal(27000), 1, Decimal(13500), 1)),
        Day(date(2026, 11, 3), Revenue(Decimal(0), 0, Decimal(0), 0)),
    ]
    chart = draw_revenue(days)
    tall, half, none = chart.bars
    assert tall.paid_height == pytest.approx(2 * half.paid_height, abs=0.2)
    assert half.refunded_height == pytest.approx(half.paid_height / 2, abs=0.2)
    assert (none.paid_height, none.refunded_height) == (0, 0)
    assert tall.paid_top >= 0
    assert chart.zero + half.refunded_height < chart.height
    assert all(bar.left >= chart.left and bar.left + bar.width <= chart.width for bar in chart.bars)
    assert [line.text for line in chart.lines] == [
        "−20\N{NO-BREAK SPACE}000",
        "0",
        *(f"{number}\N{NO-BREAK SPACE}000" for number in (20, 40, 60)),
    ]


def test_an_empty_chart_still_has_a_scale() -> None:
    chart = draw_revenue([Day(date(2026, 11, 1), Revenue(Decimal(0), 0, Decimal(0), 0))])
    assert chart.lines[0].text == "0"
    assert len(chart.lines) >= 3


def table(response: Any) -> list[list[str]]:
    content = b"".join(response.streaming_content).decode()
    assert content.startswith("\ufeff")
    return list(csv.reader(io.StringIO(content[1:]), delimiter=";"))


@freeze_time(TODAY)
def test_the_table_for_the_accountant_has_a_line_for_each_payment_and_refund() -> None:
    paid(datetime(2026, 11, 23, 9, 0, tzinfo=UTC), "4500.00")
    back = refunded(datetime(2026, 11, 24, 8, 0, tzinfo=UTC), "1500.50")
    Refund.objects.filter(pk=back.pk).update(reason='=HYPERLINK("http://evil";"x")')
    response = staff_with(*LOOK, "view_revenue").get(f"{REVENUE}?days=7&table=csv")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert 'filename="revenue-2026-11-18-2026-11-24.csv"' in response["Content-Disposition"]
    head, first, *_, last = table(response)
    assert head[:5] == ["время (Москва)", "что", "заказ №", "номер в ЮKassa", "сумма, ₽"]
    assert (first[0], first[1], first[4]) == ("23.11.2026 12:00:00", "платёж", "4500,00")
    assert (last[1], last[4], last[8]) == ("возврат", "-1500,50", '\'=HYPERLINK("http://evil";"x")')
    assert all(len(line) == len(head) for line in (first, last))


@freeze_time(TODAY)
def test_the_table_comes_in_pieces_loses_nothing_and_ends_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for amount in range(1, 8):
        # Several at one moment, on both sides of the end of a piece.
        paid(datetime(2026, 11, 23, 9, amount // 4, tzinfo=UTC), str(amount))
    monkeypatch.setattr("payments.admin.revenue_table.PIECE", 2)
    client = staff_with(*LOOK, "view_revenue")
    lines = table(client.get(f"{REVENUE}?days=7&table=csv"))[1:]
    assert sorted(line[4] for line in lines) == [f"{amount},00" for amount in range(1, 8)]
    monkeypatch.setattr("payments.admin.revenue_table.MOST_LINES", 3)
    lines = table(client.get(f"{REVENUE}?days=7&table=csv"))[1:]
    assert len(lines) == 4
    assert "выберите период короче" in lines[-1][0].lower()


def test_who_may_see_payments_sees_no_revenue_for_that() -> None:
    client = staff_with(*LOOK)
    for query in ("", "?table=csv"):
        assert client.get(REVENUE + query).status_code == 403
    assert REVENUE not in client.get(LIST).content.decode()
