"""The web process as gunicorn serves it: who reaches it, which path it believes, and what a flood of guesses does."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psutil
import psycopg2
import requests

from sandbox.services.process import free_port
from tests.acceptance.processes import Fleet
from tests.acceptance.waiting import wait_until
from tests.support.databases import ClonedDatabase

GUESSERS = 6
LOOKS = 5
CSRF = "c" * 32


def guess(url: str, name: str) -> int:
    form = {"username": name, "password": "wrong", "csrfmiddlewaretoken": CSRF}
    return requests.post(f"{url}/admin/login/", data=form, cookies={"csrftoken": CSRF}, timeout=60).status_code


def test_strangers_neither_reach_it_nor_bend_its_paths_nor_keep_it_busy(fleet: Fleet, database: ClonedDatabase) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    # What keeps guesses from many addresses from taking all threads is not the limit of one.
    web = fleet.web(port, ADMIN_LOGINS_PER_MINUTE="10000", ADMIN_LOGINS_PER_HOUR="10000")
    web.await_text("Booting worker")
    assert_only_this_machine(web.pid)
    assert_headers_name_no_path(url)
    assert_guesses_leave_threads(url, database)


def assert_only_this_machine(pid: int) -> None:
    processes = (psutil.Process(pid), *psutil.Process(pid).children())
    connections = [connection for process in processes for connection in process.net_connections("inet")]
    assert {found.laddr.ip for found in connections if found.status == psutil.CONN_LISTEN} == {"127.0.0.1"}


def assert_headers_name_no_path(url: str) -> None:
    for name in ("SCRIPT_NAME", "SCRIPT-NAME"):
        assert requests.get(f"{url}/x/admin/login/", headers={name: "/x"}, timeout=60).status_code == 404
    for name in ("PATH_INFO", "PATH-INFO"):
        answer = requests.get(f"{url}/health", headers={name: "/admin/login/"}, timeout=60)
        assert answer.json()["status"] == "ok"


def assert_guesses_leave_threads(url: str, database: ClonedDatabase) -> None:
    assert guess(url, "alone") == 200
    statuses: list[int] = []
    over = threading.Event()

    def keep_guessing(number: int) -> None:
        # Not in a rush that keeps the machine busy by itself.
        while not over.wait(0.05):
            statuses.append(guess(url, f"name-{number}"))

    with ThreadPoolExecutor(GUESSERS) as pool, closing(psycopg2.connect(database.url)) as holder:
        # As if a hash took for ever: whoever checks a password waits for this table.
        holder.cursor().execute("LOCK TABLE balansity.auth_user IN ACCESS EXCLUSIVE MODE")
        try:
            for number in range(GUESSERS):
                pool.submit(keep_guessing, number)
            wait_until(lambda: statuses.count(503) >= 3, "guesses are sent away")
            # Four threads that all check one would answer nobody.
            for _ in range(LOOKS):
                assert requests.get(f"{url}/health", timeout=60).status_code == 200
            assert 200 not in statuses
            holder.rollback()
            wait_until(lambda: 200 in statuses, "passwords are checked again")
        finally:
            over.set()
    assert set(statuses) == {200, 503}
