"""What each package says of itself: a module of one name in each, like `doctor`, found without a list of them."""

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

from django.apps import apps
from django.utils.module_loading import module_has_submodule


def modules_called(name: str) -> Iterator[ModuleType]:
    """The modules of this name, in the order of `INSTALLED_APPS`; a package without one says nothing."""
    for config in apps.get_app_configs():
        if config.module is not None and module_has_submodule(config.module, name):
            yield import_module(f"{config.name}.{name}")
