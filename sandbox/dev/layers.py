"""What may import what, as contracts for import-linter, made from the folders that there are.

So a package or a module that nobody typed anywhere is held to them at once: a new package counts as one of the domain,
and a new module as a subject of its package, unless its name says that it shows something to somebody or is what all
others stand on.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from sandbox.packages import CHECKOUT, packages

# Each may import those below it. Packages of the domain stand between the two, and know nothing of each other.
ABOVE = ("sandbox", "balansity")
BELOW = ("notifications", "bridge", "staff", "wording")

# Inside a package: who shows something or is called from outside, and what everything else stands on.
FACES = frozenset(
    {"admin", "api", "apps", "dashboard", "doctor", "incidents", "management", "metrics", "tasks", "urls"}
)
GROUND = frozenset({"errors", "message", "migrations", "models", "states"})

_COMMAND = "from importlinter.cli import lint_imports_command; lint_imports_command()"

Contract = Mapping[str, str | Iterable[str]]


def lint(checkout: Path = CHECKOUT) -> int:
    """Print how each contract stands, and return import-linter's exit code."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "contracts.ini"
        file.write_text(contracts(checkout), encoding="utf-8")
        # Its console script carries the path of the environment's making, which may have been moved since.
        command = [sys.executable, "-c", _COMMAND, "--no-logo", "--config", str(file)]
        command += ["--cache-dir", str(CHECKOUT / ".import_linter_cache")]
        return subprocess.run(command, cwd=checkout, check=False).returncode


def contracts(checkout: Path = CHECKOUT) -> str:
    """The configuration of import-linter for the packages in `checkout`."""
    found = packages(checkout)
    roots = [name for name in ABOVE if (checkout / name).is_dir()] + [name for name in found if name not in ABOVE]
    domain = [name for name in found if name not in ABOVE + BELOW]
    parts: list[Contract] = [
        {"name": "Packages import downwards only", "type": "layers", "layers": _layers(roots, domain)},
        {"name": "No circles among the rooms of any package", "type": "acyclic_siblings", "ancestors": roots},
        *(_inside(checkout, name) for name in found if name not in ABOVE),
        *_adapters(checkout, domain),
        _framework([name for name in found if name != "sandbox"]),
    ]
    return "\n".join(
        [
            *_section("importlinter", {"root_packages": roots, "include_external_packages": "True"}),
            *(line for number, part in enumerate(parts) for line in _section(f"importlinter:contract:{number}", part)),
        ]
    )


def _layers(roots: list[str], domain: list[str]) -> list[str]:
    above, below = ([name for name in names if name in roots] for names in (ABOVE, BELOW))
    return [*above, *([" | ".join(domain)] if domain else []), *below]


def _inside(checkout: Path, package: str) -> Contract:
    modules = sorted(_modules(checkout / package))
    rooms = {
        "faces": [name for name in modules if name in FACES],
        "subjects": [name for name in modules if name not in FACES | GROUND],
        "ground": [name for name in modules if name in GROUND],
    }
    return {
        "name": f"In {package}: faces, subjects, ground",
        "type": "layers",
        "layers": [" : ".join(f"{package}.{name}" for name in names) for names in rooms.values() if names],
    }


def _adapters(checkout: Path, domain: list[str]) -> Iterator[Contract]:
    """The client of somebody else's service knows neither Django nor what we make of its answers."""
    for package in domain:
        for adapter in sorted(set(_modules(checkout / package)) & {"yookassa"}):
            ours = [f"{package}.{name}" for name in sorted(_modules(checkout / package)) if name != adapter]
            yield {
                "name": f"The adapter {package}.{adapter} knows neither Django nor us",
                "type": "forbidden",
                "source_modules": [f"{package}.{adapter}"],
                "forbidden_modules": ["django", "rest_framework", *BELOW[: BELOW.index("bridge") + 1], *ours],
            }


def _framework(ours: list[str]) -> Contract:
    """Services raise errors of their own; what HTTP makes of them is said in the rooms of the API alone."""
    known = ["rest_framework", "drf_spectacular"]
    return {
        "name": "Only the rooms of the API know Django REST framework",
        "type": "forbidden",
        "source_modules": ours,
        "forbidden_modules": known,
        "allow_indirect_imports": "True",
        "ignore_imports": [f"*.api.* -> {framework}" for framework in known],
        "unmatched_ignore_imports_alerting": "none",
    }


def _modules(package: Path) -> Iterator[str]:
    for path in package.iterdir():
        if path.suffix == ".py" and path.stem != "__init__":
            yield path.stem
        elif (path / "__init__.py").is_file():
            yield path.name


def _section(title: str, options: Contract) -> Iterator[str]:
    yield f"[{title}]"
    for name, value in options.items():
        if isinstance(value, str):
            yield f"{name} = {value}"
        else:
            yield f"{name} ="
            yield from (f"    {line}" for line in value)
