"""Says before anything runs which mail has no file to be made of, and which file belongs to no mail."""

from pathlib import Path
from typing import Any

from django.apps import apps
from django.core import checks

from notifications.writing.catalogue import CATALOGUE, STAFF_MAIL

KINDS = ("html", "txt")
# What mails are built of; the others in that folder are mails.
PIECES = frozenset({"button", "layout", "meeting", "note", "preheader_padding", "purchase", "row"})


def check_templates(app_configs: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """An error for each mail of the catalogue without its HTML or its text, and for each file without a mail."""
    folder = Path(apps.get_app_config("notifications").path) / "templates" / "notifications" / "email"
    wanted = {f"{name}.{kind}" for name in (*CATALOGUE, STAFF_MAIL.name) for kind in KINDS}
    found = {path.name for path in folder.iterdir() if path.stem not in PIECES}
    return [
        *(
            checks.Error(
                f"The mail {name.rpartition('.')[0]} has no file {name}.",
                hint=f"Write notifications/templates/notifications/email/{name}, as its neighbours are written.",
                id="notifications.E001",
            )
            for name in sorted(wanted - found)
        ),
        *(
            checks.Error(
                f"No mail of the catalogue is made of {name}.",
                hint="Add the mail to CATALOGUE in notifications/writing/catalogue.py, or remove the file.",
                id="notifications.E002",
            )
            for name in sorted(found - wanted)
        ),
    ]
