"""The health check of the web container, against servers that answer and one that does not."""

import os
import socket
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from sandbox.packages import CHECKOUT
from tests.acceptance import starter

CHECK = CHECKOUT / "docker" / "web_health.py"


@contextmanager
def answering(status: int) -> Iterator[tuple[int, list[str | None]]]:
    """A web server with one answer; yields its port and the host names that it was asked for."""
    hosts: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hosts.append(self.headers["Host"])
            self.send_response(status if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port, hosts
        finally:
            server.shutdown()
            thread.join()


def ask_health(port: int, scratch: Path, base: str = "https://api.example.org") -> subprocess.CompletedProcess[str]:
    variables = {"PATH": os.environ["PATH"], "API_PORT": str(port), "API_BASE_URL": base}
    return starter.run([str(CHECK)], variables, folder=scratch, scratch=scratch, seconds=30)


def test_the_health_check_asks_for_the_public_host_and_passes(tmp_path: Path) -> None:
    with answering(200) as (port, hosts):
        done = ask_health(port, tmp_path)
    assert (done.returncode, done.stderr, hosts) == (0, "", ["api.example.org"])


@pytest.mark.parametrize(
    ("base", "host"),
    [
        ("https://апи.балансити.рф/worker", "xn--80aqu.xn--80aab4aapp6ak.xn--p1ai"),
        (unicodedata.normalize("NFD", "https://МАЙ.рф:8443"), "xn--80ash.xn--p1ai:8443"),
        ("https://[2001:DB8::1]/", "[2001:db8::1]"),
        # What cannot be a host, the web process has refused already.
        ("https://выдра..рф", "localhost:{port}"),
        ("", "localhost:{port}"),
    ],
)
def test_the_health_check_writes_any_public_host_so_that_a_server_reads_it(
    base: str, host: str, tmp_path: Path
) -> None:
    with answering(200) as (port, hosts):
        done = ask_health(port, tmp_path, base)
    assert (done.returncode, done.stderr, hosts) == (0, "", [host.format(port=port)])


def test_the_health_check_fails_on_another_answer(tmp_path: Path) -> None:
    with answering(400) as (port, _):
        done = ask_health(port, tmp_path)
    assert done.returncode == 1
    assert done.stderr == "/health answered 400; is api.example.org in ALLOWED_HOSTS?\n"


def test_the_health_check_fails_without_an_answer(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        done = ask_health(taken.getsockname()[1], tmp_path)
    assert done.returncode == 1
    assert "no answer on port" in done.stderr


def test_the_health_check_knows_what_stands_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "balansity").symlink_to(CHECK.parents[1] / "balansity")
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / CHECK.name).write_bytes(CHECK.read_bytes())
    with answering(200) as (port, hosts):
        (tmp_path / ".env").write_text(f'API_PORT={port}\nAPI_BASE_URL="https://api.example.org" # public\n')
        command = [sys.executable, str(tmp_path / "docker" / CHECK.name)]
        done = subprocess.run(
            command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=30, check=False
        )
    assert (done.returncode, done.stderr, hosts) == (0, "", ["api.example.org"])
