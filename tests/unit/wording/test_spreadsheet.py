"""What a spreadsheet would run, and what is only a text or a number."""

import pytest

from wording.spreadsheet import safe_amount, safe_cell


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+7 900", "-5 %", "@x", "\tx", "\rx", "\nx", "-", "=٣", "-1-1", "--1"),
        # In front of the sign: spaces, one that does not break, a mark of byte order, nothing to see.
        *(" =1+1", "\u00a0=1", "\ufeff=1", "\u200b@x", "\u202e-1-1"),
        # Of full width.
        *("\uff1d1+1", "\uff0b1", "\uff0d1-1", "\uff20x"),
    ],
)
def test_no_cell_is_a_formula(text: str) -> None:
    assert safe_cell(text) == safe_amount(text) == f"'{text}"


@pytest.mark.parametrize("text", ["4500,00", "Иванова", "Анна-Мария", "1=1", "", " "])
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert safe_cell(text) == text


@pytest.mark.parametrize("text", ["-1500,50", "-5"])
def test_an_amount_below_nought_stays_a_number(text: str) -> None:
    assert safe_amount(text) == text
    assert safe_cell(text) == f"'{text}"
