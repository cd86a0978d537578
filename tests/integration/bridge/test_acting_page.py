"""Acting on messages where they are shown: one, the chosen, all that match, after a question that counts them."""

import re
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from pytest_django import Settings

from bridge.admin import acting, acts
from bridge.message import LastError, Outcome, Reason
from bridge.models import OperatorAction
from bridge.pgmq import PgmqQueue
from bridge.rollup.failures import failure_groups
from bridge.tasks import carry_out_act
from tests.integration.bridge.deliveries import claim, read_one
from tests.integration.bridge.test_admin import client_with
from tests.integration.bridge.test_message_page import ACT, LOOK, page_of
from tests.integration.bridge.test_queue_page import PAGE, html_of, ids_on

LOST, HOPELESS, INVALID, REFUSED = (
    *(Reason.WORKER_LOST, Reason.PERMANENT_ERROR),
    *(Reason.INVALID_MESSAGE, Reason.REFUSED),
)
ALL = f"{PAGE}act/?what=requeue&which=all&tab=failures"
NAME = f"{LOOK} {ACT}"


@pytest.fixture
def operator(probe: PgmqQueue) -> Client:
    return client_with(LOOK, ACT)


def fail(queue: PgmqQueue, *reasons: Reason, error: LastError | None = None) -> list[int]:
    ids = []
    for reason in reasons:
        ids.append(queue.send({}))
        queue.finish(read_one(queue), Outcome.FAILED, reason=reason, error=error or LastError("Error", "why"))
    return ids


def retrying(queue: PgmqQueue, count: int = 1) -> list[int]:
    ids = []
    for _ in range(count):
        ids.append(queue.send({}))
        queue.retry(claim(queue, read_one(queue)).token, delay=600, error=LastError("TimeoutError", "no answer"))
    return ids


def open_ids(queue: PgmqQueue) -> list[int]:
    return [msg_id for msg_id, _reason in queue.failures(limit=100)]


def act_on(what: str, *ids: int, more: str = "") -> str:
    return f"{PAGE}act/?what={what}{''.join(f'&msg_id={one}' for one in ids)}{more}"


def filled_in(asked: Any, **typed: object) -> dict[str, Any]:
    """The form of a question as the browser sends it, with what somebody typed."""
    html = asked.content.decode().partition("<main")[2]
    fields = re.findall(r'<input type="(\w+)" name="(\w+)"(?: value="([^"]*)")?([^>]*)>', html)
    form = {name: value for kind, name, value, rest in fields if kind != "checkbox" or "checked" in rest}
    form = {name: value or ("on" if name == "only_hopeful" else "") for name, value in form.items()}
    return {**form, **{name: str(value) for name, value in typed.items() if value is not None}}


def answer(client: Client, address: str, **typed: object) -> list[str]:
    """Open the question, fill it in, send it; what is said then."""
    asked = client.get(address)
    assert asked.status_code == 200
    return said(client.post(address, filled_in(asked, **typed), follow=True))


def said(answered: Any) -> list[str]:
    return [str(message) for message in answered.context["messages"]]


def test_one_message_is_put_back_from_its_page_which_says_who_did_it(probe: PgmqQueue, operator: Client) -> None:
    (msg_id,) = fail(probe, LOST)
    (address,) = re.findall(r'href="([^"]*what=requeue[^"]*)"', operator.get(page_of(probe, msg_id)).content.decode())
    address = address.replace("&amp;", "&")
    asked = operator.get(address)
    assert "1 сообщение вернётся в probe_queue" in asked.content.decode()
    assert open_ids(probe) == [msg_id]
    done = operator.post(address, filled_in(asked, reason="почта снова работает"), follow=True)
    assert said(done) == ["1 сообщение возвращено в очередь."]
    assert done.redirect_chain == [(page_of(probe, msg_id), 302)]
    act = OperatorAction.objects.get()
    assert (act.action, act.actor, act.msg_id, act.count) == ("requeue", NAME, msg_id, 1)
    assert act.reason == "почта снова работает"
    seeing = client_with(LOOK, "view_operatoraction")
    assert "почта снова работает" in seeing.get(page_of(probe, msg_id)).content.decode()


