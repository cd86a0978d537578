"""The operator's room with a million archived messages, a million mails and 200 000 payments in the database."""

import argparse
from collections.abc import Callable, Sequence

from sandbox.bench import acting, figures, lists, looks, seeding
from sandbox.bench.options import share_of
from sandbox.bench.report import Figure, show
from sandbox.bench.rig import rig
from sandbox.bench.seeding import Size

# Each gives figures and notes, in a sandbox that is seeded. In this order: the roll-up is new to the first alone, and
# the last one leaves nothing that failed.
PARTS: dict[str, Callable[[Size], tuple[list[Figure], list[str]]]] = {
    "rollup": figures.measure,
    "pages": looks.measure,
    "lists": lists.measure,
    "acts": acting.measure,
}
MOST_SCALE = 10.0


def read_options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench operations", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="this part; may be repeated (default: all)")
    parser.add_argument(
        "--scale",
        type=share_of(MOST_SCALE),
        default=1.0,
        help="how much of it is seeded, a thousand rows of each kind at least; targets are for all of it (1)",
    )
    return parser.parse_args(words)


def run(arguments: list[str] | None = None) -> bool:
    """Everything in one sandbox, one part after another, as `--only` names them."""
    options = read_options(arguments or [])
    size = Size().scaled(options.scale)
    measured: list[Figure] = []
    notes: list[str] = []
    with rig("operations"):
        # What the same pages cost with nothing in the database.
        looks.note_baseline()
        seeding.seed(size)
        for name in [part for part in PARTS if part in (options.only or PARTS)]:
            print(f"— {name}", flush=True)
            found, said = PARTS[name](size)
            measured += found
            notes += said
    return show("operations", measured, notes=notes)
