"""Chromium without a window, led over its DevTools protocol (https://chromedevtools.github.io/devtools-protocol/).

By a pair of pipes, so nothing has to be installed for it: JSON texts, each ended by a zero byte.
"""

import base64
import json
import os
import select
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sandbox.errors import SandboxError

ANSWER_SECONDS = 60.0
END_SECONDS = 10.0
_FLAGS = (
    *("--headless=new", "--disable-gpu", "--hide-scrollbars", "--force-color-profile=srgb", "--lang=ru"),
    *("--no-first-run", "--no-default-browser-check", "--disable-extensions", "--disable-dev-shm-usage"),
    # It would call its maker.
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"),
    "--remote-debugging-pipe",
)
# The browser reads commands from descriptor 3 and answers on 4.
_WITH_PIPES = 'exec "$@" 3<&0 4>&1 </dev/null >&2'
_UNTIL = """
new Promise((done, fail) => {{
  const began = performance.now();
  const look = () => {{
    if ({0}) {{ done(); }}
    else if (performance.now() - began > 20000) {{ fail(new Error({0!r} + " does not come true")); }}
    else {{ setTimeout(look, 20); }}
  }};
  look();
}})
"""

Json = dict[str, Any]


class BrowserError(SandboxError):
    """The browser does not start, answers with an error, or not at all."""


class Browser:
    """One browser with a profile of its own in `folder`, for the length of a `with` block."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder
        self._number = 0
        self._unread = b""

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        # Chromium's own sandbox refuses to work for root.
        alone = ("--no-sandbox",) if os.geteuid() == 0 else ()
        profile = f"--user-data-dir={self._folder / 'profile'}"
        (its_commands, self._commands), (self._answers, its_answers) = os.pipe(), os.pipe()
        with (self._folder / "browser.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*("/bin/sh", "-c", _WITH_PIPES, "sh", self._program), *_FLAGS, *alone, profile],
                stdin=its_commands,
                stdout=its_answers,
                stderr=log,
                start_new_session=True,
            )
        os.close(its_commands)
        os.close(its_answers)
        try:
            self.call("Browser.getVersion")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            # Its helpers are of the same group, and all they have is thrown away.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(END_SECONDS)
        os.close(self._commands)
        os.close(self._answers)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> Json:
        """Send a command and return its result. Raises `BrowserError`."""
        self._number += 1
        command: Json = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            command["sessionId"] = session
        try:
            _write(self._commands, json.dumps(command).encode() + b"\0")
        except BrokenPipeError:
            raise self._broken("ended") from None
        while True:
            answer = self._read()
            # What is not the answer is an event, and nobody waits for one.
            if answer.get("id") != self._number:
                continue
            if "error" in answer:
                raise BrowserError(f"{method}: {answer['error'].get('message')}")
            result: Json = answer["result"]
            return result

    def _read(self) -> Json:
        while b"\0" not in self._unread:
            if not select.select([self._answers], [], [], ANSWER_SECONDS)[0]:
                raise self._broken(f"does not answer within {ANSWER_SECONDS:.0f} s")
            read = os.read(self._answers, 1 << 20)
            if not read:
                raise self._broken("ended")
            self._unread += read
        text, _, self._unread = self._unread.partition(b"\0")
        answer: Json = json.loads(text)
        return answer

    def _broken(self, what: str) -> BrowserError:
        log = (self._folder / "browser.log").read_text(encoding="utf-8", errors="replace")
        return BrowserError("\n".join([f"{self._program} {what}; it said:", *log.splitlines()[-8:]]))


class Page:
    """A page of its own in the browser, `width` times `height` pixels."""

    def __init__(self, browser: Browser, *, width: int, height: int = 800, before: str = "") -> None:
        self._browser, self._width = browser, width
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._resize(height)
        self.call("Page.enable")
        if before:
            self.call("Page.addScriptToEvaluateOnNewDocument", source=before)

    def call(self, method: str, **parameters: Any) -> Json:
        return self._browser.call(method, self._session, **parameters)

    def open(self, address: str) -> None:
        """Load the page and all that it names."""
        failed = self.call("Page.navigate", url=address).get("errorText")
        if failed:
            raise BrowserError(f"{address}: {failed}")
        self.run(
            "new Promise(done => document.readyState === 'complete' ? done() : addEventListener('load', () => done()))"
        )
        self.run("document.fonts.ready.then(() => true)")

    def run(self, script: str, **where: Any) -> Any:
        """Evaluate an expression and return its value; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, **where)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserError(f"{details.get('exception', {}).get('description') or details.get('text')}")
        return answer["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait until the expression is true. Raises `BrowserError` after a while."""
        self.run(_UNTIL.format(condition))

    def frame(self) -> int:
        """Where `run` reaches the document in the page's only frame: its `contextId`."""
        inner = self.call("Page.getFrameTree")["frameTree"]["childFrames"][0]["frame"]["id"]
        context: int = self.call("Page.createIsolatedWorld", frameId=inner)["executionContextId"]
        return context

    def shoot(self, height: int | None = None) -> bytes:
        """PNG of the page's upper `height` pixels, or of all of it."""
        height = height or int(self.run("document.documentElement.scrollHeight"))
        # What is as high as the window must be so in the picture.
        self._resize(height)
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))")
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def _resize(self, height: int) -> None:
        size = {"width": self._width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)


def _write(pipe: int, text: bytes) -> None:
    while text:
        text = text[os.write(pipe, text) :]
