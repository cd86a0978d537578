"""`./dev mutate`: which guards it finds, how it breaks them, and what it makes of the list of accepted survivors."""

import importlib.util
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from sandbox.dev.mutation import accepted, choosing, mutate, python, statements
from sandbox.dev.mutation.change import Change
from sandbox.dev.mutation.plan import Run
from sandbox.errors import SandboxError


def body(text: str) -> str:
    return "def shore(otter, river=None):\n" + textwrap.indent(textwrap.dedent(text).strip(), "    ") + "\n"


def found(text: str) -> list[str]:
    return [f"{change.text} -> {change.what}" for change in python.changes("shore.py", body(text))]


@pytest.mark.parametrize("leaving", ["raise ValueError", "return None"])
def test_a_guard_is_removed(leaving: str) -> None:
    assert found(f"if otter:\n    {leaving}\nreturn 1") == ["if otter: -> guard removed"]


@pytest.mark.parametrize("leaving", ["continue", "break"])
def test_a_guard_of_a_loop_is_removed(leaving: str) -> None:
    assert found(f"for one in river:\n    if one:\n        {leaving}") == ["if one: -> guard removed"]


def test_a_condition_that_guards_nothing_is_turned_round() -> None:
    assert found("if otter:\n    river = 1") == ["if otter: -> condition turned round"]
    assert found("return 1 if otter else 2") == ["return 1 if otter else 2 -> condition turned round"]


def test_each_part_of_a_condition_is_left_out() -> None:
    assert found("return otter.wet and otter.fed or river") == [
        "return otter.wet and otter.fed or river -> without `otter.wet and otter.fed`",
        "return otter.wet and otter.fed or river -> without `river`",
        "return otter.wet and otter.fed or river -> without `otter.wet`",
        "return otter.wet and otter.fed or river -> without `otter.fed`",
    ]


@pytest.mark.parametrize(
    ("sign", "other"),
    [
        ("<", "<="),
        ("<=", "<"),
        (">", ">="),
        (">=", ">"),
        ("==", "!="),
        ("!=", "=="),
        ("in", "not in"),
        ("is", "is not"),
    ],
)
def test_comparisons_are_exchanged(sign: str, other: str) -> None:
    assert found(f"return otter {sign} river") == [f"return otter {sign} river -> `{sign}` became `{other}`"]


def test_what_a_condition_says_as_a_whole_is_not_changed_twice() -> None:
    assert found("if otter == river:\n    return 1") == ["if otter == river: -> guard removed"]


def test_calls_for_their_effect_are_removed_and_logs_are_not() -> None:
    assert found("check(otter)\nlogger.info('wet')\nprint(otter)\nriver.lock()") == [
        "check(otter) -> call removed",
        "river.lock() -> call removed",
    ]
    assert [change.what for change in python.changes("s.py", "async def f():\n    await check()\n")] == ["call removed"]


def test_locks_and_conditions_of_rows_are_left_out() -> None:
    assert found("with lock(otter), river:\n    pass") == ["with lock(otter), river: -> without `lock(otter)`"]
    assert found("return Otter.objects.select_for_update().filter(pk=1, wet=True)") == [
        "return Otter.objects.select_for_update().filter(pk=1, wet=True) -> without `pk=1`",
        "return Otter.objects.select_for_update().filter(pk=1, wet=True) -> without `wet=True`",
        "return Otter.objects.select_for_update().filter(pk=1, wet=True) -> without `select_for_update`",
    ]
    assert found("return [one for one in river if one.wet]") == [
        "return [one for one in river if one.wet] -> without `if one.wet`"
    ]
    assert found("match otter:\n    case int() if river:\n        return 1") == [
        "case int() if river: -> without `if river`"
    ]


def test_what_runs_at_import_is_left_alone() -> None:
    assert python.changes("shore.py", "if otter:\n    raise ValueError\n") == []


def test_only_a_test_that_went_through_a_guard_can_miss_it() -> None:
    [change] = python.changes("shore.py", body("if otter:\n    raise ValueError\nreturn 1"))
    assert (change.line, list(change.lines)) == (2, [3])


CODE = """
    def decorated(function):
        return function

    class Otter:
        def __init__(self):
            super().__init__()
            self.is_born = True

        @decorated
        def swim(self, depth, tired=False):
            if depth > 10:
                raise ValueError("too deep")
            if tired and depth > 5:
                return "home"
            return "swims"
"""


