"""Who writes the marks of a payment, and the columns of its checkout that repeat them: the book, and nobody past it."""

import ast
from collections.abc import Iterator

import pytest

from sandbox.packages import CHECKOUT

PAYMENTS = CHECKOUT / "payments"
BOOK = PAYMENTS / "ledger" / "book.py"
COLUMNS = {"attention", "attention_note", "attention_since", "settled_at", "settled_by", "settled_by_id"}
WRITING = {"update", "create", "bulk_create", "get_or_create", "update_or_create", "PaymentAttention"}


def writes(text: str) -> Iterator[int]:
    """The lines of a module in which a mark, or what repeats one, is written."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Attribute(value=ast.Name(id="self")):
                # Something else's own, of the same name.
                continue
            case ast.Attribute(attr=attr, ctx=ast.Store()) if attr in COLUMNS:
                yield node.lineno
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), keywords=words) if name in WRITING:
                if name == "PaymentAttention" or COLUMNS & {word.arg for word in words}:
                    yield node.lineno


def test_nobody_else_writes_a_mark() -> None:
    modules = [path for path in PAYMENTS.rglob("*.py") if "migrations" not in path.parts and path != BOOK]
    assert {str(path): found for path in modules if (found := list(writes(path.read_text(encoding="utf-8"))))} == {}


def test_the_book_does() -> None:
    assert list(writes(BOOK.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "line",
    [
        "checkout.attention = ''",
        "checkout.checks, checkout.attention_since = 1, None",
        "Checkout.objects.filter(pk=pk).update(checks=1, attention_note='')",
        "PaymentAttention.objects.get_or_create(payment_id=pk, reason=reason, settled_at=None)",
        "PaymentAttention(payment_id=pk, reason=reason)",
    ],
)
def test_each_way_past_it_is_seen(line: str) -> None:
    assert set(writes(line)) == {1}
