"""Customers who ask for what has to wait for a server that accepts connections and says nothing."""

import http.client
import json
import socket
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass

from sandbox.bench.rig import await_true, execute
from sandbox.tokens import access_token

PATH = "/api/payments/create"
# Gunicorn's two processes have eight threads: without a limit all of them would wait.
CUSTOMERS = 8
PRICE = "4500.00"
ANSWER_SECONDS = 60.0


class SilentServer:
    """YooKassa, or Supabase's storage, at `address`: it reads nothing and answers nothing."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._accepted: list[socket.socket] = []
        self.address = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def asked(self) -> int:
        """How many requests came."""
        return len(self._accepted)

    def let_go(self) -> None:
        """End the waiting of everybody who came so far."""
        for accepted in self._accepted:
            accepted.close()

    def close(self) -> None:
        # Closing alone would not wake the thread that accepts.
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.let_go()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self._accepted.append(self._server.accept()[0])


@dataclass(frozen=True, slots=True)
class Call:
    """What one customer asks for, again and again."""

    method: str
    path: str
    user_id: str
    body: str = ""


def payers() -> list[Call]:
    """Customers who start a payment."""
    body = json.dumps({"amount": PRICE, "currency": "RUB", "metadata": _package()})
    return [Call("POST", PATH, customer(), body) for _ in range(CUSTOMERS)]


@contextmanager
def waiting_customers(port: int, server: SilentServer, calls: Sequence[Call]) -> Iterator[None]:
    """Each of them asks, and comes again when told to, for the length of the block.

    It begins when each of them waits: in the web process, or for the time to come again.
    """
    ended, told = threading.Event(), list[int]()
    before = server.asked
    threads = [threading.Thread(target=_ask, args=(port, call, ended, told)) for call in calls]
    for thread in threads:
        thread.start()
    await_true(lambda: server.asked - before + len(told) >= len(calls), seconds=30)
    try:
        yield
    finally:
        ended.set()
        server.let_go()
        for thread in threads:
            thread.join(ANSWER_SECONDS)


def _package() -> dict[str, str]:
    kind, package = str(uuid.uuid4()), str(uuid.uuid4())
    execute(
        "INSERT INTO public.appointment_types (id, name, duration_minutes, price) VALUES (%s, 'Консультация', 50, %s)",
        [kind, PRICE],
    )
    execute(
        "INSERT INTO public.packages (id, name, session_count, appointment_type_id, price)"
        " VALUES (%s, 'Четыре консультации', 4, %s, %s)",
        [package, kind, PRICE],
    )
    return {"type": "package", "package_id": package}


def customer() -> str:
    user_id = str(uuid.uuid4())
    execute("INSERT INTO auth.users (id) VALUES (%s)", [user_id])
    execute(
        "INSERT INTO public.users (id, email) VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET email = excluded.email",
        [user_id, f"{user_id}@example.org"],
    )
    return user_id


def _ask(port: int, call: Call, ended: threading.Event, told: list[int]) -> None:
    headers = {"Authorization": f"Bearer {access_token(call.user_id)}", "Content-Type": "application/json"}
    while not ended.is_set():
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)) as connection:
            connection.request(call.method, call.path, call.body or None, headers)
            answer = connection.getresponse()
            answer.read()
        if answer.status not in {http.HTTPStatus.SERVICE_UNAVAILABLE, http.HTTPStatus.TOO_MANY_REQUESTS}:
            raise SystemExit(f"{call.path} beside a silent server was answered with {answer.status}")
        told.append(answer.status)
        ended.wait(float(answer.headers.get("Retry-After", 1)))
