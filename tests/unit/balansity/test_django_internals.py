"""What we lean on inside of Django and what belongs to it (DRF, anymail, psycopg2). See `test_library_internals`."""

import inspect
import smtplib

import psycopg2.extensions
from anymail.backends.resend import EmailBackend as ResendEmailBackend
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore
from django.core.files.uploadhandler import FileUploadHandler
from django.core.mail import EmailMessage
from django.core.mail.backends import smtp
from django.core.mail.utils import CachedDnsName
from django.core.signing import TimestampSigner
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql.base import DatabaseWrapper as PostgresWrapper
from django.db.backends.postgresql.schema import DatabaseSchemaEditor
from django.db.models.expressions import Col
from django.utils import log
from pytest_django import Settings
from rest_framework.pagination import CursorPagination

from balansity.admin_site import BalansityAdminSite
from balansity.api.pagination import NewestFirst
from balansity.door.sessions import SessionStore
from balansity.offered_lookups import OfferedLookupsOnly
from balansity.postgres.base import DatabaseWrapper
from balansity.postgres.schema import SchemaEditor
from balansity.uploads import NoFiles
from notifications.sending.resend import IdempotentResendBackend
from notifications.sending.smtp import SmtpBackend
from payments.models.untrusted import DefaultedTextField
from payments.models.untrusted_json import UntrustedJSONField
from reports.storage.links import _DatedSigner
from tests.support.leaning import has, parameters, reads, replaces, takes, uses, writes


def test_djangos_smtp_backend_opens_the_connection_that_ours_names() -> None:
    place = "notifications.sending.smtp"
    has(smtp.EmailBackend, "connection_class", for_=place)
    uses(smtp.EmailBackend.open, ["connection_class", "connection", "_partial_connection"], for_=place)
    assert "DNS_NAME" in smtp.EmailBackend.open.__code__.co_names, f"it says hello with another name than {place} sets"
    assert isinstance(smtp.DNS_NAME, CachedDnsName)  # type: ignore[attr-defined]
    assert "get_fqdn" in smtp.EmailBackend.open.__code__.co_names
    assert {"connection", "_partial_connection"} <= writes(smtp.EmailBackend.__init__)
    assert {*vars(SmtpBackend())} == {*vars(smtp.EmailBackend())}
    assert "sendmail" in smtp.EmailBackend._send.__code__.co_names, f"it sends past {place}"  # type: ignore[attr-defined]


def test_smtplib_hands_a_body_over_where_we_watch_it() -> None:
    assert "data" in reads(smtplib.SMTP.sendmail), "notifications.sending.smtp takes a mail for never sent"
    takes(smtplib.SMTP.data, "self", "msg", for_="notifications.sending.smtp")


def test_anymail_asks_the_method_that_ours_replaces_for_the_payload(settings: Settings) -> None:
    settings.ANYMAIL = {"RESEND_API_KEY": "re_of-this-test"}
    replaces(IdempotentResendBackend, ResendEmailBackend, "build_message_payload", for_="notifications.sending.resend")
    mail = EmailMessage(
        "subject", "text", "a@example.org", ["b@example.org"], headers={"Message-ID": "<1@example.org>"}
    )
    payload = IdempotentResendBackend().build_message_payload(mail, {})
    assert payload.get_request_params("https://api.resend.com/")["headers"]["Idempotency-Key"] == "1@example.org"


def test_djangos_connection_to_postgres_calls_what_ours_replaces() -> None:
    place = "balansity.postgres.base"
    replaced = ("get_new_connection", "connect", "is_usable", "close_if_health_check_failed")
    replaces(DatabaseWrapper, PostgresWrapper, *replaced, for_=place)
    uses(BaseDatabaseWrapper.connect, ["get_connection_params", "get_new_connection"], for_=place)
    assert "health_check_done" in writes(BaseDatabaseWrapper.connect)
    uses(BaseDatabaseWrapper.close_if_health_check_failed, ["health_check_done", "is_usable"], for_=place)
    uses(BaseDatabaseWrapper._cursor, ["close_if_health_check_failed", "ensure_connection"], for_=place)  # type: ignore[attr-defined]
    has(PostgresWrapper, "wrap_database_errors", "SchemaEditorClass", "get_connection_params", for_=place)


def test_djangos_schema_editor_begins_and_ends_where_ours_does() -> None:
    place = "balansity.postgres.schema"
    replaces(SchemaEditor, DatabaseSchemaEditor, "__enter__", for_=place)
    has(SchemaEditor, "__exit__", for_=place)
    assert "collect_sql" in writes(DatabaseSchemaEditor.__init__), f"{place} asks for it"
    takes(BaseDatabaseWrapper.execute_wrapper, "self", "wrapper", for_=place)


def test_psycopg2_makes_readers_of_its_own_readers() -> None:
    for name in ("PYDATETIMETZ", "PYDATETIME", "PYDATE"):
        has(
            getattr(psycopg2.extensions, name), "values", "name", for_="balansity.postgres.connections._within_calendar"
        )


def test_djangos_sessions_are_loaded_through_the_method_that_ours_replaces() -> None:
    replaces(SessionStore, DatabaseSessionStore, "load", for_="balansity.door.sessions")
    assert {"_session_key", "modified"} <= {*dir(DatabaseSessionStore())}


def test_djangos_signer_takes_its_time_from_the_method_that_ours_replaces() -> None:
    replaces(_DatedSigner, TimestampSigner, "timestamp", for_="reports.storage.links")
    uses(TimestampSigner.sign, ["timestamp"], for_="reports.storage.links")


def test_django_asks_a_response_whether_it_was_logged() -> None:
    assert '"_has_been_logged"' in inspect.getsource(log.log_response), "balansity.api.boundary and .door.guard set it"


def test_djangos_admin_asks_the_methods_that_ours_replace() -> None:
    replaces(OfferedLookupsOnly, ModelAdmin, "lookup_allowed", for_="balansity.offered_lookups")
    names = ("register", "login", "password_change", "autocomplete_view")
    for name in names:
        has(AdminSite, name, for_="balansity.admin_site")
    assert "_registry" in {*vars(BalansityAdminSite())}
    replaces(BalansityAdminSite, AdminSite, *names[1:], for_="balansity.admin_site")


def test_djangos_upload_handlers_are_asked_before_a_file_is_kept() -> None:
    has(FileUploadHandler, "handle_raw_input", "new_file", "receive_data_chunk", "file_complete", for_="NoFiles")
    assert parameters(NoFiles.handle_raw_input)[:4] == parameters(FileUploadHandler.handle_raw_input)[:4]


def test_djangos_fields_name_their_column_through_what_ours_replace() -> None:
    place = "payments.models.untrusted"
    replaces(DefaultedTextField, models.TextField, "get_col", for_=place)
    has(models.TextField, "cached_col", for_=place)
    takes(Col.__init__, "self", "alias", "target", "output_field", for_=place)
    replaces(
        UntrustedJSONField, models.JSONField, "from_db_value", "deconstruct", for_="payments.models.untrusted_json"
    )


def test_drfs_pages_are_made_by_the_methods_that_ours_replace() -> None:
    place = "balansity.api.pagination"
    replaces(NewestFirst, CursorPagination, "paginate_queryset", "decode_cursor", for_=place)
    uses(CursorPagination.paginate_queryset, ["decode_cursor"], for_=place)
    assert "base_url" in writes(CursorPagination.paginate_queryset)
    uses(CursorPagination.encode_cursor, ["base_url"], for_=place)
