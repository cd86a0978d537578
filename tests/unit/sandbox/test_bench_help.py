"""What `./dev bench` can be asked for is told by itself, that of each benchmark by its own name."""

import pytest

from sandbox.bench import __main__ as bench


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--help"], "tables"),
        (["tables", "-h"], "NAME --help"),
        (["peers", "--help"], "--peers A,B"),
        (["--help", "growth"], "--plot"),
        (["mail", "-h"], "--slow"),
        (["operations", "--help"], "./dev bench operations"),
    ],
)
def test_help_is_that_of_what_was_named(
    words: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["./dev bench", *words])
    try:
        code = bench.main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    assert (code, told in capsys.readouterr().out) == (0, True)
