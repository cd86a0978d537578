"""A mail without its files, or a file without its mail, stops `./dev check` and every start."""

import pytest

from notifications.checks import check_templates
from notifications.writing import catalogue


def complaints() -> list[tuple[str | None, str]]:
    return [(message.id, message.msg) for message in check_templates()]


def test_every_mail_has_its_files_and_every_file_its_mail() -> None:
    assert complaints() == []


def test_a_mail_without_files_is_an_error_each(monkeypatch: pytest.MonkeyPatch) -> None:
    more = catalogue.CATALOGUE | {"mail_without_files": catalogue.CATALOGUE["report_ready"]}  # type: ignore[operator]
    monkeypatch.setattr("notifications.checks.CATALOGUE", more)
    assert complaints() == [
        ("notifications.E001", "The mail mail_without_files has no file mail_without_files.html."),
        ("notifications.E001", "The mail mail_without_files has no file mail_without_files.txt."),
    ]


def test_a_file_of_no_mail_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    less = {name: template for name, template in catalogue.CATALOGUE.items() if name != "payment_failed"}
    monkeypatch.setattr("notifications.checks.CATALOGUE", less)
    assert {number for number, _ in complaints()} == {"notifications.E002"}
    assert len(complaints()) == 2
