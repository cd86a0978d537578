"""Libraries that are loaded by the first document: wholly, or not at all."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ExtensionFileLoader


@contextmanager
def wholly() -> Iterator[None]:
    """Import within. What a time limit interrupts leaves no part of a package behind.

    Python forgets the module that was being imported, and not those within it that were done. The next import finds
    them, does not make them attributes of their package, and the library lacks `weasyprint.urls` for the life of the
    process: every report of that child would fail.
    """
    before = {*sys.modules}
    try:
        yield
    except BaseException:
        for name, module in [*sys.modules.items()]:
            spec = getattr(module, "__spec__", None)
            # What was there before is somebody's, and what is compiled cannot be loaded twice.
            if name.partition(".")[0] not in before and not isinstance(
                getattr(spec, "loader", None), ExtensionFileLoader
            ):
                del sys.modules[name]
        raise
