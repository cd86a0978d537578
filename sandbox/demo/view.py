"""What a person sees while the demo runs: a live view on a terminal, plain lines elsewhere."""

import time
from collections import deque
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from bridge.pgmq import Counts
from sandbox.demo.archive import Endings

LINE_EVERY_SECONDS = 3.0
_EVENTS = 10


@dataclass(frozen=True, slots=True)
class Progress:
    """How things stand. `endings` are of the queues that somebody drains, and of messages since the start."""

    queues: Mapping[str, Counts]
    endings: Mapping[str, Endings]
    mails: int = 0
    mails_expected: int = 0


@dataclass
class View:
    """Shows the last `Progress` and the events; `page` is where the mails can be read meanwhile."""

    console: Console
    page: str = ""
    _progress: Progress = field(default_factory=lambda: Progress({}, {}))
    _events: deque[Text] = field(default_factory=lambda: deque(maxlen=_EVENTS))
    _started: float = field(default_factory=time.monotonic)
    _said_at: float = 0.0
    _stack: ExitStack = field(default_factory=ExitStack)
    _live: Live | None = None

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            # It draws by itself, so that the clock goes on while something is waited for.
            self._live = self._stack.enter_context(
                Live(console=self.console, get_renderable=self._render, refresh_per_second=5)
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live = None
        self._stack.close()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def say(self, text: str, style: str = "") -> None:
        """Tell an event."""
        line = Text.assemble((f"{self.seconds:5.1f} s  ", "dim"), (text, style))
        if self._live is None:
            self.console.print(line, soft_wrap=True)
        self._events.append(line)

    @property
    def is_due(self) -> bool:
        """Whether somebody would see now how things stand: plain lines say it from time to time."""
        return self._live is not None or self.seconds - self._said_at >= LINE_EVERY_SECONDS

    def show(self, progress: Progress) -> None:
        self._progress = progress
        if self._live is None and self.is_due:
            self._said_at = self.seconds
            self.say(_one_line(progress))

    def _render(self) -> Group:
        head = Text.assemble(
            ("./dev demo", "bold"),
            f"  {self.seconds:4.0f} s   mails received: ",
            (f"{self._progress.mails} of {self._progress.mails_expected}", "bold green"),
            (f"   {self.page}" if self.page else "", "dim"),
        )
        events = Text("\n").join(self._events)
        events.no_wrap, events.overflow = True, "ellipsis"
        return Group(head, _table(self._progress), Rule(style="dim"), events)


def _table(progress: Progress) -> Table:
    idle = ", ".join(name for name in progress.queues if name not in progress.endings)
    caption = f"nobody handles these, so their messages stay: {idle}" if idle else ""
    table = Table(box=SIMPLE_HEAD, caption=caption, caption_justify="left", caption_style="dim")
    table.add_column("queue", no_wrap=True)
    for heading in ("ready", "in line", "running", "retrying", "done", "failed", "duplicate"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, counts in progress.queues.items():
        ending = progress.endings.get(name)
        if ending is None:
            table.add_row(name, str(counts.total), style="dim")
            continue
        waiting = [(counts.ready, ""), (counts.in_line, ""), (counts.running, ""), (counts.retrying, "yellow")]
        ended = [(ending.done, "green"), (ending.failed, "red"), (ending.duplicates, "cyan")]
        table.add_row(name, *(Text(str(number), style if number else "") for number, style in waiting + ended))
    return table


def _one_line(progress: Progress) -> str:
    parts = []
    for name, ending in progress.endings.items():
        counts = progress.queues[name]
        states = {"ready": counts.ready, "in line": counts.in_line, "running": counts.running}
        states |= {"retrying": counts.retrying, "done": ending.done, "failed": ending.failed}
        states |= {"duplicate": ending.duplicates}
        said = ", ".join(f"{number} {state}" for state, number in states.items() if number)
        parts += [f"{name.removesuffix('_queue')}: {said}"] if said else []
    return "; ".join([*parts, f"{progress.mails} of {progress.mails_expected} mails received"])
