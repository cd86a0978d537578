"""How often a service that is away is asked whether it is back."""

import pytest
from pytest_django import Settings

from bridge.breaker.pace import pause
from bridge.errors import Away


@pytest.mark.parametrize(
    ("kind", "pauses"),
    [
        (Away.AWAY, [1, 2, 3, 3, 3, 3, 3, 3]),
        (Away.SERVER_ERROR, [1, 2, 4, 8, 16, 30, 30, 30]),
        (Away.QUOTA, [1, 2, 4, 8, 16, 30, 30, 30]),
        (Away.REFUSED, [60] * 8),
    ],
)
def test_the_pauses_grow_up_to_a_bound(kind: Away, pauses: list[float]) -> None:
    assert [pause(kind, probes) for probes in range(8)] == pauses
    assert pause(kind, 100_000) == pauses[-1]


def test_whoever_refuses_us_is_asked_once_a_minute_even_where_everything_else_is_quick(settings: Settings) -> None:
    settings.BRIDGE_DELAY_SCALE = 0.01
    assert pause(Away.AWAY, 1) == 0.02
    assert pause(Away.REFUSED, 0) == pause(Away.REFUSED, 50) == 60
