from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wording.plain_text import one_line
from wording.russian import Money, moscow_time

NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("5000", "RUB", f"5{NBSP}000{NBSP}₽"),
        ("5000.00", "RUB", f"5{NBSP}000{NBSP}₽"),
        ("0.29", "RUB", f"0,29{NBSP}₽"),
        ("4.35", "RUB", f"4,35{NBSP}₽"),
        ("1234567.5", "RUB", f"1{NBSP}234{NBSP}567,50{NBSP}₽"),
        ("19.99", "USD", f"19,99{NBSP}USD"),
    ],
)
def test_money_has_kopecks_only_where_there_are_any_and_never_breaks(amount: str, currency: str, text: str) -> None:
    assert str(Money(Decimal(amount), currency)) == text


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 23, 11, 30, tzinfo=UTC), "23 ноября 2026, 14:30 МСК"),
        (datetime(2026, 11, 23, 14, 30, tzinfo=timezone(timedelta(hours=3))), "23 ноября 2026, 14:30 МСК"),
        (datetime(2026, 12, 31, 21, 5, tzinfo=UTC), "1 января 2027, 00:05 МСК"),
        (datetime(2026, 5, 9, 0, 0, tzinfo=timezone(timedelta(hours=10))), "8 мая 2026, 17:00 МСК"),
    ],
)
def test_times_are_written_as_the_clock_in_moscow_shows_them(moment: datetime, text: str) -> None:
    assert moscow_time(moment) == text


def test_a_header_cannot_be_smuggled_into_one_line() -> None:
    assert one_line("Привет\r\nBcc: all@example.org\x00\u202e", 100) == "Привет Bcc: all@example.org"


def test_a_text_that_is_too_long_ends_with_an_ellipsis() -> None:
    assert one_line("слово " * 100, 20) == "слово слово слово с…"


@given(st.text(), st.integers(min_value=2, max_value=60))
def test_one_line_is_printable_bounded_and_stable(text: str, most: int) -> None:
    line = one_line(text, most)
    assert len(line) <= most
    assert line.isprintable()
    assert line == line.strip()
    assert "  " not in line
    assert line.encode("utf-8").decode("utf-8") == line
