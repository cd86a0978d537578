"""`./dev bench growth`: parts that can be run by themselves, each in less than ten minutes."""

import argparse
from collections.abc import Callable, Sequence

from sandbox.bench import recording
from sandbox.bench.growth import archive, distance, encrypted, places, plots, workers
from sandbox.bench.options import at_least
from sandbox.bench.report import Figure, show
from sandbox.packages import CHECKOUT

Part = Callable[[argparse.Namespace], tuple[list[Figure], list[str]]]
ARCHIVE = "archive"
PARTS: dict[str, Part] = {
    "workers": workers.measure,
    ARCHIVE: archive.measure,
    "distance": distance.measure,
    "tls": encrypted.measure,
    "connections": places.measure,
}


def read_options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench growth", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="this part; may be repeated (default: all)")
    sizes = ", ".join(f"{rows:,}" for rows in archive.ROWS)
    parser.add_argument(
        "--rows", type=at_least(1), action="append", help=f"of the part {ARCHIVE}; may be repeated (default: {sizes})"
    )
    parser.add_argument("--rounds", type=at_least(1), default=3, help="default: %(default)s")
    parser.add_argument(
        "--plot", action="store_true", help="measure nothing: draw docs/growth/*.svg of what was recorded"
    )
    options = parser.parse_args(words)
    if options.plot and (options.only or options.rows or recording.is_recorded()):
        parser.error("--plot measures nothing and draws all that was recorded: let it stand alone")
    if options.rows and ARCHIVE not in (options.only or PARTS):
        parser.error(f"--rows is for the part {ARCHIVE}, which is left out: add --only {ARCHIVE}")
    if options.rows:
        options.rows = sorted({*options.rows})
    return options


def run(arguments: list[str] | None = None) -> bool:
    """One part after the other, as `--only` names them."""
    options = read_options(arguments or [])
    if options.plot:
        print("\n".join(f"wrote {path.relative_to(CHECKOUT)}" for path in plots.write()))
        return True
    met = True
    for name in [part for part in PARTS if part in (options.only or PARTS)]:
        print(f"— {name}", flush=True)
        recording.begin_part()
        figures, notes = PARTS[name](options)
        # Sizes that were asked for by themselves are kept beside the others.
        sizes = "".join(f"-{rows}" for rows in options.rows or ()) if name == ARCHIVE else ""
        met = show(f"growth-{name}{sizes}", figures, notes=notes) and met
    return met
