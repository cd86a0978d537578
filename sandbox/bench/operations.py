"""The operator's room with a million archived messages, a million mails and 200 000 payments in the database."""

import argparse
from collections.abc import Callable

from sandbox.bench import acting, lists, seeding
from sandbox.bench.report import Figure, show
from sandbox.bench.rig import rig
from sandbox.bench.seeding import Size

# Each gives figures and notes, in a sandbox that is seeded.
PARTS: dict[str, Callable[[Size], tuple[list[Figure], list[str]]]] = {"lists": lists.measure, "acts": acting.measure}


def run(arguments: list[str] | None = None) -> bool:
    """Everything in one sandbox, one part after another, as `--only` names them."""
    parser = argparse.ArgumentParser(prog="./dev bench operations", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="default: all")
    parser.add_argument("--scale", type=float, default=1.0, help="how much of it is seeded; targets are for all of it")
    options = parser.parse_args(arguments or [])
    size = Size().scaled(options.scale)
    figures: list[Figure] = []
    notes: list[str] = []
    with rig("operations"):
        seeding.seed(size)
        for name in options.only or PARTS:
            print(f"— {name}", flush=True)
            found, said = PARTS[name](size)
            figures += found
            notes += said
    return show("operations", figures, notes=notes)
