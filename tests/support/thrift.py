"""What is done again for each of thousands of tests, with the same outcome and less work.

It reaches into freezegun and pytest: should a later version do these things otherwise, it does them as it likes.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from unittest import mock

from _pytest.capture import CaptureManager, CaptureResult, FDCapture
from _pytest.logging import catching_logs
from freezegun import api as freezegun

_attach = catching_logs.__enter__


@contextmanager
def quick_looks() -> Iterator[None]:
    """Look at all modules when the clock is stopped, and at all loggers as a test begins, as far as that is needed."""
    with (
        mock.patch.object(freezegun, "_get_module_attributes_hash", _names_of),
        mock.patch.object(catching_logs, "__enter__", _attach_where_needed),
    ):
        yield


def _names_of(module: ModuleType) -> str:
    """What differs when a module has other names than before, of which freezegun then looks for times anew.

    Its own way, to list and sort the names of three thousand modules, takes longer than most tests.
    """
    return f"{id(module)}-{len(getattr(module, '__dict__', ()))}"


def _attach_where_needed(self: "catching_logs[Any]") -> Any:
    if self.level is not None:
        return _attach(self)
    root = logging.getLogger()
    known = list(root.manager.loggerDict.values())
    # Asked in this order, as nearly all pass on what they get.
    apart = [one for one in known if not one.__dict__.get("propagate", True) and isinstance(one, logging.Logger)]
    for logger in (root, *apart):
        logger.addHandler(self.handler)
        self.attached_loggers.append(logger)
    return self.handler


def capture_throughout(manager: CaptureManager) -> None:
    """Let nothing out between two phases of a test, as a fork shows nothing, and read only what was written."""
    captured, read = manager._global_capturing, manager.read_global_capture
    streams = (captured.out, captured.err) if captured is not None else ()
    files = [stream.tmpfile for stream in streams if isinstance(stream, FDCapture)]
    if len(files) != 2:
        return

    def read_what_there_is() -> CaptureResult[str]:
        return read() if any(os.fstat(file.fileno()).st_size for file in files) else CaptureResult("", "")

    unneeded = dict.fromkeys(("resume_global_capture", "suspend_global_capture"), lambda *_, **__: None)
    for name, act in {**unneeded, "read_global_capture": read_what_there_is}.items():
        setattr(manager, name, act)
