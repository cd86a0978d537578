"""Clusters of Postgres that are copied instead of made: `initdb` is two thirds of the start of a sandbox.

What is copied has Supabase's side and our tables in it, as whoever starts a sandbox a second time finds them. It is the
same whoever makes it, but for the password, which lies beside it and is copied along.
"""

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from sandbox.packages import CHECKOUT
from sandbox.services.postgres import Postgres
from sandbox.services.supabase import prepare
from tests.acceptance.starter import start


@contextmanager
def copied_from(original: Path) -> Iterator[None]:
    """Let each new cluster of this process be a copy of what lies in that folder."""

    def copy(postgres: Postgres) -> None:
        copy_to(original, postgres._folder)

    with mock.patch.object(Postgres, "_make_cluster", copy):
        yield


def copy_to(original: Path, folder: Path) -> None:
    # With its owner: run by root, it belongs to somebody else.
    subprocess.run(["cp", "-a", *map(str, original.iterdir()), str(folder)], check=True, timeout=60)


def original_in(folder: Path) -> Path:
    """The folder with the cluster that is copied, and its password. Forks share it: the first one makes it."""
    there = folder / "cluster"
    with (folder / "cluster.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not there.exists():
            draft = folder / "cluster.new"
            draft.mkdir(mode=0o700)
            _make(draft, folder / "cluster.log")
            draft.rename(there)
    return there


def _make(folder: Path, log: Path) -> None:
    postgres = Postgres(folder, durable=False)
    postgres.start()
    try:
        prepare(postgres.url(), seed=False)
        variables = {**os.environ, "DATABASE_URL": postgres.url()}
        migrating = start(["manage.py", "migrate", "--verbosity=0"], variables, folder=CHECKOUT, log=log)
        migrating.join(60)
        assert migrating.exitcode == 0, log.read_text(encoding="utf-8")
    finally:
        postgres.stop()
    (folder / "postgres.log").unlink()
