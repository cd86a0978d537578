"""The settings are plain lines: whoever looks for one finds where it is read, and nothing else gets among them."""

import importlib
import re
from collections import Counter

import pytest

import balansity
from sandbox.packages import CHECKOUT
from tests.support.loaded_settings import MAIL, PACKAGE, load_settings

LINE = re.compile(r"^([A-Z][A-Z0-9_]*) = ", re.MULTILINE)


def lines() -> Counter[str]:
    """How often each name begins a line of the package, as `NAME = …`."""
    files = (CHECKOUT / PACKAGE.replace(".", "/")).glob("*.py")
    return Counter(name for file in files for name in LINE.findall(file.read_text(encoding="utf-8")))


@pytest.mark.parametrize("sandbox", [False, True], ids=["production", "sandbox"])
def test_every_setting_is_one_line_that_a_search_finds(sandbox: bool) -> None:
    assert lines() == Counter(load_settings(MAIL, sandbox=sandbox).keys())


def test_a_process_keeps_its_settings_when_a_test_loads_others() -> None:
    own = importlib.import_module(PACKAGE)
    assert load_settings({**MAIL, "REPORT_LINK_DAYS": "31"})["REPORT_LINK_DAYS"] == 31
    assert importlib.import_module(PACKAGE) is own
    assert vars(balansity)["settings"] is own