def test_the_marked_ones_are_put_back_and_leave_the_list(probe: PgmqQueue, operator: Client) -> None:
    ids = fail(probe, LOST, LOST, LOST)
    html = html_of(operator, "?tab=failures")
    assert html.count('type="checkbox" name="msg_id"') == 3
    address = act_on("requeue", *ids[:2], more="&msg_id=nonsense&msg_id=" + "9" * 5000 + "&tab=failures")
    assert answer(operator, address) == ["2 сообщения возвращены в очередь."]
    assert open_ids(probe) == ids[2:]
    assert OperatorAction.objects.get().filters == {"ids": ids[:2]}


def test_without_a_mark_nothing_is_done_and_what_is_missing_is_said(probe: PgmqQueue, operator: Client) -> None:
    ids = fail(probe, LOST)
    for query in (
        "?what=requeue",
        "?what=requeue&msg_id=x",
        "?what=nonsense&msg_id=1",
        "",
        "?what=send_again&msg_id=1",
    ):
        answered = operator.get(f"{PAGE}act/{query}", follow=True)
        assert said(answered) == ["Ничего не сделано: сначала отметьте сообщения."], query
    assert open_ids(probe) == ids


def test_all_that_match_are_put_back_when_their_number_was_typed_in(probe: PgmqQueue, operator: Client) -> None:
    kept = fail(probe, HOPELESS, error=LastError("OurFault", "of another kind"))
    fail(probe, *[LOST] * 61, error=LastError("TimeoutError", "no answer after 17 s"))
    address = f"{ALL}&error_type=TimeoutError&pattern=no+answer+after+%3Cn%3E+s"
    asked = operator.get(address)
    assert "61 сообщение вернётся" in asked.content.decode()
    for typed in ("", "60", "шестьдесят", "61000", "-61"):
        again = operator.post(address, filled_in(asked, number=typed))
        assert (again.status_code, len(open_ids(probe))) == (200, 62), typed
    # What fails while the question stands on the screen was not asked about.
    later = fail(probe, LOST, error=LastError("TimeoutError", "no answer after 18 s"))
    assert said(operator.post(address, filled_in(asked, number=61), follow=True)) == [
        "61 сообщение возвращено в очередь."
    ]
    assert open_ids(probe) == [*later, *kept]
    act = OperatorAction.objects.get()
    assert (act.count, act.filters["error_type"], act.filters["pattern"]) == (
        61,
        "TimeoutError",
        "no answer after <n> s",
    )


def test_a_number_that_has_changed_meanwhile_is_asked_about_anew(probe: PgmqQueue, operator: Client) -> None:
    ids = fail(probe, LOST, LOST, LOST)
    asked = operator.get(ALL)
    answer(client_with(LOOK, ACT, "view_payment"), act_on("requeue", ids[0]))
    again = operator.post(ALL, filled_in(asked, number=3))
    assert "Число этих сообщений другое: сейчас их 2. Ничего не сделано." in again.content.decode()
    assert len(open_ids(probe)) == 2


def test_more_than_somebody_waits_for_are_put_back_by_workers(
    probe: PgmqQueue, operator: Client, monkeypatch: pytest.MonkeyPatch, broker_url: str
) -> None:
    monkeypatch.setattr(acting, "AT_ONCE", 3)
    fail(probe, *[LOST] * 5)
    (told,) = answer(operator, ALL, number=5, rate="2,5")
    assert "Это делают исполнители" in told
    act = OperatorAction.objects.get()
    assert (act.state, act.count, act.actor, act.rate, len(open_ids(probe))) == ("handed_over", 0, NAME, 2.5, 5)
    later = fail(probe, LOST)
    carry_out_act(act.pk)
    act.refresh_from_db()
    assert (act.state, act.count, open_ids(probe)) == ("done", 5, later)


