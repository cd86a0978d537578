from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("balansity", "0002_ready_groups"),
    ]

    operations = [
        migrations.CreateModel(
            name="Surroundings",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
            ],
            options={
                "verbose_name": "check of the surroundings",
                "verbose_name_plural": "check of the surroundings",
                "managed": False,
                "default_permissions": ("view",),
            },
        ),
    ]
