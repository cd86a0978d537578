"""Who did what: a list to look at, with filters, that nobody changes."""

import re

import pytest
from django.test import Client

from bridge.models import OperatorAction
from tests.integration.bridge.test_admin import client_with
from tests.integration.bridge.test_message_page import text_of
from tests.support.databases import ClonedDatabase

PAGE = "/admin/bridge/operatoraction/"


@pytest.fixture
def looker(database: ClonedDatabase) -> Client:
    make = OperatorAction.objects.create
    make(
        actor_kind="staff", actor="olga", action="requeue", queue="email_queue", msg_id=17, reason="почта <b>снова</b>"
    )
    wanted = {"reason": "retries_exhausted", "error_type": "OurFault", "pattern": "<n> refused", "ids": [*range(30)]}
    make(
        actor_kind="cli", actor="root", action="discard", queue="probe_queue", count=120, filters=wanted,
        skipped={"still_queued": 1, "busy": 2, "from_the_future": 3},
    )  # fmt: skip
    make(actor_kind="system", actor="breaker", action="of_a_newer_version", queue="Очередь других", count=0)
    return client_with("view_operatoraction")


def rows_on(client: Client, query: str = "") -> list[str]:
    html = client.get(f"{PAGE}{query}").content.decode().partition('id="result_list"')[2].partition("</table>")[0]
    rows = html.partition("<tbody>")[2].split("</tr>")[:-1]
    return [re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", row)).strip() for row in rows]


def test_each_says_who_did_what_where_to_how_many_and_why(looker: Client) -> None:
    newest, discarded, requeued = rows_on(looker)
    assert "breaker сам сервис of_a_newer_version Очередь других 0 —" in newest
    assert (
        "root командная строка снято probe_queue 120 3: from_the_future; 2: сейчас занято кем-то другим;" in discarded
    )
    assert "1: ещё в очереди" in discarded
    assert "olga возвращено в очередь email_queue № 17 1 почта &lt;b&gt;снова&lt;/b&gt;" in requeued
    assert 'href="/admin/bridge/queueoverview/email_queue/17/"' in looker.get(PAGE).content.decode()


def test_its_page_says_which_messages_were_meant(looker: Client) -> None:
    act = OperatorAction.objects.get(actor="root")
    page = text_of(looker, f"{PAGE}{act.pk}/change/")
    assert "причина: все попытки исчерпаны; вид ошибки: OurFault; с текстом вида: &lt;n&gt; refused" in page
    assert "18, 19 …" in page
    alone = OperatorAction.objects.get(actor="olga")
    assert "все или то, что названо" in text_of(looker, f"{PAGE}{alone.pk}/change/")


def test_a_pause_counts_no_messages_and_its_end_is_a_time_as_people_read_it(looker: Client) -> None:
    until = {"until": "2026-11-27T00:56:46.036297+00:00"}
    OperatorAction.objects.create(actor_kind="staff", actor="olga", action="pause", queue="email_queue", filters=until)
    newest = rows_on(looker)[0]
    assert "приостановлено email_queue —" in newest
    act = OperatorAction.objects.get(action="pause")
    assert "до: 27.11.2026 03:56" in text_of(looker, f"{PAGE}{act.pk}/change/")


@pytest.mark.parametrize(
    ("query", "who"),
    [
        ("?action=discard", ["root"]),
        ("?queue=email_queue", ["olga"]),
        ("?actor_kind__exact=system", ["breaker"]),
        ("?q=olg", ["olga"]),
        ("?q=17", ["olga"]),
        ("?q=Очередь других", ["breaker"]),
        ("?q=nobody", []),
    ],
)
def test_it_is_narrowed_by_who_what_and_where(looker: Client, query: str, who: list[str]) -> None:
    rows = rows_on(looker, query)
    assert [name for name in ("olga", "root", "breaker") if any(name in row for row in rows)] == who
    assert len(rows) == len(who)


def test_nobody_changes_it(looker: Client) -> None:
    act = OperatorAction.objects.get(actor="root")
    boss = client_with("view_operatoraction", "add_operatoraction", "change_operatoraction", "delete_operatoraction")
    for client in (looker, boss):
        assert client.get(f"{PAGE}add/").status_code == 403
        assert client.post(f"{PAGE}{act.pk}/change/", {"actor": "x"}).status_code == 403
        assert client.post(f"{PAGE}{act.pk}/delete/", {"post": "yes"}).status_code == 403
    assert OperatorAction.objects.get(pk=act.pk).actor == "root"
    assert client_with("view_queueoverview").get(PAGE).status_code == 403
