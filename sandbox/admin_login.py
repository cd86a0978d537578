"""The administrator of a sandbox."""

import io
import secrets
from pathlib import Path

import django
from django.core.management import call_command
from django.db import connection

ADMIN_NAME = "admin"


def migrate() -> None:
    """Set Django up in this process, apply the migrations and install the wake-ups, as a deployment does.

    The environment must name the services.
    """
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    call_command("install_wakeup", stdout=io.StringIO())


def ensure_admin(folder: Path) -> str:
    """Make the administrator where there is none, and return the password, which is kept in `folder`."""
    # Models exist only after `migrate` has set Django up.
    from django.contrib.auth import get_user_model  # noqa: PLC0415

    file = folder / "admin.password"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(9), encoding="ascii")
    password = file.read_text(encoding="ascii")
    manager = get_user_model()._default_manager
    user, is_new = manager.get_or_create(username=ADMIN_NAME, defaults={"is_staff": True, "is_superuser": True})
    # One who is new has none: asking takes as long as setting one.
    if is_new or not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
    connection.close()
    return password
