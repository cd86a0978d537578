"""Times of consultations are what people mean by minutes, in every zone."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from payments.minutes import minute_of, same_minute
from payments.orders import parse_order

KIND = "e0000000-0000-4000-8000-000000000002"
# Half and quarter hours are among the zones.
ZONES = st.integers(-14 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))
MINUTES = st.integers(0, 100_000_000).map(lambda many: datetime(2001, 1, 1, tzinfo=UTC) + timedelta(minutes=many))
WITHIN = st.integers(0, 59_999_999).map(lambda microseconds: timedelta(microseconds=microseconds))


def order(moment: datetime) -> object:
    metadata = {"type": "appointment", "appointment_type_id": KIND, "scheduled_at": moment.isoformat()}
    return parse_order(metadata)


@given(MINUTES, WITHIN, WITHIN, ZONES, ZONES)
def test_one_minute_is_one_time_and_one_order_whatever_its_seconds_and_zone(
    minute: datetime, one: timedelta, other: timedelta, here: timezone, there: timezone
) -> None:
    first, second = (minute + one).astimezone(here), (minute + other).astimezone(there)
    assert same_minute(first, second)
    assert minute_of(first) == minute_of(second) == minute
    assert order(first) == order(second)


@given(MINUTES, WITHIN, st.integers(1, 10_000), ZONES)
def test_another_minute_is_another_time_and_another_order(
    minute: datetime, within: timedelta, away: int, zone: timezone
) -> None:
    first, second = (minute + within).astimezone(zone), minute + timedelta(minutes=away)
    assert not same_minute(first, second)
    assert order(first) != order(second)
