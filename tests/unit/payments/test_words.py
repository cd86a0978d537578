"""What staff and payers read for YooKassa's words: in Russian for each that its description has, and for new ones."""

import re

import pytest
from django.utils.translation import override

from payments import words
from payments.advice import decline_advice, decline_reason, refund_advice, refund_reason, told_with_party
from wording.payment_methods import OTHER, method_in_words

RUSSIAN = re.compile("[а-яё]{3}")
# As YooKassa's OpenAPI description of July 2026 lists them.
METHODS = (
    *("bank_card", "cash", "alfabank", "webmoney", "wechat", "apple_pay", "google_pay", "qiwi", "installments"),
    *("yoo_money", "sberbank", "mobile_balance", "b2b_sberbank", "tinkoff_bank", "sbp", "sber_loan"),
    *("electronic_certificate", "sber_bnpl", "alfa_pay"),
)
REFUND_REASONS = (
    *("yoo_money_account_closed", "insufficient_funds", "general_decline", "rejected_by_payee", "rejected_by_timeout"),
    *("payment_basket_id_not_found", "payment_article_number_not_found", "payment_tru_code_not_found"),
    *("too_many_refunding_articles", "some_articles_already_refunded", "payment_expired"),
)
PARTIES = ("yoo_money", "payment_network", "merchant", "refund_network")
EVENTS = (
    *("payment.waiting_for_capture", "payment.succeeded", "payment.canceled", "refund.succeeded"),
    "payment_method.active",
)
RECEIPTS = ("pending", "succeeded", "canceled")
NEW = "mercury_in_retrograde"


@pytest.fixture(autouse=True)
def _in_russian() -> object:
    with override("ru"):
        yield


@pytest.mark.parametrize("code", METHODS)
def test_every_method_has_a_name(code: str) -> None:
    assert method_in_words(code) not in (code, OTHER)
    assert code not in words.method_text(code, "")


@pytest.mark.parametrize("reason", REFUND_REASONS)
def test_every_reason_of_a_refund_has_a_sentence_and_a_next_step(reason: str) -> None:
    advice = refund_advice(reason)
    assert RUSSIAN.search(str(advice.what))
    assert RUSSIAN.search(str(advice.next_step))
    assert reason not in str(advice.what)


def test_each_reason_of_a_refund_says_something_else() -> None:
    assert len({str(refund_advice(reason).what) for reason in REFUND_REASONS}) == len(REFUND_REASONS)


@pytest.mark.parametrize(
    ("name", "codes"),
    [(words.party_name, PARTIES), (words.event_name, EVENTS), (words.receipt_name, RECEIPTS)],
    ids=["parties", "events", "receipts"],
)
def test_every_party_event_and_receipt_has_words_of_its_own(name: object, codes: tuple[str, ...]) -> None:
    assert callable(name)
    said = [str(name(code)) for code in codes]
    assert all(RUSSIAN.search(one) or one == "ЮKassa" for one in said)
    assert len(set(said)) == len(codes)
    assert not any(code in one for code, one in zip(codes, said, strict=True))


@pytest.mark.parametrize(
    "name",
    [
        *(words.party_name, words.event_name, words.receipt_name, words.receipt_with_code, words.event_with_code),
        *(decline_reason, refund_reason, lambda code: words.method_text(code, "")),
        *(lambda code: decline_advice(code).what, lambda code: refund_advice(code).what),
        lambda code: told_with_party("Отказано.", code),
    ],
)
def test_what_is_new_is_said_in_russian_with_its_code(name: object) -> None:
    assert callable(name)
    said = str(name(NEW))
    assert NEW in said
    assert RUSSIAN.search(said)


def test_a_code_beside_its_word() -> None:
    assert words.receipt_with_code("succeeded") == "зарегистрирован (succeeded)"
    assert words.event_with_code("payment.canceled") == "платёж отменён (payment.canceled)"


def test_nothing_said_is_nothing_shown() -> None:
    assert (words.party_name(""), words.event_name(""), words.event_with_code("")) == ("", "", "")
    assert (decline_reason(""), refund_reason("")) == ("", "")
    assert words.method_text("", "") == "—"


def test_a_method_keeps_the_end_of_its_number() -> None:
    assert words.method_text("bank_card", "Bank card *4477") == "банковская карта *4477"
    assert words.method_text("", "СБП") == "СБП"


def test_a_payer_reads_no_code() -> None:
    assert method_in_words("new_pay") == OTHER
    # Written by a person: the site's own words for it.
    assert method_in_words("Карта «Мир»") == "Карта «Мир»"
    assert method_in_words("") == ""
