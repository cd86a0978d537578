"""Takes the second factor of an account away, for whoever is locked out and has nobody who could do it in the admin."""

import getpass
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from balansity.door.audit import note_reset
from balansity.second_factor import devices


class Command(BaseCommand):
    help = (
        "Take the second factor of an account away: for somebody who has lost phone and recovery codes, where nobody "
        "can reset it in the admin."
    )
    # It must work whatever else is wrong.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the name that the person logs in with")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        account = get_user_model()._default_manager.filter(username=name).first()
        if account is None:
            raise CommandError(f"There is no account {name}.")
        if not devices.remove(account):
            self.stdout.write(f"{name} has no second factor: nothing was changed.")
            return
        note_reset(account, "manage.py", _system_user())
        self.stdout.write(
            f"The second factor of {name} is gone. The next login asks for a new one where it is required."
        )


def _system_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user need not have a name.
        return "the command line"
