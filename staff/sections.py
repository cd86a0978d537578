"""The sections of the home page: what each one is called, who sees it, and what it shows.

A package brings its own in a module `dashboard`, as `SECTIONS`, beside `WATCHES` (`staff.attention`). What several of
them need is asked for once (`once`): the page is read anew every few seconds, by everybody who has it open.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, cast

from django.utils.functional import Promise

Look = TypeVar("Look", bound=Callable[..., Any])

# What was found while one page is read, by the look and what it was asked; an error as well, so that it costs once.
_found: ContextVar[dict[tuple[Any, ...], tuple[Any, Exception | None]] | None] = ContextVar("found", default=None)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the home page for those who have the right `may`.

    `read` returns what `template` shows, and asks nobody but Postgres; what hangs there is cut. Sections stand in the
    order of their `place`, a `narrow` one beside others.
    """

    key: str
    title: str | Promise
    may: str
    template: str
    read: Callable[[], Mapping[str, Any]]
    place: int
    narrow: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """A large number: its name, what stands small below it, and where its rows are."""

    name: str
    number: str
    below: str = ""
    address: str = ""


@contextmanager
def one_reading() -> Iterator[None]:
    """Everything inside is one page: what is decorated with `once` is asked for once."""
    token = _found.set({})
    try:
        yield
    finally:
        _found.reset(token)


def once(look: Look) -> Look:
    """Remember within `one_reading` what `look` has found, or ran into."""

    @wraps(look)
    def remembered(*asked: Any) -> Any:
        found = _found.get()
        if found is None:
            return look(*asked)
        key = (look, *asked)
        if key not in found:
            try:
                found[key] = look(*asked), None
            except Exception as error:
                found[key] = None, error
                raise
        value, before = found[key]
        if before is not None:
            raise before
        return value

    return cast(Look, remembered)
