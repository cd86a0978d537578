import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import InvalidMessage, PermanentError
from notifications.writing.catalogue import CATALOGUE, PaymentConfirmation
from notifications.writing.request import EmailRequest
from notifications.writing.variables import Variables
from tests.support.email_samples import IDENTIFIER, SAMPLES, message_body
from wording.russian import Money

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("template", CATALOGUE)
def test_a_complete_message_is_accepted(template: str) -> None:
    request = EmailRequest.parse(message_body(template))
    assert (request.recipient, request.subject, request.template) == ("parent@example.org", "Тема письма", template)


@pytest.mark.parametrize(("template", "variable"), [(name, key) for name, sample in SAMPLES.items() for key in sample])
def test_each_missing_variable_is_named(template: str, variable: str) -> None:
    body = message_body(template)
    del body["variables"][variable]
    with pytest.raises(PermanentError, match=f"template {template}: the variable {variable} is missing"):
        EmailRequest.parse(body)


@pytest.mark.parametrize(("template", "variable"), [(name, key) for name, sample in SAMPLES.items() for key in sample])
def test_each_variable_of_the_wrong_kind_is_named(template: str, variable: str) -> None:
    body = message_body(template)
    body["variables"][variable] = {"nested": True}
    with pytest.raises(PermanentError, match=f"template {template}: the variable {variable} must be .*, not an object"):
        EmailRequest.parse(body)


def test_variables_that_nobody_asks_for_are_ignored() -> None:
    body = message_body("payment_failed")
    body["variables"]["extra"] = ["anything", {}]
    body["priority"] = "high"
    assert EmailRequest.parse(body) == EmailRequest.parse(message_body("payment_failed"))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"to": None}, 'the key "to" must be a string'),
        ({"subject": 5}, 'the key "subject" must be a string'),
        ({"template": []}, 'the key "template" must be a string'),
        ({"variables": None}, 'the key "variables" must be an object'),
        ({"variables": "{}"}, 'the key "variables" must be an object'),
        ({"subject": " \n "}, 'the key "subject" is empty'),
    ],
)
def test_a_message_of_the_wrong_shape_is_invalid(change: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidMessage, match=text):
        EmailRequest.parse(message_body("payment_failed") | change)


@pytest.mark.parametrize("key", ["to", "subject", "template"])
def test_a_missing_key_is_named(key: str) -> None:
    body = message_body("payment_failed")
    del body[key]
    with pytest.raises(InvalidMessage, match=f'the key "{key}" is missing'):
        EmailRequest.parse(body)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "",
            "nobody",
            "a@@example.org",
            "a b@example.org",
            "Мама <a@example.org>",
            "a@example.org\nBcc: b@example.org",
        ),
        *("a@example.org,b@example.org", "мама@example.org", "a" * 65 + "@" + "b" * 200 + ".org"),
    ],
)
def test_a_bad_address_is_refused_and_not_repeated_in_the_error(address: str) -> None:
    with pytest.raises(PermanentError, match='the address in "to"') as caught:
        EmailRequest.parse(message_body("payment_failed") | {"to": address})
    assert not address or address not in str(caught.value)


def test_an_unknown_template_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(PermanentError, match="no mail template 'newsletter'; there are: checkup_completed, "):
        EmailRequest.parse(message_body("payment_failed") | {"template": "newsletter"})


@given(json_values)
def test_whatever_the_body_is_it_is_read_or_refused_readably(body: object) -> None:
    with pytest.raises(PermanentError) as caught:
        EmailRequest.parse(body)
    assert str(caught.value)


@given(template=st.sampled_from(list(CATALOGUE)), values=st.lists(json_values, min_size=4, max_size=4))
def test_whatever_the_variables_are_they_are_read_or_refused_readably(template: str, values: list[object]) -> None:
    body = message_body(template)
    body["variables"] = dict(zip(body["variables"], values, strict=False))
    try:
        problem = str(EmailRequest.parse(body).template)
    except PermanentError as error:
        problem = str(error)
    assert problem == template or f"template {template}: the variable " in problem


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (5000, "5000"),
        (5000.0, "5000"),
        ("5000.00", "5000"),
        (19.99, "19.99"),
        (4.35, "4.35"),
        (0.29, "0.29"),
        ("4 500,50", "4500.50"),
    ],
)
def test_an_amount_is_the_decimal_that_was_sent(value: object, amount: str) -> None:
    assert Variables("payment_failed", {"amount": value}).amount("amount") == Decimal(amount)


