"""Ready groups of staff: which there are, what each may do, and how they come into a database.

A right exists only when all migrations are done, so the groups are made after them (`make_groups`), each once. The next
release may name more rights here: they are added to the group, whatever it is called by then.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connections, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import override, pgettext_lazy

from balansity.models import ReadyGroup

_LOOK_AT_CLIENTS = (
    *("payments.view_payment", "payments.view_refund", "payments.view_providernotification"),
    *("notifications.view_emailmessage", "reports.view_report"),
)
_MEND_MONEY = ("payments.check_payment", "payments.replay_providernotification")
_MEND_QUEUES = (
    "bridge.view_queueoverview",
    "bridge.view_bridgeprocess",
    "bridge.requeue_message",
    "bridge.pause_queue",
    # What a message says is what the list of mails shows them, too.
    "bridge.view_message_body",
    "bridge.view_operatoraction",
)
_MEND_SURROUNDINGS = ("balansity.view_surroundings", "balansity.view_loginattempt")
_SEND_AGAIN = ("notifications.resend_emailmessage", "reports.regenerate_report")
_SPEND = ("payments.refund_payment", "payments.view_revenue")
_ACCESS = (
    *("auth.view_user", "auth.add_user", "auth.change_user", "auth.delete_user"),
    *("auth.view_group", "auth.add_group", "auth.change_group", "auth.delete_group"),
)


@dataclass(frozen=True, slots=True)
class Ready:
    """A group. `key` names it for ever, `name` is what it is called at first, `rights` are `app.codename`."""

    key: str
    name: str | Promise
    rights: tuple[str, ...]


GROUPS = (
    Ready("support", pgettext_lazy("group", "Support"), (*_LOOK_AT_CLIENTS, *_SEND_AGAIN, "payments.check_payment")),
    Ready(
        "finance",
        pgettext_lazy("group", "Finance"),
        (
            *("payments.view_payment", "payments.view_refund", "payments.view_providernotification"),
            *_MEND_MONEY,
            *_SPEND,
        ),
    ),
    Ready(
        "operator",
        pgettext_lazy("group", "Operator"),
        (*_LOOK_AT_CLIENTS, *_MEND_MONEY, *_MEND_QUEUES, *_SEND_AGAIN, *_MEND_SURROUNDINGS),
    ),
    # The only one that may open a family's report: nobody else needs it for their work.
    Ready(
        "administrator",
        pgettext_lazy("group", "Administrator"),
        (
            *_LOOK_AT_CLIENTS,
            *_MEND_MONEY,
            *_MEND_QUEUES,
            *_SEND_AGAIN,
            *_SPEND,
            *_MEND_SURROUNDINGS,
            *_ACCESS,
            "reports.download_report",
        ),
    ),
)


def make_groups_after_migrations(using: str, **_: Any) -> None:
    """Receives `post_migrate`, which is also sent while the tables are of an older time."""
    connection = connections[using]
    if using == "default" and ReadyGroup._meta.db_table in connection.introspection.table_names():
        make_groups()


@transaction.atomic
def make_groups() -> None:
    """Make the groups that were never made, and give all of them the rights that they were never given."""
    for config in apps.get_app_configs():
        # Django makes an app's rights when its turn comes, and ours are needed now.
        create_permissions(config, verbosity=0)
    _forget_rights_to_nothing()
    found = {f"{right.content_type.app_label}.{right.codename}": right for right in _all_rights()}
    for ready in GROUPS:
        note, is_new = ReadyGroup.objects.select_for_update().get_or_create(key=ready.key)
        if is_new:
            note.group = Group.objects.create(name=_free_name(ready))
        new = [name for name in ready.rights if name in found and name not in note.granted]
        if note.group is not None:
            note.group.permissions.add(*(found[name] for name in new))
        note.granted = [*note.granted, *new]
        note.save(update_fields=["group", "granted"])


def _free_name(ready: Ready) -> str:
    """Its name, or another: members of a group that somebody made must not get rights by its name."""
    with override("ru"):
        name = str(ready.name)
        return name if not Group.objects.filter(name=name).exists() else _("%(name)s (ready)") % {"name": name}


def _forget_rights_to_nothing() -> None:
    """Of our models, those to add, change or delete what nobody can: older releases had made them."""
    for kind in ContentType.objects.filter(app_label__in=_our_apps()):
        model = kind.model_class()
        if model is not None:
            named = {f"{action}_{model._meta.model_name}" for action in model._meta.default_permissions}
            known = named | {codename for codename, _name in model._meta.permissions}
            Permission.objects.filter(content_type=kind).exclude(codename__in=known).delete()


def _our_apps() -> list[str]:
    return [config.label for config in apps.get_app_configs() if not config.name.startswith(("django.", "rest_"))]


def _all_rights() -> Iterable[Permission]:
    return Permission.objects.select_related("content_type")
