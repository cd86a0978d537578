"""What a started process finds prepared, beyond libraries: our models and modules, which are most of a start.

They are loaded with settings of nobody, which are forgotten again. A process reads its own, and does all that Django
and Celery do at a start, as a new interpreter would; only the modules are there already. What they have read of
settings and environment while they were loaded is remembered: for whoever would have read something else, they are the
wrong ones.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any
from unittest import mock

import tests.acceptance.loaded  # noqa: F401 # The libraries, while there are no settings.

# isort: split
from django.apps import apps
from django.apps.registry import Apps
from django.conf import LazySettings, settings
from django.db import connections
from django.utils.functional import empty
from django.utils.module_loading import autodiscover_modules

_OF_NOBODY = {
    "DJANGO_SETTINGS_MODULE": "balansity.settings",
    "BALANSITY_ENV": "sandbox",
    "DATABASE_URL": "postgres://nobody@127.0.0.1:9/none",
    "REDIS_URL": "redis://127.0.0.1:9/0",
    "SMTP_FROM": "nobody@example.org",
    "SMTP_HOST": "127.0.0.1",
    "LOG_DIR": tempfile.gettempdir(),
}
# What is read for things that are made anew in each process.
_MADE_ANEW = frozenset({"DATABASES", "INSTALLED_APPS"})
_MISSING = object()
# What no page of ours does without, and does nothing by being there.
_OF_PAGES = (
    *("django.contrib.admin.forms", "django.contrib.admin.views.main", "django.contrib.admindocs.views"),
    *("django.contrib.auth.forms", "django.contrib.auth.tokens", "django.contrib.auth.views"),
    *("django.contrib.contenttypes.forms", "django.contrib.contenttypes.views", "django.contrib.sites.shortcuts"),
    *("django.contrib.auth.backends", "django.contrib.auth.middleware", "django.contrib.messages.middleware"),
    *("django.contrib.sessions.middleware", "django.contrib.staticfiles.storage", "django.middleware.security"),
    *("django_otp.forms", "django_otp.qr", "rest_framework.generics", "rest_framework.pagination"),
    *("rest_framework.renderers", "rest_framework.schemas.openapi", "rest_framework.test", "rest_framework.throttling"),
    *("rest_framework.viewsets", "drf_spectacular.contrib", "drf_spectacular.views", "whitenoise.middleware"),
    *("anymail.inbound", "corsheaders.middleware", "csp.middleware"),
)

# What was read while the modules were loaded, by name, and variables that they have set.
_read: dict[str, Any] = {}
_read_variables: dict[str, str | None] = {}
_set_variables: dict[str, str] = {}
_installed: set[str] = set()


class _Watched(os._Environ[str]):
    """The environment, with an eye on who reads it."""

    def __getitem__(self, name: str) -> str:
        raw = self._data.get(self.encodekey(name))  # type: ignore[attr-defined]
        _read_variables.setdefault(name, None if raw is None else self.decodevalue(raw))
        return str(super().__getitem__(name))

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("a module that is loaded reads the whole environment")


def suits(arguments: list[str]) -> bool:
    """Whether this process, with its environment and these arguments, would have loaded the same.

    Reads the settings, for good, and sets what the modules have set in the environment.
    """
    if any(os.environ.get(name, _set_variables.get(name)) != value for name, value in _read_variables.items()):
        return False
    os.environ.update(_set_variables)
    if any(getattr(settings, name, _MISSING) != value for name, value in _read.items()):
        return False
    if not _installed <= {*settings.INSTALLED_APPS}:
        return False
    # The one thing that a module of ours takes from them as it is loaded, see `balansity.celery`.
    kind: str = sys.modules["balansity.processes"].kind_of(arguments)
    return kind != "beat" or settings.LOG_FORMAT != "json"


@contextmanager
def _of_nobody() -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(_OF_NOBODY)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        # Settings have one.
        time.tzset()


@contextmanager
def _watched() -> Iterator[None]:
    get = LazySettings.__getattr__

    def read(self: LazySettings, name: str) -> Any:
        try:
            value = get(self, name)
        except AttributeError:
            _read.setdefault(name, _MISSING)
            raise
        _read.setdefault(name, value)
        return value

    kind, argv, before = os.environ.__class__, sys.argv, dict(os.environ)
    os.environ.__class__ = _Watched
    # As no program of ours is called: beat is one for `balansity.celery`.
    sys.argv = [""]
    try:
        with mock.patch.object(LazySettings, "__getattr__", read):
            yield
    finally:
        os.environ.__class__, sys.argv = kind, argv
        _set_variables.update({name: value for name, value in os.environ.items() if name not in before})
        # Whoever has such a variable, of the same value, finds what those find for whom it was set.
        _read_variables.update(_set_variables)


class _ModelsAreReadyError(Exception):
    """Ends Django's set-up before applications do something with their settings."""


def _load_models() -> None:
    everything = Apps.get_app_configs

    def stop(registry: Apps) -> Any:
        if registry.models_ready:
            raise _ModelsAreReadyError
        return everything(registry)

    with mock.patch.object(Apps, "get_app_configs", stop):
        try:
            apps.populate(settings.INSTALLED_APPS)
        except _ModelsAreReadyError:
            apps.loading = False


def _names_of_the_rest() -> list[str]:
    """What applications, tasks and the bridge load, in this order, as a fork has found that goes all the way."""
    here, there = os.pipe()
    pid = os.fork()
    if pid == 0:
        before = {*sys.modules}
        for one in apps.get_app_configs():
            one.ready()
        apps.ready = True
        autodiscover_modules("tasks")
        import_module("bridge.management.commands.bridge_queues")
        names = [name for name in sys.modules if name not in before]
        os.write(there, "\n".join(names).encode())
        os._exit(0)
    os.close(there)
    with os.fdopen(here) as answer:
        found = answer.read().split()
    os.waitpid(pid, 0)
    return [name for name in found if not name.endswith(".tasks")]


def _forget_settings() -> None:
    settings.__dict__.clear()
    settings._wrapped = empty
    for name in [name for name in sys.modules if f"{name}.".startswith("balansity.settings.")]:
        del sys.modules[name]
    vars(sys.modules["balansity"]).pop("settings")
    apps.app_configs.clear()
    apps.apps_ready = apps.models_ready = False
    apps.clear_cache()
    for alias in connections:
        # Django asked how long the names of tables may be.
        assert connections[alias].connection is None
        del connections[alias]
    del connections.settings
    connections._settings = None  # type: ignore[attr-defined]


with _of_nobody():
    with _watched():
        import_module("balansity")
    _installed.update(name for name in settings.INSTALLED_APPS if not name.startswith("sandbox."))
    with _watched():
        _load_models()
        for _name in (*_names_of_the_rest(), "celery.backends.base", *_OF_PAGES):
            import_module(_name)
    _forget_settings()
for _name in _MADE_ANEW:
    _read.pop(_name, None)
# Whoever names none would get our usual ones.
_read_variables.pop("DJANGO_SETTINGS_MODULE", None)
