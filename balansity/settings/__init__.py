"""Django settings, read from the environment (the table is in README.md). Each is one plain line `NAME = …`.

A module reads a subject's variables with `env`, which remembers what is wrong with them. Here they are put together,
and the start ends with one readable line for each bad value.
"""
# ruff: noqa: F403

import sys

from balansity.env import ConfigurationError

# In the order in which their problems are told.
# isort: off
from balansity.settings.environment import *
from balansity.settings.addresses import *
from balansity.settings.web import *
from balansity.settings.browsers import *
from balansity.settings.database import *
from balansity.settings.queues import *
from balansity.settings.supabase import *
from balansity.settings.mail import *
from balansity.settings.telling import *
from balansity.settings.api import *
from balansity.settings.payments import *
from balansity.settings.reports import *
from balansity.settings.files import *
from balansity.settings.errors import *

# isort: on
from balansity.redaction import hide
from balansity.settings.environment import env

hide(env.secrets())

try:
    env.finish()
except ConfigurationError as error:
    sys.exit(f"The configuration cannot be used:\n{error}")
