from typing import Any

from django.apps import AppConfig
from django.contrib.admin.apps import SimpleAdminConfig
from django.db import connections
from django.db.backends.signals import connection_created
from django.db.models.signals import pre_migrate

from balansity.database import keep_times_readable, prepare_schema, use_schema


class BalansityAdminConfig(SimpleAdminConfig):
    """The pages are found by `balansity.urls`: bridge and workers, which show none, start without them."""

    default_site = "balansity.admin_site.BalansityAdminSite"


class BalansityConfig(AppConfig):
    name = "balansity"

    def ready(self) -> None:
        connection_created.connect(use_schema)
        connection_created.connect(keep_times_readable)
        # For whichever app comes first: Django sends this signal only on behalf of apps with models, and we have none.
        pre_migrate.connect(prepare_our_schema)


def prepare_our_schema(using: str, **_: Any) -> None:
    prepare_schema(connections[using])
