"""Says of a library what of it we lean on beyond what it promises, so that an upgrade fails with those very names."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable
from typing import Any


def has(owner: Any, *names: str, for_: str) -> None:
    missing = [name for name in names if not hasattr(owner, name)]
    assert not missing, f"{owner!r} has lost {missing}, which {for_} leans on"


def parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


def takes(function: Callable[..., Any], *names: str, for_: str) -> None:
    found = parameters(function)
    assert found == list(names), f"{function.__qualname__} takes {found} by now, and {for_} leans on {list(names)}"


def takes_among_others(function: Callable[..., Any], *names: str, for_: str) -> None:
    missing = {*names} - {*parameters(function)}
    assert not missing, f"{function.__qualname__} does not take {missing} any more, which {for_} passes"


def replaces(ours: type, theirs: type, *names: str, for_: str) -> None:
    """Each of these methods of ours takes what the one that it replaces takes, and that is still there."""
    has(theirs, *names, for_=for_)
    for name in names:
        replaced, own = parameters(getattr(theirs, name)), parameters(getattr(ours, name))
        assert own[: len(replaced)] == replaced, f"{theirs.__qualname__}.{name} takes {replaced} by now: see {for_}"


def of_self(function: Callable[..., Any], *, written: bool) -> set[str]:
    """The attributes of `self` that a method of a library reads, or writes."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    kind: type[ast.expr_context] = ast.Store if written else ast.Load
    return {
        node.attr
        for node in ast.walk(definition)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, kind)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }


def reads(function: Callable[..., Any]) -> set[str]:
    return of_self(function, written=False)


def writes(function: Callable[..., Any]) -> set[str]:
    return of_self(function, written=True)


def uses(function: Callable[..., Any], names: Iterable[str], *, for_: str) -> None:
    missing = {*names} - reads(function)
    assert not missing, f"{function.__qualname__} looks no more at self.{sorted(missing)}, which {for_} sets"
