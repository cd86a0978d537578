"""Lists of YooKassa's that have several pages: asked for to their end, or only so far."""

from collections.abc import Callable

import pytest

from payments.yookassa.client import every_page
from payments.yookassa.errors import Unavailable
from payments.yookassa.objects import Page

CURSORS: dict[str | None, str | None] = {None: "second", "second": "third", "third": None}


@pytest.fixture
def asked() -> list[str | None]:
    return []


@pytest.fixture
def ask(asked: list[str | None]) -> Callable[[str | None], Page[str]]:
    def one(cursor: str | None) -> Page[str]:
        asked.append(cursor)
        return Page(items=(f"after {cursor}",), next_cursor=CURSORS[cursor])

    return one


def test_each_page_is_asked_for_by_the_cursor_of_the_one_before(
    ask: Callable[[str | None], Page[str]], asked: list[str | None]
) -> None:
    pages = list(every_page(ask, most=3, all_of="payments"))
    assert [page.items for page in pages] == [("after None",), ("after second",), ("after third",)]
    assert asked == [None, "second", "third"]


def test_no_more_is_asked_for_than_wanted(ask: Callable[[str | None], Page[str]], asked: list[str | None]) -> None:
    assert len(list(every_page(ask, most=2))) == 2
    assert asked == [None, "second"]


def test_whoever_needs_all_of_a_list_is_told_when_it_goes_on(
    ask: Callable[[str | None], Page[str]], asked: list[str | None]
) -> None:
    pages = every_page(ask, most=2, all_of="payments")
    assert [next(pages).next_cursor, next(pages).next_cursor] == ["second", "third"]
    with pytest.raises(Unavailable, match="its list of payments has more than 2 pages"):
        next(pages)
    assert asked == [None, "second"]
