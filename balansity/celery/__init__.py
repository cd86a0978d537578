"""The Celery application. Its settings are in `balansity/settings/queues.py`, under `CELERY_`."""

import gc
import os
import sys
from importlib import import_module
from typing import Any

from celery import Celery, signals
from django.conf import settings

from balansity.processes import BEAT, LOADED_WHEN_NEEDED, kind_of

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "balansity.settings")
# Celery would run Django's checks as worker and beat start, and drop what they say. For that it would load every page
# and the API: 35 MB that all children hold, and half a second. `manage.py` checks, and `look_around` looks at the rest.
os.environ.setdefault("CELERY_SKIP_CHECKS", "true")

app = Celery("balansity", task_cls="bridge.worker.place:PlacedTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
if kind_of(sys.argv) == BEAT[-1] and settings.LOG_FORMAT == "json":
    app.Beat = app.subclass_with_self("balansity.celery.banner:QuietBeat")  # type: ignore[misc, arg-type]


@signals.setup_logging.connect
def keep_django_logging(**_: Any) -> None:
    """Stop Celery from installing handlers of its own: `settings.LOGGING` serves every process alike.

    Having a receiver of this signal is what switches Celery's set-up off. Every worker and beat passes here before it
    writes a file, so what they write, like beat's schedule, is for nobody else of this machine to read.
    """
    os.umask(0o027)


@signals.celeryd_init.connect
def print_no_banner(instance: Any, **_: Any) -> None:
    if settings.LOG_FORMAT == "json":
        instance.quiet = True


@signals.celeryd_init.connect
def keep_worker_without_broker(**_: Any) -> None:
    """Stop a worker from ending together with its broker."""
    # Here and not above: web processes load this module as well, and know no broker.
    from balansity.celery import taking  # noqa: F401, PLC0415 - adds an order that a worker obeys.
    from balansity.celery.heart import HeartStep  # noqa: PLC0415
    from balansity.celery.lost_broker import survive_lost_broker  # noqa: PLC0415

    survive_lost_broker()
    app.steps["consumer"].add(HeartStep)


@signals.celeryd_init.connect
def take_every_line(options: dict[str, Any], **_: Any) -> None:
    """Let a worker that was started without `-Q` take the line of each queue that somebody handles, and beat's own."""
    # Only now Django has loaded the packages, and with them the registry is whole.
    from bridge.queues import registry  # noqa: PLC0415

    if not options.get("queues"):
        app.amqp.queues.select([app.conf.task_default_queue, *(queue.celery_queue for queue in registry)])


@signals.worker_init.connect
def refuse_to_start(**_: Any) -> None:
    """Look around before there are children, and end with one line when no work may be done here."""
    # Only now there are applications; and web processes have no use for it.
    from balansity.start import look_around  # noqa: PLC0415
    from bridge.errors import AddressRefused  # noqa: PLC0415

    try:
        look_around()
    except AddressRefused as error:
        sys.exit(str(error))
    for name in LOADED_WHEN_NEEDED:
        import_module(name)
    # The children share what is loaded as long as nobody writes on it, and the collector writes on all it sees.
    gc.collect()
    gc.freeze()
    # Now, as what Celery itself does for Django at a child's start would close the connection again.
    signals.worker_process_init.connect(connect_child)


def connect_child(**_: Any) -> None:
    """Take a place in Postgres before there is a task, so that none is needed to find out whether there is one."""
    from bridge.worker.place import has_place  # noqa: PLC0415

    has_place()
