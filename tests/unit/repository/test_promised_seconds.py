"""No test promises seconds: it tells by counts, by order, or by `far_below`, which of two things happened.

A bound that its author's machine keeps is broken by one that is slower and busy with all the other tests. A least time
is kept by every machine, and one time may be held against another one that was measured.
"""

import ast
import re
from collections.abc import Iterator

import pytest

from sandbox.packages import CHECKOUT
from tests.support.far_below import SHORTEST, far_below

CLOCKS = {"now", "monotonic", "perf_counter", "process_time", "thread_time"}
WAITS = {"wait_until", "terminate", "await_text", "await_end", "await_ending", "await_endings", "await_attempt"}
BELOW, ABOVE = ast.Lt | ast.LtE, ast.Gt | ast.GtE
BINDING = ast.FunctionDef | ast.Assign | ast.AnnAssign | ast.NamedExpr


class Reader:
    """What the names of a file stand for: readings of a clock, what is between two, and readings to come."""

    def __init__(self, nodes: list[ast.AST]) -> None:
        self._names: dict[str, set[str]] = {"reading": set(), "between": set(), "deadline": set()}
        binding = [node for node in nodes if isinstance(node, BINDING)]
        # What a name stands for may rest on names that are bound further down.
        for _ in range(2):
            for node in binding:
                self._learn(node)

    def broken(self, comparison: ast.Compare) -> bool:
        """Whether a slow machine makes it untrue."""
        sides = [comparison.left, *comparison.comparators]
        return any(
            self._is_bound(first, second) if isinstance(op, BELOW) else self._is_bound(second, first)
            for op, first, second in zip(comparison.ops, sides, sides[1:], strict=False)
            if isinstance(op, BELOW | ABOVE)
        )

    def _is_bound(self, low: ast.expr, high: ast.expr) -> bool:
        return self._has(low, "between") or (self._is(low, "reading") and self._has(high, "deadline"))

    def _learn(self, node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return) and inner.value and self._has(inner.value, "between"):
                    self._names["between"].add(node.name)
            return
        assert isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr)
        if node.value is None:
            return
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            for name, value in _pairs(target, node.value):
                for kind, known in self._names.items():
                    if self._is(value, kind) or (kind == "between" and self._has(value, kind)):
                        known.add(name)

    def _has(self, code: ast.AST, kind: str) -> bool:
        return any(self._is(part, kind) for part in ast.walk(code))

    def _is(self, code: ast.AST, kind: str) -> bool:
        if isinstance(code, ast.Name):
            return code.id in self._names[kind]
        if kind == "reading":
            return isinstance(code, ast.Call) and _asks_a_clock(code.func)
        if not isinstance(code, ast.BinOp):
            return False
        if kind == "deadline":
            return isinstance(code.op, ast.Add) and self._has(code, "reading") and not self._has(code, "between")
        # Less so many seconds it is another moment.
        is_moment = isinstance(code.right, ast.Constant) or "timedelta(" in (right := ast.unparse(code.right))
        is_moment = is_moment or right.rpartition(".")[2].isupper()
        return isinstance(code.op, ast.Sub) and not is_moment and self._has(code, "reading")


def _asks_a_clock(asked: ast.expr) -> bool:
    if isinstance(asked, ast.Attribute):
        return asked.attr in CLOCKS or (asked.attr == "time" and isinstance(asked.value, ast.Name))
    return isinstance(asked, ast.Name) and asked.id in CLOCKS


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, its in zip(target.elts, value.elts, strict=False):
            yield from _pairs(one, its)


def promises(code: ast.Module) -> Iterator[int]:
    """The lines that assert that something takes at most so long, or wait for it for so short a time only."""
    nodes = list(ast.walk(code))
    asserted = [part for node in nodes if isinstance(node, ast.Assert) for part in ast.walk(node.test)]
    comparisons = [
        part
        for part in asserted
        if isinstance(part, ast.Compare) and any(isinstance(op, BELOW | ABOVE) for op in part.ops)
    ]
    if comparisons:
        reader = Reader(nodes)
        yield from (one.lineno for one in comparisons if reader.broken(one))
    yield from (node.lineno for node in nodes if isinstance(node, ast.Call) and _waits_briefly(node))


