"""The order of things: services, processes, load and faults, healing, draining, the books, the verdict."""

import os
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import redis
import requests
from django.db import connection
from rich.console import Console

from sandbox.admin_login import ADMIN_NAME, ensure_admin, migrate
from sandbox.chaos import surroundings
from sandbox.chaos.director import carry_out
from sandbox.chaos.draining import drain
from sandbox.chaos.fleet import Fleet, wake
from sandbox.chaos.happened import Happened
from sandbox.chaos.judging.verdict import judge
from sandbox.chaos.known import Known
from sandbox.chaos.load.buyers import Shop, buy_all
from sandbox.chaos.load.desk import Desk
from sandbox.chaos.load.pace import Pace
from sandbox.chaos.load.senders import ask_for_reports, send_mails
from sandbox.chaos.reading import Sources, read_books
from sandbox.chaos.result import Run, load_average
from sandbox.chaos.scene import Scene
from sandbox.chaos.schedule import make_schedule
from sandbox.demo.payments.till import ADDRESS, Till
from sandbox.errors import SandboxError
from sandbox.services.process import free_port
from sandbox.services.sandbox import Sandbox, without_services_of_others
from sandbox.services.stand_ins import notify

START_SECONDS, DRAIN_SECONDS, LAST_SECONDS = 90.0, 180.0, 30.0
MAINTENANCE = "maintenance"
BUCKET = "reports"


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for. `without` names a protection that is taken away."""

    minutes: float
    seed: int
    without: str = ""
    pace: Pace = field(default_factory=Pace)


def run(console: Console, options: Options, *, root: Path) -> Run:
    """Do all of it in the sandbox `root`/chaos. Raises `SandboxError` when a part does not even start."""
    port, before = free_port(), load_average()
    variables = {**without_services_of_others(), "API_PORT": str(port)}
    sandbox = Sandbox("chaos", root=root, variables=variables, fresh=True, stand_ins=True)
    with sandbox:
        environment = surroundings.chaos_environment(sandbox, port=port)
        environment["CHAOS_WITHOUT"] = ""
        os.environ.update(environment)
        try:
            migrate()
            surroundings.put_on_sale()
            password = ensure_admin(sandbox.folder)
            about = surroundings.assessments()
        finally:
            connection.close()
        fleet = Fleet(sandbox.folder, environment | {"CHAOS_WITHOUT": options.without}, port=port)
        till = _till(environment, port)
        schedule = make_schedule(options.seed, options.minutes * 60)
        with fleet.running():
            console.print("starts web, two bridges, two workers and beat, as production does")
            _await_ready(fleet, port)
            scene = Scene(sandbox, fleet, till, random.Random(options.seed), threading.Event())  # noqa: S311
            known, began = Known(), datetime.now(UTC)
            api = f"http://127.0.0.1:{port}"
            shop = Shop(
                environment["DATABASE_URL"],
                api,
                till,
                Desk(api, ADMIN_NAME, password),
                known,
                options.seed,
                threading.Event(),
            )
            console.print(f"{len(schedule)} faults in {options.minutes:g} minutes, by seed {options.seed}")
            with _load(shop, options.pace, about):
                scene_over = threading.Timer(options.minutes * 60, scene.over.set)
                # A run that is interrupted ends without waiting for it.
                scene_over.daemon = True
                scene_over.start()
                faults = carry_out(scene, schedule, lambda one: _tell(console, one, began))
                scene.over.wait()
                shop.over.set()
                _heal(fleet, till)
                console.print("all is made well; the last customers leave")
            drained = _drained(environment, fleet, till, console)
        books = read_books(_sources(sandbox, environment, till), limits=surroundings.LIMITS, leases=surroundings.LEASES)
        return Run(
            seed=options.seed,
            minutes=options.minutes,
            without=options.without,
            pace=options.pace,
            settings=_settings(environment),
            schedule=schedule,
            faults=sorted(faults, key=lambda one: one.number),
            exits=fleet.exits,
            known=known,
            books=books,
            verdict=judge(books, known, faults),
            began=began,
            load_before=before,
            load_after=load_average(),
            drained_after=drained,
        )


@contextmanager
def _load(shop: Shop, pace: Pace, about: list[tuple[str, str]]) -> Iterator[None]:
    url, known, seed, over = shop.url, shop.known, shop.seed, shop.over
    with ThreadPoolExecutor(3, "load") as clients:
        working = [
            clients.submit(send_mails, url, known, pace, seed=seed, over=over),
            clients.submit(ask_for_reports, url, known, pace, seed=seed, over=over, about=about),
            clients.submit(buy_all, shop, pace),
        ]
        try:
            yield
        finally:
            over.set()
        for one in working:
            one.result()


def _drained(environment: dict[str, str], fleet: Fleet, till: Till, console: Console) -> float:
    """Wait until nothing is left, also of what beat asks for at the last moment; returns the seconds."""
    url, limits = environment["DATABASE_URL"], surroundings.LIMITS
    drained = drain(url, till, limits, patience=DRAIN_SECONDS, tell=console.print)
    fleet.beat.retire()
    with redis.Redis.from_url(environment["REDIS_URL"], socket_timeout=5) as broker:

        def asked() -> int:
            """What beat has asked for, and nobody has done yet."""
            return int(broker.llen(MAINTENANCE)) + int(broker.hlen("unacked"))

        return drained + drain(url, till, limits, patience=LAST_SECONDS, tell=console.print, besides=asked)


def _till(environment: dict[str, str], port: int) -> Till:
    page = environment["SANDBOX_YOOKASSA_URL"]
    notify(page, port)
    till = Till(
        page=page,
        api=environment["YUKASSA_API_URL"],
        shop_id=environment["YUKASSA_SHOP_ID"],
        secret_key=environment["YUKASSA_SECRET_KEY"],
    )
    till.notify(forwarded_for=ADDRESS)
    return till


def _await_ready(fleet: Fleet, port: int) -> None:
    """Until all of them say that they are at work, so that the first fault finds what it looks for."""
    deadline = time.monotonic() + START_SECONDS
    words = {"bridge": b"draining", "worker": b" ready.", "beat": b"beat: Starting"}
    while time.monotonic() < deadline:
        said = {one.name: one.log.read_bytes() for one in fleet.all}
        ready = all(words.get(name.partition("-")[0], b"") in text for name, text in said.items())
        if ready and _answers(port):
            return
        time.sleep(0.2)
    raise SandboxError(
        f"the processes did not start within {START_SECONDS:g} s; their logs are in the sandbox's folder"
    )


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/health", timeout=2).ok
    except requests.RequestException:
        return False


def _heal(fleet: Fleet, till: Till) -> None:
    """Faults have undone themselves; what an interrupted one may have left is undone here as well."""
    till.mend()
    for one in fleet.all:
        wake(one.tree())


def _sources(sandbox: Sandbox, environment: dict[str, str], till: Till) -> Sources:
    assert sandbox.stand_ins is not None  # noqa: S101 # It was asked for.
    return Sources(
        database=environment["DATABASE_URL"],
        mail=sandbox.mail.directory,
        provider=till,
        storage=sandbox.stand_ins.storage.directory / BUCKET,
        logs=(Path(environment["LOG_DIR"]) / "out.log",),
    )


def _settings(environment: dict[str, str]) -> dict[str, Any]:
    prefixes = ("BRIDGE_", "MAX_", "WORKER_", "APPOINTMENT_", "YUKASSA_READ")
    shown = {name: value for name, value in environment.items() if name.startswith(prefixes) or "TIME_LIMIT" in name}
    return dict(sorted(shown.items()))


def _tell(console: Console, one: Happened, began: datetime) -> None:
    at, lasted = (one.began - began).total_seconds(), (one.ended - one.began).total_seconds()
    target = f" {one.target}" if one.target else ""
    console.print(
        f"{at:6.1f} s  № {one.number} {one.kind}{target}, {lasted:.1f} s  {one.note}{one.failed}", highlight=False
    )
