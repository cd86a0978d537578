"""Numbers that people type, and that anybody may have sent: what nobody meant must not become an amount."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wording.typed import read_amount, read_number, read_whole

# What Python's own readers take.
NOT_MEANT = ["1_0", "1e1", "1E3", "١", "１０", "²", "+5", "NaN", "Infinity", "inf", "0x10", "1__0", "1e400", "٥٠٠٠"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("4500", "4500.00"),
        ("4500.5", "4500.50"),
        ("4500,50", "4500.50"),
        ("1 000,50", "1000.50"),
        ("1 000 000", "1000000.00"),
        ("1\u00a0000,50", "1000.50"),
        ("1\u2009000.50", "1000.50"),
        ("1\u202f000,5", "1000.50"),
        ("4\u00a0500,00\u00a0₽", "4500.00"),
        ("4500₽", "4500.00"),
        (" 19,99 ", "19.99"),
        ("0,01", "0.01"),
        ("00019.99", "19.99"),
        ("0", "0.00"),
    ],
)
def test_an_amount_is_read_as_it_is_typed_in_russian(typed: str, meant: str) -> None:
    assert str(read_amount(typed)) == meant


@pytest.mark.parametrize(
    "typed",
    [
        *NOT_MEANT,
        *("", " ", "-5", "−5", "- 5", "5-", "5.", ".50", ",5", "1.000", "1,000", "1.000,50", "1,000.50", "1 000 00"),
        *("10 00", "1  000", "1 0000", "0001 000", "1'000", "1,2,3", "5 рублей", "$5", "5\n6", "1000 ₽₽", "5000\0"),
        *("1\u200b000", "1" * 13, "сто", "4500,001", "1 000,5 0"),
    ],
)
def test_what_is_ambiguous_or_meant_by_nobody_is_no_amount(typed: str) -> None:
    assert read_amount(typed) is None


@given(st.text(max_size=20))
def test_an_amount_is_never_negative_and_never_has_more_than_two_decimals(text: str) -> None:
    amount = read_amount(text)
    assert amount is None or (amount >= 0 and amount == amount.quantize(Decimal("0.01")) and amount.is_finite())


@given(st.decimals(min_value=0, max_value=10**9, places=2))
def test_an_amount_of_ours_is_read_back(amount: Decimal) -> None:
    written = f"{amount:,.2f}".replace(",", "\u00a0").replace(".", ",")
    assert read_amount(f"{written}\u00a0₽") == read_amount(str(amount)) == amount


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("007", 7), ("9" * 18, int("9" * 18))])
def test_a_whole_number_is_digits(text: str, number: int) -> None:
    assert read_whole(text) == number


@pytest.mark.parametrize("text", [*NOT_MEANT, "", "-1", "1.0", " 1", "1 ", "1\n", "9" * 19])
def test_nothing_else_is_a_whole_number(text: str) -> None:
    assert read_whole(text) is None


@pytest.mark.parametrize("text", ["0", "-1", "12.5", "0.05", "100"])
def test_a_number_is_what_json_and_sql_write(text: str) -> None:
    assert read_number(text) == Decimal(text)


@pytest.mark.parametrize("text", [*NOT_MEANT, "", ".5", "5.", "1,5", " 1", "--1", "1\n"])
def test_nothing_else_is_a_number(text: str) -> None:
    assert read_number(text) is None
