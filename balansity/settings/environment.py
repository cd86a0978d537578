"""Which environment this is, and the reader that the other modules ask for its variables, `.env` and all."""

import os
from pathlib import Path
from typing import Any

from balansity import sandbox_keys
from balansity.dotenv import load_dotenv
from balansity.env import EnvReader
from balansity.logs import logging_settings
from balansity.settings.weak_secrets import why_guessable


def _logging(folder: Path) -> dict[str, Any]:
    try:
        return logging_settings(LOG_LEVEL, folder, LOG_FORMAT)
    except OSError as error:
        env.problem(f"LOG_DIR names {folder}, and no folder can be made there: {error.strerror}")
        return {}


BASE_DIR = Path(__file__).resolve().parents[2]

# `./dev` names everything itself: a sandbox must never pick up the addresses and passwords of a real `.env`.
_unreadable = [] if os.environ.get("BALANSITY_ENV") == "sandbox" else load_dotenv(BASE_DIR / ".env", os.environ)

env = EnvReader(os.environ)
for _line in _unreadable:
    env.problem(_line)

BALANSITY_ENV = env.choice("BALANSITY_ENV", "production", ("production", "sandbox"))
SANDBOX = BALANSITY_ENV == "sandbox"

DEBUG = env.boolean("DEBUG", False)
SECRET_KEY = env.text("SECRET_KEY", sandbox_keys.SANDBOX_KEY if SANDBOX else "")
if not SANDBOX:
    if DEBUG:
        env.problem("DEBUG must be off in production: remove it, or use ./dev up for development")
    if not SECRET_KEY:
        env.problem("SECRET_KEY is not set: put 50 random characters there")
    elif SECRET_KEY == sandbox_keys.SANDBOX_KEY or len(SECRET_KEY) < 32:
        env.problem("SECRET_KEY is a placeholder or shorter than 32 characters: put 50 random characters there")
    elif _why := why_guessable(SECRET_KEY):
        env.warning(
            f"SECRET_KEY {_why}: whoever guesses it logs in as anybody and opens every report: put 50 random "
            "characters there (links in mails that were sent, and logins, end with the old one)"
        )

LOG_LEVEL = env.choice("LOG_LEVEL", "info", ("debug", "info", "warn", "error"))
LOG_FORMAT = env.choice("LOG_FORMAT", "text", ("text", "json"))
LOGGING = _logging(Path(env.text("LOG_DIR", str(BASE_DIR / "logs"))))

# Said by web and worker when they start; nothing can be logged yet. What the other modules find comes to the same list.
START_WARNINGS = env.warnings
