"""The settings that a process would have with other variables, without starting one: in some milliseconds."""

import importlib
import importlib.machinery
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any
from unittest import mock

import balansity
from balansity import dotenv
from balansity.env import ConfigurationError

PACKAGE = "balansity.settings"
NEEDED = {
    "SECRET_KEY": "k" * 50,
    "DATABASE_URL": "postgres://app:geheim@db.example:5432/postgres",
    "REDIS_URL": "redis://redis.example:6379/0",
}
MAIL = {"SMTP_HOST": "smtp.example", "SMTP_FROM": "hello@example.org"}


def load_settings(variables: dict[str, str], *, sandbox: bool = False, file: Path | None = None) -> dict[str, Any]:
    """Return the settings by their names; raises `ConfigurationError` with the lines that an operator would see.

    What every process needs is there, and `variables` come before it. A sandbox needs no mail server, production does.
    With a `file`, the code has that one beside it as its `.env`, which says itself what every process needs.
    """
    usual = {"LOG_DIR": os.environ["LOG_DIR"], "BALANSITY_ENV": "sandbox" if sandbox else "production"}
    if file is None:
        usual |= NEEDED
    with mock.patch.dict(os.environ, {**usual, **variables}, clear=True), _beside(file), _loaded_anew():
        try:
            module = importlib.import_module(PACKAGE)
        except SystemExit as ended:
            first, *problems = str(ended).splitlines()
            assert first == "The configuration cannot be used:"
            raise ConfigurationError(problems) from None
        return {name: value for name, value in vars(module).items() if name.isupper()}


def problems_of(variables: dict[str, str], *, sandbox: bool = False, file: Path | None = None) -> list[str]:
    try:
        load_settings(variables, sandbox=sandbox, file=file)
    except ConfigurationError as error:
        return error.problems
    return []


def _beside(file: Path | None) -> AbstractContextManager[Any]:
    read = dotenv.load_dotenv
    return mock.patch.object(dotenv, "load_dotenv", lambda _, variables: read(file, variables) if file else [])


class _Loader(importlib.machinery.SourceFileLoader):
    """Reads each file once: finding and reading them is a third of a load."""

    _code: CodeType | None = None

    def get_code(self, fullname: str) -> CodeType | None:
        self._code = self._code or super().get_code(fullname)
        return self._code


class _Finder(MetaPathFinder):
    """Finds what was found before."""

    def __init__(self) -> None:
        self._specs: dict[str, ModuleSpec] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not _is_ours(fullname):
            return None
        if fullname not in self._specs:
            found = importlib.machinery.PathFinder.find_spec(fullname, path)
            if found is None or found.origin is None:
                return None
            found.loader = _Loader(fullname, found.origin)
            self._specs[fullname] = found
        return self._specs[fullname]


_finder = _Finder()


@contextmanager
def _loaded_anew() -> Iterator[None]:
    """Let the package be executed again inside the block; the process keeps the one that it has."""
    kept = _take_out()
    sys.meta_path.insert(0, _finder)
    try:
        yield
    finally:
        sys.meta_path.remove(_finder)
        _take_out()
        sys.modules.update(kept)
        # An import leaves the module in its package as well.
        balansity.settings = kept[PACKAGE]


def _take_out() -> dict[str, ModuleType]:
    """All but those that are the same whatever the environment says: how an address is taken apart, and the like."""
    return {name: sys.modules.pop(name) for name in _readers() if name in sys.modules}


@cache
def _readers() -> tuple[str, ...]:
    """Known after the first look, as this process has loaded its own settings by then."""
    return tuple(filter(_reads_environment, sys.modules))


def _reads_environment(name: str) -> bool:
    """Whether a module of the settings does, or imports one that does."""
    if not _is_ours(name):
        return False
    spec = sys.modules[name].__spec__
    assert spec is not None
    assert isinstance(spec.loader, InspectLoader)
    code = spec.loader.get_code(name)
    assert code is not None
    return name == f"{PACKAGE}.environment" or any(map(_reads_environment, code.co_names))


def _is_ours(name: str) -> bool:
    return name.startswith(PACKAGE) and (name == PACKAGE or name[len(PACKAGE)] == ".")
