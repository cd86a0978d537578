"""What YooKassa's reasons and our own warnings mean, and what staff can do about each.

The reasons are those of https://yookassa.ru/developers/payment-acceptance/after-the-payment/declined-payments and
https://yookassa.ru/developers/payment-acceptance/after-the-payment/refunds; new ones appear without notice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payments.states import Attention, ProviderStatus
from payments.words import Text, party_name, receipt_name, undescribed


@dataclass(frozen=True, slots=True)
class Advice:
    """What happened, and what to do next; both may be shown to staff as they are."""

    what: Text
    next_step: Text


_OTHER_CARD = gettext_lazy("Ask the client to pay with another card or in another way.")
_ASK_BANK = gettext_lazy("Ask the client to call their bank, or to pay with another card.")
_PAY_AGAIN = gettext_lazy("If the client still wants it, they can pay again on the site.")

_DECLINES: dict[str, Advice] = {
    "3d_secure_failed": Advice(
        gettext_lazy("The payer did not pass 3-D Secure: the code from the bank was wrong or never entered."),
        gettext_lazy("Ask the client to try again with the code at hand, or to pay with another card."),
    ),
    "call_issuer": Advice(gettext_lazy("The bank refused the payment and gives no reason."), _ASK_BANK),
    "canceled_by_merchant": Advice(
        gettext_lazy("The payment was cancelled from our side."),
        gettext_lazy("See in YooKassa's office who cancelled it. The client can pay again on the site."),
    ),
    "card_expired": Advice(gettext_lazy("The card has expired."), _OTHER_CARD),
    "country_forbidden": Advice(
        gettext_lazy("Cards of this country are not accepted."),
        gettext_lazy("Ask the client to pay with a card of a Russian bank or through SBP."),
    ),
    "deal_expired": Advice(gettext_lazy("The time of the safe deal is over."), _PAY_AGAIN),
    "expired_on_capture": Advice(
        gettext_lazy("The money was reserved, and nobody captured it in time: it went back to the payer."),
        gettext_lazy("Ask the client to pay again. Check in YooKassa's office that payments are captured at once."),
    ),
    "expired_on_confirmation": Advice(
        gettext_lazy("The payer opened the form and did not finish the payment in time."), _PAY_AGAIN
    ),
    "fraud_suspected": Advice(
        gettext_lazy("YooKassa suspects fraud."),
        gettext_lazy("Ask the client to pay with another card. If it happens again, write to YooKassa."),
    ),
    "general_decline": Advice(gettext_lazy("The payment was refused without a reason."), _ASK_BANK),
    "identification_required": Advice(
        gettext_lazy("The limit of an unidentified YooMoney wallet is used up."),
        gettext_lazy("Ask the client to identify the wallet, or to pay with a card."),
    ),
    "insufficient_funds": Advice(
        gettext_lazy("There is not enough money on the card or account."),
        gettext_lazy("Ask the client to top it up, or to pay with another card."),
    ),
    "internal_timeout": Advice(
        gettext_lazy("YooKassa failed: it did not process the payment in time."),
        gettext_lazy("Ask the client to pay again a little later."),
    ),
    "invalid_card_number": Advice(
        gettext_lazy("The number of the card is wrong."), gettext_lazy("Ask the client to enter it again.")
    ),
    "invalid_csc": Advice(
        gettext_lazy("The three digits from the back of the card (CVV) are wrong."),
        gettext_lazy("Ask the client to enter them again."),
    ),
    "issuer_unavailable": Advice(
        gettext_lazy("The payer's bank did not answer."),
        gettext_lazy("Ask the client to pay again later, or with another bank's card."),
    ),
    "loan_declined": Advice(
        gettext_lazy("The bank did not grant the loan."),
        gettext_lazy("Ask the client to pay in another way, for example by card or through SBP."),
    ),
    "payment_method_limit_exceeded": Advice(
        gettext_lazy("The limit of this payment method or of our shop is used up."),
        gettext_lazy("Ask the client to pay in another way or tomorrow. If many meet it, ask YooKassa for the limit."),
    ),
    "payment_method_restricted": Advice(
        gettext_lazy("Payments with this card or wallet are blocked, for instance because it was reported lost."),
        _ASK_BANK,
    ),
    "permission_revoked": Advice(
        gettext_lazy("The payer has revoked the permission to charge them automatically."), _PAY_AGAIN
    ),
    "unsupported_mobile_operator": Advice(
        gettext_lazy("Payments from the account of this mobile operator are not accepted."), _OTHER_CARD
    ),
}

_CERTIFICATE = gettext_lazy("Look the certificate's purchase up in YooKassa's office, and refund what it names.")
_REFUND_AGAIN = gettext_lazy("Refund in another way, for instance by transfer, and note it in YooKassa's office.")
_REFUND_DECLINES: dict[str, Advice] = {
    "general_decline": Advice(
        gettext_lazy("The refund was refused without a reason."),
        gettext_lazy("Ask the client's bank through the client, or YooKassa, then refund again."),
    ),
    "insufficient_funds": Advice(
        gettext_lazy("There is not enough money on our account at YooKassa for the refund."),
        gettext_lazy("Top up the balance in YooKassa's office, or wait for new payments, then refund again."),
    ),
    # The five of electronic certificates.
    "payment_article_number_not_found": Advice(
        gettext_lazy("The payment has no such item: it was paid with an electronic certificate."), _CERTIFICATE
    ),
    "payment_basket_id_not_found": Advice(
        gettext_lazy("YooKassa does not find the purchase that the electronic certificate paid for."), _CERTIFICATE
    ),
    "payment_expired": Advice(
        gettext_lazy("The payment is too old: a refund to the way it was paid by is not possible any more."),
        _REFUND_AGAIN,
    ),
    "payment_tru_code_not_found": Advice(
        gettext_lazy("The electronic certificate did not pay for goods with this code."), _CERTIFICATE
    ),
    "some_articles_already_refunded": Advice(
        gettext_lazy("A part of what the electronic certificate paid for was refunded already."), _CERTIFICATE
    ),
    "too_many_refunding_articles": Advice(
        gettext_lazy("More is to be refunded than the electronic certificate paid for."), _CERTIFICATE
    ),
    "rejected_by_payee": Advice(gettext_lazy("The bank of the recipient does not take the money."), _REFUND_AGAIN),
    "rejected_by_timeout": Advice(
        gettext_lazy("The refund was not finished in time."), gettext_lazy("Refund again from the payment's page.")
    ),
    "yoo_money_account_closed": Advice(gettext_lazy("The payer has closed their YooMoney wallet."), _REFUND_AGAIN),
}

REFUND_NOT_TAKEN = gettext_lazy(
    "YooKassa did not take the request for this refund: the money stays with us. Show the technical details to the "
    "developers, then refund again."
)

REFUND_NOT_SENT = gettext_lazy(
    "YooKassa could not be reached for a day, so this refund was never sent: the money stays with us. Refund again "
    "from the payment's page."
)

ATTENTION: dict[str, Text] = {
    Attention.ROW_DELETED: gettext_lazy(
        "The money is there, and somebody deleted the payment from the site's table: nothing is given for it by "
        "itself, and the client does not see it. Find out with the client what is wanted: refund it from its page, or "
        "give it by hand; then clear the mark."
    ),
    Attention.PAID_TWICE: gettext_lazy(
        "YooKassa took money twice for one order. The page of the payment names the second one: refund it in "
        "YooKassa's office. The mark goes away once it is refunded."
    ),
    Attention.MISMATCH: gettext_lazy(
        "What YooKassa says was not taken over: nothing is given for the payment, it cannot be refunded by us and is "
        "in no revenue. Compare with YooKassa. If another amount was taken, such as a part of a reserve, agree with "
        "the client: give it by hand, or refund it in YooKassa's office; then clear the mark. Show any other "
        "difference to the developers."
    ),
    Attention.SLOT_TAKEN: gettext_lazy(
        "The money is there and the time belongs to somebody else. Agree on another time with the client and book it, "
        "or refund the payment; then clear the mark."
    ),
    Attention.SLOT_PASSED: gettext_lazy(
        "The money came after the consultation was to begin. Agree on another time with the client and book it, "
        "or refund the payment; then clear the mark."
    ),
    Attention.NOT_FULFILLED: gettext_lazy(
        "The client has paid and got nothing. The page of the payment says what was ordered: give it by hand, or "
        "refund the payment; then clear the mark."
    ),
    Attention.WAITS_FOR_CAPTURE: gettext_lazy(
        "Capture or cancel the payment in YooKassa's office. The reserve ends by itself, and the money goes back."
    ),
    Attention.RECEIPT_FAILED: gettext_lazy(
        "The tax office has no receipt of this payment. Write to YooKassa's support, or make a correction receipt by "
        "hand; the mark goes away once the receipt is registered, or clear it."
    ),
    Attention.REFUND_RECEIPT_FAILED: gettext_lazy(
        "The tax office has no receipt of a refund of this payment: see the table of refunds. Write to YooKassa's "
        "support, or make the receipt by hand; the mark goes away once it is registered, or clear it."
    ),
    Attention.REFUND_RECEIPT_MISSING: gettext_lazy(
        "A part of the payment was refunded without a fiscal receipt, as the client has neither an address nor a "
        "telephone number that YooKassa sends receipts to. Make the receipt of the refund by hand; then clear the mark."
    ),
    Attention.NOT_CREATED: gettext_lazy(
        "The client could not pay. Check the shop's settings at YooKassa and show the error to the developers; "
        "then ask the client to pay again."
    ),
    Attention.REFUND_FAILED: gettext_lazy(
        "The client still waits for the money. See the reason in the table of refunds, mend it, and refund again."
    ),
    Attention.ROW_REFUSED: gettext_lazy(
        "Staff are shown what is right, only the site does not show it: a rule of the site's database refused the "
        "change. Show the error to the developers. It is tried again by itself, and the mark goes when it is through."
    ),
    Attention.CHECK_FAILED: gettext_lazy(
        "YooKassa could not be asked about this payment. Check it now; if that fails, show the error to the developers."
    ),
}

RECEIPT_AGAIN = gettext_lazy("Send the receipt again from YooKassa's office, or make a correction receipt.")


def decline_advice(reason: str) -> Advice:
    """Why a payment was cancelled; a reason that is new to us is named as it came."""
    return _DECLINES.get(reason) or Advice(_unknown(reason), _ASK_BANK)


def refund_advice(reason: str) -> Advice:
    """Why a refund was cancelled."""
    look = gettext_lazy("Look the refund up in YooKassa's office.")
    return _REFUND_DECLINES.get(reason) or Advice(_unknown(reason), look)


def told_with_party(what: Text, party: str) -> Text:
    """What happened and who refused, in one go."""
    by = party_name(party)
    return _("%(what)s Refused by: %(party)s.") % {"what": what, "party": by} if by else what


def decline_reason(reason: str) -> str:
    """«На карте или счёте не хватает денег (insufficient_funds)»: for where a reason is one detail of many."""
    return _with_code(reason, _DECLINES)


def refund_reason(reason: str) -> str:
    """The same for a refund."""
    return _with_code(reason, _REFUND_DECLINES)


def receipt_state(provider_status: ProviderStatus, registration: str) -> Text:
    """How the fiscal receipt stands, in words. Only money that was taken has one, whatever `registration` says."""
    match provider_status:
        case ProviderStatus.SUCCEEDED:
            return receipt_name(registration)
        case ProviderStatus.CANCELED | ProviderStatus.REJECTED:
            return gettext_lazy("not needed: no money was taken")
        case ProviderStatus.UNKNOWN | ProviderStatus.PENDING | ProviderStatus.WAITING_FOR_CAPTURE:
            return gettext_lazy("comes after the payment")
        case _:
            assert_never(provider_status)


def _with_code(reason: str, known: Mapping[str, Advice]) -> str:
    advice = known.get(reason)
    if advice is None:
        return undescribed(reason) if reason else ""
    return f"{str(advice.what).rstrip('.')} ({reason})"


def _unknown(reason: str) -> str:
    if not reason:
        return _("No reason was given.")
    return _("The reason is “%(reason)s”: it is new, and not described here.") % {"reason": reason}
