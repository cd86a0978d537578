"""What Django says of our models and of their pages when its checks are run: asked once a process, and heard again."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, wraps
from typing import Any
from unittest import mock

from django.core import checks
from django.core.checks import Tags

_OF_CODE = {Tags.models, Tags.admin}


@contextmanager
def code_checked_once() -> Iterator[None]:
    """It follows from the code alone, which stays as it is; what follows from settings is asked anew."""
    with mock.patch.object(checks.registry.registry, "registered_checks", _registered()):
        yield


@cache
def _registered() -> set[Any]:
    found = checks.registry.registry.registered_checks
    return {_once(check) if {*check.tags} & _OF_CODE else check for check in found}


def _once(check: Any) -> Any:
    said: list[Any] = []

    @wraps(check)
    def again(**asked: Any) -> Any:
        if not said:
            said.append(check(**asked))
        return said[0]

    return again
