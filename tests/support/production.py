"""A production-like set-up: production's settings from variables, a role of our own in Postgres, a pooler, a broker, a
mail server with STARTTLS and a login, YooKassa, Supabase's storage, and a proxy with TLS at a public name.

Built once and looked at many times; what a test changes, it changes back.
"""

import io
import os
import shelve
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, make_server

import psycopg2
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.test.utils import override_settings
from django.utils import timezone

from balansity.postgres.refusals import refusals
from bridge.models import BridgeProcess
from sandbox.mailbox import Mailbox
from sandbox.mailbox.server import Security
from sandbox.services.broker import Broker
from sandbox.services.pooler import Pooler
from sandbox.services.postgres import OWNER
from sandbox.storage import StorageServer
from sandbox.yookassa import YooKassaServer
from tests.acceptance.processes import Fleet
from tests.support.databases import DatabaseServer
from tests.support.loaded_settings import load_settings
from tests.support.network import PUBLIC, SENDER, known_names
from tests.support.tls_relay import tls_relay

PASSWORD = "pw-Of-The-Mail-77"
# Of settings that are made once and kept by what reads them.
_KEPT = frozenset(
    {"DATABASES", "CACHES", "INSTALLED_APPS", "TEMPLATES", "MIDDLEWARE", "ROOT_URLCONF", "REST_FRAMEWORK"}
)

_RIGHTS = """
GRANT USAGE ON SCHEMA public, auth, pgmq, balansity TO {role};
GRANT SELECT ON public.users, public.profiles, public.assessments, public.appointment_types, public.packages TO {role};
GRANT SELECT, INSERT, UPDATE ON public.payments, public.appointments, public.package_purchases TO {role};
GRANT DELETE ON public.appointments TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA pgmq, balansity TO {role};
GRANT USAGE ON ALL SEQUENCES IN SCHEMA balansity TO {role};
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pgmq, balansity TO {role};
"""


@dataclass
class Production:
    """What runs, and the variables that name it."""

    folder: Path
    database: str
    role: str
    owner_url: str
    superuser_url: str
    pooler: Pooler
    broker: Broker
    mailbox: Mailbox
    yookassa: YooKassaServer
    storage: StorageServer
    fleet: Fleet
    certificate: Path
    # The port of one who accepts connections and says nothing.
    silent: int
    variables: dict[str, str]
    # What production's variables cannot say, like the address of the stand-in for YooKassa.
    beside: dict[str, Any] = field(default_factory=dict)

    @property
    def port(self) -> int:
        """Of Postgres."""
        return urlsplit(self.superuser_url).port or 0

    @property
    def secrets(self) -> list[str]:
        password = str(urlsplit(self.variables["DATABASE_URL"]).password)
        named = ("SECRET_KEY", "SMTP_PASS", "YUKASSA_SECRET_KEY", "SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_JWT_SECRET")
        return [password, self.broker.password, *(self.variables[name] for name in named)]

    def execute(self, statement: str) -> None:
        """As a superuser, who may break anything."""
        with closing(psycopg2.connect(self.superuser_url)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)

    def renew_heartbeat(self) -> None:
        now = timezone.now()
        living = {"started_at": now, "seen_at": now, "stopped_at": None, "waits_for": ""}
        BridgeProcess.objects.update_or_create(name="bridge-of-this-test", defaults=living)

    @contextmanager
    def used(
        self, variables: dict[str, str | None] | None = None, beside: dict[str, Any] | None = None
    ) -> Iterator[None]:
        """Let this process have production's settings, with these variables changed, or missing (`None`)."""
        chosen = {**self.variables, **(variables or {})}
        loaded = load_settings({name: value for name, value in chosen.items() if value is not None})
        refusals._refused.clear()
        database = connections.databases["default"]
        before = dict(database)
        # Each that is set tells a hundred receivers: those that are as they were need not.
        values = {name: it for name, it in loaded.items() if name not in _KEPT and it != getattr(settings, name, None)}
        connections.close_all()
        database.update(loaded["DATABASES"]["default"])
        try:
            with override_settings(**{**values, **self.beside, **(beside or {})}):
                yield
        finally:
            connections.close_all()
            database.clear()
            database.update(before)


