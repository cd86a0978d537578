"""How the pages for staff write times, ages, amounts and texts."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.utils.translation import override

from staff.formats import age, block, in_moscow, moment, money, pretty_json, span, two_lines, whole
from wording.addresses import breakable, breakable_address
from wording.russian import Money

NBSP = "\N{NO-BREAK SPACE}"


@pytest.fixture(autouse=True)
def _in_russian() -> Iterator[None]:
    with override("ru"):
        yield


def test_a_moment_is_moscows_and_short() -> None:
    time = datetime(2026, 11, 26, 21, 5, 9, tzinfo=UTC)
    assert moment(time) == "27.11.2026 00:05"
    assert moment(time, seconds=True) == "27.11.2026 00:05:09"
    assert moment(None) == "—"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "—"),
        (-0.4, "0 с"),
        (59.9, "59 с"),
        (60, "1 мин"),
        (3599, "59 мин"),
        (3600, "1 ч"),
        (86_399, "23 ч"),
        (86_400, "1 дн"),
        (93_600_000, "1083 дн"),
    ],
)
def test_an_age_has_the_unit_that_people_would_use(seconds: float | None, text: str) -> None:
    assert age(seconds) == text


def test_an_amount_has_kopecks_a_real_minus_and_no_space_that_breaks() -> None:
    assert money(Decimal(4500)) == f"4{NBSP}500,00{NBSP}₽"
    assert money(Decimal("-1234.5"), "USD") == f"−1{NBSP}234,50{NBSP}USD"


def test_pages_and_mails_use_the_same_signs_of_currencies() -> None:
    for currency in ("RUB", "USD", "KZT"):
        assert money(Decimal(1), currency).split(NBSP)[1] == str(Money(Decimal(1), currency)).split(NBSP)[1]


def test_nothing_that_strangers_wrote_is_markup() -> None:
    bad = "<script>&"
    for shown in (block(bad), two_lines(bad, bad), pretty_json({"a": bad}), breakable_address(bad)):
        assert "<script" not in shown
        assert "&lt;script&gt;&amp;" in shown


def test_json_is_readable_and_half_a_character_breaks_no_page() -> None:
    assert pretty_json(None) == "—"
    shown = pretty_json({"имя": "Анна", "half": "\ud83d"})
    assert "&quot;имя&quot;: &quot;Анна&quot;" in shown
    assert "\\ud83d" in shown
    shown.encode()


@pytest.mark.parametrize(
    ("text", "after", "html"),
    [
        ("anna@mail.example.org", "@.", "anna@<wbr>mail.<wbr>example.<wbr>org"),
        ("refund.succeeded_now", "._", "refund.<wbr>succeeded_<wbr>now"),
        ("ends.", ".", "ends."),
        ("", "@.", ""),
    ],
)
def test_a_long_word_breaks_at_its_joints(text: str, after: str, html: str) -> None:
    assert breakable(text, after=after) == html


@pytest.mark.parametrize(
    ("note", "shown"),
    [
        ("somebody else has the time 2026-11-26T13:00:00+00:00", "somebody else has the time 26.11.2026 16:00"),
        ("from 2026-11-26 13:00:00.123456+00:00 to 2026-11-26T22:30Z", "from 26.11.2026 16:00 to 27.11.2026 01:30"),
        ("at 2026-11-26T13:00:00+05:00.", "at 26.11.2026 11:00."),
        # No zone, no moment: and what is none at all.
        ("on 2026-11-26 13:00", "on 2026-11-26 13:00"),
        ("id 2026-99-99T99:99Z", "id 2026-99-99T99:99Z"),
    ],
)
def test_a_machines_note_has_its_times_in_moscow(note: str, shown: str) -> None:
    assert in_moscow(note) == shown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "—"), (0, "0 с"), (0.004, "0,01 с"), (0.04, "0,04 с"), (0.31, "0,3 с"), (1.25, "1,2 с"), (12.4, "12 с")],
)
def test_how_long_something_takes_has_as_many_digits_as_it_needs(seconds: float | None, text: str) -> None:
    assert span(seconds) == text
    assert span(90) == "1 мин"


def test_a_long_number_has_spaces_that_do_not_break() -> None:
    assert [whole(number) for number in (0, 999, 12_480)] == ["0", "999", "12\N{NO-BREAK SPACE}480"]
