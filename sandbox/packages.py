"""The packages of the service: whatever folder of the checkout has an `apps.py`. No list of them is kept anywhere."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]


def packages(checkout: Path = CHECKOUT) -> list[str]:
    """Their names, sorted. The sandbox is none of them: production runs without it."""
    return sorted(path.parent.name for path in checkout.glob("*/apps.py"))
