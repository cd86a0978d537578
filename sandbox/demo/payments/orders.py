"""What customers of the demo ask for, and when they are free."""

from datetime import UTC, datetime, timedelta

from sandbox.demo.families import CONSULTATION
from sandbox.demo.payments.customers import PACKAGE
from sandbox.frontend import Order, as_the_clock_has_it

CONSULTATION_PRICE = "4500.00"
PACKAGE_PRICE = "16000.00"

# Far from the times that cron reminds of.
_FIRST_DAY = timedelta(days=4)
_OPENS = 9


def new_consultation(at: datetime) -> Order:
    return Order.new_consultation(CONSULTATION, at, CONSULTATION_PRICE)


def booked_consultation(appointment_id: str) -> Order:
    return Order.booked_consultation(CONSULTATION, appointment_id, CONSULTATION_PRICE)


def package() -> Order:
    return Order.package(PACKAGE, PACKAGE_PRICE)


class Diary:
    """Free times: each is given once, half an hour after the last, with the seconds that the clock of a browser has."""

    def __init__(self) -> None:
        day = datetime.now(UTC).replace(hour=_OPENS, minute=0, second=0, microsecond=0)
        self._next = day + _FIRST_DAY

    def free_time(self) -> datetime:
        at, self._next = self._next, self._next + timedelta(minutes=30)
        return as_the_clock_has_it(at)
