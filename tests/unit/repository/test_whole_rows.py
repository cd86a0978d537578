"""No row that is there already is written whole: what stays as it is would be written, and its texts stored, anew."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.packages import CHECKOUT

PACKAGES = ("notifications", "payments", "reports")
SAYS_WHAT = {"update_fields", "force_insert"}


def _whole_saves(code: str) -> Iterator[int]:
    """The lines of calls of a row's `save` that do not say what they write. A storage's has positional arguments."""
    for node in ast.walk(ast.parse(code)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "save"):
            continue
        if not node.args and not SAYS_WHAT & {keyword.arg for keyword in node.keywords}:
            yield node.lineno


def _is_kept_by_changes(line: str) -> bool:
    return line.strip().startswith("changes.save()")


@pytest.mark.parametrize("package", PACKAGES)
def test_rows_say_which_columns_they_write(package: str) -> None:
    found = []
    for path in sorted((CHECKOUT / package).rglob("*.py")):
        code = path.read_text(encoding="utf-8")
        lines = code.splitlines()
        found += [
            f"{path.relative_to(CHECKOUT)}:{number}"
            for number in _whole_saves(code)
            if not _is_kept_by_changes(lines[number - 1])
        ]
    assert found == [], "say `update_fields`, or let `bridge.changes` find what was changed"


@pytest.mark.parametrize(
    ("code", "is_whole"),
    [
        ("row.save()", True),
        ("self.row.save(using='default')", True),
        ("row.save(update_fields=['status'])", False),
        ("row.save(force_insert=True)", False),
        ("storage.save(key, content)", False),
    ],
)
def test_a_whole_row_is_told_from_a_part_of_one(code: str, is_whole: bool) -> None:
    assert bool([*_whole_saves(code)]) is is_whole


def test_every_package_of_the_lint_is_there() -> None:
    assert all(
        Path(CHECKOUT, package, "models.py").exists() or Path(CHECKOUT, package, "models").is_dir()
        for package in PACKAGES
    )
