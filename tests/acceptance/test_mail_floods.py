"""Floods of messages, as anybody with the public key can send them, and the real mail behind them."""

from pathlib import Path

import pytest

from sandbox.mailbox import Mailbox
from tests.acceptance.ledger import Ledger
from tests.acceptance.mails import mails
from tests.acceptance.processes import Fleet
from tests.acceptance.waiting import wait_until

ANNA, IGOR, LEYLA = (f"{name}@example.org" for name in ("anna.sokolova", "igor.kovalev", "leyla.guseynova"))
MANY = 10_000
# Each mail takes a worker some time. All of the junk would come before the real mail; these are those that workers had
# in line while the flood was refused.
MOST_ATTEMPTED = 200

# One message as the function makes it, and its copies, each to another address or about another thing: calling the
# function for each of them takes longer than the test.
_FLOOD = """
SET LOCAL ROLE anon;
SELECT public.queue_email_task(
    %s, 'Списание 25 000 ₽. Отменить: http://littleotter-pay.evil.example/x', %s,
    '{"payment_id": "00", "amount": 1}', 1000);
RESET ROLE;
INSERT INTO pgmq.q_email_queue (vt, message)
SELECT now(), message || jsonb_build_object(
    'to', replace(message ->> 'to', '#', number::text),
    'variables', jsonb_build_object('payment_id', gen_random_uuid(), 'amount', 1))
FROM (SELECT message FROM pgmq.q_email_queue ORDER BY msg_id DESC LIMIT 1) AS sample,
     generate_series(2, %s) AS number
"""
_REAL = """
SELECT public.queue_email_task(%s, 'Оплата не прошла', 'payment_failed',
                               jsonb_build_object('payment_id', gen_random_uuid(), 'amount', 5000))
"""
# To strangers, to a customer, and of no use to anybody.
_JUNK = (("junk#@example.net", "payment_failed"), (ANNA, "payment_failed"), (IGOR, "lure"))


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("seeded_database")
def test_ten_thousand_junk_messages_hardly_occupy_workers_before_a_real_mail_is_sent(
    fleet: Fleet, mail: Ledger, mailbox: Mailbox, tmp_path: Path
) -> None:
    for to, template in _JUNK:
        mail.execute(_FLOOD, [to, template, MANY // len(_JUNK)])
    mail.execute(_REAL, [LEYLA])
    fleet.variables["EMAIL_EXTRA_RECIPIENTS"] = "nobody.example"
    worker, bridge = fleet.worker(), fleet.bridge()
    worker.await_text("ready.")
    bridge.await_text("draining")
    wait_until(lambda: LEYLA in recipients(mailbox), "the real mail has come", seconds=180)
    # In this order: what ends meanwhile is found among the endings.
    attempts = {msg_id: one.attempts for msg_id, one in mail.queued().items()}
    attempts |= {msg_id: one.attempts for msg_id, one in mail.endings().items()}
    assert len(attempts) == MANY // len(_JUNK) * len(_JUNK) + 1
    attempted = sum(number > 0 for number in attempts.values())
    print(f"{attempted} were attempted")
    assert attempted <= MOST_ATTEMPTED
    assert recipients(mailbox).count(ANNA) <= 20
    assert {*recipients(mailbox)} <= {ANNA, LEYLA}
    # A flood is no error of ours.
    errors = tmp_path / "logs" / "error.log"
    assert not errors.exists() or not errors.read_text(encoding="utf-8")


def recipients(mailbox: Mailbox) -> list[str]:
    return [one.recipient for one in mails(mailbox)]
