"""Each error that a person may meet has words on the face that shows it: a new one without them fails here."""

import pkgutil
import re
import string
from collections.abc import Iterator
from importlib import import_module

import pytest
from django.utils import translation

import payments
import reports
from bridge.admin.acts import NOT_DONE, why_not
from bridge.errors import CodedError
from bridge.message import Reason
from bridge.operations.codes import Code, Refusal
from bridge.reasons import FailureReason
from bridge.rights import RowsHidden
from notifications.advice import ADVICE, NOT_RESENDABLE, why_not_resent
from notifications.errors import NotResendable
from payments import errors as payment_errors
from payments.admin.failures import TEXTS, explain
from payments.api.problems import ANSWERS as PAYMENT_ANSWERS
from payments.api.problems import ORDER_FAULTS
from payments.api.problems import api_exception as payment_exception
from payments.consultations.booking import NotFulfillable
from payments.errors import AskedLately, InvalidOrder, OrderFault, OrderRefused, PaymentError, RefundRefused
from payments.foreign import ForeignRefusal
from payments.webhook.journal import NotReplayable, UnknownPayment
from payments.webhook.notice import InvalidNotice, NoticeFault
from payments.webhook.view import FAULTS
from payments.yookassa.errors import Rejected, Unavailable, YooKassaError
from reports import advice as report_advice
from reports import errors as report_errors
from reports.api.problems import ANSWERS as REPORT_ANSWERS
from reports.errors import ReportError
from reports.making.outcomes import UploadExpired
from reports.storage.storage import ObjectMissing, StorageError, StorageRefused, StorageUnavailable

# What no caller of the API is told about, and who sees it instead.
NOT_OVER_HTTP: set[type[CodedError]] = {
    # Only their kinds are raised.
    *(PaymentError, RefundRefused, ReportError, StorageError),
    # Staff, who process a notification again.
    *(UnknownPayment, NotReplayable),
    # Whoever asks for a check: `verify` answers what is known instead.
    AskedLately,
    # YooKassa, from the webhook, which words it itself.
    InvalidNotice,
    # A mark on the payment.
    *(NotFulfillable, ForeignRefusal),
    # The row of the report that a worker could not make.
    *(UploadExpired, StorageRefused, StorageUnavailable, ObjectMissing),
    *(report_errors.NotTheOwner, report_errors.NotCalculatedYet, report_errors.ReportTextsIncomplete),
    report_errors.TypesettingUnavailable,
}
_OF_CUSTOMERS = (
    *("PaymentNotFound", "AppointmentNotFound", "ProfileNotFound", "UnknownCustomer", "AlreadyPaid"),
    *("AppointmentClosed", "SlotTaken", "PaymentFinished", "PaymentNotStored", "InvalidIdempotencyKey"),
    *("IdempotencyKeyReused", "RequestInFlight"),
)
# What no button of the admin ends in, and who sees it instead.
NOT_SHOWN_TO_STAFF: set[type[CodedError]] = {
    *(PaymentError, ReportError, StorageError),
    # The customer who pays, or whose front end asks.
    *(OrderRefused, InvalidOrder, *(payment_errors.__dict__[name] for name in _OF_CUSTOMERS)),
    *(report_errors.LinkExpired, report_errors.LinkInvalid),
    # A mark on the payment.
    *(NotFulfillable, ForeignRefusal),
    # The row of the report that a worker could not make: its advice goes by the kind of error, or by the reason.
    *(UploadExpired, StorageRefused, StorageUnavailable, ObjectMissing),
    *(report_errors.NotTheOwner, report_errors.NotCalculatedYet, report_errors.ReportTextsIncomplete),
    report_errors.TypesettingUnavailable,
}
# Four words in a row: a code, a name or a variable is none.
ENGLISH = re.compile(r"[A-Za-z]+(?:,? [a-z]+){3}")


def kinds_of(base: type[CodedError]) -> set[type[CodedError]]:
    """The class and all below it, once every module of the two packages is loaded."""
    for package in (payments, reports):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not re.search(r"\.(migrations|management)\b", module.name):
                import_module(module.name)
    return {base, *(kind for child in base.__subclasses__() for kind in kinds_below(child))}


