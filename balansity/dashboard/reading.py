"""Reads the home page for somebody: the lines of all watches, and the sections that they may see."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from django.db import DatabaseError, InterfaceError, transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from balansity.dashboard.bounds import bounded
from balansity.dashboard.sharing import Part, Said, sharing
from balansity.packages import modules_called
from bridge.errors import BridgeError
from bridge.postgres import first_line
from bridge.seldom import Seldom
from staff.attention import Line, Watch
from staff.badges import Tone
from staff.sections import Section, one_reading

logger = logging.getLogger(__name__)
_told = Seldom()

May = Callable[[str], bool]

# What a look may run into that is no fault of its own: Postgres is slow or lacks a table of ours, a queue is gone.
UNREADABLE = (DatabaseError, InterfaceError, BridgeError)
_ORDER = {Tone.BAD: 0, Tone.LATE: 1, Tone.QUIET: 2}


@dataclass(frozen=True, slots=True)
class Shown:
    """A section, and what its template made of it; `None`: that could not be read in time."""

    section: Section
    html: SafeString | None


@dataclass(frozen=True, slots=True)
class Home:
    """What somebody sees. `unread` names what could not be looked at; `sees_all`: nothing is kept from them.

    `of` is when the oldest part of it was read.
    """

    lines: list[Line] = field(default_factory=list)
    sections: list[Shown] = field(default_factory=list)
    unread: list[str | Promise] = field(default_factory=list)
    watches: bool = False
    sees_all: bool = False
    of: datetime = field(default_factory=timezone.localtime, compare=False)

    @property
    def faults(self) -> list[Line]:
        return [line for line in self.lines if line.is_fault]

    @property
    def is_well(self) -> bool:
        return self.watches and not self.faults and not self.unread

    @property
    def is_empty(self) -> bool:
        return not self.watches and not self.sections


@cache
def all_watches() -> tuple[Watch, ...]:
    """Those of each installed package that has a module `dashboard`."""
    return tuple(watch for module in modules_called("dashboard") for watch in getattr(module, "WATCHES", ()))


@cache
def all_sections() -> tuple[Section, ...]:
    found = (section for module in modules_called("dashboard") for section in getattr(module, "SECTIONS", ()))
    return tuple(sorted(found, key=lambda section: section.place))


def read_home(may: May) -> Home:
    """All that whoever has the rights that `may` knows of sees; in two seconds at most, however slow Postgres is."""
    watches, sections = _seen_by(may)
    parts: list[Part] = [*watches, *sections]
    return _home(watches, sections, sharing.now(parts, _read_all)) if parts else Home()


def home_lately(may: May) -> Home | None:
    """The same as others were told it within the last seconds, at no cost; `None`: they were not."""
    watches, sections = _seen_by(may)
    parts: list[Part] = [*watches, *sections]
    said = sharing.lately(parts) if parts else None
    return _home(watches, sections, said) if said else None


def all_lines() -> list[Line]:
    """The lines of all watches, for who may see everything; of what could not be looked at, that it could not."""
    with one_reading():
        return _sorted([line for watch in all_watches() for line in _looked(watch)])


def _looked(watch: Watch) -> list[Line]:
    # A statement that fails must not take along what the others say.
    with transaction.atomic():
        found = _look(watch)
        if found is None:
            transaction.set_rollback(True)
    if found is not None:
        return found
    text = _("Could not be looked at: %(what)s") % {"what": watch.about}
    return [Line(text, reverse("admin:index"), _("The log and `manage.py doctor` say why."), Tone.BAD)]


def _seen_by(may: May) -> tuple[list[Watch], list[Section]]:
    return [watch for watch in all_watches() if may(watch.may)], [one for one in all_sections() if may(one.may)]


def _home(watches: list[Watch], sections: list[Section], said: list[Said]) -> Home:
    told, shown = said[: len(watches)], said[len(watches) :]
    return Home(
        _sorted([line for each in told if each.what is not None for line in each.what]),
        [Shown(section, each.what) for section, each in zip(sections, shown, strict=True)],
        [watch.about for watch, each in zip(watches, told, strict=True) if each.what is None],
        watches=bool(watches),
        sees_all=len(watches) == len(all_watches()),
        of=min(each.of for each in said),
    )


def _read_all(parts: Sequence[Part]) -> list[Any]:
    with one_reading(), bounded():
        return [_look(part) if isinstance(part, Watch) else _read(part) for part in parts]


def _look(watch: Watch) -> list[Line] | None:
    try:
        return list(watch.look())
    except UNREADABLE as error:
        _tell(str(watch.about), error)
        return None


def _sorted(lines: list[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: _ORDER.get(line.tone, 1))


def _read(section: Section) -> SafeString | None:
    try:
        context = dict(section.read())
    except UNREADABLE as error:
        _tell(section.key, error)
        return None
    return mark_safe(render_to_string(section.template, {"it": context}))  # noqa: S308 # Escaped by the template.


def _tell(what: str, error: Exception) -> None:
    # Everybody who has the page open runs into it, every few seconds.
    if times := _told.tell(what):
        logger.warning("the home page could not read %s (%s times): %s", what, times, first_line(error))
