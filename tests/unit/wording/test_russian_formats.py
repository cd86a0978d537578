"""Dates as the admin writes them in Russian."""

import re
from datetime import UTC, date, datetime

from django.utils.formats import date_format, get_format
from django.utils.timezone import localtime
from django.utils.translation import override

from sandbox.packages import CHECKOUT
from staff.formats import moment
from wording.russian import order_number

DAY = date(2026, 11, 26)


def test_a_day_of_a_month_is_in_the_genitive_and_all_else_is_djangos() -> None:
    with override("ru"):
        assert date_format(DAY, "MONTH_DAY_FORMAT") == "26 ноября"
        assert date_format(DAY, "YEAR_MONTH_FORMAT") == "Ноябрь 2026 г."
        assert date_format(DAY) == "26 ноября 2026 г."
        assert get_format("DECIMAL_SEPARATOR") == ","
    with override("en"):
        assert date_format(DAY, "MONTH_DAY_FORMAT") == "November 26"


def test_a_time_that_django_shows_by_itself_looks_like_ours() -> None:
    at = datetime(2026, 11, 24, 8, 57, 31, tzinfo=UTC)
    with override("ru"):
        assert date_format(localtime(at), "DATETIME_FORMAT") == moment(at) == "24.11.2026 11:57"
        assert moment(at, seconds=True) == "24.11.2026 11:57:31"


def test_an_order_has_one_number_and_one_place_makes_it() -> None:
    assert order_number("C28372CA-5d4a-4f6b-9c7d-8e9f0a1b2c3d") == "c28372ca"
    files = [
        *CHECKOUT.glob("payments/**/*.py"),
        *CHECKOUT.glob("notifications/**/*.py"),
        *CHECKOUT.glob("sandbox/**/*.py"),
    ]
    by_hand = re.compile(r"(payment_id|\.pk)\)?\[:8\]")
    assert [path.name for path in files if by_hand.search(path.read_text(encoding="utf-8"))] == []
