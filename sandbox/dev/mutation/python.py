"""Changes to guards in Python: one at a time, in the syntax tree.

Only what stands in a function: what runs once, at import, has run when the tests begin.
"""

import ast
import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import CodeType, FunctionType

from sandbox.dev.mutation.change import Change

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_LEAVES = (ast.Raise, ast.Return, ast.Continue, ast.Break)

_SHIFTED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}
_REVERSED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_SIGNS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Is: "is",
    ast.IsNot: "is not",
}
# What nobody's data depends on.
_SAYING = {"logger", "print", "warnings"}


@dataclass(frozen=True, slots=True)
class _Place:
    """A node of the tree, and where it hangs."""

    node: ast.AST
    parent: ast.AST
    field: str
    index: int | None
    scopes: tuple[_Scope, ...]

    def put(self, new: ast.AST) -> None:
        ast.copy_location(new, self.node)
        if self.index is None:
            setattr(self.parent, self.field, new)
        else:
            getattr(self.parent, self.field)[self.index] = new
        ast.fix_missing_locations(new)


@dataclass(frozen=True, slots=True)
class _Proposal:
    place: _Place
    what: str
    apply: Callable[[], None]
    # Where that is not the changed piece itself: what a test must have run to notice.
    noticed: range | None = None

    @property
    def lines(self) -> range:
        return self.noticed or _lines(self.place.node)


def changes(file: str, source: str) -> list[Change]:
    """Return every change to a guard of this file, in the order of its lines."""
    texts = source.splitlines()
    found = []
    for number, proposal in enumerate(_proposals(ast.parse(source))):
        line = _lines(proposal.place.node).start
        function = ".".join(scope.name for scope in proposal.place.scopes)
        found.append(Change(file, number, function, line, texts[line - 1].strip(), proposal.what, proposal.lines))
    return found


def install(filename: str, source: str, number: int) -> bool:
    """Let the functions that were made from this file run with the change; false when there is none to change.

    Raises `ValueError` when the change lets go of a name of the function around it, which Python does not allow.
    """
    tree = ast.parse(source)
    proposal = next(found for position, found in enumerate(_proposals(tree)) if position == number)
    around = {(scope.name, _first_line(scope)) for scope in proposal.place.scopes if isinstance(scope, _FUNCTIONS)}
    proposal.apply()
    codes = {
        (code.co_name, code.co_firstlineno): code
        for code in _nested(compile(tree, filename, "exec", dont_inherit=True))
        if (code.co_name, code.co_firstlineno) in around
    }
    functions = [
        found
        for found in gc.get_objects()
        if type(found) is FunctionType
        and found.__code__.co_filename == filename
        and (found.__code__.co_name, found.__code__.co_firstlineno) in codes
    ]
    for function in functions:
        function.__code__ = codes[function.__code__.co_name, function.__code__.co_firstlineno]
    return bool(functions)


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _first_line(scope: _Scope) -> int:
    return min([scope.lineno, *(decorator.lineno for decorator in scope.decorator_list)])


def _lines(node: ast.AST) -> range:
    match node:
        case ast.match_case(pattern=inner) | ast.comprehension(target=inner) | ast.withitem(context_expr=inner):
            return _lines(inner)
        case ast.If() | ast.With():
            # The head alone.
            return range(node.lineno, max(node.body[0].lineno, node.lineno + 1))
        case ast.expr() | ast.stmt() | ast.pattern():
            return range(node.lineno, (node.end_lineno or node.lineno) + 1)
        case _:
            raise TypeError(f"{node} has no lines")


def _places(node: ast.AST, scopes: tuple[_Scope, ...] = ()) -> Iterator[_Place]:
    for field, value in ast.iter_fields(node):
        # A decorator and a default run where the function is made.
        inside = (*scopes, node) if isinstance(node, _Scope) and field == "body" else scopes
        children = enumerate(value) if isinstance(value, list) else [(None, value)]
        for index, child in children:
            if isinstance(child, ast.AST):
                yield _Place(child, node, field, index, inside)
                yield from _places(child, inside)


def _proposals(tree: ast.AST) -> Iterator[_Proposal]:
    """Yield the changes one after another, always in the same order. Each is for a tree that none was applied to."""
    for place in _places(tree):
        if not any(isinstance(scope, _FUNCTIONS) for scope in place.scopes):
            continue
        yield from _of_expression(place) if isinstance(place.node, ast.expr) else _of_the_rest(place)


