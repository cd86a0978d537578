"""Takes the tokens out of the mails that were stored before: each of them opened a report for whoever read the log."""

from django.db import migrations

# As `wording.masking` does it.
MASK = r"""
UPDATE notifications_emailmessage
SET html_body = regexp_replace(html_body, '([?&;])token=[^\s"''<>&\\]+', '\1token=***', 'g'),
    text_body = regexp_replace(text_body, '([?&;])token=[^\s"''<>&\\]+', '\1token=***', 'g')
WHERE html_body LIKE '%token=%' OR text_body LIKE '%token=%'
"""


class Migration(migrations.Migration):
    dependencies = [("notifications", "0002_who_gets_mail_and_how_much")]

    operations = [migrations.RunSQL(MASK, migrations.RunSQL.noop)]
