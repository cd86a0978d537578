import gc
import sys
from importlib import import_module
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.db import connections
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, pre_migrate
from django.utils.translation import gettext_lazy

from balansity.postgres.connections import end_with_client, keep_times_readable
from balansity.postgres.schema import prepare_schema
from balansity.processes import kind_of


class BalansityAdminConfig(SimpleAdminConfig):
    """The pages are found by `balansity.urls`: bridge and workers, which show none, start without them."""

    default_site = "balansity.admin_site.BalansityAdminSite"


class BalansityConfig(AppConfig):
    name = "balansity"
    verbose_name = gettext_lazy("Access")

    def ready(self) -> None:
        # They write rows, so not before there are models.
        from balansity.door.audit import note_failure, note_login  # noqa: PLC0415
        from balansity.groups import make_groups_after_migrations  # noqa: PLC0415
        from balansity.telling import digest, incidents  # noqa: PLC0415
        from balansity.telling.texts import write_digest, write_incidents  # noqa: PLC0415
        from notifications.staff_notices import tell_notice  # noqa: PLC0415

        user_logged_in.connect(note_login, dispatch_uid="balansity.door")
        user_login_failed.connect(note_failure, dispatch_uid="balansity.door")
        tell_notice(digest.KIND, write_digest)
        tell_notice(incidents.KIND, write_incidents)
        connection_created.connect(end_with_client)
        connection_created.connect(keep_times_readable)
        post_migrate.connect(make_groups_after_migrations, sender=self, dispatch_uid="balansity.groups")
        # For whichever app comes first.
        pre_migrate.connect(prepare_our_schema)
        if settings.SENTRY_DSN:
            # Costs memory and time at the start, which nobody pays who has no tracker.
            import_module("balansity.error_tracker").begin(kind_of(sys.argv))
        # All that is loaded stays. The collector would go over it again and again, in this process and in those that it
        # forks, and find nothing.
        gc.freeze()


def prepare_our_schema(using: str, **_: Any) -> None:
    prepare_schema(connections[using])
