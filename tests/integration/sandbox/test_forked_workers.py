"""The forks that run the tests report what pytest would, lose no test with a fork that dies, and mix no files."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from sandbox.packages import CHECKOUT

CASES = {
    "test_mixed.py": """
        import os, pytest

        @pytest.mark.parametrize("number", range(20))
        def test_passes(number): print(f"own output of {number}")

        def test_fails():
            print("output of what fails")
            assert 1 == 2

        def test_dies(): os._exit(7)

        @pytest.fixture
        def unwilling(): raise RuntimeError("no set-up")

        def test_is_never_set_up(unwilling): pass

        @pytest.mark.skip(reason="not today")
        def test_skipped(): pass
        """,
    "test_shares.py": """
        import os, pytest

        @pytest.fixture(scope="module")
        def shared():
            with open("shared", "a") as file: print("set up by", os.getpid(), file=file)
            yield
            with open("shared", "a") as file: print("taken down by", os.getpid(), file=file)

        @pytest.mark.parametrize("number", range(30))
        def test_with_it(number, shared, tmp_path):
            assert tmp_path.is_dir()
        """,
    "folder/__init__.py": "",
    "folder/conftest.py": """
        import os, pytest

        @pytest.fixture(scope="package")
        def of_the_folder():
            with open("of_the_folder", "a") as file: print("set up by", os.getpid(), file=file)
            yield
            with open("of_the_folder", "a") as file: print("taken down by", os.getpid(), file=file)
        """,
    "folder/test_one.py": "def test_one(of_the_folder): pass",
    "folder/test_other.py": "def test_other(of_the_folder): pass",
    "acceptance/test_waits.py": """
        import warnings

        def test_waits(): warnings.warn("a warning that is shown")
        """,
    "conftest.py": """
        import os, pytest

        @pytest.hookimpl(optionalhook=True)
        def pytest_forked(number):
            with open("begun", "a") as file: print(number, file=file)
        """,
}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    for name, text in CASES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(line.removeprefix(" " * 8) for line in text.splitlines()), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-c", "/dev/null", "--rootdir", str(folder)]
    command += ["-p", "tests.support.forked_workers", "--forks", "3", *arguments]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(CHECKOUT)}
    # Loading those that are installed takes longer than all the rest.
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, int]:
    folder = tmp_path_factory.mktemp("forked")
    ended = run(folder)
    return folder, ended.stdout + ended.stderr, ended.returncode


def test_everything_is_run_once_and_told(told: tuple[Path, str, int]) -> None:
    _, text, code = told
    assert code == 1
    summary = re.search(r"=+ (2 failed, 53 passed, 1 skipped, 1 warning, 1 error) in", text)
    assert summary, text
    assert "collected 57 items" in text
    assert "no set-up" in text
    assert "a warning that is shown" in text


def test_what_a_failure_printed_is_shown_and_nothing_else(told: tuple[Path, str, int]) -> None:
    _, text, _ = told
    assert text.count("output of what fails") == 2, "in the source and as what it printed"
    assert "assert 1 == 2" in text
    assert "own output of" not in text


def test_a_fork_that_dies_fails_its_test_alone(told: tuple[Path, str, int]) -> None:
    folder, text, _ = told
    assert "the process that ran it ended with 7" in text
    begun = Counter((folder / "begun").read_text(encoding="utf-8").split())
    assert begun.keys() == {"0", "1", "2"}
    assert begun.total() == 4, "another fork takes the place of the dead one"


@pytest.mark.parametrize("what", ["shared", "of_the_folder"])
def test_what_a_file_or_a_folder_sets_up_is_made_once_and_taken_down_by_who_made_it(
    told: tuple[Path, str, int], what: str
) -> None:
    folder, _, _ = told
    first, last = (folder / what).read_text(encoding="utf-8").splitlines()
    assert first.startswith("set up by")
    assert last == first.replace("set up", "taken down")


def test_after_the_first_failure_nothing_more_is_handed_out(tmp_path: Path) -> None:
    ended = run(tmp_path, "-x", "--forks", "1", "test_mixed.py")
    assert re.search(r"=+ 1 failed, 20 passed in", ended.stdout), ended.stdout
    assert "stopping after 1 failures" in ended.stdout
