"""Where everything stands in the chart of the revenue. Numbers only: the template draws.

What was paid stands on the zero line, what went back hangs below it, both on one scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal

from django.utils.formats import number_format

from payments.admin.revenue import Day
from staff.formats import money, signed

WIDTH = 960
LEFT, RIGHT, TOP = 76, 4, 12
PLOT = 240
MOST_LABELS = 15
LEAST_TOP = Decimal(1000)


@dataclass(frozen=True, slots=True)
class Bar:
    """One day; heights are 0 where there was nothing. `label` is empty where there is no room for one."""

    left: float
    width: float
    middle: float
    paid_top: float
    paid_height: float
    refunded_height: float
    label: str
    title: str


@dataclass(frozen=True, slots=True)
class Line:
    """A horizontal line with its amount."""

    height: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing of `width` × `height` units."""

    zero: float
    height: float
    bars: tuple[Bar, ...]
    lines: tuple[Line, ...]
    width: int = WIDTH
    left: int = LEFT


def draw_revenue(days: Sequence[Day]) -> Chart:
    """Lay out one bar a day, in the order of `days`."""
    up = max((day.revenue.paid for day in days), default=Decimal(0))
    down = max((day.revenue.refunded for day in days), default=Decimal(0))
    step = _step(max(up, down, LEAST_TOP))
    above = max(_steps(up, step), 1 if down else 2)
    below = _steps(down, step)
    unit = PLOT / (above + below)
    zero = TOP + above * unit
    scale = Decimal(unit) / step
    wide = (WIDTH - LEFT - RIGHT) / max(len(days), 1)
    every = -(-len(days) // MOST_LABELS)
    bars = tuple(_bar(number, day, wide, zero, scale, number % every == 0) for number, day in enumerate(days))
    lines = tuple(
        Line(round(zero - number * unit, 1), signed(number_format(number * step, 0, force_grouping=True)))
        for number in range(-below, above + 1)
    )
    return Chart(round(zero, 1), TOP + PLOT + 24, bars, lines)


def _bar(number: int, day: Day, wide: float, zero: float, scale: Decimal, labelled: bool) -> Bar:
    paid, refunded = (float(amount * scale) for amount in (day.revenue.paid, day.revenue.refunded))
    left = LEFT + number * wide
    return Bar(
        left=round(left + wide * 0.14, 1),
        width=round(wide * 0.72, 1),
        middle=round(left + wide / 2, 1),
        paid_top=round(zero - paid, 1),
        paid_height=round(paid, 1),
        refunded_height=round(refunded, 1),
        label=_short(day.date) if labelled else "",
        title=f"{_short(day.date)}: {money(day.revenue.paid)} − {money(day.revenue.refunded)}",
    )


def _step(most: Decimal) -> Decimal:
    """1, 2 or 5 times a power of ten, so that about four lines reach `most`."""
    rough = most / 4
    power = Decimal(10) ** rough.adjusted()
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)


def _steps(amount: Decimal, step: Decimal) -> int:
    return int((amount / step).to_integral_value(ROUND_CEILING))


def _short(day: date) -> str:
    return f"{day:%d.%m}"
