"""Where the services of a run keep their files: in memory, where there is plenty of it.

Nobody wants these files after the run. To make and to remove one takes a file system that keeps them several times as
long, and Postgres makes some for each database and each table that is truncated.
"""

import os
import shutil
from pathlib import Path

from sandbox.services.state import ROOT

_MEMORY = Path("/dev/shm")
# Postgres keeps up to one of them as its log.
_PLENTY = 4 * 1024**3


def folder_of_services(memory: Path = _MEMORY) -> Path:
    """A folder that is nobody else's: below `memory`, or the usual one where that is missing, small or closed."""
    mine = memory / f"balansity-{os.getuid()}"
    try:
        if shutil.disk_usage(memory).free < _PLENTY:
            return ROOT
        mine.mkdir(mode=0o700, exist_ok=True)
        # Anybody may make a folder of that name there.
        there = mine.lstat()
    except OSError:
        return ROOT
    is_mine = mine.is_dir() and not mine.is_symlink() and there.st_uid == os.getuid() and not there.st_mode & 0o077
    return mine if is_mine else ROOT