def _of_expression(place: _Place) -> Iterator[_Proposal]:
    match place.node:
        case ast.IfExp() as choice:
            yield _Proposal(place, "condition turned round", lambda: _turn(choice))
        case ast.BoolOp() as whole:
            yield from _of_operands(place, whole)
        case ast.Compare() as comparison:
            yield from _of_comparison(place, comparison)
        case ast.Call() as call:
            yield from _of_call(place, call)


def _of_the_rest(place: _Place) -> Iterator[_Proposal]:
    match place.node:
        case ast.If() as choice:
            yield from _of_if(place, choice)
        case ast.Expr(value=ast.Call() | ast.Await(value=ast.Call())) as statement:
            yield from _of_statement(place, statement)
        case ast.With() as block:
            yield from _of_block(place, block)
        case ast.comprehension() as loop:
            yield from _of_comprehension(place, loop)
        case ast.match_case(guard=ast.expr() as guard) as case:
            yield _Proposal(place, f"without `if {ast.unparse(guard)}`", lambda: setattr(case, "guard", None))


def _turn(choice: ast.If | ast.IfExp) -> None:
    choice.test = ast.copy_location(ast.UnaryOp(ast.Not(), choice.test), choice.test)
    ast.fix_missing_locations(choice)


def _of_if(place: _Place, choice: ast.If) -> Iterator[_Proposal]:
    if isinstance(choice.body[-1], _LEAVES) and not choice.orelse:
        # The condition is still asked: it may give a name to something.
        body = range(choice.body[0].lineno, choice.body[0].lineno + 1)
        asked = ast.BoolOp(ast.And(), [choice.test, ast.Constant(False)])
        yield _Proposal(place, "guard removed", lambda: place.put(ast.If(asked, choice.body, [])), body)
    else:
        yield _Proposal(place, "condition turned round", lambda: _turn(choice))


def _of_operands(place: _Place, whole: ast.BoolOp) -> Iterator[_Proposal]:
    for dropped in whole.values:
        rest = [value for value in whole.values if value is not dropped]
        new = rest[0] if len(rest) == 1 else ast.BoolOp(whole.op, rest)

        yield _Proposal(place, f"without `{ast.unparse(dropped)}`", partial(place.put, new))


def _of_comparison(place: _Place, comparison: ast.Compare) -> Iterator[_Proposal]:
    # As the whole condition, or a part of it, the other kind is changed already: removed, turned round, dropped.
    known = isinstance(place.parent, ast.If | ast.IfExp | ast.BoolOp | ast.comprehension) or place.field == "guard"
    kinds = _SHIFTED if known else {**_SHIFTED, **_REVERSED}
    for index, operator in enumerate(comparison.ops):
        other = kinds.get(type(operator))
        if other is not None:
            replace = partial(comparison.ops.__setitem__, index, other())
            yield _Proposal(place, f"`{_SIGNS[type(operator)]}` became `{_SIGNS[other]}`", replace)


def _of_statement(place: _Place, statement: ast.Expr) -> Iterator[_Proposal]:
    if _root(statement.value) not in _SAYING:
        # Where nobody comes, and not away: a name that it alone has of the function around it must stay one.
        dead = ast.If(ast.Constant(False), [statement], [])
        yield _Proposal(place, "call removed", lambda: place.put(dead))


def _root(node: ast.AST) -> str | None:
    """Return the name that a chain of calls and attributes begins with."""
    while not isinstance(node, ast.Name):
        match node:
            case ast.Call(func=inner) | ast.Attribute(value=inner) | ast.Await(value=inner):
                node = inner
            case _:
                return None
    return node.id


def _of_block(place: _Place, block: ast.With) -> Iterator[_Proposal]:
    named = [item for item in block.items if "lock" in ast.unparse(item.context_expr) and item.optional_vars is None]
    for item in named:
        rest = [other for other in block.items if other is not item]
        new = ast.With(rest, block.body) if rest else ast.If(ast.Constant(True), block.body, [])
        yield _Proposal(place, f"without `{ast.unparse(item)}`", partial(place.put, new))


def _of_call(place: _Place, call: ast.Call) -> Iterator[_Proposal]:
    match call.func:
        case ast.Attribute(attr="select_for_update", value=rows):
            yield _Proposal(place, "without `select_for_update`", lambda: place.put(rows))
        case ast.Attribute(attr="filter" | "exclude"):
            for dropped in call.keywords:
                drop = partial(call.keywords.remove, dropped)
                yield _Proposal(place, f"without `{ast.unparse(dropped)}`", drop)


def _of_comprehension(place: _Place, loop: ast.comprehension) -> Iterator[_Proposal]:
    for dropped in loop.ifs:
        drop = partial(loop.ifs.remove, dropped)
        yield _Proposal(place, f"without `if {ast.unparse(dropped)}`", drop, _lines(dropped))