@pytest.mark.parametrize(
    "value",
    [
        *(0, -1, "0.001", 19.999, "NaN", math.inf, "1e400", "9" * 50, "", "много", 10**9),
        *("1e3", "1_000", "١٠٠٠", "1.000"),
    ],
)
def test_what_is_no_sum_of_money_is_refused(value: object) -> None:
    with pytest.raises(PermanentError, match="the variable amount is not a sum of money"):
        Variables("payment_failed", {"amount": value}).amount("amount")


def test_true_is_not_an_amount() -> None:
    with pytest.raises(PermanentError, match="must be a number, not a boolean"):
        Variables("payment_failed", {"amount": True}).amount("amount")


@pytest.mark.parametrize(
    "value",
    [
        *("2026-11-23T11:30:00Z", "2026-11-23T11:30:00+00:00", "2026-11-23 14:30:00+03:00", "2026-11-23T11:30:00"),
        *("2026-11-23T11:30:00.000000+00:00", " 2026-11-23T11:30:00Z "),
    ],
)
def test_a_time_without_a_zone_is_utc(value: str) -> None:
    assert Variables("t", {"at": value}).time("at") == datetime(2026, 11, 23, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "value", ["2026-11-23", "tomorrow", "", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"]
)
def test_what_is_no_time_is_refused(value: str) -> None:
    with pytest.raises(PermanentError, match="the variable at is not a date and time"):
        Variables("t", {"at": value}).time("at")


def test_columns_that_can_be_null_may_be_null() -> None:
    body = message_body("payment_confirmation")
    body["variables"]["payment_method"] = None
    content = EmailRequest.parse(body).content
    assert isinstance(content, PaymentConfirmation)
    assert content.payment_method == ""


@pytest.mark.parametrize(
    ("template", "variable", "value", "field", "read"),
    [
        ("payment_confirmation", "currency", None, "money", Money(Decimal(5000), "RUB")),
        ("appointment_confirmation", "status", None, "status", "запланирована"),
        ("checkup_completed", "completed_at", "infinity", "completed_at", None),
        ("checkup_completed", "profile_name", " ", "profile_name", ""),
    ],
)
def test_null_is_the_default_of_its_column_and_oddities_of_a_customers_row_stop_no_mail(
    template: str, variable: str, value: object, field: str, read: object
) -> None:
    body = message_body(template)
    body["variables"] |= {"amount": 5000, variable: value}
    assert getattr(EmailRequest.parse(body).content, field) == read


def reminder(**changes: str) -> str:
    """The dedupe key of a reminder with these changes."""
    body = message_body("appointment_reminder_24h")
    body["to"] = changes.pop("to", body["to"])
    body["template"] = changes.pop("template", body["template"])
    body["variables"] |= changes
    return EmailRequest.parse(body).dedupe_key


def test_the_same_reminder_has_the_same_key_however_it_is_written() -> None:
    assert reminder() == reminder(
        to="Parent@Example.org", appointment_id=IDENTIFIER.upper(), scheduled_at="2026-11-23T14:30:00+03:00"
    )


def test_another_recipient_time_appointment_or_kind_of_reminder_is_another_mail() -> None:
    keys = {
        reminder(),
        reminder(to="other@example.org"),
        reminder(scheduled_at="2026-11-23T12:30:00Z"),
        reminder(appointment_id="another"),
        reminder(template="appointment_reminder_1h"),
    }
    assert len(keys) == 5


@pytest.mark.parametrize("template", [name for name in CATALOGUE if "reminder" not in name])
def test_mails_that_are_no_reminders_stand_each_for_itself(template: str) -> None:
    assert EmailRequest.parse(message_body(template)).dedupe_key == ""


@pytest.mark.parametrize("address", ["root@localhost", "anna@[127.0.0.1]", '"\x01"@example.ru'])
def test_an_address_that_no_client_can_have_is_refused(address: str) -> None:
    variables = {"payment_id": "p-1", "amount": 5}
    with pytest.raises(PermanentError, match="mail address"):
        EmailRequest.parse({"to": address, "subject": "s", "template": "payment_failed", "variables": variables})


@pytest.mark.parametrize("value", ["88005553535", "8-800-555-35-35", "www.evil.example", "a b", ""])
def test_what_a_mail_client_would_call_or_open_is_no_id(value: str) -> None:
    with pytest.raises(PermanentError, match="the variable payment_id is not an id"):
        EmailRequest.parse(message_body("payment_failed", payment_id=value))


@pytest.mark.parametrize("value", ["1", "p-1", IDENTIFIER, "11111111-1111-4111-8111-111111111111"])
def test_ids_of_rows_are_ids(value: str) -> None:
    assert EmailRequest.parse(message_body("payment_failed", payment_id=value)).content.about()[1] == value
