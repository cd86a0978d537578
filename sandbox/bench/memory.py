"""What processes hold in memory: the bridge, and whether it grows over 100 000 messages; children of workers; web."""

import http.client
from collections.abc import Callable

import psutil

from balansity.processes import BRIDGE, WEB, WORKER, for_python
from sandbox.bench.report import Figure, show
from sandbox.bench.rig import Rig, await_empty, execute, rig, send, value
from sandbox.probe.apps import QUEUE
from sandbox.services.process import free_port

MESSAGES = 100_000
STEP = 10_000
MEGABYTE = 1_000_000
MAILS = 200
# Of each of the families' assessments.
REPORTS = 5
REQUESTS = 200
_MAIL = """
SELECT public.queue_email_task('client' || n || '@example.org', 'Ваши результаты готовы', 'checkup_completed',
    jsonb_build_object('assessment_id', gen_random_uuid(), 'profile_name', 'Маша', 'completed_at', now()))
FROM generate_series(1, %s) AS n
"""
_REPORT = """
SELECT public.queue_report_generation(a.id, p.user_id, 'pdf')
FROM public.assessments AS a JOIN public.profiles AS p ON p.id = a.profile_id WHERE a.status = 'completed'
"""


def run() -> bool:
    """The baselines: the bridge itself after its first tenth of the messages, and a bare Celery worker's child."""
    with rig("memory", seed=True) as built:
        port = free_port()
        web = built.start(*for_python(WEB), API_PORT=str(port))
        mail = _child_after(built, "email", "email_queue", lambda: execute(_MAIL, [MAILS]), rounds=1)
        report = _child_after(built, "reports", "report_generation_queue", lambda: execute(_REPORT), rounds=REPORTS)
        bare = _bare_child(built)
        page = _web_child(psutil.Process(web.pid), port)
        failed = value("SELECT count(*) FROM bridge_failedmessage")
        sizes = _bridge_sizes(built)
        archived = value(f"SELECT count(*) FROM pgmq.a_{QUEUE}")
    if archived != MESSAGES or failed:
        raise SystemExit(f"{archived:,} of {MESSAGES:,} messages were archived; {failed} mails or reports failed")
    return show(
        "memory",
        [
            Figure("bridge, idle after its start", sizes[0], "MB"),
            Figure(f"bridge after {STEP:,} messages", sizes[1], "MB"),
            Figure(f"bridge, largest over {MESSAGES:,} messages", max(sizes), "MB", most=80),
            Figure(f"growth from {STEP:,} to {MESSAGES:,} messages", sizes[-1] - sizes[1], "MB", most=2),
            Figure(f"worker's child after {MAILS} mails", mail, "MB", most=110),
            Figure(f"worker's child after PDF reports, {REPORTS} of each assessment", report, "MB", most=180),
            Figure(f"web process after {REQUESTS} requests", page, "MB"),
            Figure("bare Celery worker's child", bare, "MB"),
        ],
        notes=["resident size, with what a child shares with its parent"],
    )


def _bridge_sizes(built: Rig) -> list[float]:
    built.start_worker()
    process = psutil.Process(built.start_bridge().pid)
    sizes = [_size(process)]
    for done in range(STEP, MESSAGES + 1, STEP):
        send(STEP)
        await_empty(every=0.1)
        sizes.append(_size(process))
        print(f"{done:,} messages: {sizes[-1]:.1f} MB", flush=True)
    return sizes


def _child_after(built: Rig, line: str, queue: str, ask: Callable[[], None], *, rounds: int) -> float:
    """The size of a worker's only child after it has done what was asked for."""
    worker = built.start(*for_python(WORKER, "-n", f"{line}@%h", "-Q", line, "-c", "1"))
    bridge = built.start(*for_python(BRIDGE, "--queue", queue))
    for _ in range(rounds):
        ask()
        await_empty(queue, seconds=120, every=0.1)
    size = max(_size(child) for child in psutil.Process(worker.pid).children())
    print(f"a child of {line}: {size:.1f} MB", flush=True)
    for process in (bridge, worker):
        built.stop(process)
    return size


def _bare_child(built: Rig) -> float:
    worker = built.start_bare_worker(1)
    size = max(_size(child) for child in psutil.Process(worker.pid).children())
    built.stop(worker)
    return size


def _web_child(web: psutil.Process, port: int) -> float:
    for _ in range(REQUESTS):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/health")
        connection.getresponse().read()
        connection.close()
    return max(_size(child) for child in web.children())


def _size(process: psutil.Process) -> float:
    return float(process.memory_info().rss / MEGABYTE)
