"""`./dev check`: what must hold before a change is committed. Runs everything, then says what failed."""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from sandbox.dev import texts
from sandbox.dev.layers import lint
from sandbox.packages import CHECKOUT, missing_in_image

SCHEMA = Path("openapi.yaml")

_MIGRATIONS = ("makemigrations", "--check", "--dry-run")

# Settings want addresses; nothing here connects to them.
NOWHERE = {
    "BALANSITY_ENV": "sandbox",
    "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "DJANGO_SETTINGS_MODULE": "balansity.settings",
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev check", description="Everything but the tests.")
    parser.parse_args(arguments)
    module = (sys.executable, "-m")
    failed = [
        title
        for title, command in {
            "format": (*module, "ruff", "format", "--check", "."),
            "lint": (*module, "ruff", "check", "."),
            "types": (*module, "mypy", "."),
            "django": (sys.executable, "-W", "ignore::RuntimeWarning", "manage.py", "check", "--fail-level", "WARNING"),
            # That there is no database to compare with is known and no news.
            "migrations": (sys.executable, "-W", "ignore::RuntimeWarning", "manage.py", *_MIGRATIONS),
        }.items()
        if not _passes(title, command)
    ]
    failed += [title for title, holds in {"layers": _layers_hold, "image": _image_is_whole}.items() if not holds()]
    if not _catalogue_is_fresh():
        failed.append("catalogue")
    if not _schema_is_fresh():
        failed.append("openapi")
    print("all checks passed" if not failed else f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def _passes(title: str, command: tuple[str, ...]) -> bool:
    print(f"— {title}", flush=True)
    return subprocess.run(command, cwd=CHECKOUT, env={**os.environ, **NOWHERE}, check=False).returncode == 0


def _layers_hold() -> bool:
    print("— layers", flush=True)
    return lint() == 0


def _image_is_whole() -> bool:
    """Whether each package of ours may come into the image, where everything is left out that is not named."""
    print("— image", flush=True)
    missing = missing_in_image()
    for package in missing:
        print(f"the image lacks {package}: add the line !{package}/ to .dockerignore")
    return not missing


def _schema_is_fresh() -> bool:
    """Whether the committed description of the API is the one that the code gives."""
    print("— openapi", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / SCHEMA.name
        # In English, as the catalogue's labels would be in it.
        options = ("--lang", "en", "--validate", "--fail-on-warn", "--file", str(fresh))
        command = (sys.executable, "manage.py", "spectacular", *options)
        if subprocess.run(command, cwd=CHECKOUT, env={**os.environ, **NOWHERE}, check=False).returncode:
            return False
        if fresh.read_bytes() != (CHECKOUT / SCHEMA).read_bytes():
            again = "./dev manage spectacular --lang en --validate --fail-on-warn --file"
            print(f"the API has changed and {SCHEMA} has not: {again} {SCHEMA}")
            return False
    return True


def _catalogue_is_fresh() -> bool:
    """Whether every text of the code is in the catalogue, in Russian, and compiled."""
    print("— catalogue", flush=True)
    found = texts.troubles(CHECKOUT)
    for trouble in found:
        print(trouble)
    return not found
