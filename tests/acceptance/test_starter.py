"""A forked process begins as a new interpreter would, but for the time it takes."""

import re
from pathlib import Path

from sandbox.packages import CHECKOUT
from tests.acceptance.starter import start

_LOOK = """
import os, sys
from django.conf import settings
from django.apps import apps
print(settings.configured, apps.apps_ready, "balansity" in sys.modules, os.environ.get("DJANGO_SETTINGS_MODULE"))
for module in list(sys.modules.values()):
    print("file", getattr(module, "__file__", None))
"""
# What a process is told by whoever starts it, and what it has for itself.
_OF_A_PROCESS = re.compile(r"^(?! ).*(?:os\.environ|getenv|sys\.argv|getpid|gethostname|uuid4|secrets\.)", re.MULTILINE)


def test_what_is_forked_has_read_nothing_that_another_process_would_not_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start(["-c", _LOOK], {"DJANGO_SETTINGS_MODULE": "of.this.test"}, folder=CHECKOUT, log=log)
    process.join(30)
    first, *others = log.read_text(encoding="utf-8").splitlines()
    assert first == "False False False of.this.test"
    files = [Path(line.removeprefix("file ")) for line in others]
    ours = [file for file in files if file.is_relative_to(CHECKOUT) and ".venv" not in file.parts]
    assert any(file.is_relative_to(CHECKOUT / "bridge") for file in ours), "ours are loaded"
    product = [file for file in ours if not file.is_relative_to(CHECKOUT / "tests")]
    told = {str(file): found for file in product if (found := _OF_A_PROCESS.findall(file.read_text(encoding="utf-8")))}
    assert told == {}
