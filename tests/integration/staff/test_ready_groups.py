"""The ready groups: they are there, each sees what its people need and nothing else, and they stay the operator's."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.test import Client

from balansity.groups import GROUPS, make_groups
from balansity.models import ReadyGroup
from balansity.staff_accounts import right_in_words, rights_with_a_page
from payments.states import ProviderStatus
from sandbox.packages import packages
from tests.integration.notifications.test_notifications_admin import row as email_row
from tests.integration.reports.test_reports_admin import row as report_row
from tests.support.checkouts import make_checkout
from tests.support.databases import ClonedDatabase
from tests.support.staff_pages import is_page

pytestmark = pytest.mark.usefixtures("broker_url")

PAYMENTS, REFUNDS = "/admin/payments/payment/", "/admin/payments/refund/"
REVENUE, MAILS, REPORTS = f"{PAYMENTS}revenue/", "/admin/notifications/emailmessage/", "/admin/reports/report/"
QUEUES, PROCESSES = "/admin/bridge/queueoverview/", "/admin/bridge/bridgeprocess/"
SURROUNDINGS = "/admin/balansity/surroundings/"
USERS, TEAMS, LOGINS = "/admin/auth/user/", "/admin/auth/group/", "/admin/balansity/loginattempt/"
NOTIFICATIONS = "/admin/payments/providernotification/"
ALL = {PAYMENTS, REFUNDS, REVENUE, MAILS, REPORTS, QUEUES, PROCESSES, USERS, TEAMS, LOGINS, NOTIFICATIONS, SURROUNDINGS}
SEES = {
    "Поддержка": {PAYMENTS, REFUNDS, NOTIFICATIONS, MAILS, REPORTS},
    "Финансы": {PAYMENTS, REFUNDS, NOTIFICATIONS, REVENUE},
    "Оператор": {PAYMENTS, REFUNDS, NOTIFICATIONS, MAILS, REPORTS, QUEUES, PROCESSES, LOGINS, SURROUNDINGS},
    "Администратор": ALL,
}
# Who may do what to one row: answered with 403 to everybody else.
MAY = {
    "refund": {"Финансы", "Администратор"},
    "check": {"Поддержка", "Финансы", "Оператор", "Администратор"},
    "send-again": {"Поддержка", "Оператор", "Администратор"},
    "generate-again": {"Поддержка", "Оператор", "Администратор"},
    "file": {"Администратор"},
    "put back": {"Оператор", "Администратор"},
}


@pytest.fixture(autouse=True)
def groups(seeded_database: ClonedDatabase) -> None:
    make_groups()


def member_of(group: str) -> Client:
    user = User.objects.create(username=group, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user)
    return client


def test_each_group_sees_its_pages_and_reads_so_at_the_others() -> None:
    for group, seen in SEES.items():
        member = member_of(group)
        assert member.get("/admin/").status_code == 200
        for address in ALL:
            answer = member.get(address)
            assert answer.status_code == (200 if address in seen else 403), (group, address)
            assert is_page(answer), (group, address)
            # And is led to no page that it may not open.
            shown = answer.content.decode() if address in seen else ""
            assert [other for other in ALL - seen if f'href="{other}"' in shown] == [], (group, address)


def test_each_group_may_do_its_part_and_no_more() -> None:
    for number, group in enumerate(SEES, 1):
        may_do_its_part(group, number)


def may_do_its_part(group: str, number: int) -> None:
    member = member_of(group)
    payment, mail, report = make_checkout(ProviderStatus.SUCCEEDED).payment, email_row(number), report_row()
    answers: dict[str, Any] = {
        "refund": member.get(f"{PAYMENTS}{payment.pk}/refund/"),
        "check": member.get(f"{PAYMENTS}{payment.pk}/check/"),
        "send-again": member.post(f"{MAILS}{mail.pk}/send-again/"),
        "generate-again": member.post(f"{REPORTS}{report.pk}/generate-again/"),
        "file": member.get(f"{REPORTS}{report.pk}/file/"),
        "put back": member.get(f"{QUEUES}email_queue/act/?what=requeue&msg_id=1"),
    }
    assert {name for name, answer in answers.items() if answer.status_code != 403} == {
        name for name, groups in MAY.items() if group in groups
    }, group


def test_they_come_with_the_migrations() -> None:
    Group.objects.all().delete()
    ReadyGroup.objects.all().delete()
    call_command("migrate", verbosity=0, interactive=False)
    assert set(Group.objects.values_list("name", flat=True)) == set(SEES)


def test_every_right_of_a_group_is_one_that_there_is() -> None:
    for ready in GROUPS:
        note = ReadyGroup.objects.get(key=ready.key)
        assert note.group is not None
        given = {f"{one.content_type.app_label}.{one.codename}" for one in note.group.permissions.all()}
        assert given == set(ready.rights) == set(note.granted)


def test_what_the_operator_changed_is_kept() -> None:
    support, finance = Group.objects.get(name="Поддержка"), Group.objects.get(name="Финансы")
    support.name = "Забота о клиентах"
    support.save()
    support.permissions.remove(Permission.objects.get(codename="resend_emailmessage"))
    support.permissions.add(Permission.objects.get(codename="view_bridgeprocess"))
    before = set(support.permissions.all())
    finance.delete()
    make_groups()
    assert set(Group.objects.values_list("name", flat=True)) == set(SEES) - {"Поддержка", "Финансы"} | {
        "Забота о клиентах"
    }
    assert set(support.permissions.all()) == before


def test_a_right_of_the_next_release_comes_to_a_group_that_was_renamed() -> None:
    note = ReadyGroup.objects.get(key="finance")
    assert note.group is not None
    note.group.permissions.remove(Permission.objects.get(codename="view_revenue"))
    note.granted.remove("payments.view_revenue")
    note.save()
    Group.objects.filter(pk=note.group.pk).update(name="Бухгалтерия")
    make_groups()
    assert Group.objects.get(name="Бухгалтерия").permissions.filter(codename="view_revenue").exists()


def test_members_of_a_group_that_has_the_name_already_get_nothing_by_it() -> None:
    Group.objects.all().delete()
    ReadyGroup.objects.all().delete()
    Group.objects.create(name="Администратор")
    make_groups()
    assert not Group.objects.get(name="Администратор").permissions.exists()
    assert Group.objects.get(name="Администратор (готовая)").permissions.exists()


def test_rights_are_given_in_russian_and_only_those_that_there_is_something_for() -> None:
    rights = list(rights_with_a_page())
    for right in rights:
        assert not any(letter.isascii() and letter.isalpha() for letter in right_in_words(right).replace("ЮKassa", ""))
    assert len({right_in_words(right) for right in rights}) == len(rights)
    ours = Permission.objects.filter(content_type__app_label__in=packages())
    assert not ours.filter(codename__regex="^(add|change|delete)_").exists()
    boss = Client()
    boss.force_login(User.objects.create_superuser("boss"))
    for page in (f"{USERS}{User.objects.get().pk}/change/", f"{TEAMS}add/"):
        shown = boss.get(page).content.decode()
        assert "смотреть: возвраты" in shown
        assert "Can " not in shown


def test_an_older_releases_rights_to_nothing_are_forgotten() -> None:
    kind = Permission.objects.get(codename="view_payment").content_type
    old = Permission.objects.create(content_type=kind, codename="delete_payment", name="Can delete payment")
    make_groups()
    assert not Permission.objects.filter(pk=old.pk).exists()
    # Django's own tables are Django's.
    assert Permission.objects.filter(codename="delete_session").exists()


def test_whoever_manages_accounts_gives_nobody_more_than_they_have() -> None:
    boss, root = member_of("Администратор"), User.objects.create_superuser("root")
    other = User.objects.create(username="other", is_staff=True)
    page = f"{USERS}{other.pk}/change/"
    beyond = Group.objects.create(name="Особые")
    beyond.permissions.add(Permission.objects.get(codename="delete_session"))
    form = {"username": "other", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    boss.post(page, {**form, "groups": [Group.objects.get(name="Финансы").pk]})
    other.refresh_from_db()
    assert (other.is_superuser, [group.name for group in other.groups.all()]) == (False, ["Финансы"])
    boss.post(page, {**form, "groups": [beyond.pk]})
    boss.post(page, {**form, "user_permissions": [Permission.objects.get(codename="delete_session").pk]})
    assert not other.has_perm("sessions.delete_session")
    # A superuser's account is not theirs, nor are its password, its deletion, or a group that may more.
    for address in (
        f"{USERS}{root.pk}/password/",
        f"{USERS}{root.pk}/delete/",
        f"{TEAMS}{beyond.pk}/delete/",
    ):
        assert boss.get(address).status_code == 403, address
    assert boss.post(f"{USERS}{root.pk}/change/", form).status_code == 403
    assert boss.post(USERS, {"action": "delete_selected", "_selected_action": [root.pk], "post": "yes"})
    assert User.objects.filter(username="root").exists()


def test_an_account_that_is_switched_off_is_no_way_to_its_rights() -> None:
    boss = member_of("Администратор")
    root = User.objects.create_superuser("root", is_active=False)
    strong = User.objects.create(username="strong", is_active=False)
    strong.user_permissions.add(Permission.objects.get(codename="delete_session"))
    weak = User.objects.create(username="weak", is_active=False)
    assert [boss.get(f"{USERS}{one.pk}/password/").status_code for one in (root, strong, weak)] == [403, 403, 200]


def test_what_somebody_has_is_not_lost_when_somebody_else_saves_them() -> None:
    boss = member_of("Администратор")
    me = User.objects.get(username="Администратор")
    right = Permission.objects.get(codename="delete_session")
    me.user_permissions.add(right)
    other = User.objects.create(username="other", is_staff=True)
    other.user_permissions.add(right)
    form = {"username": "other", "is_active": "on", "user_permissions": [right.pk]}
    boss.post(f"{USERS}{other.pk}/change/", form)
    other.refresh_from_db()
    assert (other.is_staff, list(other.user_permissions.all())) == (False, [right])
