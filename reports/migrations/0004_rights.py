"""Only rights to what can be done."""

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("reports", "0002_data_as_of"),
    ]

    operations: ClassVar = [
        migrations.AlterModelOptions(
            name="leftover",
            options={
                "default_permissions": (),
                "verbose_name": "file to be removed",
                "verbose_name_plural": "files to be removed",
            },
        ),
        migrations.AlterModelOptions(
            name="report",
            options={
                "default_permissions": ("view",),
                "permissions": [
                    ("download_report", "Can download a report"),
                    ("regenerate_report", "Can have a report made again"),
                ],
                "verbose_name": "report",
                "verbose_name_plural": "reports",
            },
        ),
    ]
