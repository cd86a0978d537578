"""Accounts of staff and their groups: Django's pages, with rights in words and only those that there is something for.

Whoever may change accounts could otherwise make themselves a superuser, which is more than any group may do.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin import site
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, SetUnusablePasswordMixin
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db.models import ManyToManyField, Q, QuerySet
from django.forms import ModelMultipleChoiceField
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.text import format_lazy
from django.utils.translation import gettext, gettext_lazy

from balansity.account_second_factors import SecondFactorFilter, SecondFactorOfAccounts
from staff.badges import yes_or_no
from wording.addresses import breakable_address

_ACTIONS: dict[str, str | Promise] = {
    "view": gettext_lazy("look at: %(name)s"),
    "add": gettext_lazy("add: %(name)s"),
    "change": gettext_lazy("change: %(name)s"),
    "delete": gettext_lazy("delete: %(name)s"),
}


class RightsField(ModelMultipleChoiceField):  # type: ignore[type-arg] # Not generic at run time.
    def label_from_instance(self, obj: Any) -> str:
        return right_in_words(obj)


class PasswordForm(AdminPasswordChangeForm):  # type: ignore[type-arg] # Not generic at run time.
    """Django's warning beside «without a password» is English in every language."""

    usable_password_help_text = format_lazy(  # type: ignore[assignment] # In the reader's language.
        '{}<ul id="id_unusable_warning" class="messagelist"><li class="warning">{}</li></ul>',
        SetUnusablePasswordMixin.usable_password_help_text,
        gettext_lazy("Without it the password that there is now is lost."),
    )


def right_in_words(right: Permission) -> str:
    """«Платежи | смотреть: возвраты». The names in the table are Django's and ours, in English."""
    model = right.content_type.model_class()
    action = right.codename.partition("_")[0]
    if model is None:
        return right.codename
    if right.codename == f"{action}_{model._meta.model_name}" and action in _ACTIONS:
        what = str(_ACTIONS[action]) % {"name": model._meta.verbose_name_plural}
    else:
        what = gettext(right.name)
    return f"{model._meta.app_config.verbose_name if model._meta.app_config else ''} | {what}"


def rights_with_a_page() -> QuerySet[Permission]:
    """What can be done in this admin; Django keeps more, for its own tables."""
    kinds = ContentType.objects.get_for_models(*site._registry).values()
    rights = Permission.objects.filter(content_type__in=list(kinds)).select_related("content_type")
    return rights.order_by("content_type__app_label", "content_type__model", "codename")


def grantable_by(request: HttpRequest) -> QuerySet[Permission]:
    """Nobody gives what they do not have."""
    rights = rights_with_a_page()
    if request.user.is_superuser:
        return rights
    return rights.filter(pk__in=_own_rights(request))


def groups_grantable_by(request: HttpRequest) -> QuerySet[Group]:
    groups = Group.objects.order_by("name")
    if request.user.is_superuser:
        return groups
    beyond = Permission.objects.exclude(pk__in=_own_rights(request))
    return groups.exclude(pk__in=Group.objects.filter(permissions__in=beyond).values("pk"))


def _own_rights(request: HttpRequest) -> set[int]:
    return _rights_of(request.user)


def _rights_of(account: Any) -> set[int]:
    """Also of an account that is switched off: whoever may change it can switch it on."""
    rights = Permission.objects.filter(Q(user=account) | Q(group__user=account))
    return set(rights.values_list("pk", flat=True))


def _kept(field: Any, already: Iterable[Any]) -> None:
    """What the row has already stays in the form: it must not be lost because somebody else saves it."""
    queryset = field.queryset
    field.queryset = queryset.model._default_manager.filter(
        Q(pk__in=queryset.values("pk")) | Q(pk__in=[one.pk for one in already])
    )


class _PlainDeletion:
    """Says what is deleted in words: Django lists the rows of the tables in between, by their English names."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        _tree, counts, missing, protected = super().get_deleted_objects(objs, request)  # type: ignore[misc] # Mixed in.
        named = {kind: count for kind, count in counts.items() if not any(map(str.isascii, kind.split()))}
        return [str(one) for one in objs], named, missing, protected


admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class StaffAccountAdmin(SecondFactorOfAccounts, _PlainDeletion, UserAdmin):  # type: ignore[type-arg] # Not generic.
    class Media:
        css: ClassVar[dict[str, tuple[str, ...]]] = {"all": ("staff/staff.css",)}

    change_password_form = PasswordForm
    list_display = ("username", "full_name", "address", "of_the_staff", "second_factor")
    list_filter = ("is_staff", "is_superuser", "is_active", SecondFactorFilter, "groups")

    @admin.display(description=gettext_lazy("full name"), ordering="last_name")
    def full_name(self, account: Any) -> str:
        return account.get_full_name() or "—"

    @admin.display(description=gettext_lazy("email address"), ordering="email")
    def address(self, account: Any) -> str:
        return breakable_address(account.email) or "—"

    # Django draws a picture that is called «True», in English.
    @admin.display(description=gettext_lazy("staff status"), ordering="is_staff")
    def of_the_staff(self, account: Any) -> SafeString:
        return yes_or_no(account.is_staff)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # The dates are nobody's to change; as inputs they have no labels either.
        fixed = (*super().get_readonly_fields(request, obj), "last_login", "date_joined")
        return fixed if request.user.is_superuser else (*fixed, "is_superuser")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)

    def formfield_for_manytomany(
        self, db_field: "ManyToManyField[Any, Any]", request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "user_permissions":
            kwargs |= {"queryset": grantable_by(request), "form_class": RightsField}
        elif db_field.name == "groups":
            kwargs["queryset"] = groups_grantable_by(request)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        if obj is not None and obj.pk:
            for name in {"user_permissions", "groups"} & form.base_fields.keys():
                _kept(form.base_fields[name], getattr(obj, name).all())
        return form


@admin.register(Group)
class StaffGroupAdmin(_PlainDeletion, GroupAdmin):
    class Media:
        css: ClassVar[dict[str, tuple[str, ...]]] = {"all": ("staff/staff.css",)}

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch_group(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch_group(request, obj)

    def formfield_for_manytomany(
        self, db_field: "ManyToManyField[Any, Any]", request: HttpRequest | None = None, **kwargs: Any
    ) -> Any:
        if db_field.name == "permissions":
            kwargs["form_class"] = RightsField
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field is not None and request is not None and db_field.name == "permissions":
            # Django's own puts all rights there.
            field.queryset = grantable_by(request)
        return field


def _may_touch(request: HttpRequest, account: Any) -> bool:
    """A superuser's account belongs to superusers: its password opens everything.

    So does any account of somebody who may do more than whoever would change it.
    """
    if account is None or request.user.is_superuser or account.pk == request.user.pk:
        return True
    return not account.is_superuser and _rights_of(account) <= _own_rights(request)


def _may_touch_group(request: HttpRequest, group: Any) -> bool:
    if group is None or request.user.is_superuser:
        return True
    return not group.permissions.exclude(pk__in=_own_rights(request)).exists()
