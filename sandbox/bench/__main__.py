"""`./dev bench [name]`: without a name, all but the long ones, and each target at the end."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext

from sandbox.bench import backlog, delivery, idle, mail, memory, operations, report_pdf, tables, wakeup, webhook
from sandbox.bench.growth import running as growth
from sandbox.bench.peers import run as peers
from sandbox.bench.recording import recorded
from sandbox.errors import SandboxError

BENCHES: dict[str, Callable[..., bool]] = {
    "delivery": delivery.run,
    "wakeup": wakeup.run,
    "backlog": backlog.run,
    "mail": mail.run,
    "idle": idle.run,
    "memory": memory.run,
    "report": report_pdf.run,
    "webhook": webhook.run,
    "operations": operations.run,
    "growth": growth.run,
    "peers": peers.run,
}
# They are called with what stands behind their name, and read it so.
WITH_OPTIONS: dict[str, Callable[[Sequence[str]], argparse.Namespace]] = {
    "growth": growth.read_options,
    "mail": mail.read_options,
    "operations": operations.read_options,
    "peers": peers.read_options,
}
# They take so long that they are run by name alone.
LONG = {"growth", "mail", "peers"}
TABLES = "tables"


def main() -> int:
    try:
        return _main()
    except SandboxError as error:
        sys.exit(f"./dev bench: {error}")
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _main() -> int:
    # Help is asked for behind a name as well: whatever has options of its own tells them itself.
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__, add_help=False)
    parser.add_argument(
        "name",
        nargs="?",
        choices=[*BENCHES, TABLES],
        help=f"default: all but {', '.join(sorted(LONG))}, each in a process of its own; "
        f"{TABLES}: write docs/benchmarks.md from what was recorded",
    )
    parser.add_argument("--record", action="store_true", help="keep the figures in docs/benchmarks/NAME.json")
    told = f"show this help message and exit; {', '.join(sorted(WITH_OPTIONS))} have one of their own: NAME --help"
    parser.add_argument("-h", "--help", action="store_true", help=told)
    known, options = parser.parse_known_args()
    if known.help and known.name in WITH_OPTIONS:
        options = ["--help"]
    elif known.help:
        parser.print_help()
        return 0
    # Whoever stops it stops its services with it, as Ctrl-C does; also what runs in other network namespaces.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if options and known.name not in WITH_OPTIONS:
        parser.error(f"only {' and '.join(sorted(WITH_OPTIONS))} take options: {' '.join(options)}")
    if known.name is None:
        return _all(["--record"] if known.record else [])
    if known.name == TABLES and known.record:
        parser.error(f"{TABLES} measures nothing, so there is nothing to record: leave --record out")
    if known.name == TABLES:
        print(f"wrote {tables.write()}")
        return 0
    with recorded(tuple(options)) if known.record else nullcontext():
        # A missed target is a result and not an error: it stands in the table and in the last lines.
        BENCHES[known.name](*([options] if known.name in WITH_OPTIONS else []))
    return 0


def _all(options: list[str]) -> int:
    code, said = 0, []
    # Their tables are as wide as this terminal and not as a pipe.
    environment = {**os.environ, "COLUMNS": str(shutil.get_terminal_size().columns)}
    for name in [name for name in BENCHES if name not in LONG]:
        command = [sys.executable, "-m", "sandbox.bench", name, *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as bench:
            last = ""
            for line in bench.stdout or ():
                print(line, end="", flush=True)
                last = line
        code = max(code, abs(bench.returncode))
        said += _summary(name, bench.returncode, last)
    print("\n".join(["", *said]), flush=True)
    return code


def _summary(name: str, code: int, last: str) -> list[str]:
    """Each target of a benchmark in a line, by its last line."""
    if code:
        return [f"{name}: ended with {code} and without a result"]
    verdicts: list[str] = json.loads(last)["verdicts"]
    return verdicts


if __name__ == "__main__":
    sys.exit(main())
