"""Clusters of Postgres that are copied instead of made: `initdb` is two thirds of the start of a sandbox.

What is made is the same whoever makes it, but for the password, which lies beside it and is copied along.
"""

import fcntl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from sandbox.services.postgres import Postgres

_make_cluster = Postgres._make_cluster


@contextmanager
def copied_from(folder: Path) -> Iterator[None]:
    """Let each new cluster of this process be a copy of one below `folder`, which the first who needs it makes."""

    def copy(postgres: Postgres) -> None:
        subprocess.run(
            ["cp", "-a", *map(str, _original(folder).iterdir()), str(postgres._folder)], check=True, timeout=60
        )

    with mock.patch.object(Postgres, "_make_cluster", copy):
        yield


def _original(folder: Path) -> Path:
    there = folder / "cluster"
    # Forks share it: the first one makes it, the others wait.
    with (folder / "cluster.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not there.exists():
            draft = folder / "cluster.new"
            draft.mkdir()
            _make_cluster(Postgres(draft))
            draft.rename(there)
    return there
