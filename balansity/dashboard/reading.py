"""Reads the home page for somebody: the lines of all watches, and the sections that they may see."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

from django.apps import apps
from django.db import DatabaseError, InterfaceError
from django.utils.functional import Promise
from django.utils.module_loading import module_has_submodule

from balansity.dashboard.bounds import bounded
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
    """A section, and what its template shows; `None`: that could not be read in time."""

    section: Section
    context: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Home:
    """What somebody sees. `unread` names what could not be looked at; `sees_all`: nothing is kept from them."""

    lines: list[Line] = field(default_factory=list)
    sections: list[Shown] = field(default_factory=list)
    unread: list[str | Promise] = field(default_factory=list)
    watches: bool = False
    sees_all: bool = False

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
    return tuple(watch for module in _modules() for watch in getattr(module, "WATCHES", ()))


@cache
def all_sections() -> tuple[Section, ...]:
    found = (section for module in _modules() for section in getattr(module, "SECTIONS", ()))
    return tuple(sorted(found, key=lambda section: section.place))


def read_home(may: May) -> Home:
    """All that whoever has the rights that `may` knows of sees; in two seconds at most, however slow Postgres is."""
    watches = all_watches()
    watched = [watch for watch in watches if may(watch.may)]
    wanted = [section for section in all_sections() if may(section.may)]
    if not watched and not wanted:
        return Home()
    with one_reading(), bounded():
        lines, unread = read_lines(watched)
        shown = [_read(section) for section in wanted]
    return Home(lines, shown, unread, watches=bool(watched), sees_all=len(watched) == len(watches))


def all_lines() -> list[Line]:
    """The lines of all watches, for who may see everything. Raises what a look runs into."""
    with one_reading():
        return _sorted([line for watch in all_watches() for line in watch.look()])


def read_lines(watches: list[Watch]) -> tuple[list[Line], list[str | Promise]]:
    """The lines, the gravest first, and what could not be looked at."""
    lines: list[Line] = []
    unread: list[str | Promise] = []
    for watch in watches:
        try:
            lines.extend(watch.look())
        except UNREADABLE as error:
            _tell(str(watch.about), error)
            unread.append(watch.about)
    return _sorted(lines), unread


def _sorted(lines: list[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: _ORDER.get(line.tone, 1))


def _read(section: Section) -> Shown:
    try:
        return Shown(section, dict(section.read()))
    except UNREADABLE as error:
        _tell(section.key, error)
        return Shown(section, None)


def _tell(what: str, error: Exception) -> None:
    # Everybody who has the page open runs into it, every few seconds.
    if times := _told.tell(what):
        logger.warning("the home page could not read %s (%s times): %s", what, times, first_line(error))


def _modules() -> Iterator[Any]:
    for config in apps.get_app_configs():
        if config.module is not None and module_has_submodule(config.module, "dashboard"):
            yield import_module(f"{config.name}.dashboard")