def test_they_come_back_no_faster_than_somebody_wants(probe: PgmqQueue, operator: Client) -> None:
    ids = fail(probe, LOST, LOST, LOST)
    for typed in ("0", "-1", "schnell"):
        asked = operator.get(ALL)
        assert operator.post(ALL, filled_in(asked, number=3, rate=typed)).status_code == 200
    assert open_ids(probe) == ids[::-1]
    answer(operator, ALL, number=3, rate="0.1")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT round(extract(epoch FROM vt - min(vt) OVER ())) FROM pgmq.q_{probe.name} ORDER BY vt")
        assert [int(seconds) for (seconds,) in cursor.fetchall()] == [0, 10, 20]


def test_a_form_that_is_sent_twice_acts_once(probe: PgmqQueue, operator: Client) -> None:
    first, second = fail(probe, LOST, LOST)
    form = filled_in(operator.get(act_on("requeue", first)))
    for repeated in (False, True):
        done = said(operator.post(act_on("requeue", first), form, follow=True))
        assert done == ["Об этом уже просили, и это сделано один раз."] * repeated + [
            "1 сообщение возвращено в очередь."
        ]
    assert OperatorAction.objects.count() == 1
    assert open_ids(probe) == [second]
    assert operator.post(act_on("requeue", second), {**form, "key": "nonsense"}).status_code == 200
    assert open_ids(probe) == [second]


@pytest.mark.parametrize(("leave", "left"), [("on", {HOPELESS, INVALID}), (None, set())])
@pytest.mark.parametrize("which", ["all", "marked"])
def test_what_a_repeat_does_not_help_is_left_alone_unless_it_is_meant(
    probe: PgmqQueue, operator: Client, which: str, leave: str | None, left: set[Reason]
) -> None:
    ids = fail(probe, LOST, HOPELESS, INVALID)
    address = ALL if which == "all" else act_on("requeue", *ids)
    asked = operator.get(address)
    assert "Для 2 из них повтор не поможет" in asked.content.decode()
    form = filled_in(asked, number=3 if which == "all" else None)
    assert form["only_hopeful"] == "on"
    if leave is None:
        del form["only_hopeful"]
    operator.post(address, form)
    assert {reason for _msg_id, reason in probe.failures(limit=9)} == {reason.value for reason in left}


def test_what_our_rules_refused_goes_back_only_when_it_is_meant(probe: PgmqQueue, operator: Client) -> None:
    (refused,) = fail(probe, REFUSED)
    assert "сначала отметьте" in said(operator.get(ALL, follow=True))[0]
    assert "what=requeue&amp;which=all&amp;tab=failures&amp;reason=refused" in html_of(
        operator, "?tab=failures&reason=refused"
    )
    asked = operator.get(f"{ALL}&reason=refused")
    assert "повтор не поможет" in asked.content.decode()
    assert answer(operator, act_on("requeue", refused)) == ["1 сообщение возвращено в очередь."]


def test_messages_that_wait_are_repeated_at_once_or_discarded(probe: PgmqQueue, operator: Client) -> None:
    first, second, third, fourth = retrying(probe, 4)
    assert answer(operator, act_on("retry", first)) == ["1 сообщение будет повторено сейчас."]
    assert answer(operator, act_on("discard", second)) == ["1 сообщение снято."]
    html = html_of(operator, "?tab=retrying")
    assert ids_on(html) == [third, fourth]
    (everything,) = re.findall(r'href="([^"]*what=retry[^"]*)"', html)
    assert answer(operator, everything.replace("&amp;", "&"), number=2) == ["2 сообщения будут повторены сейчас."]
    assert probe.counts().ready == 3
    history = probe.archived_history(second)
    assert history is not None
    assert history["reason"] == "discarded"
    assert "снято оператором" in operator.get(page_of(probe, second)).content.decode()


