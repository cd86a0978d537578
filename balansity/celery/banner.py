"""Celery's banner, which is no log line and no JSON."""

from typing import Any

from celery.apps.beat import Beat


class QuietBeat(Beat):
    """Beat that prints nothing beside its log."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "quiet": True})
