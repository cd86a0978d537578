"""When a payment is looked at again without anybody asking: soon at first, then ever more rarely."""

from datetime import timedelta

from payments.states import OPEN, ProviderStatus

# After the first check, the second, and so on; then every `LONGEST`, and once a payment is old, once a day.
STEPS = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 20, 60))
LONGEST = timedelta(hours=6)
OLD = timedelta(days=7)
DAILY = timedelta(days=1)
SHORTEST_REPEAT = timedelta(minutes=5)


def next_check_after(checks: int, status: ProviderStatus, *, unsettled: bool, age: timedelta) -> timedelta | None:
    """How long to wait after check number `checks` of a payment that is `age` old; `None` when it need not be checked.

    `unsettled` says that a refund or a fiscal receipt of a finished payment is still on its way.
    """
    if status not in OPEN and not unsettled:
        return None
    if age > OLD:
        return DAILY
    by_count = STEPS[checks] if checks < len(STEPS) else LONGEST
    # A payer's browser that asks every second must not make a young payment look like an old one.
    return min(by_count, max(STEPS[0], age / 2))


def repeat_check_after(age: timedelta) -> timedelta:
    """How long to wait for a check that was queued before queueing another: it may stand in a line that is stuck."""
    return min(max(SHORTEST_REPEAT, age / 2), LONGEST)
