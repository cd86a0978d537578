"""`./dev chaos`: load, faults, healing, and a check of the books.

Exit code 1 when anything is wrong in them, or too little happened; 2 when there was no such run.
"""

import argparse
import json
import random
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console

from sandbox.chaos.doubles import DOUBLES, NEEDS, SIGNS
from sandbox.chaos.recording import record, write_table
from sandbox.chaos.run import Options, run
from sandbox.chaos.schedule import make_schedule
from sandbox.chaos.summary import hollow, print_summary
from sandbox.errors import SandboxError
from sandbox.services.state import ROOT

MOST_MINUTES = 120.0
NO_RUN = 2
_SEEDS = range(1, 100_000)
_DRAWS = 1_000


def main() -> None:
    options = read_options(sys.argv[1:])
    console = Console()
    if options.table:
        console.print(f"wrote {write_table()}", soft_wrap=True, highlight=False)
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _unwind)
    try:
        done = run(console, Options(options.minutes, options.seed, options.without), root=ROOT)
    except SandboxError as error:
        print(f"./dev chaos: {error}", file=sys.stderr)
        sys.exit(NO_RUN)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    result = done.to_json()
    options.json.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print_summary(console, result)
    if options.without:
        found = [str(one) for one in done.verdict.violations]
        console.print(_told(options.without, found), style="bold", highlight=False)
    console.print(f"the raw result: {options.json}", soft_wrap=True, highlight=False)
    if options.record:
        console.print(f"recorded as {record(result)}", soft_wrap=True, highlight=False)
    sys.exit(1 if done.verdict.violations or hollow(result) else 0)


def read_options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./dev chaos",
        description="Break what production consists of, by a schedule, under load; then compare everybody's books.",
    )
    parser.add_argument("--minutes", type=float, default=1.0, help="how long the load lasts (default: %(default)g)")
    parser.add_argument("--seed", type=int, help="which schedule (default: a new one, which is printed)")
    parser.add_argument("--without", choices=sorted(DOUBLES), default="", help="take a protection away: must end red")
    parser.add_argument("--json", type=Path, default=ROOT / "chaos.json", help="where the raw result goes")
    parser.add_argument("--record", action="store_true", help="keep the result in docs/chaos and in docs/chaos.md")
    parser.add_argument("--table", action="store_true", help="run nothing: write the table of docs/chaos.md anew")
    options = parser.parse_args(words)
    if not 0 < options.minutes <= MOST_MINUTES:
        parser.error(f"--minutes must be more than 0 and at most {MOST_MINUTES:g}")
    if options.record and options.without:
        parser.error("a run without a protection is no record")
    try:
        options.json.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--json {options.json} cannot be written: {error.strerror}")
    if options.json.is_dir():
        parser.error(f"--json {options.json} is a folder: name a file")
    wanted = NEEDS.get(options.without, "")
    if options.seed is None:
        drawn = (random.choice(_SEEDS) for _ in range(_DRAWS))  # noqa: S311
        options.seed = next((seed for seed in drawn if _has(wanted, seed, options.minutes)), None)
    if options.seed is None or not _has(wanted, options.seed, options.minutes):
        of_seed = "" if options.seed is None else f" of seed {options.seed}"
        parser.error(
            f"in {options.minutes:g} min the schedule{of_seed} comes to no {wanted}, without which nothing needs "
            f"the {options.without}: take another --seed or more --minutes"
        )
    return options


def _has(wanted: str, seed: int, minutes: float) -> bool:
    """Whether a fault of this kind begins and ends within the load; any schedule has none."""
    load = minutes * 60
    return not wanted or any(one.kind == wanted and one.at + one.seconds <= load for one in make_schedule(seed, load))


def _told(without: str, violations: Sequence[str]) -> str:
    signs = [one for one in violations if any(sign in one for sign in SIGNS[without])]
    if signs:
        return f"Without {without}: noticed, by {len(signs)} of {len(violations)} violations."
    other = "What is wrong here has other reasons. " if violations else ""
    return f"Without {without}: NOT NOTICED. {other}This run did not come to the moment for it; a longer one should."


def _unwind(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
