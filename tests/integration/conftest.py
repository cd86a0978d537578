"""Servers of the test's own for what Django reaches by its settings."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, cast
from unittest import mock

import pytest
from django.core.files.storage import storages
from freezegun import freeze_time
from pytest_django import Settings

from sandbox.storage import StorageServer


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
def _documents_drawn_once() -> Iterator[None]:
    """Typeset each document once: the same words give the same bytes, as `tests/unit/reports` shows.

    Here tests look at rows, storage, links and mails, and nearly all of them are about the same few families.
    """
    from reports.document.preview import draw_preview  # noqa: PLC0415
    from reports.document.typesetting import typeset_pdf  # noqa: PLC0415

    place = "reports.document.rendering"
    with (
        mock.patch(f"{place}.typeset_pdf", cache(typeset_pdf)),
        mock.patch(f"{place}.draw_preview", cache(draw_preview)),
    ):
        yield
