"""How mail is set up, as the variables say."""

import pytest

from tests.support.loaded_settings import load_settings, problems_of

SMTP = {"SMTP_HOST": "mail.example.org", "SMTP_FROM": "noreply@example.org"}


def test_a_host_and_a_sender_are_enough() -> None:
    settings = load_settings(SMTP)
    assert problems_of(SMTP) == []
    assert settings["EMAIL_BACKEND"] == "notifications.sending.smtp.SmtpBackend"
    assert (settings["EMAIL_HOST"], settings["EMAIL_PORT"]) == ("mail.example.org", 587)
    assert settings["DEFAULT_FROM_EMAIL"] == "Balansity <noreply@example.org>"
    assert settings["EMAIL_TIMEOUT"] == 20


@pytest.mark.parametrize("spoiled", ["re_\u0430bcdef", "re abcdef", "re_abc…", "«re_abc»"])
@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("RESEND_API_KEY", {"EMAIL_PROVIDER": "resend"}),
        ("SENDGRID_API_KEY", {"EMAIL_PROVIDER": "sendgrid"}),
        (
            "UNISENDER_GO_API_KEY",
            {"EMAIL_PROVIDER": "unisender_go", "UNISENDER_GO_API_URL": "https://go1.unisender.ru"},
        ),
        ("SUPABASE_SERVICE_ROLE_KEY", {}),
        ("YUKASSA_SECRET_KEY", {"YUKASSA_SHOP_ID": "1"}),
        ("YUKASSA_SHOP_ID", {"YUKASSA_SECRET_KEY": "live_x"}),
    ],
)
def test_a_key_that_no_header_can_carry_is_named_at_the_start(name: str, others: dict[str, str], spoiled: str) -> None:
    (line,) = problems_of(SMTP | others | {name: spoiled})
    assert line == f"{name} has a character that no key has, as a letter of another alphabet: copy it once more"


@pytest.mark.parametrize(
    ("port", "security", "sandbox", "expected"),
    [
        ("465", "", False, "tls"),
        ("587", "", False, "starttls"),
        ("2525", "", False, "starttls"),
        ("2525", "", True, "none"),
        ("587", "", True, "starttls"),
        ("465", "", True, "tls"),
        ("25", "none", False, "none"),
        ("2465", "tls", False, "tls"),
        ("465", "starttls", False, "starttls"),
    ],
)
def test_the_port_decides_about_tls_unless_somebody_says_otherwise(
    port: str, security: str, sandbox: bool, expected: str
) -> None:
    settings = load_settings(SMTP | {"SMTP_PORT": port, "SMTP_SECURITY": security}, sandbox=sandbox)
    assert settings["EMAIL_USE_SSL"] is (expected == "tls")
    assert settings["EMAIL_USE_TLS"] is (expected == "starttls")


def test_production_names_everything_that_is_missing() -> None:
    assert problems_of({}) == [
        "SMTP_FROM is not set: put the address there that mail is sent from, like noreply@example.org",
        "SMTP_HOST is not set: put the name of the mail server there, or choose another EMAIL_PROVIDER",
    ]


@pytest.mark.parametrize(
    ("provider", "missing"),
    [
        ("resend", ["RESEND_API_KEY"]),
        ("sendgrid", ["SENDGRID_API_KEY"]),
        ("unisender_go", ["UNISENDER_GO_API_URL", "UNISENDER_GO_API_KEY"]),
    ],
)
def test_a_provider_without_its_key_is_a_readable_problem(provider: str, missing: list[str]) -> None:
    found = problems_of({"EMAIL_PROVIDER": provider, "SMTP_FROM": "noreply@example.org"})
    assert [line.split()[0] for line in found] == missing
    assert all(f"EMAIL_PROVIDER={provider} needs" in line for line in found)


def test_a_key_reaches_anymail_with_timeouts() -> None:
    variables = {"EMAIL_PROVIDER": "resend", "RESEND_API_KEY": "re_x", "SMTP_FROM": "noreply@example.org"}
    settings = load_settings(variables | {"EMAIL_TIMEOUT": "7"})
    assert settings["EMAIL_BACKEND"] == "notifications.sending.resend.IdempotentResendBackend"
    assert settings["ANYMAIL"] == {"REQUESTS_TIMEOUT": (7, 7), "RESEND_API_KEY": "re_x"}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"SMTP_FROM": "Balansity <noreply@example.org>"}, "SMTP_FROM must be a bare mail address"),
        ({"SMTP_FROM_NAME": "a\nb"}, "SMTP_FROM_NAME must be one line"),
        ({"SMTP_USER": "mailer"}, "SMTP_PASS is not set"),
        ({"SMTP_PASS": "secret"}, "SMTP_USER is not set"),
        ({"SMTP_PORT": "0"}, "SMTP_PORT must be between"),
        ({"SMTP_SECURITY": "ssl"}, "SMTP_SECURITY must be one of auto, starttls, tls, none"),
        ({"EMAIL_PROVIDER": "pigeon"}, "EMAIL_PROVIDER must be one of smtp, resend"),
        ({"EMAIL_PROVIDER": "console"}, "EMAIL_PROVIDER=console sends nothing"),
    ],
)
def test_a_bad_value_is_one_readable_line_without_secrets(change: dict[str, str], text: str) -> None:
    found = problems_of(SMTP | change)
    assert len(found) == 1
    assert found[0].startswith(text)
    assert "secret" not in found[0]


