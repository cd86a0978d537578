"""What migrations must leave possible for the processes of the version before, which run until they are restarted."""

from django.db.migrations import AddField
from django.db.migrations.loader import MigrationLoader

from sandbox.packages import packages

# Nothing was running before these.
FIRST = {("reports", "0002_data_as_of")}


def test_whoever_does_not_know_a_new_column_can_still_write_rows() -> None:
    loader, ours = MigrationLoader(None), packages()
    added = [
        (key, operation)
        for key, migration in loader.disk_migrations.items()
        for operation in migration.operations
        if key[0] in ours and key not in FIRST and isinstance(operation, AddField)
    ]
    assert added
    helpless = [
        f"{'.'.join(key)}: {operation.model_name}.{operation.name}"
        for key, operation in added
        if not (operation.field.null or operation.field.has_db_default())
    ]
    assert helpless == []
