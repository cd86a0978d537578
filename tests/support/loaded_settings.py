"""The settings that a process would have with other variables, without starting one: in some milliseconds."""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from unittest import mock

import balansity
from balansity.env import ConfigurationError

PACKAGE = "balansity.settings"
NEEDED = {
    "SECRET_KEY": "k" * 50,
    "DATABASE_URL": "postgres://app:geheim@db.example:5432/postgres",
    "REDIS_URL": "redis://redis.example:6379/0",
}
MAIL = {"SMTP_HOST": "smtp.example", "SMTP_FROM": "hello@example.org"}


def load_settings(variables: dict[str, str], *, sandbox: bool = False) -> dict[str, Any]:
    """Return the settings by their names; raises `ConfigurationError` with the lines that an operator would see.

    What every process needs is there, and `variables` come before it. A sandbox needs no mail server, production does.
    """
    usual = {**NEEDED, "LOG_DIR": os.environ["LOG_DIR"], "BALANSITY_ENV": "sandbox" if sandbox else "production"}
    no_file = mock.patch("balansity.dotenv.load_dotenv", return_value=[])
    with mock.patch.dict(os.environ, {**usual, **variables}, clear=True), no_file, _loaded_anew():
        try:
            module = importlib.import_module(PACKAGE)
        except SystemExit as ended:
            first, *problems = str(ended).splitlines()
            assert first == "The configuration cannot be used:"
            raise ConfigurationError(problems) from None
        return {name: value for name, value in vars(module).items() if name.isupper()}


def problems_of(variables: dict[str, str], *, sandbox: bool = False) -> list[str]:
    try:
        load_settings(variables, sandbox=sandbox)
    except ConfigurationError as error:
        return error.problems
    return []


@contextmanager
def _loaded_anew() -> Iterator[None]:
    """Let the package be executed again inside the block; the process keeps the one that it has."""
    kept = _take_out()
    try:
        yield
    finally:
        _take_out()
        sys.modules.update(kept)
        # An import leaves the module in its package as well.
        balansity.settings = kept[PACKAGE]


def _take_out() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name == PACKAGE or name.startswith(f"{PACKAGE}.")]
    return {name: sys.modules.pop(name) for name in names}
