"""Each cell of a list says which column it is of; a phone has no room for the row of names above."""

import re
from pathlib import Path

from django.utils.safestring import mark_safe

from sandbox.packages import CHECKOUT, packages
from staff.templatetags.labelled_cells import labelled_cells

BOX = {"text": mark_safe('<input id="action-toggle">'), "class_attrib": ' class="action-checkbox-column"'}


def headers(*names: str) -> list[dict[str, str]]:
    return [{"text": name, "class_attrib": ""} for name in names]


def test_cells_are_named_by_their_columns() -> None:
    row = ['<th class="field-status"><a href="/">оплачен</a></th>', '<td class="field-amount">4 500 ₽ <td></td>']
    assert labelled_cells(row, headers("статус", "сумма")) == (
        '<th data-label="Статус" class="field-status"><a href="/">оплачен</a></th>'
        '<td data-label="Сумма" class="field-amount">4 500 ₽ <td></td>'
    )


def test_the_box_to_mark_has_no_name() -> None:
    row = ['<td class="action-checkbox"><input></td>', "<td>1</td>"]
    assert labelled_cells(row, [BOX, *headers("№")]) == f'{row[0]}<td data-label="№">1</td>'


def test_a_name_cannot_end_its_attribute() -> None:
    assert labelled_cells(["<td>1</td>"], headers('"><script>')) == ('<td data-label="&quot;&gt;&lt;script&gt;">1</td>')


def test_a_cell_without_a_column_stays() -> None:
    assert labelled_cells(["<td>1</td>", "<td>2</td>"], headers("№")) == '<td data-label="№">1</td><td>2</td>'


def templates() -> list[Path]:
    return [
        file for package in packages(CHECKOUT) for file in (CHECKOUT / package / "templates" / "admin").rglob("*.html")
    ]


def test_no_table_of_our_own_pages_has_to_be_moved_sideways_on_a_phone() -> None:
    framed = {
        f"{file.name}: {shown}"
        for file in templates()
        for shown in re.findall('class="([^"]*staff-table[^"]*)"', file.read_text())
    }
    assert len(framed) > 10
    assert [frame for frame in framed if "staff-cards" not in frame] == []
    # A cell without a name is read without the row of names: what spans a row, a box to mark, a badge that says all.
    named = re.compile("<td(?![^>]*(?:data-label|colspan|bridge-mark|staff-text))[^>]*>(?!{{ badge }})")
    unnamed = {f"{file.name}: {cell}" for file in templates() for cell in named.findall(file.read_text())}
    assert unnamed == set()
