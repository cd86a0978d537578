"""`manage.py migrate`: Django's, which also says what keeps the role of `DATABASE_URL` from tables that are needed."""

from typing import Any

from django.core.management.commands import migrate

from bridge.rights import find_troubles


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if options["verbosity"] and not (options["plan"] or options["check_unapplied"]):
            for trouble in find_troubles():
                self.stderr.write(str(trouble))
