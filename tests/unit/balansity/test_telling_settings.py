"""Who is told what needs somebody, and what proves the words of a mail provider, as the variables say."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.loaded_settings import load_settings, problems_of
from tests.support.provider_calls import SENDGRID_SECRET, SVIX_SECRET

MAIL = {"SMTP_HOST": "mail.example.org", "SMTP_FROM": "noreply@example.org"}
RESEND = {"EMAIL_PROVIDER": "resend", "RESEND_API_KEY": "re_1", **MAIL}
SENDGRID = {"EMAIL_PROVIDER": "sendgrid", "SENDGRID_API_KEY": "SG.1", **MAIL}
UNISENDER = {
    "EMAIL_PROVIDER": "unisender_go",
    "UNISENDER_GO_API_KEY": "k",
    "UNISENDER_GO_API_URL": "https://go1.unisender.ru/ru/transactional/api/v1",
    **MAIL,
}

# The public half of a key of another kind; the same in all processes of a run, as it names a test.
_DER = (
    Ed25519PrivateKey.from_private_bytes(bytes(32))
    .public_key()
    .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
)
OTHER_KEY = base64.b64encode(_DER).decode()


def test_nobody_is_told_unless_somebody_is_named() -> None:
    assert load_settings(MAIL)["STAFF_DIGEST_TO"] == ()


def test_staff_are_told_once_each_however_their_addresses_are_spelled() -> None:
    named = " Anna@Example.org , anna@example.org,duty@пример.рф,,"
    found = load_settings(MAIL | {"STAFF_DIGEST_TO": named})["STAFF_DIGEST_TO"]
    assert found == ("anna@example.org", "duty@xn--e1afmkfd.xn--p1ai")


@pytest.mark.parametrize("word", ["Anna <anna@example.org>", "anna", "anna@", "anna@example.org;boris@example.org"])
def test_what_is_no_address_is_named_at_the_start(word: str) -> None:
    (line,) = problems_of(MAIL | {"STAFF_DIGEST_TO": word})
    assert line == f"STAFF_DIGEST_TO must be bare mail addresses with commas between them, not {word!r}"


def test_a_list_of_the_whole_town_is_a_mistake() -> None:
    (line,) = problems_of(MAIL | {"STAFF_DIGEST_TO": ",".join(f"n{number}@example.org" for number in range(21))})
    assert "more than 20 addresses" in line


@pytest.mark.parametrize(
    ("variables", "secret"),
    [
        (RESEND, SVIX_SECRET),
        (SENDGRID, SENDGRID_SECRET),
        (RESEND, "balansity:correct-horse-battery"),
        (SENDGRID, "balansity:correct-horse-battery"),
    ],
)
def test_each_provider_proves_itself_in_its_own_way(variables: dict[str, str], secret: str) -> None:
    found = load_settings(variables | {"EMAIL_WEBHOOK_SECRET": secret})
    assert found["EMAIL_WEBHOOK_SECRET"] == secret
    assert not any("EMAIL_WEBHOOK_SECRET" in line for line in found["START_WARNINGS"])


@pytest.mark.parametrize(
    ("variables", "secret"),
    [
        (RESEND, SENDGRID_SECRET),
        (RESEND, "whsec_"),
        (RESEND, "whsec_%%%%"),
        (RESEND, "re_123"),
        (SENDGRID, SVIX_SECRET),
        (SENDGRID, "SG.123"),
        (SENDGRID, "balansity:short"),
        (SENDGRID, ":correct-horse-battery"),
        (SENDGRID, OTHER_KEY),
    ],
)
def test_a_secret_that_can_prove_nothing_is_named_and_not_repeated(variables: dict[str, str], secret: str) -> None:
    (line,) = problems_of(variables | {"EMAIL_WEBHOOK_SECRET": secret})
    assert line.startswith("EMAIL_WEBHOOK_SECRET must be ")
    assert secret == "whsec_" or secret not in line


@pytest.mark.parametrize(
    ("variables", "is_missed"), [(RESEND, True), (SENDGRID, True), (UNISENDER, False), (MAIL, False)]
)
def test_a_provider_whose_word_cannot_be_proven_is_warned_about(variables: dict[str, str], is_missed: bool) -> None:
    lines = [line for line in load_settings(variables)["START_WARNINGS"] if "EMAIL_WEBHOOK_SECRET" in line]
    assert len(lines) == is_missed
    assert all("docs/operations.md" in line for line in lines)


def test_what_is_left_in_the_file_from_another_provider_hurts_nobody() -> None:
    for variables in (MAIL, UNISENDER):
        assert load_settings(variables | {"EMAIL_WEBHOOK_SECRET": "whatever it was".replace(" ", "-")})
