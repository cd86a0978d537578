"""A forked process begins as a new interpreter would, but for the time it takes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sandbox.packages import CHECKOUT
from tests.acceptance.starter import start

_FILES = """
import sys
for module in list(sys.modules.values()):
    print("file", getattr(module, "__file__", None))
"""
# What a process is told by whoever starts it, and what it has for itself.
_OF_A_PROCESS = re.compile(
    r"^(?! ).*(?:os\.environ|getenv|sys\.argv|getpid|gethostname|uuid4\(|secrets\.)", re.MULTILINE
)

# All that a start makes of settings and environment, as a worker and a web process do it.
_MADE = """
import json, logging, os, re, sys, threading, time
from importlib import import_module
from django.conf import settings
import django
django.setup()
from balansity.celery import app
app.loader.import_default_modules()
app.finalize(auto=True)
before = {name for name in sys.modules if name.startswith("balansity.admin")}
import_module(settings.ROOT_URLCONF)
from django.apps import apps
from django.contrib import admin
from django.core import checks
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.db.backends.signals import connection_created
from django.db.models import signals
from django.urls import get_resolver
from django.utils.translation import get_language, gettext
from bridge.queues import registry

def in_words(value):
    return sorted(value) if isinstance(value, set) else repr(value)

made = {
    "settings": {name: getattr(settings, name) for name in dir(settings) if name.isupper()},
    "environment": dict(os.environ),
    "arguments": sys.argv,
    "path": sorted({entry or os.getcwd() for entry in sys.path}),
    "zone": time.tzname,
    "language": [get_language(), gettext("Access")],
    "threads": [thread.name for thread in threading.enumerate()],
    "loggers": {
        logger.name: [logger.level, logger.propagate, logger.disabled, shown]
        for logger in (logging.root, *logging.root.manager.loggerDict.values()) if isinstance(logger, logging.Logger)
        for shown in [[repr(one) for one in logger.handlers if not isinstance(one, logging.NullHandler)]]
        if shown or logger.level or logger.disabled
    },
    "applications": [repr(one) for one in apps.get_app_configs()],
    "models": [
        [model._meta.label, [field.name for field in model._meta.get_fields()]] for model in apps.get_models()
    ],
    "connections": connections.settings,
    "queues": [repr(queue) for queue in registry],
    "tasks": {name: [repr(task.time_limit), repr(task.soft_time_limit), type(task).__mro__[1].__name__]
              for name, task in app.tasks.items()},
    "celery": {name: app.conf[name] for name in app.conf if not name.startswith("_")},
    "beat": repr(app.Beat),
    "checks": sorted(repr(check) for check in checks.registry.registry.registered_checks),
    "receivers": {
        name: len(signal.receivers)
        for name, signal in [*vars(signals).items(), ("created", connection_created)] if hasattr(signal, "receivers")
    },
    "pages": [repr(model) for model in admin.site._registry],
    "loaded before pages": sorted(before),
    "addresses": [repr(pattern) for pattern in get_resolver().url_patterns],
    "middleware": repr(WSGIHandler()._middleware_chain),
}
# Without the places of functions in memory.
print(re.sub(r" at 0x[0-9a-f]+", "", json.dumps(made, default=in_words, sort_keys=True)))
"""


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "LOG_DIR": str(tmp_path / "logs"), **more}


def forked(code: str, variables: dict[str, str], tmp_path: Path) -> str:
    log = tmp_path / "log"
    process = start(["-c", code], variables, folder=CHECKOUT, log=log)
    process.join(30)
    return log.read_text(encoding="utf-8")


def test_what_settings_and_environment_make_of_a_fork_they_make_of_a_new_interpreter(tmp_path: Path) -> None:
    # Each of them is other than for those who loaded what the fork has, and than of the process that runs this test.
    variables = environment(
        tmp_path,
        PROBE_TIME_LIMIT="7",
        PROBE_TRANSACTIONAL="true",
        MAX_EMAIL_RETRY_ATTEMPTS="3",
        SECRET_KEY="of-this-test-" * 4,
        EMAIL_PROVIDER="resend",
        RESEND_API_KEY="re_of_this_test",
        LOG_FORMAT="json",
        LOG_LEVEL="warn",
        API_THROTTLE_CREATE="77",
        DATABASE_URL="postgres://of:this@127.0.0.1:7/test",
        REDIS_URL="redis://127.0.0.1:7/7",
    )
    fresh = subprocess.run(
        [sys.executable, "-c", _MADE], cwd=CHECKOUT, env=variables, capture_output=True, check=True, timeout=60
    ).stdout
    expected: dict[str, Any] = json.loads(fresh)
    found: dict[str, Any] = json.loads(forked(_MADE, variables, tmp_path))
    assert {name for name in expected if found[name] != expected[name]} == set()
    assert "PROBE_TIME_LIMIT" in expected["settings"]
    assert len(expected["models"]) > 20


_WHICH = "import sys; print('tests.acceptance.loaded' in sys.modules, 'bridge.models' in sys.modules)"


@pytest.mark.parametrize(
    ("variables", "as_it_is"),
    [
        ({}, "True True"),
        ({"DEBUG": "true"}, "False False"),
        ({"DJANGO_SETTINGS_MODULE": "of.this.test"}, "False False"),
    ],
    ids=["usual", "DEBUG", "settings of its own"],
)
def test_for_whom_other_settings_were_read_as_all_was_loaded_nothing_is_loaded(
    variables: dict[str, str], as_it_is: str, tmp_path: Path
) -> None:
    assert forked(_WHICH, environment(tmp_path, **variables), tmp_path).split("\n")[0] == as_it_is


def test_what_is_forked_has_taken_nothing_from_the_process_that_loaded_it(tmp_path: Path) -> None:
    files = [Path(line[5:]) for line in forked(_FILES, environment(tmp_path), tmp_path).splitlines()]
    ours = [file for file in files if file.is_relative_to(CHECKOUT) and ".venv" not in file.parts]
    assert any(file.is_relative_to(CHECKOUT / "bridge") for file in ours), "ours are loaded"
    # Settings are read anew.
    read = [file for file in ours if {"tests", "settings"}.isdisjoint(file.parts) and file.name != "settings.py"]
    told = {str(file): found for file in read if (found := _OF_A_PROCESS.findall(file.read_text(encoding="utf-8")))}
    celery = told.pop(str(CHECKOUT / "balansity" / "celery" / "__init__.py"))
    assert told == {}
    # Both are watched as they are loaded (`prepared.py`).
    assert celery == ["os.environ", "os.environ", "if kind_of(sys.argv"]
