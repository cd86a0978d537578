"""The stand-in for YooKassa as a process of its own."""

import re
import sys
from pathlib import Path

from sandbox.packages import CHECKOUT
from sandbox.services.process import Service
from sandbox.yookassa.pages import WIDGET

_READY = re.compile(r"API on (http://127\.0\.0\.1:\d+/v3), page on (http://127\.0\.0\.1:\d+)/")


class YooKassaService:
    """Runs `python -m sandbox.yookassa` for a made-up shop.

    `notify_url` gets its notifications; it can also be given later, through `/sandbox/notifications`. The addresses
    are known once it has started.
    """

    shop_id = "100500"
    # Protects nothing: everybody on this machine may pay with toy money.
    secret_key = "test_sandbox-has-no-secrets"  # noqa: S105

    def __init__(self, folder: Path, *, notify_url: str = "", port: int = 0) -> None:
        self.api_url = self.page_url = self.widget_url = ""
        self._notify_url, self._port = notify_url, port
        self._service = Service("yookassa", folder)

    def start(self) -> None:
        self._service.log.unlink(missing_ok=True)
        command = [sys.executable, "-m", "sandbox.yookassa", "--port", str(self._port)]
        command += ["--shop-id", self.shop_id, "--secret-key", self.secret_key]
        if self._notify_url:
            command += ["--notify", self._notify_url]
        # Ours is found by the folder it starts in, wherever the command was typed.
        self._service.start(command, self._announced, cwd=CHECKOUT)

    def stop(self) -> None:
        self._service.stop()

    def _announced(self) -> bool:
        found = _READY.search(self._service.log.read_text(encoding="utf-8", errors="replace"))
        if found:
            self.api_url, self.page_url = found[1], f"{found[2]}/"
            self.widget_url = found[2] + WIDGET
        return found is not None
