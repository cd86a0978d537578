"""A library whose import a time limit interrupts is loaded by the next document as if nothing had been."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from reports.document.loading import wholly

# The first import is interrupted when one module of it is done; so WeasyPrint looks from outside.
PACKAGE = """
from pathlib import Path
from slow_library.urls import FETCHER
begun = Path(__file__).with_name("begun")
if not begun.exists():
    begun.touch()
    from celery.exceptions import SoftTimeLimitExceeded
    raise SoftTimeLimitExceeded
"""


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    folder = tmp_path / "slow_library"
    folder.mkdir()
    (folder / "__init__.py").write_text(PACKAGE, encoding="utf-8")
    (folder / "urls.py").write_text("FETCHER = object()\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield "slow_library"
    for name in [name for name in sys.modules if name.partition(".")[0] == "slow_library"]:
        del sys.modules[name]


@pytest.mark.parametrize(("loads", "whole"), [(wholly, True), (nullcontext, False)])
def test_what_was_interrupted_leaves_nothing_behind(library: str, loads: type, whole: bool) -> None:
    with pytest.raises(SoftTimeLimitExceeded), loads():
        importlib.import_module(library)
    with loads():
        loaded = importlib.import_module(library)
    assert hasattr(loaded, "urls") == whole


def test_what_was_there_before_stays(library: str) -> None:
    mine = sys.modules["json"]
    with pytest.raises(SoftTimeLimitExceeded), wholly():
        importlib.import_module(library)
    assert sys.modules["json"] is mine
    assert library not in sys.modules
