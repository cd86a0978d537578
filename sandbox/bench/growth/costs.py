"""What processors did for it: of a process with its children, and of Postgres with its sessions."""

from collections.abc import Iterable

import psutil

from sandbox.bench.rig import value


def processor_seconds(*pids: int) -> float:
    """Of each process and of all that it started, which must go on living until the second look."""
    return sum(_own(one) for pid in pids for one in _tree(pid))


def postgres_seconds() -> float:
    """Of the whole server, without the session that asks."""
    session = psutil.Process(value("SELECT pg_backend_pid()"))
    server = session.parent()
    # A session that ended counts with the server that waited for it.
    return 0.0 if server is None else sum(_own(one) for one in _tree(server.pid)) - _own(session)


def _tree(pid: int) -> Iterable[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def _own(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
