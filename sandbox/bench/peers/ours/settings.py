"""The usual settings, and the queue of the comparison beside them."""

from balansity.settings import *  # noqa: F403
from balansity.settings import INSTALLED_APPS, SANDBOX

if not SANDBOX:
    raise SystemExit("This queue is for the sandbox: set BALANSITY_ENV=sandbox, or use balansity.settings")

INSTALLED_APPS = [*INSTALLED_APPS, "sandbox.bench.peers.ours"]
