"""What staff read about a refusal: for each reason that YooKassa names, and for those that it has not named yet."""

import re

import pytest
from django.utils.translation import override

from payments.advice import (
    ATTENTION,
    decline_advice,
    decline_reason,
    receipt_state,
    refund_advice,
    refund_reason,
)
from payments.states import Attention, ProviderStatus
from payments.words import party_name
from sandbox.yookassa import REASONS

RUSSIAN = re.compile("[а-яё]{4}")
# https://yookassa.ru/developers/payment-acceptance/after-the-payment/declined-payments
DOCUMENTED = (
    *("3d_secure_failed", "call_issuer", "canceled_by_merchant", "card_expired", "country_forbidden", "deal_expired"),
    *("expired_on_capture", "expired_on_confirmation", "fraud_suspected", "general_decline"),
    *("identification_required", "insufficient_funds", "internal_timeout", "invalid_card_number", "invalid_csc"),
    *(
        "issuer_unavailable",
        "loan_declined",
        "payment_method_limit_exceeded",
        "payment_method_restricted",
        "permission_revoked",
    ),
    "unsupported_mobile_operator",
)


@pytest.mark.parametrize("reason", DOCUMENTED)
def test_every_documented_reason_has_a_sentence_and_a_next_step(reason: str) -> None:
    advice = decline_advice(reason)
    with override("ru"):
        assert RUSSIAN.search(str(advice.what))
        assert RUSSIAN.search(str(advice.next_step))
        assert reason not in str(advice.what)


def test_each_reason_says_something_else() -> None:
    assert len({str(decline_advice(reason).what) for reason in DOCUMENTED}) == len(DOCUMENTED) == 21


def test_every_reason_of_the_stand_in_is_described() -> None:
    assert set(REASONS) <= set(DOCUMENTED)


def test_a_reason_that_is_new_is_named_as_it_came() -> None:
    with override("ru"):
        for advice in (decline_advice("moon_in_capricorn"), refund_advice("moon_in_capricorn")):
            assert "«moon_in_capricorn»" in str(advice.what)
            assert RUSSIAN.search(str(advice.next_step))


def test_no_reason_at_all_is_said_so() -> None:
    with override("ru"):
        assert decline_advice("").what == "Причина не названа."


def test_no_money_means_the_payers_for_a_payment_and_ours_for_a_refund() -> None:
    with override("ru"):
        assert "на карте" in str(decline_advice("insufficient_funds").what).lower()
        assert "На нашем счёте" in str(refund_advice("insufficient_funds").what)


def test_every_mark_has_advice() -> None:
    with override("ru"):
        assert all(RUSSIAN.search(str(ATTENTION[mark])) for mark in Attention)


def test_what_is_said_on_the_home_page_and_in_mails_as_well_points_to_nothing_beside_it() -> None:
    with override("ru"):
        advice = {reason: str(text) for reason, text in ATTENTION.items()}
    assert [reason for reason, text in advice.items() if re.search(r"\b(здесь|ниже|выше)\b", text)] == []


def test_parties_and_receipts_are_named() -> None:
    with override("ru"):
        assert str(party_name("merchant")) == "наш магазин"
        assert str(receipt_state(ProviderStatus.SUCCEEDED, "succeeded")) == "зарегистрирован"
        assert str(receipt_state(ProviderStatus.SUCCEEDED, "burnt")) == "новое у ЮKassa: burnt"


@pytest.mark.parametrize("registration", ["", "pending", "succeeded", "canceled"])
@pytest.mark.parametrize("status", set(ProviderStatus) - {ProviderStatus.SUCCEEDED})
def test_only_money_that_was_taken_has_a_receipt(status: ProviderStatus, registration: str) -> None:
    over = status in (ProviderStatus.CANCELED, ProviderStatus.REJECTED)
    with override("ru"):
        said = str(receipt_state(status, registration))
    assert said == ("не нужен: деньги не списаны" if over else "будет после оплаты")


def test_a_reason_among_other_details_keeps_its_code() -> None:
    with override("ru"):
        assert decline_reason("insufficient_funds") == "На карте или счёте не хватает денег (insufficient_funds)"
        assert refund_reason("insufficient_funds").startswith("На нашем счёте в ЮKassa")
        assert decline_reason("moon_in_capricorn") == refund_reason("moon_in_capricorn")
        assert decline_reason("moon_in_capricorn") == "новое у ЮKassa: moon_in_capricorn"
