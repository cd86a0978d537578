"""Tests look at the clock while they run: what they compare with it is not from when they were collected.

Between the two lie minutes on a busy machine, and a token that begins in ten of them has begun by then.
"""

import ast
from collections.abc import Iterator

import pytest

from sandbox.packages import CHECKOUT

CLOCKS = {"now", "today", "time", "monotonic", "localdate", "localtime"}


def moments(code: ast.AST) -> Iterator[int]:
    """The lines that ask a clock when the module is imported: not inside functions, but in what decorates them."""
    if isinstance(code, ast.Lambda):
        return
    if isinstance(code, ast.FunctionDef):
        parts: list[ast.AST] = [*code.decorator_list, code.args]
    else:
        parts = list(ast.iter_child_nodes(code))
    if isinstance(code, ast.Call) and isinstance(code.func, ast.Attribute) and code.func.attr in CLOCKS:
        yield code.lineno
    for part in parts:
        yield from moments(part)


@pytest.mark.parametrize(
    "code",
    [
        "SENT = {'sent_at': timezone.now()}",
        "@pytest.mark.parametrize('age', [datetime.now(UTC) - DAY])\ndef test(age): pass",
        "def made(at=time.time()): pass",
    ],
)
def test_a_moment_of_the_import_is_found(code: str) -> None:
    assert list(moments(ast.parse(code))) == [1]


@pytest.mark.parametrize(
    "code", ["def test():\n    now = time.time()", "MOMENTS = [lambda: timezone.now()]", "AT = Now()"]
)
def test_a_moment_of_the_test_is_none(code: str) -> None:
    assert list(moments(ast.parse(code))) == []


def test_no_test_is_about_a_moment_of_its_import() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in (CHECKOUT / "tests").rglob("*.py")}
    asking = {path: ast.parse(text) for path, text in texts.items() if any(f".{clock}(" in text for clock in CLOCKS)}
    assert len(asking) > 20
    found = {f"{path.relative_to(CHECKOUT)}:{line}" for path, code in asking.items() for line in moments(code)}
    assert found == set()
