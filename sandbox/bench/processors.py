"""What processors did for a process and for all that it started."""

import psutil


def processor_seconds(*pids: int) -> float:
    """Of each of these processes and of its descendants, with those that have ended and were waited for."""
    return sum(own_seconds(process) for pid in pids for process in tree(pid))


def tree(pid: int) -> list[psutil.Process]:
    """A process and all that it started. Raises `psutil.NoSuchProcess` when it is gone itself."""
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def own_seconds(process: psutil.Process) -> float:
    """Of one process, and of its children that have ended; nothing of one that has just gone."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)
