"""What several parts of a page need is asked for once, and is forgotten with the page."""

import pytest

from staff.sections import once, one_reading

asked: list[object] = []


@once
def look(what: object) -> str:
    asked.append(what)
    if what == "broken":
        raise LookupError(what)
    return f"{what}!"


@pytest.fixture(autouse=True)
def nothing_asked() -> None:
    asked.clear()


def test_within_a_page_each_thing_is_asked_once() -> None:
    with one_reading():
        assert [look("a"), look("b"), look("a")] == ["a!", "b!", "a!"]
    assert asked == ["a", "b"]
    with one_reading():
        look("a")
    assert asked == ["a", "b", "a"]


def test_what_failed_fails_for_the_others_without_being_asked_again() -> None:
    with one_reading():
        for _ in range(2):
            with pytest.raises(LookupError):
                look("broken")
    assert asked == ["broken"]


def test_outside_of_a_page_nothing_is_remembered() -> None:
    assert [look("a"), look("a")] == ["a!", "a!"]
    assert asked == ["a", "a"]
