"""What people get wrong, one thing at a time: how it is brought about in a running set-up, and its right name."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import jwt
import redis
from celery import current_app
from django.contrib.auth.models import User
from django.test.utils import override_settings

from bridge.doctor.processes import ask_workers
from bridge.models import BridgeProcess
from sandbox.services.authority import Authority
from sandbox.yookassa.api import Api
from tests.support.network import PUBLIC
from tests.support.production import Production
from tests.support.scripted_smtp import ScriptedServer

Around = Callable[[Production], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong. `also` may be said as well, as it follows from it."""

    name: str
    code: str
    variables: Mapping[str, str | None] = field(default_factory=dict)
    around: Around = lambda made: nullcontext()
    beside: Callable[[Production], dict[str, Any]] = lambda made: {}
    also: frozenset[str] = frozenset()
    changed: Callable[[Production], dict[str, str | None]] = lambda made: {}


def sql(do: str, undo: str) -> Around:
    """Statements of a superuser; `{role}` is ours."""

    @contextmanager
    def around(made: Production) -> Iterator[None]:
        made.execute(do.format(role=made.role))
        try:
            yield
        finally:
            made.execute(undo.format(role=made.role))

    return around


def broker_setting(name: str, value: str, before: str) -> Around:
    @contextmanager
    def around(made: Production) -> Iterator[None]:
        with redis.Redis.from_url(made.broker.url()) as client:
            client.config_set(name, value)
            try:
                yield
            finally:
                client.config_set(name, before)

    return around


def replaced(target: str, name: str, value: Any) -> Around:
    return lambda made: mock.patch(f"{target}.{name}", value)


def changed_in(variable: str, old: str, new: str) -> Callable[[Production], dict[str, str | None]]:
    """A part of a variable's value replaced; `{silent}` is the port of one who accepts and says nothing."""

    def changed(made: Production) -> dict[str, str | None]:
        value = made.variables[variable]
        found = str(urlsplit(value).port) if old == "PORT" else old
        assert found in value
        return {variable: value.replace(found, new.format(silent=made.silent))}

    return changed


@contextmanager
def no_heartbeat(made: Production) -> Iterator[None]:
    BridgeProcess.objects.all().delete()
    yield


@contextmanager
def bridge_waits(made: Production) -> Iterator[None]:
    BridgeProcess.objects.update(waits_for="The broker (REDIS_URL)")
    yield


@contextmanager
def line_given_up(made: Production) -> Iterator[None]:
    """As a worker that answers each ping and takes no mail any more."""
    with current_app.connection_for_write(made.broker.url()) as broker:
        ask_workers(broker, "cancel_consumer", most=1, queue="email")
        try:
            yield
        finally:
            ask_workers(broker, "add_consumer", most=1, queue="email")


@contextmanager
def silent_beat(made: Production) -> Iterator[None]:
    files = list(made.folder.glob("schedule*"))
    for file in files:
        os.utime(file, (time.time() - 3600,) * 2)
    yield
    for file in files:
        os.utime(file)


@contextmanager
def no_administrator(made: Production) -> Iterator[None]:
    User.objects.update(is_superuser=False)
    yield
    User.objects.update(is_superuser=True)


@contextmanager
def administrator_without_password(made: Production) -> Iterator[None]:
    chief = User.objects.get()
    kept = chief.password
    chief.set_unusable_password()
    chief.save()
    yield
    User.objects.update(password=kept)


@contextmanager
def public_bucket(made: Production) -> Iterator[None]:
    made.storage.store.opened.add("reports")
    yield
    made.storage.store.opened.clear()


@contextmanager
def open_env(made: Production) -> Iterator[None]:
    file = made.folder / ".env"
    file.write_text("SECRET_KEY=x")
    file.chmod(0o644)
    yield
    file.unlink()


@contextmanager
def nobody_vouches(made: Production) -> Iterator[None]:
    """For the mail server and Supabase Storage; whoever asks for a page has a list of authorities of its own."""
    with mock.patch.dict(os.environ, {"SSL_CERT_FILE": str(Authority(made.folder, "stranger").file)}):
        yield