@pytest.fixture
def shore(tmp_path: Path) -> Any:
    """A module of its own, imported as any other."""
    path = tmp_path / "shore.py"
    path.write_text(textwrap.dedent(CODE), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("shore", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def install(shore: Any, what: str) -> bool:
    source = Path(shore.__file__).read_text(encoding="utf-8")
    [number] = [change.number for change in python.changes("shore.py", source) if change.what == what]
    return python.install(shore.__file__, source, number)


def test_what_was_imported_runs_with_the_change_and_the_file_stays(shore: Any) -> None:
    otter, before = shore.Otter(), Path(shore.__file__).read_bytes()
    assert otter.swim(6) == "swims"
    assert install(shore, "without `tired`")
    assert otter.swim(6) == "home"
    with pytest.raises(ValueError, match="too deep"):
        otter.swim(11)
    assert Path(shore.__file__).read_bytes() == before


def test_a_call_is_removed_that_alone_needs_the_class_around_it(shore: Any) -> None:
    assert install(shore, "call removed")
    assert shore.Otter().is_born


def test_functions_that_nobody_made_cannot_be_changed(shore: Any, tmp_path: Path) -> None:
    source = Path(shore.__file__).read_text(encoding="utf-8")
    assert not python.install(str(tmp_path / "other.py"), source, 0)


QUERIES = """-- Placeholders: {queue}.

-- name: claim
-- Of those that are due.
WITH due AS (
    SELECT id FROM {queue} -- AND in a comment
    WHERE vt <= now() AND (%(ids)s IS NULL OR id = ANY (%(ids)s)) AND age BETWEEN 1 AND 5
    ORDER BY vt
    FOR UPDATE SKIP LOCKED
)
UPDATE {queue} AS q SET vt = now() FROM due
WHERE q.id = due.id
  AND q.vt = %(vt)s
RETURNING q.id

-- name: count
SELECT coalesce(visible AND wet, false) FROM {queue} WHERE reason IS DISTINCT FROM 'x' AND {current};
SELECT 1
"""


def test_each_condition_of_a_query_is_left_out() -> None:
    changes = statements.changes("q.sql", QUERIES)
    assert [(change.function, change.line, change.what) for change in changes] == [
        ("claim", 7, "without `vt <= now()`"),
        ("claim", 7, "without `AND (%(ids)s IS NULL OR id = ANY (%(ids)s))`"),
        ("claim", 7, "without `AND age BETWEEN 1 AND 5`"),
        ("claim", 9, "without `FOR UPDATE SKIP LOCKED`"),
        ("claim", 12, "without `q.id = due.id`"),
        ("claim", 13, "without `AND q.vt = %(vt)s`"),
        ("count", 17, "without `AND wet`"),
        ("count", 17, "without `reason IS DISTINCT FROM 'x'`"),
        ("count", 17, "without `AND {current}`"),
    ]
    assert changes[5].text == "AND q.vt = %(vt)s"


def test_the_rest_of_a_query_stays_as_it_is() -> None:
    kept = {change.what: statements.changed(QUERIES, change.number) for change in statements.changes("", QUERIES)}
    assert re.search(r"WHERE q\.id = due\.id\s+RETURNING q\.id", kept["without `AND q.vt = %(vt)s`"])
    assert re.search(r"WHERE +q\.vt = %\(vt\)s", kept["without `q.id = due.id`"].replace("\n", " "))
    assert re.search(r"ORDER BY vt\s+\)\nUPDATE", kept["without `FOR UPDATE SKIP LOCKED`"])
    assert "coalesce(visible  , false)" in kept["without `AND wet`"].replace(" ,", "  ,").replace("   ,", "  ,")
    assert "IS DISTINCT FROM 'x'  ;" in kept["without `AND {current}`"].replace(" ;", "  ;").replace("   ;", "  ;")


def change(what: str = "guard removed", *, number: int = 0, lines: range = range(3, 4)) -> Change:
    return Change("shore.py", number, "Otter.swim", 7, "if depth > 10:", what, lines)


def test_the_quickest_tests_that_ran_the_lines_come_first() -> None:
    passed = {
        "slow": Run(2.0, {"shore.py": [3]}),
        "quick": Run(0.1, {"shore.py": [1, 3]}),
        "elsewhere": Run(0.1, {"shore.py": [4], "river.py": [3]}),
    }
    control, attempt = choosing.attempts([change()], {}, passed, seconds=60)
    assert attempt.tests == ["quick", "slow"]
    assert attempt.seconds > 2.1
    assert set(control.tests) == set(passed)


def test_one_test_of_each_way_through_the_file_comes_first_until_the_time_is_used_up() -> None:
    passed = {
        "one way": Run(1.0, {"shore.py": [3]}),
        "the same way": Run(2.0, {"shore.py": [3], "river.py": [1]}),
        "another way": Run(3.0, {"shore.py": [3, 4]}),
    }
    orders = {
        seconds: choosing.attempts([change()], {}, passed, seconds=seconds)[1].tests for seconds in (60.0, 4.0, 0.5)
    }
    assert orders == {
        60.0: ["one way", "another way", "the same way"],
        4.0: ["one way", "another way"],
        # One is tried in any case.
        0.5: ["one way"],
    }


def test_what_the_first_tests_miss_is_tried_by_all_the_others_that_run_it() -> None:
    passed = {"quick": Run(1.0, {"shore.py": [3]}), "slow": Run(2.0, {"shore.py": [3]})}
    planned = choosing.attempts([change(), change(number=1)], {}, passed, seconds=1)
    control, again = mutate.by_the_rest(planned, {("shore.py", 1)})
    assert (control, again.number) == (planned[0], 1)
    assert (planned[2].tests, again.tests, again.rest) == (["quick"], ["slow"], [])
    assert again.seconds > 2
    assert mutate.by_the_rest(planned, set()) == []
    assert mutate.by_the_rest(choosing.attempts([change()], {}, passed, seconds=9), {("shore.py", 0)}) == []


def test_a_query_is_run_by_who_runs_a_line_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "river" / "sql").mkdir(parents=True)
    (tmp_path / "river" / "queue.py").write_text("def claim():\n    return run('claim')\n", encoding="utf-8")
    (tmp_path / "river" / "other.py").write_text("'nothing'\n", encoding="utf-8")
    query = Change("river/sql/q.sql", 0, "claim", 9, "", "without `AND vt`", range(0))
    users = choosing.users_of_queries(tmp_path, [query])
    assert choosing.to_trace([query], users) == ["river/queue.py"]
    passed = {"claims": Run(1.0, {"river/queue.py": [2]}), "imports": Run(1.0, {"river/queue.py": [1]})}
    assert choosing.attempts([query], users, passed, seconds=60)[1].tests == ["claims"]


ENTRY = """
[[survivor]]
file = "shore.py"
function = "Otter.swim"
line = "if depth > 10:"
what = "guard removed"
why = "Postgres refuses it as well."
"""


def listed(tmp_path: Path, text: str) -> dict[accepted.Key, str]:
    path = tmp_path / "survivors.toml"
    path.write_text(text, encoding="utf-8")
    return accepted.load(path)


def test_a_survivor_with_a_reason_is_accepted_wherever_its_line_has_moved(tmp_path: Path) -> None:
    known = listed(tmp_path, ENTRY)
    other = change("`>` became `>=`")
    assert accepted.unexplained([change(), other], known) == [other]
    assert accepted.load(tmp_path / "none.toml") == {}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(ENTRY.replace("Postgres refuses it as well.", " "), id="no reason"),
        pytest.param(ENTRY.replace("why", "because"), id="other names"),
        pytest.param("[[survivor", id="no TOML"),
    ],
)
def test_an_entry_without_a_reason_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SandboxError):
        listed(tmp_path, text)


def test_an_entry_without_use_is_told(tmp_path: Path) -> None:
    known = listed(tmp_path, ENTRY)
    key = accepted.Key.of(change())
    files = {"shore.py"}
    assert accepted.stale(known, files=files, there={key}, noticed=set()) == []
    assert "no such line" in accepted.stale(known, files=files, there=set(), noticed=set())[0]
    assert "notice it by now" in accepted.stale(known, files=files, there={key}, noticed={key})[0]
    # Nothing was looked for there.
    assert accepted.stale(known, files={"river.py"}, there=set(), noticed=set()) == []
