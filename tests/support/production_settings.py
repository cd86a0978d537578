"""Production's settings for a process of a test: what only the surroundings can give, they give it here."""

import os
from pathlib import Path

from balansity.settings import *  # noqa: F403
from tests.support.network import PUBLIC, SENDER, known_names

# Production refuses another address than YooKassa's own.
YUKASSA_API_URL = os.environ["STAND_IN_YOOKASSA"]
STATIC_ROOT = Path(os.environ["STAND_IN_STATIC"])
# Kept, and so for the life of the process.
_names = known_names(PUBLIC, SENDER)
_names.__enter__()