@contextmanager
def production(database_server: DatabaseServer, folder: Path) -> Iterator[Production]:
    """Start it all. Django's connection is on the database as its owner outside of `Production.used`."""
    with ExitStack() as stack:
        database = stack.enter_context(database_server.clone("1.13"))
        role = f"production_{os.getpid()}"
        password = str(urlsplit(database.url).password)
        superuser_url = f"{database_server.admin_url.rpartition('/')[0]}/{database.name}"
        stack.enter_context(_role(superuser_url, role, password))
        call_command("install_wakeup", stdout=io.StringIO())
        # Nobody logs in, and to hash a password as in production takes longer than many a test.
        User.objects.create(username="chief", is_staff=True, is_superuser=True, password="md5$salt$of-a-password")
        certificate, key = _certificate(folder)
        made = _started(stack, folder, certificate, key, service_url=database.url.replace(f"//{OWNER}:", f"//{role}:"))
        made.database, made.role, made.owner_url, made.superuser_url = database.name, role, database.url, superuser_url
        stack.enter_context(known_names(PUBLIC, SENDER))
        believed = {"SSL_CERT_FILE": str(certificate), "REQUESTS_CA_BUNDLE": str(certificate)}
        stack.enter_context(mock.patch.dict(os.environ, believed))
        worker = made.fleet.worker()
        worker.await_text("ready.")
        yield made


def _started(stack: ExitStack, folder: Path, certificate: Path, key: Path, *, service_url: str) -> Production:
    broker = Broker(folder)
    broker.start()
    stack.callback(broker.stop)
    pooler = Pooler(folder, service_url, mode="transaction", size=4)
    pooler.start()
    stack.callback(pooler.stop)
    tls = _context(certificate, key)
    mailbox = stack.enter_context(
        Mailbox(folder / "mail", security=Security.STARTTLS, certificate=tls, login=("mailer", PASSWORD))
    )
    yookassa = stack.enter_context(YooKassaServer(shop_id="100500", secret_key="live_Of-This-Test-0123456789"))
    storage = stack.enter_context(StorageServer(folder / "storage", service_key="sb_secret_Of-This-Test-0123456789"))
    proxy = stack.enter_context(tls_relay(stack.enter_context(_web()), (certificate, key)))
    supabase = stack.enter_context(tls_relay(storage.port, (certificate, key)))
    silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    schedule = folder / "schedule"
    with shelve.open(str(schedule)):  # noqa: S301 # Ours.
        pass
    static = folder / "static"
    static.mkdir()
    (static / "staticfiles.json").write_text('{"paths": {"admin/css/base.css": "", "staff/staff.css": ""}}')
    (folder / "logs").mkdir()
    variables = {
        "SECRET_KEY": "Z9x8Y7w6V5u4T3s2R1q0PoNmLkJiHgFeDcBa-Of-This-Test",
        "DATABASE_URL": f"{service_url}?sslmode=disable",
        "REDIS_URL": broker.url(),
        "API_BASE_URL": f"https://{PUBLIC}:{proxy}",
        "FRONTEND_URL": "https://balansity.test",
        "TRUSTED_PROXIES": "127.0.0.1",
        "SUPPORT_CONTACT": "help@balansity.test",
        "SMTP_HOST": "localhost",
        "SMTP_PORT": str(mailbox.port),
        "SMTP_USER": "mailer",
        "SMTP_PASS": PASSWORD,
        "SMTP_FROM": f"noreply@{SENDER}",
        "YUKASSA_SHOP_ID": "100500",
        "YUKASSA_SECRET_KEY": "live_Of-This-Test-0123456789",
        "YUKASSA_VAT_CODE": "1",
        "SUPABASE_URL": f"https://localhost:{supabase}",
        "SUPABASE_SERVICE_ROLE_KEY": storage.service_key,
        "SUPABASE_JWT_SECRET": "nV7dQ2xK9mT4wR8yB3cF6hJ1lP5sG0aZeUoIvNtYqW",
        "LOG_DIR": str(folder / "logs"),
        "CELERY_BEAT_SCHEDULE_FILE": str(schedule),
    }
    fleet = Fleet(folder, {"REDIS_URL": broker.url(), "DATABASE_URL": service_url, "LOG_DIR": str(folder / "logs")})
    stack.callback(fleet.close)
    beside = {"YUKASSA_API_URL": yookassa.api_url, "STATIC_ROOT": str(static), "BASE_DIR": folder}
    services = (pooler, broker, mailbox, yookassa, storage, fleet)
    return Production(folder, "", "", "", "", *services, certificate, silent.getsockname()[1], variables, beside)


@contextmanager
def _role(superuser_url: str, role: str, password: str) -> Iterator[None]:
    """What docs/operations.md asks for, and no more, in one database."""
    with closing(psycopg2.connect(superuser_url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE ROLE {role} LOGIN BYPASSRLS PASSWORD %s", [password])
            cursor.execute(_RIGHTS.format(role=role))
            try:
                yield
            finally:
                cursor.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def _certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    names = f"subjectAltName=DNS:{PUBLIC},DNS:localhost,IP:127.0.0.1"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", f"/CN={PUBLIC}", "-addext", names),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return certificate, key


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def _web() -> Iterator[int]:
    """Our own web application, with the settings of this process."""
    with make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=_Quiet) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
