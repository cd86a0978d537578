"""The verbs of `manage.py queue`, a module each: what it takes and does. Whoever adds one types it nowhere."""

import argparse
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Protocol, cast

from django.core.management.base import BaseCommand


class Verb(Protocol):
    """What a module here holds. `handle` is given the command for its streams, and raises `CommandError`."""

    HELP: str

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None: ...

    @staticmethod
    def handle(command: BaseCommand, options: dict[str, Any]) -> None: ...


def verbs() -> dict[str, Verb]:
    """Each by its name. What begins with an underscore is none."""
    names = sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))
    return {name: cast(Verb, import_module(f"{__name__}.{name}")) for name in names}
