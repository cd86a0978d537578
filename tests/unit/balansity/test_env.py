"""An operator's `.env`: what cannot be read is named, all of it at once."""

import pytest

from balansity.env import ConfigurationError, EnvReader


def problems(reader: EnvReader) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        reader.finish()
    return caught.value.problems


def test_what_is_not_set_or_empty_takes_its_default() -> None:
    env = EnvReader({"EMPTY": "  "})
    assert env.integer("WORKER_INTERVAL_MS", 5000) == 5000
    assert env.text("EMPTY", "default") == "default"
    assert env.boolean("DEBUG", False) is False
    assert env.words("ALLOWED_HOSTS", ("*",)) == ("*",)
    env.finish()


def test_values_are_read_in_their_types() -> None:
    env = EnvReader({"N": "12", "F": "0.5", "B": "Yes", "C": "WARN", "W": "a, b,,c", "U": "https://x.example/y"})
    assert env.integer("N", 1) == 12
    assert env.number("F", 1, least=0, most=1) == 0.5
    assert env.boolean("B", False) is True
    assert env.choice("C", "info", ("info", "warn")) == "warn"
    assert env.words("W") == ("a", "b", "c")
    assert env.url("U", "", ("https",)) == "https://x.example/y"
    env.finish()


@pytest.mark.parametrize("raw", ["abc", "1.5", "5s", "٣x", "1e3", "1_0", "٣", "1 0"])
def test_a_number_that_is_none_is_named_with_what_was_seen(raw: str) -> None:
    env = EnvReader({"WORKER_INTERVAL_MS": raw})
    env.integer("WORKER_INTERVAL_MS", 5000)
    assert problems(env) == [f"WORKER_INTERVAL_MS must be a whole number, not {raw!r}"]


def test_every_problem_is_reported_at_once() -> None:
    env = EnvReader({"A": "x", "B": "perhaps", "C": "1_0", "D": "70000"})
    env.integer("A", 1)
    env.boolean("B", False)
    env.number("C", 1, least=0, most=1)
    env.integer("D", 1, most=65535)
    env.required("E", "put it there")
    assert problems(env) == [
        "A must be a whole number, not 'x'",
        "B must be true or false, not 'perhaps'",
        "C must be a number, not '1_0'",
        "D must be between 0 and 65535, not 70000",
        "E is not set: put it there",
    ]


def test_an_address_with_a_password_is_not_repeated() -> None:
    env = EnvReader({"DATABASE_URL": "mysql://me:hunter2@host/db"})
    env.url("DATABASE_URL", "", ("postgres", "postgresql"))
    (line,) = problems(env)
    assert "hunter2" not in line
    assert line.startswith("DATABASE_URL must be an address that starts with postgres://")
