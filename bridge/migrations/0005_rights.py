"""Only rights to what can be done."""

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("bridge", "0003_keptoutcome"),
    ]

    operations: ClassVar = [
        migrations.AlterModelOptions(
            name="bridgeprocess",
            options={
                "default_permissions": ("view",),
                "verbose_name": "bridge process",
                "verbose_name_plural": "bridge processes",
            },
        ),
        migrations.AlterModelOptions(
            name="keptoutcome",
            options={"default_permissions": (), "verbose_name": "kept outcome", "verbose_name_plural": "kept outcomes"},
        ),
    ]
