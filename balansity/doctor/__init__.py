"""What is wrong with the set-up and the surroundings of the whole: the looks at them, and how all are taken."""

from balansity.doctor.beat import look_at_beat
from balansity.doctor.broker import look_at_broker
from balansity.doctor.machine import look_at_disks, look_at_files, look_at_folders
from balansity.doctor.people import look_at_people
from balansity.doctor.postgres import look_at_connections, look_at_migrations, look_at_session
from balansity.doctor.supabase import look_at_supabase
from balansity.doctor.variables import look_at_code, look_at_variables
from balansity.doctor.web import look_at_address
from bridge.diagnosis import Probe

PROBES = (
    Probe("variables", look_at_variables),
    Probe("code", look_at_code),
    Probe("files", look_at_files),
    Probe("folders", look_at_folders),
    Probe("disks", look_at_disks),
    Probe("session", look_at_session, asks_postgres=True),
    Probe("migrations", look_at_migrations, asks_postgres=True),
    Probe("connections", look_at_connections, asks_postgres=True),
    Probe("people", look_at_people, asks_postgres=True),
    Probe("broker", look_at_broker),
    Probe("beat", look_at_beat, asks_postgres=True),
    Probe("Supabase", look_at_supabase),
    Probe("public address", look_at_address),
)
