"""The lines that gunicorn writes itself: through our redactor, and in the format of all others."""

from typing import Any

from django.conf import settings
from gunicorn.glogging import Logger

from balansity.json_lines import JsonLines
from balansity.logs import RedactingFormatter


class Lines(Logger):  # type: ignore[misc] # gunicorn says nothing of its types.
    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        as_json = settings.LOG_FORMAT == "json"
        formatter = JsonLines("web") if as_json else RedactingFormatter(self.error_fmt, self.datefmt)
        for handler in self.error_log.handlers:
            handler.setFormatter(formatter)
