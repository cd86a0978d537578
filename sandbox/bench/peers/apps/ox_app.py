"""django-ox: `manage.py` and, without arguments, its producer."""

import os
import sys

import django
from django.core.management import execute_from_command_line
from sender import serve

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ox.ox_settings")


def _produce():
    django.setup()
    # Its modules read settings when they are imported.
    from django_ox.bulk import enqueue_many  # noqa: PLC0415
    from ox.tasks import work  # noqa: PLC0415

    def send(numbers, ms, write):
        enqueue_many(work, [((number, ms, write), {}) for number in numbers])

    serve(send)


if __name__ == "__main__":
    execute_from_command_line(sys.argv) if sys.argv[1:] else _produce()
