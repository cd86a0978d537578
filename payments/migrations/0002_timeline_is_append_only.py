"""The timeline can be added to and nothing else: not by us, not by a shell that means well."""

from typing import ClassVar

from django.db import migrations

FORWARD = """
CREATE FUNCTION refuse_change_of_timeline() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the timeline of payments is append-only' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER payments_paymentevent_append_only BEFORE UPDATE OR DELETE ON payments_paymentevent
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_timeline();
"""
BACKWARD = """
DROP TRIGGER payments_paymentevent_append_only ON payments_paymentevent;
DROP FUNCTION refuse_change_of_timeline();
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("payments", "0001_initial")]

    operations: ClassVar = [migrations.RunSQL(FORWARD, BACKWARD)]
