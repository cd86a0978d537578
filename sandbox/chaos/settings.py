"""The usual settings; beside them the double that takes a protection away, when one is named."""

from balansity.settings import *  # noqa: F403
from balansity.settings import INSTALLED_APPS, SANDBOX, env

if not SANDBOX:
    raise SystemExit("Chaos is for the sandbox: set BALANSITY_ENV=sandbox, or use balansity.settings")

# The name of what is taken away: `sandbox.chaos.doubles`. Empty: nothing, as in production.
CHAOS_WITHOUT = env.text("CHAOS_WITHOUT", "")
if CHAOS_WITHOUT:
    INSTALLED_APPS = [*INSTALLED_APPS, "sandbox.chaos"]
env.finish()
