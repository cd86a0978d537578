"""Whoever may look at a list may filter it by what it offers. Over the whole admin: every model, field and look-up."""

from collections.abc import Iterator
from importlib import import_module
from itertools import islice
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.admin import ModelAdmin, site
from django.contrib.auth.models import Permission, User
from django.db.models import Field, JSONField, Model
from django.http import HttpRequest
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from notifications.models import EmailMessage, Status

pytestmark = pytest.mark.usefixtures("database")

TOKEN = "https://api.example.org/api/reports/1/file?token=1Abc-secret"
# Looks at a part of a value, or at its place among others.
ORACLES = (
    *("regex", "iregex", "contains", "icontains", "startswith", "istartswith", "endswith", "iendswith"),
    *("gt", "gte", "lt", "lte", "range", "in", "exact", "iexact", "isnull", "length", "lower__startswith"),
)
# What the list filters of Django ask, of a field that is offered.
OFFERED = {"exact", "isnull", "gte", "lt"}


# Finds the admins of every package.
import_module("balansity.urls")


def admins() -> "list[ModelAdmin[Any]]":
    return list(site._registry.values())


def name_of(admin: "ModelAdmin[Any]") -> str:
    return admin.opts.label


def address_of(admin: "ModelAdmin[Any]") -> str:
    return reverse(f"admin:{admin.opts.app_label}_{admin.opts.model_name}_changelist")


def paths(model: type[Model], depth: int = 2) -> Iterator[tuple[str, Any]]:
    """Every field, also of what it leads to and of what points at it; and a key inside each piece of JSON."""
    for field in model._meta.get_fields(include_hidden=True):
        name = field.name
        yield name, field
        if isinstance(field, JSONField):
            yield f"{name}__token", field
        if field.is_relation and field.related_model and depth > 1:
            related: Any = field.related_model
            yield from ((f"{name}__{deeper}", further) for deeper, further in paths(related, depth - 1))


def offered_fields(admin: "ModelAdmin[Any]") -> set[str]:
    return {str(entry) for entry in admin.list_filter if isinstance(entry, str)}


def own_names(admin: "ModelAdmin[Any]") -> set[str]:
    """What filters of our own are called in the address, some like the field that they show."""
    return {str(getattr(entry, "parameter_name", "")) for entry in admin.list_filter if isinstance(entry, type)}


def may_ask(admin: "ModelAdmin[Any]", lookup: str) -> bool:
    return admin.lookup_allowed(lookup, "1", HttpRequest())


@pytest.fixture
def admin_client(client: Client) -> Client:
    client.force_login(User.objects.create(username="admin", is_staff=True, is_superuser=True))
    return client


def test_the_site_is_looked_at_as_a_whole() -> None:
    models = {name_of(admin) for admin in admins()}
    assert {"auth.User", "auth.Group", "notifications.EmailMessage", "payments.Payment", "reports.Report"} <= models
    assert "bridge.BridgeProcess" in models


def test_no_field_can_be_asked_for_piece_by_piece() -> None:
    for admin in admins():
        offered = offered_fields(admin)
        asked = 0
        for path, field in paths(admin.model):
            of_offered = path.rpartition("__")[0] in offered and isinstance(field, Field) and field.primary_key
            allowed = OFFERED if path in offered else {"exact"} if of_offered else set()
            for lookup in set(ORACLES) - allowed:
                assert not may_ask(admin, f"{path}__{lookup}"), f"{path}__{lookup}"
                asked += 1
            assert path in offered | own_names(admin) or not may_ask(admin, path), path
        assert asked >= len(ORACLES)


def test_what_is_not_offered_is_answered_with_400_and_nothing_else(admin_client: Client) -> None:
    for admin in admins():
        fields = [name for name, field in paths(admin.model, depth=1) if getattr(field, "concrete", False)]
        for name in fields:
            answer = admin_client.get(f"{address_of(admin)}?{urlencode({f'{name}__regex': '.'})}")
            if answer.status_code == 200:
                # A page of our own, which takes nothing from the address.
                assert answer.context.get("cl") is None, name
            else:
                assert answer.status_code == 400, name


def test_what_a_list_offers_works(admin_client: Client) -> None:
    for admin in admins():
        page = admin_client.get(address_of(admin))
        changelist = page.context.get("cl")
        for spec in changelist.filter_specs if changelist else ():
            # The first leaves the filter out.
            for choice in islice(spec.choices(changelist), 1, 3):
                assert admin_client.get(address_of(admin) + choice["query_string"]).status_code == 200, choice
        if changelist and admin.date_hierarchy:
            query = (
                f"?{admin.date_hierarchy}__year=2026&{admin.date_hierarchy}__month=11&{admin.date_hierarchy}__day=26"
            )
            assert admin_client.get(address_of(admin) + query).status_code == 200


