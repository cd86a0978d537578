"""What freezegun asks of all modules each time it stops the clock: the same, in a third of the time.

It looks whether one of the three thousand that are loaded has got other names since, as they may be clocks.
"""

import sys
import warnings
from types import ModuleType

from freezegun import api

_thorough = api._get_module_attributes_hash


def _quick(module: ModuleType) -> str:
    # `dir` would make a list of the names and sort it.
    try:
        return f"{id(module)}-{hash(frozenset(vars(module)))}"
    except TypeError:
        return _thorough(module)


def ask_quicker() -> None:
    api._get_module_attributes_hash = _quick


def ask_once_for_all_forks() -> None:
    """To be called by the process that forks: what the first look at each module finds is kept."""
    with warnings.catch_warnings():
        # Of names that are on their way out; freezegun asks for all of them as well.
        warnings.simplefilter("ignore")
        for module in list(sys.modules.values()):
            if hasattr(module, "__name__"):
                api._get_cached_module_attributes(module)
