"""The command line of each process: the one that production, the sandbox, the tests and the benchmarks start.

What Celery can take from settings stands there, and what it cannot in `balansity.celery.consumer`, so that whoever
starts a worker with other words gets the same worker. Procfile, Compose file and documents repeat these lines, and a
test compares them.
"""

from collections.abc import Sequence

WEB = ("gunicorn",)
WORKER = ("celery", "-A", "balansity", "worker", "-n", "worker@%h")
BEAT = ("celery", "-A", "balansity", "beat")
BRIDGE = ("python", "manage.py", "bridge_queues")

# What is loaded when it is first needed, so that bridge, beat and commands do without. Web processes, where somebody
# waits for it, and workers, whose children would each load their own, load it at their start.
LOADED_WHEN_NEEDED = ("payments.yookassa.transport", "notifications.writing.calendar")

LINES = {"web": WEB, "worker": WORKER, "beat": BEAT, "bridge": BRIDGE}


def kind_of(arguments: Sequence[str]) -> str:
    """Which of them a command line is, however its program is started; `cli` for one of an operator."""
    words = {*arguments[1:]}
    program = arguments[0] if arguments else ""
    for kind, (name, *rest) in LINES.items():
        if name == "gunicorn" and "gunicorn" in program:
            return kind
        if name == "celery" and "celery" in program and rest[2] in words:
            return kind
        if name == "python" and {*rest[1:]} & words:
            return kind
    return "cli"


def for_python(line: tuple[str, ...], *more: str) -> tuple[str, ...]:
    """The line, and what somebody has to add to it, as arguments for an interpreter, whatever `PATH` says."""
    program, *rest = line
    return (*(() if program == "python" else ("-m", program)), *rest, *more)
