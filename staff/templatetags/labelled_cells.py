"""Names each cell of Django's lists by its column, so that a phone can show a row as a card (`staff-cards`)."""

import re
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from typing import Any

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst

register = template.Library()

_OPENING = re.compile(r"^<t[dh]\b")


@register.simple_tag
def labelled_cells(row: Iterable[str], headers: Iterable[Mapping[str, Any]]) -> SafeString:
    """The cells of a row as Django wrote them; that of the boxes to mark has no name to show."""
    named = zip_longest(row, map(_name, headers), fillvalue="")
    return mark_safe("".join(_labelled(str(cell), name) for cell, name in named))  # noqa: S308 # Escaped by Django.


def _name(header: Mapping[str, Any]) -> str:
    return "" if "action-checkbox" in str(header.get("class_attrib")) else str(capfirst(str(header["text"])))


def _labelled(cell: str, name: str) -> str:
    return _OPENING.sub(lambda found: f'{found[0]} data-label="{escape(name)}"', cell) if name else cell
