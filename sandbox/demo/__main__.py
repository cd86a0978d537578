"""`./dev demo [--fast]`"""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from sandbox.demo.ending import exit_on_signals
from sandbox.demo.run import run
from sandbox.errors import SandboxError
from sandbox.services.state import ROOT


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="./dev demo",
        description="Send real messages, pay and refund over the real API, make reports, and check how each ends. "
        "Exit codes: 0 all as expected, 1 not, 130 stopped by Ctrl-C.",
    )
    parser.add_argument("--fast", action="store_true", help="shorter delays between the attempts, for tests")
    parser.add_argument("--folder", type=Path, default=ROOT, help="where the sandbox lies (default: .sandbox)")
    options = parser.parse_args()
    exit_on_signals()
    # In a file or a pipe the table is not cut to the 80 columns of a terminal that isn't there.
    console = Console(width=None if sys.stdout.isatty() else 110)
    try:
        return run(console, fast=options.fast, root=options.folder.resolve())
    except SandboxError as error:
        print(f"./dev demo: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
