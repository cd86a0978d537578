"""What came in and went back on a day is found without a look at every payment."""

from typing import ClassVar

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies: ClassVar = [("payments", "0010_rights")]
    operations: ClassVar = [
        migrations.AddIndex(
            model_name="checkout",
            index=models.Index(
                condition=Q(captured_at__isnull=False), fields=["captured_at"], name="checkout_captured"
            ),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(condition=Q(finished_at__isnull=False), fields=["finished_at"], name="refund_finished"),
        ),
    ]
