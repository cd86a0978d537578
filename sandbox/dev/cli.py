"""What `./dev` does once the virtual environment exists. The verbs are described in `./dev help`."""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from sandbox.dev import check, lock, texts, up
from sandbox.dev.mutation import mutate
from sandbox.errors import SandboxError
from sandbox.services.sandbox import Sandbox, stop_all_leftovers
from sandbox.services.stand_ins import YOOKASSA_PAGE
from sandbox.services.state import State

NAME = "dev"
START_SECONDS, STOP_SECONDS = 60.0, 60.0


def main() -> None:
    verbs: dict[str, Callable[[list[str]], int]] = {
        "up": _up,
        "sandbox": _sandbox,
        "manage": _manage,
        "test": _test,
        "check": check.main,
        "lock": lock.main,
        "texts": texts.main,
        "mutate": mutate.main,
    }
    verb, *arguments = sys.argv[1:]
    # A terminal that is closed, a supervisor that stops us: both unwind like Ctrl-C, so that the services go down too.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _unwind)
    try:
        code = verbs[verb](arguments)
    except SandboxError as error:
        sys.exit(f"./dev {verb}: {error}")
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    sys.exit(code)


def _unwind(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def _up(arguments: list[str]) -> NoReturn:
    parser = argparse.ArgumentParser(prog="./dev up", description="Run everything until Ctrl-C.")
    parser.parse_args(arguments)
    running = State(NAME).running_environment()
    if running is not None:
        print(f"uses the sandbox that runs already (mails: {running['SANDBOX_MAIL_URL']})", flush=True)
        up.run(running, State(NAME).folder)
    print("starts Postgres, the broker, the mailbox and the stand-ins of YooKassa and Supabase Storage", flush=True)
    with Sandbox(NAME, stand_ins=True) as sandbox:
        up.run(sandbox.environment, sandbox.folder)


def _sandbox(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev sandbox", description="Run the services alone, until Ctrl-C.")
    parser.add_argument("--name", default=NAME, help="which sandbox (default: %(default)s)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--env", action="store_true", help="print the environment to export; starts it in the background")
    what.add_argument("--stop", action="store_true", help="stop it, wherever it runs")
    what.add_argument("--reset", action="store_true", help="throw its data away; it must not run")
    options = parser.parse_args(arguments)
    if options.env:
        return _print_environment(options.name)
    if options.stop:
        return _stop(options.name)
    if options.reset:
        return _reset(options.name)
    with Sandbox(options.name, stand_ins=True) as sandbox:
        print(f"The sandbox {options.name!r} runs; Ctrl-C stops it.")
        print(f"Mails: {sandbox.environment['SANDBOX_MAIL_URL']} and {sandbox.environment['SANDBOX_MAIL_DIR']}")
        print(f"YooKassa: {sandbox.environment[YOOKASSA_PAGE]}")
        print('In another terminal: eval "$(./dev sandbox --env)"', flush=True)
        # A signal ends this by raising.
        while True:
            signal.pause()


def _print_environment(name: str) -> int:
    state = State(name)
    environment = state.running_environment() or _start_in_background(state)
    for variable, value in environment.items():
        print(f"export {variable}={shlex.quote(value)}")
    return 0


def _start_in_background(state: State) -> dict[str, str]:
    state.root.mkdir(parents=True, exist_ok=True)
    output = state.root / f"{state.name}.out"
    with output.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox.dev.cli", "sandbox", "--name", state.name],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        environment = state.running_environment()
        if environment is not None:
            return environment
        if process.poll() is not None:
            raise SandboxError(output.read_text(encoding="utf-8", errors="replace").strip())
        time.sleep(0.05)
    process.terminate()
    raise SandboxError(f"the sandbox did not start within {START_SECONDS:.0f} s; see {output}")


def _stop(name: str) -> int:
    state = State(name)
    holder = state.holder()
    if state.is_held() and holder is not None:
        # The lock is held, so this number is still its holder's.
        os.kill(holder, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while state.is_held():
            if time.monotonic() > deadline:
                raise SandboxError(f"process {holder} does not stop; stop it by hand: kill -9 {holder}")
            time.sleep(0.05)
        print(f"stopped the sandbox {name!r}")
        return 0
    stopped: list[str] = []
    if state.folder.is_dir():
        state.hold()
        try:
            stopped = stop_all_leftovers(state)
        finally:
            state.release()
    print(f"stopped what was left of it: {', '.join(stopped)}" if stopped else f"the sandbox {name!r} does not run")
    return 0


def _reset(name: str) -> int:
    state = State(name)
    state.hold()
    stop_all_leftovers(state)
    state.forget()
    print(f"threw the data of the sandbox {name!r} away")
    return 0


def _manage(arguments: list[str]) -> int:
    running = State(NAME).running_environment()
    if running is not None:
        return _run_manage(arguments, running)
    with Sandbox(NAME) as sandbox:
        return _run_manage(arguments, sandbox.environment)


def _run_manage(arguments: list[str], environment: dict[str, str]) -> int:
    process = subprocess.Popen([sys.executable, "manage.py", *arguments], env={**os.environ, **environment})
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # It got the Ctrl-C as well, and what it still has to do needs the services.
            continue


def _test(arguments: list[str]) -> NoReturn:
    # Tests empty what they use, so they never see an address from outside; and their settings are their own.
    outside = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")
    environment = {name: value for name, value in os.environ.items() if name not in outside}
    # Each start of a process would compile our code anew.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    # All of them take a while, and many of them wait: six keep two cores busy. A few chosen ones are done before any
    # worker has started.
    # macOS' own libraries do not outlive a fork.
    forks = ["-p", "tests.support.forked_workers", "--forks", "6"]
    arguments = arguments or (["-n", "6", "--dist", "worksteal"] if sys.platform == "darwin" else forks)
    os.execve(sys.executable, [sys.executable, "-m", "pytest", *arguments], environment)


if __name__ == "__main__":
    main()
