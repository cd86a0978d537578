"""Indexes without what nobody looks for in them: each of a mail's two writes made an entry in every one.

The words of a mail that is being sent, which is for a second, are found by a look at the few of those; most mails are
no duplicate and no second try.
"""

import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

WORDS = """
CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON notifications_emailmessage USING gin
    (upper(recipient::text) "{schema}".gin_trgm_ops, upper(subject::text) "{schema}".gin_trgm_ops){condition}
"""
WHOLE, LASTING = ("email_words", ""), ("email_lasting_words", " WHERE status <> 'sending'")


def keep_lasting_words(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    _replace(schema_editor, old=WHOLE, new=LASTING)


def keep_all_words(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    _replace(schema_editor, old=LASTING, new=WHOLE)


def _replace(schema_editor: BaseDatabaseSchemaEditor, *, old: tuple[str, str], new: tuple[str, str]) -> None:
    """First the new one: searches go on meanwhile. Where there is no pg_trgm, there is neither."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            "SELECT nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'pg_trgm'"
        )
        found = cursor.fetchone()
        if found is not None:
            name, condition = new
            cursor.execute(WORDS.format(name=name, schema=found[0], condition=condition))
            cursor.execute("ANALYZE notifications_emailmessage")
        cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {old[0]}")


class Migration(migrations.Migration):
    # The mail goes on meanwhile.
    atomic = False
    dependencies = [("notifications", "0009_discarded")]
    operations = [
        migrations.RunPython(keep_lasting_words, keep_all_words),
        AddIndexConcurrently(
            "emailmessage",
            models.Index(
                fields=["queue", "requeued_from"],
                condition=models.Q(requeued_from__isnull=False),
                name="email_sent_again",
            ),
        ),
        RemoveIndexConcurrently("emailmessage", "email_requeued_from"),
        AddIndexConcurrently(
            "emailmessage",
            models.Index(
                fields=["duplicate_of"], condition=models.Q(duplicate_of__isnull=False), name="email_duplicate_of"
            ),
        ),
        migrations.AlterField(
            "emailmessage",
            "duplicate_of",
            models.ForeignKey(
                "notifications.emailmessage",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="duplicates",
                verbose_name="duplicate of",
                db_index=False,
            ),
        ),
    ]
