"""Says at start what WeasyPrint will miss at the first report, and how to get it."""

import ctypes
import sys
from collections.abc import Mapping
from typing import Any

from django.core import checks

# Debian's package for each library that WeasyPrint opens. The last one is optional: without it the fonts are cut by
# fontTools, which is slower and announced to end.
LIBRARIES: Mapping[str, str] = {
    "libpango-1.0.so.0": "libpango-1.0-0",
    "libpangoft2-1.0.so.0": "libpangoft2-1.0-0",
    "libharfbuzz-subset.so.0": "libharfbuzz-subset0",
}


def check_weasyprint(app_configs: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Warn about libraries that cannot be opened. Opens them alone: importing WeasyPrint would slow down every start.

    A warning and no error, as a web process makes no reports.
    """
    if sys.platform != "linux":
        return []
    missing = [package for library, package in LIBRARIES.items() if not _opens(library)]
    if not missing:
        return []
    return [
        checks.Warning(
            f"Reports cannot be made as PDF: WeasyPrint needs {', '.join(missing)}.",
            hint=f"On Debian and Ubuntu: apt-get install {' '.join(missing)}",
            id="reports.W001",
        )
    ]


def _opens(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
