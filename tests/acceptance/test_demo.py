"""`./dev demo` as a person runs it: the whole thing in a sandbox of its own."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from balansity.sandbox_keys import SANDBOX_JWT_SECRET
from sandbox.packages import CHECKOUT
from sandbox.services.process import identity
from sandbox.services.storage import StorageService
from sandbox.services.yookassa import YooKassaService
from tests.acceptance.starter import server_address, start
from tests.acceptance.waiting import wait_until

OPTIONS = ("--fast", "--folder")
# The demo takes these for services to use, and the run's own must not be mixed with its messages.
OUTSIDE = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")


@pytest.fixture
def demo(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A fast demo whose sandbox lies in `tmp_path`; it is told to stop at the end of the test."""
    with (tmp_path / "output").open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox.demo", *OPTIONS, str(tmp_path)],
            cwd=CHECKOUT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def environment() -> dict[str, str]:
    return {**{name: value for name, value in os.environ.items() if name not in OUTSIDE}, "PYTHONUNBUFFERED": "1"}


def output_of(tmp_path: Path) -> str:
    return (tmp_path / "output").read_text(encoding="utf-8")


def services(tmp_path: Path) -> dict[str, tuple[int, str | None]]:
    """The processes that the demo started, by name: number and identity."""
    found = {}
    for file in (tmp_path / "demo").glob("*.pid"):
        noted = json.loads(file.read_text(encoding="utf-8"))
        found[file.stem] = (int(noted["pid"]), noted["identity"])
    return found


@pytest.mark.timeout(240)
def test_everything_in_the_demo_ends_as_promised(demo: "subprocess.Popen[str]", tmp_path: Path) -> None:
    code = demo.wait(200)

    output = output_of(tmp_path)
    assert code == 0, output
    assert "all 93 mail messages, 6 reports, 18 payments, a pause and an outage ended as expected" in output
    assert "✗" not in output
    assert re.search(r"sergey\.nikitin\+always451 +failed \(retries\) +✓ failed \(retries\) +6: ", output), output
    assert re.search(r"oleg\.demidov\+refuse2 +sent at try 3 +✓ sent at try 3 +3: ", output), output
    assert re.search(r"vera\.lapina\+slow2 +sent after a kill +✓ sent at try 2 ", output), output
    assert re.search(r"elena\.belova +failed \(retries\) +✓ failed \(retries\) +4 +— +—", output), output
    assert re.search(
        r"refunded in two parts +refunded in 2, booked +✓ refunded in 2, booked +succeeded +4 of 4", output
    )
    assert re.search(r"the time was taken +completed, slot_taken +✓ completed, slot_taken +succeeded +1 of 1", output)
    assert "Paid 61000.00 ₽, refunded 4500.00 ₽; at YooKassa 61000.00 ₽ and 4500.00 ₽." in output
    assert_a_pause_and_an_outage_cost_nothing(output)
    kept = tmp_path / "demo"
    assert {path.name for path in kept.iterdir()} == {"mail", "reports", "logs"}
    assert len(list((kept / "mail").glob("*.eml"))) == 83
    pdfs = [path.read_bytes() for path in (kept / "reports").glob("*.pdf")]
    assert [content[:5] for content in pdfs] == [b"%PDF-"] * 4
    assert_no_leaks(kept / "logs", mails=kept / "mail")


def assert_a_pause_and_an_outage_cost_nothing(output: str) -> None:
    assert re.search(r"home page of staff, as long as this runs: http://127\.0\.0\.1:\d+/admin/ +name admin, ", output)
    assert "email_queue: nothing is started, pause by " in output
    assert "pause: 5 of 5 mails waited untouched, no attempt counted, and left within " in output
    assert re.search(r"Mail server \(smtp\) does not do its part since .*20 messages wait in email_queue", output)
    assert "«Почтовый сервер: не отвечает с " in output
    told = r"20 of 20 mails waited; ([0-3]) attempts were spent, 0 mails ended by it; the first mail came ([0-4]\.\d) s"
    assert re.search(told, output), output


def assert_no_leaks(logs: Path, *, mails: Path) -> None:
    """What the demo says of its logs, looked at by other means; the mails show that these means see."""
    names = {path.name for path in logs.iterdir()}
    assert names >= {"web.log", "worker.log", "report-worker.log", "bridge.log", "beat.log", "out.log", "error.log"}
    ours = "\n".join(path.read_text(encoding="utf-8") for path in logs.iterdir())
    assert "/api/payments/create 200" in ours, "the calls of the API are in them"
    full_address = re.compile(r"[a-z]+\.[a-z]+(?:\+[a-z0-9]+)?@demo\.example")
    assert all(full_address.search(path.read_text(encoding="utf-8")) for path in mails.glob("*.eml"))
    assert full_address.search(ours) is None
    for secret in (YooKassaService.secret_key, StorageService.service_key, SANDBOX_JWT_SECRET):
        assert secret not in ours
    for shape in (r"eyJ[\w-]+\.", r"\bct-\w", r"authorization", r"\b(?:basic|bearer) [^*]"):
        found = re.search(f".*{shape}.*", ours, re.IGNORECASE)
        assert found is None, found[0]


# What it starts are forks here: only how long a start takes is another then.
IN_FORKS = """
import sys
from pathlib import Path
from sandbox.demo.__main__ import main
from tests.acceptance.forked_services import forked
from tests.acceptance.starter import use_server_at
from tests.support.clusters import copied_from
use_server_at({server!r})
sys.argv = {arguments!r}
with forked(), copied_from(Path({cluster!r})):
    sys.exit(main())
"""


@pytest.fixture
def demo_in_forks(tmp_path: Path, cluster: Path) -> Iterator[ForkServerProcess]:
    """The same, begun in a fraction of the time."""
    arguments = ["demo", *OPTIONS, str(tmp_path)]
    code = IN_FORKS.format(server=server_address(), arguments=arguments, cluster=str(cluster))
    process = start(["-c", code], environment(), folder=CHECKOUT, log=tmp_path / "output")
    try:
        yield process
    finally:
        process.terminate()
        process.join(60)


@pytest.mark.timeout(180)
def test_ctrl_c_stops_everything_that_the_demo_started(demo_in_forks: ForkServerProcess, tmp_path: Path) -> None:
    def sends() -> bool:
        assert demo_in_forks.exitcode is None, output_of(tmp_path)
        return "five families" in output_of(tmp_path)

    wait_until(sends, "the demo sends its messages", seconds=90)
    running = services(tmp_path)

    os.kill(demo_in_forks.pid or 0, signal.SIGINT)

    demo_in_forks.join(60)
    assert demo_in_forks.exitcode == 130, output_of(tmp_path)
    ours = {"web", "worker", "report-worker", "beat", "bridge"}
    assert running.keys() == {"postgres", "broker", "mailbox", "yookassa", "storage", *ours}
    assert [name for name, (pid, known) in running.items() if identity(pid) == known] == []
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["mail"]