def test_the_sandbox_needs_nothing_and_may_use_the_console() -> None:
    assert problems_of({}, sandbox=True) == []
    assert problems_of({"EMAIL_PROVIDER": "console"}, sandbox=True) == []


@pytest.mark.parametrize("name", ["Little Otter", 'Выдра "Ляля", мама', "a@b"])
def test_any_name_of_a_sender_is_quoted_as_it_must_be(name: str) -> None:
    settings = load_settings(SMTP | {"SMTP_FROM_NAME": name})
    assert settings["DEFAULT_FROM_EMAIL"].endswith(" <noreply@example.org>")
    assert ("\\" in settings["DEFAULT_FROM_EMAIL"]) == ('"' in name)


def test_links_lead_to_the_storage_unless_somebody_says_otherwise() -> None:
    storage = {"SUPABASE_URL": "https://abc.supabase.example"}
    assert load_settings(SMTP)["EMAIL_LINK_HOSTS"] == ()
    assert load_settings(SMTP | storage)["EMAIL_LINK_HOSTS"] == ("abc.supabase.example",)
    named = SMTP | storage | {"EMAIL_LINK_HOSTS": "Files.example.org, b.example"}
    assert load_settings(named)["EMAIL_LINK_HOSTS"] == ("files.example.org", "b.example")


@pytest.mark.parametrize("host", ["https://files.example.org", "files.example.org/storage", "files.example.org:443"])
def test_what_could_never_be_the_host_of_a_link_is_refused(host: str) -> None:
    assert problems_of(SMTP | {"EMAIL_LINK_HOSTS": host}) == [
        f"EMAIL_LINK_HOSTS must be names of hosts, like files.example.org, not {host!r}"
    ]


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, "example.org"),
        ({"API_BASE_URL": "https://api.littleotter.example/worker"}, "api.littleotter.example"),
        ({"API_BASE_URL": "https://апи.балансити.рф"}, "xn--80aqu.xn--80aab4aapp6ak.xn--p1ai"),
        ({"API_BASE_URL": "http://localhost:3001"}, "example.org"),
        ({"API_BASE_URL": "http://10.0.0.1:3001"}, "example.org"),
        ({"API_BASE_URL": "http://worker:3001"}, "example.org"),
        ({"API_BASE_URL": "https://api.littleotter.example", "SMTP_HELO_NAME": "Mail.Example.org"}, "mail.example.org"),
    ],
)
def test_the_name_in_ehlo_is_a_full_one_in_ascii(variables: dict[str, str], name: str) -> None:
    assert load_settings(SMTP | variables)["SMTP_HELO_NAME"] == name


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"SMTP_HELO_NAME": "5c632f939fd4"}, "SMTP_HELO_NAME must be the full name of a host"),
        ({"SMTP_HELO_NAME": "10.0.0.1"}, "SMTP_HELO_NAME must be the full name of a host"),
        ({"EMAIL_EXTRA_RECIPIENTS": "me@example.org, *"}, "EMAIL_EXTRA_RECIPIENTS must be addresses or domains"),
        ({"EMAIL_HOURLY_LIMIT": "0"}, "EMAIL_HOURLY_LIMIT must be between 1 and"),
    ],
)
def test_a_bad_name_address_or_limit_is_one_readable_line(change: dict[str, str], text: str) -> None:
    (problem,) = problems_of(SMTP | change)
    assert problem.startswith(text)


def test_nobody_but_customers_gets_mail_by_default() -> None:
    settings = load_settings(SMTP)
    assert (settings["EMAIL_EXTRA_RECIPIENTS"], settings["EMAIL_HOURLY_LIMIT"]) == ((), 20)


CONTACTS = [
    "help@example.org",
    "+7 (495) 123-45-67",
    "8 800 555-35-35",
    "https://t.me/littleotter",
    "help@балансити.рф",
]


@pytest.mark.parametrize("contact", CONTACTS)
def test_a_family_can_ask_an_address_a_number_or_a_page(contact: str) -> None:
    settings = load_settings(SMTP | {"SUPPORT_CONTACT": contact})
    assert settings["SUPPORT_CONTACT"] == contact
    assert not [line for line in settings["START_WARNINGS"] if "SUPPORT_CONTACT" in line]


@pytest.mark.parametrize(
    "contact", ["Anna <help@example.org>", "112", "http://example.org/help", "a@b.example, c@b.example"]
)
def test_another_contact_stops_the_start(contact: str) -> None:
    assert problems_of(SMTP | {"SUPPORT_CONTACT": contact}) == [
        (
            "SUPPORT_CONTACT must be one mail address, one telephone number with its code, or one https:// link, "
            f"not {contact!r}"
        )
    ]


def test_production_without_a_contact_warns_and_the_sandbox_does_not() -> None:
    def warnings(*, sandbox: bool) -> list[str]:
        return [line for line in load_settings(SMTP, sandbox=sandbox)["START_WARNINGS"] if "SUPPORT_CONTACT" in line]

    assert warnings(sandbox=True) == []
    assert warnings(sandbox=False) == [
        (
            "SUPPORT_CONTACT is not set, so mails and error pages name nobody whom a family can ask: put a mail "
            "address, a telephone number or an https:// link there"
        )
    ]
