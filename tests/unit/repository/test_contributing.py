"""The map in CONTRIBUTING.md is the house as it stands: no room is missing, and none is made up."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from sandbox.dev.layers import FACES, GROUND
from sandbox.packages import CHECKOUT, packages

# Django and Python want them where they are; nobody looks for a room there.
FIXED = frozenset({"formats", "migrations", "templatetags"})


def mapped() -> Iterator[PurePosixPath]:
    """The folders that the map names."""
    document = (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = re.search(r"^## Layout.*?^```\n(.*?)^```", document, re.DOTALL | re.MULTILINE)
    assert block
    above = PurePosixPath()
    for line in block[1].splitlines():
        names = re.findall(r"(?<!\S)([a-z_]+)/(?=\s|$)", line)
        assert names, line
        if line.startswith("  "):
            yield from (above / name for name in names)
        else:
            (above,) = (PurePosixPath(name) for name in names)
            yield above


def rooms() -> set[PurePosixPath]:
    """Each package, and each folder right below one that holds code."""
    ours = [CHECKOUT / name for name in (*packages(), "sandbox", "tests")]
    files = [PurePosixPath(path.relative_to(CHECKOUT)) for folder in ours for path in folder.rglob("*.py")]
    folders = {PurePosixPath(*path.parts[:depth]) for path in files for depth in (1, 2) if len(path.parts) > depth}
    return {folder for folder in folders if not FIXED & set(folder.parts)}


def test_every_folder_of_the_map_exists() -> None:
    named = list(mapped())
    assert len(named) == len(set(named))
    assert [folder for folder in named if not (CHECKOUT / folder).is_dir()] == []


def test_every_room_is_on_the_map() -> None:
    missing = {folder for folder in rooms() - set(mapped()) if folder.name != "management"}
    assert missing == set()


def test_the_faces_and_the_ground_are_those_that_the_layers_know() -> None:
    document = (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    found = re.search(r"faces \(([^)]+)\) know subjects, subjects know the ground \(([^)]+)\)", document)
    assert found
    faces, ground = ({*re.findall(r"`(\w+)`", names)} for names in found.groups())
    assert (faces, ground) == ({*FACES}, {*(GROUND - FIXED)})


def test_every_room_says_what_it_is_about() -> None:
    silent = [
        str(folder)
        for folder in rooms()
        if folder.parts[0] != "tests" and folder.name != "management"
        and not (CHECKOUT / folder / "__init__.py").read_text(encoding="utf-8").startswith('"""')
    ]  # fmt: skip
    assert silent == []
