"""`python -m sandbox.storage --directory DIR`: the stand-in of Supabase Storage, until SIGTERM."""

import argparse
import signal
import threading
from pathlib import Path

from sandbox.storage.server import StorageServer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.storage", description="Keeps objects as files.")
    parser.add_argument("--directory", type=Path, required=True, help="where the objects are kept")
    parser.add_argument("--port", type=int, default=0, help="port of 127.0.0.1 (default: a free one)")
    options = parser.parse_args()

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with StorageServer(options.directory, port=options.port) as server:
        print(f"storage on {server.url}", flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
