"""What makes a search among a million mails quick: an index of the words, and one of the trace ids."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.utils import CursorWrapper
from django.db.migrations.state import StateApps

# Supabase keeps extensions in a schema of its own. Whoever owns no database may not make one; where there is none, the
# words are found by looking at all mails.
FIND = "SELECT nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'pg_trgm'"
MAY_MAKE = """
SELECT coalesce(to_regnamespace('extensions'), to_regnamespace('balansity'))::text
FROM pg_available_extensions
WHERE name = 'pg_trgm' AND has_database_privilege(current_database(), 'CREATE')
"""


def add_words(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    with schema_editor.connection.cursor() as cursor:
        schema = _schema_of_trigrams(cursor)
        if schema is None:
            return
        cursor.execute(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS email_words ON notifications_emailmessage USING gin"
            f' (upper(recipient::text) "{schema}".gin_trgm_ops, upper(subject::text) "{schema}".gin_trgm_ops)'
        )
        # How often a word comes decides whether the index is used, and nobody has counted yet.
        cursor.execute("ANALYZE notifications_emailmessage")


def _schema_of_trigrams(cursor: CursorWrapper) -> str | None:
    cursor.execute(FIND)
    if found := cursor.fetchone():
        return str(found[0])
    cursor.execute(MAY_MAKE)
    row = cursor.fetchone()
    if row is None or row[0] is None:
        return None
    cursor.execute(f"CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA {row[0]}")
    return str(row[0])


def remove_words(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("DROP INDEX CONCURRENTLY IF EXISTS email_words")


class Migration(migrations.Migration):
    # The mail goes on meanwhile.
    atomic = False
    dependencies = [("notifications", "0007_arrivals_and_notes")]
    operations = [
        migrations.RunPython(add_words, remove_words),
        AddIndexConcurrently(
            "emailmessage", models.Index(fields=["template", "created_at"], name="email_template_created")
        ),
        AddIndexConcurrently(
            "emailmessage",
            models.Index(fields=["trace_id"], condition=~models.Q(trace_id=""), name="email_trace"),
        ),
    ]
