"""What stays in the sandbox's folder when the demo is over: mails, reports and logs."""

import shutil
from pathlib import Path

from sandbox.services.state import State

MAILS, REPORTS, LOGS = "mail", "reports", "logs"


def keep_results(state: State, *, logs: bool) -> None:
    """Delete everything else; the processes' logs go to the others in `logs`, or all of them away."""
    state.hold()
    kept = (MAILS, REPORTS, *([LOGS] if logs else []))
    for path in list(state.folder.iterdir()):
        if path.name in kept:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        elif logs and path.suffix == ".log":
            _move(path, state.folder / LOGS)
        else:
            path.unlink()
    state.release()


def _move(path: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    path.replace(folder / path.name)
