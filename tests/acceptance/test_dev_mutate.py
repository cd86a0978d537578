"""`./dev mutate` on a small project: tests that run in forks, and files that nobody writes."""

from pathlib import Path
from textwrap import dedent

import pytest

from sandbox.dev.mutation import mutate
from sandbox.dev.mutation.plan import KILLED, SURVIVED

CODE = """
    def swim(depth, tired=False):
        if depth > 10:
            raise ValueError("too deep")
        if tired and depth > 5:
            return "home"
        return "swims"
"""
CHECKS = """
    import pytest
    from shore import swim

    def test_otters_do_not_dive_deep():
        with pytest.raises(ValueError):
            swim(11)

    def test_tired_otters_go_home():
        assert swim(10, True) == "home"

    def test_that_fails_by_itself():
        assert swim(1) == "flies"
"""


def test_changes_that_a_test_notices_are_told_from_those_that_none_does(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only those that the command line names: loading all that are installed takes longer than all the rest.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "xdist.plugin,pytest_timeout")
    (tmp_path / "shore.py").write_text(dedent(CODE), encoding="utf-8")
    (tmp_path / "test_checks.py").write_text(dedent(CHECKS), encoding="utf-8")
    (tmp_path / "folder").mkdir()
    before = {path: path.read_bytes() for path in tmp_path.glob("*.py")}
    tried = mutate.changes(tmp_path, "shore.py")
    planned = mutate.plan(tmp_path, tried, tmp_path / "folder", ["test_checks.py"], 0, 60)
    became = mutate.outcomes(tmp_path, planned, tmp_path / "folder", 0)
    assert [(change.text, change.what, became[change.file, change.number]) for change in tried] == [
        ("if depth > 10:", "guard removed", KILLED),
        ("if depth > 10:", "`>` became `>=`", KILLED),
        ("if tired and depth > 5:", "guard removed", KILLED),
        ("if tired and depth > 5:", "without `tired`", SURVIVED),
        ("if tired and depth > 5:", "without `depth > 5`", SURVIVED),
        ("if tired and depth > 5:", "`>` became `>=`", SURVIVED),
    ]
    assert {path: path.read_bytes() for path in tmp_path.glob("*.py")} == before
    # Those and the one attempt without any change, which is no news.
    assert "3 failed, 4 passed" in capfd.readouterr().out
