"""An old `.env` gives what it gave to Node: each row was compared with dotenv 16, 17 and 18, which agree."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from balansity.dotenv import load_dotenv, parse_dotenv
from sandbox.packages import CHECKOUT

TABLE = [
    # Plain values.
    ("X=pass", "pass"),
    ("X = pass", "pass"),
    ("   X=  spaces around  ", "spaces around"),
    ("X=", ""),
    ("X= ", ""),
    ("X=p#ss", "p"),
    ("X=pass # comment", "pass"),
    ("X=#ss", ""),
    ("X=a=b==", "a=b=="),
    ("X=it's", "it's"),
    ('X={"a": "b"}', '{"a": "b"}'),
    ("X=пароль", "пароль"),
    (r"X=a\nb", r"a\nb"),
    # Nothing is put in for a dollar, quoted or not.
    ("X=a$HOME${HOME}b", "a$HOME${HOME}b"),
    ('X="a$HOME"', "a$HOME"),
    # Three kinds of quotes.
    ('X="p#ss word"', "p#ss word"),
    ('X="p #ss"', "p #ss"),
    ("X='p#ss'", "p#ss"),
    ("X=`p#ss`", "p#ss"),
    ('X="pass" # comment', "pass"),
    ("X='pass'#comment", "pass"),
    ("X=`pass`   # `comment`", "pass"),
    ('X="  kept  "', "  kept  "),
    ('X=""', ""),
    ("X=''", ""),
    ("X=``", ""),
    ("X='\"double\" in single'", '"double" in single'),
    ("X=\"'single' in double\"", "'single' in double"),
    ("X=`\"double\" and 'single'`", "\"double\" and 'single'"),
    (r"""X="a \"quoted\" word" """, r"a \"quoted\" word"),
    (r"X='a \'quoted\' word'", r"a \'quoted\' word"),
    # `\n` and `\r` are more than two letters between double quotes alone.
    (r'X="a\nb\rc\td"', "a\nb\rc\\td"),
    (r"X='a\nb'", r"a\nb"),
    (r"X=`a\nb`", r"a\nb"),
    # A quote without its fellow is a letter.
    ('X="pass', '"pass'),
    ("X=pass'", "pass'"),
    ("""X="pass'""", "\"pass'"),
    ('X="a" b', '"a" b'),
    ('X="a" "b"', 'a" "b'),
    ("X='p#ss' word", "'p"),
    (r'X="a\nb', '"a\nb'),
    # Several lines.
    ('X="-----BEGIN-----\nabc=\n#no comment\n-----END-----"', "-----BEGIN-----\nabc=\n#no comment\n-----END-----"),
    ("X='a\nb'", "a\nb"),
    ("X=`a\r\nb`", "a\nb"),
    ("X=\n'below'", "below"),
    # Names.
    ("export X=pass", "pass"),
    ("  export   X = 'pass'", "pass"),
    ("X: pass", "pass"),
    ("X: 'p#ss'", "p#ss"),
    ("X:\tpass", "pass"),
    # Twice: the last one.
    ("X=first\nX=last", "last"),
    ("X=first\nX=", ""),
    # Ends of lines, and what editors put at the beginning.
    ("\ufeffX=pass", "pass"),
    ('\ufeffX="pass"\r\nY=1\r\n', "pass"),
    ("Y=1\rX=pass\rZ=2", "pass"),
    ("Y=1\r\nX=pass \r\n", "pass"),
    ("# X=commented\n\n \t \nX=pass\n", "pass"),
    ("X=\u00a0pass\u3000", "pass"),
    ("X=a\x1cb\x85", "a\x1cb\x85"),
]


@pytest.mark.parametrize(("text", "value"), TABLE)
def test_a_value_is_what_node_made_of_it(text: str, value: str) -> None:
    values, unread = parse_dotenv(text)
    assert (values["X"], unread) == (value, [])


def test_names_may_have_dots_and_hyphens() -> None:
    assert parse_dotenv("a.b=1\nc-d=2\n_e9=3\n9=4")[0] == {"a.b": "1", "c-d": "2", "_e9": "3", "9": "4"}


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("A=1\nSMTP PASS=geheim\nB=2", [2]),
        ("geheim", [1]),
        ("A=1\n\n# c\n=geheim\n", [4]),
        ("A:geheim", [1]),
        ("ПАРОЛЬ=geheim", [1]),
        ("A='x\nB=2\ngeheim\n", [3]),
        ("\r\nA=1\r\n$A=geheim\r\n", [3]),
        ("export A\nB=2", [1]),
        ('A="\n\n"\ngeheim', [4]),
        ("one\ntwo\nA=1\nthree", [1, 2, 4]),
        ("# only\n  # comments\n\ufeff\n", []),
        ("", []),
    ],
)
def test_lines_that_dotenv_passes_over_are_numbered(text: str, lines: list[int]) -> None:
    assert parse_dotenv(text)[1] == lines


def test_a_problem_names_the_line_and_never_what_stands_there(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A=1\nSMTP PASS=geheim\n", encoding="utf-8")
    values: dict[str, str] = {}
    assert load_dotenv(file, values) == [".env, line 2: neither NAME=value nor a comment (# …)"]
    assert values == {"A": "1"}


def test_the_environment_wins_also_with_an_empty_value(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A=file\nB=file\nC=file\n", encoding="utf-8")
    values = {"A": "environment", "B": ""}
    assert load_dotenv(file, values) == []
    assert values == {"A": "environment", "B": "", "C": "file"}


def test_no_file_is_no_problem(tmp_path: Path) -> None:
    assert load_dotenv(tmp_path / ".env", {}) == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("A=1\nB=пароль\n".encode("cp1251"), ".env, line 2: not UTF-8"),
        ("A=1\nB=geheim\n".encode("utf-16"), ".env, line 1: not UTF-8"),
        ("A=1\nB=geheim\n".encode("utf-16-le"), ".env, line 1: a character that no variable can hold"),
        (b"A=1\nB=geh\0eim\n", ".env, line 2: a character that no variable can hold"),
    ],
)
def test_a_file_in_another_encoding_is_refused_and_not_guessed(tmp_path: Path, content: bytes, problem: str) -> None:
    file = tmp_path / ".env"
    file.write_bytes(content)
    values: dict[str, str] = {}
    (line,) = load_dotenv(file, values)
    assert line.startswith(problem)
    assert "geheim" not in line
    assert values == {}


def test_a_file_that_cannot_be_read_says_who_must_be_able_to(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    (line,) = load_dotenv(tmp_path / ".env", {})
    assert line == ".env cannot be read (is a directory): let the user of this process read it"


def test_letters_that_the_locale_cannot_hold_are_one_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SMTP_PASS=пароль\n", encoding="utf-8")
    code = "import os; from pathlib import Path; from balansity.dotenv import load_dotenv;"
    code += "print(load_dotenv(Path('.env'), os.environ))"
    # Without the two switches Python takes UTF-8 where it was told nothing.
    environment = {"PYTHONPATH": str(CHECKOUT), "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "PATH": os.environ["PATH"]},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "SMTP_PASS has letters that the environment cannot hold" in done.stdout, done.stderr
