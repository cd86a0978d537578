"""`./dev bench growth`: parts that can be run by themselves, each in less than ten minutes."""

import argparse
from collections.abc import Callable

from sandbox.bench.growth import archive, distance, encrypted, places, plots, workers
from sandbox.bench.report import Figure, show
from sandbox.packages import CHECKOUT

Part = Callable[[argparse.Namespace], tuple[list[Figure], list[str]]]
PARTS: dict[str, Part] = {
    "workers": workers.measure,
    "archive": archive.measure,
    "distance": distance.measure,
    "tls": encrypted.measure,
    "connections": places.measure,
}


def run(arguments: list[str] | None = None) -> bool:
    """One part after the other, as `--only` names them."""
    parser = argparse.ArgumentParser(prog="./dev bench growth", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="default: all")
    parser.add_argument("--rows", type=int, action="append", help="of the part archive; default: all four sizes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--plot", action="store_true", help="measure nothing: draw docs/growth/*.svg of what was recorded"
    )
    options = parser.parse_args(arguments or [])
    if options.plot:
        print("\n".join(f"wrote {path.relative_to(CHECKOUT)}" for path in plots.write()))
        return True
    met = True
    for name in [part for part in PARTS if part in (options.only or PARTS)]:
        print(f"— {name}", flush=True)
        figures, notes = PARTS[name](options)
        # Sizes that were asked for by themselves are kept beside the others.
        sizes = "".join(f"-{rows}" for rows in sorted(options.rows or ())) if name == "archive" else ""
        met = show(f"growth-{name}{sizes}", figures, notes=notes) and met
    return met
