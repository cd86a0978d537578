"""`python -m sandbox.yookassa --shop-id ID --secret-key KEY`: the stand-in, until SIGTERM."""

import argparse
import signal
import threading

from sandbox.yookassa.notifications import Notifications
from sandbox.yookassa.server import YooKassaServer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.yookassa", description="Stands in for YooKassa.")
    parser.add_argument("--port", type=int, default=0, help="port of 127.0.0.1 (default: a free one)")
    parser.add_argument("--shop-id", required=True, help="the shop that may log in")
    parser.add_argument("--secret-key", required=True, help="its key, made up: it protects nothing")
    parser.add_argument("--notify", action="append", default=[], metavar="URL", help="where notifications go")
    parser.add_argument("--expire", type=float, default=3600.0, metavar="SECONDS", help="how long a payer may take")
    options = parser.parse_args()

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with YooKassaServer(
        shop_id=options.shop_id,
        secret_key=options.secret_key,
        port=options.port,
        notifications=Notifications(*options.notify),
        expire_after=options.expire,
    ) as server:
        print(f"API on {server.api_url}, page on {server.page_url}", flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