def kinds_below(kind: type[CodedError]) -> Iterator[type[CodedError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from kinds_below(child)


ALL = sorted(kinds_of(PaymentError) | kinds_of(ReportError), key=lambda kind: kind.__qualname__)


@pytest.mark.parametrize("kind", ALL)
def test_each_error_has_an_answer_of_the_api_or_is_none_of_its_callers_business(kind: type[CodedError]) -> None:
    answers = PAYMENT_ANSWERS if issubclass(kind, PaymentError) else REPORT_ANSWERS
    answered = issubclass(kind, OrderRefused) or any(parent in answers for parent in kind.__mro__)
    assert answered != (kind in NOT_OVER_HTTP)


@pytest.mark.parametrize("kind", ALL)
def test_each_error_has_a_code(kind: type[CodedError]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)+", kind.code)


@pytest.mark.parametrize("kind", [*PAYMENT_ANSWERS, *REPORT_ANSWERS])
def test_each_answer_is_for_an_error_that_there_is(kind: type[Exception]) -> None:
    assert issubclass(kind, PaymentError | ReportError | YooKassaError)


def test_the_adapters_errors_are_answered_without_a_word_of_the_providers() -> None:
    refusal = Rejected(400, "invalid_request", "amount.value", "Сумма вам не подходит")
    errors = (Unavailable("timeout of 20 s", True), Unavailable("429", False, 0.0), refusal)
    told = [problem for problem in map(payment_exception, errors) if problem is not None]
    assert [(one.status_code, one.get_codes(), getattr(one, "retry_after", None)) for one in told] == [
        (503, "provider_unavailable", 5.0),
        (503, "provider_unavailable", 0.0),
        (502, "provider_rejected", None),
    ]
    assert "Сумма" not in str(told[-1])


@pytest.mark.parametrize("fault", OrderFault)
def test_each_fault_of_an_order_has_a_code_and_a_sentence_for_the_front_end(fault: OrderFault) -> None:
    names = [name for _, name, _, _ in string.Formatter().parse(ORDER_FAULTS[fault]) if name]
    problem = payment_exception(InvalidOrder(fault, **dict.fromkeys(names, "x")))
    assert problem is not None
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", fault.code)
    assert problem.get_codes() == {"metadata": [fault.code]}


@pytest.mark.parametrize("fault", NoticeFault)
def test_each_fault_of_a_notification_has_a_sentence_for_its_sender(fault: NoticeFault) -> None:
    assert FAULTS[fault]


@pytest.mark.parametrize("kind", ALL)
def test_each_error_has_words_for_staff_or_is_none_of_their_buttons(kind: type[CodedError]) -> None:
    texts = TEXTS if issubclass(kind, PaymentError) else report_advice.REFUSALS
    assert any(parent in texts for parent in kind.__mro__) != (kind in NOT_SHOWN_TO_STAFF)


@pytest.mark.parametrize("kind", [*TEXTS, PaymentError])
def test_staff_read_of_a_payments_error_in_russian(kind: type[PaymentError | RowsHidden | YooKassaError]) -> None:
    error = Rejected(400, "invalid_request") if kind is Rejected else kind.__new__(kind, "we said so in English", True)
    with translation.override("ru"):
        assert is_russian(explain(error, amount="100,00 ₽"))


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_yookassa_refuses_is_told_apart(status: int) -> None:
    with translation.override("ru"):
        assert "YUKASSA_SECRET_KEY" in explain(Rejected(status, "invalid_credentials"))


@pytest.mark.parametrize("kind", report_advice.REFUSALS)
def test_staff_read_of_a_reports_error_in_russian(kind: type[ReportError]) -> None:
    with translation.override("ru"):
        assert is_russian(report_advice.refusal_text(kind.__new__(kind)))


def test_each_reason_against_sending_a_mail_again_is_told_in_russian() -> None:
    assert set(NOT_RESENDABLE) == set(NotResendable.__subclasses__())
    with translation.override("ru"):
        assert all(is_russian(why_not_resent(kind(number=7))) for kind in NOT_RESENDABLE)


def test_each_reason_against_putting_a_message_back_is_told_in_russian() -> None:
    assert set(NOT_DONE) == set(Code)
    with translation.override("ru"):
        assert all(is_russian(why_not(Refusal(7, code, {"requeued_as": "8", "outcome": ""}))) for code in Code)


def test_each_reason_of_the_bridge_has_words_and_advice() -> None:
    assert {*FailureReason.values} == {*(reason.value for reason in Reason), FailureReason.MESSAGE_GONE}
    assert set(ADVICE) == set(FailureReason)
    with translation.override("ru"):
        assert all(is_russian(str(reason.label)) for reason in FailureReason)


def is_russian(text: str) -> bool:
    return bool(re.search("[а-я]{4}", text)) and not ENGLISH.search(text)
