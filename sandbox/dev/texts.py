"""`./dev texts`: brings the catalogue up to what the code says, and compiles it. `./dev check` asks whether it has to.

Django finds the texts, in a copy of our packages: in place it would write beside every template of theirs, and into
`.venv`. GNU gettext does the rest. The order of the catalogue is ours: what is new goes to its end, what the code no
longer says goes away.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.packages import CHECKOUT, packages

CATALOGUE = Path("balansity/locale/ru/LC_MESSAGES/django.po")
# What Django looks into.
_TEXTUAL = ("*.py", "*.html", "*.txt")
_PROGRAMS = ("xgettext", "msguniq", "msgcat", "msgattrib", "msgfmt")
_PLAIN = ("--no-wrap", "--no-location")


@dataclass(frozen=True, slots=True)
class Texts:
    """The catalogue as it should be, and how it differs from the one that is there: as gettext writes entries."""

    catalogue: bytes
    compiled: bytes
    missing: list[str]
    unused: list[str]
    untranslated: list[str]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="./dev texts", description="Collect the texts of our packages for translation, and compile the catalogue."
    )
    parser.parse_args(arguments)
    return bring_up_to_date(CHECKOUT)


def bring_up_to_date(checkout: Path) -> int:
    """Write the catalogue and what is compiled from it, where they change; 1 when Russian is missing after that."""
    texts = collect(checkout)
    source = checkout / CATALOGUE
    for title, entries in {"new": texts.missing, "gone, as the code no longer says it": texts.unused}.items():
        for entry in entries:
            print(f"{title}:\n{entry}\n")
    changed = [path for path, content in _files(source, texts).items() if _write(path, content)]
    for path in changed:
        print(f"wrote {path.relative_to(checkout)}")
    if texts.untranslated:
        print(f"{len(texts.untranslated)} texts have no Russian: write it into {CATALOGUE}, then ./dev texts again")
        return 1
    print(f"{CATALOGUE} is complete")
    return 0


def troubles(checkout: Path) -> list[str]:
    """Say what keeps the catalogue from being complete and compiled; each text says what to do."""
    texts = collect(checkout)
    source = checkout / CATALOGUE
    found = [f"the code says this, and {CATALOGUE} does not: ./dev texts\n{entry}" for entry in texts.missing]
    found += [f"{CATALOGUE} says this, and the code does not: ./dev texts\n{entry}" for entry in texts.unused]
    new = {_without_comments(entry) for entry in texts.missing}
    found += [
        f"this has no Russian: write it into {CATALOGUE} (and take the mark fuzzy off), then ./dev texts\n{entry}"
        for entry in texts.untranslated
        if _without_comments(entry) not in new
    ]
    if not found and source.read_bytes() != texts.catalogue:
        found.append(f"{CATALOGUE} is not written as gettext writes it (a text that is not one line?): ./dev texts")
    compiled = source.with_suffix(".mo")
    if not found and not (compiled.exists() and compiled.read_bytes() == texts.compiled):
        found.append(f"{compiled.relative_to(checkout)} is not made from {CATALOGUE} as it is now: ./dev texts")
    return found


def collect(checkout: Path) -> Texts:
    """Compare the catalogue with the code. Raises `SandboxError` when gettext is missing or finds an error."""
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        raise SandboxError(f"{', '.join(missing)} is missing: install the package gettext")
    source = checkout / CATALOGUE
    with tempfile.TemporaryDirectory(prefix="texts-") as folder:
        said = _extract(checkout, Path(folder))
        return _compare(source, said, Path(folder))


def _extract(checkout: Path, folder: Path) -> Path:
    """Return a template of everything that the code says, with the places where it does."""
    (folder / "locale").mkdir()
    for package in packages(checkout):
        for pattern in _TEXTUAL:
            for path in (checkout / package).rglob(pattern):
                copy = folder / path.relative_to(checkout)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
    # Without settings, as those name the catalogue of the checkout.
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    command = (sys.executable, "-m", "django", "makemessages", "--locale", "ru", "--keep-pot", "--no-wrap")
    _run(command, folder, environment)
    return folder / "locale" / "django.pot"


def _compare(source: Path, said: Path, folder: Path) -> Texts:
    both, fresh = folder / "both.po", folder / "fresh.po"
    _run(("msgcat", "--use-first", *_PLAIN, "-o", str(both), str(source), str(said)), folder)
    catalogue = _common(both, said, folder)
    fresh.write_bytes(catalogue)
    compiled = folder / "fresh.mo"
    _run(("msgfmt", "--check-format", "-o", str(compiled), str(fresh)), folder)
    return Texts(
        catalogue=catalogue,
        compiled=compiled.read_bytes(),
        missing=_entries(_less(said, source, folder)),
        unused=_entries(_less(source, said, folder)),
        untranslated=[entry for entry in _entries(catalogue) if _has_no_russian(entry)],
    )


def _less(entries: Path, others: Path, folder: Path) -> bytes:
    """Return the entries of one catalogue that the other lacks."""
    return _marked(entries, f"--only-file={others}", folder)


def _common(entries: Path, others: Path, folder: Path) -> bytes:
    return _marked(entries, f"--ignore-file={others}", folder)


def _marked(entries: Path, which: str, folder: Path) -> bytes:
    # Marks some as obsolete, then leaves those out: the rest stays as it is, in its order.
    marked = folder / "marked.po"
    _run(("msgattrib", "--no-wrap", "--set-obsolete", which, "-o", str(marked), str(entries)), folder)
    return _run(("msgattrib", "--no-wrap", "--no-obsolete", str(marked)), folder)


def _entries(catalogue: bytes) -> list[str]:
    """Split what gettext wrote, which puts an empty line between two entries. The first one is about the file."""
    blocks = catalogue.decode().strip().split("\n\n")
    return [block for block in blocks if block and not re.search(r'^msgid ""\nmsgstr', block, re.MULTILINE)]


def _has_no_russian(entry: str) -> bool:
    # One form of a plural is enough.
    empty = re.search(r'^msgstr(\[\d\])? ""$(?!\n")', entry, re.MULTILINE)
    return bool(empty or re.search(r"^#,.*\bfuzzy\b", entry, re.MULTILINE))


def _without_comments(entry: str) -> str:
    return "\n".join(line for line in entry.splitlines() if not line.startswith("#"))


def _files(source: Path, texts: Texts) -> dict[Path, bytes]:
    return {source: texts.catalogue, source.with_suffix(".mo"): texts.compiled}


def _write(path: Path, content: bytes) -> bool:
    if path.exists() and path.read_bytes() == content:
        return False
    path.write_bytes(content)
    return True


def _run(command: tuple[str, ...], folder: Path, environment: dict[str, str] | None = None) -> bytes:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False, timeout=120)
    if done.returncode:
        raise SandboxError(f"{command[0]} failed:\n{done.stderr.decode(errors='replace').strip()}")
    return done.stdout