@pytest.mark.parametrize(
    "asked",
    [
        *("year=999999999999", "year=0", "year=x", "year=9999", "year=9999&{0}__month=12&{0}__day=31"),
        *("year=2026&{0}__month=13", "year=2026&{0}__month=2&{0}__day=31"),
    ],
)
def test_a_date_that_is_none_breaks_no_list(asked: str, admin_client: Client) -> None:
    for admin in admins():
        if admin.date_hierarchy:
            query = asked.format(admin.date_hierarchy)
            answer = admin_client.get(f"{address_of(admin)}?{admin.date_hierarchy}__{query}")
            assert answer.status_code in {200, 302, 400}, (name_of(admin), asked)


def test_the_text_of_a_mail_cannot_be_guessed_letter_by_letter() -> None:
    row = EmailMessage.objects.create(
        template="report_ready",
        recipient="anna@example.org",
        status=Status.SENDING,
        text_body=TOKEN,
        html_body=TOKEN,
        enqueued_at=timezone.now(),
    )
    staff = User.objects.create(username="support", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="view_emailmessage"))
    client = Client()
    client.force_login(staff)
    address = reverse("admin:notifications_emailmessage_changelist")
    for guess in ("token=1A", "token=1B"):
        for query in (f"id={row.pk}&text_body__regex={guess}", f"html_body__contains={guess}", f"text_body={guess}"):
            answer = client.get(f"{address}?{query}")
            assert answer.status_code == 400
            assert "anna@example.org" not in answer.content.decode()
        assert f">{row.pk}<" not in client.get(f"{address}?q={guess}").content.decode()


def ordering_of(admin: "ModelAdmin[Any]", column: Any) -> str | None:
    """The field that a column of the list sorts by."""
    shown = getattr(admin, column, None) if isinstance(column, str) else column
    return getattr(shown, "admin_order_field", None) if shown is not None else str(column)


def test_lists_are_sorted_and_searched_by_what_staff_may_see_alone() -> None:
    for admin in admins():
        hidden = {"password", "html_body", "text_body", "dedupe_key", "request_body", "body", "metadata", "preview"}
        hidden |= {"confirmation_token", "storage_name", "session_data"}
        sorted_by = {str(ordering_of(admin, column)).lstrip("-") for column in admin.list_display}
        searched = {str(field).lstrip("^=@$") for field in admin.search_fields}
        parts = {part for path in sorted_by | searched for part in path.split("__")}
        assert not parts & hidden


def test_a_row_is_found_by_its_key_alone(admin_client: Client) -> None:
    for admin in admins():
        others = [field.name for field in admin.model._meta.concrete_fields if not field.primary_key]
        assert not [name for name in others if admin.to_field_allowed(HttpRequest(), name)]
        try:
            page = reverse(f"admin:{admin.opts.app_label}_{admin.opts.model_name}_change", args=["1"])
        except NoReverseMatch:
            return
        for name in others[:2]:
            assert admin_client.get(f"{page}?_to_field={name}").status_code == 400
            assert admin_client.get(f"{address_of(admin)}?_popup=1&_to_field={name}").status_code == 400


def test_completion_is_closed_where_no_form_uses_it(admin_client: Client) -> None:
    relations = {
        (admin.opts.app_label, admin.opts.model_name, field.name)
        for admin in admins()
        for field in admin.model._meta.get_fields()
        if field.is_relation and not field.auto_created
    }
    assert ("payments", "refund", "requested_by") in relations
    for app, model, field in sorted(relations, key=str):
        query = urlencode({"app_label": app, "model_name": model, "field_name": field, "term": "a"})
        assert admin_client.get(f"/admin/autocomplete/?{query}").status_code == 403, query


@pytest.mark.parametrize("value", ["%00", "a%00b", "2026&created_at__gte=%00"])
def test_a_nul_in_a_filter_is_the_callers_mistake(admin_client: Client, value: str) -> None:
    asked = 0
    for admin in admins():
        for name in ("status", "kind", "attention", "is_staff", "created_at__year"):
            if may_ask(admin, name):
                assert admin_client.get(f"{address_of(admin)}?{name}={value}").status_code == 400
                asked += 1
    assert asked > 5


@pytest.mark.parametrize("query", ["q=%00", "o=%00", "p=%00", "q=%2500"])
def test_elsewhere_in_the_address_it_is_that_as_well(admin_client: Client, query: str) -> None:
    # The last is no NUL: a per cent sign and two digits.
    expected = 200 if "%25" in query else 400
    for admin in admins():
        assert admin_client.get(f"{address_of(admin)}?{query}").status_code == expected
        assert admin_client.get(f"{address_of(admin)}%00/change/").status_code == 400