def smtp(script: dict[str, str]) -> Around:
    """Another mail server, with no TLS and a mind of its own."""

    @contextmanager
    def around(made: Production) -> Iterator[None]:
        with ScriptedServer(script) as server, ExitStack() as stack:
            host, port = server._server.server_address[:2]
            named = {"EMAIL_HOST": host, "EMAIL_PORT": port, "EMAIL_USE_TLS": False}
            nobody = {"EMAIL_HOST_USER": "", "EMAIL_HOST_PASSWORD": ""}
            stack.enter_context(override_settings(**named, **nobody))
            yield

    return around


@contextmanager
def another_certificate(made: Production) -> Iterator[None]:
    with mock.patch.dict(os.environ, {"REQUESTS_CA_BUNDLE": str(Authority(made.folder, "stranger").file)}):
        yield


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """A server that says one thing to everybody; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 # The name is the library's.

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def instead_of_us(status: int, body: bytes) -> Around:
    """What the proxy at our public address leads to."""

    @contextmanager
    def around(made: Production) -> Iterator[None]:
        with answering(status, body) as url, override_settings(API_BASE_URL=f"http://{PUBLIC}:{urlsplit(url).port}"):
            yield

    return around


def provider(name: str, status: int, body: bytes) -> Around:
    """Mail that leaves through the API of somebody who gives this answer."""

    @contextmanager
    def around(made: Production) -> Iterator[None]:
        with answering(status, body) as url:
            keys = {f"{name}_API_KEY": "key-Of-This-Test-0123", f"{name}_API_URL": url}
            with override_settings(EMAIL_PROVIDER=name.lower(), ANYMAIL=keys):
                yield

    return around


@contextmanager
def account_of(made: Production, **members: Any) -> Iterator[None]:
    """What YooKassa says of our shop."""
    account = Api._account

    def said(api: Api, query: Mapping[str, str]) -> dict[str, Any]:
        return {**account(api, query), **members}

    with mock.patch.object(Api, "_account", said):
        yield


@contextmanager
def other_clock(made: Production) -> Iterator[None]:
    with mock.patch.object(BaseHTTPRequestHandler, "date_time_string", return_value="Thu, 26 Nov 2020 10:00:00 GMT"):
        yield


@contextmanager
def full_disk(made: Production) -> Iterator[None]:
    with mock.patch("shutil.disk_usage", return_value=SimpleNamespace(free=1024, total=2048)):
        yield


def key_of(role: str) -> str:
    """As Supabase prints it in its settings."""
    claims = {"iss": "supabase", "ref": "abcdefghijklmnopqrst", "role": role, "iat": 1, "exp": 2**31}
    return jwt.encode(claims, "nV7dQ2xK9mT4wR8yB3cF6hJ1lP5sG0aZeUoIvNtYqW", algorithm="HS256")


MAILS = "pgmq.q_email_queue"
UNENCRYPTED = frozenset({"address.without_tls", "variables.api_base_url"})
HIDDEN = frozenset({"rights.schema_closed"})

TABLE = (
    # Variables.
    Wrong("a key of one letter", "variables.secret_key", {"SECRET_KEY": "a" * 50}),
    Wrong("a key from a tutorial", "variables.secret_key", {"SECRET_KEY": "django-insecure-0123456789abcdefghijklmn"}),
    Wrong("no public address", "variables.api_base_url", {"API_BASE_URL": None}),
    Wrong("two front ends", "variables.frontend_url", {"FRONTEND_URL": "https://a.test,https://b.test"}),
    Wrong("no proxy trusted", "variables.trusted_proxies", {"TRUSTED_PROXIES": None}),
    Wrong("another host allowed", "variables.allowed_hosts", {"ALLOWED_HOSTS": "other.test"}),
    Wrong("nobody whom a family can ask", "variables.support_contact", {"SUPPORT_CONTACT": None}),
    Wrong("the proxy is everybody", "variables.trusted_proxies", {"TRUSTED_PROXIES": "0.0.0.0/0"}),
    Wrong("a public address that is none", "variables.api_base_url", {"API_BASE_URL": "http://localhost:3001"}),
    Wrong(
        "the secret of an example",
        "variables.supabase_jwt_secret",
        {"SUPABASE_JWT_SECRET": "your-super-secret-jwt-token-with-at-least-32-characters-long"},
    ),
    # Postgres.
    Wrong("no word on TLS", "postgres.without_tls", changed=changed_in("DATABASE_URL", "?sslmode=disable", "")),
    Wrong("TLS that is not there", "postgres.tls_missing", changed=changed_in("DATABASE_URL", "=disable", "=require")),
    Wrong("another password", "postgres.password_refused", changed=changed_in("DATABASE_URL", "@127", "x@127")),
    Wrong("another user", "postgres.password_refused", changed=changed_in("DATABASE_URL", "//", "//nobody_")),
    Wrong("another database", "postgres.database_unknown", changed=changed_in("DATABASE_URL", "?", "_gone?")),
    Wrong("a closed port", "postgres.away", changed=changed_in("DATABASE_URL", "PORT", "1")),
    Wrong("Postgres hangs", "postgres.away", changed=changed_in("DATABASE_URL", "PORT", "{silent}")),
    Wrong("an unknown host", "postgres.host_unknown", changed=changed_in("DATABASE_URL", "127.0.0.1", "db.invalid")),
    Wrong(
        "a pooler in transaction mode",
        "postgres.pooler_mode",
        changed=lambda made: {"DATABASE_URL": made.pooler.url},
    ),
    Wrong(
        "a role of few connections",
        "postgres.few_connections",
        around=sql("ALTER ROLE {role} CONNECTION LIMIT 10", "ALTER ROLE {role} CONNECTION LIMIT -1"),
    ),
    Wrong(
        "no connection left",
        "postgres.full",
        around=sql("ALTER ROLE {role} CONNECTION LIMIT 0", "ALTER ROLE {role} CONNECTION LIMIT -1"),
    ),
    Wrong(
        "Postgres takes no writes",
        "postgres.read_only",
        around=sql(
            "ALTER ROLE {role} SET default_transaction_read_only TO on",
            "ALTER ROLE {role} RESET default_transaction_read_only",
        ),
    ),
    Wrong(
        "migrations forgotten",
        "schema.migrations",
        around=sql(
            "UPDATE balansity.django_migrations SET app = 'gone' WHERE (app, name) = ('reports', '0002_data_as_of')",
            "UPDATE balansity.django_migrations SET app = 'reports' WHERE app = 'gone'",
        ),
    ),
    # Rights and queues.
    Wrong(
        "row security",
        "rights.rows_hidden",
        around=sql(
            f"ALTER ROLE {{role}} NOBYPASSRLS; ALTER TABLE {MAILS} ENABLE ROW LEVEL SECURITY",
            f"ALTER ROLE {{role}} BYPASSRLS; ALTER TABLE {MAILS} DISABLE ROW LEVEL SECURITY",
        ),
        also=HIDDEN,
    ),
    Wrong(
        "no way into pgmq",
        "rights.schema_closed",
        around=sql("REVOKE USAGE ON SCHEMA pgmq FROM {role}", "GRANT USAGE ON SCHEMA pgmq TO {role}"),
    ),
    Wrong(
        "no way into auth",
        "rights.schema_closed",
        around=sql(
            "ALTER ROLE {role} NOBYPASSRLS; REVOKE USAGE ON SCHEMA auth FROM {role}",
            "ALTER ROLE {role} BYPASSRLS; GRANT USAGE ON SCHEMA auth TO {role}",
        ),
        also=frozenset({"rights.rows_hidden"}),
    ),
    Wrong(
        "the list of queues closed",
        "rights.right_lacking",
        around=sql("REVOKE SELECT ON pgmq.meta FROM {role}", "GRANT SELECT ON pgmq.meta TO {role}"),
    ),
    Wrong(
        "archives that cannot be written",
        "rights.right_lacking",
        around=sql("REVOKE INSERT ON pgmq.a_email_queue FROM {role}", "GRANT INSERT ON pgmq.a_email_queue TO {role}"),
    ),
    Wrong(
        "a booking that cannot be deleted",
        "rights.no_delete",
        around=sql("REVOKE DELETE ON public.appointments FROM {role}", "GRANT DELETE ON public.appointments TO {role}"),
    ),
    Wrong(
        "a queue that is not there",
        "queues.missing",
        around=sql(
            "ALTER TABLE pgmq.q_report_generation_queue RENAME TO q_gone",
            "ALTER TABLE pgmq.q_gone RENAME TO q_report_generation_queue",
        ),
    ),
    Wrong(
        "no wake-up",
        "queues.no_wakeup",
        around=sql(
            f"DROP TRIGGER balansity_wakeup ON {MAILS}",
            f"CREATE TRIGGER balansity_wakeup AFTER INSERT ON {MAILS} FOR EACH STATEMENT "
            "EXECUTE FUNCTION balansity.bridge_notify()",
        ),
    ),
    Wrong(
        # Any extension does: what a dump leaves out is decided by belonging to one.
        "queues that no dump has",
        "queues.in_extension",
        around=sql(f"ALTER EXTENSION plpgsql ADD TABLE {MAILS}", f"ALTER EXTENSION plpgsql DROP TABLE {MAILS}"),
    ),
    Wrong(
        "outcomes that wait",
        "queues.kept",
        around=sql(
            "INSERT INTO balansity.bridge_keptoutcome (queue, msg_id, enqueued_at, outcome, reason, error_type, error,"
            " why, kept_at) VALUES ('email_queue', 1, now(), 'succeeded', '', '', '', 'x', now())",
            "DELETE FROM balansity.bridge_keptoutcome",
        ),
    ),
    # Processes.
    Wrong("no bridge", "processes.no_bridge", around=no_heartbeat),
    Wrong("a bridge that waits", "processes.bridge_waits", around=bridge_waits),
    Wrong("no worker", "processes.no_worker", changed=changed_in("REDIS_URL", "/0", "/9")),
    Wrong("a worker that gave up a line", "processes.line_unserved", around=line_given_up),
    Wrong(
        "beat never ran here",
        "processes.no_beat",
        {"CELERY_BEAT_SCHEDULE_FILE": "/tmp/none/schedule"},
        also=frozenset({"machine.not_writable"}),
    ),
    Wrong("beat hangs", "processes.beat_silent", around=silent_beat),
    # The broker.
    Wrong("a wrong password of Redis", "broker.password_refused", changed=changed_in("REDIS_URL", "@", "x@")),
    Wrong("a closed port of Redis", "broker.away", changed=changed_in("REDIS_URL", "PORT", "1")),
    Wrong("Redis hangs", "broker.away", changed=changed_in("REDIS_URL", "PORT", "{silent}")),
    Wrong("TLS where there is none", "broker.tls_missing", changed=changed_in("REDIS_URL", "redis:", "rediss:")),
    Wrong("Redis throws away", "broker.evicts", around=broker_setting("maxmemory-policy", "allkeys-lru", "noeviction")),
    Wrong("Redis keeps nothing", "broker.not_persistent", around=broker_setting("appendonly", "no", "yes")),
    Wrong("Redis is full", "broker.full", around=broker_setting("maxmemory", "1mb", "0")),
    # Mail.
    Wrong("an unknown mail server", "mail.host_unknown", {"SMTP_HOST": "smtp.test"}),
    Wrong("a closed port of mail", "mail.unreachable", {"SMTP_PORT": "1"}),
    Wrong("a mail server that hangs", "mail.no_answer", changed=lambda made: {"SMTP_PORT": str(made.silent)}),
    Wrong("a wrong password of mail", "mail.login_refused", {"SMTP_PASS": "pw-That-Is-Wrong-77"}),
    Wrong("no login at all", "mail.login_refused", {"SMTP_USER": None, "SMTP_PASS": None}),
    Wrong("TLS at once on a port of STARTTLS", "mail.tls", {"SMTP_SECURITY": "tls"}),
    Wrong(
        "a certificate of nobody",
        "mail.certificate",
        around=nobody_vouches,
        also=frozenset({"reports.storage_unreachable"}),
    ),
    Wrong(
        "a sender of somebody else",
        "mail.sender_refused",
        around=smtp({"MAIL": "553 5.7.1 Sender address rejected: not owned by user mailer"}),
    ),
    Wrong("a sender's domain that is none", "mail.sender_domain", {"SMTP_FROM": "noreply@gone.test"}),
    Wrong("Resend's key revoked", "mail.key_refused", around=provider("RESEND", 401, b'{"name": "validation_error"}')),
    Wrong(
        "SendGrid's key for reading",
        "mail.key_refused",
        around=provider("SENDGRID", 200, b'{"scopes": ["stats.read"]}'),
    ),
    Wrong("UniSender's key of another", "mail.key_refused", around=provider("UNISENDER_GO", 401, b'{"code": 114}')),
    # YooKassa.
    Wrong("another shop's key", "payments.refused", {"YUKASSA_SECRET_KEY": "live_Of-Another-Shop-0123456789"}),
    Wrong("YooKassa away", "payments.unreachable", beside=lambda made: {"YUKASSA_API_URL": "http://127.0.0.1:1/v3"}),
    Wrong("a test shop", "payments.test_shop", around=lambda made: account_of(made, test=True)),
    Wrong("a closed shop", "payments.shop_disabled", around=lambda made: account_of(made, status="disabled")),
    Wrong("nobody chose the VAT", "payments.vat_not_said", {"YUKASSA_VAT_CODE": None}),
    Wrong("no shop", "payments.not_set_up", {"YUKASSA_SHOP_ID": None, "YUKASSA_SECRET_KEY": None}),
    Wrong("clocks", "clock.differs", around=other_clock),
    # Supabase.
    Wrong("the public key of Supabase", "supabase.key_role", {"SUPABASE_SERVICE_ROLE_KEY": key_of("anon")}),
    Wrong("a new public key", "supabase.key_role", {"SUPABASE_SERVICE_ROLE_KEY": "sb_publishable_0123456789abcdef"}),
    Wrong("a key of another project", "supabase.key_refused", {"SUPABASE_SERVICE_ROLE_KEY": key_of("service_role")}),
    Wrong("no such bucket", "reports.no_bucket", {"REPORTS_BUCKET": "otchety"}),
    Wrong("a public bucket", "reports.bucket_public", around=public_bucket),
    Wrong("no secret and no keys", "supabase.no_signing_keys", {"SUPABASE_JWT_SECRET": None}),
    Wrong(
        "Supabase away",
        "supabase.unreachable",
        {"SUPABASE_URL": "https://127.0.0.1:1"},
        also=frozenset({"reports.storage_unreachable"}),
    ),
    Wrong("nothing of Supabase", "supabase.not_set_up", {"SUPABASE_URL": None, "SUPABASE_JWT_SECRET": None}),
    # The public address.
    Wrong(
        "a certificate that ran out",
        "address.certificate",
        around=another_certificate,
        also=frozenset({"supabase.unreachable"}),
    ),
    Wrong("a name without DNS", "address.unknown", {"API_BASE_URL": "https://gone.balansity.test"}),
    Wrong("a port that the world cannot reach", "address.unreachable", {"API_BASE_URL": f"https://{PUBLIC}:1"}),
    Wrong("the web process is down", "address.no_web", around=instead_of_us(502, b"Bad Gateway"), also=UNENCRYPTED),
    Wrong(
        "a proxy that leads elsewhere",
        "address.not_us",
        around=instead_of_us(200, b"<html>Front end</html>"),
        also=UNENCRYPTED,
    ),
    # This machine.
    Wrong("a folder of logs that takes nothing", "machine.not_writable", {"LOG_DIR": "/proc"}),
    Wrong("a full disk", "machine.disk_full", around=full_disk),
    Wrong("a file of secrets for all", "machine.env_readable", around=open_env),
    Wrong("static files forgotten", "machine.static", beside=lambda made: {"STATIC_ROOT": str(made.folder / "none")}),
    Wrong("no Pango", "reports.W001", around=replaced("reports.document.checks", "_opens", lambda _: False)),
    Wrong("no administrator", "people.no_superuser", around=no_administrator),
    Wrong("an administrator without a password", "people.no_login", around=administrator_without_password),
)
