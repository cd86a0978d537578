"""A state as a coloured word. The colour says what the state means to whoever looks, whatever it is a state of."""

from enum import StrEnum

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _


class Tone(StrEnum):
    """What a state means; also the name of its colours in `staff.css`."""

    QUIET = "quiet"  # nothing to see: not begun, called off, known already
    UNDERWAY = "underway"
    GOOD = "good"
    LATE = "late"  # somebody may have to look: repeated, marked, refused
    BAD = "bad"
    BACK = "back"  # what was given came back
    LOUD = "loud"  # not like the others: a test
    UNPROVEN = "unproven"  # without a colour: those are for what was proven


def yes_or_no(value: bool, *, no: Tone = Tone.QUIET) -> SafeString:
    """Django's picture for it is called «True» or «False» for those who hear the page."""
    return badge(_("yes"), Tone.GOOD) if value else badge(_("no"), no)


def badge(text: str | Promise, tone: Tone = Tone.QUIET) -> SafeString:
    return format_html('<span class="staff-badge staff-{}">{}</span>', tone, text)
