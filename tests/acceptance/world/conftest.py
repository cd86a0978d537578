"""A Supabase with families in it, our role there, and everything that runs in production on top of it."""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
from pytest_django import DjangoDbBlocker, Settings

from sandbox.mailbox import Mailbox
from sandbox.services.postgres import OWNER
from sandbox.services.process import free_port
from sandbox.services.stand_ins import webhook_url
from sandbox.services.supabase import prepare
from sandbox.yookassa import Notifications, YooKassaServer
from tests.acceptance.conftest import QUICK
from tests.acceptance.ledger import Ledger
from tests.acceptance.processes import Fleet
from tests.support.databases import DatabaseServer

# What docs/operations.md asks for, and no more. Row security, which Supabase advises for queues as well, is passed by
# BYPASSRLS alone: the role owns nothing but the schema that it makes itself.
_ROLE = "CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE BYPASSRLS PASSWORD %s"
_RIGHTS = """
GRANT CREATE ON DATABASE {database} TO {role};
GRANT USAGE ON SCHEMA public, pgmq TO {role};
GRANT SELECT ON pgmq.meta TO {role};
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pgmq TO {role};
GRANT SELECT ON public.users, public.profiles, public.assessments, public.appointment_types, public.packages TO {role};
GRANT SELECT, INSERT, UPDATE ON public.payments, public.appointments, public.package_purchases TO {role};
GRANT DELETE ON public.appointments TO {role};
DO $$
DECLARE one regclass;
BEGIN
    FOR one IN SELECT oid FROM pg_class
               WHERE relnamespace = 'pgmq'::regnamespace AND relname ~ '^[qa]_' AND relkind = 'r' LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', one);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO {role}', one);
    END LOOP;
END $$
"""


@dataclass(frozen=True, slots=True)
class Supabase:
    """One database for three: Supabase's own `postgres`, the role that was made for us, and whoever looks at all."""

    owner_url: str
    service_url: str
    superuser_url: str


@pytest.fixture
def supabase(database_server: DatabaseServer, django_db_blocker: DjangoDbBlocker) -> Iterator[Supabase]:
    """A database as production has it before we come, with row security on for tables and queues alike."""
    role = f"service_{os.getpid()}"
    with django_db_blocker.unblock(), closing(psycopg2.connect(database_server.admin_url)) as admin:
        admin.autocommit = True
        with database_server.empty() as url, admin.cursor() as cursor:
            prepare(url, seed=True)
            name, password = url.rpartition("/")[2], str(urlsplit(url).password)
            cursor.execute(_ROLE.format(role=role), [password])
            Ledger(url, "email_queue").execute(_RIGHTS.format(role=role, database=name))
            yield Supabase(
                owner_url=url,
                service_url=url.replace(f"//{OWNER}:", f"//{role}:"),
                superuser_url=f"{database_server.admin_url.rpartition('/')[0]}/{name}",
            )
        with admin.cursor() as cursor:
            cursor.execute(f"DROP ROLE {role}")


@dataclass(frozen=True, slots=True)
class World:
    """Everything that is running. `ledger` sees all of the database, past row security and rights."""

    supabase: Supabase
    ledger: Ledger
    fleet: Fleet
    yookassa: YooKassaServer
    mailbox: Mailbox
    api: str

    def pay(self, payment_id: str) -> None:
        """The customer pays in YooKassa's form, which notifies us."""
        query = "SELECT external_id FROM balansity.payments_checkout WHERE payment_id = %s"
        ((external_id,),) = self.ledger.rows(query, [payment_id])
        self.yookassa.succeed(external_id)


@pytest.fixture
def world(
    supabase: Supabase,
    broker_url: str,
    mailbox: Mailbox,
    yookassa: YooKassaServer,
    settings: Settings,
    tmp_path: Path,
) -> Iterator[World]:
    """The migrations are applied and web, bridge, worker and beat run, all of it as the service's own role."""
    port = free_port()
    yookassa.notifications = Notifications(webhook_url(port))
    fleet = Fleet(
        tmp_path,
        {
            **QUICK,
            "APPOINTMENT_WAIT_SECONDS": "3",
            "DJANGO_SETTINGS_MODULE": "balansity.settings",
            "DATABASE_URL": supabase.service_url,
            "REDIS_URL": broker_url,
            "SMTP_HOST": mailbox.host,
            "SMTP_PORT": str(mailbox.port),
            "LOG_DIR": str(tmp_path / "logs"),
            "REPORTS_DIR": str(tmp_path / "reports"),
            "YUKASSA_API_URL": yookassa.api_url,
            "YUKASSA_SHOP_ID": settings.YUKASSA_SHOP_ID,
            "YUKASSA_SECRET_KEY": settings.YUKASSA_SECRET_KEY,
            "API_BASE_URL": f"http://127.0.0.1:{port}",
        },
    )
    try:
        assert fleet.command("migrate", "--verbosity", "0").await_end(seconds=60) == 0
        fleet.web(port).await_text("Listening at")
        worker = fleet.worker()
        fleet.bridge()
        fleet.beat(tmp_path / "schedule")
        worker.await_text("ready.")
        ledger = Ledger(supabase.superuser_url, "email_queue")
        yield World(supabase, ledger, fleet, yookassa, mailbox, f"http://127.0.0.1:{port}")
    finally:
        fleet.close()
