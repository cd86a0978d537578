"""`./dev bench [name]`: without a name, all of them."""

import argparse
import subprocess
import sys
from collections.abc import Callable

from sandbox.bench import backlog, delivery, memory, operations, report_pdf, wakeup, webhook

BENCHES: dict[str, Callable[[], bool]] = {
    "delivery": delivery.run,
    "wakeup": wakeup.run,
    "backlog": backlog.run,
    "memory": memory.run,
    "report": report_pdf.run,
    "webhook": webhook.run,
    "operations": operations.run,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("name", nargs="?", choices=BENCHES, help="default: all, each in a process of its own")
    known, options = parser.parse_known_args()
    name: str | None = known.name
    if name == "operations":
        operations.run(options)
        return 0
    if options:
        parser.error(f"only operations takes options: {' '.join(options)}")
    if name is not None:
        # A missed target is a result and not an error: it stands in the table and in the last line.
        BENCHES[name]()
        return 0
    command = [sys.executable, "-m", "sandbox.bench"]
    return max(subprocess.run([*command, bench], check=False).returncode for bench in BENCHES)


if __name__ == "__main__":
    sys.exit(main())