def test_failures_that_are_discarded_leave_the_list_and_one_may_be_put_back_after_all(
    probe: PgmqQueue, operator: Client
) -> None:
    ids = fail(probe, LOST, HOPELESS)
    assert answer(operator, ALL.replace("requeue", "discard"), number=2) == ["2 сообщения снято."]
    assert ids_on(html_of(operator, "?tab=failures")) == []
    page = operator.get(page_of(probe, ids[0])).content.decode()
    assert "не удалось, снято" in page
    assert "what=discard" not in page
    assert answer(operator, act_on("requeue", ids[0])) == ["1 сообщение возвращено в очередь."]


def test_why_a_message_was_left_alone_is_said_in_russian_and_in_few_lines(probe: PgmqQueue, operator: Client) -> None:
    (before,) = fail(probe, LOST)
    queued = probe.send({})
    answer(operator, act_on("requeue", before))
    told = answer(operator, act_on("requeue", before, queued, 999999))
    assert told == [
        f"Сообщение № {before} уже возвращали в очередь, под № {queued + 1}.",
        f"Сообщение № {queued} ещё в очереди: возвращают только то, что окончательно не удалось.",
        "Сообщения № 999999 больше нет в архиве.",
        "0 сообщений возвращено в очередь.",
    ]
    many = answer(operator, act_on("requeue", *range(1001, 1061)))
    assert len(many) == acts.MOST_TOLD + 2
    assert "И ещё 55." in many


def test_nobody_acts_without_the_right_to(probe: PgmqQueue) -> None:
    (msg_id,) = fail(probe, LOST)
    looker = client_with(LOOK)
    for page in (f"{PAGE}?tab=failures", page_of(probe, msg_id)):
        html = looker.get(page).content.decode()
        assert "/act/" not in html.partition("<main")[2]
        assert 'type="checkbox" name="msg_id"' not in html
    assert looker.get(act_on("requeue", msg_id)).status_code == 403
    assert looker.post(act_on("requeue", msg_id), {"key": str(uuid4())}).status_code == 403
    assert open_ids(probe) == [msg_id]


def test_where_a_second_factor_is_needed_nothing_is_done_without_it(
    probe: PgmqQueue, operator: Client, settings: Settings
) -> None:
    (msg_id,) = fail(probe, LOST)
    form = filled_in(operator.get(act_on("requeue", msg_id)))
    settings.STAFF_2FA = "required"
    for answered in (operator.get(act_on("requeue", msg_id)), operator.post(act_on("requeue", msg_id), form)):
        assert answered.status_code == 302
        assert "second-factor" in answered["Location"] or "login" in answered["Location"]
    assert open_ids(probe) == [msg_id]
    assert User.objects.filter(username=NAME).exists()


def test_a_queue_that_is_not_there_leads_back(probe: PgmqQueue, operator: Client, broker_url: str) -> None:
    address = act_on("requeue", 1).replace("probe_queue", "no_such_queue")
    assert "Очереди no_such_queue нет в базе данных." in said(operator.get(address, follow=True))


@pytest.mark.parametrize("error", ["nothing is at /report?token=Zx81 any more", "refused: (@nobody)"])
def test_many_of_a_group_whose_text_is_not_written_down_are_put_back_at_once(
    probe: PgmqQueue, operator: Client, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    monkeypatch.setattr(acting, "AT_ONCE", 2)
    fail(probe, LOST, LOST, LOST, error=LastError("LookupError", error))
    (group,) = failure_groups(probe.name)
    address = f"{ALL}&{urlencode({'pattern': group.pattern})}"
    assert answer(operator, address, number=3) == ["3 сообщения возвращены в очередь."]
    assert open_ids(probe) == []
    assert "Zx81" not in str(OperatorAction.objects.get().filters)
