"""The page of a queue: its states on tabs, pages that go on where the last one ended, and no table counted for any."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bridge.admin import failures_tab, queue_page
from bridge.message import LastError, MessageState, Outcome, Reason
from bridge.pgmq import PgmqQueue
from bridge.rollup.passing import roll_up
from bridge.sql import browsing
from tests.integration.bridge.deliveries import claim, read_one
from tests.integration.bridge.test_admin import client_with
from tests.integration.bridge.test_message_page import ACT, BOTH_CARRIERS, LOOK, fail, page_of

PAGE = "/admin/bridge/queueoverview/probe_queue/"
TABS = (*MessageState, "failures", "archive")


@pytest.fixture
def looker(probe: PgmqQueue) -> Client:
    return client_with(LOOK)


def html_of(client: Client, query: str = "") -> str:
    answer = client.get(f"{PAGE}{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def ids_on(html: str) -> list[int]:
    """The messages of the list, in its order."""
    return [int(number) for number in re.findall(r'<th scope="row"><a href="[^"]+">№ (\d+)</a>', html)]


def further(html: str) -> str:
    """The query of the page that the list goes on with."""
    (address,) = {*re.findall(r'href="[^"?]+(\?[^"]+)">(?:Дальше|Искать дальше)<', html)}
    return str(address).replace("&amp;", "&")


def all_ids(client: Client, query: str) -> list[int]:
    """What all pages of a list show, one after the other."""
    html = html_of(client, query)
    found = ids_on(html)
    while "альше</a>" in html or "Искать дальше" in html:
        html = html_of(client, further(html))
        found += ids_on(html)
    return found


def counts_on(html: str) -> dict[str, str]:
    found = re.findall(r'<a href="[^"]*\?tab=(\w+)"[^>]*>[^<]*(?:<span>([^<]*)</span>)?</a>', html)
    return {name: count.replace("\xa0", " ") for name, count in found}


@BOTH_CARRIERS
def test_each_state_has_a_tab_with_its_number_and_its_messages(probe: PgmqQueue, looker: Client) -> None:
    done, failed = probe.send({}), probe.send({})
    for outcome in (Outcome.SUCCEEDED, Outcome.FAILED):
        claimed = claim(probe, read_one(probe))
        probe.finish(claimed, outcome, reason=Reason.WORKER_LOST if outcome == Outcome.FAILED else None)
    retrying, running, in_line = (probe.send({}) for _ in range(3))
    probe.retry(claim(probe, read_one(probe)).token, delay=600, error=LastError("TimeoutError", "no answer"))
    claim(probe, read_one(probe))
    read_one(probe)
    ready, delayed = probe.send({}), probe.send({}, delay=600)
    expected = {"ready": [ready], "retrying": [retrying], "running": [running], "in_line": [in_line]}
    expected |= {"delayed": [delayed], "failures": [failed], "archive": [failed, done]}
    for tab, ids in expected.items():
        html = html_of(looker, f"?tab={tab}")
        assert ids_on(html) == ids, tab
        assert counts_on(html) == {**dict.fromkeys(TABS, "1"), "failures": "", "archive": "2"}, tab
        assert html.count("bridge-chosen") == 1
    assert "TimeoutError: no answer" in html_of(looker, "?tab=retrying")
    # An address that makes no sense shows the first of them.
    for query in ("", "?tab=nonsense", "?after=nonsense", "?after=2026-01-01T00:00Z_x", "?after=9999-99-99_1"):
        assert ids_on(html_of(looker, query)) == [ready]


@pytest.mark.parametrize("tab", ["ready", "in_line", "delayed", "archive", "failures"])
def test_pages_go_on_where_the_one_before_ended(
    probe: PgmqQueue, looker: Client, monkeypatch: pytest.MonkeyPatch, tab: str
) -> None:
    for module in (queue_page, failures_tab):
        monkeypatch.setattr(module, "PAGE", 3)
    # One statement sends all, so all have the same time.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pgmq.send(%s, '{}', %s) FROM generate_series(1, 8)", [probe.name, 600 * (tab == "delayed")]
        )
    ids = [*range(1, 9)]
    if tab == "in_line":
        # One statement leases all, each at a moment of its own, and in whatever order it comes to them.
        due = sorted((one.token.vt, one.msg_id) for one in probe.read(limit=8, lease=600))
        ids = [msg_id for _vt, msg_id in due]
    if tab in ("archive", "failures"):
        for message in sorted(probe.read(limit=8, lease=600), key=lambda one: one.msg_id):
            probe.finish(message, Outcome.FAILED, reason=Reason.WORKER_LOST)
        ids.reverse()
    assert all_ids(looker, f"?tab={tab}") == ids
    assert all_ids(looker, f"?tab={tab}&since=2026-01-01T00:00&until=2100-01-01") == ids
    html = html_of(looker, f"?tab={tab}")
    assert ids_on(html) == ids[:3]
    # What comes meanwhile moves nothing.
    probe.send({})
    assert ids_on(html_of(looker, further(html))) == ids[3:6]
    assert f'href="{PAGE}?tab={tab}">В начало' in html_of(looker, further(html))


def test_a_list_looks_through_so_much_and_says_where_the_search_goes_on(
    probe: PgmqQueue, looker: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browsing, "DEPTH", 4)
    wanted = fail(probe)
    for _ in range(9):
        probe.send({})
        probe.finish(read_one(probe), Outcome.SUCCEEDED)
    first = html_of(looker, "?tab=archive&outcome=failed")
    assert ids_on(first) == []
    assert "Просмотрено 4 сообщения, таких среди них нет." in first
    assert all_ids(looker, "?tab=archive&outcome=failed") == [wanted]
    assert all_ids(looker, "?tab=archive&outcome=failed&since=2026-01-01") == [wanted]


def test_the_archive_is_narrowed_by_outcome_reason_time_and_trace_id(probe: PgmqQueue, looker: Client) -> None:
    lost, done, other, doubled = (probe.send({"n": n}) for n in range(4))
    endings: Any = (
        (Outcome.FAILED, Reason.PERMANENT_ERROR),
        (Outcome.SUCCEEDED, None),
        None,
        (Outcome.DUPLICATE, None),
    )
    for number, ending in enumerate(endings):
        message = probe.claim(read_one(probe).token, lease=60, attempts=1, trace_id=f"trace-{number}")
        assert message is not None
        if ending:
            probe.finish(message, ending[0], reason=ending[1])
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.archive(%s, %s::bigint)", [probe.name, other])
        cursor.execute(f"UPDATE pgmq.a_{probe.name} SET archived_at = '2026-11-20T12:00Z' WHERE msg_id = %s", [done])
    for query, ids in {
        "outcome=failed": [lost],
        "outcome=succeeded": [done],
        "outcome=duplicate": [doubled],
        "outcome=other": [other],
        "outcome=nonsense": [doubled, other, done, lost],
        "reason=permanent_error": [lost],
        "reason=worker_lost": [],
        "trace_id=trace-3": [doubled],
        "trace_id=%27+OR+1%3D1": [],
        # Moscow's time.
        "since=2026-11-20T14:59&until=2026-11-20T15:01": [done],
        "since=2026-11-20T15:01": [doubled, other, lost],
        "until=2026-11-20T12:01%2B00:00": [done],
        "since=yesterday": [doubled, other, done, lost],
        "outcome=failed&since=2026-11-01&until=2026-11-21": [],
    }.items():
        # By the time of archiving where one is asked for.
        assert sorted(ids_on(html_of(looker, f"?tab=archive&{query}"))) == sorted(ids), query
    assert ids_on(html_of(looker, "?tab=archive&trace_id=trace-1")) == [done]


def test_a_message_is_found_by_its_number(probe: PgmqQueue, looker: Client) -> None:
    msg_id = probe.send({})
    for typed in (str(msg_id), f" № {msg_id} "):
        answer = looker.get(PAGE, {"msg_id": typed})
        assert (answer.status_code, answer["Location"]) == (302, page_of(probe, msg_id))
    assert looker.get(PAGE, {"msg_id": "x"}).status_code == 200


def test_failures_are_grouped_by_cause_with_number_times_and_an_example(probe: PgmqQueue, looker: Client) -> None:
    for number in range(3):
        probe.send({})
        error = LastError("OurFault", f"554 user{number}@example.org is not ours")
        probe.finish(read_one(probe), Outcome.FAILED, reason=Reason.PERMANENT_ERROR, error=error)
    lost = probe.send({})
    probe.finish(read_one(probe), Outcome.FAILED, reason=Reason.WORKER_LOST, error=LastError("WorkerLost", "it died"))
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE pgmq.a_{probe.name} SET archived_at = '2026-11-20T12:00Z' WHERE msg_id = 1")
        cursor.execute(f"UPDATE pgmq.a_{probe.name} SET archived_at = '2026-11-21T12:00Z' WHERE msg_id IN (2, 3)")
    html = html_of(looker, "?tab=failures")
    groups = re.findall(r'<th scope="row"><a href="[^"?]+(\?[^"]+)">(\d+)</a></th>(.*?)</tr>', html, re.DOTALL)
    assert [count for _query, count, _cells in groups] == ["3", "1"]
    cells = groups[0][2]
    assert "повтор не поможет" in cells
    assert "OurFault: &lt;n&gt; &lt;address&gt; is not ours" in cells
    assert "20.11.2026 15:00" in cells
    assert "21.11.2026 15:00" in cells
    assert f'<a href="{page_of(probe, 3)}">№ 3</a>' in cells
    assert ids_on(html) == [lost, 3, 2, 1]
    group = html_of(looker, groups[0][0].replace("&amp;", "&"))
    assert ids_on(group) == [3, 2, 1]
    assert "Всего: 3" in group
    assert "С текстом вида: &lt;n&gt; &lt;address&gt; is not ours" in group


def test_rolled_up_failures_are_listed_with_the_rest(probe: PgmqQueue, looker: Client) -> None:
    first = fail(probe)
    roll_up(probe.name)
    second = fail(probe)
    assert ids_on(html_of(looker, "?tab=failures")) == [second, first]


def test_what_our_rules_refused_is_shown_when_asked_for(probe: PgmqQueue, looker: Client) -> None:
    msg_id = probe.send({})
    probe.finish(read_one(probe), Outcome.FAILED, reason=Reason.REFUSED, error=LastError("Refused", "too many"))
    assert ids_on(html_of(looker, "?tab=failures")) == []
    refused = html_of(looker, "?tab=failures&reason=refused")
    assert ids_on(refused) == [msg_id]
    assert "запрещено правилами" in refused


def test_old_addresses_lead_to_the_tab_of_failures(probe: PgmqQueue, looker: Client) -> None:
    for query, there in (("", ""), ("?hours=24&page=3", "&hours=24"), ("?reason=refused", "&reason=refused")):
        answer = looker.get(f"{PAGE}failed/{query}")
        assert (answer.status_code, answer["Location"]) == (302, f"{PAGE}?tab=failures{there}")
    # A form that was open during the update does nothing.
    assert client_with(LOOK, ACT).post(f"{PAGE}failed/", {"msg_id": "1", "which": "marked"}).status_code == 302
    assert "За последние часы: 24" in html_of(looker, "?tab=failures&hours=24")


def test_failures_of_the_last_hours_move_with_the_clock(probe: PgmqQueue, looker: Client) -> None:
    old, new = fail(probe), fail(probe)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE pgmq.a_{probe.name} SET archived_at = now() - interval '25 hours' WHERE msg_id = %s", [old]
        )
    assert ids_on(html_of(looker, "?tab=failures&hours=24")) == [new]


def test_numbers_are_counted_no_further_than_anybody_reads(
    probe: PgmqQueue, looker: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browsing, "MOST", 3)
    monkeypatch.setattr(queue_page, "MOST", 3)
    monkeypatch.setattr(browsing, "DEPTH", 2)
    monkeypatch.setattr(queue_page, "DEPTH", 2)
    for _ in range(4):
        probe.send({})
        probe.finish(read_one(probe), Outcome.SUCCEEDED)
    for _ in range(4):
        probe.send({})
        probe.send({}, delay=600)
    counts = counts_on(html_of(looker))
    assert (counts["ready"], counts["archive"], counts["delayed"]) == ("больше 3", "больше 3", "от 3")


@BOTH_CARRIERS
def test_no_page_reads_the_whole_of_a_large_table(probe: PgmqQueue, looker: Client) -> None:
    """Each statement of a page is run again where its plan is told, on twenty thousand rows: none reads them all."""
    fill(probe, 20_000)
    looked: dict[str, int] = {}
    queries = [f"?tab={tab}" for tab in TABS]
    queries += ["?tab=archive&outcome=failed", "?tab=archive&since=2020-01-01", "?tab=archive&trace_id=none"]
    queries += ["?tab=retrying&trace_id=none", "?tab=archive&outcome=duplicate&until=2100-01-01", "500/"]
    for query in queries:
        with CaptureQueriesContext(connection) as sent:
            assert looker.get(f"{PAGE}{query}").status_code == 200
        with connection.cursor() as cursor:
            for statement in {one["sql"] for one in sent if "probe_queue" in one["sql"]}:
                if statement.lstrip().upper().startswith(("SELECT", "WITH")):
                    cursor.execute(f"EXPLAIN (ANALYZE, TIMING off, SUMMARY off) {statement.replace('%', '%%')}")
                    rows = [int(float(number)) for (line,) in cursor.fetchall() for number in of_large_tables(line)]
                    looked[f"{query} {statement[:60]}"] = max(rows, default=0)
    assert {what: rows for what, rows in looked.items() if rows > browsing.MOST + 1} == {}
    assert max(looked.values()) > 0


def of_large_tables(line: str) -> list[str]:
    """How many rows a line of a plan says that it read of the queue or its archive, all loops together."""
    found = re.search(r"Scan.* on (?:pgmq\.)?[qa]_probe_queue\b.*actual rows=([\d.]+) loops=(\d+)", line)
    return [str(float(found[1]) * int(found[2]))] if found else []


def fill(queue: PgmqQueue, rows: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO pgmq.a_{queue.name} (msg_id, read_ct, enqueued_at, archived_at, vt, message)"
            " SELECT g, 1, now(), now() - g * interval '1 second', now(), jsonb_build_object('_bridge',"
            " jsonb_build_object('outcome', 'succeeded')) FROM generate_series(1, %s) AS g",
            [rows],
        )
        cursor.execute(
            f"INSERT INTO pgmq.q_{queue.name} (read_ct, enqueued_at, vt, message)"
            " SELECT 0, now(), now() + (g %% 2 * 2 - 1) * interval '1 hour', '{}' FROM generate_series(1, %s) AS g",
            [rows],
        )
        cursor.execute(f"ANALYZE pgmq.a_{queue.name}, pgmq.q_{queue.name}")
    roll_up(queue.name)
