"""The usual settings, and the probe beside them."""

from balansity.settings import *  # noqa: F403
from balansity.settings import INSTALLED_APPS, SANDBOX, env

if not SANDBOX:
    raise SystemExit("The probe is for the sandbox: set BALANSITY_ENV=sandbox, or use balansity.settings")

INSTALLED_APPS = [*INSTALLED_APPS, "sandbox.probe"]
PROBE_TIME_LIMIT = env.integer("PROBE_TIME_LIMIT", 30, least=1)
PROBE_MAX_RETRIES = env.integer("PROBE_MAX_RETRIES", 5)
# Whether its messages may run together in one transaction, as those of a handler whose work is nothing but rows.
PROBE_TRANSACTIONAL = env.boolean("PROBE_TRANSACTIONAL", default=False)
# Tests write to people who are no customers; those about customers say whom they mean.
EMAIL_EXTRA_RECIPIENTS = env.words("EMAIL_EXTRA_RECIPIENTS", ("example.org",))
env.finish()
