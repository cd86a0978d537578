"""Dates as the admin writes them in Russian."""

from datetime import UTC, date, datetime

from django.utils.formats import date_format, get_format
from django.utils.timezone import localtime
from django.utils.translation import override

from staff.formats import moment

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
