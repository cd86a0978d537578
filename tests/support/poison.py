"""A row that nobody can write: as a trigger of somebody else's makes it, or a value that the database refuses."""

from django.db import connection


def poison(table: str, column: str, value: object, *, when: str = "UPDATE OR DELETE") -> None:
    """Let every change of the rows with this value fail, as a foreign trigger's exception does."""
    with connection.cursor() as cursor:
        literal = cursor.mogrify("%s", [str(value)]).decode()
        cursor.execute(
            "CREATE OR REPLACE FUNCTION pg_temp_poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF OLD.{column}::text = {literal} THEN RAISE EXCEPTION 'poisoned'; END IF;"
            " IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$;"
            f" CREATE TRIGGER poison BEFORE {when} ON {table} FOR EACH ROW EXECUTE FUNCTION pg_temp_poison()"
        )
