"""A package or module that nobody typed anywhere is held to the layers. On a small checkout, as any could be."""

import shutil
from pathlib import Path

import pytest

from sandbox.dev.layers import contracts, lint
from sandbox.packages import missing_in_image, packages

FILES = {
    "balansity/apps.py": "",
    "bridge/apps.py": "",
    "bridge/queues.py": "",
    "notifications/apps.py": "from bridge import queues",
    "payments/apps.py": "import payments.buying.create",
    "payments/models.py": "",
    "payments/api/views.py": "import rest_framework.views",
    "payments/admin.py": "from payments.buying import create",
    "payments/buying/create.py": "from payments import models",
    "payments/checking/ask.py": "import notifications.apps",
    "wording/apps.py": "",
}


WITHIN = {
    **FILES,
    "surveys/apps.py": "import notifications.apps, wording.apps",
    "payments/gifts/send.py": "import payments.checking.ask",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return made_of(FILES, tmp_path)


@pytest.fixture(scope="module")
def within_layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a new package and a new room of an old one, which break nothing."""
    checkout = made_of(WITHIN, tmp_path_factory.mktemp("layers"))
    assert lint(checkout) == 0
    return checkout


def made_of(files: dict[str, str], checkout: Path) -> Path:
    for name, text in files.items():
        write(checkout, name, text)
    return checkout


def write(checkout: Path, name: str, text: str) -> None:
    path = checkout / name
    path.parent.mkdir(parents=True, exist_ok=True)
    for folder in path.relative_to(checkout).parents[:-1]:
        (checkout / folder / "__init__.py").touch()
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("surveys/apps.py", "import payments.models", id="a new package knows another of the domain"),
        pytest.param("surveys/apps.py", "import balansity.apps", id="a new package knows the wiring"),
        pytest.param("bridge/forms.py", "import surveys.apps", id="a package below knows the new one"),
        pytest.param("payments/buying/gift.py", "import payments.admin", id="a new module of a room knows a page"),
        pytest.param("payments/tips.py", "import payments.admin", id="a new module of a package knows a page"),
        pytest.param("payments/models.py", "import payments.checking.ask", id="a model knows what is done with it"),
        pytest.param("payments/checking/ask.py", "import payments.gifts.send", id="two rooms know each other"),
        pytest.param("payments/tips.py", "import rest_framework.status", id="a service knows the framework of the API"),
    ],
)
def test_what_breaks_a_layer_fails(within_layers: Path, tmp_path: Path, name: str, text: str) -> None:
    checkout = Path(shutil.copytree(within_layers, tmp_path / "checkout"))
    write(checkout, name, text)
    assert lint(checkout) == 1


def test_a_new_package_is_missed_in_the_image(checkout: Path) -> None:
    (checkout / ".dockerignore").write_text("".join(f"!{name}/\n" for name in packages(checkout)), encoding="utf-8")
    write(checkout, "surveys/apps.py", "")
    assert missing_in_image(checkout) == ["surveys"]


def test_the_contracts_are_about_every_package_of_ours() -> None:
    made = contracts()
    assert packages() == [name for name in packages() if f"\n    {name}\n" in made]
