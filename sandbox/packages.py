"""The packages of the service: whatever folder of the checkout has an `apps.py`. No list of them is kept anywhere."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]


def packages(checkout: Path = CHECKOUT) -> list[str]:
    """Their names, sorted. The sandbox is none of them: production runs without it."""
    return sorted(path.parent.name for path in checkout.glob("*/apps.py"))


def missing_in_image(checkout: Path = CHECKOUT) -> list[str]:
    """Which of them `.dockerignore` keeps out of the image: it lets in what it names, so that no secret slips in."""
    rules = (checkout / ".dockerignore").read_text(encoding="utf-8").splitlines()
    return [name for name in packages(checkout) if f"!{name}/" not in rules]
