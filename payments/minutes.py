"""Times of consultations as people mean them: to the minute.

A date picker that sets hours and minutes leaves the clock's seconds and milliseconds in the value, so 10:00:37.512 is
10:00. Whatever compares two of these times does it here.
"""

from datetime import UTC, datetime, timedelta

from django.db.models import DateTimeField, ExpressionWrapper, Func, Q, Value
from django.db.models.expressions import Combinable

MINUTE = timedelta(minutes=1)


def minute_of(moment: datetime) -> datetime:
    """The minute that a time lies in, in UTC."""
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def same_minute(one: datetime, other: datetime) -> bool:
    return minute_of(one) == minute_of(other)


def within_minute(field: str, moment: datetime) -> Q:
    """That a column's time lies in the minute of `moment`. A range and no truncation, so that an index serves it."""
    start = minute_of(moment)
    return Q(**{f"{field}__gte": start, f"{field}__lt": start + MINUTE})


def within_minute_of(field: str, other: Combinable) -> Q:
    """The same for a time that only the database knows, like that of an outer query."""
    start = Func(Value("minute"), other, function="date_trunc", output_field=DateTimeField())
    return Q(**{f"{field}__gte": start, f"{field}__lt": ExpressionWrapper(start + MINUTE, DateTimeField())})
