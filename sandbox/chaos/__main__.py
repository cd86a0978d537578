"""`./dev chaos`: load, faults, healing, and a check of the books. Exit code 1 when anything is wrong in them."""

import argparse
import json
import random
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console

from sandbox.chaos.doubles import DOUBLES
from sandbox.chaos.recording import record
from sandbox.chaos.run import Options, run
from sandbox.chaos.summary import hollow, print_summary
from sandbox.errors import SandboxError
from sandbox.services.state import ROOT

MOST_MINUTES = 120.0


def main() -> None:
    options = _options()
    console = Console()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _unwind)
    try:
        done = run(console, Options(options.minutes, options.seed, options.without), root=ROOT)
    except SandboxError as error:
        sys.exit(f"./dev chaos: {error}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    result = done.to_json()
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print_summary(console, result)
    console.print(f"the raw result: {options.json}", soft_wrap=True, highlight=False)
    if options.record:
        console.print(f"recorded as {record(result)}", soft_wrap=True, highlight=False)
    sys.exit(1 if done.verdict.violations or hollow(result) else 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./dev chaos",
        description="Break what production consists of, by a schedule, under load; then compare everybody's books.",
    )
    parser.add_argument("--minutes", type=float, default=1.0, help="how long the load lasts (default: %(default)g)")
    parser.add_argument("--seed", type=int, help="which schedule (default: a new one, which is printed)")
    parser.add_argument("--without", choices=sorted(DOUBLES), default="", help="take a protection away: must end red")
    parser.add_argument("--json", type=Path, default=ROOT / "chaos.json", help="where the raw result goes")
    parser.add_argument("--record", action="store_true", help="keep the result in docs/chaos and in docs/chaos.md")
    options = parser.parse_args()
    if not 0 < options.minutes <= MOST_MINUTES:
        parser.error(f"--minutes must be more than 0 and at most {MOST_MINUTES:g}")
    if options.record and options.without:
        parser.error("a run without a protection is no record")
    if options.seed is None:
        options.seed = random.randrange(1, 100_000)  # noqa: S311
    return options


def _unwind(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
