"""`python -m sandbox.mailbox --directory DIR`: the mail server and its page, until SIGTERM."""

import argparse
import signal
import threading
from pathlib import Path

from sandbox.mailbox.page import serve_page
from sandbox.mailbox.server import Mailbox


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.mailbox", description="Keeps mails as files.")
    parser.add_argument("--directory", type=Path, required=True, help="where the mails are kept")
    parser.add_argument("--smtp-port", type=int, default=0, help="port of 127.0.0.1 (default: a free one)")
    parser.add_argument("--http-port", type=int, default=0, help="port of the page (default: a free one)")
    options = parser.parse_args()

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with Mailbox(options.directory, port=options.smtp_port) as mailbox:
        page = serve_page(mailbox.store, options.http_port)
        threading.Thread(target=page.serve_forever, name="page", daemon=True).start()
        print(f"SMTP on 127.0.0.1:{mailbox.port}, page on http://127.0.0.1:{page.server_address[1]}/", flush=True)
        ended.wait()
        page.shutdown()
        page.server_close()


if __name__ == "__main__":
    main()
