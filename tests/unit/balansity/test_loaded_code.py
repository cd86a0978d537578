"""What each process loads, and with that holds in memory, of what it may never need."""

import json
import subprocess
import sys
from functools import cache

from balansity.processes import BEAT, LOADED_WHEN_NEEDED

# Each is several megabytes, or a tenth of a second of every start.
_PAGES = {"rest_framework.views", "drf_spectacular.views", "jwt", "balansity.urls", "balansity.doctor"}
_STORAGE = {"storage3", "httpx", "pydantic", "reports.storage.supabase"}
_DRAWING = {"weasyprint", "PIL", "pypdfium2"}
_SETTING = {"reports.document.composition", "reports.document.texts", "reports.document.preview"}
_RARE = {"icalendar", "yookassa", "cryptography.hazmat", "sentry_sdk", "qrcode", "rich"}
# Of the bridge, which sends no mail and asks nobody by HTTP, unless a service is away or somebody watches from outside.
_CALLING = {"requests", "charset_normalizer", "anymail"}

# As `celery -A balansity beat` and `celery -A balansity worker` do it, up to where one forks and the other is ready.
_LOOK = f"""
import json, sys
sys.argv = {["celery", *BEAT[1:]]!r}
import django
from balansity.celery import app
django.setup()
import bridge.management.commands.bridge_queues
found = [[*sys.modules]]
app.loader.import_default_modules()
found.append([*sys.modules])
import uuid
from reports.storage.links import make_file_url
make_file_url(uuid.uuid4())
found.append([*sys.modules])
print(json.dumps(found))
"""


@cache
def loaded() -> tuple[set[str], set[str], set[str]]:
    """By a bridge, by beat, or a worker before it loads what its children share, and by one that made a link."""
    done = subprocess.run([sys.executable, "-c", _LOOK], capture_output=True, text=True, timeout=60, check=True)
    bridge, beat, linking = json.loads(done.stdout)
    return {*bridge}, {*beat}, {*linking}


def test_the_bridge_holds_nothing_of_pages_documents_and_calls() -> None:
    bridge, _, _ = loaded()

    assert bridge & (_PAGES | _STORAGE | _DRAWING | _SETTING | _RARE | _CALLING) == set()


def test_beat_and_workers_hold_no_pages_and_what_draws_is_loaded_by_the_first_report() -> None:
    _, beat, _ = loaded()

    assert beat & (_PAGES | _STORAGE | _DRAWING | _RARE) == set()
    assert "payments.tasks" in beat


def test_what_children_share_is_named_by_modules_that_nobody_else_loads() -> None:
    _, beat, _ = loaded()

    assert not {*LOADED_WHEN_NEEDED} & beat


def test_a_link_to_a_report_is_made_without_the_pages() -> None:
    _, _, linking = loaded()

    assert "reports.storage.links" in linking
    assert "balansity.urls" not in linking


def test_without_an_address_of_a_tracker_of_errors_nothing_of_it_is_loaded() -> None:
    for modules in loaded():
        assert [name for name in modules if name.startswith("sentry_sdk")] == []
