"""`./dev pictures [--check] [name…]`: takes the pictures of `docs/images` that do not show what there is now."""

import argparse
import logging
import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import NoReturn

from sandbox.admin_login import migrate
from sandbox.dev.pictures.album import PICTURES, Picture, file_of
from sandbox.errors import SandboxError
from sandbox.packages import CHECKOUT
from sandbox.services.sandbox import Sandbox

NAME = "pictures"
# Where `dev` says which browser it has found.
CHROMIUM = "CHROMIUM"


def main() -> int:
    names = [picture.name for picture in PICTURES]
    parser = argparse.ArgumentParser(prog="./dev pictures", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say which are stale")
    parser.add_argument("name", nargs="*", metavar="name", help=f"take these, stale or not: {', '.join(names)}")
    options = parser.parse_args()
    unknown = sorted(set(options.name) - set(names))
    if unknown:
        parser.error(f"there is no picture {', '.join(unknown)}: there are {', '.join(names)}")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _unwind)
    chosen = tuple(picture for picture in PICTURES if picture.name in options.name)
    try:
        # Of its own, whatever database the environment names: it is filled with made-up payments.
        with Sandbox(NAME, variables={}, durable=False, seed=False, fresh=True, keep=False) as sandbox:
            os.environ.update(sandbox.environment, DJANGO_SETTINGS_MODULE="balansity.settings")
            migrate()
            # Who asks for the pictures is told of what is done, and not of each request.
            logging.disable(logging.WARNING)
            return _check(chosen) if options.check else _take(chosen, sandbox.folder)
    except SandboxError as error:
        sys.exit(f"./dev pictures: {error}")
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _check(chosen: tuple[Picture, ...]) -> int:
    # Models exist only after `migrate` has set Django up.
    from sandbox.dev.pictures.fingerprint import logged_in_staff, stale  # noqa: PLC0415
    from sandbox.dev.pictures.scenery import fill, frozen  # noqa: PLC0415

    with frozen() as clock:
        found = stale(logged_in_staff(fill(clock)), chosen or PICTURES)
    for picture in found:
        print(f"{_shown(file_of(picture))} is stale: ./dev pictures {picture.name}")
    print("every picture shows what there is" if not found else f"stale: {len(found)}")
    return 1 if found else 0


def _take(chosen: tuple[Picture, ...], folder: Path) -> int:
    from sandbox.dev.pictures.browser import Browser  # noqa: PLC0415
    from sandbox.dev.pictures.fingerprint import fingerprint, logged_in_staff, stale  # noqa: PLC0415
    from sandbox.dev.pictures.scenery import fill, frozen  # noqa: PLC0415
    from sandbox.dev.pictures.site import serve  # noqa: PLC0415
    from sandbox.dev.pictures.studio import keep, take  # noqa: PLC0415

    with ExitStack() as stack:
        # It starts and ends while the time goes on: whoever waits for it counts seconds.
        browser = stack.enter_context(Browser(os.environ[CHROMIUM], folder / "browser"))
        client = logged_in_staff(fill(stack.enter_context(frozen())))
        site = stack.enter_context(serve(client.session.session_key or ""))
        wanted = chosen or stale(client)
        for picture in wanted:
            file = file_of(picture)
            # Before the picture is taken: a purchase in the shop changes the lists.
            shows = fingerprint(picture, client)
            keep(take(picture, browser, site), file, shows)
            print(f"{_shown(file)} {file.stat().st_size // 1024} KiB", flush=True)
    if not wanted:
        print("every picture shows what there is; name one to take it all the same")
    return 0


def _shown(file: Path) -> Path:
    return file.relative_to(CHECKOUT)


def _unwind(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
