"""States on the pages for staff: each has a colour, and what means the same looks the same."""

import re
from typing import Any

import pytest

import reports.admin
from notifications import shown_status as of_mails
from notifications.models import Arrival
from notifications.models import Status as EmailStatus
from payments.admin import notifications as of_notifications
from payments.admin import refunds as of_refunds
from payments.admin import shown_status
from payments.states import NotificationStatus, PaymentStatus, RefundStatus
from reports.models import Status as ReportStatus
from sandbox.packages import CHECKOUT
from staff.badges import Tone, badge

SHEET = CHECKOUT / "staff" / "static" / "staff" / "staff.css"
TABLES: tuple[tuple[Any, dict[Any, Tone]], ...] = (
    (PaymentStatus, shown_status._TONES),
    (RefundStatus, of_refunds._TONES),
    (NotificationStatus, of_notifications._TONES),
    (EmailStatus, of_mails._TONES),
    (Arrival, of_mails._ARRIVAL_TONES),
    (ReportStatus, reports.admin._TONES),
)


@pytest.mark.parametrize(("states", "tones"), TABLES)
def test_every_state_has_a_colour(states: Any, tones: dict[Any, Tone]) -> None:
    assert set(tones) == set(states)


def test_states_that_are_called_the_same_look_the_same() -> None:
    seen: dict[str, set[Tone]] = {}
    for states, tones in TABLES:
        for state in states:
            seen.setdefault(str(state.label), set()).add(tones[state])
    assert {label: found for label, found in seen.items() if len(found) > 1} == {}


@pytest.mark.parametrize("tone", list(Tone))
def test_every_colour_is_in_the_stylesheet_for_both_themes(tone: Tone) -> None:
    rules = re.findall(rf"^\.staff-{tone} {{([^}}]*)}}$", SHEET.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rules) == 1
    assert tone == Tone.UNPROVEN or rules[0].count("light-dark(") == 2


@pytest.mark.parametrize("tone", sorted(set(Tone) - {Tone.UNPROVEN}))
def test_every_badge_can_be_read(tone: Tone) -> None:
    rule = re.search(rf"^\.staff-{tone} {{([^}}]*)}}$", SHEET.read_text(encoding="utf-8"), re.MULTILINE)
    assert rule
    below, ink = re.findall(r"light-dark\((#\w+), (#\w+)\)", rule[1])
    for theme in (0, 1):
        lighter, darker = sorted((brightness(below[theme]), brightness(ink[theme])), reverse=True)
        # What WCAG asks for small text.
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def brightness(colour: str) -> float:
    """The relative luminance of WCAG 2."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_badge_escapes_its_text() -> None:
    assert badge("<b>", Tone.BAD) == '<span class="staff-badge staff-bad">&lt;b&gt;</span>'
