"""A run's services keep their files in memory only where there is plenty of it, in a folder of nobody else's."""

import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from sandbox.services.state import ROOT
from tests.support.in_memory import folder_of_services

Usage = namedtuple("Usage", "total used free")  # As `shutil` makes it.


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(2**40, 0, 2**40))


@pytest.mark.usefixtures("free")
def test_it_is_a_folder_that_others_do_not_read(tmp_path: Path) -> None:
    for _ in range(2):
        assert folder_of_services(tmp_path) == tmp_path / f"balansity-{os.getuid()}"
        assert folder_of_services(tmp_path).stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("free")
def test_where_others_may_write_it_is_the_usual_one(tmp_path: Path) -> None:
    folder_of_services(tmp_path).chmod(0o777)
    assert folder_of_services(tmp_path) == ROOT


@pytest.mark.usefixtures("free")
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / f"balansity-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    assert folder_of_services(tmp_path) == ROOT


def test_where_there_is_little_or_none_it_is_the_usual_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert folder_of_services(tmp_path / "missing") == ROOT
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(2**32, 1, 2**32 - 1))
    assert folder_of_services(tmp_path) == ROOT