def _waits_briefly(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    given = [one.value.value for one in call.keywords if one.arg == "seconds" and isinstance(one.value, ast.Constant)]
    return name in WAITS and any(isinstance(seconds, int | float) and seconds < SHORTEST for seconds in given)


@pytest.mark.parametrize(
    "code",
    [
        "assert time.monotonic() - began < 2",
        "assert 2 > time.monotonic() - began",
        "assert 0.9 < time.perf_counter() - began < 1.9",
        "assert timezone.now() - row.seen_at <= timedelta(seconds=10)",
        "assert abs((timezone.now() - row.seen_at).total_seconds()) < 1",
        "assert not (later and time.time() - began < 1)",
        "assert time.monotonic() < began + 30; began = time.monotonic()",
        "ends = time.monotonic() + 30; assert time.monotonic() < ends",
        "began = time.monotonic(); assert statistics.median(at - began for at in seen) < 1",
        "began = time.monotonic(); first = time.monotonic() - began; assert first < 5",
        "count, began = 1, perf_counter(); took = (perf_counter() - began) / 2; assert took < 5",
        "wait_until(lambda: mailbox.messages, 'the mail has come', seconds=5)",
        "assert bridge.terminate(seconds=5.0) == 0",
        "def took(times):\n    began = monotonic()\n    return monotonic() - began\nassert took(5) < 1",
    ],
)
def test_a_promise_of_seconds_is_found(code: str) -> None:
    assert list(promises(ast.parse(code))) == [code.count("\n") + 1]


@pytest.mark.parametrize(
    "code",
    [
        "assert time.monotonic() - began >= 0.2",
        "assert 0.2 <= time.monotonic() - began",
        "before = timezone.now(); assert before <= row.sent_at <= timezone.now()",
        "before = timezone.now(); assert before + HOUR <= hold.until <= timezone.now() + HOUR",
        "assert timezone.now() - timedelta(seconds=1) <= row.seen_at",
        "assert timezone.now() - LONG_AGO < row.due_at",
        "assert time.time() - 60 < row.at",
        "took = time.monotonic() - began; assert part.seconds <= took",
        "while time.monotonic() - began < 3: pass",
        "with far_below(60): pass",
        "wait_until(lambda: mailbox.messages, 'the mail has come', seconds=60)",
        "wait_until(lambda: mailbox.messages, 'the mail has come')",
        "assert fault(seconds=5)",
    ],
)
def test_what_every_machine_keeps_is_let_pass(code: str) -> None:
    assert list(promises(ast.parse(code))) == []


def test_no_test_promises_seconds() -> None:
    # To read them all would take longer than what is looked for is worth.
    reads_and_compares = re.compile(rf"\b(time\.time|{'|'.join(sorted(CLOCKS))})\(.*(?<![-<>])[<>]=? ", re.DOTALL)
    waits = re.compile(rf"\b({'|'.join(sorted(WAITS))})\(.*\bseconds=\d", re.DOTALL)
    texts = {path: path.read_text(encoding="utf-8") for path in (CHECKOUT / "tests").rglob("*.py")}
    suspects = {path: text for path, text in texts.items() if reads_and_compares.search(text) or waits.search(text)}
    assert len(suspects) > 50
    found = {
        f"{path.relative_to(CHECKOUT)}:{line}" for path, text in suspects.items() for line in promises(ast.parse(text))
    }
    assert found == set()


def test_what_takes_half_of_the_other_way_or_longer_is_told() -> None:
    now = 0.0
    with far_below(60, lambda: now):
        now += 29.9
    told = r"took 30\.1 s, as if it had waited for what takes 60 s"
    with pytest.raises(AssertionError, match=told), far_below(60, lambda: now):
        now += 30.1


def test_no_bound_is_set_where_a_busy_machine_could_meet_it() -> None:
    with pytest.raises(ValueError, match="20 s or more"), far_below(5):
        pass
