"""Servers of the test's own for what Django reaches by its settings."""

import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, cast
from unittest import mock

import pytest
from django.core.files.storage import storages
from freezegun import freeze_time
from pytest_django import Settings

from sandbox.storage import StorageServer
from tests.support.databases import DatabaseServer


def pytest_collection_finish(session: pytest.Session) -> None:
    """Load what draws documents before there are forks, each of which would load it for its first one."""
    if session.config.getoption("forks", 0) and any(item.path.parent.name == "reports" for item in session.items):
        from reports.document.typesetting import weasyprint  # noqa: PLC0415
        from reports.errors import TypesettingUnavailable  # noqa: PLC0415

        with suppress(TypesettingUnavailable):
            weasyprint()


@pytest.fixture
def clock() -> Iterator[Any]:
    """The time of Python, which stands still and is moved by the test."""
    with freeze_time(datetime.now(UTC)) as frozen:
        yield frozen


@pytest.fixture
def storage_patience() -> float:
    """Seconds for which an answer of the storage is waited for: as in production, where silence is not the subject."""
    return 20.0


@pytest.fixture
def storage_server(tmp_path: Path, settings: Settings, storage_patience: float) -> Iterator[StorageServer]:
    """The storage that reports are kept in. See `sandbox.storage.faults` for its moods."""
    with StorageServer(tmp_path / "storage") as server:
        found = {"url": server.url, "service_key": server.service_key, "bucket": "reports"}
        reports = {
            "BACKEND": "reports.storage.supabase.SupabaseStorage",
            "OPTIONS": {**found, "timeout": storage_patience},
        }
        settings.STORAGES = {**settings.STORAGES, "reports": reports}
        # Its class cannot be imported before Django is set up, which is after this file.
        with closing(cast(Any, storages["reports"])):
            yield server


@pytest.fixture(scope="session", autouse=True)
def _documents_drawn_once(request: pytest.FixtureRequest, database_server: DatabaseServer) -> Iterator[None]:
    """Typeset each document once: the same words give the same bytes, as `tests/unit/reports` shows.

    Here tests look at rows, storage, links and mails, and nearly all of them are about the same few families. Forks of
    one run share what any of them has drawn; whoever tries changes of the code (`./dev mutate`) shares nothing.
    """
    from reports.document.preview import draw_preview  # noqa: PLC0415
    from reports.document.typesetting import typeset_pdf  # noqa: PLC0415

    place, folder = "reports.document.rendering", database_server.folder / "documents"
    draws: list[Callable[..., Any]] = [typeset_pdf, draw_preview]
    if request.config.getoption("forks", 0):
        folder.mkdir(exist_ok=True)
        draws = [_shared(draw, folder) for draw in draws]
    with ExitStack() as stack:
        for name, draw in zip(("typeset_pdf", "draw_preview"), draws, strict=True):
            stack.enter_context(mock.patch(f"{place}.{name}", cache(draw)))
        yield


def _shared(draw: Callable[[Any], Any], folder: Path) -> Callable[[Any], Any]:
    """Look in the folder first, and leave there what was drawn."""

    def once(drawn: str | bytes) -> Any:
        words = drawn.encode() if isinstance(drawn, str) else drawn
        kept = folder / f"{draw.__name__}-{sha256(words).hexdigest()}"
        try:
            return pickle.loads(kept.read_bytes())  # noqa: S301 # Of this run.
        except FileNotFoundError:
            made = draw(drawn)
        # Whole or not at all, whoever looks meanwhile.
        draft = kept.with_name(f"{kept.name}.{os.getpid()}")
        draft.write_bytes(pickle.dumps(made))
        draft.replace(kept)
        return made

    return once
